"""Files that lie about what they are, tars about what is in them; and honest ones that look so. For corpus_cases."""

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Sequence
from functools import partial

from tests.unit.corpus import (
    END,
    Case,
    archive,
    bert,
    bert_and,
    header_block,
    hostile,
    packed,
    padded,
    safetensors_of,
    tar,
    with_checksum,
)

WEIGHTS = safetensors_of({"w": ("F32", [2048], 0, 8192)})
"""Zeros behind a header: a hole, to a tar that knows sparse files."""
HEAD_BYTES = len(WEIGHTS) - 8192
TEN_GIB = 10 << 30


def record(key: str, value: object) -> bytes:
    """One PAX record, which begins with its own length."""
    rest = f" {key}={value}\n".encode()
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def with_records(records: bytes, name: bytes, body: bytes, *, size: int | None = None) -> bytes:
    """A member behind a PAX header; its own header claims *size*."""
    before = header_block(b"pax", len(records), b"x") + padded(records)
    return before + header_block(name, len(body) if size is None else size) + padded(body)


def sparse_weights(member: bytes) -> bytes:
    """A model whose weights are this member."""
    return packed(member + tar({name: body for name, body in bert().items() if name != "model.safetensors"}))


def pax_sparse(version: str) -> bytes:
    """The weights as GNU tar writes sparse files in PAX format, with the empty extent that it puts at the end."""
    head, size = WEIGHTS[:HEAD_BYTES], len(WEIGHTS)
    name = record("GNU.sparse.name", "model.safetensors")
    extents = ((0, HEAD_BYTES), (size, 0))
    if version == "1.0":
        told = (
            record("GNU.sparse.major", 1) + record("GNU.sparse.minor", 0) + name + record("GNU.sparse.realsize", size)
        )
        mapped = "".join(f"{number}\n" for number in (2, *extents[0], *extents[1])).encode()
        return with_records(told, b"GNUSparseFile.1/model.safetensors", padded(mapped) + head)
    told = record("GNU.sparse.size", size) + record("GNU.sparse.numblocks", len(extents))
    if version == "0.1":
        told += record("GNU.sparse.map", ",".join(str(number) for extent in extents for number in extent)) + name
    else:
        for offset, count in extents:
            told += record("GNU.sparse.offset", offset) + record("GNU.sparse.numbytes", count)
    return with_records(told, b"model.safetensors", head)


def gnu_sparse_of(extents: Sequence[tuple[int, int]], size: int, body: bytes) -> bytes:
    """The weights in GNU's old format; beyond four extents the map goes on in blocks of its own."""
    pairs = [b"%011o\0%011o\0" % extent for extent in extents]
    block = bytearray(header_block(b"model.safetensors", len(body), b"S"))
    block[257:265] = b"ustar  \0"
    block[386 : 386 + 24 * len(pairs[:4])] = b"".join(pairs[:4])
    block[482] = len(pairs) > 4
    block[483:495] = b"%011o\0" % size
    more = b"".join(pairs[4:]).ljust(512, b"\0") if len(pairs) > 4 else b""
    return with_checksum(block) + more + padded(body)


def gnu_sparse_in_pieces() -> bytes:
    """Six extents of one block each: five cut out of the header and what follows it, and one in the zeros."""
    starts = [0, *range(512, 512 * 11, 1024)][:6]
    extents = [(start, 512) for start in starts]
    body = b"".join(WEIGHTS[start : start + 512] for start in starts)
    return gnu_sparse_of([*extents, (len(WEIGHTS), 0)], len(WEIGHTS), body)


def sized(field: bytes, body: bytes = b"x" * 512) -> bytes:
    """A member whose header has these twelve bytes for its size."""
    block = bytearray(header_block(b"pytorch_model.bin", 0))
    block[124:136] = field
    return with_checksum(block) + padded(body)


def base_256(size: int) -> bytes:
    return b"\x80" + size.to_bytes(11, "big")


