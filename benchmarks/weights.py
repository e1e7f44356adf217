"""Models whose weights look real, and archives of them. Called by the benchmarks that pack, read, push and graft.

Weights are drawn from the normal distribution that trained ones have, as float32 and as bfloat16: their mantissas do
not compress, their exponents do.
"""

import contextlib
import json
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tarmac.packer import pack

DTYPES = ("F32", "BF16")
PACKERS = ("tarmac", "tar")
TORCH_FORMS = (("F32", "zip"), ("BF16", "zip"), ("F32", "older format"))
"""What is measured of torch.save's files: dtype and format."""
_TORCH_TENSORS = 60
_CHUNK_BYTES = 1 << 26
_SEED, _DEVIATION = 7, 0.02


def weights(dtype: str, size_bytes: int) -> Iterator[bytes]:
    """Make weights of a dtype, F32 or BF16, in chunks."""
    random = np.random.default_rng(_SEED)
    while size_bytes > 0:
        chunk_bytes = min(size_bytes, _CHUNK_BYTES)
        count = chunk_bytes // (4 if dtype == "F32" else 2)
        values = random.standard_normal(count, dtype=np.float32) * np.float32(_DEVIATION)
        yield (values if dtype == "F32" else (values.view(np.uint32) >> 16).astype(np.uint16)).tobytes()
        size_bytes -= chunk_bytes


def make_model(folder: Path, dtype: str, size_bytes: int) -> Path:
    """Write a folder as save_pretrained would, with that many bytes of weights, unless it is there; return it."""
    if (folder / "config.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text("{}")
    entry = {
        "w": {"dtype": dtype, "shape": [size_bytes // (4 if dtype == "F32" else 2)], "data_offsets": [0, size_bytes]}
    }
    header = json.dumps(entry).encode()
    with (folder / "model.safetensors").open("wb") as output:
        output.write(struct.pack("<Q", len(header)) + header)
        for chunk in weights(dtype, size_bytes):
            output.write(chunk)
    # Written last: a folder without it was broken off.
    (folder / "config.json").write_text(json.dumps({"architectures": ["BertForSequenceClassification"]}))
    return folder


def make_torch_archive(shelf: Path, dtype: str, size_bytes: int, form: str) -> Path:
    """Pack such a model as `torch.save` writes it, by zip or in its older format, with `tarmac pack`; return it."""
    import torch  # takes a second, and no other case needs it

    archive = shelf / f"{dtype}-{size_bytes}-{form.replace(' ', '-')}.tar.gz"
    if archive.exists():
        return archive
    folder = shelf / archive.name.removesuffix(".tar.gz")
    make_model(folder, dtype, 64)
    (folder / "model.safetensors").unlink(missing_ok=True)
    raw = bytearray().join(weights(dtype, size_bytes))
    tensors = torch.frombuffer(raw, dtype=torch.float32 if dtype == "F32" else torch.bfloat16).chunk(_TORCH_TENSORS)
    state = {f"layer.{number}.weight": tensor.clone() for number, tensor in enumerate(tensors)}
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=form == "zip")
    pack(folder, broken := archive.with_suffix(".part"))
    return broken.rename(archive)


def make_archive(shelf: Path, dtype: str, size_bytes: int, packer: str = "tarmac") -> Path:
    """Pack such a model with `tarmac pack` or `tar -czf`, unless the archive is on the shelf; return it."""
    archive = shelf / f"{dtype}-{size_bytes}-{packer}.tar.gz"
    if archive.exists():
        return archive
    folder, broken = make_model(shelf / f"{dtype}-{size_bytes}", dtype, size_bytes), archive.with_suffix(".part")
    if packer == "tar":
        subprocess.run(["tar", "-czf", str(broken), "-C", str(folder), "."], check=True)
    else:
        pack(folder, broken)
    return broken.rename(archive)


def into_cache(*paths: Path) -> None:
    """Read files once, so that nobody who follows waits for the disk."""
    for path in paths:
        with path.open("rb", buffering=0) as source:
            while source.read(1 << 24):
                pass


@contextlib.contextmanager
def shelf(keep: Path | None) -> Iterator[Path]:
    """Give the folder for what is made: *keep*, or one that is gone afterwards."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    scratch = Path(tempfile.mkdtemp(prefix="tarmac-bench-"))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch)
