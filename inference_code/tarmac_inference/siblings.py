"""More processes for one model, in place of threads that would wait for each other. Called by `serving`.

The loaded process forks: the weights stay where they are, and are shared. It alone accepts, and hands each connection
to whoever has the fewest, itself included. What all must know of each other (who is ready, who is alive) stands on a
page of memory that all see. One that is lost is not made again: whoever is left goes on.

Linux only: elsewhere a process that has run native libraries is not safe to fork.
"""

import ctypes
import mmap
import os
import signal
import socket
import stat
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from .events import log

MOST = 8
_PR_SET_PDEATHSIG = 1
_SILENT_S = 10.0
"""Seconds without a word after which a process is not well; at most half of those after which it is ended."""

_START_S = 30.0
_WAIT_S = 5.0
_TICK_S = 0.002
_OWN_FILES = Path("/proc/self/fd")
_READY, _BEAT, _ENDED, _FIELDS = range(4)


def can_fork() -> bool:
    """Whether a process that has loaded a model can be forked here, and its copy be freed of what is not its own."""
    return sys.platform == "linux" and _OWN_FILES.is_dir()


def shared(numbers: int) -> "memoryview[float]":
    """Give memory for so many floats that this process and all that it forks see alike."""
    return memoryview(mmap.mmap(-1, numbers * 8)).cast("d")


