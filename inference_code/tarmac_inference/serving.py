"""Start-up and end of the model server: signals, event loop, inference thread. Called by `supervising`."""

import asyncio
import gc
import io
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import uvicorn

from .backends import Backend, TaskBackend
from .doors import Doors
from .events import log
from .faults import Fault, LoadError, Stuck
from .figures import Figures
from .settings import Settings
from .shortages import first_line, is_shortage
from .smoke import read_smokes
from .smoke import run as run_smokes
from .tasks import Task
from .workers import Worker

_GRACE_S = 10
"""Seconds that requests in flight get after SIGTERM."""

_LARGE = 10_000_000
"""Weights from which on a second thread was measured to help: 117 to 172 answers a second for a model of 22 million."""

_SWITCH_INTERVAL_S = 0.001
"""How long the inference thread may keep Python from the event loop, and the other way round."""


READY, ALIVE = b"r", b"."
"""What a supervisor reads: the model is loaded and tried; the event loop runs."""

STUCK_STATUS = 70
"""The exit code when the model does not come back: EX_SOFTWARE of sysexits.h."""


class _Server(uvicorn.Server):
    """uvicorn, with signals left to us: its own handlers end the process by the signal, not with exit code 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def load(settings: Settings) -> Backend:
    """Load the model, on the inference thread: the user's own code where the archive has some, else the task's."""
    from .hooks import load_hooks

    hooks = load_hooks(settings.model_dir)
    if hooks is not None:
        return hooks
    from .registry import load_task

    task = load_task(settings.model_dir)
    _set_threads(task, settings.threads)
    return backend_of(task)


def load_and_try(settings: Settings) -> Backend:
    """Load the model, and have it pass its smoke test: its task's own sample, and what code/smoke.json asks.

    Raises:
        LoadError: It did not.
    """
    smokes = read_smokes(settings.model_dir)
    backend = load(settings)
    try:
        backend.warm_up()
    except Fault as fault:
        raise LoadError(f"the smoke test failed: on its task's own sample {fault}") from fault
    run_smokes(backend, smokes)
    return backend


def backend_of(task: Task) -> Backend:
    """Texts are written a token at a time, everything else is answered in one go."""
    if task.name != "text-generation":
        return TaskBackend(task)
    from .continuous import GenerationBackend
    from .generation import TextGeneration

    assert isinstance(task, TextGeneration)  # noqa: S101  # the only one of that name
    return GenerationBackend(task)


def _set_threads(task: Task, wished: int | None) -> None:
    """Give a model as many threads as help it: a tiny one is slower with two, and erratic."""
    model = getattr(task, "model", None)
    if model is None:
        return
    import torch

    size = sum(weights.numel() for weights in model.parameters())
    fitting = len(os.sched_getaffinity(0)) if size >= _LARGE and hasattr(os, "sched_getaffinity") else 1
    torch.set_num_threads(wished or fitting)


async def serve(listener: socket.socket, settings: Settings, pulse_fd: int | None) -> BaseException | None:
    """Serve until a signal, a failed start, or a model that does not come back.

    Args:
        listener: Bound, and listening.
        settings: Of the environment.
        pulse_fd: Where a supervisor reads that this event loop is alive; None where there is none.

    Returns:
        Why the process has to end; None after a signal.
    """
    started_s = time.monotonic()
    figures = Figures()
    worker = Worker(
        timeout_s=settings.timeout_s,
        give_up_s=settings.give_up_s,
        max_waiting=settings.max_waiting,
        on_batch=figures.count_batch,
    )
    doors = Doors(worker, figures, settings)
    server = _server(doors)

    def stop() -> None:
        server.should_exit = True

    def changed() -> None:
        if worker.failure is not None:
            stop()
            return
        _beat(pulse_fd, READY)
        gc.freeze()
        gc.enable()
        log("ready", took_s=round(time.monotonic() - started_s, 2), model_dir=settings.model_dir)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    worker.start(lambda: load_and_try(settings), changed)
    watcher = asyncio.create_task(worker.watch())
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    beside = (
        asyncio.create_task(doors.look_after()),
        asyncio.create_task(_keep_beating(pulse_fd, every_s=min(1.0, settings.give_up_s / 8))),
    )
    await asyncio.wait((watcher, serving), return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        watcher.result()
        log("stuck", at=worker.places())
        return Stuck(f"the model has not come back from a request for {settings.give_up_s:g} s; this process ends")
    for task in (watcher, *beside):
        task.cancel()
    await serving
    return worker.failure


def _server(doors: Doors) -> _Server:
    return _Server(
        uvicorn.Config(
            doors,
            lifespan="off",
            ws="none",
            proxy_headers=False,  # nobody asks who called: it would be found out for every request
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )


async def _keep_beating(pulse_fd: int | None, *, every_s: float) -> None:
    while pulse_fd is not None:
        _beat(pulse_fd, ALIVE)
        await asyncio.sleep(every_s)


def _beat(pulse_fd: int | None, beat: bytes) -> None:
    """Tell the supervisor, where there is one, that the event loop runs; end where there is none any more."""
    if pulse_fd is None:
        return
    with suppress(BlockingIOError):
        try:
            os.write(pulse_fd, beat)
        except BrokenPipeError:
            os._exit(1)  # nobody is left who would end this process


def run(listener: socket.socket, settings: Settings, pulse_fd: int | None = None) -> NoReturn:
    """Serve, and end the process."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    gc.disable()  # a third of the start-up would go into collecting a heap that only grows; on again once loaded
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what user code prints must be in the log when it is needed
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    # Read by OpenMP when torch or scikit-learn load it, also for threads made later.
    os.environ.setdefault("OMP_NUM_THREADS", str(settings.threads or 1))
    try:
        import uvloop

        loop = uvloop.new_event_loop()
        asyncio.set_event_loop(loop)
        failure = loop.run_until_complete(serve(listener, settings, pulse_fd))
    except Exception as error:  # noqa: BLE001  # whatever it is, the last line says it
        failure = error
    end(failure)


def end(failure: BaseException | None) -> NoReturn:
    """End the process at once: tearing down torch takes time in which nothing happens.

    Exit code 0 without a failure, 70 for a model that is stuck, else 1.
    """
    if isinstance(failure, Stuck):
        print(f"model server: {failure}", file=sys.stderr)
    elif failure is not None:
        if not isinstance(failure, LoadError | OSError) or failure.__cause__ is not None:
            traceback.print_exception(failure)
        print(f"model server: cannot start: {reason(failure)}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if failure is None else STUCK_STATUS if isinstance(failure, Stuck) else 1)


def reason(failure: BaseException) -> str:
    """Why a model could not be loaded, in one line."""
    kind = "" if isinstance(failure, LoadError) else f"{type(failure).__name__}: "
    hint = "there is not enough memory to load this model: " if is_shortage(failure) else ""
    return f"{hint}{kind}{first_line(failure)}"
