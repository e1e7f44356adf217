"""Wake, sleep and remove by hand: what each leaves in S3, and what follows from it."""

import pytest

from chalicelib.bootstrap import Application
from chalicelib.errors import ModelNotFound, ModelRefused, ReleaseNotFound
from chalicelib.state import EndpointStatus
from tests.fakes import REFUSED_ARCHIVE, FakeWorld, good_archive
from tests.unit.scenes import CAT, NAME, ask, asleep, awake, dropped, redrop, settle


def test_wake_wakes() -> None:
    """By a touch and a look."""
    world, app = asleep()

    app.commands.wake("cat")
    for model in world.looks.take_all():
        app.looker.look(model)

    assert world.endpoints.status(NAME) is EndpointStatus.CREATING


def test_wake_tries_a_failed_release_again() -> None:
    """The failed endpoint goes, the record goes, a new start comes."""
    world, app = dropped()
    app.looker.look(CAT)
    settle(world, app, fails=True)

    app.commands.wake("cat")
    app.looker.look(CAT)
    settle(world, app)
    settle(world, app)

    assert ask(app)
    assert app.looker.desired(CAT).failure is None


def test_wake_tries_a_failed_re_drop_again_while_the_earlier_one_answers() -> None:
    """And when it fails again, that is written down again."""
    world, app = awake()
    redrop(world, app, good_archive("two"))
    settle(world, app, fails=True)

    app.commands.wake("cat")
    app.looker.look(CAT)
    during = ask(app)
    settle(world, app, fails=True)

    assert during
    failure = app.looker.desired(CAT).failure
    assert failure is not None
    assert not failure.is_retry_asked
    assert world.evidence.attempted["update"] == 2
    assert app.looker.look(CAT).done == ()


def test_waking_what_was_refused_is_refused() -> None:
    """There is nothing to wake."""
    world, app = dropped()
    world.drop(CAT, REFUSED_ARCHIVE)
    app.looker.look(CAT)

    with pytest.raises(ModelRefused):
        app.commands.wake("cat")


def test_waking_a_refused_re_drop_wakes_the_release_before_it() -> None:
    """It runs."""
    world, app = asleep()
    redrop(world, app, REFUSED_ARCHIVE)

    app.commands.wake("cat")
    app.looker.look(CAT)

    assert world.endpoints.status(NAME) is EndpointStatus.CREATING


def test_sleep_writes_the_mark_once() -> None:
    """A second sleep does not make the first one younger."""
    world, app = awake()
    app.commands.sleep("cat")
    first = world.marks.asleep(CAT)
    world.clock.advance(10)

    app.commands.sleep("cat")

    assert world.marks.asleep(CAT) == first


def test_remove_takes_the_drop_in_every_spelling() -> None:
    """And everything follows."""
    world, app = awake()
    world.bucket.put("models/cat.tar.gz", good_archive("flat"))
    world.bucket.put("models/cat/deploy.toml", b"")

    app.commands.remove("cat")
    settle(world, app)
    settle(world, app)

    assert world.bucket.keys() == []
    assert world.endpoints.configs == {}


@pytest.mark.parametrize("command", ["wake", "sleep", "remove"])
@pytest.mark.parametrize("name", ["dog", "", "no/such", "x" * 2000])
def test_what_is_not_there_is_404_and_writes_nothing(command: str, name: str) -> None:
    """Whatever it is called."""
    world, app = awake()
    before = dict(world.bucket.objects)

    with pytest.raises(ModelNotFound):
        getattr(app.commands, command)(name)

    assert world.bucket.objects == before
    assert world.looks.asked == []


@pytest.mark.parametrize("command", ["wake", "sleep", "remove"])
def test_every_command_ends_in_a_look(command: str) -> None:
    """So that nobody waits for the sweep."""
    world, app = awake()

    getattr(app.commands, command)("cat")

    assert world.looks.asked == [CAT]


def redropped() -> tuple[FakeWorld, Application, str, str]:
    """`cat` runs its second release; the ids of both."""
    world, app = awake()
    first = app.looker.desired(CAT).releases[0].release
    redrop(world, app, good_archive("two"))
    settle(world, app)
    target = app.looker.desired(CAT).target
    assert target is not None
    return world, app, first, target.release