class Family:
    """The processes that answer for one model, as one of them sees it."""

    def __init__(self, give_up_s: float) -> None:
        """Who is silent for *give_up_s* seconds is ended."""
        self._give_up_s = give_up_s
        self._silent_s = min(_SILENT_S, give_up_s / 2)
        self._page = shared(MOST * _FIELDS)
        self.place = 0
        self._children: dict[int, tuple[int, socket.socket]] = {}
        self._sent: dict[int, int] = {}
        self._born_s = time.monotonic()

    def grow(self, count: int, live: Callable[[socket.socket], NoReturn], loop_stops: Callable[[], "Pause"]) -> None:
        """Fork until there are *count*, and wait until they answer; in them *live* is called instead.

        Args:
            count: Processes in all.
            live: Serves the connections that come through a socket, and ends the process.
            loop_stops: Holds the thread of the event loop while this one forks, so that no lock of its is copied shut.
        """
        for place in range(1, min(count, MOST)):
            try:
                self._fork(place, live, loop_stops)
            except OSError as error:  # no memory, or no more processes allowed: there are enough to answer
                log("sibling_missing", because=str(error))
                break
        until_s = time.monotonic() + _WAIT_S
        while time.monotonic() < until_s and not all(self._get(place, _READY) for place in list(self._children)):
            time.sleep(_TICK_S)

    def _fork(self, place: int, live: Callable[[socket.socket], NoReturn], loop_stops: Callable[[], "Pause"]) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs, loop_stops(), warnings.catch_warnings():
            # Of a fork beside threads. The loop's is held, and there is no other but this one.
            warnings.simplefilter("ignore", DeprecationWarning)
            parent = os.getpid()
            try:
                child = os.fork()
            except OSError:
                ours.close()
                raise
            if child == 0:
                try:
                    self._be_born(place, parent, theirs, live)
                finally:
                    os._exit(1)
            self._sent[place] = 0
            self._children[place] = (child, ours)

    def _be_born(self, place: int, parent: int, connections: socket.socket, live: Callable[..., NoReturn]) -> None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        self.place, self._children, self._born_s = place, {}, time.monotonic()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT):  # the first process says when it is time, and is told itself
            signal.signal(number, signal.SIG_IGN)
        _close_sockets(but=connections.fileno())
        live(connections)

    @property
    def size(self) -> int:
        """How many processes answer."""
        return 1 + sum(1 for place in range(MOST) if place != self.place and self._get(place, _READY))

    def beat(self, *, is_ready: bool) -> None:
        """Say how this process is. For its event loop, every now and then.

        One that still starts says nothing: the others are ready without it.
        """
        mine = self.place * _FIELDS
        if is_ready or self._page[mine + _BEAT]:
            self._page[mine + _READY] = float(is_ready)
            self._page[mine + _BEAT] = time.monotonic()

    def count_end(self) -> None:
        """Say that a connection that was handed to this process has ended."""
        self._page[self.place * _FIELDS + _ENDED] += 1

    @property
    def is_well(self) -> bool:
        """Whether every other process of the family is ready, and alive; one that still starts does not count."""
        others = [place for place in range(MOST) if place != self.place and self._get(place, _BEAT)]
        oldest_s = time.monotonic() - self._silent_s
        return all(self._get(place, _READY) and self._get(place, _BEAT) > oldest_s for place in others)

    def hand_over(self, connection: socket.socket, own: int) -> bool:
        """Give a new connection to whoever has the fewest. False where that is this process, which has *own*."""
        open_by = {
            place: self._sent[place] - self._get(place, _ENDED) for place in self._children if self._get(place, _READY)
        }
        place = min(open_by, key=lambda one: open_by[one], default=0)
        if not place or own <= open_by[place]:
            return False
        try:
            socket.send_fds(self._children[place][1], [b"c"], [connection.fileno()])
        except OSError:  # it is busy, or gone: `look` will see
            return False
        self._sent[place] += 1
        return True

    def look(self) -> list[int]:
        """See who is lost: forget the dead, and end whoever is silent for too long. To be called every now and then.

        Returns:
            The places of those that are lost since the last look.
        """
        now_s, lost = time.monotonic(), []
        for place, (child, connections) in list(self._children.items()):
            beat_s = self._get(place, _BEAT)
            is_silent = now_s - beat_s > self._give_up_s if beat_s else now_s - self._born_s > _START_S
            if is_silent:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            code: int | None = None
            with suppress(ChildProcessError):
                ended, status = os.waitpid(child, os.WNOHANG)
                if not ended:
                    continue
                code = os.waitstatus_to_exitcode(status)
            log("sibling_lost", pid=child, code=code)
            del self._children[place]
            connections.close()
            for field in range(_FIELDS):
                self._page[place * _FIELDS + field] = 0.0
            lost.append(place)
        return lost

    def dismiss(self) -> None:
        """Tell the others to end: they answer what they have, and take nothing more."""
        for _, connections in self._children.values():
            connections.close()

    def outlive(self, until_s: float) -> None:
        """Wait until the others have ended; from *until_s* on (of `time.monotonic`) they are killed."""
        for child, _ in self._children.values():
            with suppress(ChildProcessError, ProcessLookupError):
                while not os.waitpid(child, os.WNOHANG)[0]:
                    if time.monotonic() > until_s:
                        os.kill(child, signal.SIGKILL)
                    time.sleep(_TICK_S)

    def _get(self, place: int, field: int) -> float:
        return self._page[place * _FIELDS + field]


class Pause:
    """Holds an event loop's thread still while the block runs in another."""

    def __init__(self, call_soon: Callable[[Callable[[], object]], object]) -> None:
        self._call_soon = call_soon
        self._is_held, self._may_go_on = threading.Event(), threading.Event()

    def _hold(self) -> None:
        self._is_held.set()
        self._may_go_on.wait()

    def __enter__(self) -> None:
        """Wait until the loop's thread is held."""
        self._call_soon(self._hold)
        self._is_held.wait()

    def __exit__(self, *_: object) -> None:
        """Let it go on."""
        self._may_go_on.set()


def _close_sockets(*, but: int) -> None:
    """Close the sockets that came along: what the first process closes would stay open through this one."""
    for file in [int(path.name) for path in _OWN_FILES.iterdir()]:
        with suppress(OSError):  # what the listing itself had open
            if file not in (0, 1, 2, but) and stat.S_ISSOCK(os.fstat(file).st_mode):
                os.close(file)
