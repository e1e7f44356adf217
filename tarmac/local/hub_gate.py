"""The one door from the engine's process to the Hugging Face Hub: a loopback port that a child answers. Used by `up`.

The engine's own process never leaves the machine (guard.py), whatever its environment says. What the application asks
of the Hub goes to this port; the child behind it is started with the first question, passes on what is the Hub's, and
has no credential of AWS's.
"""

import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tarmac.local.processes import CHILD_PATH

_RELAY_PATH = Path(__file__).with_name("hub_relay.py")
_POLL_S = 0.5


class HubGate:
    """Listens from `start` to `stop`."""

    def __init__(self, upstream: str, environ: Mapping[str, str]) -> None:
        """Pass on to *upstream*, with a child that runs in *environ*: proxies and certificates, no AWS."""
        self._upstream = upstream
        self._environ = {key: value for key, value in environ.items() if not key.upper().startswith("AWS_")}
        self._listener: socket.socket | None = None
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="hub-gate", daemon=True)

    def start(self) -> str:
        """Listen; gives the URL that stands for the Hub in this process."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._thread.start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def stop(self) -> None:
        """Let go of the port, and end the child."""
        self._is_stopped.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._listener is not None:
            self._listener.close()

    def _watch(self) -> None:
        """Have a child whenever somebody knocks; one that has died is started again by the next who does."""
        assert self._listener is not None  # noqa: S101  # made before the thread
        while not self._is_stopped.is_set():
            readable, _, _ = select.select([self._listener], [], [], _POLL_S)
            if readable and not self._is_stopped.is_set():
                self._run_child(self._listener)

    def _run_child(self, listener: socket.socket) -> None:
        leash_fd, leash = os.pipe()
        try:
            child = subprocess.Popen(
                [
                    *(sys.executable, str(CHILD_PATH), str(leash_fd), "open"),
                    *(str(_RELAY_PATH), str(listener.fileno()), self._upstream),
                ],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(leash_fd, listener.fileno()),
                start_new_session=True,
            )
            while child.poll() is None and not self._is_stopped.wait(_POLL_S):
                pass
            child.terminate()
            with suppress(subprocess.TimeoutExpired):
                child.wait(5)
            child.kill()
            child.wait()
        finally:
            os.close(leash_fd)
            os.close(leash)
