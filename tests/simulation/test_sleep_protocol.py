"""Every interleaving of the sleep protocol, abstractly: two proxies, a sweep that may crash, a look, a person, a clock.

Time goes in units of half a minute, kept as ages, so the walk is finite and whole.
See docs/decisions/0005-sleep-protocol.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pytest

TICKET = 2
"""A proxy serves this long after a touch: a minute."""
REQUEST_LIFE = 1
"""No request is on its way for longer: API Gateway and Lambda end it."""
IDLE = 6
"""Far less than the ten tickets of the real TTL, so that the walk is harder on the protocol than life."""
SETTLED = 2 * TICKET
WITHIN, DELETE_LATENCY = 2, 1
MARK_SETTLED = WITHIN + DELETE_LATENCY
OLDEST = max(IDLE, SETTLED + 1)


class Proxy(NamedTuple):
    """*at*: idle, put, head or invoke. *age* of the request under way; *ticket* units left."""

    at: str = "idle"
    age: int = 0
    ticket: int = 0


class Sweep(NamedTuple):
    """*age* of its listing; whether the last use, and the mark it wrote, are still as it knows them."""

    at: str = "none"
    age: int = 0
    is_use_same: bool = True
    is_mark_own: bool = False
    wait: int = 0
    """Units since it decided to delete."""


class Look(NamedTuple):
    """*at*: none, remove or create; *then_create* after the removal."""

    at: str = "none"
    is_mark_same: bool = True
    then_create: bool = False


class State(NamedTuple):
    """*newer*: which of mark and use has the later second; the tie is awake. *mark*: age, or -1 for none."""

    endpoint: str = "up"
    used: int = 0
    mark: int = -1
    newer: str = "use"
    proxies: tuple[Proxy, ...] = (Proxy(), Proxy())
    sweep: Sweep = Sweep()
    look: Look = Look()


@dataclass(frozen=True)
class Protocol:
    """The protocol, whole unless something is left out."""

    heads: bool = True
    reads_use_again: bool = True
    bounds_mark_age: bool = True
    removes_conditionally: bool = True
    deletes_in_time: bool = True
    waits_for_tickets: bool = True

    def steps(self, s: State) -> Iterator[State]:
        """Every state that may follow."""
        for index, proxy in enumerate(s.proxies):
            yield from (_with_proxy(after, index, moved) for after, moved in self._proxy(s, proxy))
        yield from self._sweep(s)
        yield from self._look(s)
        if s.endpoint in {"deleting", "creating"}:
            yield s._replace(endpoint="gone" if s.endpoint == "deleting" else "up")
        yield from _put_mark(s)  # a person asks for sleep
        if all(p.age < REQUEST_LIFE for p in s.proxies if p.at != "idle") and s.sweep.wait < DELETE_LATENCY:
            yield _tick(s)

    def _proxy(self, s: State, p: Proxy) -> Iterator[tuple[State, Proxy]]:
        match p.at:
            case "idle":
                yield s, Proxy("invoke" if p.ticket else "put", 0, p.ticket)
            case "put":
                yield from ((after, p._replace(at="head")) for after in _touch(s))
            case "head" if self.heads and s.mark >= 0:
                yield s, Proxy()
            case "head":
                # The clock was read before the touch.
                yield s, p._replace(at="invoke", ticket=max(0, TICKET - p.age))
            case "invoke" if s.endpoint == "up":
                yield s, Proxy(ticket=p.ticket)
            case "invoke":
                yield from ((after, Proxy()) for after in _touch(s))

    def _sweep(self, s: State) -> Iterator[State]:
        w = s.sweep
        if w.at != "none":
            yield s._replace(sweep=Sweep())  # it crashes
        match w.at:
            case "none" if s.endpoint == "up" and self._may_sleep(s):
                yield s._replace(sweep=Sweep("mark"))
            case "mark":
                for after in _put_mark(s):
                    yield after._replace(sweep=after.sweep._replace(at="read", is_mark_own=True))
            case "read":
                is_stirred = self.reads_use_again and not w.is_use_same
                yield s._replace(sweep=w._replace(at="unmark" if is_stirred else "clock"))
            case "clock":
                is_late = self.deletes_in_time and w.age > WITHIN
                yield s._replace(sweep=w._replace(at="unmark" if is_late else "delete"))
            case "unmark":
                yield _remove_mark(s, w.is_mark_own or not self.removes_conditionally)._replace(sweep=Sweep())
            case "delete":
                yield s._replace(endpoint="deleting" if s.endpoint == "up" else s.endpoint, sweep=Sweep())

    def _may_sleep(self, s: State) -> bool:
        if s.mark >= 0:
            return s.newer == "mark" and (s.used > SETTLED or not self.waits_for_tickets)
        return s.used >= IDLE

    def _look(self, s: State) -> Iterator[State]:
        k = s.look
        match k.at:
            case "none" if s.mark >= 0 and s.newer == "mark":
                return  # wanted asleep
            case "none" if s.endpoint == "gone":
                yield s._replace(look=Look("remove" if s.mark >= 0 else "create", then_create=True))
            case "none" if s.endpoint == "up" and (s.mark > MARK_SETTLED or (s.mark >= 0 and not self.bounds_mark_age)):
                yield s._replace(look=Look("remove"))
            case "remove" if k.is_mark_same or not self.removes_conditionally:
                yield _remove_mark(s, True)._replace(look=Look("create") if k.then_create else Look())
            case "remove":
                yield s._replace(look=Look())
            case "create":
                yield s._replace(endpoint="creating" if s.endpoint == "gone" else s.endpoint, look=Look())


def _with_proxy(s: State, index: int, proxy: Proxy) -> State:
    others = [other for i, other in enumerate(s.proxies) if i != index]
    return s._replace(proxies=tuple(sorted([proxy, *others])))  # which proxy is which does not matter


def _touch(s: State) -> Iterator[State]:
    touched = s._replace(used=0, newer="use", sweep=s.sweep._replace(is_use_same=False))
    yield touched
    if s.mark == 0:
        yield touched._replace(newer="tie")


def _put_mark(s: State) -> Iterator[State]:
    sweep, look = s.sweep._replace(is_mark_own=False), s.look._replace(is_mark_same=False)
    marked = s._replace(mark=0, newer="mark", sweep=sweep, look=look)
    yield marked
    if s.used == 0:
        yield marked._replace(newer="tie")


def _remove_mark(s: State, is_same: bool) -> State:
    if not is_same:
        return s
    sweep, look = s.sweep._replace(is_mark_own=False), s.look._replace(is_mark_same=False)
    return s._replace(mark=-1, newer="use", sweep=sweep, look=look)


def _tick(s: State) -> State:
    return s._replace(
        used=min(s.used + 1, OLDEST),
        mark=s.mark if s.mark < 0 else min(s.mark + 1, MARK_SETTLED + 1),
        proxies=tuple(
            sorted(Proxy(p.at, p.age + (p.at != "idle"), max(0, p.ticket - 1)) for p in s.proxies),
        ),
        sweep=s.sweep
        if s.sweep.at == "none"
        else s.sweep._replace(age=min(s.sweep.age + 1, WITHIN + 1), wait=s.sweep.wait + (s.sweep.at == "delete")),
    )


def _meets_deletion(s: State) -> bool:
    return s.endpoint == "deleting" and any(p.at == "invoke" for p in s.proxies)


def walk(protocol: Protocol) -> tuple[int, State | None]:
    """Visit every state that can be reached; return how many, and the first in which a request meets a deletion."""
    seen, frontier = {State()}, [State()]
    while frontier:
        following = []
        for state in frontier:
            for after in protocol.steps(state):
                if after not in seen:
                    if _meets_deletion(after):
                        return len(seen), after
                    seen.add(after)
                    following.append(after)
        frontier = following
    return len(seen), None


def test_no_request_meets_a_deletion_in_any_interleaving() -> None:
    """The protocol as it is."""
    states, meeting = walk(Protocol())

    assert meeting is None
    assert states > 10_000


@pytest.mark.parametrize(
    "left_out",
    [
        "heads",
        "reads_use_again",
        "bounds_mark_age",
        "removes_conditionally",
        "deletes_in_time",
        "waits_for_tickets",
    ],
)
def test_every_part_of_the_protocol_is_needed(left_out: str) -> None:
    """Whatever is left out, a request meets a deletion: so the walk can fail, and nothing is there for show."""
    _, meeting = walk(Protocol(**{left_out: False}))

    assert meeting is not None
