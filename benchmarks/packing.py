"""Packing a model: `tarmac pack` beside `tar -czf`, on the same folder.

    python -m benchmarks.packing [--size MB] [--dtype F32|BF16] [--rounds N] [--keep DIR]

Files lie in the page cache; both write to the same disk, and so does ISA-L called bare, on as many threads, which does
nothing but compress: it shows how much is left to gain. Medians are compared. Promised: 15 times as fast as tar, and a
file at most 1 % larger than tar's.
"""

import os
import subprocess
from pathlib import Path
from typing import Any, cast

from isal import igzip_threaded

from benchmarks.figures import Figure, present
from benchmarks.rounds import interleaved, parser, timed
from benchmarks.weights import DTYPES, into_cache, make_model, shelf
from tarmac.packer import pack

SPEEDUP_MIN, SIZE_MAX = 15.0, 1.01
_LEVEL, _CHUNK_BYTES = 1, 1 << 20


def bare(source: Path, packed: Path) -> None:
    """Compress one file with ISA-L at the packer's level: no tar, no hash."""
    threads = max(1, min(8, os.cpu_count() or 1))
    with (
        source.open("rb", buffering=0) as opened,
        # It has no type hints.
        cast("Any", igzip_threaded.open)(packed, "wb", compresslevel=_LEVEL, threads=threads) as writer,
    ):
        while chunk := opened.read(_CHUNK_BYTES):
            writer.write(chunk)


def measure(dtype: str, folder: Path, scratch: Path, *, size_bytes: int, rounds: int) -> list[Figure]:
    """Pack one folder with each in turn; three figures."""
    ours, theirs, bares = scratch / "ours.tar.gz", scratch / "theirs.tar.gz", scratch / "bare.gz"
    into_cache(*folder.iterdir())
    tar = ["tar", "-czf", str(theirs), "-C", str(folder), "."]
    taken = interleaved(
        f"pack {dtype}",
        {
            "tarmac pack": lambda: timed(lambda: pack(folder, ours)),
            "bare ISA-L": lambda: timed(lambda: bare(folder / "model.safetensors", bares)),
            "tar -czf": lambda: timed(lambda: subprocess.run(tar, check=True)),
        },
        rounds=rounds,
    )
    # What GNU tar reads back is an archive; the promise would be easy to keep with anything else.
    subprocess.run(["tar", "-tzf", str(ours)], check=True, stdout=subprocess.DEVNULL)
    speeds = {name: size_bytes / each.median_s / 1e6 for name, each in taken.items()}
    sizes_mb = [path.stat().st_size / 1e6 for path in (ours, theirs)]
    for path in (ours, theirs, bares):
        path.unlink()
    case, our_speed = f"pack {dtype}", speeds["tarmac pack"]
    speed = Figure(
        case=case, ours=our_speed, peer=speeds["tar -czf"], peer_name="tar -czf", unit="MB/s", at_least=SPEEDUP_MIN
    )
    size = Figure(
        case=f"packed size, {dtype}", ours=sizes_mb[0], peer=sizes_mb[1], peer_name="tar -czf", unit="MB",
        at_most=SIZE_MAX,
    )  # fmt: skip
    return [
        speed,
        Figure(case=case, ours=our_speed, peer=speeds["bare ISA-L"], peer_name="bare ISA-L", unit="MB/s"),
        size,
    ]


def main() -> None:
    """Measure and present."""
    chosen = parser(__doc__, rounds=3).parse_args()
    figures: list[Figure] = []
    with shelf(chosen.keep) as scratch:
        for dtype in chosen.dtype or DTYPES:
            size_bytes = chosen.size * 1_000_000
            folder = make_model(scratch / f"{dtype}-{size_bytes}", dtype, size_bytes)
            figures += measure(dtype, folder, scratch, size_bytes=size_bytes, rounds=chosen.rounds)
    present("packing", f"Packing {chosen.size:,} MB of weights", figures)


if __name__ == "__main__":
    main()
