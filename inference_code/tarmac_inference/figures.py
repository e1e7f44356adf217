"""Counts and latencies, as Prometheus text. Called by the server."""

import resource
import sys
from bisect import bisect_left
from collections.abc import Sequence

LATENCY_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Histogram:
    """Counts by upper bound, with their sum."""

    def __init__(self, name: str, text: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._text = text
        self._bounds = bounds
        self.numbers = len(bounds) + 2
        """How many numbers it keeps: one count a bound, one above all, and the sum."""

    def add(self, kept: "memoryview[float]", value: float) -> None:
        """Count one value among the numbers that are kept."""
        kept[bisect_left(self._bounds, value)] += 1
        kept[self.numbers - 1] += value

    def render(self, kept: Sequence[float]) -> str:
        """Write it as Prometheus text."""
        lines = [f"# HELP {self._name} {self._text}", f"# TYPE {self._name} histogram"]
        total = 0
        for bound, count in zip((*self._bounds, "+Inf"), kept[:-1], strict=True):
            total += int(count)
            lines.append(f'{self._name}_bucket{{le="{bound}"}} {total}')
        return "\n".join([*lines, f"{self._name}_sum {kept[-1]:.6f}", f"{self._name}_count {total}"])


_LATENCY = Histogram("tarmac_request_seconds", "Time from body read to answer ready.", LATENCY_BOUNDS_S)
_BATCHES = Histogram("tarmac_batch_items", "Items that shared a batch.", BATCH_BOUNDS)
_STATUSES = 600
_WAITING = _STATUSES + _LATENCY.numbers + _BATCHES.numbers
NUMBERS = _WAITING + 1
"""How many numbers a process keeps: a count a status, the two histograms, and how many requests wait."""


class Figures:
    """Everything that /metrics shows, of all processes that answer for the model. Each writes its own part."""

    def __init__(self, memory: "memoryview[float] | None" = None, place: int = 0) -> None:
        """*memory* is floats, `NUMBERS` for each process, of which this one is number *place*."""
        self._all = memory if memory is not None else memoryview(bytearray(NUMBERS * 8)).cast("d")
        self._own = self._all[place * NUMBERS : (place + 1) * NUMBERS]
        self._latency = self._own[_STATUSES : _STATUSES + _LATENCY.numbers]
        self._batches = self._own[_STATUSES + _LATENCY.numbers : _WAITING]

    def count_request(self, status: int, took_s: float) -> None:
        """Count one answered request."""
        self._own[status] += 1
        _LATENCY.add(self._latency, took_s)

    def count_batch(self, items: int) -> None:
        """Count one batch that the model answered."""
        _BATCHES.add(self._batches, items)

    def note_waiting(self, waiting: int) -> None:
        """Say how many requests wait in this process."""
        self._own[_WAITING] = waiting

    def forget_waiting(self, place: int) -> None:
        """Forget the requests that waited in a process that is lost; what it has answered stays counted."""
        self._all[place * NUMBERS + _WAITING] = 0.0

    def render(self, *, is_ready: bool) -> str:
        """Write all of it as Prometheus text."""
        # As many processes as there is room for; who does not exist has counted nothing.
        parts = [self._all[start : start + NUMBERS].tolist() for start in range(0, len(self._all), NUMBERS)]
        sums = [sum(numbers) for numbers in zip(*parts, strict=True)]
        counts = [(status, int(count)) for status, count in enumerate(sums[:_STATUSES]) if count]
        return "\n".join(
            [
                "# HELP tarmac_requests_total Requests answered, by HTTP status.",
                "# TYPE tarmac_requests_total counter",
                *(f'tarmac_requests_total{{status="{status}"}} {count}' for status, count in counts),
                _LATENCY.render(sums[_STATUSES : _STATUSES + _LATENCY.numbers]),
                _BATCHES.render(sums[_STATUSES + _LATENCY.numbers : _WAITING]),
                _gauge("tarmac_queue_depth", "Requests that wait for the model.", int(sums[_WAITING])),
                _gauge("tarmac_ready", "1 when the model is loaded and answers.", int(is_ready)),
                _gauge(
                    "tarmac_peak_memory_bytes",
                    "The most memory that the process which says this has had.",
                    _peak_memory_bytes(),
                ),
                "",
            ]
        )


def _gauge(name: str, text: str, value: float) -> str:
    return f"# HELP {name} {text}\n# TYPE {name} gauge\n{name} {value}"


def _peak_memory_bytes() -> int:
    """Linux counts it in kB, macOS in bytes. Source: getrusage(2) of each."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
