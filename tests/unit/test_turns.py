"""Two looks at one drop at a time: one of them inspects it, and the other goes on from there."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.actions import InspectDrop
from chalicelib.errors import Unavailable
from chalicelib.looker import Look
from chalicelib.turns import Turns
from tests.fakes import Gate, fake_world, good_archive
from tests.unit.scenes import CAT, app_over

WAIT_S = 20


class Held(Gate):
    """Stops whoever writes a report until told; the first of them may fail then."""

    def __init__(self, *, error: Exception | None = None) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.reports = 0
        self._error = error

    def before(self, call: str) -> None:
        if call.startswith("s3.") and call.endswith("report.json") and "write" in call:
            self.reports += 1
            self.reached.set()
            assert self.go_on.wait(WAIT_S)
            error, self._error = self._error, None
            if error is not None:
                raise error


def inspections(look: Look) -> int:
    return sum(isinstance(action, InspectDrop) for action, _ in look.done)


def looks_at_once(gate: Held) -> list[Look | BaseException]:
    """Drop, and let two threads of one process look; the second comes while the first is about to write its report."""
    world = fake_world(gate=gate)
    world.drop(CAT, good_archive("one"))
    world.clock.advance(3)
    app = app_over(world)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(app.looker.look, CAT)
        assert gate.reached.wait(WAIT_S)
        second = pool.submit(app.looker.look, CAT)
        with pytest.raises(TimeoutError):
            second.result(timeout=0.2)
        gate.go_on.set()
        return [each.exception(WAIT_S) or each.result() for each in (first, second)]


def test_the_second_look_waits_and_does_not_read_the_archive_again() -> None:
    gate = Held()

    first, second = looks_at_once(gate)

    assert isinstance(first, Look)
    assert isinstance(second, Look)
    assert (inspections(first), inspections(second)) == (1, 0)
    assert gate.reports == 1


def test_when_the_first_fails_the_second_inspects_after_all() -> None:
    gate = Held(error=Unavailable("S3 is away"))

    first, second = looks_at_once(gate)

    assert isinstance(first, Unavailable)
    assert isinstance(second, Look)
    assert inspections(second) == 1


def test_other_things_do_not_wait() -> None:
    turns = Turns()

    with turns.take("a") as first, turns.take("b") as other:
        assert (first, other) == (True, True)
    with turns.take("a") as again:
        assert again
