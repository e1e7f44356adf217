"""Fuzzes the reader of tar and the gzip around it: `python -m tests.fuzz.fuzz_door_tar --seconds 60`.

Python's own tarfile is asked the same: of an archive that the door has nothing against, both must name the same files
with the same bytes. And both decompressors, zlib and ISA-L, must lead to the same verdict.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable
from typing import Any

from tests.fuzz.harness import INPUT_MAX_BYTES, Broken, Reader
from tests.fuzz.running import instrumented, main

with instrumented(__name__):
    from chalicelib.door import headers
    from chalicelib.door.archives import TarReader
    from chalicelib.door.contents import read_contents
    from chalicelib.door.intakes import Intake
    from chalicelib.door.kinds import Findings
    from chalicelib.door.members import is_macos_leaving, normalise
    from chalicelib.door.streams import Inflater, Limits, Unpacked, fastest_inflater, zlib_inflater
    from chalicelib.reports import Check, Severity

from tests.unit import corpus
from tests.unit.corpus_cases import CASES

LIMITS = Limits(ratio_free_bytes=16 << 20, members_max=1000)
"""As in life, but for bombs that fit into an input."""
_RAW, _ONE_MEMBER, _SEVERAL_MEMBERS, _STORED = range(4)
_MENDED = 4
_BODY_MAX_BYTES = 1 << 16


def read(data: bytes) -> Any:
    """Read an archive: the input is one as it is, or is what one unpacks to; its first byte says which."""
    how = data[0] if data else 0
    raw = _packed(data[1:], how)
    checks, files = _judged(raw, fastest_inflater)
    if how & 3 == _RAW:
        other = _judged(raw, zlib_inflater)
        # Of what is cut as well as damaged, each may name the one it meets first.
        if _is_refused(other[0]) != _is_refused(checks) or (not _is_refused(checks) and other != (checks, files)):
            raise Broken(f"zlib leads to {other}, ISA-L to {checks}")
    if not _is_refused(checks):
        _compare(raw)
    return checks, files


def _is_refused(checks: tuple[Check, ...]) -> bool:
    return any(check.severity is Severity.ERROR for check in checks)


def _judged(raw: bytes, new_inflater: Callable[[], Inflater]) -> tuple[tuple[Check, ...], list[tuple[str, int]]]:
    findings = Findings()
    contents = read_contents(io.BytesIO(raw), findings, LIMITS, new_inflater=new_inflater)
    return findings.checks(), list(contents.files.items())


def _packed(raw: bytes, how: int) -> bytes:
    if how & 3 == _RAW:
        return raw
    if how & _MENDED:
        raw = _mended(raw)
    if how & 3 == _SEVERAL_MEMBERS:
        return b"".join(gzip.compress(raw[at : at + 700], 1, mtime=0) for at in range(0, len(raw), 700))
    return zlib.compress(raw, 0 if how & 3 == _STORED else 1, wbits=31)


def _mended(raw: bytes) -> bytes:
    """Make every header's checksum right, or none of what is changed in a header would ever be looked at."""
    made, at = bytearray(raw), 0
    while at + headers.BLOCK_BYTES <= len(made):
        block = made[at : at + headers.BLOCK_BYTES]
        if not block.strip(b"\0"):
            break
        made[at : at + headers.BLOCK_BYTES] = corpus.with_checksum(block)
        try:
            size = headers.parse_number(bytes(block[124:136]))
        except headers.MalformedTar:
            size = 0
        at += headers.BLOCK_BYTES + size + -size % headers.BLOCK_BYTES
    return bytes(made)


def _compare(raw: bytes) -> None:
    ours, theirs = _by_the_door(raw), _by_tarfile(raw)
    if ours != theirs:
        raise Broken(f"the door reads {_shown(ours)}, tarfile {_shown(theirs)}")


def _by_the_door(raw: bytes) -> list[tuple[str, int, int]]:
    reader = TarReader(Unpacked(Intake(io.BytesIO(raw)), LIMITS), LIMITS)
    return [
        (normalise(member.path), member.size_bytes, zlib.crc32(reader.read(_BODY_MAX_BYTES)))
        for member in reader
        if member.type == "0" and not is_macos_leaving(normalise(member.path))
    ]


def _by_tarfile(raw: bytes) -> list[tuple[str, int, int]]:
    unpacked = gzip.decompress(raw)
    found = []
    try:
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:", encoding="utf-8") as archive:
            for member in archive:
                path = normalise(member.name)
                if member.isreg() and not is_macos_leaving(path):
                    stream = archive.extractfile(member)
                    body = stream.read(_BODY_MAX_BYTES) if stream else b""
                    found.append((path, member.size, zlib.crc32(body)))
    except tarfile.TarError as exc:
        # It takes an archive with nothing in it for none at all.
        if found or unpacked.strip(b"\0"):
            raise Broken(f"tarfile refuses what the door reads: {exc}") from None
    return found


