"""The bytes that others' tools write, made by code: bgzip, pigz, macOS's bsdtar, GNU tar, the SageMaker SDK.

Where the tools themselves are installed, tests/local/test_foreign_archives runs them.
"""

import gzip
import io
import struct
import tarfile
import zlib
from collections.abc import Callable

import pytest

from chalicelib.reports import Report, Severity
from tests.fuzz.fuzz_door_tar import pax
from tests.unit import corpus
from tests.unit.test_door_corpus import report_on

TREE = {**corpus.bert(), "code/inference.py": corpus.INFERENCE, "notes.txt": bytes(range(256)) * 700}
BGZIP_BLOCK_BYTES = 0xFF00
PIGZ_BLOCK_BYTES = 128 << 10


def bgzip(raw: bytes) -> bytes:
    """Blocks of at most 64 KiB, each a gzip member that says its own length in a field BC, and an empty one at the end.

    Source: the SAM format's specification, 4.1, "The BGZF compression format".
    """
    blocks = [raw[at : at + BGZIP_BLOCK_BYTES] for at in range(0, len(raw), BGZIP_BLOCK_BYTES)]
    return b"".join(_bgzf_block(block) for block in [*blocks, b""])


def _bgzf_block(block: bytes) -> bytes:
    deflated = zlib.compress(block, 6, wbits=-15)
    size = 12 + 6 + len(deflated) + 8
    head = b"\x1f\x8b\x08\x04" + bytes(4) + b"\x00\xff" + struct.pack("<H2sHH", 6, b"BC", 2, size - 1)
    return head + deflated + struct.pack("<II", zlib.crc32(block), len(block))


def pigz(raw: bytes) -> bytes:
    """One member with the file's name and time; sync flushes where one thread's part ends and the next begins."""
    deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
    made = b"\x1f\x8b\x08\x08" + struct.pack("<I", 1_767_225_600) + b"\x00\x03" + b"model.tar\x00"
    for at in range(0, len(raw), PIGZ_BLOCK_BYTES):
        made += deflater.compress(raw[at : at + PIGZ_BLOCK_BYTES]) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return made + deflater.flush() + struct.pack("<II", zlib.crc32(raw), len(raw) & 0xFFFFFFFF)


def pigz_independent(raw: bytes) -> bytes:
    """As `pigz -i`: full flushes, after which nothing refers back."""
    deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
    made = b"\x1f\x8b\x08\x00" + bytes(6)
    for at in range(0, len(raw), PIGZ_BLOCK_BYTES):
        made += deflater.compress(raw[at : at + PIGZ_BLOCK_BYTES]) + deflater.flush(zlib.Z_FULL_FLUSH)
    return made + deflater.flush() + struct.pack("<II", zlib.crc32(raw), len(raw) & 0xFFFFFFFF)


def with_a_header_checksum(raw: bytes) -> bytes:
    """A gzip header with all that it may have: a field, a name, a comment and a checksum of its own."""
    head = b"\x1f\x8b\x08\x1e" + bytes(6) + b"\x04\x00abcd" + b"name\x00" + b"comment\x00"
    head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    return head + zlib.compress(raw, 6, wbits=-15) + struct.pack("<II", zlib.crc32(raw), len(raw))


@pytest.mark.parametrize("pack", [bgzip, pigz, pigz_independent, with_a_header_checksum, corpus.packed])
def test_every_way_to_gzip_gives_the_same_verdict(pack: Callable[[bytes], bytes]) -> None:
    raw_tar = corpus.tar(TREE)
    raw = pack(raw_tar)
    assert gzip.decompress(raw) == raw_tar

    report = report_on(raw)

    assert_sound(report)
    assert report.sha256 is not None


def bsdtar_of_macos(tree: dict[str, bytes]) -> bytes:
    """`./` paths; before each file its AppleDouble twin; times to the nanosecond and extended attributes in records."""
    made = corpus.header_block(b"./", 0, b"5")
    for path, body in tree.items():
        folder, _, name = f"./{path}".rpartition("/")
        records = {
            "LIBARCHIVE.creationtime": "1767225600",
            "ctime": "1767225600.123456789",
            "SCHILY.dev": "16777234",
            "LIBARCHIVE.xattr.com.apple.provenance": "AQIAz2y1nQ",
            "SCHILY.xattr.com.apple.provenance": "x",
        }
        double = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(100)
        made += pax(records) + member(f"{folder}/._{name}", double)
        made += pax({**records, "path": f"./{path}"}) + member(f"./{path}", body)
    return made + corpus.END


def gnu_incremental(tree: dict[str, bytes]) -> bytes:
    """As GNU's format is with times in the header, where ustar keeps the first half of a name."""
    made = b""
    for path, body in tree.items():
        head = bytearray(corpus.header_block(path.encode(), len(body)))
        head[257:265] = b"ustar  \0"
        head[345:357] = head[357:369] = b"15125442000\0"
        made += corpus.with_checksum(head) + corpus.padded(body)
    return made + corpus.END


def of_the_sdk(tree: dict[str, bytes]) -> bytes:
    """As the SageMaker SDK repacks: everything below a root whose name is empty once its slash is gone."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("", "code"):
            archive.addfile(*corpus.special(name, tarfile.DIRTYPE))
        for path, body in tree.items():
            archive.addfile(corpus.regular(path, body)[0], io.BytesIO(body))
    return buffer.getvalue()


def blocked(tree: dict[str, bytes]) -> bytes:
    """As `tar --blocking-factor=2048` does: zeros up to a mebibyte behind the end."""
    raw = corpus.tar(tree)
    return raw + bytes(-len(raw) % (1 << 20))


def member(path: str, body: bytes) -> bytes:
    return corpus.header_block(path.encode(), len(body)) + corpus.padded(body)


@pytest.mark.parametrize("pack", [of_the_sdk, blocked])
def test_every_way_to_tar_gives_the_same_verdict(pack: Callable[[dict[str, bytes]], bytes]) -> None:
    assert_sound(report_on(corpus.packed(pack(TREE))))


def test_what_macos_adds_is_named_once_and_changes_nothing_else() -> None:
    report = report_on(corpus.packed(bsdtar_of_macos(TREE)))

    assert report.is_accepted
    assert problems(report) == ["macos-leavings"]
    assert report.checks[0].message.startswith(f"{len(TREE)} entries")


def test_names_that_readers_take_from_different_places_are_refused() -> None:
    raw = corpus.packed(gnu_incremental(TREE))
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        assert "15125442000/config.json" in archive.getnames()

    report = report_on(raw)

    assert problems(report) == ["tar-damaged"]


def problems(report: Report) -> list[str]:
    return [check.id for check in report.checks if check.severity is not Severity.INFO]


def assert_sound(report: Report) -> None:
    assert report.is_accepted, report.checks
    assert problems(report) == []
    assert report.plan is not None
    assert report.plan.task == "text-classification"
