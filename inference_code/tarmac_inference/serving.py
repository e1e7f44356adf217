"""Start-up and end of the model server: socket, signals, event loop, inference thread. Called by `serve.py`."""

import argparse
import asyncio
import gc
import io
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import uvicorn

from .backends import Backend, TaskBackend, first_line
from .doors import Doors
from .events import log
from .faults import Fault, LoadError
from .figures import Figures
from .settings import Settings
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


async def serve(listener: socket.socket, settings: Settings) -> BaseException | None:
    """Serve until a signal or a failed start. Returns why the start failed; None after a signal."""
    started_s = time.monotonic()
    figures = Figures()
    worker = Worker(timeout_s=settings.timeout_s, max_waiting=settings.max_waiting, on_batch=figures.count_batch)
    server = _Server(
        uvicorn.Config(
            Doors(worker, figures, settings),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )

    def stop() -> None:
        server.should_exit = True

    def loaded() -> None:
        if worker.failure is not None:
            stop()
            return
        gc.freeze()
        gc.enable()
        log("ready", took_s=round(time.monotonic() - started_s, 2), model_dir=settings.model_dir)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    worker.start(lambda: load_and_try(settings), loaded)
    watcher = asyncio.create_task(worker.watch())
    await server.serve(sockets=[listener])
    watcher.cancel()
    return worker.failure


def listen(host: str, port: int, fd: int | None) -> socket.socket:
    """Open the listening socket, or take over the one that was inherited."""
    if fd is not None:
        return socket.socket(fileno=fd)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse the command line, serve, and end the process."""
    parser = argparse.ArgumentParser(prog="serve.py", description="serve the model in SM_MODEL_DIR")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")))
    parser.add_argument("--fd", type=int, help="an inherited socket that listens already")
    options = parser.parse_args(arguments)
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    gc.disable()  # a third of the start-up would go into collecting a heap that only grows; on again once loaded
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what user code prints must be in the log when it is needed
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        settings = Settings.read()
        # Read by OpenMP when torch or scikit-learn load it, also for threads made later.
        os.environ.setdefault("OMP_NUM_THREADS", str(settings.threads or 1))
        failure = _run(listen(options.host, options.port, options.fd), settings)
    except (LoadError, OSError) as error:
        failure = error
    _end(failure)


def _run(listener: socket.socket, settings: Settings) -> BaseException | None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        failure: BaseException | None = runner.run(serve(listener, settings))
    return failure


def _end(failure: BaseException | None) -> NoReturn:
    """End the process at once: tearing down torch takes time in which nothing happens."""
    if failure is not None:
        if not isinstance(failure, LoadError | OSError):
            traceback.print_exception(failure)
        kind = "" if isinstance(failure, LoadError) else f"{type(failure).__name__}: "
        print(f"model server: cannot start: {kind}{first_line(failure)}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if failure is None else 1)


if __name__ == "__main__":
    main()
