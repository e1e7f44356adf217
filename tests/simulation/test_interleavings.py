"""A sweep that puts to sleep, two processes that serve requests, and a look: the real code, in every order."""

import functools
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from chalicelib.aws.marks import S3Marks
from chalicelib.bootstrap import build
from chalicelib.errors import TarmacError
from chalicelib.names import ModelName
from chalicelib.state import Stamp
from tests.fakes import TTL_S, FakeWorld, ManualClock, fake_world, good_archive, settings
from tests.simulation.interleavings import Switches, explore, follow

CAT = ModelName("cat")
PREEMPTIONS = int(os.environ.get("TARMAC_SIMULATION_PREEMPTIONS", "1"))
"""One gives some 700 schedules a scenario, two some 13,000."""
PROTOCOL = ("s3.write asleep/", "s3.write usage/", "s3.find asleep/", "s3.find usage/", "s3.delete_exactly")
CALLS = (*PROTOCOL, "sagemaker.create ", "sagemaker.delete ", "runtime.invoke")


def _idle(world: FakeWorld) -> None:
    """Nobody has called for a TTL: the sweep wants to put it to sleep."""


def _left_marked(world: FakeWorld) -> None:
    """A sweep crashed after its mark, long enough ago for a look to remove it once somebody calls."""
    world.bucket.put("asleep/cat", b"of a sweep that crashed")
    world.clock.advance(100)


def _wanted_asleep(world: FakeWorld) -> None:
    """A person has just asked for sleep."""
    world.bucket.put("asleep/cat", b"of a person")
    world.clock.advance(1)


@functools.cache
def _warm() -> FakeWorld:
    """A model that runs and was last used a TTL ago."""
    world = fake_world()
    at = build(settings(), world)
    world.drop(CAT, good_archive())
    at.looker.look(CAT)
    world.clock.advance(60)
    world.endpoints.settle()
    at.looker.look(CAT)
    at.proxy.invoke(CAT, b"?", content_type="text/plain", accept="*/*")
    world.clock.advance(TTL_S + 2)
    return world


def _fresh(prepare: Callable[[FakeWorld], None], switches: Switches) -> FakeWorld:
    warm = _warm()
    world = fake_world(ManualClock(warm.clock.now()), switches)
    world.bucket.objects.update(warm.bucket.objects)
    world.endpoints.endpoints.update(warm.endpoints.endpoints)
    world.endpoints.configs.update(warm.endpoints.configs)
    world.endpoints.models.update(warm.endpoints.models)
    prepare(world)
    return world


class BlindMarks(S3Marks):
    """What a proxy sees that does not look for the mark."""

    def asleep(self, model: ModelName) -> Stamp | None:
        return None


def _violations(prepare: Callable[[FakeWorld], None], *, is_blind: bool = False) -> tuple[int, list[str]]:
    """Run every schedule; return how many there were, and what was violated until the first that violates."""
    found: list[str] = []

    def run(schedule: Sequence[int]) -> list[tuple[int, list[int]]]:
        switches = Switches(CALLS)
        world = _fresh(prepare, switches)
        served = replace(world, marks=BlindMarks(world.bucket)) if is_blind else world
        apps = [build(settings(), world), build(settings(), world)]
        proxies = [build(settings(), served).proxy for _ in range(2)]

        def ask_twice(index: int) -> None:
            for _ in range(2):
                with suppress(TarmacError):
                    proxies[index].invoke(CAT, b"?", content_type="text/plain", accept="*/*")

        actors = [apps[0].sweeper.sweep, lambda: ask_twice(0), lambda: ask_twice(1), lambda: apps[1].looker.look(CAT)]
        trace = follow(schedule, switches.start(actors), switches)
        found.extend(world.evidence.violations)
        return trace

    count = 0
    for _ in explore(run, preemptions=PREEMPTIONS):
        count += 1
        if found:
            break
    return count, found


@pytest.mark.parametrize("prepare", [_idle, _left_marked, _wanted_asleep])
def test_no_request_meets_a_deletion_in_the_real_code(prepare: Callable[[FakeWorld], None]) -> None:
    """Whoever goes on at whichever call."""
    schedules, violations = _violations(prepare)

    assert violations == []
    assert schedules > 100


def test_a_proxy_that_does_not_look_for_the_mark_is_found_out() -> None:
    """The explorer can fail."""
    _, violations = _violations(_idle, is_blind=True)

    assert "a request met the deletion of tarmac-cat" in violations
