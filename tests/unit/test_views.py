"""What people are shown: a table of states, and views that change nothing."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.errors import ModelNotFound
from chalicelib.state import Actual, Desired, EndpointStatus, Stamp
from chalicelib.views import ModelState, render_action, state_of
from tests.fakes import REFUSED_ARCHIVE, good_archive
from tests.unit import test_planner as table
from tests.unit.scenes import CAT, NAME, asleep, awake, dropped, redrop, settle

D, A, S = table.SETTLED, table.RUNNING, EndpointStatus
GONE, MARK, YOUNG_USE = table.RECORDS_ONLY, table.MARK, Stamp(table.NOW, "use")
NEVER_RUN = replace(table.RECORD, started_at=None)
FAILURE = table.FAILURE


def at(status: EndpointStatus, **changes: object) -> Actual:
    return table.running({"status": status, **changes})


ROWS: list[tuple[ModelState, str, Desired, Actual]] = [
    (ModelState.BLOCKED, "not Tarmac's", D, table.running({"is_owned": False})),
    (ModelState.DELETING, "the drop is gone", table.GONE, A),
    (ModelState.DROPPED, "being checked", replace(D, report=None, target=None), Actual()),
    (ModelState.REFUSED, "", replace(D, report=table.REFUSED, target=None), Actual()),
    (ModelState.DEPLOYING, "first time", replace(D, releases=(NEVER_RUN,)), Actual()),
    (ModelState.DEPLOYING, "first time", replace(D, releases=(NEVER_RUN,)), at(S.CREATING)),
    (ModelState.WAKING, "starting", D, at(S.CREATING)),
    (ModelState.WAKING, "starting", replace(D, used=YOUNG_USE), GONE),
    (ModelState.READY, "it answers", D, A),
    (ModelState.READY, "it answers", D, at(S.SYSTEM_UPDATING)),
    (ModelState.READY, "does not start", replace(D, failure=FAILURE, target=table.OLD_REPORT), A),
    (ModelState.READY, "was refused", replace(D, report=table.REFUSED, target=table.OLD_REPORT), A),
    (ModelState.UPDATING, "old release answers", D, at(S.UPDATING)),
    (ModelState.UPDATING, "being checked", replace(D, report=None, target=table.OLD_REPORT), A),
    (ModelState.FALLING_ASLEEP, "next sweep", replace(D, asleep=MARK), A),
    (ModelState.FALLING_ASLEEP, "taking the endpoint down", replace(D, asleep=MARK), at(S.DELETING)),
    (ModelState.WAKING, "asked again", replace(D, asleep=MARK, used=YOUNG_USE), A),
    (ModelState.ASLEEP, "nothing billed", replace(D, asleep=MARK), GONE),
    (ModelState.FAILED, "it broke", D, table.running(table.FAILED)),
    (ModelState.FAILED, "no reason", D, at(S.FAILED)),
    (ModelState.FAILED, "it broke", replace(D, target=None, failure=FAILURE), Actual()),
]


@pytest.mark.parametrize(("state", "why", "desired", "actual"), ROWS, ids=[f"{row[0]}: {row[1]}" for row in ROWS])
def test_states(state: ModelState, why: str, desired: Desired, actual: Actual) -> None:
    """One row of the table."""
    found, said = state_of(desired, actual)

    assert found is state
    assert why in said


def test_every_state_has_a_row() -> None:
    """The table is complete."""
    assert {row[0] for row in ROWS} == set(ModelState)


def test_a_life_is_shown_as_it_goes() -> None:
    """Dropped, deploying, ready, asleep."""
    world, app = dropped()
    states = [app.views.model("cat")["state"]]
    app.looker.look(CAT)
    states.append(app.views.model("cat")["state"])
    settle(world, app)
    states.append(app.views.model("cat")["state"])
    world.clock.advance(1000)
    app.sweeper.sweep()
    states.append(app.views.model("cat")["state"])
    settle(world, app)
    states.append(app.views.model("cat")["state"])

    assert states == ["dropped", "deploying", "ready", "falling-asleep", "asleep"]


def test_a_view_is_json_and_changes_nothing() -> None:
    """In any state."""
    for world, app in (dropped(), awake(), asleep()):
        before = dict(world.bucket.objects)

        json.dumps(app.views.model("cat"))
        json.dumps(app.views.models())

        assert world.bucket.objects == before
        assert world.looks.asked == []


def test_when_it_will_sleep_is_when_a_sweep_would_find_it_idle() -> None:
    """To the second, if nobody calls."""
    world, app = awake()
    sleeps_at = app.views.model("cat")["sleeps_at"]

    world.clock.advance(900.9)
    early = app.sweeper.sweep().slept
    world.clock.advance(0.1)

    assert sleeps_at == world.clock.now().isoformat()
    assert (early, app.sweeper.sweep().slept) == ((), ("cat",))


def test_what_never_sleeps_has_no_such_time() -> None:
    """Nor has what sleeps already."""
    _, app = awake(toml=b'idle_after = "never"\n')
    _, sleeping = asleep()

    assert app.views.model("cat")["sleeps_at"] is None
    assert sleeping.views.model("cat")["sleeps_at"] is None


@pytest.mark.parametrize("name", ["dog", "", "x" * 2000, "no/such"])
def test_what_is_not_there_is_404(name: str) -> None:
    """Whatever it is called."""
    _, app = awake()

    with pytest.raises(ModelNotFound):
        app.views.model(name)


def test_a_refusal_and_its_live_release_are_both_shown() -> None:
    """What runs, what was dropped, and why they differ."""
    world, app = awake()
    live = app.views.model("cat")["release"]
    redrop(world, app, REFUSED_ARCHIVE)

    shown = app.views.model("cat")

    assert shown["release"] == live != shown["dropped_release"]
    assert shown["report"]["verdict"] == "refused"
    assert shown["state"] == "ready"


def test_the_list_has_orphans_of_ours_and_nothing_foreign() -> None:
    """An endpoint without a drop costs money: it is shown until it is gone."""
    world, app = awake()
    world.endpoints.add("tarmac-dog", "theirs", is_owned=False)
    world.endpoints.add("tarmac-owl", "tarmac-owl-01234567")

    assert [row["model"] for row in app.views.models()] == ["cat", "owl"]


def test_the_plan_is_shown_as_data() -> None:
    """With the action's name first."""
    world, app = dropped()
    plan = app.views.model("cat")["plan"]
    sleep = render_action(table.SLEEP)

    assert [action["action"] for action in plan] == ["InspectDrop"]
    assert plan[0]["drop"]["dropped_at"] == (world.clock.now() - timedelta(seconds=3)).isoformat()
    assert (sleep["action"], sleep["name"], sleep["used"]) == ("PutToSleep", NAME, None)


def test_starts_are_shown_in_seconds() -> None:
    """Oldest first."""
    world, app = awake()
    redrop(world, app, good_archive("two"), etag=None)

    assert app.views.model("cat")["starts_s"] == []
    assert asleep()[1].views.model("cat")["starts_s"] == [20.0]
