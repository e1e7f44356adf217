"""CloudWatch, asked only for proof that nobody called. Implements ports.Metrics."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from chalicelib.aws.failures import translated
from chalicelib.state import Backlog

QUERIES_A_CALL = 500
"""GetMetricData's limit. Source: botocore's service model, cloudwatch/2010-08-01."""
PERIODS_S = (900, 300, 60, 30, 10, 5, 1)
"""Periods that CloudWatch knows. Below 60 s only for high-resolution metrics, so only where a short TTL is allowed."""


@dataclass(frozen=True)
class _Metric:
    namespace: str
    name: str
    statistic: str


CALLS = _Metric("AWS/SageMaker", "Invocations", "Sum")
SIGHT = _Metric("/aws/sagemaker/Endpoints", "CPUUtilization", "SampleCount")
"""Written every minute while instances run: when it is missing, CloudWatch is blind and silence proves nothing."""

BACKLOG = _Metric("AWS/SageMaker", "ApproximateBacklogSize", "Maximum")
"""Requests that wait or are in hand. Source: SageMaker's developer guide, "Monitor asynchronous endpoint"."""


@dataclass(frozen=True)
class _Variant:
    endpoint: str
    name: str


@dataclass
class _Series:
    """One query's answer over all pages; only a Complete one is whole."""

    total: float = 0.0
    is_complete: bool = False


class CloudWatchMetrics:
    """Reads invocations with proof of sight; anything less than whole is None."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client

    def invocations(
        self, variants: Mapping[str, Sequence[str]], *, windows_s: Mapping[str, float], now: datetime
    ) -> Mapping[str, float | None]:
        """See ports.Metrics."""
        sums: dict[str, float | None] = {}
        # One call has one window: endpoints with the same TTL share it.
        for window_s in sorted({windows_s[endpoint] for endpoint in variants}):
            pairs = [
                _Variant(endpoint, name)
                for endpoint, names in variants.items()
                if windows_s[endpoint] == window_s
                for name in names
            ]
            calls: dict[_Variant, float | None] = {}
            for chunk in _chunks(pairs, QUERIES_A_CALL // 2):
                calls |= self._ask(chunk, window_s, now)
            sums |= {pair.endpoint: _total(calls, pair.endpoint) for pair in pairs}
        return sums

    def backlogs(self, windows_s: Mapping[str, float], *, now: datetime) -> Mapping[str, Backlog]:
        """See ports.Metrics."""
        found: dict[str, Backlog] = {}
        for window_s in sorted(set(windows_s.values())):
            names = [name for name, each in windows_s.items() if each == window_s]
            for start in range(0, len(names), QUERIES_A_CALL):
                found |= self._ask_backlogs(names[start : start + QUERIES_A_CALL], window_s, now)
        return found

    def _ask_backlogs(self, names: Sequence[str], window_s: float, now: datetime) -> Mapping[str, Backlog]:
        """The metric is its own proof of sight: it is there while an endpoint runs, and zero while nothing waits."""
        period_s = _period_s(window_s)
        queries = [_backlog_query(f"backlog{index}", name, period_s) for index, name in enumerate(names)]
        points: dict[str, dict[datetime, float]] = {query["Id"]: {} for query in queries}
        complete: dict[str, bool] = {}
        for raw in self._results(queries, window_s, period_s, now):
            if (seen := points.get(raw["Id"])) is not None:
                seen |= dict(zip(raw["Timestamps"], raw["Values"], strict=True))
                complete[raw["Id"]] = raw["StatusCode"] == "Complete"
        return {
            name: Backlog(max(seen.values()), newest if seen[newest] == 0 else None)
            for index, name in enumerate(names)
            if complete.get(f"backlog{index}") and (seen := points[f"backlog{index}"]) and (newest := max(seen))
        }

    def _results(
        self, queries: Sequence[Mapping[str, Any]], window_s: float, period_s: int, now: datetime
    ) -> Iterator[Mapping[str, Any]]:
        # Whole periods: CloudWatch would round a start inside a period in a way that depends on its age.
        start = datetime.fromtimestamp((now.timestamp() - window_s) // period_s * period_s, tz=now.tzinfo)
        with translated():
            pages = self._client().get_paginator("get_metric_data")
            for page in pages.paginate(
                MetricDataQueries=queries, StartTime=start, EndTime=now + timedelta(seconds=period_s)
            ):
                yield from page["MetricDataResults"]

    def _ask(self, variants: Sequence[_Variant], window_s: float, now: datetime) -> Mapping[_Variant, float | None]:
        """Ask for calls and proof of sight in one call, so that both were read with the same eyes."""
        period_s = _period_s(window_s)
        queries = [
            _query(f"{kind}{index}", metric, variant, period_s)
            for index, variant in enumerate(variants)
            for kind, metric in (("calls", CALLS), ("sight", SIGHT))
        ]
        answers = {query["Id"]: _Series() for query in queries}
        for raw in self._results(queries, window_s, period_s, now):
            if (answer := answers.get(raw["Id"])) is not None:
                answer.total += sum(raw["Values"])
                # PartialData is also said of a page that others follow; the last one decides.
                answer.is_complete = raw["StatusCode"] == "Complete"
        return {
            variant: _seen(answers[f"calls{index}"], answers[f"sight{index}"]) for index, variant in enumerate(variants)
        }


def _seen(calls: _Series, sight: _Series) -> float | None:
    if not (calls.is_complete and sight.is_complete) or sight.total <= 0:
        return None
    return calls.total


def _total(calls: Mapping[_Variant, float | None], endpoint: str) -> float | None:
    """Add up an endpoint's variants; None when any of them is unknown."""
    seen = [total for variant, total in calls.items() if variant.endpoint == endpoint]
    known = [total for total in seen if total is not None]
    return sum(known) if seen and len(known) == len(seen) else None


def _period_s(window_s: float) -> int:
    return next((p for p in PERIODS_S if p <= window_s / 10), 1)


def _backlog_query(query_id: str, endpoint: str, period_s: int) -> dict[str, Any]:
    dimensions = [{"Name": "EndpointName", "Value": endpoint}]
    metric = {"Namespace": BACKLOG.namespace, "MetricName": BACKLOG.name, "Dimensions": dimensions}
    stat = {"Metric": metric, "Period": period_s, "Stat": BACKLOG.statistic}
    return {"Id": query_id, "MetricStat": stat, "ReturnData": True}


def _query(query_id: str, metric: _Metric, variant: _Variant, period_s: int) -> dict[str, Any]:
    dimensions = [
        {"Name": "EndpointName", "Value": variant.endpoint},
        {"Name": "VariantName", "Value": variant.name},
    ]
    return {
        "Id": query_id,
        "MetricStat": {
            "Metric": {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions},
            "Period": period_s,
            "Stat": metric.statistic,
        },
        "ReturnData": True,
    }


def _chunks(variants: Sequence[_Variant], size: int) -> Iterator[list[_Variant]]:
    rest = iter(variants)
    while chunk := list(islice(rest, size)):
        yield chunk
