"""Asynchronous models: how they are planned, asked, answered, put to sleep and moved to another mode."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.aws.endpoints import SageMakerEndpoints
from chalicelib.aws.metrics import CloudWatchMetrics
from chalicelib.bootstrap import Application
from chalicelib.errors import (
    AnswerTooLarge,
    ModelAsleep,
    ModelBroke,
    ModelRejected,
    ModelStarting,
    ModelTimedOut,
    NotReadyError,
    RequestNotFound,
)
from chalicelib.names import ModelName, ReleaseId, parse_request_id, request_id
from chalicelib.reports import ServingPlan, parse_report
from chalicelib.requests import ANSWER_MAX_BYTES
from chalicelib.responses import render_accepted
from chalicelib.state import Accepted, Answer, Backlog
from tests.fakes import DAWN, FakeWorld, good_archive
from tests.unit.scenes import CAT, NAME, app_over, awake, settle
from tests.unit.test_door_corpus import BUILT, RULES, report_on

ASYNC = b'mode = "async"\n'


def plan_of(toml: bytes, case: str = "bert") -> ServingPlan:
    plan = report_on(BUILT[case], toml, RULES).plan
    assert plan is not None
    return plan


def ask_later(app: Application, body: bytes = b"hello", *, accept: str = "*/*") -> Accepted:
    taken = app.proxy.invoke(CAT, body, content_type="text/plain", accept=accept)
    assert isinstance(taken, Accepted)
    return taken


def redrop(world: FakeWorld, app: Application, toml: bytes) -> None:
    world.clock.advance(5)
    world.drop(CAT, good_archive(), toml=toml)
    world.clock.advance(2)
    app.looker.look(CAT)


def test_an_async_plan_has_instances_a_queue_and_the_container_s_patience() -> None:
    """And says so, and survives JSON."""
    report = report_on(BUILT["bert"], ASYNC, RULES)
    plan = report.plan

    assert plan is not None
    assert (plan.mode, plan.is_async, plan.is_serverless, plan.is_isolated) == ("async", True, False, True)
    assert plan.instance_type == plan_of(b"").instance_type
    assert plan.max_concurrency is not None
    assert plan.max_concurrency >= 1
    assert dict(plan.env)["SAGEMAKER_MODEL_SERVER_TIMEOUT"] == "3600"
    assert any(reason.startswith("async: requests wait in a queue") for reason in plan.why)
    assert parse_report(report.to_json()) == report


def test_what_a_person_wishes_of_workers_and_patience_is_kept() -> None:
    """The queue sends as many at once as there are copies."""
    plan = plan_of(ASYNC + b'[env]\nSAGEMAKER_MODEL_SERVER_WORKERS = "3"\nTS_DEFAULT_RESPONSE_TIMEOUT = "90"\n')

    assert plan.max_concurrency == 3
    assert "SAGEMAKER_MODEL_SERVER_TIMEOUT" not in dict(plan.env)


@pytest.mark.parametrize(
    ("toml", "check", "is_accepted"),
    [
        (ASYNC + b"[autoscale]\nmax = 3\n", "async-not-scaled", False),
        (ASYNC + b"[serverless]\nmemory_mb = 1024\n", "wish-without-effect", True),
    ],
)
def test_combinations_that_make_no_sense_are_said(toml: bytes, check: str, is_accepted: bool) -> None:
    """Refused where it would cost or scale otherwise than wished."""
    report = report_on(BUILT["bert"], toml, RULES)

    assert check in {each.id for each in report.checks}
    assert report.is_accepted == is_accepted


def test_the_configuration_names_where_answers_and_failures_go() -> None:
    """Under the model's own prefix."""
    asked: list[dict[str, Any]] = []

    class Client:
        def create_endpoint_config(self, **raw: Any) -> None:
            asked.append(raw)

    at = SageMakerEndpoints(Client, app="tarmac", role_arn="r", bucket_name="b")
    at.create_config("n", model=CAT, release=ReleaseId("0" * 12), plan=plan_of(ASYNC))
    at.create_config("n", model=CAT, release=ReleaseId("0" * 12), plan=plan_of(b""))

    raw = asked[0]["AsyncInferenceConfig"]
    assert raw["OutputConfig"] == {
        "S3OutputPath": "s3://b/requests/cat/answers",
        "S3FailurePath": "s3://b/requests/cat/failures",
    }
    assert raw["ClientConfig"]["MaxConcurrentInvocationsPerInstance"] >= 1
    assert "AsyncInferenceConfig" not in asked[1]


