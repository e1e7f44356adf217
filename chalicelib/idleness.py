"""When a model has earned its rest, and for how long a process may serve it unseen. Pure; called by planner and flows.

Source: docs/decisions/0005-sleep-protocol.md
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.reports import Report
from chalicelib.state import Desired, Endpoint, Usage

TOUCH_CEILING_S = 60.0
MARK_SETTLED_S = 90.0
"""A mark older than this was written by a sweep that has acted or given up: a sweep deletes within 60 s of its
listing or not at all. Source: docs/decisions/0005-sleep-protocol.md."""
LAST_MODIFIED_GRAIN_S = 1.0
"""S3's LastModified has whole seconds, rounded down: the last use may be this much later than it looks."""


@dataclass(frozen=True)
class PlanRules:
    """What of the settings bears on planning. *idle_after_s* None is never."""

    app: str
    idle_after_s: float | None
    releases_kept: int = 3


def idle_after_s(target: Report, rules: PlanRules) -> float | None:
    """Tell the TTL that holds for a release, in seconds; None for never."""
    if target.plan is not None and target.plan.is_serverless:
        return None  # There is nothing to save, and no instance whose metrics would prove that CloudWatch sees.
    if target.plan is not None and target.plan.is_idle_after_wished:
        return target.plan.idle_after_s
    return rules.idle_after_s


def touch_interval_s(ttl_s: float | None) -> float:
    """Tell the longest time, in seconds, that a process may serve a model without writing down the use again.

    A use that recent cannot look idle, whose threshold is ten times as long.
    """
    return TOUCH_CEILING_S if ttl_s is None else min(TOUCH_CEILING_S, ttl_s / 10)


def is_last_use_settled(desired: Desired, ttl_s: float | None, *, now: datetime) -> bool:
    """Tell whether every process that serves the model must have seen the mark: two touch intervals without a use."""
    if desired.used is None:
        return True
    return now - desired.used.at > timedelta(seconds=2 * touch_interval_s(ttl_s) + LAST_MODIFIED_GRAIN_S)


def accepted_until(desired: Desired, ttl_s: float | None) -> datetime | None:
    """Tell until when a request may have been accepted that the last use stands for; None when there was none."""
    if desired.used is None:
        return None
    return desired.used.at + timedelta(seconds=2 * touch_interval_s(ttl_s) + LAST_MODIFIED_GRAIN_S)


def is_drained(endpoint: Endpoint, usage: Usage | None, *, since: datetime | None) -> bool:
    """Tell whether nothing waits in the endpoint's queue, which goes with it: seen empty after *since*.

    An endpoint without a queue has nothing to lose; of one with a queue, unknown is not drained.
    """
    if not endpoint.is_async:
        return True
    if usage is None or usage.empty_at is None:
        return False
    return usage.empty_at >= (endpoint.created_at if since is None else since)


def awake_since(desired: Desired, endpoint: Endpoint) -> datetime:
    """Tell the moment from which idleness counts: the latest of created, modified, dropped and used, aware UTC."""
    moments = [endpoint.created_at, endpoint.modified_at]
    if desired.drop is not None:
        moments.append(desired.drop.dropped_at)
    if desired.used is not None:
        moments.append(desired.used.at)
    return max(moments)


def is_idle(usage: Usage | None, *, awake_since: datetime, idle_after_s: float | None, now: datetime) -> bool:
    """Tell whether an endpoint has earned its rest. Pure: no I/O, no clock.

    Args:
        usage: What CloudWatch saw over the last TTL; None, or invocations of None, when it could not be read.
        awake_since: Aware UTC; see `awake_since`.
        idle_after_s: TTL in seconds; None for never.
        now: Aware UTC.

    Returns:
        False whenever anything is unknown: unknown is not idle.

    Raises:
        ValueError: A datetime is naive.

    Source: docs/decisions/0005-sleep-protocol.md
    """
    if awake_since.tzinfo is None or now.tzinfo is None:
        raise ValueError("datetimes must be aware")
    if usage is None or usage.invocations is None or idle_after_s is None:
        return False
    if usage.invocations != 0:
        return False
    return now - awake_since >= timedelta(seconds=idle_after_s + LAST_MODIFIED_GRAIN_S)
