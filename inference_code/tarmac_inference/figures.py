"""Counts and latencies, as Prometheus text. Called by the server."""

import resource
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

LATENCY_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Histogram:
    """Counts by upper bound, with their sum. One thread writes it."""

    def __init__(self, name: str, text: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._text = text
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def render(self) -> str:
        """Write it as Prometheus text."""
        lines = [f"# HELP {self._name} {self._text}", f"# TYPE {self._name} histogram"]
        total = 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            lines.append(f'{self._name}_bucket{{le="{bound}"}} {total}')
        return "\n".join([*lines, f"{self._name}_sum {self._sum:.6f}", f"{self._name}_count {total}"])


class Figures:
    """Everything that /metrics shows. The event loop's thread writes it."""

    def __init__(self) -> None:
        self._statuses: Counter[int] = Counter()
        self._latency = Histogram("tarmac_request_seconds", "Time from body read to answer ready.", LATENCY_BOUNDS_S)
        self._batches = Histogram("tarmac_batch_items", "Items that shared a batch.", BATCH_BOUNDS)

    def count_request(self, status: int, took_s: float) -> None:
        """Count one answered request."""
        self._statuses[status] += 1
        self._latency.add(took_s)

    def count_batch(self, items: int) -> None:
        """Count one batch that the model answered."""
        self._batches.add(items)

    def render(self, *, is_ready: bool, waiting: int) -> str:
        """Write all of it as Prometheus text."""
        requests = [f'tarmac_requests_total{{status="{status}"}} {n}' for status, n in sorted(self._statuses.items())]
        return "\n".join(
            [
                "# HELP tarmac_requests_total Requests answered, by HTTP status.",
                "# TYPE tarmac_requests_total counter",
                *requests,
                self._latency.render(),
                self._batches.render(),
                _gauge("tarmac_queue_depth", "Requests that wait for the model.", waiting),
                _gauge("tarmac_ready", "1 when the model is loaded and answers.", int(is_ready)),
                _gauge("tarmac_peak_memory_bytes", "The most memory the process has had.", _peak_memory_bytes()),
                "",
            ]
        )


def _gauge(name: str, text: str, value: float) -> str:
    return f"# HELP {name} {text}\n# TYPE {name} gauge\n{name} {value}"


def _peak_memory_bytes() -> int:
    """Linux counts it in kB, macOS in bytes. Source: getrusage(2) of each."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
