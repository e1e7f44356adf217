"""The planner's table, one test a row, and what counts as idle."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.actions import (
    Action,
    CreateEndpoint,
    CreateEndpointConfig,
    CreateModel,
    DeleteEndpoint,
    DeleteEndpointConfig,
    DeleteModel,
    DeleteRelease,
    ForgetFailure,
    ForgetModel,
    InspectDrop,
    PutToSleep,
    RecordFailure,
    RecordStart,
    RemoveMark,
    UpdateEndpoint,
)
from chalicelib.idleness import (
    PlanRules,
    awake_since,
    idle_after_s,
    is_idle,
    is_last_use_settled,
    touch_interval_s,
)
from chalicelib.names import ModelName, ReleaseId, release_name
from chalicelib.planner import plan
from chalicelib.reports import Report, ServingPlan
from chalicelib.state import (
    MODIFYING,
    Actual,
    Desired,
    Drop,
    Endpoint,
    EndpointStatus,
    Failure,
    ReleaseRecord,
    Stamp,
    Usage,
)

CAT = ModelName("cat")
NAME = "tarmac-cat"
NOW = datetime.fromisoformat("2026-01-05T12:00:00+00:00")
RULES = PlanRules("tarmac", 900.0, releases_kept=2)
PLAN = ServingPlan("huggingface", "image", "text-classification", "realtime", "ml.m5.large", 1, 900.0)
DROP = Drop(CAT, "models/cat/model.tar.gz", "etag", 10, NOW - timedelta(hours=3))
REL, OLD = DROP.release, ReleaseId("0123456789ab")
CONFIG, OLD_CONFIG = release_name("tarmac", CAT, REL), release_name("tarmac", CAT, OLD)
CREATED, READY = NOW - timedelta(hours=2, seconds=200), NOW - timedelta(hours=2)
REPORT = Report(CAT, REL, READY, (), 10, "sha", PLAN)
REFUSED = replace(REPORT, plan=None)
OLD_REPORT = replace(REPORT, release=OLD, sha256="older")
RECORD = ReleaseRecord(REL, reported_at=CREATED, pinned_at=CREATED, started_at=READY)
OLD_RECORD = ReleaseRecord(OLD, reported_at=CREATED - timedelta(days=1), pinned_at=CREATED - timedelta(days=1))
ENDPOINT = Endpoint(NAME, EndpointStatus.IN_SERVICE, CONFIG, CREATED, READY, is_owned=True)
SETTLED = Desired(CAT, DROP, REPORT, REPORT, releases=(RECORD,), has_traces=True)
RUNNING = Actual(ENDPOINT, frozenset({CONFIG}), {CONFIG: CREATED - timedelta(seconds=1)})
RECORDS_ONLY = replace(RUNNING, endpoint=None)
QUIET = Usage(0.0, NOW - timedelta(seconds=2))
MARK = Stamp(NOW - timedelta(minutes=10), "mark")
FRESH_MARK = Stamp(NOW - timedelta(seconds=30), "mark")


def ago(seconds: float) -> Stamp:
    return Stamp(NOW - timedelta(seconds=seconds), "use")


def wanting(**changes: Any) -> Desired:
    return replace(SETTLED, **changes)


def running(endpoint: dict[str, Any] | None = None, **changes: Any) -> Actual:
    return replace(RUNNING, endpoint=replace(ENDPOINT, **(endpoint or {})), **changes)


CREATE_ALL = (
    CreateModel(CONFIG, CAT, REL, PLAN),
    CreateEndpointConfig(CONFIG, CAT, REL, PLAN),
    CreateEndpoint(NAME, CONFIG, CAT, REL),
)
SLEEP = PutToSleep(NAME, CAT, None, QUIET.listed_at)
FAILED = {"status": EndpointStatus.FAILED, "failure_reason": "it broke"}
FAILURE = Failure("it broke", READY)
GONE = Desired(CAT, has_traces=True)
SPARE_RECORDS = [ReleaseRecord(ReleaseId(f"{n:012x}"), pinned_at=CREATED + timedelta(hours=n)) for n in range(4)]
BOTH = frozenset({CONFIG, OLD_CONFIG})
BOTH_CONFIGS = {CONFIG: CREATED - timedelta(seconds=1), OLD_CONFIG: CREATED - timedelta(days=1)}


@dataclass(frozen=True)
class Row:
    claim: str
    desired: Desired
    actual: Actual
    expected: tuple[Action, ...]
    usage: Usage | None = None
    rules: PlanRules = field(default=RULES)


ROWS = [
    Row("a foreign endpoint of that name blocks everything", SETTLED, running({"is_owned": False}), ()),
    Row("a foreign endpoint is not deleted with the drop", GONE, running({"is_owned": False}), ()),
    Row("nothing anywhere plans nothing", Desired(CAT), Actual(), ()),
    Row("without a drop the endpoint goes first", GONE, RUNNING, (DeleteEndpoint(NAME, CAT),)),
    Row("without a drop a failed endpoint goes too", GONE, running(FAILED), (DeleteEndpoint(NAME, CAT),)),
    Row("without a drop a busy endpoint is waited for", GONE, running({"status": EndpointStatus.CREATING}), ()),
    Row(
        "without drop and endpoint the records go, S3's traces last",
        GONE,
        RECORDS_ONLY,
        (DeleteEndpointConfig(CONFIG), DeleteModel(CONFIG), ForgetModel(CAT)),
    ),
    Row("without a drop traces alone are forgotten", GONE, Actual(), (ForgetModel(CAT),)),
    Row(
        "without traces the records still go",
        Desired(CAT),
        RECORDS_ONLY,
        (DeleteEndpointConfig(CONFIG), DeleteModel(CONFIG)),
    ),
    Row("a new drop is inspected", wanting(report=None, target=None), Actual(), (InspectDrop(DROP),)),
    Row(
        "a re-drop is inspected while the old release runs",
        wanting(report=None, target=OLD_REPORT),
        RUNNING,
        (InspectDrop(DROP),),
    ),
    Row(
        "a re-drop is inspected while the endpoint is busy",
        wanting(report=None, target=OLD_REPORT),
        running({"status": EndpointStatus.UPDATING}),
        (InspectDrop(DROP),),
    ),
    Row("a refused drop without an older release runs nothing", wanting(report=REFUSED, target=None), Actual(), ()),
    Row("an accepted drop is started", SETTLED, Actual(), CREATE_ALL),
    Row("a wake needs only the endpoint", wanting(used=ago(1)), RECORDS_ONLY, (CREATE_ALL[2],)),
    Row(
        "a wake removes the mark before it creates",
        wanting(used=ago(1), asleep=MARK),
        RECORDS_ONLY,
        (RemoveMark(CAT, MARK), CREATE_ALL[2]),
    ),
    Row(
        "a wake removes a young mark too, for its endpoint is gone",
        wanting(used=ago(1), asleep=FRESH_MARK),
        RECORDS_ONLY,
        (RemoveMark(CAT, FRESH_MARK), CREATE_ALL[2]),
    ),
    Row(
        "a tie of mark and use is awake",
        wanting(used=ago(30), asleep=FRESH_MARK),
        RECORDS_ONLY,
        (RemoveMark(CAT, FRESH_MARK), CREATE_ALL[2]),
    ),
    Row(
        "a drop newer than the mark wakes",
        wanting(drop=replace(DROP, dropped_at=NOW), asleep=MARK),
        RECORDS_ONLY,
        (RemoveMark(CAT, MARK), CREATE_ALL[2]),
    ),
    Row("asleep and gone is the aim", wanting(asleep=MARK), RECORDS_ONLY, ()),
    Row(
        "asleep keeps the target's records and removes others",
        wanting(asleep=MARK),
        Actual(None, BOTH, BOTH_CONFIGS),
        (DeleteEndpointConfig(OLD_CONFIG), DeleteModel(OLD_CONFIG)),
    ),
    Row("running as wanted plans nothing", SETTLED, RUNNING, ()),
    Row("records missing under a running endpoint are made again", SETTLED, Actual(ENDPOINT), CREATE_ALL[:2]),
    Row(
        "another release is updated to, its records first",
        SETTLED,
        running(
            {"config_name": OLD_CONFIG},
            sagemaker_models=frozenset({OLD_CONFIG}),
            endpoint_configs={OLD_CONFIG: CREATED},
        ),
        (*CREATE_ALL[:2], UpdateEndpoint(NAME, CONFIG, CAT, REL)),
    ),
    Row(
        "superseded records go once the new release serves",
        SETTLED,
        running(sagemaker_models=BOTH, endpoint_configs=BOTH_CONFIGS),
        (DeleteEndpointConfig(OLD_CONFIG), DeleteModel(OLD_CONFIG)),
    ),
    Row(
        "a rolled-back update is written down",
        SETTLED,
        running(
            {"config_name": OLD_CONFIG, "failure_reason": "it broke"},
            sagemaker_models=BOTH,
            endpoint_configs=BOTH_CONFIGS,
        ),
        (RecordFailure(CAT, REL, "it broke", READY),),
    ),
    Row(
        "an earlier roll-back says nothing about a release not tried yet",
        SETTLED,
        running(
            {"config_name": OLD_CONFIG, "failure_reason": "it broke"},
            sagemaker_models=BOTH,
            endpoint_configs={**BOTH_CONFIGS, CONFIG: NOW},
        ),
        (UpdateEndpoint(NAME, CONFIG, CAT, REL),),
    ),
    Row(
        "a roll-back that is written down for the drop is not laid to the release fallen back to",
        wanting(target=OLD_REPORT, failure=FAILURE),
        running(
            {"config_name": "tarmac-cat-99999999", "failure_reason": "it broke"},
            sagemaker_models=BOTH,
            endpoint_configs=BOTH_CONFIGS,
        ),
        (UpdateEndpoint(NAME, OLD_CONFIG, CAT, OLD),),
    ),
    Row("a failed start is written down", SETTLED, running(FAILED), (RecordFailure(CAT, REL, "it broke", READY),)),
    Row(
        "a failed start without a reason is written down as such",
        SETTLED,
        running({**FAILED, "failure_reason": None}),
        (RecordFailure(CAT, REL, "SageMaker gave no reason", READY),),
    ),
    Row(
        "a failed start that a newer drop has overtaken is written down too",
        wanting(releases=(RECORD, OLD_RECORD)),
        running({**FAILED, "config_name": OLD_CONFIG}),
        (RecordFailure(CAT, OLD, "it broke", READY),),
    ),
    Row(
        "a failed endpoint of a release written down is cleared away for another",
        wanting(releases=(RECORD, replace(OLD_RECORD, failed_at=READY))),
        running({**FAILED, "config_name": OLD_CONFIG}),
        (DeleteEndpoint(NAME, CAT),),
    ),
    Row(
        "an endpoint out of service is cleared away",
        SETTLED,
        running({"status": EndpointStatus.OUT_OF_SERVICE}),
        (DeleteEndpoint(NAME, CAT),),
    ),
    Row(
        "what is in service has not failed, whatever is written down",
        wanting(target=None, failure=FAILURE, releases=(replace(RECORD, failed_at=READY),)),
        RUNNING,
        (ForgetFailure(CAT, REL),),
    ),
    Row("a failed release without another stays as it is", wanting(target=None, failure=FAILURE), running(FAILED), ()),
    Row(
        "a retry clears the failed endpoint away first",
        wanting(failure=FAILURE, is_failure_stale=True),
        running(FAILED),
        (DeleteEndpoint(NAME, CAT),),
    ),
    Row(
        "a retry then forgets the failure",
        wanting(failure=FAILURE, is_failure_stale=True),
        RECORDS_ONLY,
        (ForgetFailure(CAT, REL),),
    ),
    Row(
        "a retry beside an earlier release that runs only forgets",
        wanting(failure=FAILURE, is_failure_stale=True),
        running({"config_name": OLD_CONFIG}),
        (ForgetFailure(CAT, REL),),
    ),
    Row(
        "a retry of repeated bytes is a retry of the release they repeat",
        wanting(report=replace(REPORT, same_as=OLD), target=OLD_REPORT, failure=FAILURE, is_failure_stale=True),
        RECORDS_ONLY,
        (ForgetFailure(CAT, OLD),),
    ),
    Row(
        "the start's length is written down once it is ready",
        wanting(releases=(replace(RECORD, started_at=None),)),
        RUNNING,
        (RecordStart(CAT, REL, 200.0),),
    ),
    Row(
        "a new start is written down though an older one is",
        wanting(releases=(replace(RECORD, started_at=CREATED - timedelta(seconds=5)),)),
        RUNNING,
        (RecordStart(CAT, REL, 200.0),),
    ),
    Row(
        "the length of an update is no start's",
        wanting(releases=(replace(RECORD, started_at=None),)),
        running(endpoint_configs={CONFIG: CREATED + timedelta(seconds=100)}),
        (),
    ),
    Row(
        "an endpoint that another release began has no start to tell",
        wanting(releases=(replace(RECORD, started_at=None), replace(OLD_RECORD, started_at=READY))),
        RUNNING,
        (),
    ),
    Row(
        "an unbelievable start is not written down",
        wanting(releases=(replace(RECORD, started_at=None),)),
        running({"created_at": READY - timedelta(hours=2)}, endpoint_configs={CONFIG: READY - timedelta(hours=3)}),
        (),
    ),
    Row(
        "a start of a release that nobody has a record of is not written down",
        wanting(releases=()),
        RUNNING,
        (),
    ),
    Row("a look never puts to sleep, however idle", wanting(used=ago(2000)), RUNNING, ()),
    Row("an idle model is put to sleep by the sweep", SETTLED, RUNNING, (SLEEP,), QUIET),
    Row(
        "an idle model whose update has not come about sleeps; its wake will start the new release",
        SETTLED,
        running({"config_name": OLD_CONFIG}),
        (SLEEP,),
        QUIET,
    ),
    Row(
        "one that was used a TTL ago is idle", wanting(used=ago(902)), RUNNING, (replace(SLEEP, used=ago(902)),), QUIET
    ),
    Row("one that was used within the TTL is not idle", wanting(used=ago(900)), RUNNING, (), QUIET),
    Row("one that was called directly is not idle", SETTLED, RUNNING, (), replace(QUIET, invocations=1.0)),
    Row("one that cannot be seen is not idle", SETTLED, RUNNING, (), replace(QUIET, invocations=None)),
    Row("one dropped within the TTL is not idle", wanting(drop=replace(DROP, dropped_at=NOW)), RUNNING, (), QUIET),
    Row("one updated within the TTL is not idle", SETTLED, running({"modified_at": NOW}), (), QUIET),
    Row("a TTL of never is never idle", SETTLED, RUNNING, (), QUIET, replace(RULES, idle_after_s=None)),
    Row(
        "only one in service is idle",
        SETTLED,
        running({"status": EndpointStatus.UPDATE_ROLLBACK_FAILED}),
        (),
        QUIET,
    ),
    Row("wanted asleep is put to sleep by the sweep", wanting(asleep=MARK), RUNNING, (SLEEP,), QUIET),
    Row("wanted asleep needs no CloudWatch", wanting(asleep=MARK), RUNNING, (SLEEP,), replace(QUIET, invocations=None)),
    Row("wanted asleep is not put to sleep by a look", wanting(asleep=MARK), RUNNING, ()),
    Row(
        "wanted asleep waits until no ticket can be valid",
        wanting(asleep=FRESH_MARK, used=ago(121)),
        RUNNING,
        (),
        QUIET,
    ),
    Row(
        "wanted asleep waits no longer than two tickets",
        wanting(asleep=FRESH_MARK, used=ago(122)),
        RUNNING,
        (replace(SLEEP, used=ago(122)),),
        QUIET,
    ),
    Row("a young mark on a model wanted awake is waited for", wanting(asleep=FRESH_MARK, used=ago(1)), RUNNING, ()),
    Row(
        "a young mark also holds back an update",
        wanting(asleep=FRESH_MARK, used=ago(1)),
        running({"config_name": OLD_CONFIG}),
        (),
    ),
    Row(
        "a settled mark on a model wanted awake is removed",
        wanting(asleep=MARK, used=ago(1)),
        RUNNING,
        (RemoveMark(CAT, MARK),),
    ),
    Row(
        "superseded archives beyond those kept are removed, but never one that serves",
        wanting(
            target=OLD_REPORT,
            report=REFUSED,
            releases=(
                *SPARE_RECORDS,
                RECORD,
                OLD_RECORD,
            ),
        ),
        running(
            {"config_name": OLD_CONFIG},
            sagemaker_models=frozenset({OLD_CONFIG}),
            endpoint_configs={OLD_CONFIG: CREATED},
        ),
        tuple(DeleteRelease(CAT, ReleaseId(f"{n:012x}")) for n in range(2)),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=[row.claim for row in ROWS])
def test_plan(row: Row) -> None:
    """One row of the table."""
    assert plan(row.desired, row.actual, row.usage, NOW, rules=row.rules) == row.expected


@pytest.mark.parametrize("status", sorted(MODIFYING))
@pytest.mark.parametrize("usage", [None, QUIET])
def test_a_modifying_endpoint_is_left_alone(status: EndpointStatus, usage: Usage | None) -> None:
    """SageMaker refuses changes then; whatever is wanted waits."""
    actual = running({"status": status, "config_name": OLD_CONFIG})

    for desired in (SETTLED, wanting(asleep=MARK), wanting(failure=FAILURE, is_failure_stale=True)):
        assert plan(desired, actual, usage, NOW, rules=RULES) == ()


LONG_AGO = NOW - timedelta(hours=1)


def idle(**changes: Any) -> bool:
    facts: dict[str, Any] = {"awake_since": LONG_AGO, "idle_after_s": 900.0, "now": NOW, **changes}
    return is_idle(facts.pop("usage", QUIET), **facts)


def test_silence_longer_than_the_ttl_is_idle() -> None:
    """The one case that is idle."""
    assert idle()


@pytest.mark.parametrize("usage", [None, Usage(None, NOW)])
def test_unknown_metrics_are_never_idle(usage: Usage | None) -> None:
    """Unknown is not idle."""
    assert not idle(usage=usage)


def test_a_ttl_of_never_is_never_idle() -> None:
    """None is never."""
    assert not idle(idle_after_s=None)


@pytest.mark.parametrize(("seconds", "expected"), [(900.0, False), (900.99, False), (901.0, True)])
def test_the_grain_of_s3_times_is_on_the_side_of_staying_awake(seconds: float, expected: bool) -> None:
    """LastModified is rounded down, so the use may be a second later than it looks."""
    assert idle(awake_since=NOW - timedelta(seconds=seconds)) is expected


@pytest.mark.parametrize("name", ["awake_since", "now"])
def test_naive_datetimes_raise(name: str) -> None:
    """A time without a zone is a defect, not an hour's difference."""
    with pytest.raises(ValueError, match="aware"):
        idle(**{name: NOW.replace(tzinfo=None)})


