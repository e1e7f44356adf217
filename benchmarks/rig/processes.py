"""Servers as processes: started on a free loopback port, ended with all their children, and their memory.

Called by the benchmarks of servers, and by the tests that need a peer.
"""

import os
import random
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
_END_S = 3.0
_MB = 1e6


@dataclass(frozen=True)
class Memory:
    """Of a process with all its children, in MB of 10^6 bytes; what they share is counted in each.

    Attributes:
        now: Resident at this moment.
        peak: The sum of each process's own highest.
    """

    now: float
    peak: float


def free_port() -> int:
    """Find a port that nobody listens on now, below the ephemeral ones: the multi-model-server takes no others."""
    while True:
        port = random.randrange(10_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], *, log: Path, pass_fds: Sequence[int] = (), cwd: Path = ROOT
) -> Iterator[psutil.Process]:
    """Run a command while the block runs, then end it and all that it has started.

    Args:
        command: The program and its arguments.
        environment: The whole of it, PATH apart.
        log: Takes what it writes.
        pass_fds: Files that it inherits.
        cwd: Where it runs.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=pass_fds,
            cwd=cwd,
        )
    found = psutil.Process(process.pid)
    try:
        yield found
    finally:
        _end(found)
        process.wait()


def run_to_end(command: Sequence[str], *, cwd: Path) -> None:
    """Run a command. Raises RuntimeError with the last of what it said where it fails."""
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise RuntimeError(ran.stderr.strip()[-2000:])


def _end(process: psutil.Process) -> None:
    """SIGTERM to the whole family, of which not every head ends its children; then whoever is left is killed."""
    family = tree(process)
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.terminate()
    _, left = psutil.wait_procs(family, timeout=_END_S)
    for one in left:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(left, timeout=_END_S)


def tree(process: psutil.Process) -> list[psutil.Process]:
    """List a process and everything below it."""
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def memory(process: psutil.Process) -> Memory:
    """Measure a process and everything below it."""
    now = peak = 0.0
    for one in tree(process):
        with suppress(OSError):
            lines = Path(f"/proc/{one.pid}/status").read_text(encoding="utf-8").splitlines()
            sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith(" kB")}
            now += sizes.get("VmRSS", 0) / _MB
            peak += sizes.get("VmHWM", 0) / _MB
    return Memory(now, peak)
