"""The dead-man's switch: made before the endpoint is, pushed ahead by sweeps that looked after it, by nothing else."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from chalicelib.aws.last_resorts import SchedulerLastResorts
from chalicelib.bootstrap import Application, aws_world, build
from chalicelib.errors import AccessDenied, AlreadyExists, NotFound
from chalicelib.names import ModelName
from chalicelib.settings import read_settings
from chalicelib.state import EndpointStatus
from tests.fakes import FakeWorld, Gate, fake_world, good_archive, settings

ROLE_ARN = "arn:aws-cn:iam::123456789012:role/last-resort"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CAT = "tarmac-cat"


@dataclass
class FakeLastResorts:
    """Remembers when each endpoint was last looked after, and what ran at that moment."""

    world: FakeWorld
    pushed: dict[str, datetime] = field(default_factory=dict)
    ran_when_made: dict[str, bool] = field(default_factory=dict)
    is_forbidden: bool = False

    def ensure(self, endpoint: str, *, now: datetime) -> None:
        if self.is_forbidden:
            raise AccessDenied("CreateSchedule: not authorized")
        self.ran_when_made.setdefault(endpoint, endpoint in self.world.endpoints.endpoints)
        self.pushed[endpoint] = now

    def push(self, endpoint: str, *, now: datetime) -> bool:
        if endpoint in self.pushed:
            self.pushed[endpoint] = now
        return endpoint in self.pushed


def guarded_app(gate: Gate | None = None) -> tuple[FakeWorld, FakeLastResorts, Application]:
    world = fake_world(gate=gate)
    last_resorts = FakeLastResorts(world)
    return world, last_resorts, build(settings(), replace(world, last_resorts=last_resorts))


def awake() -> tuple[FakeWorld, FakeLastResorts, Application]:
    world, last_resorts, app = guarded_app()
    world.drop("cat", good_archive())
    app.looker.look(ModelName("cat"))
    world.clock.advance(20)
    world.endpoints.settle()
    return world, last_resorts, app


def test_it_is_there_before_the_endpoint_is():
    _, last_resorts, _ = awake()

    assert last_resorts.ran_when_made == {CAT: False}


def test_without_it_no_endpoint_is_created():
    world, last_resorts, app = guarded_app()
    last_resorts.is_forbidden = True
    world.drop("cat", good_archive())

    with pytest.raises(AccessDenied):
        app.looker.look(ModelName("cat"))

    assert world.endpoints.status(CAT) is None


def test_every_sweep_pushes_it_ahead():
    world, last_resorts, app = awake()
    world.clock.advance(300)

    app.sweeper.sweep()

    assert last_resorts.pushed[CAT] == world.clock.now()


def test_a_look_at_a_running_model_does_not():
    # Else a queue that works would hide for ever that the sweep does not.
    world, last_resorts, app = awake()
    made_at = last_resorts.pushed[CAT]
    world.clock.advance(300)

    app.looker.look(ModelName("cat"))

    assert last_resorts.pushed[CAT] == made_at


class Breaks(Gate):
    """Nothing of one model can be read any more."""

    is_broken = False

    def before(self, call: str) -> None:
        if self.is_broken and "list_configs" in call:
            raise AccessDenied("ListEndpointConfigs: not authorized")


def test_a_model_whose_look_fails_is_not_pushed_so_that_it_ends_some_day():
    gate = Breaks()
    world, last_resorts, app = guarded_app(gate)
    world.drop("cat", good_archive())
    app.looker.look(ModelName("cat"))
    made_at = last_resorts.pushed[CAT]
    world.clock.advance(20)
    world.endpoints.settle()
    gate.is_broken = True

    swept = app.sweeper.sweep()

    assert swept.failed
    assert last_resorts.pushed[CAT] == made_at


def test_one_that_was_removed_by_hand_is_made_again_by_the_next_sweep():
    _, last_resorts, app = awake()
    last_resorts.pushed.clear()

    app.sweeper.sweep()

    assert CAT in last_resorts.pushed


def test_an_endpoint_that_is_not_ours_never_gets_one():
    world, last_resorts, app = guarded_app()
    world.endpoints.add("tarmac-theirs", "tarmac-theirs-01234567", is_owned=False)
    world.endpoints.settle()

    app.sweeper.sweep()

    assert last_resorts.pushed == {}


def test_a_model_that_fell_asleep_leaves_a_harmless_one_and_its_wake_pushes_it():
    world, last_resorts, app = awake()
    world.clock.advance(2000)
    app.sweeper.sweep()
    assert world.endpoints.status(CAT) is EndpointStatus.DELETING
    world.endpoints.settle()
    world.clock.advance(2000)
    app.commands.wake("cat")

    app.looker.look(ModelName("cat"))

    assert world.endpoints.status(CAT) is EndpointStatus.CREATING
    assert last_resorts.pushed[CAT] == world.clock.now()


@pytest.fixture
def scheduler() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("scheduler", region_name="cn-north-1", aws_access_key_id="x", aws_secret_access_key="y")
        client.create_schedule_group(Name="tarmac-prod")
        yield client


def adapter(scheduler: Any) -> SchedulerLastResorts:
    return SchedulerLastResorts(lambda: scheduler, "tarmac-prod", ROLE_ARN, after_s=43_200)


def test_the_schedule_deletes_that_endpoint_once_and_then_itself(scheduler):
    adapter(scheduler).ensure(CAT, now=NOON)

    made = scheduler.get_schedule(GroupName="tarmac-prod", Name=CAT)
    assert made["ScheduleExpression"] == "at(2026-11-21T00:00:00)"
    assert (made["ScheduleExpressionTimezone"], made["ActionAfterCompletion"]) == ("UTC", "DELETE")
    assert made["Target"]["Arn"] == "arn:aws-cn:scheduler:::aws-sdk:sagemaker:deleteEndpoint"
    assert made["Target"]["RoleArn"] == ROLE_ARN
    assert json.loads(made["Target"]["Input"]) == {"EndpointName": CAT}


def test_making_it_again_pushes_it_ahead(scheduler):
    adapter(scheduler).ensure(CAT, now=NOON)

    adapter(scheduler).ensure(CAT, now=NOON + timedelta(hours=1))

    assert scheduler.get_schedule(GroupName="tarmac-prod", Name=CAT)["ScheduleExpression"] == "at(2026-11-21T01:00:00)"
    assert len(scheduler.list_schedules(GroupName="tarmac-prod")["Schedules"]) == 1


def test_one_that_is_not_there_is_not_pushed(scheduler):
    assert adapter(scheduler).push(CAT, now=NOON) is False
    assert adapter(scheduler).push(CAT, now=NOON + timedelta(hours=1)) is False


class Racing:
    """Another look makes the schedule between this one's two calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def update_schedule(self, **_: Any) -> None:
        self.calls.append("update")
        if len(self.calls) == 1:
            raise NotFound("UpdateSchedule: Schedule tarmac-cat does not exist.")

    def create_schedule(self, **_: Any) -> None:
        self.calls.append("create")
        raise AlreadyExists("CreateSchedule: Schedule tarmac-cat already exists.")