def test_a_request_is_taken_parked_and_found_by_its_id() -> None:
    """The use is written down as for any other; nothing is looked up twice while the ticket lasts."""
    world, app = awake(toml=ASYNC)

    taken = ask_later(app, accept="application/x-words")
    before = app.requests.outcome(taken.request_id)
    world.runtime.work(world.bucket)
    after = app.requests.outcome(taken.request_id)

    assert isinstance(before, Accepted)
    assert before.request_id == taken.request_id
    assert isinstance(after, Answer)
    assert (after.status, after.content_type) == (200, "text/plain")
    assert after.body.endswith(b":hello")
    assert world.bucket.keys("usage/cat")
    token = taken.request_id.partition(".")[2]
    assert world.bucket.objects[f"requests/cat/{token}/input"][0] == b"hello"
    assert world.bucket.content_types[f"requests/cat/{token}/input"] == "text/plain"


def test_ids_cannot_be_guessed_and_only_a_good_one_is_looked_for() -> None:
    """32 hex digits behind the model's name; whatever else is 404, without a key being made of it."""
    _, app = awake(toml=ASYNC)
    ids = {ask_later(app).request_id for _ in range(20)}

    assert len(ids) == 20
    assert all(parse_request_id(each) for each in ids)
    known = ids.pop()
    for wrong in ("", "cat", "cat.", f"../{known}", known[:-1], f"{known}0", known.upper(), f"dog{known[3:]}", "a/b.0"):
        with pytest.raises(RequestNotFound):
            app.requests.outcome(wrong)
    assert parse_request_id(request_id("a" * 41, "0" * 32)) is None


def test_the_state_is_202_with_a_place_and_a_time_to_look_again() -> None:
    """The longer it takes, the more seldom; half a minute at most."""
    world, app = awake(toml=ASYNC)
    taken = ask_later(app)
    waits = []
    for _ in range(4):
        found = app.requests.outcome(taken.request_id)
        assert isinstance(found, Accepted)
        response = render_accepted(found)
        waits.append(int(str(response.headers["Retry-After"])))
        world.clock.advance(150)

    assert response.status_code == 202
    assert response.headers["Location"] == f"/requests/{taken.request_id}"
    assert json.loads(response.body)["state"] == "waiting"
    assert waits == [1, 15, 30, 30]


@pytest.mark.parametrize(
    ("failure", "error", "words"),
    [
        (b'Received client error (422) from primary with message "no text". See arn:aws:x', ModelRejected, "no text"),
        (b'Received server error (500) from primary with message "oh"', ModelBroke, "oh"),
        (b'Received server error (0) from primary with message "Your invocation timed out"', ModelTimedOut, "timed"),
        (b"Something at arn:aws:sagemaker:eu-west-1:123456789012:endpoint/x", ModelBroke, "Something at"),
        (b"\xff\xfe", ModelBroke, "failed"),
    ],
)
def test_a_failure_comes_back_as_the_error_it_is(failure: bytes, error: type[Exception], words: str) -> None:
    """As a realtime model's would; no ARN comes along."""
    world, app = awake(toml=ASYNC)
    taken = ask_later(app)
    world.runtime.work(world.bucket, failure=failure)

    with pytest.raises(error, match=words) as caught:
        app.requests.outcome(taken.request_id)

    assert "arn:" not in str(caught.value)


def test_an_answer_that_does_not_fit_says_where_it_lies() -> None:
    """It is not lost."""
    world, app = awake(toml=ASYNC)
    taken = ask_later(app, b"x" * ANSWER_MAX_BYTES)
    world.runtime.work(world.bucket)

    with pytest.raises(AnswerTooLarge) as caught:
        app.requests.outcome(taken.request_id)

    assert "aws s3 cp s3://bucket/requests/cat/answers/" in str(caught.value.fix)


