"""Packed bytes in, unpacked bytes out, forward only and in constant memory. Called by `contents`.

Source: RFC 1952 (gzip), section 2.2: a file is one or more members, one after the other.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from chalicelib.door.intakes import Intake
from chalicelib.door.kinds import Unreadable, declarer
from chalicelib.door.signatures import looks_like
from chalicelib.reports import Severity

try:
    from isal import isal_zlib
except ImportError:
    isal_zlib = None  # type: ignore[assignment]  # as told below

_declare = declarer("The archive as a file")
EMPTY = _declare(
    "archive-empty",
    Severity.ERROR,
    "The dropped file has no bytes.",
    "Upload the archive again; the upload was cut short.",
)
NOT_GZIP = _declare(
    "archive-not-gzip",
    Severity.ERROR,
    "The file is no gzip file; the message says what it looks like.",
    "Pack the model's folder with `tar -czf model.tar.gz -C FOLDER .`.",
)
TRUNCATED = _declare(
    "archive-truncated",
    Severity.ERROR,
    "The gzip stream ends before its end.",
    "Pack and upload the archive again, and compare its size with the one on your disk.",
)
DAMAGED = _declare(
    "archive-damaged",
    Severity.ERROR,
    "The compressed data or its checksum (CRC-32, length) is wrong.",
    "Check the archive with `gzip -t model.tar.gz`, then pack and upload it again.",
)
TRAILING = _declare(
    "archive-trailing-data",
    Severity.ERROR,
    "Something that is no gzip member follows the gzip stream; readers disagree on what to do with it.",
    "Pack the archive again; nothing may be appended to it.",
)
FRAGMENTED = _declare(
    "archive-fragmented",
    Severity.ERROR,
    "The gzip stream is cut into a huge number of nearly empty members.",
    "Pack the archive again with `tar -czf`, pigz or bgzip.",
)
TOO_LARGE = _declare(
    "archive-too-large",
    Severity.ERROR,
    "Unpacked, the archive is larger than the largest volume SageMaker gives an instance.",
    "Leave out what serving does not need.",
)
BOMB = _declare(
    "archive-bomb",
    Severity.ERROR,
    "The archive unpacks to far more bytes than any model's would; reading stopped at once.",
    "Pack only the model; real weights hardly compress.",
)

_PIECE_BYTES = 1 << 20
_GZIP_FIRST_BYTE, _GZIP_MAGIC = b"\x1f", b"\x1f\x8b"
_FLAGS_AT, _RESERVED_FLAGS = 3, 0xE0
_MEMBERS_FREE = 10_000
_MEMBER_MIN_BYTES = 64


@dataclass(frozen=True)
class Limits:
    """How much an archive may ask of us and of the instance.

    Attributes:
        unpacked_max_bytes: 512 GiB, the largest VolumeSizeInGB of a SageMaker variant.
        ratio_max: Unpacked over packed bytes of the whole; weights are near 1, text rarely above 10.
        ratio_free_bytes: Unpacked bytes below which no ratio is a danger.
        members_max: Files, folders and all else together.

    Source: botocore's service model, sagemaker/2017-07-24 (ProductionVariantVolumeSizeInGB).
    """

    unpacked_max_bytes: int = 512 << 30
    ratio_max: float = 20.0
    ratio_free_bytes: int = 256 << 20
    members_max: int = 10_000


class Inflater(Protocol):
    """What we need of a decompressor: zlib's decompressobj has it, and ISA-L's binding has the same."""

    @property
    def eof(self) -> bool:
        """Whether the gzip member has ended, its checksum verified."""

    @property
    def unused_data(self) -> bytes:
        """Packed bytes after the member's end."""

    @property
    def unconsumed_tail(self) -> bytes:
        """Packed bytes not looked at yet, for want of room."""

    def decompress(self, data: bytes | memoryview, max_length: int = 0, /) -> bytes:
        """Unpack up to *max_length* bytes. Raises one of DAMAGE."""


def zlib_inflater() -> Inflater:
    """Make the standard library's decompressor, told to read and verify the gzip wrapper itself."""
    return zlib.decompressobj(wbits=31)


def _isal_inflater() -> Inflater:
    inflater: Inflater = isal_zlib.decompressobj(wbits=31)
    return inflater


# ISA-L, three times as fast, where it is installed: on laptops. Lambda's bundle carries nothing compiled.
fastest_inflater: Callable[[], Inflater] = zlib_inflater if isal_zlib is None else _isal_inflater
DAMAGE: tuple[Any, ...] = (zlib.error,) if isal_zlib is None else (zlib.error, isal_zlib.error)
"""What the decompressors raise for data that is none of theirs."""


