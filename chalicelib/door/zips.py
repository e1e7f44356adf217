"""A zip file read as a stream: each member as it comes, its bytes never kept. Called by `pickles`, for PyTorch's files.

Readers go by the directory at the end, a stream goes by what stands before each member: a zip in which the two differ
hides something from one of them, so it is Unfollowed.

Source: APPNOTE.TXT 6.3.10, 4.3.6 to 4.3.16.
"""

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chalicelib.door.machines import Budget
from chalicelib.door.tapes import Tape
from chalicelib.door.values import Unfollowed

_LOCAL, _CENTRAL, _DESCRIPTOR = b"PK\x03\x04", b"PK\x01\x02", b"PK\x07\x08"
_END, _END_64, _LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_STORED, _DEFLATED = 0, 8
_IS_ENCRYPTED, _HAS_DESCRIPTOR = 0x1, 0x8
_NAME_MAX_BYTES = 4096
_MEMBERS_MAX = 200_000
_UNKNOWN_32 = 0xFFFFFFFF
_DESCRIPTOR_MAX_BYTES = 28
"""With what follows it, by which it is told from data that looks like one."""
_LOOKALIKES_MAX = 10_000
_DESCRIPTOR_AHEAD = re.compile(re.escape(_DESCRIPTOR))  # in weights 1.6 times as fast as bytes.find


@dataclass(frozen=True)
class _Entry:
    name: bytes
    flags: int
    method: int
    packed_bytes: int
    extra: bytes
    offset: int


def zip_members(tape: Tape, budget: Budget, storages: Mapping[str, int]) -> Iterator[tuple[str, Tape]]:
    """Yield each member's name and bytes, unpacked; what the caller leaves unread is passed over.

    *storages* says how many bytes of `data/KEY` are expected, as the pickle in front of them does. It saves looking for
    the end of those whose size stands only behind them, and may be wrong: the directory at the end has the last word.

    Raises:
        Unfollowed: It is damaged, encrypted, packed in another way than stored or deflated, or its directory at the end
            is not what stood before the members.
        EndOfTape: It breaks off.
    """
    seen, count = hashlib.sha256(), 0
    while tape.peek(4) == _LOCAL:
        count += 1
        if count > _MEMBERS_MAX:
            raise Unfollowed(f"the zip has more than {_MEMBERS_MAX:,} members")
        entry = _local(tape)
        counter = [0]
        name = entry.name.decode("utf-8", "replace")
        folder, _, key = name.rpartition("/")
        expected_bytes = storages.get(key, 0) if folder.endswith("data") else 0
        member = Tape(_body(tape, entry, counter, budget, expected_bytes))
        yield name, member
        while member.some(1 << 20):
            pass
        seen.update(_seal(entry.name, entry.method, counter[0], entry.offset))
    _check_directory(tape, seen.digest(), count)


def _seal(name: bytes, method: int, packed_bytes: int, offset: int) -> bytes:
    return struct.pack("<IHQQ", len(name), method, packed_bytes, offset) + name


def _local(tape: Tape) -> _Entry:
    offset = tape.at
    raw = tape.take(30)
    flags, method, packed, unpacked, name_bytes, extra_bytes = struct.unpack("<4x2xHH4x4xIIHH", raw)
    if flags & _IS_ENCRYPTED or method not in (_STORED, _DEFLATED):
        raise Unfollowed("a member of the zip is encrypted, or packed in an unusual way")
    if name_bytes > _NAME_MAX_BYTES:
        raise Unfollowed("a name in the zip is too long")
    name, extra = tape.take(name_bytes), tape.take(extra_bytes)
    if _UNKNOWN_32 in (packed, unpacked):
        packed = _zip64_sizes(extra, packed, unpacked)
    return _Entry(name, flags, method, packed, extra, offset)


def _zip64_sizes(extra: bytes, packed: int, unpacked: int) -> int:
    """Read the packed size from the zip64 field, which holds only those that the header leaves unknown."""
    field = _zip64_field(extra)
    at = 8 if unpacked == _UNKNOWN_32 else 0
    if packed != _UNKNOWN_32:
        return packed
    if len(field) < at + 8:
        raise Unfollowed("a size in the zip is missing")
    return int.from_bytes(field[at : at + 8], "little")


def _zip64_field(extra: bytes) -> bytes:
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == 1:
            return extra[4 : 4 + size]
        extra = extra[4 + size :]
    return b""


def _body(
    tape: Tape, entry: _Entry, counter: list[int], budget: Budget, expected_bytes: int
) -> Iterator[bytes | memoryview]:
    """Yield a member's bytes, unpacked; *counter* ends up with how many it has packed."""
    has_descriptor = bool(entry.flags & _HAS_DESCRIPTOR)
    if entry.method == _DEFLATED:
        yield from _inflated(tape, counter, budget)
        if not has_descriptor and counter[0] != entry.packed_bytes:
            raise Unfollowed("a member of the zip is not as long as it says")
        if has_descriptor:
            _pass_descriptor(tape, counter[0])
    elif has_descriptor and not entry.packed_bytes:
        yield from tape.pieces(expected_bytes)
        yield from _to_descriptor(tape, counter, expected_bytes)
    else:
        counter[0] = entry.packed_bytes
        yield from tape.pieces(entry.packed_bytes)
        if has_descriptor:
            _pass_descriptor(tape, entry.packed_bytes)


