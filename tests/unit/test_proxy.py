"""The proxy: one call when warm, an honest answer when not, and no word of what is asked in any log."""

import logging
import threading
from typing import Any

import pytest

from chalicelib.bootstrap import Application
from chalicelib.errors import (
    BodyTooLarge,
    ModelAsleep,
    ModelBroke,
    ModelBusy,
    ModelFailed,
    ModelNotFound,
    ModelRefused,
    ModelRejected,
    ModelStarting,
    ModelTimedOut,
    NotReadyError,
    TarmacError,
    Throttled,
    Unavailable,
)
from chalicelib.names import ModelName
from chalicelib.proxy import MAX_BODY_BYTES
from chalicelib.responses import answering_errors
from chalicelib.state import EndpointStatus
from tests.fakes import REFUSED_ARCHIVE, FakeWorld, Gate, fake_world, good_archive, settings
from tests.unit.scenes import CAT, NAME, START_S, app_over, ask, asleep, awake, dropped, redrop, settle


class Calls(Gate):
    """Remembers what was called, from any thread."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def before(self, call: str) -> None:
        self.made.append(call)


def watched() -> tuple[FakeWorld, Application, list[str]]:
    """`cat` in service, and the calls from now on."""
    gate = Calls()
    world = fake_world(gate=gate)
    app = app_over(world)
    world.drop(CAT, good_archive())
    app.looker.look(CAT)
    settle(world, app)
    gate.made.clear()
    return world, app, gate.made


def test_a_warm_request_is_one_call() -> None:
    """InvokeEndpoint, and nothing else."""
    _, app, calls = watched()
    ask(app)
    calls.clear()

    assert ask(app).endswith(b":hello")
    assert calls == [f"runtime.invoke {NAME}"]


def test_the_use_is_written_down_before_the_mark_is_looked_for() -> None:
    """The order is the protocol."""
    _, app, calls = watched()

    ask(app)

    writes = [call for call in calls if call.startswith("s3.write") or call == "s3.find asleep/cat"]
    assert writes[-2:] == ["s3.write usage/cat", "s3.find asleep/cat"]
    assert calls[-1] == f"runtime.invoke {NAME}"


@pytest.mark.parametrize(("toml", "interval_s"), [(None, 60.0), (b'idle_after = "never"\n', 60.0)])
def test_a_process_touches_once_an_interval(toml: bytes | None, interval_s: float) -> None:
    """However many ask."""
    world, app = awake(toml=toml)
    ask(app)
    first = world.marks.used(CAT)

    world.clock.advance(interval_s - 0.1)
    ask(app)
    unchanged = world.marks.used(CAT)
    world.clock.advance(0.1)
    ask(app)

    assert unchanged == first
    assert world.marks.used(CAT) != first


def test_the_interval_is_a_tenth_of_a_short_ttl() -> None:
    """Where such a TTL is allowed."""
    world, _ = awake()
    app = app_over(world, idle_after_s=20.0, idle_floor_s=5.0)
    ask(app)
    first = world.marks.used(CAT)

    world.clock.advance(1.9)
    ask(app)
    unchanged = world.marks.used(CAT)
    world.clock.advance(0.2)
    ask(app)

    assert unchanged == first
    assert world.marks.used(CAT) != first


def test_a_slow_touch_does_not_lengthen_the_ticket() -> None:
    """The clock is read before it."""

    class Slow(Gate):
        def before(self, call: str) -> None:
            if call == "s3.write usage/cat":
                world.clock.advance(50)

    world = fake_world(gate=Slow())
    app = app_over(world)
    world.drop(CAT, good_archive())
    app.looker.look(CAT)
    settle(world, app)
    ask(app)
    first = world.marks.used(CAT)

    world.clock.advance(11)
    ask(app)

    assert world.marks.used(CAT) != first


def test_a_sleeping_model_is_asked_for_and_the_caller_told_when() -> None:
    """503, from this model's own starts; its use is what wakes it."""
    world, app = asleep()

    with pytest.raises(ModelAsleep) as caught:
        ask(app)

    assert caught.value.retry_after_s == START_S
    assert world.looks.asked == [CAT]
    assert not app.looker.desired(CAT).is_wanted_asleep