@pytest.mark.parametrize(
    "latest", ["created_at", "modified_at", "dropped_at", "used"], ids=lambda name: f"{name} may be the latest"
)
def test_idleness_counts_from_the_latest_of_four_moments(latest: str) -> None:
    """Created, modified, dropped, used."""
    moved: Callable[[str, datetime], datetime] = lambda name, usual: NOW if name == latest else usual  # noqa: E731
    endpoint = replace(ENDPOINT, created_at=moved("created_at", CREATED), modified_at=moved("modified_at", READY))
    drop = replace(DROP, dropped_at=moved("dropped_at", DROP.dropped_at))

    since = awake_since(wanting(drop=drop, used=Stamp(moved("used", LONG_AGO), "use")), endpoint)

    assert since == NOW


def test_the_release_s_own_ttl_wins_only_where_it_was_wished() -> None:
    """Without a wish the deployment's TTL holds, whatever it is by now."""
    wished = replace(REPORT, plan=replace(PLAN, idle_after_s=60.0, is_idle_after_wished=True))
    never = replace(REPORT, plan=replace(PLAN, idle_after_s=None, is_idle_after_wished=True))

    assert idle_after_s(wished, RULES) == 60.0
    assert idle_after_s(never, RULES) is None
    assert idle_after_s(replace(REPORT, plan=replace(PLAN, idle_after_s=60.0)), RULES) == 900.0


@pytest.mark.parametrize(
    ("ttl_s", "expected"), [(None, 60.0), (900.0, 60.0), (600.0, 60.0), (100.0, 10.0), (10.0, 1.0)]
)
def test_a_touch_is_never_older_than_a_minute_or_a_tenth_of_the_ttl(ttl_s: float | None, expected: float) -> None:
    """So a use that recent cannot look idle."""
    assert touch_interval_s(ttl_s) == expected


def test_a_model_never_used_has_no_ticket_out() -> None:
    """Every ticket is preceded by a touch."""
    assert is_last_use_settled(SETTLED, 900.0, now=NOW)
