"""The body of one HTTP request, as it comes in from the socket. Called by `loopback_http`, read by its routes."""

import io
from collections.abc import Callable
from typing import Any


class BodyTruncated(ConnectionError):
    """The client went away before it had sent the whole body: there is nobody left to answer."""


class Body(io.RawIOBase):
    """The request's body, read forward once; says "100 Continue" when first read, where the client waits for that."""

    def __init__(self, source: Any, *, length: int | None, on_first_read: Callable[[], None]) -> None:
        """*length* in bytes; None: chunked."""
        self._source = source
        self._left = length if length is not None else 0
        self._is_chunked = length is None
        self._is_ended = length == 0
        self._on_first_read: Callable[[], None] | None = on_first_read

    @property
    def is_ended(self) -> bool:
        """Whether all of it has been read."""
        return self._is_ended

    @property
    def is_started(self) -> bool:
        """Whether any of it has been asked for."""
        return self._on_first_read is None

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill some of *buffer*; 0 at the end. Raises BodyTruncated when the client went away before that."""
        if self._is_ended:
            return 0
        if self._on_first_read is not None:
            self._on_first_read()
            self._on_first_read = None
        if self._is_chunked and self._left == 0:
            self._left = self._next_chunk_size()
            if self._left == 0:
                self._is_ended = True
                return 0
        count: int = self._source.readinto(memoryview(buffer)[: self._left])
        if not count:
            raise BodyTruncated("the body ended early")
        self._left -= count
        if self._left == 0:
            if self._is_chunked:
                self._source.readline(8)
            else:
                self._is_ended = True
        return count

    def _next_chunk_size(self) -> int:
        line = self._source.readline(1024)
        try:
            size = int(line.split(b";")[0], 16)
        except ValueError:
            raise BodyTruncated("a chunk has no size") from None
        if size == 0:
            while self._source.readline(65537).strip():
                continue  # trailers of the transfer encoding: nobody here uses them
        return size

    def drain(self, at_most_bytes: int) -> None:
        """Read and drop what is left, up to a limit."""
        buffer = bytearray(1 << 16)
        while not self._is_ended and at_most_bytes > 0:
            at_most_bytes -= self.readinto(buffer)
