"""Archives built by code, each with the checks it must get. Used by test_door_corpus and test_door_robust."""

import gzip
import io
import json
import pickle
import random
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from tests.unit import hostile_pickles

PICKLE = b"\x80\x04N."
ESTIMATOR = hostile_pickles.HONEST["an estimator"]
INFERENCE = b"def model_fn(model_dir):\n    return 1\n\ndef predict_fn(data, model):\n    return data\n"


def pickled(raw: bytes) -> bytes:
    """A scikit-learn archive with these bytes for its model."""
    return archive({"model.joblib": raw, "code/inference.py": INFERENCE})


def safetensors(dtype: str = "F32", count: int = 4, itemsize: int = 4) -> bytes:
    header = json.dumps({"w": {"dtype": dtype, "shape": [count], "data_offsets": [0, count * itemsize]}}).encode()
    return len(header).to_bytes(8, "little") + header + b"\x01" * (count * itemsize)


def config(architecture: str = "BertForSequenceClassification", **more: object) -> bytes:
    return json.dumps({"architectures": [architecture], "transformers_version": "4.51.3", **more}).encode()


def bert() -> dict[str, bytes]:
    return {"config.json": config(), "model.safetensors": safetensors(), "tokenizer.json": b"{}"}


def tar(files: Mapping[str, bytes], fmt: int = tarfile.PAX_FORMAT) -> bytes:
    return tar_of([regular(name, body) for name, body in files.items()], fmt)


