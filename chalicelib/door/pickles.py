"""Pickle files in their coats: plain, PyTorch's zip and its older format, joblib's packed ones. Called by `contents`.

What they would import is read from their opcodes, in constant memory and in the same pass as all else. Nothing is ever
unpickled.
"""

import bz2
import lzma
import re
import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from chalicelib.door.machines import Budget, Found
from chalicelib.door.opcodes import follow
from chalicelib.door.tapes import EndOfTape, Tape
from chalicelib.door.values import Global, Unfollowed
from chalicelib.door.zips import zip_members

PICKLE_NAMES = re.compile(r"\.(bin|ckpt|joblib|pickle|pkl|pt|pth)$", re.IGNORECASE)
"""What these files are called; others are looked at too, when they begin as a pickle or zip does."""
HEAD_BYTES = 6
_PROTOCOLS = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
_ZIP = b"PK\x03\x04"
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_TORCH_PICKLES = 5
"""In PyTorch's older format: magic number, version, system, the object, and the keys of the raw storages behind it."""
_STORAGE = re.compile(r"(^|/)(data|constants|tensors)/[^/]*$")
_LZMA_MEMORY_BYTES = 16 << 20
_PACKED = re.compile(rb"\x1f\x8b|\x78[\x01\x5e\x9c\xda]|BZh|\xfd7zXZ\x00|\x5d\x00\x00")
Through = Callable[[Iterator[bytes | memoryview]], Iterator[bytes | memoryview]]


@dataclass(frozen=True)
class Scanned:
    """What one file would do when it is loaded.

    Attributes:
        imports: Every global it names.
        fault: Why it cannot be followed to its end; None when it can.
        is_marked: It begins as a pickle or a zip does, whatever its name.
        keys: Hashes of its dicts' keys, the names of its tensors among them; None when not all of them are known.
    """

    imports: frozenset[Global]
    fault: str | None
    is_marked: bool
    keys: "array[int] | None" = field(default=None, compare=False, repr=False)


def is_called_pickle(path: str, scanned: Scanned) -> bool:
    """Tell whether a loader would take a file for a pickle: many tools call what is none at all `.bin`."""
    return PICKLE_NAMES.search(path) is not None and (scanned.is_marked or not path.lower().endswith(".bin"))


def begins_as_pickle(head: bytes) -> bool:
    """Tell whether a file's first bytes are a pickle's or a zip's."""
    return head.startswith((*_PROTOCOLS, _ZIP))


def is_packed(head: bytes) -> bool:
    """Tell whether a file's first bytes are those of one that joblib has compressed."""
    return _PACKED.match(head) is not None


def scan(pieces: Iterator[bytes | memoryview], budget: Budget, *, unpacked_through: Through | None = None) -> Scanned:
    """Follow every pickle in a file. Raises only what *pieces* raises.

    Args:
        pieces: The file's bytes.
        budget: What may be spent on it.
        unpacked_through: Shown what a compressed file unpacks to, as it is read.
    """
    tape, found = Tape(pieces), Found()
    is_marked, fault = begins_as_pickle(tape.peek(HEAD_BYTES)), None
    try:
        _follow_file(tape, found, budget, unpacked_through or iter)
    except Unfollowed as exc:
        fault = str(exc)
    except EndOfTape:
        fault = "it breaks off"
    return Scanned(frozenset(found.imports), fault, is_marked, found.keys if fault is None else None)


def _follow_file(tape: Tape, found: Found, budget: Budget, through: Through) -> None:
    head = tape.peek(HEAD_BYTES)
    if head.startswith(_ZIP):
        _follow_zip(tape, found, budget)
    elif (unpack := _unpacker(head)) is not None:
        unpacked = Tape(through(_unpacked(tape, unpack(), budget)))
        _follow_stream(unpacked, found, budget)
        while unpacked.some(1 << 20):
            pass  # to its end, where it may yet turn out to be damaged
    else:
        _follow_stream(tape, found, budget)


def _follow_zip(tape: Tape, found: Found, budget: Budget) -> None:
    for name, member in zip_members(tape, budget, found.storages):
        is_storage = _STORAGE.search(name) is not None and not name.endswith(".pkl")
        if name.endswith((".pkl", ".debug_pkl")):
            _follow_stream(member, found, budget)
        elif not is_storage and member.peek(HEAD_BYTES).startswith(_PROTOCOLS):
            raise Unfollowed("the zip holds a pickle that is not called one")


def _follow_stream(tape: Tape, found: Found, budget: Budget) -> None:
    value: Any = follow(tape, budget, found)
    if value == _TORCH_MAGIC:
        for _ in range(_TORCH_PICKLES - 1):
            follow(tape, budget, found)
        return
    # A reader takes the first pickle only; code of the archive's own may take them all.
    while not tape.is_at_end():
        follow(tape, budget, found)


def _unpacker(head: bytes) -> Callable[[], Any] | None:
    """Choose a decompressor by the first bytes, as joblib does."""
    if is_packed(head):
        if head[:1] in (b"\x1f", b"\x78"):
            return _Zlib
        if head[:3] == b"BZh":
            return bz2.BZ2Decompressor
        return lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY_BYTES)
    if head[:4] == b"\x04\x22\x4d\x18":
        raise Unfollowed("it is packed with lz4, which is not read here")
    return None


class _Zlib:
    """zlib's decompressor with the manners of bz2's and lzma's: it keeps what it has no room for."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(47)

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflater.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflater.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflater.decompress(self._inflater.unconsumed_tail + data, max_length)


def _unpacked(tape: Tape, unpacker: Any, budget: Budget) -> Iterator[bytes]:
    while not unpacker.eof:
        feed = bytes(tape.some(1 << 16)) if unpacker.needs_input else b""
        if unpacker.needs_input and not feed:
            raise EndOfTape
        try:
            piece = unpacker.decompress(feed, 1 << 20)
        except (zlib.error, OSError, EOFError, lzma.LZMAError, MemoryError) as exc:
            raise Unfollowed("what it is packed in is damaged") from exc
        budget.unpack(packed_bytes=len(feed), unpacked_bytes=len(piece))
        if piece:
            yield piece
    if unpacker.unused_data or not tape.is_at_end():
        raise Unfollowed("something follows what it is packed in")
