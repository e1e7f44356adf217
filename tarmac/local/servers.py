"""The model server of one generation of an endpoint: unpacked, started, watched, restarted. Made by deployments.py."""

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psutil

from tarmac.local.connections import Connections, ServerGone
from tarmac.local.environments import InstallingStopped, RequirementsUnmet
from tarmac.local.journal import Journal
from tarmac.local.processes import Launch, LinesSink, ServerProcess
from tarmac.local.unpacking import BadArchiveError, UnpackingStopped, unpack
from tarmac.local.workloads import Workload, container_environment

_PING_INTERVAL_S = 0.05
_BACKOFF_FIRST_S = 0.5
_BACKOFF_MAX_S = 30.0
_HEALTHY_AFTER_S = 60.0
_REASON_MAX_CHARACTERS = 1024
_REASON_LOG_LINES = 10


class Owner(Protocol):
    """Who is told how it goes; called from the server's own thread, which must get back soon."""

    def server_ready(self, server: "ModelServer") -> None:
        """It answers /ping for the first time."""

    def server_failed(self, server: "ModelServer", reason: str) -> None:
        """It has not come up, and will not: *reason* in sentences."""


def _pause_s(deaths: int) -> float:
    return 0.0 if deaths == 1 else min(_BACKOFF_FIRST_S * 2 ** (deaths - 2), _BACKOFF_MAX_S)


