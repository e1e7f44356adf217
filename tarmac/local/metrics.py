"""CloudWatch's metrics: what is asked is answered exactly, or refused by name. Installed by `embedded`.

Stock moto compares dimensions in order, ignores the namespace, keeps one object a datum for ever, and answers SEARCH
and arithmetic with an empty series that says "Complete": to a reaper, the sign of an idle endpoint.
"""

import base64
import json
import re
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, cast

from moto.cloudwatch import models, responses, urls
from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue, ValidationError
from moto.core.responses import ActionResult, EmptyResult

from tarmac.local.metric_series import SeriesName, SeriesTable, Statistics, epoch_s, merged
from tarmac.local.swaps import swap, swap_urls

STATISTICS = ("Sum", "SampleCount", "Average", "Minimum", "Maximum")
# Source: GetMetricData and PutMetricData, Amazon CloudWatch API reference.
QUERIES_MAX = 500
DATA_MAX = 1000
DATAPOINTS_MAX = 100_800
_METRICS_A_PAGE = 500
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
_RECENT_S = 3 * 3600 + 50 * 60


class LocalCloudWatch(models.CloudWatchBackend):
    """Metrics by name and dimensions, a statistic set a second."""

    __module__ = models.__name__

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.table = SeriesTable()

    def put_metric_data(self, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        """Take in data as PutMetricData gives it."""
        for number, raw in enumerate(metric_data, 1):
            self._validate_parameters_put_metric_data(raw, number)
        now = time.time()
        for raw in metric_data:
            at = epoch_s(raw["Timestamp"]) if raw.get("Timestamp") else now
            dimensions = {pair["Name"]: pair["Value"] for pair in raw.get("Dimensions") or ()}
            name = SeriesName.of(namespace, raw["MetricName"], dimensions)
            self.table.add(name, int(at), raw.get("Unit") or "None", _statistics(raw), now_s=int(now))

    def series_values(self, query: Mapping[str, Any], start_s: float, end_s: float) -> list[tuple[int, float]]:
        """Answer one query: (second, value), oldest first."""
        stat = query["MetricStat"]
        metric = stat["Metric"]
        dimensions = {pair["Name"]: pair["Value"] for pair in metric.get("Dimensions") or ()}
        name = SeriesName.of(metric["Namespace"], metric["MetricName"], dimensions)
        period_s = _period_s(stat["Period"])
        found = self.table.buckets(name, period_s=period_s, start_s=start_s, end_s=end_s, unit=stat.get("Unit"))
        return [(second, found[second].value(stat["Stat"])) for second in sorted(found)]


def _statistics(raw: Mapping[str, Any]) -> Statistics:
    if raw.get("StatisticValues"):
        given = raw["StatisticValues"]
        return Statistics(*(float(given[name]) for name in ("Sum", "SampleCount", "Minimum", "Maximum")))
    if raw.get("Values"):
        counts = raw.get("Counts") or [1.0] * len(raw["Values"])
        return merged(zip(map(float, raw["Values"]), map(float, counts), strict=True))
    value = float(raw.get("Value", 0))
    return Statistics(value, 1, value, value)


def _period_s(raw_period: Any) -> int:
    period = int(raw_period)
    if period not in {1, 5, 10, 30} and (period < 60 or period % 60):
        raise ValidationError(f"The value {period} for parameter Period is not 1, 5, 10, 30 or a multiple of 60.")
    return period


class LocalCloudWatchResponse(responses.CloudWatchResponse):
    """The requests about metrics."""

    __module__ = responses.__name__

    @property
    def local(self) -> LocalCloudWatch:
        """The backend of the account and region."""
        return cast("LocalCloudWatch", self.cloudwatch_backend)

    def put_metric_data(self) -> ActionResult:
        """Refuse what AWS refuses, then take it in."""
        namespace = self._get_param("Namespace")
        data = self._get_param("MetricData", [])
        if namespace.startswith("AWS/"):
            raise InvalidParameterValue("The value AWS/ for parameter Namespace is invalid.")
        if len(data) > DATA_MAX:
            raise ValidationError(f"The collection MetricData must not have a size greater than {DATA_MAX}.")
        self.local.put_metric_data(namespace, data)
        return EmptyResult()

    def get_metric_data(self) -> ActionResult:
        """Answer every query or none, page by page."""
        params = self._get_params()
        queries = params.get("MetricDataQueries", [])
        _check_queries(queries)
        start_s, end_s = _window(params)
        scan_by = params.get("ScanBy") or "TimestampDescending"
        limit = int(params.get("MaxDatapoints") or DATAPOINTS_MAX)
        skip = _read_token(params.get("NextToken"))
        results, next_token = _page(
            [
                (query, self.local.series_values(query, start_s, end_s))
                for query in queries
                if query.get("ReturnData", True) in {True, "true"}
            ],
            is_descending=scan_by == "TimestampDescending",
            skip=skip,
            limit=min(limit, DATAPOINTS_MAX),
        )
        return ActionResult({"MetricDataResults": results, "NextToken": next_token, "Messages": []})

    def get_metric_statistics(self) -> ActionResult:
        """Answer for one series; periods as GetMetricData has them."""
        statistics = self._get_param("Statistics", [])
        if self._get_param("ExtendedStatistics"):
            raise ValidationError("Percentiles are not kept by the embedded AWS; ask for the five statistics.")
        if not statistics:
            raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
        start_s, end_s = _window({"StartTime": self._get_param("StartTime"), "EndTime": self._get_param("EndTime")})
        dimensions = {pair["Name"]: pair["Value"] for pair in self._get_param("Dimensions", [])}
        name = SeriesName.of(self._get_param("Namespace"), self._get_param("MetricName"), dimensions)
        unit = self._get_param("Unit")
        period_s = _period_s(self._get_int_param("Period"))
        found = self.local.table.buckets(name, period_s=period_s, start_s=start_s, end_s=end_s, unit=unit)
        points = [
            {"Timestamp": _moment(second), "Unit": unit or "Count"}
            | {statistic: found[second].value(statistic) for statistic in statistics}
            for second in sorted(found)
        ]
        return ActionResult({"Label": self._get_param("MetricName"), "Datapoints": points})

    def list_metrics(self) -> ActionResult:
        """List each series once."""
        namespace, name = self._get_param("Namespace"), self._get_param("MetricName")
        wanted = self._get_params().get("Dimensions", [])
        newest_s = time.time() - _RECENT_S if self._get_param("RecentlyActive") else 0
        skip = _read_token(self._get_param("NextToken"))
        found = sorted(
            (
                one
                for one, last_s in self.local.table.names()
                if last_s >= newest_s and _is_listed(one, namespace, name, wanted)
            ),
            key=lambda one: (one.namespace, one.name, one.dimensions),
        )
        page = found[skip : skip + _METRICS_A_PAGE]
        metrics = [
            {
                "Namespace": one.namespace,
                "MetricName": one.name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in one.dimensions],
            }
            for one in page
        ]
        after = skip + len(page)
        return ActionResult({"Metrics": metrics, "NextToken": _token(after) if after < len(found) else None})