def zstd(raw: bytes) -> bytes:
    """A zstd frame of blocks that compress nothing. Source: RFC 8878, sections 3.1.1.1 and 3.1.1.2."""
    blocks = [raw[start : start + 65_536] for start in range(0, len(raw), 65_536)]
    frame = b"\x28\xb5\x2f\xfd\xa0" + len(raw).to_bytes(4, "little")
    for number, block in enumerate(blocks, start=1):
        frame += (len(block) << 3 | (number == len(blocks))).to_bytes(3, "little") + block
    return frame


def cut(keep: int) -> bytes:
    """The first bytes of an archive whose gzip header has a name, or all but the last."""
    raw = archive(bert())
    named = raw[:3] + b"\x08" + raw[4:10] + b"model.tar\0" + raw[10:]
    return named[:keep]


def cut_tar(keep: int) -> bytes:
    """A gzip file that is whole, of the first bytes of a tar."""
    return packed(tar({**bert(), "n" * 200: b"x"})[:keep])


CASES: dict[str, Case] = {
    # Other compressions under the name of gzip, each a whole file of its kind.
    "a tar that is not compressed": hostile(lambda: tar(bert()), refused=("archive-not-gzip",)),
    "a tar in bzip2": hostile(lambda: bz2.compress(tar(bert())), refused=("archive-not-gzip",)),
    "a tar in xz": hostile(lambda: lzma.compress(tar(bert()), preset=0), refused=("archive-not-gzip",)),
    "a tar in zstd": hostile(lambda: zstd(tar(bert())), refused=("archive-not-gzip",)),
    "a tar in lzma's old format": hostile(
        lambda: lzma.compress(tar(bert()), format=lzma.FORMAT_ALONE, preset=0), refused=("archive-not-gzip",)
    ),
    # Nothing, and next to nothing.
    "no bytes": hostile(lambda: b"", refused=("archive-empty",)),
    "a tar without members": hostile(lambda: packed(END), refused=("no-files",)),
    "only what macOS leaves": hostile(
        lambda: archive({"._config.json": b"x", ".DS_Store": b"x", "__MACOSX/._config.json": b"x"}),
        refused=("no-files",), warned=("macos-leavings",),
    ),
    # Cut: in the gzip header, in its name, in the data, in the checksum, in the length.
    **{f"cut {where}": hostile(partial(cut, keep), refused=("archive-truncated",))
       for where, keep in (
           ("in the gzip header", 7), ("in the gzip header's name", 14), ("behind the gzip header", 20),
           ("in the compressed data", 200), ("in the checksum", -5), ("in the length", -1),
       )},
    **{f"a whole gzip of a tar cut {where}": hostile(partial(cut_tar, keep), refused=("tar-truncated",))
       for where, keep in (
           ("in a header", 700 + 512), ("in a body", 512 + 10), ("in a record", -10240 + 512 * 8 + 100),
       )},
    # Sparse files as GNU tar writes them, with weights that are mostly a hole.
    "sparse weights of PAX 0.0": hostile(lambda: sparse_weights(pax_sparse("0.0"))),
    "sparse weights of PAX 0.1": hostile(lambda: sparse_weights(pax_sparse("0.1"))),
    "sparse weights of PAX 1.0": hostile(lambda: sparse_weights(pax_sparse("1.0"))),
    "sparse weights of GNU": hostile(
        lambda: sparse_weights(
            gnu_sparse_of([(0, HEAD_BYTES), (len(WEIGHTS), 0)], len(WEIGHTS), WEIGHTS[:HEAD_BYTES])
        )
    ),
    "sparse weights of GNU in many pieces": hostile(lambda: sparse_weights(gnu_sparse_in_pieces())),
    "sparse weights with a map that is too short": hostile(
        lambda: sparse_weights(gnu_sparse_of([(0, 8)], len(WEIGHTS), WEIGHTS[:HEAD_BYTES])), refused=("tar-damaged",)
    ),
    # Sizes over eight gigabytes, which octal digits cannot tell, of bodies that are not there.
    "ten gigabytes in base 256": hostile(
        lambda: packed(tar(bert()).rstrip(b"\0").ljust(3072, b"\0") + sized(base_256(TEN_GIB))),
        refused=("tar-truncated",),
    ),
    "ten gigabytes in base 256, cut": hostile(
        lambda: packed(sized(base_256(TEN_GIB), bytes(range(256)) * 400))[:-20], refused=("archive-truncated",)
    ),
    "ten gigabytes in a record": hostile(
        lambda: packed(with_records(record("size", TEN_GIB), b"pytorch_model.bin", b"x" * 512, size=0)),
        refused=("tar-truncated",),
    ),
    "ten gigabytes in a record, cut": hostile(
        lambda: packed(with_records(record("size", TEN_GIB), b"m.bin", bytes(range(256)) * 400, size=0))[:-20],
        refused=("archive-truncated",),
    ),
    "more bytes than there are disks": hostile(
        lambda: packed(sized(base_256(1 << 70)) + END), refused=("tar-damaged",)
    ),
    "fewer than no bytes": hostile(lambda: packed(sized(b"\xff" * 12) + END), refused=("tar-damaged",)),
    "a record with a size that is no number": hostile(
        lambda: packed(with_records(record("size", "-1"), b"m.bin", b"") + END), refused=("tar-damaged",)
    ),
    "a record that hides a body": hostile(
        lambda: packed(with_records(record("size", 0), b"m.bin", b"x" * 512) + tar(bert())), refused=("tar-damaged",)
    ),
    # Names.
    "names that differ in case": hostile(lambda: bert_and(**{"Config.json": b"{}"}), warned=("path-alike",)),
    "names that differ in a folder's case": hostile(
        lambda: bert_and(**{"data/x.txt": b"1", "Data/x.txt": b"2"}), warned=("path-alike",)
    ),
    "names that differ in how an accent is spelt": hostile(
        lambda: bert_and(**{"caf\u00e9.txt": b"1", "cafe\u0301.txt": b"2"}), warned=("path-alike",)
    ),
    "names that differ in more than case": hostile(
        lambda: bert_and(**{"stra\u00dfe.txt": b"1", "strasse.txt": b"2", "caf\u00e9.txt": b"3", "cafe.txt": b"4"})
    ),
    "long names in records": hostile(lambda: bert_and(**{("d" * 90 + "/") * 3 + "x.txt": b"1"})),
    "long names in records, as long as they may be": hostile(
        lambda: bert_and(**{"/".join(["d" * 255] * 3 + ["x" * 255]): b"1"})
    ),
    "a record with a path three hundred folders deep": hostile(
        lambda: packed(with_records(record("path", "d/" * 300 + "x"), b"x", b"") + tar(bert())),
        refused=("path-too-deep",),
    ),
    "a record with a path of 200 kB": hostile(
        lambda: packed(with_records(record("path", "d" * 200_000), b"x", b"") + tar(bert())), refused=("path-too-long",)
    ),
    "a record with a path that climbs": hostile(
        lambda: packed(with_records(record("path", "../../etc/x"), b"x", b"") + tar(bert())), refused=("path-climbs",)
    ),
    "a record with a NUL in the path": hostile(
        lambda: packed(with_records(record("path", "a\0b"), b"x", b"") + tar(bert())),
        refused=("path-control-character",),
    ),
    "a long name of GNU that climbs": hostile(
        lambda: archive({**bert(), "../" * 60 + "x": b""}, tarfile.GNU_FORMAT),
        refused=("path-climbs", "path-too-deep"),
    ),
    "a gzip header with a name and a comment": hostile(
        lambda: archive(bert())[:3] + b"\x18" + archive(bert())[4:10] + b"model.tar\0said\0" + archive(bert())[10:]
    ),
    "gzip of zeros alone": hostile(lambda: gzip.compress(bytes(5000), mtime=0), refused=("no-files",)),
}  # fmt: skip
