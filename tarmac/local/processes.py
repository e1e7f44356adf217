"""One process of one model server: its start, its output, its end; and the end of those a crash left.

Called by servers.py, and by sagemaker.py at start.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil

from tarmac.local.journal import Journal

CHILD_PATH = Path(__file__).with_name("child.py")
PROCESS_KIND = "model-server"
_END_GRACE_S = 5.0
_PING_TIMEOUT_S = 2.0
_LOG_FILE_MAX_BYTES = 4 << 20
_LINE_MAX_BYTES = 8 << 10
_TAIL_LINES = 40
_BACKLOG = 512

LinesSink = Callable[[Sequence[str]], None]


@dataclass(frozen=True)
class Launch:
    """How to start a process."""

    key: str
    """What it is, for the journal: `<endpoint>/<generation>`."""
    serve_path: Path
    directory: Path
    environment: Mapping[str, str]
    log_path: Path
    is_isolated: bool
    python: Path = Path(sys.executable)
    """What runs it: that of the release's own environment, where it has one."""


class ServerProcess:
    """A running model server.

    Whoever makes it goes on to call `wait`, on the same thread: Linux ends a child whose parent's *thread* has gone.
    """

    def __init__(self, launch: Launch, *, journal: Journal, on_lines: LinesSink) -> None:
        """Start it: the socket it serves is already bound and listening, so no port is ever taken by somebody else."""
        self._launch = launch
        self._journal = journal
        self._on_lines = on_lines
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._gone = threading.Event()
        self.was_told_to_end = False
        leash_fd, self._leash = os.pipe()
        try:
            with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listener:
                self.port: int = listener.getsockname()[1]
                self._popen = subprocess.Popen(
                    self._command(leash_fd, listener.fileno()),
                    env=dict(launch.environment),
                    cwd=launch.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    pass_fds=(leash_fd, listener.fileno()),
                    start_new_session=True,  # a group of its own, to be ended whole; and deaf to the terminal's Ctrl-C
                )
        except OSError:
            os.close(self._leash)
            raise
        finally:
            os.close(leash_fd)
        self.pid = self._popen.pid
        self.started_at = time.monotonic()
        self._remember()
        self._pump = threading.Thread(target=self._pump_output, name=f"log-{launch.key}", daemon=True)
        self._pump.start()

    def _command(self, leash_fd: int, listener_fd: int) -> list[str]:
        network = "isolated" if self._launch.is_isolated else "open"
        serve = [str(self._launch.serve_path), "--fd", str(listener_fd)]
        return [str(self._launch.python), str(CHILD_PATH), str(leash_fd), network, *serve]

    def _remember(self) -> None:
        with suppress(psutil.Error):
            created_at_s = psutil.Process(self.pid).create_time()
            self._journal.put(PROCESS_KIND, self._launch.key, {"pid": self.pid, "created_at_s": created_at_s})

    @property
    def has_exited(self) -> bool:
        """Whether it has ended, for whatever reason."""
        return self._popen.poll() is not None

    @property
    def tail(self) -> list[str]:
        """The last lines it wrote."""
        return list(self._tail)

    @property
    def exit_words(self) -> str:
        """How it ended, in words."""
        code = self._popen.returncode
        if code == -signal.SIGKILL and not self.was_told_to_end:
            return "was ended by signal 9, as the kernel does when memory ends"
        return f"was ended by signal {-code}" if code is not None and code < 0 else f"exited with status {code}"

    def answers_ping(self) -> bool:
        """Ask /ping once; waits two seconds at most, as SageMaker does."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=_PING_TIMEOUT_S)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def exits_within(self, seconds: float) -> bool:
        """Wait so long for its end. From the thread that will call `wait`."""
        try:
            self._popen.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def wait(self) -> None:
        """Wait until it has ended and clean up after it. From one thread only."""
        self._popen.wait()
        self._end_group()
        self._pump.join(timeout=_END_GRACE_S)
        with suppress(OSError):
            os.close(self._leash)
        self._journal.delete(PROCESS_KIND, self._launch.key)
        self._gone.set()

    def end(self) -> None:
        """Ask it to end; after five seconds, end it. Returns at once when it has ended; somebody else is in `wait`."""
        self.was_told_to_end = True
        with suppress(ProcessLookupError):
            self._popen.send_signal(signal.SIGTERM)
        if not self._gone.wait(_END_GRACE_S):
            self._end_group()

    def kill(self) -> None:
        """End it at once: what does not answer would not listen either."""
        self.was_told_to_end = True
        self._end_group()

    def _end_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _pump_output(self) -> None:
        assert self._popen.stdout is not None  # noqa: S101  # PIPE was asked for
        pending = b""
        with self._popen.stdout as stream:
            while block := os.read(stream.fileno(), 1 << 16):
                *lines, pending = (pending + block).split(b"\n")
                if len(pending) > _LINE_MAX_BYTES:
                    lines, pending = [*lines, pending], b""
                self._take(lines)
        self._take([pending] if pending else [])

    def _take(self, raw_lines: Sequence[bytes]) -> None:
        lines = [line[:_LINE_MAX_BYTES].decode("utf-8", "replace").rstrip("\r") for line in raw_lines]
        if not lines:
            return
        self._tail.extend(lines)
        # A full disk or a log store in trouble must not stop the model, which would block on a pipe nobody empties.
        with suppress(OSError):
            _append(self._launch.log_path, lines)
        with suppress(Exception):
            self._on_lines(lines)


def _append(path: Path, lines: Sequence[str]) -> None:
    if path.exists() and path.stat().st_size > _LOG_FILE_MAX_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def end_orphans(journal: Journal) -> int:
    """End every model server that a crashed engine left, and only those: a process id may have been given away since.

    Returns:
        How many were found alive.
    """
    found = 0
    for key, raw in list(journal.items(PROCESS_KIND)):
        with suppress(psutil.Error, OSError):
            process = psutil.Process(raw["pid"])
            # The clock may have been set since; two seconds are its allowance, the command line is the proof.
            is_same_start = abs(process.create_time() - raw["created_at_s"]) < 2
            if is_same_start and str(CHILD_PATH) in process.cmdline():
                found += 1
                os.killpg(process.pid, signal.SIGKILL)
                psutil.wait_procs([process], timeout=_END_GRACE_S)
        journal.delete(PROCESS_KIND, key)
    return found