def _is_listed(one: SeriesName, namespace: str | None, name: str | None, wanted: list[dict[str, str]]) -> bool:
    if (namespace and one.namespace != namespace) or (name and one.name != name):
        return False
    dimensions = dict(one.dimensions)
    return all(
        pair["Name"] in dimensions and pair.get("Value", dimensions[pair["Name"]]) == dimensions[pair["Name"]]
        for pair in wanted
    )


def _check_queries(queries: list[dict[str, Any]]) -> None:
    if not queries:
        raise ValidationError("The parameter MetricDataQueries is required.")
    if len(queries) > QUERIES_MAX:
        raise ValidationError(f"The collection MetricDataQueries must not have a size greater than {QUERIES_MAX}.")
    ids = [query.get("Id") or "" for query in queries]
    for one in ids:
        if not _ID.fullmatch(one):
            raise ValidationError(
                f"The value {one} for parameter MetricDataQueries.Id is not matching [a-z][a-zA-Z0-9_]*."
            )
    if len(set(ids)) < len(ids):
        raise ValidationError("The values for parameter id in MetricDataQueries are not unique.")
    for query in queries:
        if "MetricStat" not in query:
            expression = query.get("Expression", "")
            raise ValidationError(f"The embedded AWS evaluates no expressions; it was given {expression!r}.")
        if query["MetricStat"]["Stat"] not in STATISTICS:
            raise ValidationError(
                f"The value {query['MetricStat']['Stat']} for parameter Stat is not one of {', '.join(STATISTICS)}."
            )
        _period_s(query["MetricStat"]["Period"])


def _window(params: Mapping[str, Any]) -> tuple[float, float]:
    start_s, end_s = epoch_s(params["StartTime"]), epoch_s(params["EndTime"])
    if start_s >= end_s:
        raise ValidationError("The parameter StartTime must be less than the parameter EndTime.")
    return start_s, end_s


def _page(
    answers: list[tuple[Mapping[str, Any], list[tuple[int, float]]]], *, is_descending: bool, skip: int, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Cut the answers' points, one query after the other, into a page of *limit* after the first *skip*."""
    results = []
    position, end = 0, skip + limit
    for query, points in answers:
        ordered = points[::-1] if is_descending else points
        first, last = max(skip - position, 0), max(min(end - position, len(ordered)), 0)
        shown = ordered[first:last]
        position += len(ordered)
        stat = query["MetricStat"]
        results.append(
            {
                "Id": query["Id"],
                "Label": query.get("Label") or stat["Metric"]["MetricName"],
                "Timestamps": [_moment(second) for second, _ in shown],
                "Values": [value for _, value in shown],
                "StatusCode": "Complete" if position <= end else "PartialData",
            }
        )
    return results, _token(end) if position > end else None


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None)


def _token(position: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"from": position}).encode()).decode()


def _read_token(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(json.loads(base64.urlsafe_b64decode(token))["from"])
    except (ValueError, KeyError, TypeError):
        raise InvalidParameterValue("Request parameter NextToken is invalid") from None


class Metrics:
    """The engine's own way in: it may write what HTTP may not, into AWS's namespaces."""

    def __init__(self, *, account: str, region: str) -> None:
        self._account = account
        self._region = region

    def record(
        self, namespace: str, name: str, dimensions: Mapping[str, str], value: float, *, unit: str = "Count"
    ) -> None:
        """Record one value, now. Safe from any thread."""
        backend = cast("LocalCloudWatch", models.cloudwatch_backends[self._account][self._region])
        now_s = int(time.time())
        backend.table.add(
            SeriesName.of(namespace, name, dimensions), now_s, unit, Statistics(value, 1, value, value), now_s=now_s
        )


def install(stack: ExitStack, *, account: str, region: str) -> Metrics:
    """Make every CloudWatch call of this process one on statistic sets, until *stack* closes."""
    swap(stack, models.cloudwatch_backends, "backend", LocalCloudWatch)
    models.cloudwatch_backends.clear()
    swap_urls(stack, urls, LocalCloudWatchResponse.dispatch)
    return Metrics(account=account, region=region)
