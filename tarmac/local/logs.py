"""CloudWatch Logs with streams that stay small, fed from inside by whoever has lines. Installed by `embedded`."""

import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from moto.logs import models
from moto.logs.exceptions import InvalidParameterException

from tarmac.local.swaps import swap

EVENTS_MAX = 10_000
"""The most events a stream keeps: the newest."""
_SLACK = 1_000


class BoundedStream(models.LogStream):
    """A stream that keeps its newest events, and whose tokens still point at the same place when old ones have gone."""

    __module__ = models.__name__

    def __init__(self, log_group: Any, name: str) -> None:
        super().__init__(log_group, name)
        self._dropped = 0
        self._lock = threading.Lock()

    def put_log_events(self, log_events: list[dict[str, Any]]) -> str:
        """Add events; let the oldest go."""
        with self._lock:
            token: str = super().put_log_events(log_events)
            # A few more before the cut: cutting at every single line would copy the list at every line.
            if len(self.events) > EVENTS_MAX + _SLACK:
                self._cut()
        return token

    def _cut(self) -> None:
        surplus = max(len(self.events) - EVENTS_MAX, 0)
        self.stored_bytes -= sum(len(event.message) for event in self.events[:surplus])
        self.events = self.events[surplus:]
        self._dropped += surplus

    def get_log_events(
        self, start_time: Any, end_time: Any, limit: int | None, next_token: str | None, start_from_head: Any
    ) -> tuple[list[dict[str, Any]], str, str]:
        """A page of events, oldest first, and the tokens to go back and forth."""
        with self._lock:
            self._cut()
            kept = sorted(enumerate(self.events, self._dropped), key=lambda pair: (pair[1].timestamp, pair[0]))
        within = [
            event
            for _, event in kept
            if (not start_time or event.timestamp >= start_time) and (not end_time or event.timestamp < end_time)
        ]
        base, end = self._dropped, self._dropped + len(within)
        size = min(limit or EVENTS_MAX, EVENTS_MAX)
        if next_token is None:
            first = base if start_from_head else max(end - size, base)
        else:
            first = self._first_of(next_token, size, base=base)
        last = max(min(first + size, end), first)
        if next_token is not None and next_token.startswith("b/"):
            last = min(int(next_token[2:]), last)
        page = [event.to_response_dict() for event in within[first - base : last - base]]
        return page, f"b/{first:056d}", f"f/{last:056d}"

    def filter_log_events(self, start_time: int, end_time: int, filter_pattern: str) -> list[dict[str, Any]]:
        """Every kept event that matches."""
        with self._lock:
            self._cut()
        found: list[dict[str, Any]] = super().filter_log_events(start_time, end_time, filter_pattern)
        return found

    @staticmethod
    def _first_of(token: str, size: int, *, base: int) -> int:
        direction, _, raw = token.partition("/")
        if direction not in {"f", "b"} or not raw.isdigit():
            raise InvalidParameterException("The specified nextToken is invalid.")
        return max(int(raw) - (size if direction == "b" else 0), base)


class Logs:
    """The engine's own way in."""

    def __init__(self, *, account: str, region: str) -> None:
        self._account = account
        self._region = region
        self._lock = threading.Lock()

    def append(self, group: str, stream: str, lines: Iterable[str], *, at_ms: int | None = None) -> None:
        """Add lines to a stream; group and stream are made when they are missing. Safe from any thread.

        Args:
            group: e.g. /aws/sagemaker/Endpoints/tarmac-sentiment.
            stream: e.g. AllTraffic/i-0.
            lines: Without their line ends; empty ones are left out, as AWS takes none.
            at_ms: Milliseconds since the epoch; None: now.
        """
        when = int(time.time() * 1000) if at_ms is None else at_ms
        events = [{"timestamp": when, "message": line} for line in lines if line]
        if not events:
            return
        backend = models.logs_backends[self._account][self._region]
        with self._lock:
            if group not in backend.groups:
                backend.create_log_group(group, {})
            if stream not in backend.groups[group].streams:
                backend.groups[group].create_log_stream(stream)
            backend.groups[group].put_log_events(stream, events)


def install(stack: ExitStack, *, account: str, region: str) -> Logs:
    """Make every stream of this process a bounded one, until *stack* closes."""
    swap(stack, models, "LogStream", BoundedStream)
    models.logs_backends.clear()
    return Logs(account=account, region=region)
