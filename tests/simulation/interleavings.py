"""Runs real code in threads of which one moves at a time, in every order with few preemptions. Called by its test.

Every call of a fake that matters is a switch point, and a schedule says who goes on there. A run follows a schedule's
choices and then lets each actor run on; each choice it might have made otherwise gives another schedule.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.fakes import Gate

Actor = Callable[[], object]


@dataclass
class _Turn:
    """One actor's thread: it runs while it holds its baton."""

    baton: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    is_done: bool = False


class Switches(Gate):
    """Stops the actor that calls until it is told to go on."""

    def __init__(self, prefixes: tuple[str, ...]) -> None:
        self._prefixes = prefixes
        self._of_thread: dict[int, _Turn] = {}
        self._stopped = threading.Semaphore(0)
        self.error: BaseException | None = None

    def before(self, call: str) -> None:
        turn = self._of_thread.get(threading.get_ident())
        if turn is not None and call.startswith(self._prefixes):
            self._stopped.release()
            turn.baton.acquire()

    def start(self, actors: Sequence[Actor]) -> list[_Turn]:
        """Start every actor; each waits for its baton."""
        turns = [_Turn() for _ in actors]
        for actor, turn in zip(actors, turns, strict=True):
            threading.Thread(target=self._live, args=(actor, turn), daemon=True).start()
        return turns

    def step(self, turn: _Turn) -> None:
        """Let one actor run to its next switch point, or its end."""
        turn.baton.release()
        self._stopped.acquire()
        if self.error is not None:
            raise self.error

    def _live(self, actor: Actor, turn: _Turn) -> None:
        turn.baton.acquire()
        self._of_thread[threading.get_ident()] = turn
        try:
            actor()
        except BaseException as exc:  # noqa: BLE001  # raised again in the thread that steps
            self.error = exc
        finally:
            turn.is_done = True
            del self._of_thread[threading.get_ident()]
            self._stopped.release()


def follow(schedule: Sequence[int], turns: Sequence[_Turn], switches: Switches) -> list[tuple[int, list[int]]]:
    """Run to the end; return at each point who went on, and who else could have."""
    trace: list[tuple[int, list[int]]] = []
    current = 0
    while able := [i for i, turn in enumerate(turns) if not turn.is_done]:
        chosen = schedule[len(trace)] if len(trace) < len(schedule) else (current if current in able else able[0])
        trace.append((chosen, able))
        switches.step(turns[chosen])
        current = chosen
    return trace


def explore(run: Callable[[Sequence[int]], list[tuple[int, list[int]]]], *, preemptions: int) -> Iterator[list[int]]:
    """Run every schedule with at most *preemptions* takings of the baton from a running actor; yield the choices.

    Args:
        run: Makes a fresh world, follows the schedule, and returns the trace of `follow`.
        preemptions: Most bugs of interleaving need one or two. Source: Musuvathi and Qadeer, PLDI 2007.
    """
    waiting: list[list[int]] = [[]]
    while waiting:
        schedule = waiting.pop()
        trace = run(schedule)
        choices = [chosen for chosen, _ in trace]
        yield choices
        for point in range(len(schedule), len(trace)):
            for other in trace[point][1]:
                branch = [*choices[:point], other]
                if other != choices[point] and _preemptions(branch, trace) <= preemptions:
                    waiting.append(branch)


def _preemptions(choices: Sequence[int], trace: Sequence[tuple[int, list[int]]]) -> int:
    pairs = zip(choices, choices[1:], trace[1:], strict=False)
    return sum(before != after and before in able for before, after, (_, able) in pairs)