def _shown(files: list[tuple[str, int, int]]) -> str:
    return ", ".join(f"{path!r} of {size}" for path, size, _ in files[:5])


def seeds() -> list[bytes]:
    """Every small archive of the corpus, packed as it is and unpacked, and tars of every format."""
    made = []
    for name, case in CASES.items():
        raw = case.build() if case.raw_toml is None and not name.startswith("pickle") else b""
        if 0 < len(raw) < INPUT_MAX_BYTES:
            made += [bytes([_RAW]) + raw, *_inside(raw)]
    tree = {"a": b"1", "b" * 120 + "/" + "c" * 90: b"22", "d/\xe9": b"333"}
    for fmt in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT):
        made.append(bytes([_ONE_MEMBER | _MENDED]) + _short(corpus.tar({**tree, **corpus.bert()}, fmt)))
    made += [bytes([_ONE_MEMBER | _MENDED]) + _short(raw) for raw in _sparse_and_odd()]
    return list(dict.fromkeys(made))


def _sparse_and_odd() -> list[bytes]:
    """Sparse files of every format, a size in base 256, a global header, long links and labels."""
    body = corpus.padded(b"2\n3\n2\n9\n1\n") + b"abc"
    first = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "real", "GNU.sparse.realsize": "12"}
    second = {"GNU.sparse.map": "3,2,9,1", "GNU.sparse.numblocks": "2", "GNU.sparse.size": "12"}
    long_link = corpus.header_block(b"././@LongLink", 5, b"K") + corpus.padded(b"else\0")
    large = bytearray(corpus.header_block(b"a", 0))
    large[124:136] = b"\x80" + (3).to_bytes(11, "big")
    return [
        pax(first) + corpus.header_block(b"GNUSparseFile.0/real", len(body)) + corpus.padded(body) + corpus.END,
        pax(second) + corpus.header_block(b"GNUSparseFile.0/real", 3) + corpus.padded(b"abc") + corpus.END,
        corpus.gnu_sparse(b"hello", 700) + corpus.END,
        pax({"comment": "hello"}, b"g") + pax({"size": "3", "path": "b"}) + corpus.header_block(b"a", 0)
        + corpus.padded(b"abc") + corpus.END,
        corpus.with_checksum(large) + corpus.padded(b"abc") + corpus.END,
        long_link + corpus.header_block(b"link", 0, b"2") + corpus.header_block(b"label", 0, b"V") + corpus.END,
    ]  # fmt: skip


def pax(records: dict[str, str], kind: bytes = b"x") -> bytes:
    """A PAX header."""
    raw = b"".join(b"%d %s=%s\n" % (_record_bytes(*pair), *map(str.encode, pair)) for pair in records.items())
    return corpus.header_block(b"pax", len(raw), kind) + corpus.padded(raw)


def _record_bytes(key: str, value: str) -> int:
    bare = len(key) + len(value) + 3
    return bare + len(str(bare + len(str(bare))))


def _inside(raw: bytes) -> list[bytes]:
    try:
        unpacked = _short(gzip.decompress(raw))
    except (OSError, EOFError, zlib.error):
        return []
    if len(unpacked) >= INPUT_MAX_BYTES:
        return []
    return [bytes([_ONE_MEMBER | _MENDED]) + unpacked, bytes([_SEVERAL_MEMBERS]) + unpacked]


def _short(raw_tar: bytes) -> bytes:
    """Leave only two of the zero blocks at the end: changes there teach nothing."""
    end = len(raw_tar.rstrip(b"\0"))
    return raw_tar[: end + -end % headers.BLOCK_BYTES + 2 * headers.BLOCK_BYTES]


TOKENS = (
    b"ustar\x0000", b"ustar  \x00", b"0000644\x00", b"00000000000\x00", b"00000001000\x00", b"\x80" + bytes(11),
    b"\xff" * 12, b"././@LongLink", b"18 path=README.md\n", b"11 size=99\n", b"22 GNU.sparse.major=1\n",
    b"22 GNU.sparse.minor=0\n", b"27 GNU.sparse.realsize=512\n", b"26 GNU.sparse.numblocks=1\n",
    b"25 GNU.sparse.map=3,2,9,1\n", b"21 GNU.sparse.name=a\n", b"20 GNU.sparse.size=1\n", b"2\n3\n2\n9\n1\n",
    b"../", b"/", b"./", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", b"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    *(bytes([kind]) for kind in b"01234567xgLKSDMNV\x00"), bytes(512),
)  # fmt: skip

READER = Reader("tar", read, seeds, TOKENS)

if __name__ == "__main__":
    main(READER)
