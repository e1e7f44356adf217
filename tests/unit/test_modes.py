"""Serverless and scaled endpoints: how they are planned, moved, put to sleep and left alone."""

import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.actions import EnsureScaling
from chalicelib.bootstrap import Application
from chalicelib.errors import NotReadyError
from chalicelib.reports import Autoscale, ServingPlan, parse_report
from tests.fakes import FakeWorld, good_archive
from tests.unit.scenes import CAT, NAME, app_over, awake, settle
from tests.unit.test_door_corpus import BUILT, RULES, report_on

SERVERLESS = b'mode = "serverless"\ntrust = "trusted"\n'
SCALED = b"[autoscale]\nmin = 2\nmax = 5\ninvocations_per_instance = 100\n"


def redrop(world: FakeWorld, app: Application, toml: bytes) -> None:
    world.clock.advance(5)
    world.drop(CAT, good_archive(), toml=toml)
    world.clock.advance(2)
    app.looker.look(CAT)


def plan_of(toml: bytes, case: str = "bert", **rules: object) -> ServingPlan:
    plan = report_on(BUILT[case], toml, replace(RULES, **rules)).plan
    assert plan is not None
    return plan


def checks_of(toml: bytes, case: str = "bert", **rules: object) -> set[str]:
    return {check.id for check in report_on(BUILT[case], toml, replace(RULES, **rules)).checks}


def test_a_serverless_plan_has_memory_and_no_instances_and_is_not_isolated() -> None:
    """As SageMaker has it."""
    plan = plan_of(b'mode = "serverless"\n[serverless]\nmemory_mb = 3072\nmax_concurrency = 7\n')

    assert (plan.mode, plan.instance_type, plan.memory_mb, plan.max_concurrency) == ("serverless", None, 3072, 7)
    assert not plan.is_isolated
    assert plan.idle_after_s is None
    assert any("not isolated" in reason for reason in plan.why)


def test_where_isolation_or_subnets_matter_auto_is_not_serverless_and_asking_says_so() -> None:
    """Nobody loses the isolation of code unasked."""
    assert plan_of(b'mode = "auto"').mode == "serverless"
    assert plan_of(b'mode = "auto"', "code").mode == "realtime"
    assert plan_of(b'mode = "auto"', is_in_vpc=True).mode == "realtime"
    assert "serverless-not-isolated" in checks_of(b'mode = "serverless"', "code")
    assert "serverless-not-isolated" not in checks_of(SERVERLESS, "code")
    assert "serverless-outside-vpc" in checks_of(b'mode = "serverless"', is_in_vpc=True)


@pytest.mark.parametrize(
    "toml",
    [
        b'mode = "serverless"\nidle_after = "1h"',
        b"[serverless]\nmemory_mb = 1024",
        b"[serverless]\nmax_concurrency = 1",
    ],
)
def test_a_wish_that_means_nothing_is_said(toml: bytes) -> None:
    """And refuses nothing."""
    assert "wish-without-effect" in checks_of(toml)


def test_a_scaled_plan_begins_with_its_fewest_and_survives_json() -> None:
    """The bounds are in the report, and in words."""
    report = report_on(BUILT["bert"], SCALED)
    plan = report.plan

    assert plan is not None
    assert plan.autoscale == Autoscale(2, 5, 100)
    assert plan.instance_count == 2
    assert any("2 to 5 instances" in reason for reason in plan.why)
    assert parse_report(report.to_json()) == report


def test_serverless_is_never_put_to_sleep_but_by_hand() -> None:
    """There is nothing to save."""
    world, app = awake(toml=SERVERLESS)
    world.clock.advance(100_000)
    assert app.sweeper.sweep().slept == ()

    app.commands.sleep(CAT)
    world.clock.advance(200)

    assert app.sweeper.sweep().slept == (CAT,)


def test_instances_become_serverless_by_a_replacement_that_no_request_meets() -> None:
    """Marked first; deleted when every ticket from before has run out; created again at once, though nobody asks."""
    world, app = awake()
    ask = app_over(world).proxy
    ask.invoke(CAT, b"x", content_type="text/plain", accept="*/*")

    redrop(world, app, SERVERLESS)
    seen = []
    for _ in range(12):
        world.clock.advance(15)
        app.looker.look(CAT)
        seen.append(world.endpoints.status(NAME))
        world.endpoints.settle()
        app.looker.look(CAT)
        with contextlib.suppress(NotReadyError):
            ask.invoke(CAT, b"x", content_type="text/plain", accept="*/*")

    assert world.endpoints.endpoints[NAME].is_serverless
    assert world.evidence.violations == []
    assert seen[:5] == ["InService"] * 5
    assert ask.invoke(CAT, b"x", content_type="text/plain", accept="*/*").status == 200


