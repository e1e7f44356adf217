"""Builds archives by code: the parts of the corpus, whose cases are in corpus_*.py. Used by the tests of the door."""

import gzip
import io
import json
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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


def with_weights(raw: bytes) -> bytes:
    return bert_and(**{"model.safetensors": raw})


def requiring(raw: bytes) -> bytes:
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
    errors: frozenset[str] | None = None
    """Which of them are errors; None where that is not held against it."""


def case(build: Callable[[], bytes], *expected: str, toml: str | bytes | None = None, ceiling: str = "trusted") -> Case:
    return Case(build, frozenset(expected), toml.encode() if isinstance(toml, str) else toml, ceiling)


def hostile(
    build: Callable[[], bytes],
    *,
    refused: tuple[str, ...] = (),
    warned: tuple[str, ...] = (),
    toml: str | None = None,
) -> Case:
    """An archive with exactly the errors and exactly the warnings that it must get."""
    return Case(build, frozenset(refused + warned), toml.encode() if toml else None, errors=frozenset(refused))


def good(toml: str | bytes, *expected: str) -> Case:
    """A sound archive with this deploy.toml."""
    return case(lambda: archive(bert()), *expected, toml=toml)


def named(name: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(name)
