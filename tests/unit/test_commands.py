"""Wake, sleep and remove by hand: what each leaves in S3, and what follows from it."""

import pytest

from chalicelib.errors import ModelNotFound, ModelRefused
from chalicelib.state import EndpointStatus
from tests.fakes import REFUSED_ARCHIVE, good_archive
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
