"""The inference thread: loads the model, then drains the queue greedily into batches. Called by `serve.py`."""

import asyncio
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from .backends import Backend, Outcome, Request, as_fault
from .faults import Fault, Overloaded, TimedOut

Waiting = tuple[Request, "asyncio.Future[tuple[bytes, str]]"]


class Worker:
    """Owns the thread in which the model lives.

    Greedy: a batch is whatever waits at the moment the model is free, so that a lone caller never waits for company and
    many callers fill batches by themselves.

    A thread cannot be ended from outside. One that is stuck for *timeout_s* is late: its callers are told, and whoever
    asks meanwhile is sent away at once. It may come back by itself; after *give_up_s* the process has to go.
    """

    def __init__(
        self, *, timeout_s: float, give_up_s: float, max_waiting: int, on_batch: Callable[[int], None]
    ) -> None:
        self.backend: Backend | None = None
        self.failure: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._give_up_s = give_up_s
        self._max_waiting = max_waiting
        self._on_batch = on_batch
        self._queue: queue.SimpleQueue[Waiting] = queue.SimpleQueue()
        self._batch: Sequence[Waiting] = ()
        self._late: Sequence[Waiting] | None = None
        self._taken: Sequence[Sequence[Waiting]] = ()
        self._running: dict[int, Waiting] = {}
        self._step_items: list[int] = []
        self._batch_started_s = 0.0
        self._thread: threading.Thread | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the model is loaded, has answered its warm-up, and is not stuck."""
        return self.backend is not None and self.failure is None and not self.is_stuck

    @property
    def is_stuck(self) -> bool:
        """Whether the model is over its time at this moment."""
        return bool(self._batch) and time.monotonic() - self._batch_started_s > self._timeout_s

    @property
    def waiting(self) -> int:
        """How many requests wait for the model."""
        return self._queue.qsize()

    def start(self, load: Callable[[], Backend], on_change: Callable[[], None]) -> None:
        """Load the model in the thread; *on_change* is called on the event loop once it is loaded, or fails."""
        self._thread = threading.Thread(
            target=self._load_and_run, args=(load, on_change), daemon=True, name="inference"
        )
        self._thread.start()

    def submit(self, request: Request) -> "asyncio.Future[tuple[bytes, str]]":
        """Queue one request. Raises Overloaded."""
        if self._late is not None and self.is_stuck:
            raise self._stuck()
        if self._queue.qsize() >= self._max_waiting:
            raise Overloaded(f"{self._max_waiting} requests wait for the model already; try again later")
        future: asyncio.Future[tuple[bytes, str]] = self._loop.create_future()
        self._queue.put((request, future))
        return future

    async def watch(self) -> None:
        """Tell the callers of a batch that takes too long, and those behind it. Ends when the model is given up."""
        while True:
            await asyncio.sleep(min(1.0, self._timeout_s / 4))
            batch = self._batch
            if not batch or not self.is_stuck:
                continue
            if self._late is not batch:
                self._late = batch
                outcome = TimedOut(f"the model did not answer within {self._timeout_s:g} s")
                self._deliver([(future, outcome) for _, future in batch])
            if self._batch is batch:
                self._send_away()
                if time.monotonic() - self._batch_started_s > self._give_up_s:
                    return

    def places(self) -> list[str]:
        """Where the model is at this moment: file, line and function of the innermost frames."""
        frame = sys._current_frames().get(self._thread.ident or 0) if self._thread else None  # noqa: SLF001  # the only way
        stack = traceback.extract_stack(frame)[-4:] if frame is not None else []
        return [f"{one.filename}:{one.lineno} {one.name}" for one in stack]

    def _stuck(self) -> Overloaded:
        return Overloaded(f"the model is stuck: it has not answered for {self._timeout_s:g} s; try again in a minute")

    def _send_away(self) -> None:
        """Fail whatever waits behind the batch that is late."""
        behind = [waiting for batch in self._taken for waiting in batch]
        while not self._queue.empty():  # the other thread takes nothing: it is stuck
            behind.append(self._queue.get_nowait())
        self._deliver([(future, self._stuck()) for _, future in behind])

    def _load_and_run(self, load: Callable[[], Backend], on_change: Callable[[], None]) -> None:
        try:
            self.backend = load()
        except BaseException as error:  # noqa: BLE001  # also SystemExit from user code: the main thread must hear it
            self.failure = error
        self._loop.call_soon_threadsafe(on_change)
        if self.failure is None:
            try:
                self._run()
            except BaseException as error:  # noqa: BLE001  # above all memory that ends between two batches
                self.failure = error
                self._loop.call_soon_threadsafe(on_change)

    def _run(self) -> None:
        while True:
            self._taken = self._next_batches()
            for batch in self._taken:
                self._answer([waiting for waiting in batch if not waiting[1].done()])
            self._taken = ()
            if self._running:
                self._advance()

    def _next_batches(self) -> Sequence[Sequence[Waiting]]:
        """Take all requests that wait by now, and sort them into batches of one key.

        Waits for the first, unless something is running; leaves them where they are while that leaves no room.
        """
        assert self.backend is not None  # noqa: S101  # _run begins after loading
        taken = [] if self._running else [self._queue.get()]
        size = self.backend.running_items + sum(request.size for request, _ in taken)
        while size < self.backend.batch_items:
            try:
                one = self._queue.get_nowait()
            except queue.Empty:
                break
            taken.append(one)
            size += one[0].size
        by_key: dict[Any, list[Waiting]] = {}
        for position, waiting in enumerate(taken):
            key = waiting[0].key
            by_key.setdefault(position if key is None else (key,), []).append(waiting)
        return list(by_key.values())

    def _answer(self, batch: Sequence[Waiting]) -> None:
        assert self.backend is not None  # noqa: S101  # _run begins after loading
        if not batch:
            return
        # A batch that keeps the model too long keeps it from what is running, too.
        guarded = self._guard([*batch, *self._running.values()])
        outcomes: Sequence[Outcome | None]
        try:
            outcomes = self.backend.answer([request for request, _ in batch])
        except BaseException as error:  # noqa: BLE001  # a SystemExit in user code must not end the thread
            outcomes = [_as_any_fault(error)] * len(batch)
        if not self._is_in_time(guarded):
            return
        results = []
        for (request, future), outcome in zip(batch, outcomes, strict=True):
            if outcome is None:
                self._running[id(request)] = (request, future)
            else:
                results.append((future, outcome))
        if results:
            self._loop.call_soon_threadsafe(self._finish, results, [sum(request.size for request, _ in batch)])

    def _advance(self) -> None:
        """Let the backend go on with what is running, one step."""
        assert self.backend is not None  # noqa: S101  # _run begins after loading
        for request, future in list(self._running.values()):
            if future.done():
                self.backend.forget(request)
                del self._running[id(request)]
        guarded = self._guard(list(self._running.values()))
        finished: Sequence[tuple[Request, Outcome]]
        try:
            finished = self.backend.step()
        except BaseException as error:  # noqa: BLE001  # as above
            finished = [(request, _as_any_fault(error)) for request, _ in guarded]
            self.backend.reset()
        if not self._is_in_time(guarded):
            return
        self._step_items.append(self.backend.running_items + len(finished))
        results = [
            (waiting[1], outcome) for request, outcome in finished if (waiting := self._running.pop(id(request), None))
        ]
        if results or not self._running:
            steps, self._step_items = self._step_items, []
            self._loop.call_soon_threadsafe(self._finish, results, steps)

    def _guard(self, batch: list[Waiting]) -> list[Waiting]:
        """Put requests under the eye of `watch`."""
        self._batch_started_s = time.monotonic()
        self._batch = batch
        return batch

    def _is_in_time(self, guarded: list[Waiting]) -> bool:
        """Take requests from under that eye; when they have been told that it is too late, begin anew without them."""
        assert self.backend is not None  # noqa: S101  # _run begins after loading
        self._batch = ()
        if self._late is not guarded:
            return True
        self._late = None
        self._running = {}
        self.backend.reset()
        return False

    def _finish(self, results: Sequence[tuple["asyncio.Future[Any]", Outcome]], batches: Sequence[int]) -> None:
        for items in batches:
            self._on_batch(items)
        self._deliver(results)

    def _deliver(self, results: Sequence[tuple["asyncio.Future[Any]", Outcome]]) -> None:
        for future, outcome in results:
            if future.done():
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


def _as_any_fault(error: BaseException) -> Fault:
    return as_fault(error if isinstance(error, Exception) else RuntimeError(repr(error)))
