"""Metric data as statistic sets a second, kept for days in bounded memory. Called by `metrics`."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

FINE_S = 3 * 3600
"""How long seconds are kept as they are. Source: "Metrics retention", Amazon CloudWatch user guide."""
KEPT_S = 3 * 86400
"""How long minutes are kept: AWS keeps 15 days, no model on a laptop sleeps that late."""
POINTS_MAX = 16_384
"""The most points of one series: 3 hours of seconds and 3 days of minutes fit."""
SERIES_MAX = 20_000

Dimensions = tuple[tuple[str, str], ...]


@dataclass
class Statistics:
    """What CloudWatch keeps of any number of values."""

    sum: float
    count: float
    minimum: float
    maximum: float

    def add(self, other: "Statistics") -> None:
        """Take in another set."""
        self.sum += other.sum
        self.count += other.count
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)

    def value(self, name: str) -> float:
        """One statistic by CloudWatch's name of it. Raises KeyError."""
        if name == "Average":
            return self.sum / self.count
        return {"Sum": self.sum, "SampleCount": self.count, "Minimum": self.minimum, "Maximum": self.maximum}[name]


@dataclass(frozen=True)
class SeriesName:
    """What tells one series from another; the order of dimensions does not."""

    namespace: str
    name: str
    dimensions: Dimensions

    @staticmethod
    def of(namespace: str, name: str, dimensions: Mapping[str, str]) -> "SeriesName":
        """Name a series."""
        return SeriesName(namespace, name, tuple(sorted(dimensions.items())))


@dataclass
class _Series:
    points: dict[tuple[int, str], Statistics] = field(default_factory=dict)
    """By (second, unit); a minute's points stand at its first second."""
    trimmed_s: int = 0
    last_s: int = 0


class SeriesTable:
    """Every series of one region. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: OrderedDict[SeriesName, _Series] = OrderedDict()

    def add(self, name: SeriesName, second: int, unit: str, values: Statistics, *, now_s: int) -> None:
        """Add values at a second since the epoch. Values older than what is kept are dropped."""
        if second < now_s - KEPT_S:
            return
        if second < now_s - FINE_S:
            second -= second % 60
        with self._lock:
            series = self._series.get(name)
            if series is None:
                series = self._series[name] = _Series(trimmed_s=now_s)
                if len(self._series) > SERIES_MAX:
                    self._series.popitem(last=False)
            # The least recently written series is the first to go.
            self._series.move_to_end(name)
            point = series.points.get((second, unit))
            if point is None:
                series.points[second, unit] = values
            else:
                point.add(values)
            series.last_s = max(series.last_s, second)
            if now_s - series.trimmed_s > 600 or len(series.points) > POINTS_MAX:
                _trim(series, now_s)

    def names(self) -> list[tuple[SeriesName, int]]:
        """Every series, and the second of its newest point."""
        with self._lock:
            return [(name, series.last_s) for name, series in self._series.items()]

    def buckets(
        self, name: SeriesName, *, period_s: int, start_s: float, end_s: float, unit: str | None = None
    ) -> dict[int, Statistics]:
        """Statistics by the first second of each period, periods standing on multiples of their length.

        The first period is the one that *start_s* falls in, and the last begins before *end_s*; both count whole.
        """
        first = int(start_s) - int(start_s) % period_s
        found: dict[int, Statistics] = {}
        with self._lock:
            series = self._series.get(name)
            for (second, one_unit), point in series.points.items() if series is not None else ():
                at = second - second % period_s
                if at < first or at >= end_s or (unit is not None and one_unit != unit):
                    continue
                if at in found:
                    found[at].add(point)
                else:
                    found[at] = Statistics(point.sum, point.count, point.minimum, point.maximum)
        return found


def _trim(series: _Series, now_s: int) -> None:
    points: dict[tuple[int, str], Statistics] = {}
    for (second, unit), point in series.points.items():
        if second < now_s - KEPT_S:
            continue
        at = second - second % 60 if second < now_s - FINE_S else second
        if (at, unit) in points:
            points[at, unit].add(point)
        else:
            points[at, unit] = point
    if len(points) > POINTS_MAX:
        newest = sorted(points, reverse=True)[: POINTS_MAX // 2]
        points = {key: points[key] for key in newest}
    series.points = points
    series.trimmed_s = now_s


def epoch_s(moment: datetime) -> float:
    """Seconds since the epoch; a naive moment is UTC, as everywhere in moto."""
    from datetime import UTC

    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def merged(values: Iterable[tuple[float, float]]) -> Statistics:
    """The statistics of values that each occurred so many times: (value, count)."""
    iterator: Iterator[tuple[float, float]] = iter(values)
    value, count = next(iterator)
    whole = Statistics(value * count, count, value, value)
    for value, count in iterator:
        whole.add(Statistics(value * count, count, value, value))
    return whole
