"""Request bodies as they come in: whole, in time, and not more at once than there is room for. Called by `doors`."""

import asyncio
import time

from .faults import BodyLate, BodyTooLarge, Overloaded
from .outflows import Disconnected, Receive

_ROOM = 4
"""How many bodies of the largest size may be under way at once, in all."""


class Bodies:
    """Reads bodies. A body that is there at once, as most are, costs an entry in a dict."""

    def __init__(self, *, most: int, timeout_s: float) -> None:
        """*most* is the largest body in bytes; *timeout_s* what a caller may take to send one."""
        self._most = most
        self._timeout_s = timeout_s
        self._held_bytes = 0
        self._begun: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()

    async def read(self, receive: Receive, announced: bytes | None) -> bytes:
        """Read the whole body.

        Args:
            receive: ASGI's.
            announced: The Content-Length.

        Raises:
            BodyTooLarge, BodyLate: See there.
            Overloaded: Too many other bodies are under way.
            Disconnected: The sender has gone.
        """
        if announced is not None and int(announced) > self._most:
            raise BodyTooLarge(f"it is larger than {self._most} bytes", field="body")
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine runs in one
        self._begun[task] = time.monotonic()
        try:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                body: bytes = message.get("body", b"")
                return body if len(body) <= self._most else self._refuse()
            return await self._read_on(receive, message)
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            raise BodyLate(f"it was not whole after {self._timeout_s:g} s", field="body") from None
        finally:
            del self._begun[task]
            self._late.discard(task)

    async def _read_on(self, receive: Receive, message: object) -> bytes:
        """Read a body of several parts, of which *message* is the first."""
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                assert isinstance(message, dict)  # noqa: S101  # so ASGI has it
                if message["type"] == "http.disconnect":
                    raise Disconnected
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                self._held_bytes += len(parts[-1])
                if size > self._most:
                    self._refuse()
                if not message.get("more_body", False):
                    return b"".join(parts)
                if self._held_bytes > _ROOM * self._most:
                    raise Overloaded("too many large bodies are on their way here already; try again later")
                message = await receive()
        finally:
            self._held_bytes -= size

    def _refuse(self) -> bytes:
        raise BodyTooLarge(f"it is larger than {self._most} bytes", field="body")

    def look(self) -> None:
        """Stop waiting for bodies that take too long. To be called every now and then."""
        limit_s = time.monotonic() - self._timeout_s
        for task in [task for task, begun_s in self._begun.items() if begun_s < limit_s]:
            self._late.add(task)
            task.cancel()
