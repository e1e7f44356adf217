"""Bytes of one member read forward in small and large steps, never kept. Called by `opcodes`, `zips` and `pickles`."""

from collections.abc import Iterator


class EndOfTape(Exception):
    """The bytes ended in the middle of something."""


class Tape:
    """A forward reader over pieces. *at* counts the bytes read so far."""

    def __init__(self, pieces: Iterator[bytes | memoryview]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")
        self._next = 0
        self._before = 0

    @property
    def at(self) -> int:
        """How many bytes have been read."""
        return self._before + self._next

    def _turn(self) -> bool:
        """Go on to the next piece; False at the end."""
        for piece in self._pieces:
            if piece:
                self._before += len(self._piece)
                self._piece, self._next = memoryview(piece), 0
                return True
        return False

    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return self._next == len(self._piece) and not self._turn()

    def byte(self) -> int:
        """Give the next byte. Raises EndOfTape."""
        at = self._next
        if at == len(self._piece):
            if not self._turn():
                raise EndOfTape
            at = 0
        self._next = at + 1
        return self._piece[at]

    def some(self, limit: int) -> memoryview:
        """Give 1 to *limit* bytes, whatever is at hand; none only at the end."""
        if self.is_at_end():
            return memoryview(b"")
        given = self._piece[self._next : self._next + limit]
        self._next += len(given)
        return given

    def take(self, size: int) -> bytes:
        """Give exactly *size* bytes; the caller bounds it. Raises EndOfTape."""
        parts = []
        while size:
            part = self.some(size)
            if not part:
                raise EndOfTape
            parts.append(bytes(part))
            size -= len(part)
        return b"".join(parts)

    def number(self, size: int) -> int:
        """Read a little-endian unsigned number of *size* bytes. Raises EndOfTape."""
        return int.from_bytes(self.take(size), "little")

    def skip(self, size: int) -> None:
        """Pass over *size* bytes. Raises EndOfTape."""
        while size:
            part = self.some(size)
            if not part:
                raise EndOfTape
            size -= len(part)

    def line(self, keep_bytes: int) -> bytes | None:
        """Read to the next newline, and give the line without it; None when it is longer than *keep_bytes*.

        Raises:
            EndOfTape: There is no newline.
        """
        kept = bytearray()
        while True:
            part = bytes(self.some(1 << 16))
            if not part:
                raise EndOfTape
            end = part.find(b"\n")
            if end >= 0:
                self._next -= len(part) - end - 1
                part = part[:end]
            if len(kept) <= keep_bytes:
                kept += part[: keep_bytes + 1]
            if end >= 0:
                return bytes(kept) if len(kept) <= keep_bytes else None

    def peek(self, size: int) -> bytes:
        """Look at up to *size* bytes without reading them."""
        if self.is_at_end():
            return b""
        while len(self._piece) - self._next < size:
            rest, at = bytes(self._piece[self._next :]), self.at
            more = next((bytes(piece) for piece in self._pieces if piece), b"")
            if not more:
                return rest
            self._before, self._piece, self._next = at, memoryview(rest + more), 0
        return bytes(self._piece[self._next : self._next + size])

    def window(self, limit: int) -> bytes:
        """Look at what is at hand, 1 to *limit* bytes, without reading it; none only at the end."""
        if self.is_at_end():
            return b""
        return bytes(self._piece[self._next : self._next + limit])

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the next *size* bytes in pieces. Raises EndOfTape."""
        while size:
            part = self.some(size)
            if not part:
                raise EndOfTape
            size -= len(part)
            yield part
