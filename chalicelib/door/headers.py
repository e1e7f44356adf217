"""Tar's 512-byte headers, PAX records and sparse maps, parsed. Called by `archives`; pure.

Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; GNU tar manual, "Basic Tar Format",
"Storing Sparse Files" and "Extensions: GNU". Fields of the ustar header: name 0-99, size 124-135, checksum 148-155,
typeflag 156, magic 257-262, prefix 345-499. GNU's own sparse header: four (offset, size) pairs from 386, a
continuation flag at 482, the real size from 483.
"""

import struct
from dataclasses import dataclass

BLOCK_BYTES = 512

PAX_LOCAL, PAX_GLOBAL, GNU_LONG_NAME, GNU_LONG_LINK, GNU_SPARSE = "x", "g", "L", "K", "S"
REGULAR = frozenset("07")
_GNU_OWN = frozenset({GNU_LONG_NAME, GNU_LONG_LINK, GNU_SPARSE})
LINKS = {"1": "a hard link", "2": "a symbolic link"}
SPECIAL = {"3": "a character device", "4": "a block device", "6": "a FIFO"}
DIRECTORY = "5"

_POSIX_MAGIC = b"ustar\x00"
PAX_SPARSE_MAP_KEYS = frozenset({"GNU.sparse.map", "GNU.sparse.numblocks", "GNU.sparse.size"})
"""Of formats 0.0 and 0.1; format 1.0 has none of them."""
_OTHER_NUMBERS = ((100, 108), (108, 116), (116, 124), (136, 148), (329, 337), (337, 345))
"""Mode, owner, group, time, and a device's two numbers."""
_NEGATIVE = 0xFF
_SPARSE_PAIRS_IN_HEADER = 4
_SPARSE_PAIRS_IN_BLOCK = 21
_DECIMAL_MAX_DIGITS = 19

Extent = tuple[int, int]
"""Where a run of real bytes lies in a sparse file, and how long it is."""


class MalformedTar(ValueError):
    """A header or record is not what the format allows; the message says what."""


@dataclass(frozen=True)
class Header:
    """One header block. *name* is bytes as stored; *stored_bytes* follow it in the archive.

    Attributes:
        extents: GNU's old sparse map, as far as it stands in the header; None for other files.
        is_extended: The sparse map goes on in the next block.
        real_bytes: The sparse file's full size.
    """

    name: bytes
    type: str
    stored_bytes: int
    extents: tuple[Extent, ...] | None = None
    is_extended: bool = False
    real_bytes: int = 0


def parse_header(block: bytes) -> Header:
    """Parse one block.

    Raises:
        MalformedTar: The checksum is wrong, or a number is none.
    """
    if not _is_checksum_right(block):
        raise MalformedTar("a header's checksum is wrong")
    name = block[:100].partition(b"\0")[0]
    if block[257:263] == _POSIX_MAGIC and (prefix := block[345:500].partition(b"\0")[0]):
        name = prefix + b"/" + name
    for start, end in _OTHER_NUMBERS:
        _check_number(block[start:end])
    kind = chr(block[156])
    if kind == "\0":
        # The oldest tar knew folders only by their name's last character.
        kind = DIRECTORY if name.endswith(b"/") else "0"
    if block[345] and block[257:263] != _POSIX_MAGIC and kind not in _GNU_OWN:
        raise MalformedTar("a header has half a name where its format has none, and some readers take it for one")
    size = parse_number(block[124:136])
    if kind != GNU_SPARSE:
        return Header(name, kind, size)
    extents = parse_extents(block[386:482], _SPARSE_PAIRS_IN_HEADER)
    return Header(name, kind, size, extents, block[482] != 0, parse_number(block[483:495]))


def _is_checksum_right(block: bytes) -> bool:
    try:
        stored = parse_number(block[148:156])
    except MalformedTar:
        return False
    blanked = block[:148] + b" " * 8 + block[156:]
    # Some old tars added the bytes up as signed numbers.
    return stored in (sum(blanked), sum(struct.unpack("512b", blanked)))


