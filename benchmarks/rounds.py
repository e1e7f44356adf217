"""Runs ours and the peers in turn, round after round, so that what disturbs the machine disturbs all alike.

Called by the benchmarks that time whole runs: door, packing, pushing, grafting.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.weights import DTYPES

SIZE_MB = 1000


@dataclass(frozen=True)
class Taken:
    """Seconds of each round, in order."""

    rounds_s: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """What figures are made of."""
        return statistics.median(self.rounds_s)

    def __str__(self) -> str:
        """Give the median and what it lies between."""
        return f"{self.median_s:.2f} s ({min(self.rounds_s):.2f} to {max(self.rounds_s):.2f})"


def timed(work: Callable[[], object]) -> float:
    """Seconds that something takes."""
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def interleaved(title: str, cases: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, Taken]:
    """Run every case once a round; each gives its own seconds. Shows a progress bar, and prints what each took."""
    taken: dict[str, list[float]] = {name: [] for name in cases}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, transient=True) as progress:
        bar = progress.add_task(title, total=rounds * len(cases))
        for _ in range(rounds):
            for name, case in cases.items():
                progress.update(bar, description=f"{title}: {name}")
                taken[name].append(case())
                progress.advance(bar)
    made = {name: Taken(tuple(seconds)) for name, seconds in taken.items()}
    for name, each in made.items():
        print(f"  {title}: {name:32} {each}", flush=True)
    return made


def parser(doc: str | None, *, rounds: int) -> argparse.ArgumentParser:
    """Make the options that these benchmarks share: --size, --dtype, --rounds, --keep."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--size", type=int, default=SIZE_MB, metavar="MB", help=f"of weights (10^6 bytes); {SIZE_MB}")
    made.add_argument("--dtype", choices=DTYPES, action="append", help="of the weights; both unless said")
    made.add_argument("--rounds", type=int, default=rounds, help=f"how often each case runs; {rounds}")
    made.add_argument("--keep", type=Path, metavar="DIR", help="make models and archives here, and use those there are")
    return made