def test_a_rollback_makes_the_release_before_run_again() -> None:
    """Without a word: the same id, by an update, and nothing is inspected or copied."""
    world, app, first, second = redropped()
    before = set(world.bucket.keys("releases/")) | set(world.bucket.keys("models/"))

    assert app.commands.roll_back("cat") == first
    app.looker.look(CAT)
    during = ask(app)
    settle(world, app)

    assert during.startswith(f"tarmac-cat-{second[:8]}".encode())
    assert ask(app).startswith(f"tarmac-cat-{first[:8]}".encode())
    after = set(world.bucket.keys("releases/")) | set(world.bucket.keys("models/"))
    assert after - before == {f"releases/cat/{first}/rollback.json"}
    assert app.looker.look(CAT).done == ()


def test_a_rollback_ends_with_the_next_drop() -> None:
    """The drop is newer than the mark."""
    world, app, _, _ = redropped()
    app.commands.roll_back("cat")
    app.looker.look(CAT)
    settle(world, app)

    redrop(world, app, good_archive("three"))
    settle(world, app)

    desired = app.looker.desired(CAT)
    assert desired.drop is not None
    assert ask(app).startswith(f"tarmac-cat-{desired.drop.release[:8]}".encode())
    assert not desired.is_rolled_back


def test_a_rollback_names_a_release_and_can_be_taken_back() -> None:
    """Going forward is going back to the drop's own release."""
    world, app, first, second = redropped()

    assert app.commands.roll_back("cat", first) == first
    app.looker.look(CAT)
    settle(world, app)
    assert app.commands.roll_back("cat", second) == second
    app.looker.look(CAT)
    settle(world, app)

    assert ask(app).startswith(f"tarmac-cat-{second[:8]}".encode())
    assert not app.looker.desired(CAT).is_rolled_back


def test_a_rollback_within_the_second_of_the_drop_counts() -> None:
    """LastModified has whole seconds and a tie goes to the drop, so the mark waits for the next."""
    world, app, first, _ = redropped()
    world.drop(CAT, good_archive("three"))
    app.looker.look(CAT)

    app.commands.roll_back("cat", first)

    target = app.looker.desired(CAT).target
    assert target is not None
    assert target.release == first


def test_a_release_that_does_not_start_again_is_given_up() -> None:
    """What ran before runs on, and it says so."""
    world, app, first, second = redropped()
    app.commands.roll_back("cat")
    app.looker.look(CAT)

    settle(world, app, fails=True)
    settle(world, app)

    assert ask(app).startswith(f"tarmac-cat-{second[:8]}".encode())
    rows = app.views.model("cat")["releases"]
    assert {row["release"]: (row["is_target"], row["has_failed"]) for row in rows} == {
        first: (False, True),
        second: (True, False),
    }


def test_a_rollback_does_not_wake() -> None:
    """The next request does, and it is answered by the earlier release."""
    world, app, first, _ = redropped()
    world.clock.advance(1000)
    app.sweeper.sweep()
    settle(world, app)

    app.commands.roll_back("cat")
    app.looker.look(CAT)
    assert world.endpoints.status(NAME) is None
    app.commands.wake("cat")
    app.looker.look(CAT)
    settle(world, app)

    assert ask(app).startswith(f"tarmac-cat-{first[:8]}".encode())


def test_the_view_says_that_it_was_rolled_back() -> None:
    """A person who looks must not wonder why the drop does not run."""
    world, app, first, _ = redropped()
    app.commands.roll_back("cat")
    app.looker.look(CAT)
    settle(world, app)

    assert f"rolled back to release {first}" in app.views.model("cat")["why"]


@pytest.mark.parametrize("release", [None, "0123456789ab", ""])
def test_there_must_be_something_to_go_back_to(release: str | None) -> None:
    """One release only, or one that was never kept."""
    _, app = awake()

    with pytest.raises(ReleaseNotFound):
        app.commands.roll_back("cat", release)


def test_a_refused_drop_is_rolled_back_over_too() -> None:
    """The release before the one that answers now."""
    world, app, first, _ = redropped()
    redrop(world, app, REFUSED_ARCHIVE)

    assert app.commands.roll_back("cat") == first


def test_an_endpoint_of_a_release_that_is_gone_goes_when_the_drop_is_refused() -> None:
    """The model was removed and dropped anew at the moment in which a look started its last release again."""
    world, app = awake()
    for key in world.bucket.keys("releases/"):
        del world.bucket.objects[key]
    redrop(world, app, REFUSED_ARCHIVE)

    settle(world, app)

    assert world.endpoints.status(NAME) is None
