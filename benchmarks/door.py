"""Reading an archive: the door beside the bare decompressor and `tar -tzf`; run `python -m benchmarks.door [MB]`.

All three read the same file: weights drawn from a normal distribution, packed by `tarmac pack`. The door does what the
others do not: it hashes, reads every header, judges and plans. Promised: at least 0.9 of the decompressor (ISA-L by
python-isal), 2.3 times `tar -tzf`, and less than 64 MB of memory.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.packing import make_model, timed
from tarmac.packer import pack

OF_BARE_MIN, OF_TAR_MIN, MEMORY_MAX_MB = 0.9, 2.3, 64
_BARE = """
import sys, time
from isal import isal_zlib
began = time.perf_counter()
inflater = isal_zlib.decompressobj(wbits=31)
with open(sys.argv[1], "rb") as source:
    while chunk := source.read(1 << 18):
        while chunk:
            inflater.decompress(chunk, 1 << 20)
            chunk = inflater.unconsumed_tail
print(time.perf_counter() - began)
"""
_DOOR = """
import sys, time
from datetime import UTC, datetime
from chalicelib.door import DoorRules, inspect
from chalicelib.state import Drop
rules = DoorRules(region="eu-west-1", instance_type="ml.m5.large", idle_after_s=900.0, idle_floor_s=900.0)
now = datetime.now(UTC)
began = time.perf_counter()
with open(sys.argv[1], "rb") as source:
    report = inspect(Drop("cat", "k", "e", 1, now), source, None, rules=rules, now=now)
print(time.perf_counter() - began)
assert report.is_accepted, report
"""
_PEAK = "\nimport re; print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
_RUNS = 3


def run(program: str, archive: Path) -> tuple[float, float]:
    """Run a program in a process of its own; the seconds of its best run, and its peak memory in MB."""
    seconds, peaks = [], []
    for _ in range(_RUNS):
        ran = subprocess.run(
            [sys.executable, "-c", program + _PEAK, str(archive)], capture_output=True, text=True, check=True
        )
        took, peak_kb = re.findall(r"[\d.e-]+", ran.stdout)
        seconds.append(float(took))
        peaks.append(int(peak_kb) / 1000)
    return min(seconds), max(peaks)


def main() -> int:
    """Print a line a dtype; 1 when a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("megabytes", type=int, nargs="?", default=1000, help="of weights; 1000 unless said")
    size_bytes = parser.parse_args().megabytes * 1_000_000 // 4 * 4
    is_kept = True
    for dtype in ("F32", "BF16"):
        with tempfile.TemporaryDirectory(prefix="tarmac-bench-") as scratch:
            make_model(Path(scratch) / "model", dtype, size_bytes)
            archive = Path(scratch) / "model.tar.gz"
            pack(Path(scratch) / "model", archive)
            (bare_s, _), (door_s, peak_mb) = run(_BARE, archive), run(_DOOR, archive)
            tar = ["tar", "-tzf", str(archive)]
            tar_s = min(timed(lambda: subprocess.run(tar, check=True, stdout=subprocess.DEVNULL)) for _ in range(2))  # noqa: B023
        of_bare, of_tar = bare_s / door_s, tar_s / door_s
        is_kept &= of_bare >= OF_BARE_MIN and of_tar >= OF_TAR_MIN and peak_mb < MEMORY_MAX_MB
        print(f"{dtype:4}  the door {size_bytes / door_s / 1e6:5.0f} MB/s, {peak_mb:.0f} MB of memory", end="")
        print(f"   bare ISA-L {size_bytes / bare_s / 1e6:5.0f} MB/s: {of_bare:.2f} of it", end="")
        print(f"   tar -tzf {size_bytes / tar_s / 1e6:4.0f} MB/s: {of_tar:.1f}x")
    print("kept" if is_kept else "NOT kept")
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
