"""The executor's own decisions: what PutToSleep checks, and in which order things are written."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.actions import PutToSleep, RemoveMark, UpdateEndpoint
from chalicelib.errors import Changed, InProgress, Unavailable
from chalicelib.executor import Outcome
from chalicelib.state import EndpointStatus, Stamp
from tests.fakes import FakeWorld, Gate, fake_world, good_archive
from tests.unit.scenes import CAT, NAME, app_over, awake, settle


def sleep_now(world: FakeWorld) -> PutToSleep:
    return PutToSleep(NAME, CAT, world.marks.used(CAT), world.clock.now())


def test_putting_to_sleep_marks_and_deletes() -> None:
    """The mark stays: it is what says asleep."""
    world, app = awake()

    outcome = app.looker.executor.execute(sleep_now(world))

    assert outcome is Outcome.DONE
    assert world.bucket.keys("asleep/") == ["asleep/cat"]
    assert world.endpoints.status(NAME) is EndpointStatus.DELETING


def test_a_use_since_the_listing_keeps_it_awake() -> None:
    """Even one within the same second: ETags differ."""
    world, app = awake()
    world.marks.touch(CAT)
    action = sleep_now(world)
    world.marks.touch(CAT)

    outcome = app.looker.executor.execute(action)

    assert outcome is Outcome.STIRRED
    assert world.bucket.keys("asleep/") == []
    assert world.endpoints.status(NAME) is EndpointStatus.IN_SERVICE


@pytest.mark.parametrize(("age_s", "expected"), [(60.0, Outcome.DONE), (60.1, Outcome.TOO_LATE)])
def test_evidence_older_than_a_minute_is_not_acted_upon(age_s: float, expected: Outcome) -> None:
    """Else a look might have removed the mark meanwhile."""
    world, app = awake()
    action = sleep_now(world)
    world.clock.advance(age_s)

    assert app.looker.executor.execute(action) is expected
    assert (world.bucket.keys("asleep/") == []) is (expected is Outcome.TOO_LATE)


def test_an_endpoint_that_sagemaker_works_on_keeps_no_mark() -> None:
    """It runs on, so nothing may stand in the way of requests."""
    world, app = awake()
    action = sleep_now(world)
    world.endpoints.disturb(NAME)

    with pytest.raises(InProgress):
        app.looker.executor.execute(action)

    assert world.bucket.keys("asleep/") == []


def test_a_sweep_that_stirs_removes_no_mark_but_its_own() -> None:
    """Somebody wrote another one between its two reads."""

    class Person(Gate):
        def after(self, call: str) -> None:
            if call == "s3.write asleep/cat":
                world.bucket.put("asleep/cat", b"of a person")
                world.bucket.put("usage/cat", b"of a request")

    world = fake_world(gate=Person())
    app = app_over(world)
    world.drop(CAT, good_archive())
    app.looker.look(CAT)
    settle(world, app)

    assert app.looker.executor.execute(sleep_now(world)) is Outcome.STIRRED
    assert world.bucket.objects["asleep/cat"][0] == b"of a person"


def test_only_the_mark_that_was_seen_is_removed() -> None:
    """A newer one says something newer."""
    world, app = awake()
    etag = world.marks.put_asleep(CAT)
    seen = world.marks.asleep(CAT)
    assert seen == Stamp(world.clock.now().replace(microsecond=0), etag)
    world.marks.put_asleep(CAT)

    with pytest.raises(Changed):
        app.looker.executor.execute(RemoveMark(CAT, seen))

    assert world.marks.asleep(CAT) is not None


def test_an_update_that_finds_nothing_is_worth_another_look() -> None:
    """A configuration made a moment ago may not be seen yet."""
    _world, app = awake()
    release = app.looker.desired(CAT).releases[0].release

    with pytest.raises(Unavailable):
        app.looker.executor.execute(UpdateEndpoint(NAME, "not-there-yet", CAT, release))


def test_creating_what_is_there_is_done() -> None:
    """Another look was faster."""
    world, app = awake()
    world.endpoints.endpoints.clear()
    desired, actual = app.looker.desired(CAT), app.looker.actual(app.looker.desired(CAT))
    assert desired.drop is not None
    actions = app.looker.plan(CAT)

    outcomes = [app.looker.executor.execute(action) for action in [*actions, *actions]]

    assert set(outcomes) == {Outcome.DONE}
    assert actual.endpoint is None
    assert world.evidence.accepted["create"] == 2  # the first one, and one of these


def test_the_report_is_written_after_the_copy_is_pinned() -> None:
    """The report is what makes the release exist."""
    written: list[str] = []

    class Writes(Gate):
        def after(self, call: str) -> None:
            if call.startswith(("s3.copy", "s3.write releases/")):
                written.append(call)

    world = fake_world(gate=Writes())
    world.drop(CAT, good_archive())

    app_over(world).looker.look(CAT)

    assert [call.split("/")[-1] for call in written] == ["model.tar.gz", "report.json"]


def test_the_listing_s_age_counts_from_its_beginning() -> None:
    """A clock that has moved by a minute and a bit is too late, however fast the rest."""
    world, app = awake()
    action = replace(sleep_now(world), listed_at=world.clock.now() - timedelta(seconds=61))

    assert app.looker.executor.execute(action) is Outcome.TOO_LATE
    assert world.evidence.attempted["delete"] == 0
