"""The packed bytes of one archive on their way in: read ahead, counted and hashed. Called by `streams`."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

from chalicelib.door.signatures import HEAD_BYTES
from chalicelib.ports import ByteStream

TRAILER_BYTES = 8
_READ_BYTES = 1 << 20
# Large enough that a call costs nothing beside its work; small enough that what zlib hands back at a member's end, a
# copy, costs little where members are short.
_FEED_MIN_BYTES, _FEED_MAX_BYTES = 1 << 16, 1 << 18


class Intake:
    """The packed bytes on their way in: counted and hashed.

    Attributes:
        head: The first bytes, HEAD_BYTES of them at most.
        tail: The last bytes read, TRAILER_BYTES of them at most.
        members: How many gzip members have ended.
        is_padded: Zeros follow the last of them.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._sha256 = hashlib.sha256()
        self._is_read = False
        self._coming: Future[bytes] | None = None
        self._feed_bytes = _FEED_MIN_BYTES
        self.packed_bytes = 0
        self.head = b""
        self.tail = b""
        self.members = 0
        self.is_padded = False

    @property
    def sha256(self) -> str | None:
        """Of everything, in hex; None as long as the end has not been read."""
        return self._sha256.hexdigest() if self._is_read else None

    def feeds(self) -> Iterator[memoryview]:
        """Yield everything, in small slices. Raises what the stream raises."""
        # Read and hashed one chunk ahead, in a thread of its own: neither holds Python's lock, so all that is left to
        # wait for is the unpacking.
        reader = ThreadPoolExecutor(1)
        try:
            self._coming = reader.submit(self._read)
            while chunk := self._coming.result():
                self._coming = reader.submit(self._read)
                yield from self._slices(chunk)
        finally:
            # Not waited for: an unfinished generator may be collected anywhere, in that very thread too.
            reader.shutdown(wait=False, cancel_futures=True)
        self._is_read = True

    def close(self) -> None:
        """Wait until nothing reads the stream any more; what it raises now, nobody wants to know."""
        # A cancelled future is never done for `wait`, unless its pool has still come to it: that would be for ever.
        if self._coming is not None and not self._coming.cancel():
            wait([self._coming])

    def _read(self) -> bytes:
        chunk = self._stream.read(_READ_BYTES)
        self._sha256.update(chunk)
        return chunk

    def _slices(self, chunk: bytes) -> Iterator[memoryview]:
        self.packed_bytes += len(chunk)
        if len(self.head) < HEAD_BYTES:
            self.head += chunk[: HEAD_BYTES - len(self.head)]
        self.tail = (self.tail + chunk[-TRAILER_BYTES:])[-TRAILER_BYTES:]
        view, at = memoryview(chunk), 0
        while at < len(chunk):
            members = self.members
            yield view[at : at + self._feed_bytes]
            at += self._feed_bytes
            is_short = self.members > members
            self._feed_bytes = _FEED_MIN_BYTES if is_short else min(2 * self._feed_bytes, _FEED_MAX_BYTES)
