"""The demo's own engine and example: real processes, all of them gone at the end. Used by demo."""

import json
import selectors
import signal
import socket
import subprocess
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil

from tarmac.demo_timeline import DemoFailed
from tarmac.local.clients import local_client

ROOT = Path(__file__).resolve().parents[1]
"""The repository: the examples are not part of the installed package."""
START_AT_MOST_S = 30.0
STOP_AT_MOST_S = 10.0


def build_example(directory: Path) -> str:
    """Build the sentiment classifier in a process of its own, and give back its one line about it.

    Raises:
        DemoFailed: There are no examples here, or the build failed.
    """
    if not (ROOT / "examples" / "sentiment.py").is_file():
        raise DemoFailed("the demo needs the repository's examples/: run it from a clone")
    command = [sys.executable, "-m", "examples.sentiment", str(directory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DemoFailed(f"the example could not be built: {done.stderr.strip()[-500:]}")
    return done.stdout.strip().removeprefix(f"{directory}: ")


class EngineProcess:
    """One `tarmac up` on free ports and a state directory of its own."""

    def __init__(self, state: Path, *, idle_after: str, sweep_every: str) -> None:
        self._state = state
        self._options = ["--idle-after", idle_after, "--sweep-every", sweep_every]
        self._process: subprocess.Popen[str] | None = None
        self._raw: dict[str, Any] = {}

    @property
    def url(self) -> str:
        """Of the HTTP API."""
        return str(self._raw["url"])

    @property
    def aws_endpoint_url(self) -> str:
        """Of every AWS service."""
        return str(self._raw["aws_endpoint_url"])

    @property
    def bucket(self) -> str:
        """Where drops go."""
        return str(self._raw["bucket"])

    @property
    def pid(self) -> int:
        """Of the engine's own process."""
        return int(self._raw["pid"])

    @cached_property
    def http(self) -> httpx.Client:
        """The API, with its bearer token."""
        token = Path(self._raw["token_file"]).read_text(encoding="ascii").strip()
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def aws(self, service: str) -> Any:
        """Make a boto3 client of the embedded AWS."""
        return local_client(service, self.aws_endpoint_url)

    def start(self) -> None:
        """Start it and wait until it says that it is ready.

        Raises:
            DemoFailed: It does not start.
        """
        self._state.mkdir(parents=True, exist_ok=True)
        errors = (self._state / "up.stderr").open("w")
        command = [sys.executable, "-m", "tarmac.cli.main", "up", "--json", "--port", "0", "--aws-port", "0"]
        with errors:
            # A session of its own: Ctrl-C reaches the demo alone, which then stops the engine in order.
            self._process = subprocess.Popen(
                [*command, "--state", str(self._state), *self._options],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        line = _first_line(self._process, START_AT_MOST_S)
        if not line:
            raise DemoFailed(f"tarmac up did not start: {(self._state / 'up.stderr').read_text().strip()[-500:]}")
        self._raw = json.loads(line)

    def stop(self) -> list[str]:
        """Stop it as Ctrl-C does, and name every process and port that is left: none, when all is well."""
        process = self._process
        if process is None:
            return []
        family = psutil.Process(process.pid).children(recursive=True)
        self.http.close()
        process.send_signal(signal.SIGINT)
        leftover = []
        try:
            if exit_code := process.wait(STOP_AT_MOST_S):
                leftover.append(f"exit code {exit_code}")
        except subprocess.TimeoutExpired:
            leftover.append(f"tarmac up itself (pid {process.pid})")
        _, alive = psutil.wait_procs(family, timeout=2)
        leftover += [f"process {child.pid}" for child in alive]
        leftover += [f"port {port}" for port in self._ports() if _answers(port)]
        return leftover

    def kill(self) -> None:
        """End it by force where it still runs; its model servers end with it."""
        if "http" in self.__dict__:
            self.http.close()
        process = self._process
        if process is not None:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(STOP_AT_MOST_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def _ports(self) -> list[int]:
        return [port for url in (self.url, self.aws_endpoint_url) if (port := urlsplit(url).port) is not None]


def _first_line(process: subprocess.Popen[str], timeout_s: float) -> str:
    """Read one line of a process's output; empty when it ended, or took too long."""
    if process.stdout is None:
        return ""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if selector.select(timeout_s) else ""


def _answers(port: int) -> bool:
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return False
        time.sleep(0.05)
    return True
