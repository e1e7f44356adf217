"""What must hold for every input of a reader, and the check that it does. Used by the fuzzers and their short test."""

import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

MEMORY_MAX_BYTES = 64 << 20
TIME_MAX_S = 5.0
"""Of processor time, for one input of a few kilobytes read twice, instrumented and perhaps beside other work."""
INPUT_MAX_BYTES = 16 << 10

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESETS_THE_PEAK = "5"


@dataclass(frozen=True)
class Reader:
    """One reader under test.

    Attributes:
        name: Of its folder below build/fuzz.
        read: Reads an input, raises Broken where it does not do as promised, and gives all that it found.
        seeds: Sound and unsound inputs to start from.
        tokens: What is worth inserting.
    """

    name: str
    read: Callable[[bytes], Any]
    seeds: Callable[[], list[bytes]]
    tokens: tuple[bytes, ...] = ()


class Broken(Exception):
    """A promise is broken; the message says which."""


def check(reader: Reader, data: bytes, *, time_max_s: float = TIME_MAX_S) -> Any:
    """Read an input twice, and give what was found.

    Raises:
        Broken: It took too long or too much memory, or the second reading found something else.
        Exception: Whatever the reader raised, although it may raise nothing.
    """
    before = _resident_bytes()
    with _no_longer_than(time_max_s):
        first, second = reader.read(data), reader.read(data)
    if first != second:
        raise Broken(f"the same input gave two verdicts: {first!r} and {second!r}")
    if (taken := _peak_bytes() - before) > MEMORY_MAX_BYTES:
        raise Broken(f"it took {taken >> 20} MB")
    return first


@contextmanager
def _no_longer_than(seconds: float) -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise Broken(f"it took more than {seconds} s")

    # Processor time, not the clock's: others may be using the machine.
    handler = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, handler)


def _resident_bytes() -> int:
    """Measure the memory in use, and let the peak begin anew where the system can."""
    if not _STATUS.exists():
        return _peak_bytes()
    _CLEAR.write_text(_RESETS_THE_PEAK)
    return _status_bytes("VmRSS")


def _peak_bytes() -> int:
    if not _STATUS.exists():
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak << 10
    return _status_bytes("VmHWM")


def _status_bytes(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", _STATUS.read_text())
    assert found is not None
    return int(found[1]) << 10
