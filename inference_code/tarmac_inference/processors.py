"""How many processors this process may use. Called by `serving`."""

import math
import os
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


def processors(groups: Path = _GROUPS) -> int:
    """Count the processors that this process may use, at least one.

    A container that is given two of 64 processors sees all of them; what it was given is the quota of its control
    group, in microseconds of each period.

    Source: cpu.max of control groups version 2, cpu.cfs_quota_us of version 1 (Linux kernel, admin guide).
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(groups)
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def _quota(groups: Path) -> float | None:
    """Read the quota, in processors; None where there is none, or none that can be read."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            words = " ".join((groups / name).read_text() for name in names).split()
            quota, period = float(words[0]), float(words[1])
        except (OSError, ValueError, IndexError):  # also "max": no quota
            continue
        if quota > 0 and period > 0:
            return quota / period
    return None
