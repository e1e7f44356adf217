"""Reading an archive: the door beside the bare decompressor and `tar -tzf`, on the same bytes.

    python -m benchmarks.door [--size MB] [--dtype F32|BF16] [--packed-by tarmac|tar] [--torch-only] [--rounds N]
                              [--keep DIR]

The door does what the others do not: it hashes, reads every header, judges and plans. Each case is a process of its
own that finds the file in the page cache; what is timed is the reading, not the start of Python. The bare decompressor
is ISA-L by python-isal in the fastest of three ways to call it. Medians are compared. Promised: 0.9 of the
decompressor, 2.3 times `tar -tzf`, and less than 64 MB of memory whatever the size.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Figure, present
from benchmarks.rounds import interleaved, parser, timed
from benchmarks.weights import (
    DTYPES,
    PACKERS,
    TORCH_FORMS,
    into_cache,
    make_archive,
    make_torch_archive,
    shelf,
)

OF_BARE_MIN, OF_TAR_MIN, MEMORY_MAX_MB = 0.9, 2.3, 64
_TIMED = """
import re, sys, time
{imports}
began = time.perf_counter()
with open(sys.argv[1], "rb"{unbuffered}) as source:
{work}
print(time.perf_counter() - began, int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024)
{check}
"""
_IN_PIECES = """
    inflater = isal_zlib.decompressobj(wbits=31)
    while chunk := source.read({feed}):
        while chunk:
            inflater.decompress(chunk, 1 << 20)
            chunk = inflater.unconsumed_tail
"""
_INTO_ONE_BUFFER = """
    buffer = bytearray(1 << 20)
    with igzip.IGzipFile(fileobj=source) as unpacked:
        while unpacked.readinto(buffer):
            pass
"""
_DOOR = """
    report = inspect(Drop("cat", "k", "e", 1, now), source, None, rules=rules, now=now)
"""
_DOOR_IMPORTS = """
from datetime import UTC, datetime
from chalicelib.door import DoorRules, inspect
from chalicelib.state import Drop
rules = DoorRules(region="eu-west-1", instance_type="ml.m5.large", idle_after_s=900.0, idle_floor_s=900.0)
now = datetime.now(UTC)
"""


def _program(work: str, *, imports: str = "from isal import igzip, isal_zlib", check: str = "") -> str:
    unbuffered = "" if "DoorRules" in imports else ", buffering=0"
    return _TIMED.format(imports=imports, unbuffered=unbuffered, work=work, check=check)


DOOR = _program(_DOOR, imports=_DOOR_IMPORTS, check="assert report.is_accepted, report")
BARE = {
    "bare ISA-L, 64 KB at a time": _program(_IN_PIECES.format(feed="1 << 16")),
    "bare ISA-L, 256 KB at a time": _program(_IN_PIECES.format(feed="1 << 18")),
    "bare ISA-L, into one buffer": _program(_INTO_ONE_BUFFER),
}


def measure(label: str, archive: Path, *, size_bytes: int, rounds: int) -> list[Figure]:
    """Run the door and its peers over one archive in turn; three figures."""
    into_cache(archive)
    peaks_bytes: list[int] = []

    def run(program: str) -> float:
        command = [sys.executable, "-c", program, str(archive)]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds, peak_bytes = re.findall(r"[\d.e-]+", ran.stdout)
        if program is DOOR:
            peaks_bytes.append(int(peak_bytes))
        return float(seconds)

    def list_members() -> float:
        return timed(lambda: subprocess.run(["tar", "-tzf", str(archive)], check=True, stdout=subprocess.DEVNULL))

    cases: dict[str, Callable[[], float]] = {"the door": lambda: run(DOOR), "tar -tzf": list_members}
    cases |= {name: lambda program=program: run(program) for name, program in BARE.items()}  # type: ignore[misc]
    taken = interleaved(f"read {label}", cases, rounds=rounds)
    speeds = {name: size_bytes / each.median_s / 1e6 for name, each in taken.items()}
    fastest = max(BARE, key=lambda name: speeds[name])
    case = f"read {label}"
    return [
        _speed(case, speeds["the door"], speeds[fastest], fastest, OF_BARE_MIN),
        _speed(case, speeds["the door"], speeds["tar -tzf"], "tar -tzf", OF_TAR_MIN),
        Figure(
            case=f"peak memory, {label}", ours=max(peaks_bytes) / 1e6, peer=MEMORY_MAX_MB, peer_name="the promise",
            unit="MB", at_most=1,
        ),
    ]  # fmt: skip


def _speed(case: str, ours: float, peer: float, peer_name: str, at_least: float) -> Figure:
    return Figure(case=case, ours=ours, peer=peer, peer_name=peer_name, unit="MB/s", at_least=at_least)


def main() -> None:
    """Measure and present."""
    options = parser(__doc__, rounds=5)
    options.add_argument("--packed-by", choices=PACKERS, action="append", help="what packed the archive; both")
    options.add_argument("--torch-only", action="store_true", help="only what torch.save wrote")
    chosen = options.parse_args()
    figures: list[Figure] = []
    size_bytes = chosen.size * 1_000_000
    with shelf(chosen.keep) as folder:
        for dtype in () if chosen.torch_only else chosen.dtype or DTYPES:
            for packer in chosen.packed_by or PACKERS:
                archive = make_archive(folder, dtype, size_bytes, packer)
                label = f"{dtype} packed by {packer}"
                figures += measure(label, archive, size_bytes=size_bytes, rounds=chosen.rounds)
        for dtype, form in TORCH_FORMS:
            if dtype in (chosen.dtype or DTYPES):
                archive = make_torch_archive(folder, dtype, size_bytes, form)
                figures += measure(f"{dtype}, torch's {form}", archive, size_bytes=size_bytes, rounds=chosen.rounds)
    present("door", f"Reading an archive of {chosen.size:,} MB of weights", figures)


if __name__ == "__main__":
    main()
