"""A tar read as a stream: every header seen, nothing extracted, each body passed over or read from its start.

Called by `contents`. Reads V7, ustar, PAX, GNU long names, sparse files (GNU's old format and PAX 0.0, 0.1 and 1.0) and
base-256 sizes. Python's own tarfile in stream mode hides what a door must see: it stops at a damaged header as if the
archive ended there, follows GNU's and PAX's renaming silently, and takes whatever length a long name claims.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.door import headers
from chalicelib.door.headers import BLOCK_BYTES, Extent, Header, MalformedTar
from chalicelib.door.kinds import Unreadable, declarer
from chalicelib.door.signatures import looks_like
from chalicelib.door.streams import BOMB, Limits, Unpacked
from chalicelib.reports import Severity

_declare = declarer("The tar inside")
_REPACK = "Pack the archive again, with GNU tar, bsdtar, Python's tarfile or `tarmac pack`."
NO_TAR = _declare(
    "tar-not-found",
    Severity.ERROR,
    "The gzip stream holds something other than a tar; the message says what it looks like.",
    "Pack the model's folder with `tar -czf model.tar.gz -C FOLDER .`.",
)
CUT = _declare("tar-truncated", Severity.ERROR, "The tar ends in the middle of a member.", _REPACK)
DAMAGED = _declare("tar-damaged", Severity.ERROR, "A header, PAX record or sparse map is malformed.", _REPACK)
TRAILING = _declare(
    "tar-trailing-data",
    Severity.ERROR,
    "Data follows the tar's end: most readers never see it, some do (two archives joined with `cat`, for one).",
    "Pack everything into one archive.",
)
NO_END = _declare(
    "tar-without-end",
    Severity.WARNING,
    "The two zero blocks that end a tar are missing; it may have been cut.",
    _REPACK,
)
TOO_MANY = _declare(
    "too-many-members",
    Severity.ERROR,
    "The archive has more than 10,000 members; reading stopped there.",
    "Leave out what serving does not need, such as checkpoints, logs, caches and .git.",
)

_META_MAX_BYTES = 1 << 18
_META_TOTAL_MAX_BYTES = 32 << 20
_MAP_MAX_BYTES = 1 << 18
_META_HEADERS_PER_MEMBER = 4
_GLOBAL_KEYS = re.compile(r"path|linkpath|size|hdrcharset|GNU\.sparse\..*")
"""What no global header may say: some readers heed it for every member that follows, some do not."""
_ZEROS = memoryview(bytes(1 << 16))


@dataclass(frozen=True)
class Member:
    """One member of the archive.

    Attributes:
        path: As it would be extracted, decoded as UTF-8; bytes that are none become surrogates.
        type: The tar type flag; "0" for every regular file, sparse ones included.
        size_bytes: Of the file once extracted.
        is_renamed_twice: A GNU long name and a PAX path name it differently, and readers disagree on which is right.
    """

    path: str
    type: str
    size_bytes: int
    stored_bytes: int
    extents: tuple[Extent, ...]
    is_renamed_twice: bool = False


class TarReader:
    """Iterate over the members; `read` gives the current one's first bytes."""

    def __init__(self, unpacked: Unpacked, limits: Limits) -> None:
        self._unpacked = unpacked
        self._limits = limits
        self._pending_bytes = 0
        self._prefix = bytearray()
        self._body: Iterator[bytes | memoryview] = iter(())
        self._meta_left_bytes = _META_TOTAL_MAX_BYTES
        self._headers_left = limits.members_max * _META_HEADERS_PER_MEMBER
        self.path = ""
        self.is_ended = False

    def __iter__(self) -> Iterator[Member]:
        """Yield each member.

        Raises:
            Unreadable: The tar, or the gzip stream around it, is damaged or asks too much.
        """
        count, real_bytes, hole_bytes = 0, 0, 0
        while (member := self._next()) is not None:
            count += 1
            real_bytes += member.size_bytes
            if count > self._limits.members_max:
                raise Unreadable(TOO_MANY, f"the archive has more than {self._limits.members_max:,} members")
            if real_bytes > self._limits.unpacked_max_bytes:
                raise self._damaged("the sizes in the headers add up to more than any instance can hold")
            # A hole costs nothing to pack and much to read through, or to store where files have none.
            hole_bytes += member.size_bytes - member.stored_bytes
            packed_bytes = self._unpacked.unpacked_bytes + member.stored_bytes
            if hole_bytes > max(self._limits.ratio_free_bytes, self._limits.ratio_max * packed_bytes):
                raise Unreadable(BOMB, f"sparse files claim {hole_bytes:,} bytes that are not there", path=member.path)
            self.path = member.path
            yield member
            self._pass_over()

    def read(self, limit: int) -> bytes:
        """Give the current member's bytes from its start, up to *limit*; may be called again with a greater one.

        Raises:
            Unreadable: The archive ends before the member does.
        """
        while len(self._prefix) < limit and (piece := next(self._body, None)) is not None:
            self._prefix += piece
        return bytes(self._prefix[:limit])

    def pieces(self) -> Iterator[bytes | memoryview]:
        """Yield the current member's bytes from its start, what `read` has given included; once, and forward.

        Raises:
            Unreadable: The archive ends before the member does.
        """
        yield bytes(self._prefix)
        yield from self._body

    def drain(self) -> None:
        """Read what follows the tar's end, to the end of the stream: zeros, by rights.

        Raises:
            Unreadable: Something else follows, or the gzip stream is damaged after all.
        """
        while piece := bytes(self._unpacked.some(1 << 20)):
            if piece.count(0) != len(piece):
                raise Unreadable(TRAILING, "data follows the end of the tar, where most readers never look")

    def _next(self) -> Member | None:
        renames: dict[str, bytes] = {}
        records: list[tuple[str, bytes]] | None = None
        while (header := self._header()) is not None:
            if header.type == headers.PAX_GLOBAL:
                if any(_GLOBAL_KEYS.fullmatch(key) for key, _ in self._pax(header)):
                    raise self._damaged("a global PAX header names or measures the members, which not all readers heed")
            elif header.type == headers.PAX_LOCAL:
                if records is not None:
                    raise self._damaged("two PAX headers stand before one member")
                records = self._pax(header)
            elif header.type in (headers.GNU_LONG_NAME, headers.GNU_LONG_LINK):
                if header.type in renames:
                    raise self._damaged("two long names stand before one member")
                renames[header.type] = self._meta(header).partition(b"\0")[0]
            else:
                return self._member(header, records or [], renames.get(headers.GNU_LONG_NAME))
        if renames or records is not None:
            raise self._cut()
        return None

    def _header(self) -> Header | None:
        self._headers_left -= 1
        if self._headers_left < 0:
            raise Unreadable(TOO_MANY, "the archive has more headers than its members can need")
        block = self._unpacked.take(BLOCK_BYTES)
        if not block or len(block) < BLOCK_BYTES or not block.strip(b"\0"):
            self.is_ended = len(block) == BLOCK_BYTES
            if block and not self.is_ended:
                raise self._cut() if self.path else self._no_tar(block)
            return None
        try:
            header = headers.parse_header(block)
        except MalformedTar as exc:
            if not self.path and block[257:262] != b"ustar":
                raise self._no_tar(block) from exc
            raise self._damaged(str(exc)) from exc
        return header

    def _member(self, header: Header, records: list[tuple[str, bytes]], long_name: bytes | None) -> Member:
        pax = dict(records)
        name = long_name if long_name is not None else header.name
        real_name = pax.get("GNU.sparse.name", pax.get("path"))
        if real_name == b"":
            raise self._damaged("a PAX header gives a member an empty name")
        try:
            stored_bytes = headers.parse_decimal(pax["size"]) if "size" in pax else header.stored_bytes
            if not self._has_body(header.type):
                # Old tars wrote a size here with no bytes behind it.
                stored_bytes = 0
            self._pending_bytes = stored_bytes + -stored_bytes % BLOCK_BYTES
            extents, stored_bytes, size_bytes = self._sparse(header, pax, records, stored_bytes)
            headers.check_extents(extents, stored_bytes=stored_bytes, real_bytes=size_bytes)
        except MalformedTar as exc:
            raise self._damaged(str(exc)) from exc
        member = Member(
            path=(real_name or name).decode("utf-8", "surrogateescape"),
            type="0" if header.type in headers.REGULAR or header.type == headers.GNU_SPARSE else header.type,
            size_bytes=size_bytes,
            stored_bytes=stored_bytes,
            extents=extents,
            is_renamed_twice=None not in (real_name, long_name) and real_name != long_name,
        )
        self._prefix.clear()
        self._body = self._bytes_of(member)
        return member

    @staticmethod
    def _has_body(kind: str) -> bool:
        return kind not in headers.LINKS and kind not in headers.SPECIAL and kind != headers.DIRECTORY

    def _sparse(
        self, header: Header, pax: dict[str, bytes], records: list[tuple[str, bytes]], stored_bytes: int
    ) -> tuple[tuple[Extent, ...], int, int]:
        """Give extents, bytes stored and bytes once extracted, for sparse and for whole files."""
        if header.extents is not None:
            extents, is_extended = header.extents, header.is_extended
            while is_extended:
                if len(extents) > self._limits.members_max:
                    raise MalformedTar("a sparse map has more entries than any reader would take")
                more, is_extended = headers.parse_sparse_block(self._whole(BLOCK_BYTES))
                extents += more
            return tuple(extent for extent in extents if extent[1]), stored_bytes, header.real_bytes
        is_mapped_in_data = pax.get("GNU.sparse.major") == b"1" and pax.get("GNU.sparse.minor") == b"0"
        if is_mapped_in_data and not pax.keys() & headers.PAX_SPARSE_MAP_KEYS:
            extents, map_bytes = self._map_in_data(stored_bytes)
            return extents, stored_bytes - map_bytes, headers.parse_decimal(pax.get("GNU.sparse.realsize", b""))
        if not is_mapped_in_data and (mapped := headers.pax_extents(records)) is not None:
            real_bytes = headers.parse_decimal(pax.get("GNU.sparse.size", b""))
            return tuple(extent for extent in mapped if extent[1]), stored_bytes, real_bytes
        if any(key.startswith("GNU.sparse.") for key in pax):
            raise MalformedTar("a sparse file's records are not whole, or of two formats at once")
        return (((0, stored_bytes),) if stored_bytes else ()), stored_bytes, stored_bytes

    def _map_in_data(self, stored_bytes: int) -> tuple[tuple[Extent, ...], int]:
        """Read the map that PAX sparse format 1.0 keeps in front of the data: decimal numbers, one a line."""
        raw, lines, wanted = bytearray(), 0, 1
        while lines < wanted:
            if len(raw) >= min(stored_bytes, _MAP_MAX_BYTES):
                raise MalformedTar("a sparse map has no end")
            raw += self._whole(BLOCK_BYTES)
            self._pending_bytes -= BLOCK_BYTES
            lines += raw.count(b"\n", len(raw) - BLOCK_BYTES)
            wanted = 1 + 2 * headers.parse_decimal(bytes(raw[: raw.index(b"\n")])) if lines else 1
            if wanted > 1 + 2 * self._limits.members_max:
                raise MalformedTar("a sparse map has more entries than any reader would take")
        numbers = [headers.parse_decimal(line) for line in bytes(raw).split(b"\n", wanted)[1:wanted]]
        return tuple(pair for pair in zip(numbers[::2], numbers[1::2], strict=True) if pair[1]), len(raw)

    def _bytes_of(self, member: Member) -> Iterator[bytes | memoryview]:
        position = 0
        for offset, size in (*member.extents, (member.size_bytes, 0)):
            while position < offset:
                piece: bytes | memoryview = _ZEROS[: offset - position]
                position += len(piece)
                yield piece
            end = offset + size
            while position < end:
                piece = self._unpacked.some(end - position)
                if not piece:
                    raise self._cut()
                self._pending_bytes -= len(piece)
                position += len(piece)
                yield piece

    def _pass_over(self) -> None:
        if not self._unpacked.skip(self._pending_bytes):
            raise self._cut()
        self._pending_bytes = 0

    def _pax(self, header: Header) -> list[tuple[str, bytes]]:
        try:
            return headers.parse_pax(self._meta(header))
        except MalformedTar as exc:
            raise self._damaged(str(exc)) from exc

    def _meta(self, header: Header) -> bytes:
        size = header.stored_bytes
        self._meta_left_bytes -= size
        if size > _META_MAX_BYTES or self._meta_left_bytes < 0:
            raise self._damaged(f"a header claims a name or record of {size:,} bytes")
        return self._whole(size + -size % BLOCK_BYTES)[:size]

    def _whole(self, size: int) -> bytes:
        data = self._unpacked.take(size)
        if len(data) < size:
            raise self._cut()
        return data

    def _cut(self) -> Unreadable:
        return Unreadable(CUT, "the tar breaks off in the middle of a member", path=self.path or None)

    def _damaged(self, reason: str) -> Unreadable:
        where = f"after {self.path!r}" if self.path else "at its start"
        return Unreadable(DAMAGED, f"the tar is damaged {where}: {reason}")

    def _no_tar(self, block: bytes) -> Unreadable:
        likeness = looks_like(block)
        return Unreadable(NO_TAR, f"the gzip stream holds no tar: it looks like {likeness.what}", fix=likeness.fix)
