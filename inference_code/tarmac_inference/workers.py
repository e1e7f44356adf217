"""The inference thread: loads the model, then drains the queue greedily into batches. Called by `serve.py`."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from .backends import Backend, Outcome, Request, as_fault
from .faults import Overloaded, TimedOut

Waiting = tuple[Request, "asyncio.Future[tuple[bytes, str]]"]


class Worker:
    """Owns the thread in which the model lives.

    Greedy: a batch is whatever waits at the moment the model is free, so that a lone caller never waits for company and
    many callers fill batches by themselves.
    """

    def __init__(self, *, timeout_s: float, max_waiting: int, on_batch: Callable[[int], None]) -> None:
        self.backend: Backend | None = None
        self.failure: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._max_waiting = max_waiting
        self._on_batch = on_batch
        self._queue: queue.SimpleQueue[Waiting] = queue.SimpleQueue()
        self._batch: Sequence[Waiting] = ()
        self._batch_started_s = 0.0
        self._thread: threading.Thread | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the model is loaded, has answered its warm-up, and is not stuck."""
        return self.backend is not None and not self._is_late()

    @property
    def waiting(self) -> int:
        """How many requests wait for the model."""
        return self._queue.qsize()

    def start(self, load: Callable[[], Backend], on_loaded: Callable[[], None]) -> None:
        """Load the model in the thread; *on_loaded* is called on the event loop, also when loading failed."""
        self._thread = threading.Thread(
            target=self._load_and_run, args=(load, on_loaded), daemon=True, name="inference"
        )
        self._thread.start()

    def submit(self, request: Request) -> "asyncio.Future[tuple[bytes, str]]":
        """Queue one request. Raises Overloaded."""
        if self._queue.qsize() >= self._max_waiting:
            raise Overloaded(f"{self._max_waiting} requests wait for the model already; try again later")
        future: asyncio.Future[tuple[bytes, str]] = self._loop.create_future()
        self._queue.put((request, future))
        return future

    async def watch(self) -> None:
        """Tell the callers of a batch that takes too long, and give the queue to a new thread. Runs for ever.

        A thread cannot be ended from outside. The stuck one goes by itself as soon as the model lets it.
        """
        while True:
            await asyncio.sleep(min(1.0, self._timeout_s / 4))
            if self._is_late():
                batch, self._batch = self._batch, ()
                outcome = TimedOut(f"the model did not answer within {self._timeout_s:g} s")
                self._deliver([(future, outcome) for _, future in batch])
                self._thread = threading.Thread(target=self._run, daemon=True, name="inference")
                self._thread.start()

    def _is_late(self) -> bool:
        return bool(self._batch) and time.monotonic() - self._batch_started_s > self._timeout_s

    def _load_and_run(self, load: Callable[[], Backend], on_loaded: Callable[[], None]) -> None:
        try:
            backend = load()
            backend.warm_up()
            self.backend = backend
        except BaseException as error:  # noqa: BLE001  # also SystemExit from user code: the main thread must hear it
            self.failure = error
        self._loop.call_soon_threadsafe(on_loaded)
        if self.failure is None:
            self._run()

    def _run(self) -> None:
        me = threading.current_thread()
        while self._thread is me:
            for batch in self._next_batches():
                self._answer(batch)

    def _next_batches(self) -> Sequence[Sequence[Waiting]]:
        """Wait for one request, take all that wait by then, and sort them into batches of one key."""
        assert self.backend is not None  # noqa: S101  # _run begins after loading
        taken = [self._queue.get()]
        size = taken[0][0].size
        while size < self.backend.batch_items:
            try:
                one = self._queue.get_nowait()
            except queue.Empty:
                break
            taken.append(one)
            size += one[0].size
        by_key: dict[Any, list[Waiting]] = {}
        for position, waiting in enumerate(taken):
            request, future = waiting
            if not future.cancelled():
                by_key.setdefault(position if request.key is None else (request.key,), []).append(waiting)
        return list(by_key.values())

    def _answer(self, batch: Sequence[Waiting]) -> None:
        assert self.backend is not None  # noqa: S101  # _run begins after loading
        self._batch_started_s = time.monotonic()
        self._batch = batch
        requests = [request for request, _ in batch]
        try:
            outcomes = self.backend.answer(requests)
        except BaseException as error:  # noqa: BLE001  # a SystemExit in user code must not end the thread
            fault = as_fault(error if isinstance(error, Exception) else RuntimeError(repr(error)))
            outcomes = [fault] * len(batch)
        if self._batch is batch:
            self._batch = ()
            results = [(future, outcome) for (_, future), outcome in zip(batch, outcomes, strict=True)]
            self._loop.call_soon_threadsafe(self._finish, results, sum(request.size for request in requests))

    def _finish(self, results: Sequence[tuple["asyncio.Future[Any]", Outcome]], items: int) -> None:
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