def test_the_median_of_the_starts_is_what_is_told() -> None:
    """One slow start does not frighten everybody."""
    world, app = asleep()
    release = app.looker.desired(CAT).releases[0].release
    for took_s in (30.0, 500.0):
        world.releases.write_start(CAT, release, took_s)

    with pytest.raises(ModelAsleep) as caught:
        ask(app)

    assert caught.value.retry_after_s == 30


def test_what_has_passed_of_a_start_is_taken_off() -> None:
    """And an overdue one is asked about again after a quarter."""
    world, app = asleep()
    with pytest.raises(ModelAsleep):
        ask(app)
    app.looker.look(CAT)

    told = []
    for passed_s in (12.5, 20):
        world.clock.advance(passed_s)
        with pytest.raises(ModelStarting) as caught:
            ask(app)
        told.append(caught.value.retry_after_s)

    assert told == [8, 5]


def test_without_a_start_yet_the_deployment_s_guess_is_told() -> None:
    """240 s on AWS."""
    _world, app = dropped()
    app.looker.look(CAT)

    with pytest.raises(ModelStarting) as caught:
        ask(app)

    assert caught.value.retry_after_s == settings().expected_start_s


def test_a_drop_not_looked_at_yet_is_starting() -> None:
    """And a look is asked for."""
    world, app = dropped()

    with pytest.raises(ModelStarting, match="being checked"):
        ask(app)

    assert world.looks.asked == [CAT]


def test_a_mark_on_a_running_model_is_waited_out() -> None:
    """A look may remove it after 90 s; the caller is told how long that is."""
    world, app = awake()
    app.commands.sleep("cat")
    world.clock.advance(10)

    with pytest.raises(ModelAsleep) as caught:
        ask(app)

    assert caught.value.retry_after_s == 80


@pytest.mark.parametrize("name", ["dog", "Bad Name", "../cat", "", "x" * 2000, "ä"])
def test_an_unknown_name_is_404_and_writes_nothing(name: str) -> None:
    """No object, no message: nobody fills the bucket by asking."""
    world, app, calls = watched()
    before = dict(world.bucket.objects)

    with pytest.raises(ModelNotFound):
        ask(app, name)

    assert world.bucket.objects == before
    assert world.looks.asked == []
    assert not [call for call in calls if "write" in call or "delete" in call]


def test_a_deleted_model_is_404_at_once_and_leaves_no_use_behind() -> None:
    """Also for a process whose ticket is still valid."""
    world, app = awake()
    ask(app)
    world.undrop(CAT)
    app.looker.look(CAT)
    world.endpoints.settle()
    app.looker.look(CAT)

    for _ in range(2):
        with pytest.raises(ModelNotFound):
            ask(app)

    assert world.bucket.keys() == []


def test_a_refused_model_says_why() -> None:
    """409, with the fix."""
    world, app = dropped()
    world.drop(CAT, REFUSED_ARCHIVE)
    app.looker.look(CAT)

    with pytest.raises(ModelRefused) as caught:
        ask(app)

    assert caught.value.fix
    assert world.marks.used(CAT) is None


def test_a_failed_model_says_why() -> None:
    """424, in the container's words, before and after that is written down."""
    world, app = dropped()
    app.looker.look(CAT)
    world.clock.advance(20)
    world.endpoints.fail(NAME, "no module named torch")

    with pytest.raises(ModelFailed, match="no module named torch"):
        ask(app)
    app.looker.look(CAT)
    with pytest.raises(ModelFailed, match="no module named torch"):
        ask(app)


def test_a_foreign_endpoint_in_the_way_is_told() -> None:
    """Not invoked: it is nobody's business of ours."""
    world, app = dropped()
    world.endpoints.add(NAME, "theirs", is_owned=False)
    world.endpoints.disturb(NAME, EndpointStatus.CREATING)
    app.looker.look(CAT)

    with pytest.raises(ModelFailed, match="not Tarmac's"):
        ask(app)


