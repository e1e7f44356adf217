"""A crash at every single call of every flow: after it, fresh looks and sweeps reach the same end."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from chalicelib.bootstrap import build
from chalicelib.errors import TarmacError
from chalicelib.names import ModelName
from tests.fakes import TTL_S, Crash, FakeWorld, Gate, fake_world, good_archive, settings

CAT = ModelName("cat")
Step = Callable[[FakeWorld], None]


class CrashAt(Gate):
    """Dies at one call, counted from when it is armed, before or after the call took effect; never again."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.is_after = False
        self.calls = 0

    def arm(self, index: int | None, *, is_after: bool) -> None:
        self.left, self.is_after, self.calls = index, is_after, 0

    def before(self, call: str) -> None:
        self.calls += 1
        if self.left is not None and self.left == self.calls - 1 and not self.is_after:
            self.left = None
            raise Crash(f"before {call}")

    def after(self, call: str) -> None:
        if self.left is not None and self.left == self.calls - 1 and self.is_after:
            self.left = None
            raise Crash(f"after {call}")


def _look(world: FakeWorld) -> None:
    build(settings(), world).looker.look(CAT)


def _sweep(world: FakeWorld) -> None:
    build(settings(), world).sweeper.sweep()


def _ask(world: FakeWorld) -> None:
    with suppress(TarmacError):
        build(settings(), world).proxy.invoke(CAT, b"?", content_type="text/plain", accept="*/*")


def _drop(world: FakeWorld) -> None:
    world.drop(CAT, good_archive("one"))
    world.clock.advance(2)


def _awake(world: FakeWorld) -> None:
    _drop(world)
    _rest(world)


def _asleep(world: FakeWorld) -> None:
    _awake(world)
    world.clock.advance(TTL_S + 10)
    _sweep(world)
    _rest(world)


def _redropped(world: FakeWorld) -> None:
    _awake(world)
    world.drop(CAT, good_archive("two"))
    world.clock.advance(2)


def _undropped(world: FakeWorld) -> None:
    _redropped(world)
    _rest(world)
    world.undrop(CAT)


def _idle(world: FakeWorld) -> None:
    _awake(world)
    world.clock.advance(TTL_S + 10)


def _rest(world: FakeWorld) -> None:
    """Two fault-free sweeps, and what comes between."""
    for _ in range(2):
        for _ in range(3):
            world.clock.advance(35)
            world.endpoints.settle()
            for model in world.looks.take_all():
                build(settings(), world).looker.look(model)
        _sweep(world)


@dataclass(frozen=True)
class Flow:
    """What is done to a prepared world, by one process after another; each may crash, and a person asks once more."""

    prepare: Step
    steps: tuple[Step, ...]


def _settle(world: FakeWorld) -> None:
    world.clock.advance(20)
    world.endpoints.settle()


FLOWS = {
    "drop": Flow(_drop, (_look, _settle, _look)),
    "sleep": Flow(_idle, (_sweep, _settle)),
    "wake": Flow(_asleep, (_ask, _look, _settle, _look)),
    "re-drop": Flow(_redropped, (_look, _settle, _look)),
    "delete": Flow(_undropped, (_look, _settle, _look)),
}


def _end(world: FakeWorld) -> object:
    """All that lasts."""
    at = world.endpoints
    running = {e.name: (e.status, e.config_name) for e in at.endpoints.values()}
    return world.bucket.keys(), running, sorted(at.configs), sorted(at.models)


def _run(flow: Flow, index: int | None, *, is_after: bool) -> tuple[object, int, list[str]]:
    gate = CrashAt()
    world = fake_world(gate=gate)
    flow.prepare(world)
    gate.arm(index, is_after=is_after)
    for step in flow.steps:
        try:
            step(world)
        except Crash:
            if step is _ask:
                _ask(world)
    calls = gate.calls
    _rest(world)
    return _end(world), calls, world.evidence.violations


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("name", FLOWS)
def test_a_crash_at_any_call_changes_nothing_in_the_end(name: str, is_after: bool) -> None:
    """The end without a fault is the end with one, and nothing forbidden happens on the way."""
    expected, calls, _ = _run(FLOWS[name], None, is_after=False)

    for index in range(calls):
        end, _, violations = _run(FLOWS[name], index, is_after=is_after)

        assert violations == []
        assert end == expected, f"after a crash at call {index} of {calls}"
