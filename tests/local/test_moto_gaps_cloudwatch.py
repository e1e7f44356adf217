"""Where stock moto's CloudWatch and Logs are wrong: each test shows it first, then the embedded AWS doing it right."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tarmac.local import logs, metric_series
from tarmac.local.metric_series import SeriesName, SeriesTable, Statistics
from tarmac.local.metrics import Metrics
from tests.local.aws_worlds import World, ours, stock, stock_moto

__all__ = ["ours", "stock"]  # fixtures

DIMENSIONS = [{"Name": "EndpointName", "Value": "e"}, {"Name": "VariantName", "Value": "v"}]


def minute(offset: int = 0) -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=offset)


def put(world: World, name: str, *, at: datetime | None = None, namespace: str = "N", **datum: Any) -> None:
    raw = {"MetricName": name, "Timestamp": at or minute(-2), "Dimensions": DIMENSIONS} | (datum or {"Value": 1})
    world.cloudwatch.put_metric_data(Namespace=namespace, MetricData=[raw])


def query(name: str, *, stat: str = "Sum", namespace: str = "N", period: int = 60, id_: str = "q") -> dict[str, Any]:
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": DIMENSIONS}
    return {"Id": id_, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}}


def ask(world: World, *queries: dict[str, Any], **more: Any) -> dict[str, Any]:
    window = {"StartTime": minute(-10), "EndTime": minute(1)} | more
    answer: dict[str, Any] = world.cloudwatch.get_metric_data(MetricDataQueries=list(queries), **window)
    return answer


def values(world: World, *queries: dict[str, Any], **more: Any) -> list[float]:
    found: list[float] = ask(world, *queries, **more)["MetricDataResults"][0]["Values"]
    return found


def refused(world: World, *queries: dict[str, Any], **more: Any) -> str:
    with pytest.raises(ClientError) as caught:
        ask(world, *queries, **more)
    return str(caught.value.response["Error"]["Code"])


def test_the_order_of_dimensions_does_not_matter(stock: World, ours: World) -> None:
    turned = query("order")
    turned["MetricStat"]["Metric"]["Dimensions"] = DIMENSIONS[::-1]
    for world in (stock, ours):
        put(world, "order")

    assert values(stock, turned) == []
    assert values(ours, turned) == [1]


def test_a_namespace_is_not_another(stock: World, ours: World) -> None:
    for world in (stock, ours):
        put(world, "spaces")
        put(world, "spaces", namespace="Other")

    assert values(stock, query("spaces")) == [2]
    assert values(ours, query("spaces")) == [1]


def test_a_million_counts_are_one_point(ours: World) -> None:
    counts = {"Values": [2.0, 4.0], "Counts": [1e6, 1.0]}
    with stock_moto() as stock:  # one of its own: it is slow at everything afterwards
        put(stock, "few", Value=1)
        started_at = time.monotonic()
        put(stock, "many", Values=[2.0], Counts=[3e5])
        stock_s = time.monotonic() - started_at

    started_at = time.monotonic()
    put(ours, "many", **counts)
    our_s = time.monotonic() - started_at

    assert stock_s > 0.2
    assert our_s < 0.2
    assert [values(ours, query("many", stat=stat)) for stat in ("Sum", "SampleCount", "Minimum", "Maximum")] == [
        [2_000_004],
        [1_000_001],
        [2],
        [4],
    ]
    assert values(ours, query("many", stat="Average")) == [pytest.approx(2.000002, abs=1e-6)]


@pytest.mark.parametrize("expression", ["SEARCH('{N} x', 'Sum', 60)", "q + 1", "FILL(q, 0)"])
def test_expressions_are_refused_and_not_answered_with_nothing(stock: World, ours: World, expression: str) -> None:
    asked = [query("expressions"), {"Id": "e", "Expression": expression}]
    for world in (stock, ours):
        put(world, "expressions")

    wrong = {one["Id"]: one for one in ask(stock, *asked)["MetricDataResults"]}

    assert (wrong["e"]["Values"], wrong["e"]["StatusCode"]) == ([], "Complete")
    assert refused(ours, *asked) == "ValidationError"


def test_a_percentile_is_refused_by_name(stock: World, ours: World) -> None:
    for world in (stock, ours):
        put(world, "percentile")

    assert refused(stock, query("percentile", stat="p99")) != "ValidationError"
    assert refused(ours, query("percentile", stat="p99")) == "ValidationError"


def test_too_many_queries_and_queries_of_one_name_are_refused(stock: World, ours: World) -> None:
    many = [query("limits", id_=f"q{number}") for number in range(501)]
    twice = [query("limits"), query("limits")]

    assert len(ask(stock, *many)["MetricDataResults"]) == 501
    assert len(ask(stock, *twice)["MetricDataResults"]) == 2
    assert refused(ours, *many) == refused(ours, *twice) == "ValidationError"
    assert len(ask(ours, *many[:500])["MetricDataResults"]) == 500


def test_periods_stand_on_multiples_of_their_length(stock: World, ours: World) -> None:
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(minutes=50)
    window = {"StartTime": at - timedelta(minutes=7), "EndTime": at + timedelta(minutes=12)}
    shown = []
    for world in (stock, ours):
        for second in (1, 299, 301):
            put(world, "aligned", at=at + timedelta(seconds=second))
        result = ask(world, query("aligned", period=300), **window, ScanBy="TimestampAscending")["MetricDataResults"][0]
        shown.append(
            [(one.astimezone(UTC), value) for one, value in zip(result["Timestamps"], result["Values"], strict=True)]
        )

    right = [(at, 2.0), (at + timedelta(minutes=5), 1.0)]
    assert shown[0] != right
    assert shown[1] == right


@pytest.mark.parametrize("period", [1, 5, 10, 30, 60, 120])
def test_every_period_of_cloudwatch_adds_up(ours: World, period: int) -> None:
    start = minute(-3)
    name = f"periods-{period}"
    for second in range(0, 120, 3):
        put(ours, name, at=start + timedelta(seconds=second))

    found = values(ours, query(name, period=period), StartTime=start, EndTime=start + timedelta(minutes=2))

    assert sum(found) == 40
    assert len(found) == len({int((start.timestamp() + s) // period) for s in range(0, 120, 3)})


def test_a_period_that_cloudwatch_does_not_have_is_refused(ours: World) -> None:
    assert refused(ours, query("odd", period=7)) == "ValidationError"
    assert refused(ours, query("odd", period=90)) == "ValidationError"


def test_long_answers_come_in_pages(stock: World, ours: World) -> None:
    for world in (stock, ours):
        for number in range(5):
            put(world, "pages", at=minute(-6 + number), Value=number)
            put(world, "pages2", at=minute(-6 + number), Value=10 + number)
    asked = [query("pages", id_="a"), query("pages2", id_="b")]

    assert len(ask(stock, *asked, MaxDatapoints=4)["MetricDataResults"][0]["Values"]) == 5

    seen: dict[str, list[float]] = {"a": [], "b": []}
    states: list[list[str]] = []
    more: dict[str, Any] = {}
    while True:
        answer = ask(ours, *asked, MaxDatapoints=4, ScanBy="TimestampAscending", **more)
        states.append([one["StatusCode"] for one in answer["MetricDataResults"]])
        for one in answer["MetricDataResults"]:
            seen[one["Id"]] += one["Values"]
        if "NextToken" not in answer:
            break
        more = {"NextToken": answer["NextToken"]}

    assert seen == {"a": [0, 1, 2, 3, 4], "b": [10, 11, 12, 13, 14]}
    assert states == [["PartialData", "PartialData"], ["Complete", "PartialData"], ["Complete", "Complete"]]


def test_newest_first_unless_asked_otherwise(ours: World) -> None:
    for number in range(3):
        put(ours, "scan", at=minute(-5 + number), Value=number)

    assert values(ours, query("scan")) == [2, 1, 0]
    assert values(ours, query("scan"), ScanBy="TimestampAscending") == [0, 1, 2]


def test_the_namespaces_of_aws_are_closed_over_http_and_open_inside(stock: World, ours: World) -> None:
    put(stock, "Invocations", namespace="AWS/SageMaker")
    with pytest.raises(ClientError) as caught:
        put(ours, "Invocations", namespace="AWS/SageMaker")

    recorder = Metrics(account="123456789012", region="us-east-1")
    recorder.record("AWS/SageMaker", "Invocations", {"VariantName": "v", "EndpointName": "e"}, 1)
    recorder.record("AWS/SageMaker", "Invocations", {"EndpointName": "e", "VariantName": "v"}, 1)

    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    assert values(ours, query("Invocations", namespace="AWS/SageMaker")) == [2]


def test_each_metric_is_listed_once(stock: World, ours: World) -> None:
    listed = []
    for world in (stock, ours):
        world.cloudwatch.put_metric_data(
            Namespace="Listed", MetricData=[{"MetricName": "bare", "Value": 1} for _ in range(3)]
        )
        put(world, "with", namespace="Listed")
        listed.append(world.cloudwatch.list_metrics(Namespace="Listed")["Metrics"])

    assert len(listed[0]) > 2
    assert [one["MetricName"] for one in listed[1]] == ["bare", "with"]
    by_value = ours.cloudwatch.list_metrics(Namespace="Listed", Dimensions=[{"Name": "VariantName", "Value": "v"}])
    assert [one["MetricName"] for one in by_value["Metrics"]] == ["with"]
    recent = ours.cloudwatch.list_metrics(Namespace="Listed", RecentlyActive="PT3H")
    assert len(recent["Metrics"]) == 2


def test_the_older_call_says_the_same(stock: World, ours: World) -> None:
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(minutes=30)
    call = {
        "Namespace": "N",
        "MetricName": "older",
        "StartTime": at,
        "EndTime": at + timedelta(minutes=10),
        "Period": 300,
        "Statistics": ["Sum", "Maximum"],
    }
    answers = []
    for world in (stock, ours):
        for second in (200, 400):
            put(world, "older", at=at + timedelta(seconds=second), Value=second)
        points = world.cloudwatch.get_metric_statistics(**call, Dimensions=DIMENSIONS[::-1])["Datapoints"]
        answers.append([(point["Timestamp"].astimezone(UTC), point["Sum"]) for point in points])

    assert answers[0] != answers[1]
    assert answers[1] == [(at, 200), (at + timedelta(minutes=5), 400)]
    assert ours.cloudwatch.get_metric_statistics(**call)["Datapoints"] == []


def test_days_of_data_stay_in_bounds() -> None:
    table, name = SeriesTable(), SeriesName.of("N", "m", {})
    start = 1_700_000_000

    for second in range(0, 5 * 86400, 20):
        table.add(name, start + second, "Count", Statistics(1, 1, 1, 1), now_s=start + second)
    series = table._series[name]
    lately = table.buckets(name, period_s=60, start_s=start + 4 * 86400, end_s=start + 5 * 86400)

    assert len(series.points) <= metric_series.POINTS_MAX
    assert min(second for second, _ in series.points) >= start + 2 * 86400 - 1200
    assert sum(point.count for point in lately.values()) == pytest.approx(4320, abs=4)


def test_the_series_longest_unwritten_is_the_first_to_go(ours: World) -> None:
    del ours
    table = SeriesTable()
    now = int(time.time())

    for number in range(metric_series.SERIES_MAX + 10):
        table.add(SeriesName.of("N", str(number), {}), now, "Count", Statistics(1, 1, 1, 1), now_s=now)

    names = [name.name for name, _ in table.names()]
    assert len(names) == metric_series.SERIES_MAX
    assert names[0] == "10"


def test_a_log_stream_keeps_its_newest_events(stock: World, ours: World) -> None:
    writer = logs.Logs(account="123456789012", region="us-east-1")
    stock.logs.create_log_group(logGroupName="g")
    stock.logs.create_log_stream(logGroupName="g", logStreamName="s")
    at = int(time.time() * 1000)
    for batch in range(3):
        events = [{"timestamp": at, "message": f"n{batch * 5000 + number}"} for number in range(5000)]
        stock.logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)
    for batch in range(30):
        writer.append("g", "s", [f"n{batch * 500 + number}" for number in range(500)])

    def first(world: World) -> str:
        page = world.logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True, limit=1)
        return str(page["events"][0]["message"])

    assert first(stock) == "n0"
    assert first(ours) == "n5000"
    last = ours.logs.get_log_events(logGroupName="g", logStreamName="s", limit=2)["events"]
    assert [event["message"] for event in last] == ["n14998", "n14999"]
    found = ours.logs.filter_log_events(logGroupName="g", filterPattern="n14999")["events"]
    assert [event["message"] for event in found] == ["n14999"]
    stream = ours.logs.describe_log_streams(logGroupName="g")["logStreams"][0]
    assert (stream["logStreamName"], stream["lastEventTimestamp"] > at - 1000) == ("s", True)


def test_who_follows_a_log_misses_nothing_when_old_lines_go(ours: World) -> None:
    writer = logs.Logs(account="123456789012", region="us-east-1")
    at = {"logGroupName": "followed", "logStreamName": "s"}
    seen: list[str] = []
    token: dict[str, str] = {}

    for batch in range(18):
        writer.append("followed", "s", [f"{batch}-{number}" for number in range(700)])
        while True:
            page = ours.logs.get_log_events(**at, startFromHead=True, limit=400, **token)
            token = {"nextToken": page["nextForwardToken"]}
            if not page["events"]:
                break
            seen += [event["message"] for event in page["events"]]

    assert seen == [f"{batch}-{number}" for batch in range(18) for number in range(700)]
    back = ours.logs.get_log_events(**at, nextToken=page["nextBackwardToken"], limit=3)["events"]
    assert [event["message"] for event in back] == ["17-697", "17-698", "17-699"]