def test_a_hundred_callers_at_once_cause_one_wake() -> None:
    """One CreateEndpoint after the looks, and one message rather than a hundred."""
    world, app = asleep()
    answers: list[BaseException] = []
    start = threading.Barrier(100)

    def call() -> None:
        start.wait()
        try:
            ask(app)
        except NotReadyError as exc:
            answers.append(exc)

    threads = [threading.Thread(target=call) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for model in list(world.looks.asked):
        app.looker.look(model)
    app.looker.look(CAT)

    assert len(answers) == 100
    assert len(world.looks.asked) == 1
    assert world.evidence.attempted["create"] == 2  # the first start, and this wake


def test_an_endpoint_that_vanished_is_asked_for_anew() -> None:
    """Somebody deleted it by hand: the ticket is worth nothing."""
    world, app = awake()
    ask(app)
    world.endpoints.endpoints.clear()

    with pytest.raises(NotReadyError):
        ask(app)
    for model in world.looks.take_all():
        app.looker.look(model)
    settle(world, app)

    assert ask(app)


def test_a_body_over_the_limit_is_413_without_a_call() -> None:
    """And one of exactly the limit goes through."""
    _, app, calls = watched()

    with pytest.raises(BodyTooLarge):
        ask(app, body=b"x" * (MAX_BODY_BYTES + 1))

    assert calls == []
    assert ask(app, body=b"x" * MAX_BODY_BYTES)


@pytest.mark.parametrize(
    "error", [ModelRejected("no", status=418), ModelBroke("broke"), ModelTimedOut("late"), ModelBusy("busy")]
)
def test_the_model_s_own_errors_come_through(error: TarmacError) -> None:
    """As they are, and the ticket stays."""
    world, app = awake()
    world.runtime.errors.append(error)

    with pytest.raises(type(error)) as caught:
        ask(app)

    assert caught.value is error
    assert ask(app)


def test_a_server_that_does_not_answer_at_this_moment_is_starting() -> None:
    """503 with a short wait: it may be starting again."""
    world, app = awake()
    world.runtime.errors.append(Unavailable("no answer"))

    with pytest.raises(ModelStarting) as caught:
        ask(app)

    assert caught.value.retry_after_s == 2


def test_callers_who_come_together_are_told_the_same() -> None:
    """For half a second AWS is not asked again."""
    gate = Calls()
    world = fake_world(gate=gate)
    app = app_over(world)
    world.drop(CAT, good_archive())
    with pytest.raises(ModelStarting):
        ask(app)
    gate.made.clear()

    with pytest.raises(ModelStarting):
        ask(app)
    together = list(gate.made)
    world.clock.advance(0.6)
    with pytest.raises(ModelStarting):
        ask(app)

    assert together == []
    assert gate.made


def test_an_error_while_admitting_gives_no_ticket() -> None:
    """The next request begins from the start."""

    class Slow(Gate):
        is_on = False

        def before(self, call: str) -> None:
            if self.is_on and call == "s3.find asleep/cat":
                raise Throttled("slow down")

    gate = Slow()
    world = fake_world(gate=gate)
    app = app_over(world)
    world.drop(CAT, good_archive())
    app.looker.look(CAT)
    settle(world, app)
    gate.is_on = True

    for _ in range(2):
        with pytest.raises(Throttled):
            ask(app)

    assert world.evidence.traffic == []


def test_two_models_do_not_wait_for_each_other() -> None:
    """`cat` and `cat-2` have nothing in common but letters."""
    world, app = awake()
    world.drop("cat-2", good_archive("two"))
    app.looker.look(ModelName("cat-2"))

    with pytest.raises(ModelStarting):
        ask(app, "cat-2")

    assert ask(app)


SENTINEL = "the-patient-is-called-Ada"


def test_no_payload_is_ever_logged(logged: list[logging.LogRecord], counted: list[dict[str, Any]]) -> None:
    """Neither of a good request nor of one that the model repeats in its error."""
    world, app = awake()
    body = SENTINEL.encode()
    said = f"could not read {SENTINEL!r}"
    errors = [ModelBroke(f"the model answered 500: {said}"), ModelRejected(said, status=400), ModelTimedOut(said)]

    @answering_errors
    def view() -> Any:
        return ask(app, body=body)

    view()
    for error in errors:
        world.runtime.errors.append(error)
        view()
    redrop(world, app, REFUSED_ARCHIVE)
    world.clock.advance(1000)
    app.sweeper.sweep()
    view()

    assert logged
    assert counted
    assert SENTINEL not in " ".join(f"{record.getMessage()} {record.__dict__}" for record in logged)
    assert SENTINEL not in str(counted)