def test_a_replacement_that_nobody_asks_about_ends_awake() -> None:
    """By sweeps alone."""
    world, app = awake()
    redrop(world, app, SERVERLESS)

    for _ in range(4):
        world.clock.advance(100)
        app.sweeper.sweep()
        settle(world, app)

    assert world.endpoints.status(NAME) == "InService"
    assert world.endpoints.endpoints[NAME].is_serverless
    assert app.views.model(CAT)["state"] == "ready"


def test_serverless_becomes_instances_by_an_update() -> None:
    """That way SageMaker allows it."""
    world, app = awake(toml=SERVERLESS)

    redrop(world, app, b'idle_after = "1h"\n')

    assert world.endpoints.status(NAME) == "Updating"
    settle(world, app)
    assert not world.endpoints.endpoints[NAME].is_serverless


def test_scaling_is_set_once_in_service_and_mended_when_it_differs() -> None:
    """Level-triggered: what somebody changed by hand is put right."""
    world, app = awake(toml=SCALED)
    assert world.scaling.bounds == {NAME: Autoscale(2, 5, 100)}
    assert app.looker.plan(CAT) == ()

    world.scaling.bounds[NAME] = Autoscale(1, 1, 100)

    release = app.looker.desired(CAT).target.release
    assert app.looker.plan(CAT) == (EnsureScaling(NAME, CAT, release, Autoscale(2, 5, 100)),)


def test_scaling_that_an_overtaken_look_has_left_is_taken_away() -> None:
    """It was noted before it was made, so the next look asks."""
    world, app = awake(toml=SCALED)
    redrop(world, app, b"instance_count = 1\n")
    settle(world, app)
    world.scaling.bounds[NAME] = Autoscale(2, 5, 100)

    app.looker.look(CAT)

    assert world.scaling.bounds == {}


def test_an_update_lets_go_of_the_scaling_keeps_the_count_and_sets_it_again() -> None:
    """An update of another instance type is refused while the variant is registered."""
    world, app = awake(toml=SCALED)

    redrop(world, app, SCALED.replace(b"5", b"6"))

    assert world.scaling.bounds == {}
    assert world.endpoints.kept_counts == [NAME]
    settle(world, app)
    assert world.scaling.bounds == {NAME: Autoscale(2, 6, 100)}


def test_a_release_without_scaling_takes_it_away() -> None:
    """And begins with its own number."""
    world, app = awake(toml=SCALED)

    redrop(world, app, b"instance_count = 1\n")
    settle(world, app)

    assert world.scaling.bounds == {}
    assert world.endpoints.kept_counts == []


def test_sleep_lets_go_of_the_scaling_and_wake_sets_it_again() -> None:
    """Nothing is left registered for an endpoint that is gone."""
    world, app = awake(toml=SCALED)
    world.clock.advance(1000)

    assert app.sweeper.sweep().slept == (CAT,)
    assert world.scaling.bounds == {}
    settle(world, app)
    app.commands.wake(CAT)
    world.clock.advance(2)
    app.looker.look(CAT)
    settle(world, app)

    assert world.scaling.bounds == {NAME: Autoscale(2, 5, 100)}


def test_what_nobody_wished_to_scale_costs_no_question() -> None:
    """Application Auto Scaling is not asked about endpoints of a fixed size."""
    asked: list[str] = []
    world, _ = awake()
    find: Callable[[str], Autoscale | None] = world.scaling.find

    class Counting(type(world.scaling)):  # type: ignore[misc]
        def find(self, endpoint: str) -> Autoscale | None:
            asked.append(endpoint)
            return find(endpoint)

    counting = Counting(world.endpoints)
    app_over(replace(world, scaling=counting)).looker.look(CAT)

    assert asked == []


def test_the_dry_run_shows_what_would_scale_and_what_would_be_replaced() -> None:
    """`tarmac plan`."""
    world, app = awake()
    world.clock.advance(5)
    world.drop(CAT, good_archive(), toml=SCALED)
    world.clock.advance(2)
    app.looker.look(CAT)
    settle(world, app)
    world.scaling.bounds.clear()

    (shown,) = app.views.model(CAT)["plan"]

    assert shown["action"] == "EnsureScaling"
    assert shown["wished"] == {"min": 2, "max": 5, "invocations_per_instance": 100}
