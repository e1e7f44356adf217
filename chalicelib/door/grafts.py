"""Files put in front of a model.tar.gz without packing it again: one gzip member of two deflate streams. Pure.

The new archive is a header of ours, our files deflated up to a full flush (which ends on a byte and forgets what went
before), the original's own deflate bytes, and a trailer with the checksum and length of both together. Two gzip members
one after the other would be simpler, but Python's tarfile in stream mode stops after the first. Called by `contents`,
the executor and the S3 adapter.

Source: RFC 1951 (deflate), RFC 1952 (gzip); zlib's crc32_combine for the checksum; docs/decisions/0011-graft.md.
"""

import struct
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chalicelib.door.intakes import TRAILER_BYTES, Intake
from chalicelib.door.signatures import HEAD_BYTES
from chalicelib.door.streams import inflated
from chalicelib.ports import ByteStream
from chalicelib.state import Span

HANDLED_TASKS = frozenset({
    "audio-classification", "automatic-speech-recognition", "feature-extraction", "fill-mask", "image-classification",
    "image-to-text", "object-detection", "question-answering", "sentence-similarity", "summarization",
    "table-question-answering", "text-classification", "text-generation", "text-ranking", "text2text-generation",
    "token-classification", "translation", "zero-shot-classification",
})  # fmt: skip
"""The tasks of deploy.toml that Tarmac's own handler serves."""
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
_LEVEL = 6
_FAST_LEVEL = 1
_FHCRC, _FEXTRA, _FNAME, _FCOMMENT = 2, 4, 8, 16
_POLYNOMIAL = 0xEDB88320


@dataclass(frozen=True)
class Seam:
    """What the original gives to the whole.

    Attributes:
        deflated_at: Where its deflate bytes begin, in bytes from its start.
        deflated_bytes: How many there are; its trailer follows.
        crc32: Of what they unpack to.
        unpacked_bytes: How much that is.
    """

    deflated_at: int
    deflated_bytes: int
    crc32: int
    unpacked_bytes: int


def find_seam(intake: Intake, unpacked_bytes: int) -> Seam | None:
    """Find where an archive that was read to its end can be grafted; None when it is more than one gzip member."""
    header_bytes = _header_bytes(intake.head)
    if header_bytes is None or intake.members != 1 or intake.is_padded:
        return None
    deflated_bytes = intake.packed_bytes - header_bytes - TRAILER_BYTES
    return Seam(header_bytes, deflated_bytes, int.from_bytes(intake.tail[:4], "little"), unpacked_bytes)


def _header_bytes(head: bytes) -> int | None:
    """Measure a gzip header; None when it is longer than what was kept of the file."""
    if len(head) < len(_HEADER):
        return None
    flags, at = head[3], len(_HEADER)
    if flags & _FEXTRA:
        at += 2 + int.from_bytes(head[at : at + 2], "little")
    for flag in (_FNAME, _FCOMMENT):
        if flags & flag:
            at = head.find(b"\0", at) + 1
            if not at:
                return None
    at += 2 if flags & _FHCRC else 0
    return at if at < min(len(head), HEAD_BYTES) else None


@dataclass(frozen=True)
class Scion:
    """What goes in front: a gzip header and our files deflated; and what they add to the trailer."""

    packed: bytes
    crc32: int
    unpacked_bytes: int

    def trailer(self, crc32: int, unpacked_bytes: int) -> bytes:
        """Make the trailer of the whole from the rest's checksum and length in bytes."""
        combined = crc32_combine(self.crc32, crc32, unpacked_bytes)
        return struct.pack("<II", combined, (self.unpacked_bytes + unpacked_bytes) & 0xFFFFFFFF)


def make_scion(files: Mapping[str, bytes]) -> Scion:
    """Pack files, by path in the archive, as what goes in front. The same files give the same bytes."""
    raw = raw_members(files)
    deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = _HEADER + deflater.compress(raw) + deflater.flush(zlib.Z_FULL_FLUSH)
    return Scion(packed, zlib.crc32(raw), len(raw))


def graft(files: Mapping[str, bytes], seam: Seam) -> tuple[bytes | Span, ...]:
    """Say of what the whole is made: files put in front of an archive."""
    scion = make_scion(files)
    deflated = Span(seam.deflated_at, seam.deflated_at + seam.deflated_bytes)
    return scion.packed, deflated, scion.trailer(seam.crc32, seam.unpacked_bytes)


def rewrite(files: Mapping[str, bytes], archive: ByteStream) -> Iterator[bytes]:
    """Pack an archive anew with files in front, for one that has no seam: piece by piece, in constant memory.

    Raises:
        Unreadable: The archive is damaged after all.
    """
    deflater = zlib.compressobj(_FAST_LEVEL, zlib.DEFLATED, 31)
    yield deflater.compress(raw_members(files))
    for piece in inflated(Intake(archive)):
        yield deflater.compress(piece)
    yield deflater.flush()


def raw_members(files: Mapping[str, bytes]) -> bytes:
    """Write tar members without the blocks that end a tar."""
    made = bytearray()
    for path in sorted(files):
        member = tarfile.TarInfo(path)
        member.size, member.mode = len(files[path]), 0o644
        made += member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        made += files[path] + bytes(-len(files[path]) % tarfile.BLOCKSIZE)
    return bytes(made)


def crc32_combine(first: int, second: int, second_bytes: int) -> int:
    """Give the CRC-32 of two runs of bytes from those of each and the second's length in bytes.

    The first's is advanced over as many zero bytes: a matrix over GF(2), squared for each bit of the length.
    """
    odd = [_POLYNOMIAL, *(1 << bit for bit in range(31))]  # one zero bit
    even = _square(_square(odd))  # four zero bits
    operator = _square(even)  # one zero byte
    while second_bytes:
        if second_bytes & 1:
            first = _times(operator, first)
        operator = _square(operator)
        second_bytes >>= 1
    return first ^ second


def _times(matrix: list[int], vector: int) -> int:
    total, row = 0, 0
    while vector:
        if vector & 1:
            total ^= matrix[row]
        vector >>= 1
        row += 1
    return total


def _square(matrix: list[int]) -> list[int]:
    return [_times(matrix, row) for row in matrix]