def regular(name: str, body: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(body)
    return info, body


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def tar_of(members: list[tuple[tarfile.TarInfo, bytes]], fmt: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=fmt) as archive:
        for info, body in members:
            archive.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def packed(raw_tar: bytes) -> bytes:
    return gzip.compress(raw_tar, 1, mtime=0)


def archive(files: Mapping[str, bytes], fmt: int = tarfile.PAX_FORMAT) -> bytes:
    return packed(tar(files, fmt))


def bert_and(**more: bytes) -> bytes:
    return archive({**bert(), **more})


def bert_with(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    return packed(tar_of([*(regular(name, body) for name, body in bert().items()), *members]))


def bert_without(name: str) -> bytes:
    return archive({path: body for path, body in bert().items() if path != name})


def header_block(name: bytes, size: int, kind: bytes = b"0") -> bytes:
    """One ustar header, made by hand so that it may lie."""
    block = bytearray(512)
    block[: len(name)] = name
    block[100:108] = b"0000644\0"
    block[124:136] = b"%011o\0" % size
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    return with_checksum(block)


def with_checksum(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(body: bytes) -> bytes:
    return body + b"\0" * (-len(body) % 512)


END = b"\0" * 1024


def two_names() -> bytes:
    """A GNU long name and a PAX path that disagree."""
    record = b"18 path=README.md\n"
    long_name = header_block(b"././@LongLink", 8, b"L") + padded(b"evil.py\0")
    pax_path = header_block(b"pax", len(record), b"x") + padded(record)
    return packed(long_name + pax_path + header_block(b"x", 0) + tar(bert()))


def huge_sparse() -> bytes:
    """A GNU sparse header that claims eight exabytes."""
    block = bytearray(header_block(b"model.bin", 0, b"S"))
    block[257:265] = b"ustar  \0"
    block[483:495] = b"\x80" + (1 << 63).to_bytes(11, "big")
    return packed(with_checksum(block) + END)


def gnu_sparse(body: bytes, hole: int, name: bytes = b"config.json") -> bytes:
    """A member in GNU's old sparse format: a hole, then *body*."""
    block = bytearray(header_block(name, len(body), b"S"))
    block[257:265] = b"ustar  \0"
    block[386:410] = b"%011o\0%011o\0" % (hole, len(body))
    block[483:495] = b"%011o\0" % (hole + len(body))
    return with_checksum(block) + padded(body)


def changed(raw: bytes, at: int, field: bytes) -> bytes:
    """A tar whose first header says something else, its checksum made right again."""
    return with_checksum(bytearray(raw[:at] + field + raw[at + len(field) : 512])) + raw[512:]


def global_header(records: bytes) -> bytes:
    return header_block(b"g", len(records), b"g") + padded(records)


def bad_checksum() -> bytes:
    raw = bytearray(tar(bert()))
    raw[1024 + 3] ^= 1
    return packed(bytes(raw))


def zip_file() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as writer:
        writer.writestr(zipfile.ZipInfo("config.json"), config())
    return buffer.getvalue()


def truncated(keep: float) -> bytes:
    raw = bert_and(**{"noise.txt": bytes(index * 7919 % 251 for index in range(4000))})
    return raw[: int(len(raw) * keep)]


def damaged_crc() -> bytes:
    raw = bytearray(archive(bert()))
    raw[-8] ^= 0xFF
    return bytes(raw)


def members_of_gzip(pieces: int) -> bytes:
    """One tar, cut into several gzip members as bgzip and `pigz -i` do."""
    raw = tar(bert())
    step = -(-len(raw) // pieces)
    return b"".join(gzip.compress(raw[start : start + step], mtime=0) for start in range(0, len(raw), step))


def bert_shards(raw_index: bytes) -> bytes:
    """Sharded weights with this index."""
    more = {"config.json": config(), "tokenizer.json": b"{}", "model.safetensors.index.json": raw_index}
    return archive({**more, **shard_files(1, 2, 3)})


def _weights(raw: bytes) -> bytes:
    return bert_and(**{"model.safetensors": raw})


def _requiring(raw: bytes) -> bytes:
    wheels = {"code/wheels/flask.whl": b""}
    if b"rought" in raw:
        wheels["code/wheels/brought_along-1.2-py3-none-any.whl"] = b""
    return bert_and(**{"code/inference.py": INFERENCE, "code/requirements.txt": raw, **wheels})


def bomb(mib: int = 24) -> bytes:
    """So many MiB of zeros in one member of a thousandth of that."""
    deflater = zlib.compressobj(9, wbits=31)
    parts = [deflater.compress(header_block(b"pytorch_model.bin", mib << 20))]
    parts += [deflater.compress(bytes(1 << 20)) for _ in range(mib)]
    return b"".join([*parts, deflater.compress(END), deflater.flush()])


def many_members(count: int) -> bytes:
    return packed(b"".join(header_block(b"f%d" % number, 0) for number in range(count)) + END)


def lfs_pointer() -> bytes:
    text = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
    return archive({**bert(), "model.safetensors": text})


def shard_files(*numbers: int, total: int = 3) -> dict[str, bytes]:
    """Files of weights, each with one tensor called w and its number."""
    return {
        f"model-{number:05d}-of-{total:05d}.safetensors": safetensors_of({f"w{number}": ("F32", [4], 0, 16)})
        for number in numbers
    }


def shards(*numbers: int, total: int = 3, index: bool = True, **changes: object) -> bytes:
    """Sharded weights with their index, in which *changes* replace keys."""
    listed = {f"w{number}": f"model-{number:05d}-of-{total:05d}.safetensors" for number in range(1, total + 1)}
    raw = json.dumps({"metadata": {"total_size": 16 * total}, "weight_map": listed, **changes}).encode()
    more = {"model.safetensors.index.json": raw} if index else {}
    files = shard_files(*numbers, total=total)
    return archive({"config.json": config(), "tokenizer.json": b"{}", **files, **more})


def mixture_of_experts(files: int, tensors: int, **changes: str) -> bytes:
    """Empty tensors in many files with their index, in which *changes* put tensors elsewhere."""
    made: dict[str, bytes] = {}
    listed: dict[str, str] = {}
    for number in range(files):
        name = f"model-{number + 1:05d}-of-{files:05d}.safetensors"
        names = [f"model.layers.{number}.mlp.experts.{expert}.down_proj.weight_scale_inv" for expert in range(tensors)]
        made[name] = safetensors_of({tensor: ("F32", [0], 0, 0) for tensor in names})
        listed |= dict.fromkeys(names, name)
    raw = json.dumps({"metadata": {"total_size": 0}, "weight_map": {**listed, **changes}}, indent=2).encode()
    return archive({"config.json": config(), "tokenizer.json": b"{}", "model.safetensors.index.json": raw, **made})


def pickled_shards(**places: int) -> bytes:
    """Two of PyTorch's files, of w1 and w2, and of w3 and names too long to keep; and an index of which is in which."""
    names = {tensor: f"pytorch_model-{number:05d}-of-00002.bin" for tensor, number in places.items()}
    held = ({"w1": None, "w2": None}, {"w3": None, **{tensor: None for tensor in places if len(tensor) > 128}})
    made = {
        f"pytorch_model-{number:05d}-of-00002.bin": hostile_pickles.zipped(
            {"archive/data.pkl": pickle.dumps(tensors, 2)}
        )
        for number, tensors in enumerate(held, start=1)
    }
    index = {"pytorch_model.bin.index.json": json.dumps({"weight_map": names}).encode()}
    return archive({"config.json": config(), "tokenizer.json": b"{}", **index, **made})


def safetensors_of(tensors: Mapping[str, tuple[str, list[int], int, int]], more: bytes = b"") -> bytes:
    """A file with these tensors (type, shape, begin, end), whether they fit each other or not, and *more* header."""
    entries = {
        name: {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
        for name, (dtype, shape, begin, end) in tensors.items()
    }
    header = json.dumps(entries).encode()[:-1] + more + b"}"
    size = max(end for _, _, _, end in tensors.values())
    return len(header).to_bytes(8, "little") + header + bytes(size)


@dataclass(frozen=True)
class Case:
    """An archive, perhaps with a deploy.toml, the stage's trust, and the ids of every error and warning it must get."""

    build: Callable[[], bytes]
    expected: frozenset[str]
    raw_toml: bytes | None = None
    trust_ceiling: str = "trusted"


def case(build: Callable[[], bytes], *expected: str, toml: str | bytes | None = None, ceiling: str = "trusted") -> Case:
    return Case(build, frozenset(expected), toml.encode() if isinstance(toml, str) else toml, ceiling)


def good(toml: str | bytes, *expected: str) -> Case:
    """A sound archive with this deploy.toml."""
    return case(lambda: archive(bert()), *expected, toml=toml)


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
    "absolute": case(lambda: bert_with((_named("/etc/passwd"), b"")), "path-absolute"),
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
    # Layout.
    "one folder too deep": case(
        lambda: archive({f"my model/{name}": body for name, body in bert().items()}), "one-folder-too-deep"
    ),
    "two folders too deep": case(
        lambda: archive({f"a/b/{name}": body for name, body in bert().items()}), "one-folder-too-deep"
    ),
    "too deep with strays": case(
        lambda: archive({"README.md": b"", **{f"m/{name}": body for name, body in bert().items()}}),
        "one-folder-too-deep",
    ),
    "only another archive": case(
        lambda: archive({"model.zip": zip_file()}), "nothing-to-serve", "archive-nested"
    ),
    "two models": case(
        lambda: archive({f"{folder}/{name}": body for folder in "ab" for name, body in bert().items()}),
        "nothing-to-serve",
    ),
    "nothing to serve": case(lambda: archive({"notes.txt": b"hi"}), "nothing-to-serve"),
    "code at the root": case(
        lambda: archive({"inference.py": INFERENCE}), "nothing-to-serve", "code-misplaced"
    ),
    "weights alone": case(lambda: archive({"model.safetensors": safetensors()}), "nothing-to-serve"),
    "adapter alone": case(
        lambda: archive({"adapter_config.json": b"{}", "adapter_model.safetensors": safetensors()}), "adapter-only"
    ),
    "sklearn without code": case(lambda: archive({"model.joblib": ESTIMATOR}), "weights-pickled"),
    "sklearn by a name of its own": case(lambda: archive({"churn.pkl": ESTIMATOR}), "weights-pickled"),
    "sklearn twice": case(
        lambda: archive({"a.joblib": ESTIMATOR, "b.joblib": ESTIMATOR}), "code-missing", "weights-pickled"
    ),
    "sklearn with a folder code and no handler": case(
        lambda: archive({"model.joblib": ESTIMATOR, "code/notes.txt": b""}), "code-missing", "weights-pickled"
    ),
    "sklearn that is strict": case(
        lambda: archive({"model.joblib": ESTIMATOR}), "trust-strict", toml='trust = "strict"'
    ),
    "sklearn that is trusted": case(lambda: archive({"model.joblib": ESTIMATOR}), toml='trust = "trusted"'),
    "a pickle of no estimator": case(lambda: archive({"model.joblib": PICKLE}), "code-missing", "weights-pickled"),
    "sklearn": case(lambda: archive({"model.joblib": PICKLE, "code/inference.py": INFERENCE}), "weights-pickled"),
    "torchscript": case(lambda: archive({"model.pth": PICKLE, "code/inference.py": INFERENCE}), "weights-pickled"),
    "tensorflow": case(lambda: archive({"1/saved_model.pb": b"x"})),
    "tensorflow without a number": case(lambda: archive({"saved_model.pb": b"x"}), "saved-model-not-numbered"),
    "xgboost": case(lambda: archive({"xgboost-model": b'{"learner":{},"version":[3,2,0]}'})),
    "xgboost's wrapper": case(
        lambda: archive({"model.pkl": b"\x80\x02cxgboost.sklearn\nXGBClassifier\n."}),
        "weights-pickled", "xgboost-wrapper-pickled",
    ),
    "onnx": case(lambda: archive({"model.onnx": b"x"}), "container-not-available"),
    "a type that nobody knows": case(
        lambda: bert_and(**{"config.json": config(model_type="brandnew")}), "architecture-unknown"
    ),
    "a type whose pipeline has gone": case(
        lambda: bert_and(**{
            "config.json": config("T5GemmaForConditionalGeneration", model_type="t5gemma"),
            "preprocessor_config.json": b"{}",
        }),
        "pipeline-removed", toml='task = "visual-question-answering"',
    ),
    "toml tei without a fast tokenizer": case(
        lambda: archive({
            "config.json": config("BertModel", model_type="bert"),
            "model.safetensors": safetensors(), "vocab.txt": b"a",
        }),
        "container-needs-file", toml='container = "tei"',
    ),
    "xgboost beside a README": case(
        lambda: archive({"model.ubj": b"{L\0\0\0\0\0\0\0\x07learner", "README.md": b"#"}), "xgboost-stray-file"
    ),
    # Weights.
    "weights missing": case(lambda: bert_without("model.safetensors"), "weights-missing"),
    "weights of flax": case(
        lambda: archive({"config.json": config(), "tokenizer.json": b"", "flax_model.msgpack": b"x"}), "weights-format"
    ),
    "weights of tensorflow": case(
        lambda: archive({"config.json": config(), "tokenizer.json": b"{}", "tf_model.h5": b"x"}), "weights-format"
    ),
    "git and an environment": case(
        lambda: bert_and(**{".git/objects/pack/x.pack": bytes(1 << 20), "venv/x.py": b"1"}), "tool-leavings"
    ),
    "cache of the hub": case(lambda: bert_and(**{".cache/huggingface/x.lock": b""})),
    "optimizer of fsdp": case(lambda: bert_and(**{"optimizer_0/__0_0.distcp": bytes(9)}), "training-leftovers"),
    "weights empty": case(lambda: archive({"config.json": config(), "tokenizer.json": b"", "model.bin": b""}),
                          "weights-empty", "weights-pickled"),
    "weights cut": case(lambda: bert_and(**{"model.safetensors": safetensors()[:-1]}), "safetensors-damaged"),
    "weights not safetensors": case(lambda: bert_and(**{"model.safetensors": b"x" * 99}), "safetensors-damaged"),
    "weights shorter than a header": case(lambda: bert_and(**{"model.safetensors": b"x"}), "safetensors-damaged"),
    **{f"safetensors {name}": case(partial(_weights, raw), "safetensors-damaged")
       for name, raw in {
           "with a hole": safetensors_of({"a": ("U8", [2], 4, 6)}),
           "overlapping": safetensors_of({"a": ("U8", [4], 0, 4), "b": ("U8", [4], 2, 6)}),
           "that say one thing twice": safetensors_of({"a": ("U8", [2], 0, 2)}, b', "a": {}'),
           "with no tensor": safetensors_of({"a": ("U8", [2], 0, 2)}, b', "b": 1'),
           "with half a character": safetensors_of({"a": ("U8", [2], 0, 2)}, b', "__metadata__": {"a": "\\ud800"}'),
           "with numbers in the metadata": safetensors_of({"a": ("U8", [2], 0, 2)}, b', "__metadata__": {"a": 1}'),
           "with no number": safetensors_of({"a": ("U8", [2], 0, 2)}, b', "__metadata__": {"a": NaN}'),
           "larger than any file": safetensors_of({"a": ("U8", [1 << 40, 1 << 40, 0], 0, 0)}),
       }.items()},
    "safetensors with a tensor called data_offsets": case(
        lambda: _weights(safetensors_of({"data_offsets": ("U8", [2], 0, 2), "a": ("U8", [0], 2, 2)}))
    ),
    "lfs pointer": case(lfs_pointer, "lfs-pointer"),
    "shard missing": case(lambda: shards(1, 3), "weights-shard-missing"),
    "shard missing by the index alone": case(
        lambda: shards(1, 2, 3, weight_map={"w1": "model-00001-of-00003.safetensors", "w4": "other.safetensors"}),
        "weights-shard-missing", "weights-not-in-index",
    ),
    "index not json": case(lambda: bert_shards(b"{"), "weights-index-wrong"),
    "index without a map": case(lambda: bert_shards(b"{}"), "weights-index-wrong"),
    "index with a wrong file": case(
        lambda: shards(1, 2, total=2, weight_map=dict.fromkeys(("w1", "w2"), "model-00001-of-00002.safetensors")),
        "weights-index-wrong", "weights-not-in-index", "weights-total-size",
    ),
    "index of other tensors": case(
        lambda: shards(1, total=1, weight_map={"v": "model-00001-of-00001.safetensors"}),
        "weights-index-wrong", "weights-not-in-index",
    ),
    "index of another size": case(lambda: shards(1, 2, 3, metadata={"total_size": 100}), "weights-total-size"),
    "index of an odd size": case(lambda: shards(1, 2, 3, metadata={"total_size": "1"}), "weights-total-size"),
    "index without a size": case(lambda: shards(1, 2, 3, metadata={})),
    "index of 32,000 tensors": case(lambda: mixture_of_experts(4, 8_000)),
    "index of 32,000 tensors, one of them elsewhere": case(
        lambda: mixture_of_experts(
            4, 8_000,
            **{"model.layers.1.mlp.experts.7.down_proj.weight_scale_inv": "model-00001-of-00004.safetensors"},
        ),
        "weights-index-wrong", "weights-not-in-index",
    ),
    "index too large to read": case(lambda: bert_shards(random.Random(5).randbytes(5 << 19))),
    "pickled shards": case(lambda: pickled_shards(w1=1, w2=1, w3=2), "weights-pickled"),
    "pickled shards, a tensor elsewhere": case(
        lambda: pickled_shards(w1=1, w2=2, w3=2), "weights-index-wrong", "weights-pickled"
    ),
    "pickled shards, a tensor that none has": case(
        lambda: pickled_shards(w1=1, w4=2), "weights-index-wrong", "weights-pickled"
    ),
    "pickled shards with names that are not known": case(
        lambda: pickled_shards(w1=1, w4=2, **{"w" * 200: 2}), "weights-pickled"
    ),
    "index of pickles": case(
        lambda: archive({"config.json": config(), "tokenizer.json": b"{}", "pytorch_model-00001-of-00001.bin": PICKLE,
                         "pytorch_model.bin.index.json": b'{"weight_map": {"a": "x.bin"}}'}),
        "weights-shard-missing", "weights-not-in-index", "weights-pickled",
    ),
    "index beside undivided weights": case(lambda: bert_and(**{"model.safetensors.index.json": b"{"})),
    "index missing": case(lambda: shards(1, 2, 3, index=False), "weights-index-missing"),
    "two formats": case(lambda: bert_and(**{"pytorch_model.bin": PICKLE}), "weights-twice"),
    "checkpoints": case(
        lambda: bert_and(**{"checkpoint-500/optimizer.pt": PICKLE, "training_args.bin": PICKLE}), "training-leftovers"
    ),
    "only a checkpoint": case(
        lambda: archive({f"checkpoint-1/{name}" if "model" in name else name: body for name, body in bert().items()}),
        "weights-missing", "training-leftovers",
    ),
    # Configuration.
    "config not json": case(lambda: bert_and(**{"config.json": b"{'a': 1}"}), "config-not-json", "task-unknown"),
    "config with a mark": case(
        lambda: bert_and(**{"config.json": b"\xef\xbb\xbf{}"}), "config-not-json", "task-unknown"
    ),
    "config latin-1": case(lambda: bert_and(**{"config.json": b'{"a": "\xe9"}'}), "config-not-json", "task-unknown"),
    "config a list": case(lambda: bert_and(**{"config.json": b"[]"}), "config-not-object", "task-unknown"),
    "config nested": case(lambda: bert_and(**{"config.json": b"[" * 100_000}), "config-not-json", "task-unknown"),
    "config huge": case(lambda: bert_and(**{"config.json": b" " * (1 << 21)}), "code-not-read", "task-unknown"),
    "tokenizer config": case(lambda: bert_and(**{"tokenizer_config.json": b"{"}), "config-not-json"),
    "tokenizer missing": case(lambda: bert_without("tokenizer.json"), "tokenizer-missing"),
    "processor missing": case(
        lambda: bert_and(**{"config.json": config("ViTForImageClassification")}), "processor-missing"
    ),
    "remote code": case(lambda: bert_and(**{"config.json": config(auto_map={})}), "config-remote-code"),
    "task unknown": case(lambda: bert_and(**{"config.json": config("Odd")}), "task-unknown"),
    # Code.
    "code": case(lambda: bert_and(**{"code/inference.py": INFERENCE})),
    "code does not parse": case(lambda: bert_and(**{"code/inference.py": b"def model_fn(:\n"}), "code-syntax"),
    "code with nul": case(lambda: bert_and(**{"code/inference.py": b"a\0b"}), "code-syntax"),
    "code nested": case(lambda: bert_and(**{"code/inference.py": b"-" * 60_000 + b"1"}), "code-syntax"),
    "code long": case(lambda: bert_and(**{"code/inference.py": b"a\n" * 60_000}), "code-not-read"),
    "helper does not parse": case(
        lambda: bert_and(**{"code/inference.py": INFERENCE, "code/lib/x.py": b"1 +"}), "code-syntax"
    ),
    "hooks clash": case(
        lambda: bert_and(**{"code/inference.py": INFERENCE + b"def transform_fn(a, b, c, d): pass\n"}),
        "code-hooks-clash",
    ),
    "hook arguments": case(
        lambda: bert_and(**{"code/inference.py": b"def model_fn(a, b, c): pass\n"}), "code-hook-arguments"
    ),
    "hook that nobody awaits": case(
        lambda: bert_and(**{"code/inference.py": b"async def model_fn(a): pass\n"}), "code-hook-async"
    ),
    "code called Code": case(lambda: bert_and(**{"Code/inference.py": INFERENCE}), "code-misplaced"),
    "code in code": case(lambda: bert_and(**{"code/code/inference.py": INFERENCE}), "code-misplaced"),
    "notebook for a handler": case(lambda: bert_and(**{"code/inference.ipynb": b"{}"}), "code-misplaced"),
    "handler of Inference Endpoints": case(lambda: bert_and(**{"handler.py": b"class EndpointHandler: pass"}),
                                           "code-misplaced"),
    "no hooks": case(lambda: bert_and(**{"code/inference.py": b"print(1)\n"}), "code-without-hooks"),
    "requirements": case(
        lambda: bert_and(**{"code/inference.py": INFERENCE, "code/requirements.txt": b"flask\n"}),
        "requirements-offline",
    ),
    **{f"requirements {name}": case(partial(_requiring, raw), *expected)
       for name, raw, *expected in (
           ("of another torch", b"flask\ntorch==2.1.0\n", "requirements-contradict", "requirements-offline"),
           ("of an older transformers", b"transformers<4.40\n", "requirements-contradict"),
           ("of what is there", b"# mine\ntransformers>=4.40  # or later\nTorch~=2.0 ; python_version > '3'\nnumpy\n"),
           ("of another numpy", b"numpy==1.26.4\n", "requirements-offline"),
           ("from the net", b"-e git+https://example.com/x\n--no-deps\nx @ https://example.com/x.zip\n",
            "requirements-offline"),
           ("with odd versions", b"torch==999999999999999999999\ntransformers=>1\n[\n", "requirements-offline"),
           ("brought along", b"./wheels/flask.whl\n"),
           ("brought as wheels", b"--find-links /opt/ml/model/code/wheels\nBrought_Along==1.2\n"),
           ("brought where pip does not look", b"brought-along==1.2\n", "requirements-offline"),
       )},
    "requirements empty": case(
        lambda: bert_and(**{"code/inference.py": INFERENCE, "code/requirements.txt": b"# nothing\n"})
    ),
    "requirements utf-16": case(
        lambda: bert_and(**{"code/inference.py": INFERENCE, "code/requirements.txt": "numpy".encode("utf-16")}),
        "requirements-not-text",
    ),
    "requirements misplaced": case(lambda: bert_and(**{"requirements.txt": b"numpy"}), "code-misplaced"),
    # Trust.
    "strict": good('trust = "strict"'),
    "strict with code": case(
        lambda: bert_and(**{"code/inference.py": INFERENCE}), "trust-strict", toml='trust = "strict"'
    ),
    "strict with pickles": case(
        lambda: bert_and(**{"extra.bin": PICKLE}), "trust-strict", toml='trust = "strict"'
    ),
    **{f"pickle imports, {name}": case(partial(pickled, raw), "pickle-import-not-allowed", "weights-pickled")
       for name, raw in hostile_pickles.IMPORTS.items()},
    **{f"pickle not followed, {name}": case(partial(pickled, raw), "pickle-not-followed", "weights-pickled")
       for name, raw in hostile_pickles.NOT_FOLLOWED.items()},
    **{f"pickle honest, {name}": case(partial(pickled, raw), "weights-pickled")
       for name, raw in hostile_pickles.HONEST.items()},
    "pickle hostile and trusted": case(partial(pickled, hostile_pickles.IMPORTS["eval"]), toml='trust = "trusted"'),
    "pickle hostile by another name": case(
        lambda: bert_and(**{"vocab.txt": hostile_pickles.IMPORTS["protocol 4"]}), "pickle-import-not-allowed"
    ),
    "pickle hostile beside safetensors": case(
        lambda: bert_and(**{"pytorch_model.bin": hostile_pickles.IMPORTS["in torch's zip"]}),
        "pickle-import-not-allowed", "weights-twice",
    ),
    "pickle hostile in a leftover": case(
        lambda: bert_and(**{"training_args.bin": hostile_pickles.IMPORTS["in torch's zip"]}),
        "pickle-import-not-allowed",
    ),
    "leftover of a trainer": case(
        lambda: bert_and(**{"training_args.bin": b"\x80\x02ctransformers.training_args\nTrainingArguments\n)R."})
    ),
    "bin that is no pickle": case(lambda: bert_and(**{"model.bin": b"\x00\x01weights of another kind"}),
                                  "weights-pickled"),
    "strict with a pickle in disguise": case(
        lambda: bert_and(**{"vocab.txt": PICKLE}), "trust-strict", toml='trust = "strict"'
    ),
    "trusted pickles": case(lambda: bert_and(**{"extra.bin": PICKLE}), toml='trust = "trusted"'),
    "trusted on a stage that scans": case(
        lambda: bert_and(**{"extra.bin": PICKLE}), "trust-above-stage", "weights-pickled",
        toml='trust = "trusted"', ceiling="scan",
    ),
    "scan on a strict stage": case(
        lambda: archive(bert()), "trust-above-stage", toml='trust = "scan"', ceiling="strict"
    ),
    "code on a strict stage, nothing asked for": case(
        lambda: bert_and(**{"code/inference.py": INFERENCE}), "trust-strict", ceiling="strict"
    ),
    "weights on a strict stage": case(lambda: archive(bert()), ceiling="strict"),
    "strict on a stage that scans": case(lambda: archive(bert()), toml='trust = "strict"', ceiling="scan"),
    # deploy.toml.
    "toml empty": good(""),
    "toml with a mark": good(b"\xef\xbb\xbftask = 'fill-mask'"),
    "toml whole": good(
        'task = "fill-mask"\nmode = "realtime"\ninstance_type = "ml.m5.xlarge"\ninstance_count = 2\n'
        'max_hourly_cost = 1\nidle_after = "never"\ncontainer = "huggingface"\n[env]\nOMP_NUM_THREADS = "2"\n'
    ),
    "toml not utf-8": good(b"task = '\xff'", "toml-not-utf8"),
    "toml utf-16": good("task = 'a'".encode("utf-16"), "toml-not-utf8"),
    "toml too large": good(b"#" * 70_000, "toml-too-large"),
    "toml unquoted": good("idle_after = 30m", "toml-syntax"),
    "toml nested": good("a = " + "[" * 30_000, "toml-syntax"),
    "toml long number": good("instance_count = " + "9" * 9_000, "toml-syntax"),
    "toml key twice": good("task='fill-mask'\ntask='fill-mask'", "toml-syntax"),
    "toml unknown key": good('idle_afer = "30m"', "toml-unknown-key"),
    "toml unknown table": good("[serverles]\nmemory_mb = 1024", "toml-unknown-key"),
    "toml key in the wrong table": good("[autoscale]\nmemory_mb = 1024", "toml-unknown-key"),
    "toml wrong type": good("idle_after = 900", "toml-wrong-type"),
    "toml boolean count": good("instance_count = true", "toml-wrong-type"),
    "toml table as a string": good("env = 'a'", "toml-wrong-type"),
    "toml array of tables": good("[[env]]\nHF_TASK='fill-mask'", "toml-wrong-type"),
    "toml date": good("task = 2026-01-01", "toml-wrong-type"),
    "toml unknown task": good('task = "text-clasification"', "toml-bad-value"),
    "toml unknown instance": good('instance_type = "ml.m5.lage"', "toml-bad-value"),
    "toml bad duration": good('idle_after = "soon"', "toml-bad-value"),
    "toml endless duration": good(f'idle_after = "{"9" * 400}d"', "toml-bad-value"),
    "toml no money": good("max_hourly_cost = 0.0", "toml-bad-value"),
    "toml no number": good("max_hourly_cost = nan", "toml-bad-value"),
    "toml huge money": good("max_hourly_cost = 1" + "0" * 400, "toml-bad-value"),
    "toml no instances": good("instance_count = 0", "toml-bad-value"),
    "toml image": good('container = "evil.example.com/x:latest"', "toml-bad-value"),
    "toml two tasks": good('task = "fill-mask"\n[env]\nHF_TASK = "translation"', "toml-bad-value"),
    "toml max below min": good("[autoscale]\nmin = 3\nmax = 2", "toml-bad-value"),
    "toml autoscale without bound": good("[autoscale]\nmin = 3", "toml-bad-value"),
    "toml async": good('mode = "async"\n[autoscale]\nmax = 2', "async-not-scaled"),
    "toml memory": good("[serverless]\nmemory_mb = 1000", "toml-bad-value"),
    "toml hub model": good('hub_model = "../x"', "toml-bad-value"),
    "toml below the floor": good('idle_after = "5m"', "idle-after-below-floor"),
    "toml env": good('[env]\nLD_PRELOAD = "/tmp/x.so"', "env-not-allowed"),
    "toml env number": good("[env]\nOMP_NUM_THREADS = 2", "toml-wrong-type"),
    "toml serverless": good('mode = "serverless"\n[serverless]\nmemory_mb = 2048'),
    "toml hub model beside an archive": good('hub_model = "a/b"', "hub-model-and-archive"),
    "toml vllm": good('container = "vllm"', "container-cannot-serve"),
    "toml graviton": good('instance_type = "ml.c7g.large"', "instance-chip"),
    "toml sklearn on a gpu": case(
        lambda: archive({"model.joblib": PICKLE, "code/inference.py": INFERENCE}),
        "instance-chip", "weights-pickled", toml='container = "sklearn"\ninstance_type = "ml.g5.xlarge"',
    ),
    "toml another container": good('container = "sklearn"', "container-cannot-serve"),
    "toml over budget": good('instance_type = "ml.m5.xlarge"\nmax_hourly_cost = 0.1', "over-max-hourly-cost"),
    "toml price unknown": good('instance_type = "ml.m7i.large"\nmax_hourly_cost = 9', "price-unknown"),
}  # fmt: skip


def _named(name: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(name)
