"""A large object read forward by several connections at once. Called by `buckets`.

One connection to S3 gives some 90 MB/s; a Lambda and an instance can take several times that. Ranges are fetched ahead,
a few at a time, so memory stays at their number times their size.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

RANGE_BYTES = 4 << 20
AT_ONCE = 4


class RangeReader:
    """Reads like a file, forward. See ports.ByteStream."""

    def __init__(self, fetch: Callable[[int, int], bytes], size_bytes: int) -> None:
        """Read what *fetch* gives of each [start, end), up to *size_bytes*. What it raises, `read` raises."""
        self._fetch, self._size_bytes = fetch, size_bytes
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._coming: deque[Future[bytes]] = deque()
        self._asked_bytes = 0
        self._rest = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Give 1 to *size* bytes, whatever has come; b"" only at the end. Without *size*, all that is left."""
        if size < 0:
            return b"".join(iter(lambda: self.read(RANGE_BYTES), b""))
        self._ask()
        if not self._rest:
            if not self._coming:
                return b""
            self._rest = memoryview(self._coming.popleft().result())
            self._ask()
        given, self._rest = self._rest[:size], self._rest[size:]
        return bytes(given)

    def close(self) -> None:
        """Ask for no more; what is on its way is let go."""
        self._asked_bytes = self._size_bytes
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._coming.clear()
        self._rest = memoryview(b"")

    def _ask(self) -> None:
        while self._asked_bytes < self._size_bytes and len(self._coming) < AT_ONCE:
            start = self._asked_bytes
            self._asked_bytes = min(start + RANGE_BYTES, self._size_bytes)
            self._coming.append(self._pool.submit(self._fetch, start, self._asked_bytes))