def test_nobody_waits_for_ever() -> None:
    """A request that neither answer nor failure ended has expired."""
    world, app = awake(toml=ASYNC)
    taken = ask_later(app)
    world.clock.advance(8 * 3600)

    with pytest.raises(ModelTimedOut, match="expired"):
        app.requests.outcome(taken.request_id)


def test_a_type_that_nobody_wrote_is_the_one_that_was_asked_for() -> None:
    """S3's own word for "unknown" is no content type."""
    world, app = awake(toml=ASYNC)
    asked = [ask_later(app, accept=accept) for accept in ("text/csv", "*/*")]
    for each in world.runtime.queue:
        world.bucket.put(each.output_uri.removeprefix("s3://bucket/"), b"1")

    found = [app.requests.outcome(each.request_id) for each in asked]

    assert [each.content_type for each in found if isinstance(each, Answer)] == ["text/csv", "application/octet-stream"]


def test_a_sleeping_async_model_takes_nothing_and_wakes() -> None:
    """503 as for any other; what was not taken is not parked."""
    world, app = awake(toml=ASYNC)
    world.clock.advance(1000)
    app.sweeper.sweep()
    settle(world, app)

    with pytest.raises(ModelAsleep) as caught:
        ask_later(app_over(world))

    assert caught.value.retry_after_s
    assert not world.bucket.keys("requests/")
    assert list(world.looks.take_all()) == [CAT]


def test_a_backlog_is_never_idle_however_old_the_last_use() -> None:
    """A model that computes for an hour is not put to sleep over it; when it is done, it is, a TTL later."""
    world, app = awake(toml=ASYNC)
    ask_later(app)
    slept = []
    for _ in range(4):
        world.clock.advance(1000)
        slept.append(app.sweeper.sweep().slept)
    world.runtime.work(world.bucket)
    world.clock.advance(100)
    just_done = app.sweeper.sweep().slept
    world.clock.advance(1000)

    assert slept == [()] * 4
    assert just_done == ()
    assert app.sweeper.sweep().slept == (CAT,)
    settle(world, app)
    assert world.evidence.violations == world.evidence.lost == []


def test_an_unknown_backlog_is_never_idle() -> None:
    """And the sweep says so."""
    world, app = awake(toml=ASYNC)
    world.metrics.unknown.add(NAME)
    world.clock.advance(5000)

    swept = app.sweeper.sweep()

    assert swept.slept == ()
    assert "backlog" in swept.kept[CAT]


@pytest.mark.parametrize("toml", [ASYNC, ASYNC + b'idle_after = "never"\n'])
def test_sleep_by_hand_waits_until_the_queue_was_seen_empty_after_the_last_use(toml: bytes) -> None:
    """What waits would go with the endpoint; a picture older than the last use proves nothing."""
    world, app = awake(toml=toml)
    ask_later(app)
    world.clock.advance(5)
    app.commands.sleep(CAT)
    world.clock.advance(300)
    busy = app.sweeper.sweep().slept
    world.runtime.work(world.bucket)
    world.metrics.delay_s = 250
    blind = app.sweeper.sweep().slept
    world.metrics.delay_s = 0

    assert (busy, blind) == ((), ())
    assert app.sweeper.sweep().slept == (CAT,)
    settle(world, app)
    assert world.evidence.violations == world.evidence.lost == []