def parse_number(field: bytes) -> int:
    """Read a numeric field: octal digits, or base 256 where the first bit is set (GNU, star: for 8 GiB and more).

    Raises:
        MalformedTar: It is neither, or it is negative.
    """
    if field[0] & 0x80:
        if field[0] != 0x80:
            raise MalformedTar("a header holds a negative or absurd number")
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip()
    if digits.strip(b"01234567"):
        raise MalformedTar("a header holds a number that is not octal")
    return int(digits, 8) if digits else 0


def _check_number(field: bytes) -> None:
    """See that a field nobody here needs can be read by those who do: some stop there, as if the archive ended."""
    if field[0] != _NEGATIVE:
        parse_number(field)


def parse_extents(raw: bytes, count: int) -> tuple[Extent, ...]:
    """Read up to *count* (offset, size) pairs of GNU's old sparse format; an empty field ends them."""
    pairs = []
    for start in range(0, count * 24, 24):
        if not raw[start]:
            break
        pairs.append((parse_number(raw[start : start + 12]), parse_number(raw[start + 12 : start + 24])))
    return tuple(pairs)


def parse_sparse_block(block: bytes) -> tuple[tuple[Extent, ...], bool]:
    """Read a continuation block of GNU's old sparse format: its pairs, and whether another one follows."""
    return parse_extents(block, _SPARSE_PAIRS_IN_BLOCK), block[504] != 0


def parse_pax(raw: bytes) -> list[tuple[str, bytes]]:
    r"""Read the records of a PAX header, each `LENGTH KEY=VALUE\n`, in order; keys may come more than once.

    Raises:
        MalformedTar: A record's length or shape is wrong.
    """
    records, position = [], 0
    while position < len(raw) and raw[position]:
        digits, space, _ = raw[position : position + 20].partition(b" ")
        if not space or not digits.isdigit():
            raise MalformedTar("a PAX record has no length")
        end = position + int(digits)
        key, equals, value = raw[position + len(digits) + 1 : end].partition(b"=")
        if end > len(raw) or not equals or not value.endswith(b"\n") or not key:
            raise MalformedTar("a PAX record is not as long as it says")
        records.append((key.decode("utf-8", "surrogateescape"), value[:-1]))
        position = end
    return records


def parse_decimal(raw: bytes) -> int:
    """Read a decimal number of a PAX record. Raises MalformedTar."""
    if not raw.isdigit() or len(raw) > _DECIMAL_MAX_DIGITS:
        raise MalformedTar("a PAX record holds something that is not a number")
    return int(raw)


def pax_extents(records: list[tuple[str, bytes]]) -> tuple[Extent, ...] | None:
    """Read the sparse map that GNU's PAX formats 0.0 and 0.1 keep in records; None where there is none."""
    for key, value in records:
        if key == "GNU.sparse.map":
            numbers = [parse_decimal(number) for number in value.split(b",")] if value else []
            break
    else:
        numbers = [
            parse_decimal(value) for key, value in records if key in ("GNU.sparse.offset", "GNU.sparse.numbytes")
        ]
        if not any(key == "GNU.sparse.numblocks" for key, _ in records):
            return None
    if len(numbers) % 2:
        raise MalformedTar("a sparse map has an offset without a size")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def check_extents(extents: tuple[Extent, ...], *, stored_bytes: int, real_bytes: int) -> None:
    """See that a sparse map is in order, within the file, and accounts for every stored byte. Raises MalformedTar."""
    position = 0
    for offset, size in extents:
        if offset < position:
            raise MalformedTar("a sparse map is out of order")
        position = offset + size
    if position > real_bytes or sum(size for _, size in extents) != stored_bytes:
        raise MalformedTar("a sparse map does not fit its file")