def test_two_looks_at_once_make_one():
    racing = Racing()

    adapter(racing).ensure(CAT, now=NOON)

    assert racing.calls == ["update", "create", "update"]


@pytest.mark.parametrize("missing", ["TARMAC_LAST_RESORT_GROUP", "TARMAC_LAST_RESORT_ROLE_ARN"])
def test_without_its_settings_there_is_none(missing):
    environ = {
        "TARMAC_BUCKET": "b",
        "TARMAC_QUEUE_URL": "q",
        "TARMAC_ROLE_ARN": "r",
        "AWS_REGION": "eu-west-1",
        "TARMAC_LAST_RESORT_GROUP": "g",
        "TARMAC_LAST_RESORT_ROLE_ARN": ROLE_ARN,
    }

    assert aws_world(read_settings(environ)).last_resorts is not None
    assert aws_world(read_settings({**environ, missing: ""})).last_resorts is None


def test_the_scheduler_may_delete_endpoints_of_ours_and_nothing_else(packaged):
    (inline,) = packaged.cloudformation()["Resources"]["LastResortRole"]["Properties"]["Policies"]
    statement, letting_go = inline["PolicyDocument"]["Statement"]

    # AWS deregisters what scales when it is deleted, if whoever deletes it may.
    assert letting_go["Action"] == "application-autoscaling:DeregisterScalableTarget"
    assert letting_go["Condition"] == {"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}}

    assert statement["Action"] == "sagemaker:DeleteEndpoint"
    assert statement["Condition"] == {"StringEquals": {"aws:ResourceTag/tarmac:app": {"Ref": "AppName"}}}