class ModelServer:
    """One model server, kept alive by a thread of its own until it is ended."""

    def __init__(self, workload: Workload, *, owner: Owner, journal: Journal, on_lines: LinesSink) -> None:
        self.workload = workload
        self._owner = owner
        self._journal = journal
        self._on_lines = on_lines
        self._lock = threading.Condition()
        self._in_flight = 0
        self._ending = threading.Event()
        self._python = Path(sys.executable)
        self._process: ServerProcess | None = None
        self._connections: Connections | None = None
        self._thread = threading.Thread(target=self._run, name=f"server-{self._key}", daemon=True)

    @property
    def _key(self) -> str:
        return f"{self.workload.endpoint_name}/{self.workload.generation}"

    @property
    def pid(self) -> int | None:
        """The process id while a process runs."""
        process = self._process
        return None if process is None else process.pid

    @property
    def in_flight(self) -> int:
        """Requests in hand."""
        return self._in_flight

    def start(self) -> None:
        """Begin to unpack and start, in the background; the owner is told the outcome."""
        self._thread.start()

    @contextmanager
    def in_use(self) -> Iterator[Connections]:
        """Hold the server for one request: it is not ended meanwhile, but for a hard end.

        Raises:
            ServerGone: No process answers at this moment.
        """
        with self._lock:
            connections = self._connections
            if connections is None:
                raise ServerGone("the model server is being started again")
            self._in_flight += 1
        try:
            yield connections
        finally:
            with self._lock:
                self._in_flight -= 1
                self._lock.notify_all()

    def end(self, *, drain_s: float = 0.0) -> None:
        """Let requests in flight finish for *drain_s* seconds at most, then end the process and remove its directory.

        Blocks until the process has gone.
        """
        with self._lock:
            self._lock.wait_for(lambda: self._in_flight == 0, timeout=drain_s)
            self._ending.set()
            process = self._process
        if process is not None:
            process.end()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()
        shutil.rmtree(self.workload.directory, ignore_errors=True)

    def busy_s(self) -> float | None:
        """CPU seconds used by the running process and its children; None when there is none."""
        pid = self.pid
        if pid is None or self._connections is None:
            return None
        try:
            process = psutil.Process(pid)
            times = [one.cpu_times() for one in [process, *process.children(recursive=True)]]
        except psutil.Error:
            return None
        return float(sum(one.user + one.system for one in times))

    def _run(self) -> None:
        try:
            self._prepare()
            self._keep_alive()
        except (UnpackingStopped, InstallingStopped):
            return
        except RequirementsUnmet as exc:
            self._fail(str(exc))
        except (BadArchiveError, OSError) as exc:
            self._fail(f"The model data could not be loaded: {exc}")

    def _prepare(self) -> None:
        workload = self.workload
        shutil.rmtree(workload.directory, ignore_errors=True)
        workload.model_dir.mkdir(parents=True)
        if workload.find_archive is not None:
            unpack(workload.find_archive(), workload.model_dir, is_stopped=self._ending.is_set)
        elif workload.hub_models is not None and "HF_MODEL_ID" in workload.environment:
            workload.hub_models.fetch(
                container_environment(workload),
                workload.model_dir,
                is_stopped=self._ending.is_set,
                say=lambda line: self._on_lines([line]),
            )
        self._python = workload.environments.python_for(
            workload.model_dir, is_isolated=workload.is_isolated, is_stopped=self._ending.is_set
        )

    def _keep_alive(self) -> None:
        if self._run_once(is_first=True) is None:
            return
        deaths = 1
        # The first time at once; a model that keeps dying ever more slowly, but for ever: SageMaker does not give up on
        # a container that has been in service either.
        while not self._ending.wait(_pause_s(deaths)):
            try:
                served_s = self._run_once(is_first=False) or 0.0
            except OSError as exc:
                self._on_lines([f"tarmac: the model server cannot be started again: {exc}"])
                served_s = 0.0
            deaths = 1 if served_s > _HEALTHY_AFTER_S else deaths + 1

    def _run_once(self, *, is_first: bool) -> float | None:
        """Run one process to its end; tell how many seconds it served, None when it never did."""
        process = self._launch()
        if process is None:
            return None
        is_ready = self._await_ping(process)
        if is_ready:
            self._open(process)
            if is_first:
                self._owner.server_ready(self)
        elif not process.has_exited:
            # `end` waits for somebody who is in `wait`, which is where this thread goes next.
            threading.Thread(target=process.end, name=f"end-{self._key}", daemon=True).start()
        ready_at = time.monotonic()
        if is_ready:
            self._watch(process)
        process.wait()
        self._close()
        if self._ending.is_set():
            return None
        if is_ready:
            self._on_lines([f"tarmac: the model server {process.exit_words}; it is started again"])
            return time.monotonic() - ready_at
        if is_first:
            self._fail(self._unready_reason(process), lines=process.tail)
        return None

    def _launch(self) -> ServerProcess | None:
        workload = self.workload
        launch = Launch(
            key=self._key,
            serve_path=workload.serve_path,
            directory=workload.directory,
            environment=container_environment(workload),
            log_path=workload.endpoint_dir / "log",
            is_isolated=workload.is_isolated,
            python=self._python,
        )
        with self._lock:
            if self._ending.is_set():
                return None
            self._process = ServerProcess(launch, journal=self._journal, on_lines=self._on_lines)
            return self._process

    def _await_ping(self, process: ServerProcess) -> bool:
        deadline = time.monotonic() + self.workload.ping_timeout_s
        while time.monotonic() < deadline and not process.has_exited and not self._ending.is_set():
            if process.answers_ping():
                return True
            self._ending.wait(_PING_INTERVAL_S)
        return False

    def _watch(self, process: ServerProcess) -> None:
        """Wait for the process's end; bring it about when /ping says, again and again, that the server is not well."""
        checkups = self.workload.checkups
        missed = 0
        while not process.exits_within(checkups.every_s):
            missed = 0 if process.answers_ping() else missed + 1
            if missed >= checkups.misses and not process.has_exited:
                self._on_lines([f"tarmac: the model server has not passed {missed} health checks in a row"])
                process.kill()
                return

    def _open(self, process: ServerProcess) -> None:
        with self._lock:
            self._connections = Connections(process.port)

    def _close(self) -> None:
        with self._lock:
            connections, self._connections, self._process = self._connections, None, None
        if connections is not None:
            connections.close()

    def _unready_reason(self, process: ServerProcess) -> str:
        happened = (
            f"It did not answer 200 within {self.workload.ping_timeout_s:g} s."
            if process.was_told_to_end
            else f"The process {process.exit_words} before it answered."
        )
        return (
            f"The primary container for production variant {self.workload.variant_name} "
            f"did not pass the ping health check. {happened}"
        )

    def _fail(self, reason: str, *, lines: list[str] | None = None) -> None:
        if self._ending.is_set():
            return
        shutil.rmtree(self.workload.directory, ignore_errors=True)
        self._owner.server_failed(self, with_log(reason, lines or []))


def with_log(reason: str, lines: list[str]) -> str:
    """Put the last lines of the log behind *reason*: within SageMaker's 1024 characters, the end kept."""
    if not lines:
        return reason[:_REASON_MAX_CHARACTERS]
    head = f"{reason} Its last words: "
    tail = "\n".join(lines[-_REASON_LOG_LINES:])
    return head + tail[-(_REASON_MAX_CHARACTERS - len(head)) :]