def inflated(intake: Intake, new_inflater: Callable[[], Inflater] = fastest_inflater) -> Iterator[bytes]:
    """Yield what a gzip stream of one or many members unpacks to, in pieces of up to 1 MiB.

    Raises:
        Unreadable: The stream is not gzip, is cut short, or is damaged.
    """
    inflater: Inflater | None = None
    members, unpacked_bytes, is_fresh = 0, 0, False
    for feed in intake.feeds():
        data: bytes | memoryview = feed
        while data:
            if inflater is None:
                if members:
                    intake.is_padded |= bytes(data[:1]) == b"\0"
                    data = bytes(data).lstrip(b"\0")  # tapes and disks pad with zeros; gzip itself ignores them too
                    if not data:
                        break
                _expect_member(intake, data, members)
                inflater, is_fresh = new_inflater(), True
            try:
                piece = inflater.decompress(data, _PIECE_BYTES)
            except DAMAGE as exc:
                raise _wrong(intake, members, is_fresh=is_fresh, reason=str(exc)) from exc
            if piece:
                is_fresh = False
                unpacked_bytes += len(piece)
                yield piece
            if inflater.eof:
                data, inflater, members = inflater.unused_data, None, members + 1
                intake.members = members
                if members > _MEMBERS_FREE and unpacked_bytes < members * _MEMBER_MIN_BYTES:
                    raise Unreadable(
                        FRAGMENTED, f"the first {members:,} gzip members hold {unpacked_bytes:,} bytes in all"
                    )
            else:
                data = inflater.unconsumed_tail
    if inflater is not None:
        yield from iter(lambda: inflater.decompress(b"", _PIECE_BYTES), b"")
        raise Unreadable(TRUNCATED, f"the gzip stream breaks off after {intake.packed_bytes:,} bytes")
    if not members:
        raise Unreadable(EMPTY, "the file is empty")


def _expect_member(intake: Intake, data: bytes | memoryview, members: int) -> None:
    if bytes(data[:1]) == _GZIP_FIRST_BYTE:
        # ISA-L looks over them, zlib does not.
        if len(data) > _FLAGS_AT and data[_FLAGS_AT] & _RESERVED_FLAGS and bytes(data[:2]) == _GZIP_MAGIC:
            raise Unreadable(DAMAGED, "a gzip header has flags that mean nothing")
        return
    if members:
        raise Unreadable(TRAILING, f"something that is not gzip follows after gzip member {members:,}")
    raise not_gzip(intake)


def _wrong(intake: Intake, members: int, *, is_fresh: bool, reason: str) -> Unreadable:
    reason = reason.rpartition(": ")[2]
    if is_fresh and ("header" in reason or "wrapper" in reason):
        if not members and not intake.head.startswith(_GZIP_MAGIC):
            return not_gzip(intake)
        if not members:
            return Unreadable(DAMAGED, f"the gzip header is damaged ({reason})")
        return Unreadable(TRAILING, f"something that is not gzip follows after gzip member {members:,}")
    return Unreadable(
        DAMAGED, f"the compressed data is damaged within the first {intake.packed_bytes:,} bytes ({reason})"
    )


def not_gzip(intake: Intake) -> Unreadable:
    """Say what the file is instead of gzip."""
    likeness = looks_like(intake.head)
    return Unreadable(NOT_GZIP, f"the file is not gzip: it looks like {likeness.what}", fix=likeness.fix)


class Unpacked:
    """The unpacked bytes, read forward; watches how many there are."""

    def __init__(self, intake: Intake, limits: Limits, new_inflater: Callable[[], Inflater] = fastest_inflater) -> None:
        self._intake = intake
        self._limits = limits
        self._pieces = inflated(intake, new_inflater)
        self._piece = memoryview(b"")
        self.unpacked_bytes = 0

    def some(self, size: int) -> memoryview:
        """Give 1 to *size* bytes, whatever is at hand; none only at the end."""
        while not self._piece:
            if (piece := next(self._pieces, None)) is None:
                return self._piece
            self._watch(len(piece))
            self._piece = memoryview(piece)
        given, self._piece = self._piece[:size], self._piece[size:]
        return given

    def take(self, size: int) -> bytes:
        """Give exactly *size* bytes; fewer only at the end."""
        first = self.some(size)
        if len(first) == size or not first:
            return bytes(first)
        parts, missing = [first], size - len(first)
        while missing and (part := self.some(missing)):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def skip(self, size: int) -> bool:
        """Pass over *size* bytes; False when the end came first."""
        while size and (passed := self.some(size)):
            size -= len(passed)
        return not size

    def _watch(self, count: int) -> None:
        self.unpacked_bytes += count
        limits, packed_bytes = self._limits, self._intake.packed_bytes
        if self.unpacked_bytes > limits.unpacked_max_bytes:
            raise Unreadable(TOO_LARGE, f"the archive unpacks to more than {limits.unpacked_max_bytes >> 30:,} GiB")
        if self.unpacked_bytes > max(limits.ratio_free_bytes, limits.ratio_max * packed_bytes):
            ratio = self.unpacked_bytes / packed_bytes
            raise Unreadable(
                BOMB,
                f"the first {packed_bytes:,} bytes unpack to {self.unpacked_bytes:,}, {ratio:,.0f} times as many;"
                f" {limits.ratio_max:.0f} is the most",
            )
