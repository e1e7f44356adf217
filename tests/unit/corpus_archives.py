"""Archives in every flavour of tar and gzip, sound and not, and names and types of members. Joined by corpus_cases."""

import gzip
import tarfile

from tests.unit.corpus import (
    END,
    INFERENCE,
    Case,
    archive,
    bad_checksum,
    bert,
    bert_and,
    bert_with,
    bomb,
    case,
    changed,
    config,
    damaged_crc,
    global_header,
    gnu_sparse,
    header_block,
    huge_sparse,
    many_members,
    members_of_gzip,
    named,
    packed,
    padded,
    regular,
    safetensors,
    shards,
    special,
    tar,
    tar_of,
    truncated,
    two_names,
    with_checksum,
    zip_file,
)

CASES: dict[str, Case] = {
    # Sound archives, in every flavour of tar and gzip.
    "bert": case(lambda: archive(bert())),
    "bert ustar": case(lambda: archive(bert(), tarfile.USTAR_FORMAT)),
    "bert gnu": case(lambda: archive(bert(), tarfile.GNU_FORMAT)),
    "dot-slash paths": case(lambda: archive({f"./{name}": body for name, body in bert().items()})),
    "a root called /": case(lambda: bert_with(special("/", tarfile.DIRTYPE))),
    "empty folders": case(lambda: bert_with(special("./", tarfile.DIRTYPE), special("./logs", tarfile.DIRTYPE))),
    "long names": case(lambda: bert_and(**{"a" * 120 + "/" + "b" * 120 + ".txt": b""})),
    "long names gnu": case(
        lambda: archive({**bert(), "a" * 120 + "/" + "b" * 120 + ".txt": b""}, tarfile.GNU_FORMAT)
    ),
    "several gzip members": case(lambda: members_of_gzip(5)),
    "zeros after the gzip stream": case(lambda: archive(bert()) + b"\0" * 4096),
    "sparse config": case(lambda: packed(gnu_sparse(b"{}", 5, b"x.json") + tar(bert()))),
    "old v7 tar": case(
        lambda: packed(
            with_checksum(bytearray(header_block(b"logs/", 0, b"\0")[:257] + bytes(255))) + tar(bert())
        )
    ),
    "global pax header": case(
        lambda: packed(header_block(b"g", 17, b"g") + padded(b"17 comment=hello\n") + tar(bert()))
    ),
    "code only": case(lambda: archive({"code/inference.py": INFERENCE})),
    "sentence encoder": case(
        lambda: archive({**bert(), "modules.json": b"[]", "1_Pooling/config.json": b"{}"})
    ),
    "shards": case(lambda: shards(1, 2, 3)),
    # Not gzip, or not whole.
    "empty file": case(lambda: b"", "archive-empty"),
    "one byte": case(lambda: b"\x1f", "archive-truncated"),
    "zip": case(zip_file, "archive-not-gzip"),
    "plain tar": case(lambda: tar(bert()), "archive-not-gzip"),
    "bzip2": case(lambda: b"BZh91AY&SY" + b"x" * 50, "archive-not-gzip"),
    "xz": case(lambda: b"\xfd7zXZ\x00" + b"x" * 50, "archive-not-gzip"),
    "zstd": case(lambda: b"\x28\xb5\x2f\xfd" + b"x" * 50, "archive-not-gzip"),
    "bare safetensors": case(safetensors, "archive-not-gzip"),
    "web page": case(lambda: b"<!DOCTYPE html><html>404</html>", "archive-not-gzip"),
    "text": case(lambda: b"hello", "archive-not-gzip"),
    "wrong gzip magic": case(lambda: b"\x1f\x8c" + b"x" * 50, "archive-not-gzip"),
    "gzip with flags that mean nothing": case(
        lambda: archive(bert())[:3] + b"\x40" + archive(bert())[4:], "archive-damaged"
    ),
    "gzip packed in another way": case(lambda: b"\x1f\x8b\x07" + archive(bert())[3:], "archive-damaged"),
    "gzip of text": case(lambda: gzip.compress(b"hello world", mtime=0), "tar-not-found"),
    "gzip of safetensors": case(lambda: gzip.compress(safetensors(count=400), mtime=0), "tar-not-found"),
    "packed twice": case(lambda: gzip.compress(bert_and(noise=bytes(range(256)) * 9), mtime=0), "tar-not-found"),
    "gzip of nothing": case(lambda: gzip.compress(b"", mtime=0), "no-files", "tar-without-end"),
    "cut in half": case(lambda: truncated(0.5), "archive-truncated"),
    "last byte cut": case(lambda: archive(bert())[:-1], "archive-truncated"),
    "crc damaged": case(damaged_crc, "archive-damaged"),
    "text after gzip": case(lambda: archive(bert()) + b"trailing", "archive-trailing-data"),
    "fragmented": case(lambda: gzip.compress(b"", mtime=0) * 10_001 + archive(bert()), "archive-fragmented"),
    "bomb": case(bomb, "archive-bomb"),
    # The tar.
    "tar cut in a member": case(lambda: packed(tar(bert())[:700]), "tar-truncated"),
    "tar cut in a header": case(lambda: packed(tar(bert())[: 1024 + 100]), "tar-truncated"),
    "tar without end": case(lambda: packed(tar(bert()).rstrip(b"\0").ljust(3072, b"\0")), "tar-without-end"),
    "two tars joined": case(lambda: archive(bert()) + archive(bert()), "tar-trailing-data"),
    "bad checksum": case(bad_checksum, "tar-damaged"),
    "record too long": case(lambda: packed(header_block(b"x", 1 << 30, b"x") + END), "tar-damaged"),
    "record malformed": case(
        lambda: packed(header_block(b"x", 512, b"x") + b"99999 path=a\n".ljust(512, b" ") + END), "tar-damaged"
    ),
    "mode that is no number": case(lambda: packed(changed(tar(bert()), 100, b"oops")), "tar-damaged"),
    "time that is no number": case(lambda: packed(changed(tar(bert()), 136, b"1x")), "tar-damaged"),
    "half a name where GNU's format has none": case(
        lambda: packed(changed(tar(bert(), tarfile.GNU_FORMAT), 345, b"elsewhere")), "tar-damaged"
    ),
    "global header that names": case(
        lambda: packed(global_header(b"18 path=README.md\n") + tar(bert())), "tar-damaged"
    ),
    "global header of a sparse file": case(
        lambda: packed(global_header(b"22 GNU.sparse.major=1\n") + tar(bert())), "tar-damaged"
    ),
    "empty name in a record": case(
        lambda: packed(header_block(b"x", 8, b"x") + padded(b"8 path=\n") + tar(bert())), "tar-damaged"
    ),
    "two long names for one": case(
        lambda: packed(2 * (header_block(b"././@LongLink", 2, b"L") + padded(b"x\0")) + tar(bert())), "tar-damaged"
    ),
    "two record headers for one": case(
        lambda: packed(2 * (header_block(b"x", 512, b"x") + bytes(512)) + tar(bert())), "tar-damaged"
    ),
    "header without its member": case(
        lambda: packed(tar(bert()).rstrip(b"\0").ljust(3072, b"\0") + header_block(b"x", 512, b"x") + bytes(512) + END),
        "tar-truncated",
    ),
    "sparse records that are not whole": case(
        lambda: packed(header_block(b"x", 22, b"x") + padded(b"22 GNU.sparse.minor=0\n") + tar(bert())), "tar-damaged"
    ),
    "sparse bomb": case(lambda: packed(gnu_sparse(b"x", 4 << 30, b"xgboost-model") + END), "archive-bomb"),
    "sparse bombs in numbers": case(
        lambda: packed(b"".join(gnu_sparse(b"x", 1 << 20, b"f%d" % n) for n in range(20)) + END), "archive-bomb"
    ),
    "sparse lie": case(huge_sparse, "tar-damaged"),
    "too many members": case(lambda: many_members(10_001), "too-many-members"),
    "folders only": case(lambda: packed(tar_of([special("m", tarfile.DIRTYPE)])), "no-files"),
    # Hostile names and types.
    "climbing": case(lambda: bert_and(**{"../../etc/cron.d/x": b""}), "path-climbs"),
    "absolute": case(lambda: bert_with((named("/etc/passwd"), b"")), "path-absolute"),
    "drive letter": case(lambda: bert_and(**{"C:/x": b""}), "path-absolute"),
    "backslash": case(lambda: bert_and(**{"code\\x": b""}), "path-backslash"),
    "newline in a name": case(lambda: bert_and(**{"a\nb": b""}), "path-control-character"),
    "right-to-left name": case(lambda: bert_and(**{"a\u202eb": b""}), "path-control-character"),
    "latin-1 name": case(
        lambda: packed(header_block("caf\xe9.txt".encode("latin-1"), 0) + tar(bert())), "path-not-utf8"
    ),
    "latin-1 weights": case(
        lambda: packed(header_block("caf\xe9.safetensors".encode("latin-1"), 0) + tar(bert())),
        "path-not-utf8", "safetensors-damaged", "weights-empty",
    ),
    "too deep": case(lambda: bert_and(**{"d/" * 17 + "x": b""}), "path-too-deep"),
    "too long": case(lambda: bert_and(**{"d/" * 600: b""}), "path-too-long"),
    "part too long": case(lambda: bert_and(**{"n" * 256: b""}), "path-too-long"),
    "duplicate": case(lambda: bert_with(regular("./config.json", config())), "path-duplicate"),
    "file as folder": case(lambda: bert_and(**{"config.json/x": b""}), "path-conflict"),
    "file called as a folder": case(lambda: bert_and(**{"config/": b"{}"}), "path-ambiguous"),
    "two names for one": case(two_names, "path-ambiguous"),
    "symbolic link": case(lambda: bert_with(special("x", tarfile.SYMTYPE, "config.json")), "link"),
    "link out": case(lambda: bert_with(special("x", tarfile.SYMTYPE, "/etc/passwd")), "link"),
    "hard link": case(lambda: bert_with(special("x", tarfile.LNKTYPE, "config.json")), "link"),
    "device": case(lambda: bert_with(special("x", tarfile.CHRTYPE)), "special-file"),
    "fifo": case(lambda: bert_with(special("x", tarfile.FIFOTYPE)), "special-file"),
    "vendor type": case(lambda: bert_with(special("x", b"Z")), "member-type"),
    "nested archive": case(lambda: bert_and(**{"more.tar.gz": b""}), "archive-nested"),
    "macos": case(lambda: bert_and(**{"._config.json": b"", "__MACOSX/x": b"", ".DS_Store": b""}), "macos-leavings"),
}  # fmt: skip
