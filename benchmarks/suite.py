"""Runs every benchmark, and ends with one table of all promises; `make bench` is this.

    python -m benchmarks.suite [--size MB] [--rounds N] [--only NAME ...]

Each runs in a process of its own, prints its own table and draws build/benchmarks/NAME.svg. A promise that is not kept
is said so and is no failure: this may be a slow or a busy machine. A benchmark that breaks is: then the exit code is 1.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from benchmarks.figures import RESULTS, Figure, load, print_table
from benchmarks.rounds import SIZE_MB

ARCHIVES = ("door", "fetching", "packing", "pushing", "grafting")
"""Those that make archives, share them, and run in rounds."""
NAMES = (*ARCHIVES, "upload", "bundle", "sizing", "serving", "generation")


def run(name: str, options: Sequence[str]) -> bool:
    """Run one benchmark; False when it broke."""
    (RESULTS / f"{name}.json").unlink(missing_ok=True)
    return subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False).returncode == 0


def options_of(name: str, shelf: str, *, size_mb: int | None, rounds: int | None) -> list[str]:
    """Say a benchmark's options: of what was asked, those that it has."""
    options = ["--size", str(size_mb)] if size_mb and name in (*ARCHIVES, "upload") else []
    if name in ARCHIVES:
        options += ["--keep", shelf, *(["--rounds", str(rounds)] if rounds else [])]
    return [*options, "--install-sagemaker"] if name == "bundle" else options


def promises(names: Sequence[str]) -> list[Figure]:
    """Gather every figure of these benchmarks that something is promised of."""
    found = []
    for name in names:
        try:
            _, figures = load(name)
        except FileNotFoundError:
            continue
        found += [figure for figure in figures if figure.bound is not None]
    return found


def main() -> int:
    """Run, gather, print; 1 when a benchmark broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, metavar="MB", help="of the archives (10^6 bytes); 1000 unless said")
    parser.add_argument("--rounds", type=int, help="how often each case of door, packing, pushing, grafting runs")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    chosen = parser.parse_args()
    names = [name for name in NAMES if not chosen.only or name in chosen.only]
    broken = []
    with tempfile.TemporaryDirectory(prefix="tarmac-bench-") as shelf:
        for at, name in enumerate(names, 1):
            print(f"\n== {at} of {len(names)}: {name}", flush=True)
            if not run(name, options_of(name, shelf, size_mb=chosen.size, rounds=chosen.rounds)):
                broken.append(name)
    print()
    print_table("Every promise, as this machine kept it in this run", promises(names))
    if chosen.size and chosen.size < SIZE_MB:
        print(f"the promises are of {SIZE_MB:,} MB: in {chosen.size:,} MB, what each run costs once weighs more")
    print(f"pictures: {RESULTS.relative_to(RESULTS.parents[1])}/*.svg")
    for name in broken:
        print(f"the benchmark {name} broke: run `python -m benchmarks.{name}` to see why")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
