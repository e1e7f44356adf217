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
from contextlib import suppress
from typing import NoReturn

from .backends import Backend
from .connections import server_of
from .doors import Doors
from .events import log
from .faults import LoadError, Stuck
from .figures import NUMBERS, Figures
from .settings import Settings
from .shortages import first_line, is_shortage, trim_heap
from .siblings import MOST, Family, Pause, shared
from .starting import load_and_try, processes_for
from .workers import Worker

_GRACE_S = 10
"""Seconds that requests in flight get after SIGTERM."""

_LEAVE_S = 2.0
_LOOK_S = 0.25
_TRIM_S = 30.0

_SWITCH_INTERVAL_S = 0.001
"""How long the inference thread may keep Python from the event loop, and the other way round."""


READY, ALIVE = b"r", b"."
"""What a supervisor reads: the model is loaded and tried; the event loop runs."""

STUCK_STATUS = 70
"""The exit code when the model does not come back: EX_SOFTWARE of sysexits.h."""


async def serve(listener: socket.socket, settings: Settings, pulse_fd: int | None) -> BaseException | None:
    """Serve until a signal, a failed start, or a model that does not come back.

    Args:
        listener: Bound, and listening.
        settings: Of the environment.
        pulse_fd: Where a supervisor reads that this event loop is alive; None where there is none.

    Returns:
        Why the process has to end; None after a signal.
    """
    started_s, loop = time.monotonic(), asyncio.get_running_loop()
    one = _Process(settings, Family(settings.give_up_s), shared(MOST * NUMBERS))

    def load_and_grow() -> Backend:
        backend = load_and_try(settings)
        count = processes_for(backend, settings)
        if count > 1:
            gc.freeze()  # what is collected no more is written to no more, and stays shared
            one.family.grow(count, lambda others: live(others, backend, one), lambda: Pause(loop.call_soon_threadsafe))
        return backend

    def changed() -> None:
        if one.worker.failure is not None:
            one.stop()
            return
        _beat(pulse_fd, READY)
        gc.freeze()
        gc.enable()
        took_s = round(time.monotonic() - started_s, 2)
        log("ready", took_s=took_s, model_dir=settings.model_dir, processes=one.family.size)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, one.stop)
    one.server.accept_for(one.family, listener)
    one.worker.start(load_and_grow, changed)
    beating = asyncio.create_task(_keep_beating(pulse_fd, every_s=min(1.0, settings.give_up_s / 8)))
    failure = await one.run()
    beating.cancel()
    if failure is None:
        one.family.outlive(one.told_at_s + _GRACE_S + _LEAVE_S)
    return failure


class _Process:
    """One process that answers: its event loop's part and its model's."""

    def __init__(self, settings: Settings, family: Family, memory: "memoryview[float]") -> None:
        self.settings, self.family, self.memory = settings, family, memory
        self.told_at_s = 0.0
        self._figures = figures = Figures(memory, family.place)
        self.worker = Worker(
            timeout_s=settings.timeout_s,
            give_up_s=settings.give_up_s,
            max_waiting=settings.max_waiting,
            on_batch=figures.count_batch,
        )
        self.doors = Doors(self.worker, figures, settings, family)
        self.server = server_of(self.doors, grace_s=_GRACE_S, head_timeout_s=settings.body_timeout_s)

    def stop(self) -> None:
        """Answer what is there, and end."""
        self.told_at_s = self.told_at_s or time.monotonic()
        self.server.should_exit = True
        self.family.dismiss()

    async def run(self) -> BaseException | None:
        """Serve until somebody says stop, or the model does not come back: then why."""
        watcher = asyncio.create_task(self.worker.watch())
        serving = asyncio.create_task(self.server.serve(sockets=[]))
        beside = asyncio.create_task(self._look_after())
        await asyncio.wait((watcher, serving), return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            watcher.result()
            log("stuck", at=self.worker.places())
            return Stuck(
                f"the model has not come back from a request for {self.settings.give_up_s:g} s; this process ends"
            )
        for task in (watcher, beside):
            task.cancel()
        await serving
        return self.worker.failure

    async def _look_after(self) -> None:
        trimmed_at_s = time.monotonic()
        while True:
            if time.monotonic() - trimmed_at_s > _TRIM_S:
                await asyncio.to_thread(trim_heap)  # at a heap in many pieces it takes a quarter of a second
                trimmed_at_s = time.monotonic()
            self.family.beat(is_ready=self.worker.is_ready)
            for place in self.family.look():
                self._figures.forget_waiting(place)
            self.server.look()
            self.doors.look()
            await asyncio.sleep(_LOOK_S)


def live(others: socket.socket, backend: Backend, first: _Process) -> NoReturn:
    """Be one more process for a model that is loaded: answer on the connections that the first one hands over."""
    import uvloop

    async def serve_connections() -> BaseException | None:
        one = _Process(first.settings, first.family, first.memory)

        def try_again() -> Backend:
            backend.warm_up()
            return backend

        def changed() -> None:
            one.family.beat(is_ready=one.worker.is_ready)
            gc.enable()
            if one.worker.failure is not None:
                one.stop()

        one.server.receive_from(others, one.stop, one.family.count_end)
        one.worker.start(try_again, changed)
        return await one.run()

    try:
        loop = uvloop.new_event_loop()
        asyncio.set_event_loop(loop)
        failure = loop.run_until_complete(serve_connections())
    except Exception as error:  # noqa: BLE001  # whatever it is, the last line says it
        failure = error
    end(failure)


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
