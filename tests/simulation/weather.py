"""Bad weather for the fakes: throttles, crashes, slow calls, and other actors in between. Called by histories."""

import random
from collections.abc import Callable

from chalicelib.errors import Throttled, Unavailable
from tests.fakes import Crash, Gate, ManualClock

HOT = (
    "s3.write asleep/",
    "s3.find usage/",
    "s3.find asleep/",
    "s3.delete_exactly",
    "sagemaker.delete ",
    "runtime.invoke",
)
"""The calls of the sleep protocol: here the weather is at its worst."""


class Weather(Gate):
    """Throttles, time-outs after the fact, crashes, slow calls, and other actors in between."""

    def __init__(self, chance: random.Random, clock: ManualClock) -> None:
        self.chance, self.clock = chance, clock
        self.is_calm = False
        self.is_hurried = False
        """A request is being served somewhere on the stack: nothing may stall for longer than Lambda lets it live."""
        self.interrupt: Callable[[], None] = lambda: None

    def before(self, call: str) -> None:
        self.clock.advance(0.02)
        if self.is_calm:
            return
        luck, worse = self.chance.random(), 5.0 if call.startswith(HOT) else 1.0
        if luck < 0.01:
            raise Throttled(f"throttled: {call}")
        if luck < 0.018:
            raise Crash(call)
        if luck < 0.05:
            self.clock.advance(self.chance.uniform(0.1, 1.5))
        elif luck < 0.05 + 0.01 * worse and not self.is_hurried:
            # What follows the last look at the clock must arrive while the mark is young: see the executor's limit.
            self.clock.advance(self.chance.uniform(1, 25 if call.startswith("sagemaker.delete ") else 100))
        elif luck > 1 - 0.05 * worse:
            self.interrupt()

    def after(self, call: str) -> None:
        if self.is_calm:
            return
        luck = self.chance.random()
        if luck < 0.008:
            raise Crash(call)
        if luck < 0.018:
            raise Unavailable(f"no answer, though it was done: {call}")
