"""Answers that leave piece by piece, and callers that leave before they are whole. Called by `doors`."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from typing import Any

from .backends import Request, as_fault
from .faults import Fault
from .media import EVENTS
from .tokenstream import error_event
from .workers import Worker

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Disconnected(Exception):
    """The caller went away."""


class _Outflow:
    """Pieces on their way from the inference thread to the event loop."""

    def __init__(self) -> None:
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.is_closed = False
        self._loop = asyncio.get_running_loop()

    def emit(self, piece: bytes) -> bool:
        """Take one piece, from any thread. False once the caller has gone."""
        if not self.is_closed:
            self._loop.call_soon_threadsafe(self.pieces.put_nowait, piece)
        return not self.is_closed


Answer = asyncio.Future[tuple[bytes, str]]


class Departures:
    """Gives up the answers that nobody waits for any more.

    To watch a connection costs a task. An answer that is soon there is not watched: only what is still awaited when
    somebody calls `look` is.
    """

    def __init__(self) -> None:
        self._fresh: dict[Answer, Receive] = {}

    async def watched(self, answer: Answer, receive: Receive) -> tuple[bytes, str]:
        """Wait for an answer. Raises what it raises, and Disconnected when its caller goes away before."""
        self._fresh[answer] = receive
        try:
            return await answer
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise Disconnected from None
        finally:
            self._fresh.pop(answer, None)

    def look(self) -> None:
        """Begin to watch the callers of answers that have not come yet. To be called every now and then."""
        for answer, receive in self._fresh.items():
            watcher = asyncio.create_task(_await_departure(receive))
            watcher.add_done_callback(lambda _, answer=answer: answer.cancel())  # type: ignore[misc]
            answer.add_done_callback(lambda _, watcher=watcher: watcher.cancel())  # type: ignore[misc]
        self._fresh.clear()


async def send_stream(worker: Worker, request: Request, receive: Receive, send: Send) -> Fault | None:
    """Send an answer piece by piece, each as soon as it exists.

    Returns:
        Why the stream broke off, which the caller has been told as its last event; None when it is whole. A stream that
        broke off has no proper end either, so that whoever does not read events sees it, too.

    Raises:
        Fault: Nothing has been sent yet.
        Disconnected: The caller went away.
    """
    outflow = _Outflow()
    answer = worker.submit(replace(request, emit=outflow.emit))
    answer.add_done_callback(lambda _: outflow.pieces.put_nowait(None))
    watcher = asyncio.create_task(_await_departure(receive))
    watcher.add_done_callback(lambda _: answer.cancel())
    try:
        piece = await outflow.pieces.get()
        if piece is None and not answer.cancelled():
            answer.result()
        headers = [(b"content-type", EVENTS.encode()), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while piece is not None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            piece = await outflow.pieces.get()
        if answer.cancelled():
            raise Disconnected
        error = answer.exception()
        if error is None:
            await send({"type": "http.response.body", "body": b""})
            return None
        fault = as_fault(error if isinstance(error, Exception) else RuntimeError(repr(error)))
        await send({"type": "http.response.body", "body": error_event(str(fault)), "more_body": True})
        return fault
    finally:
        outflow.is_closed = True
        answer.cancel()
        watcher.cancel()


async def _await_departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
