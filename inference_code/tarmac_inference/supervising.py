"""The command line, the socket, and the start of another server when one dies or hangs. Called by `serve.py`.

Without --fd this process only holds the socket: the server is a child that it forks before anything large is imported,
so that the guard costs a few megabytes, and a request nothing. Who gives the socket with --fd is the guard.
"""

import argparse
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from .events import log
from .faults import LoadError
from .settings import Settings

_BACKLOG = 2048
_GRACE_S = 15.0
"""Seconds that a server gets to end itself after SIGTERM: more than it gives the requests in flight."""

_TICK_S = 0.5
_END_TICK_S = 0.02
_HEALTHY_AFTER_S = 60.0
_PAUSE_FIRST_S = 0.5
_PAUSE_MOST_S = 30.0
_READY = b"r"


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse the command line, serve, and end the process."""
    parser = argparse.ArgumentParser(prog="serve.py", description="serve the model in SM_MODEL_DIR")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")))
    parser.add_argument("--fd", type=int, help="an inherited socket that listens; nothing is started again then")
    options = parser.parse_args(arguments)
    try:
        settings = Settings.read()
        listener = socket.socket(fileno=options.fd) if options.fd is not None else listen(options.host, options.port)
    except (LoadError, OSError) as error:
        _end(1, f"cannot start: {error}")
    if options.fd is not None:
        _serve(listener, settings, None)
    Supervisor(listener, settings).run()


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket. Raises OSError, naming the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        words = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(f"{host}:{port}: {words}") from None


class Supervisor:
    """Keeps one server alive."""

    def __init__(self, listener: socket.socket, settings: Settings) -> None:
        self._listener = listener
        self._settings = settings
        self._child = 0
        self._told_at_s: float | None = None
        self._killed_because = ""

    def run(self) -> NoReturn:
        """Start servers, one after another, until a signal or a failed start."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._tell())
        deaths = 0
        while True:
            began_s = time.monotonic()
            was_ready, status = self._run_once()
            code = os.waitstatus_to_exitcode(status)
            if self._told_at_s is not None:
                _end(max(code, 0))
            if deaths == 0 and not was_ready:
                # Status 1 comes after a last line of its own.
                _end(1, "" if code == 1 else f"cannot start: {_words(code)} while the model was loading")
            deaths = 1 if was_ready and time.monotonic() - began_s > _HEALTHY_AFTER_S else deaths + 1
            log("restart", because=self._killed_because or _words(code))
            self._pause(0.0 if deaths == 1 else min(_PAUSE_FIRST_S * 2 ** (deaths - 2), _PAUSE_MOST_S))

    def _run_once(self) -> tuple[bool, int]:
        """Run one server to its end. Returns whether it was ever ready, and its wait status."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        self._killed_because = ""
        self._child = os.fork()
        if self._child == 0:
            os.close(reader)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            _serve(self._listener, self._settings, writer)
        os.close(writer)
        try:
            return self._watch(reader)
        finally:
            os.close(reader)

    def _watch(self, reader: int) -> tuple[bool, int]:
        if self._told_at_s is not None:  # a signal that came while the child was being made
            self._tell()
        was_ready = False
        beat_s = time.monotonic()
        sources = [reader]
        while True:
            readable, _, _ = select.select(sources, [], [], _TICK_S if sources else _END_TICK_S)
            beats = os.read(reader, 4096) if readable else b""
            if readable and not beats:
                sources = []  # its end is near; a child of its own may still hold the pipe, so this is not asked alone
            now_s = time.monotonic()
            if beats:
                beat_s = now_s
                was_ready = was_ready or _READY in beats
            if (status := self._ended()) is not None:
                return was_ready, status
            # Code that holds Python's lock stops the event loop too; while a model loads that may take its time.
            is_silent = was_ready and now_s - beat_s > self._settings.give_up_s
            is_overdue = self._told_at_s is not None and now_s - self._told_at_s > _GRACE_S
            if is_silent or is_overdue:
                self._killed_because = f"the server was silent for {now_s - beat_s:.1f} s, and was killed"
                beat_s = now_s
                with suppress(ProcessLookupError):
                    os.kill(self._child, signal.SIGKILL)

    def _ended(self) -> int | None:
        """Collect what has ended, which in a container may be anything. The server's status when it is among it."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == self._child:
                    self._child = 0
                    return status
                if pid == 0:
                    break
        return None

    def _tell(self) -> None:
        """Pass a signal on: the server is to end, and then this process."""
        if self._told_at_s is None:
            self._told_at_s = time.monotonic()
        if self._child:
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGTERM)

    def _pause(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while self._told_at_s is None and time.monotonic() < until_s:
            time.sleep(min(0.1, seconds))
        if self._told_at_s is not None:
            _end(0)


def _words(code: int) -> str:
    if code == -signal.SIGKILL:
        return "the server was killed (signal 9), as the kernel does when memory ends"
    return f"the server was ended by signal {-code}" if code < 0 else f"the server ended with status {code}"


def _serve(listener: socket.socket, settings: Settings, pulse_fd: int | None) -> NoReturn:
    from .serving import run  # imports the HTTP server, which only the server itself needs

    run(listener, settings, pulse_fd)


def _end(status: int, words: str = "") -> NoReturn:
    if words:
        print(f"model server: {words}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