def _inflated(tape: Tape, counter: list[int], budget: Budget) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-15)
    started_at = tape.at
    while not inflater.eof:
        feed = tape.peek(1)
        if not feed:
            raise Unfollowed("a member of the zip breaks off")
        try:
            data: bytes = tape.window(1 << 16)
            piece = inflater.decompress(data, 1 << 20)
        except zlib.error as exc:
            raise Unfollowed("a member of the zip is damaged") from exc
        # At the end, what is left over may stand in both.
        left = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        tape.skip(len(data) - len(left))
        budget.unpack(packed_bytes=len(data) - len(left), unpacked_bytes=len(piece))
        if piece:
            yield piece
    counter[0] = tape.at - started_at


def _to_descriptor(tape: Tape, counter: list[int], size: int) -> Iterator[bytes]:
    """Yield the rest of a stored member, *size* bytes of it passed, up to a descriptor that says just what was passed.

    Its checksum is not compared: that two readers see the same members is for the directory to prove, and it does.
    """
    lookalikes = 0
    while True:
        window = tape.window(1 << 20)
        if len(window) < _DESCRIPTOR_MAX_BYTES:
            window = tape.peek(_DESCRIPTOR_MAX_BYTES)
        if len(window) < 16:
            raise Unfollowed("a member of the zip has no end")
        at = _next_descriptor(window, 0)
        # One near the window's end is looked at again when more of what follows it is there.
        while at == 0 or 0 < at <= len(window) - _DESCRIPTOR_MAX_BYTES:
            if _descriptor_bytes(window[at : at + _DESCRIPTOR_MAX_BYTES], size + at):
                yield window[:at]
                tape.skip(at)
                counter[0] = size + at
                _pass_descriptor(tape, counter[0])
                return
            lookalikes += 1
            if lookalikes > _LOOKALIKES_MAX:
                raise Unfollowed("a member of the zip is full of what looks like its end")
            at = _next_descriptor(window, at + 1)
        cut = at if at > 0 else len(window) - 3
        size += cut
        yield window[:cut]
        tape.skip(cut)


def _next_descriptor(window: bytes, start: int) -> int:
    match = _DESCRIPTOR_AHEAD.search(window, start)
    return -1 if match is None else match.start()


def _descriptor_bytes(raw: bytes, size: int) -> int:
    """Tell how long the descriptor of a member of *size* bytes is; 0 when *raw* is none of it.

    There are two forms, and where sizes are small both may be read: the one that a header or the directory follows.
    """
    if raw[:4] == _DESCRIPTOR:
        for width in (4, 8):
            length = 8 + 2 * width
            says = int.from_bytes(raw[8 : 8 + width], "little")
            if says == size and raw[length : length + 4] in (_LOCAL, _CENTRAL):
                return length
    return 0


def _pass_descriptor(tape: Tape, packed_bytes: int) -> None:
    length = _descriptor_bytes(tape.peek(28), packed_bytes)
    if not length:
        raise Unfollowed("a member of the zip is not as long as its descriptor says")
    tape.skip(length)


def _check_directory(tape: Tape, expected: bytes, count: int) -> None:
    seen, listed, started_at = hashlib.sha256(), 0, tape.at
    while tape.peek(4) == _CENTRAL:
        listed += 1
        raw = tape.take(46)
        method, packed, unpacked, names, extras, comments, offset = struct.unpack("<10xH8xIIHHH8xI", raw)
        if names > _NAME_MAX_BYTES:
            raise Unfollowed("a name in the zip is too long")
        name, extra = tape.take(names), tape.take(extras)
        tape.skip(comments)
        packed, offset = _zip64_of_directory(extra, packed, unpacked, offset)
        seen.update(_seal(name, method, packed, offset))
    if listed != count or seen.digest() != expected or not count:
        raise Unfollowed("the zip's directory does not list what is in it")
    directory_bytes = tape.at - started_at
    if tape.peek(4) == _END_64:
        tape.skip(4)
        tape.skip(tape.number(8))
    if tape.peek(4) == _LOCATOR_64:
        tape.skip(20)
    raw = tape.take(22)
    entries, size, offset, comment_bytes = struct.unpack("<10xHIIH", raw)
    if raw[:4] != _END or entries not in (count, 0xFFFF) or comment_bytes:
        raise Unfollowed("the zip does not end as it should")
    if size not in (directory_bytes, _UNKNOWN_32) or offset not in (started_at, _UNKNOWN_32) or not tape.is_at_end():
        raise Unfollowed("the zip's end does not say where its directory is")


def _zip64_of_directory(extra: bytes, packed: int, unpacked: int, offset: int) -> tuple[int, int]:
    field = iter(struct.iter_unpack("<Q", _zip64_field(extra)[: len(_zip64_field(extra)) // 8 * 8]))
    try:
        if unpacked == _UNKNOWN_32:
            next(field)
        packed = next(field)[0] if packed == _UNKNOWN_32 else packed
        offset = next(field)[0] if offset == _UNKNOWN_32 else offset
    except StopIteration:
        raise Unfollowed("a size in the zip's directory is missing") from None
    return packed, offset