@pytest.mark.parametrize(("before", "after"), [(b"", ASYNC), (ASYNC, b""), (ASYNC, b'mode = "serverless"\n')])
def test_a_change_of_mode_replaces_the_endpoint_and_loses_nothing(before: bytes, after: bytes) -> None:
    """Nobody asks while it lasts, what waits is answered first, and it ends awake in the other mode."""
    world, app = awake(toml=before)
    app.proxy.invoke(CAT, b"x", content_type="text/plain", accept="*/*")

    redrop(world, app, after)
    with pytest.raises(NotReadyError):
        app_over(world).proxy.invoke(CAT, b"x", content_type="text/plain", accept="*/*")
    assert app.views.model(CAT)["state"] == "updating"
    for turn in range(5):
        world.clock.advance(200)
        app.sweeper.sweep()
        if turn == 2:
            if before == ASYNC:
                assert world.endpoints.endpoints[NAME].is_async
            world.runtime.work(world.bucket)
        settle(world, app)

    assert world.endpoints.status(NAME) == "InService"
    assert world.endpoints.endpoints[NAME].is_async == (after == ASYNC)
    assert world.evidence.violations == world.evidence.lost == []
    assert app.views.model(CAT)["mode"] == plan_mode(after)


def plan_mode(toml: bytes) -> str:
    return "async" if toml == ASYNC else "serverless" if toml else "realtime"


@pytest.mark.parametrize(("before", "after"), [(b"", ASYNC), (ASYNC, b"")])
def test_a_call_of_the_kind_that_the_endpoint_is_not_yet_is_told_to_come_again(before: bytes, after: bytes) -> None:
    """A process that has seen the new release before the endpoint was marked asks the wrong way, once."""
    world, app = awake(toml=before)
    redrop(world, app, after)
    world.bucket.objects.pop("asleep/cat")

    with pytest.raises(ModelStarting, match="changes between realtime and async"):
        app_over(world).proxy.invoke(CAT, b"x", content_type="text/plain", accept="*/*")

    assert list(world.looks.take_all()) == [CAT]


class Pages:
    """CloudWatch with these answers, a page each."""

    def __init__(self, *pages: list[dict[str, Any]]) -> None:
        self.pages, self.asked = pages, []  # type: ignore[var-annotated]

    def get_paginator(self, _: str) -> "Pages":
        return self

    def paginate(self, **raw: Any) -> list[dict[str, Any]]:
        self.asked.append(raw)
        return [{"MetricDataResults": page} for page in self.pages]


def row(values: list[float], *, status: str = "Complete", minutes: int = 0, query: str = "backlog0") -> dict[str, Any]:
    stamps = [DAWN - timedelta(minutes=minutes + index) for index in range(len(values))]
    return {"Id": query, "Timestamps": stamps, "Values": values, "StatusCode": status}


@pytest.mark.parametrize(
    ("pages", "seen"),
    [
        ([[row([0.0, 2.0])]], Backlog(2.0, DAWN)),
        ([[row([1.0, 0.0])]], Backlog(1.0, None)),
        ([[row([0.0], minutes=3)]], Backlog(0.0, DAWN - timedelta(minutes=3))),
        ([[row([0.0], status="PartialData")], [row([4.0], minutes=1)]], Backlog(4.0, DAWN)),
        ([[row([])]], None),
        ([[row([0.0], status="PartialData")]], None),
        ([[row([0.0], status="Forbidden")]], None),
        ([[]], None),
    ],
)
def test_a_backlog_is_its_own_proof_of_sight(pages: list[list[dict[str, Any]]], seen: Backlog | None) -> None:
    """No point, or not all of them: nothing is known."""
    client = Pages(*pages)

    found = CloudWatchMetrics(lambda: client).backlogs({"tarmac-cat": 900.0}, now=DAWN)

    assert found.get("tarmac-cat") == seen
    (asked,) = client.asked
    metric = asked["MetricDataQueries"][0]["MetricStat"]
    assert metric["Stat"] == "Maximum"
    assert metric["Metric"]["MetricName"] == "ApproximateBacklogSize"
    assert metric["Metric"]["Dimensions"] == [{"Name": "EndpointName", "Value": "tarmac-cat"}]


def test_an_async_model_is_shown_as_such() -> None:
    """Its instance, its price, its mode."""
    _, app = awake(toml=ASYNC)

    shown = app.views.model(ModelName("cat"))

    assert (shown["mode"], shown["state"]) == ("async", "ready")
    assert shown["instance_type"] is not None
    assert replace(plan_of(ASYNC), mode="realtime").is_async is False
