"""Decides what to do about one model: a pure function from facts to actions. Called by the looker and the sweeper."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib.actions import (
    Action,
    CreateEndpoint,
    CreateEndpointConfig,
    CreateModel,
    DeleteEndpoint,
    DeleteEndpointConfig,
    DeleteModel,
    DeleteRelease,
    ForgetFailure,
    ForgetModel,
    InspectDrop,
    PutToSleep,
    RecordFailure,
    RecordStart,
    RemoveMark,
    UpdateEndpoint,
)
from chalicelib.names import ReleaseId, endpoint_name, release_name
from chalicelib.reports import Report
from chalicelib.state import MODIFYING, Actual, Desired, Endpoint, EndpointStatus, Usage

TOUCH_CEILING_S = 60.0
MARK_SETTLED_S = 90.0
"""A mark older than this was written by a sweep that has acted or given up: a sweep deletes within 60 s of its
listing or not at all. Source: docs/decisions/0005-sleep-protocol.md."""
LAST_MODIFIED_GRAIN_S = 1.0
"""S3's LastModified has whole seconds, rounded down: the last use may be this much later than it looks."""
_LONGEST_START_S = 3600.0


@dataclass(frozen=True)
class PlanRules:
    """What of the settings bears on planning. *idle_after_s* None is never."""

    app: str
    idle_after_s: float | None
    releases_kept: int = 3


def plan(
    desired: Desired, actual: Actual, usage: Usage | None, now: datetime, *, rules: PlanRules
) -> tuple[Action, ...]:
    """Plan the next actions for one model; an empty plan means all is well or has to wait. Pure: no I/O, no clock.

    Args:
        desired: What S3 says.
        actual: What SageMaker says.
        usage: What CloudWatch saw; None when this is a look and not the sweep, which alone puts models to sleep.
        now: Aware UTC.
        rules: The deployment's own.
    """
    endpoint = actual.endpoint
    if endpoint is not None and not endpoint.is_owned:
        return ()
    if desired.drop is None:
        return tuple(_plan_removal(desired, actual))
    if desired.report is None:
        return (InspectDrop(desired.drop),)
    if endpoint is not None and endpoint.status in MODIFYING:
        return ()
    if desired.failure is not None and desired.is_failure_stale:
        return _plan_retry(desired, endpoint, rules)
    unrecorded = failed_release(desired, actual, rules)
    if unrecorded is not None and endpoint is not None:
        reason = endpoint.failure_reason or "SageMaker gave no reason"
        return (RecordFailure(desired.model, unrecorded, reason, endpoint.modified_at),)
    refuted = _refuted_failure(desired, endpoint, rules)
    if refuted is not None:
        return (ForgetFailure(desired.model, refuted),)
    if desired.target is None:
        return tuple(_plan_left_behind(desired, endpoint, rules))
    if endpoint is None:
        if desired.is_wanted_asleep:
            return tuple(_plan_garbage(desired, actual, rules))
        return tuple(_plan_start(desired, desired.target, actual, rules))
    if endpoint.status in {EndpointStatus.FAILED, EndpointStatus.OUT_OF_SERVICE}:
        return (DeleteEndpoint(endpoint.name, desired.model),)
    return tuple(_plan_running(desired, desired.target, actual, endpoint, usage=usage, now=now, rules=rules))


def _plan_removal(desired: Desired, actual: Actual) -> Iterator[Action]:
    """The drop is gone: so goes all else, the endpoint first, for a configuration in use must not be deleted."""
    if actual.endpoint is not None:
        if actual.endpoint.status not in MODIFYING:
            yield DeleteEndpoint(actual.endpoint.name, desired.model)
        return
    yield from (DeleteEndpointConfig(name) for name in sorted(actual.endpoint_configs))
    yield from (DeleteModel(name) for name in sorted(actual.sagemaker_models))
    if desired.has_traces:
        yield ForgetModel(desired.model)


def _plan_left_behind(desired: Desired, endpoint: Endpoint | None, rules: PlanRules) -> Iterator[Action]:
    """Delete an endpoint that runs though nothing can, of a release that is gone.

    A look started it that a removal overtook: the model was removed, and what was dropped anew just then is refused.
    """
    if endpoint is None or desired.failure is not None:
        return
    kept = {release_name(rules.app, desired.model, each.release) for each in desired.releases if each.pinned_at}
    if endpoint.config_name not in kept:
        yield DeleteEndpoint(endpoint.name, desired.model)


def _plan_retry(desired: Desired, endpoint: Endpoint | None, rules: PlanRules) -> tuple[Action, ...]:
    """Clear the failed endpoint away first: without it and its record the release is as good as new."""
    release = _own_release(desired)
    if (
        endpoint is not None
        and endpoint.status is EndpointStatus.FAILED
        and endpoint.config_name == release_name(rules.app, desired.model, release)
    ):
        return (DeleteEndpoint(endpoint.name, desired.model),)
    return (ForgetFailure(desired.model, release),)


def failed_release(desired: Desired, actual: Actual, rules: PlanRules) -> ReleaseId | None:
    """Tell which release SageMaker has just failed to start, when that is not written down yet.

    Either the endpoint is Failed (with the target's configuration, or with that of a release which a newer drop has
    overtaken meanwhile), or an update to the target was rolled back: the endpoint serves another configuration, has a
    failure reason, and was modified after the target's was made.
    """
    endpoint, target = actual.endpoint, desired.target
    if endpoint is None or target is None:
        return None
    if endpoint.status is EndpointStatus.FAILED:
        known = {release_name(rules.app, desired.model, record.release): record for record in desired.releases}
        record = known.get(endpoint.config_name)
        if record is not None and (record.failed_at is None or record.release == target.release):
            return record.release
        return None
    if desired.failure is not None and desired.failure.endpoint_modified_at == endpoint.modified_at:
        return None  # This very roll-back is written down already, for the drop's own release.
    config = release_name(rules.app, desired.model, target.release)
    was_tried = config in actual.endpoint_configs and endpoint.modified_at > actual.endpoint_configs[config]
    if endpoint.config_name != config and endpoint.failure_reason and was_tried:
        return target.release
    return None


def _refuted_failure(desired: Desired, endpoint: Endpoint | None, rules: PlanRules) -> ReleaseId | None:
    """Tell which release is in service though it is written down that it does not start: an overtaken look's doing."""
    if endpoint is None or endpoint.status is not EndpointStatus.IN_SERVICE:
        return None
    for record in desired.releases:
        is_live = release_name(rules.app, desired.model, record.release) == endpoint.config_name
        if is_live and record.failed_at is not None:
            return record.release
    return None


def _plan_records(desired: Desired, target: Report, actual: Actual, rules: PlanRules) -> Iterator[Action]:
    """Make the two free records of the target, where they are missing."""
    name = release_name(rules.app, desired.model, target.release)
    assert target.plan is not None, "a target is an accepted release"  # noqa: S101  # for the type checker
    if name not in actual.sagemaker_models:
        yield CreateModel(name, desired.model, target.release, target.plan)
    if name not in actual.endpoint_configs:
        yield CreateEndpointConfig(name, desired.model, target.release, target.plan)


def _plan_start(desired: Desired, target: Report, actual: Actual, rules: PlanRules) -> Iterator[Action]:
    if desired.asleep is not None:
        yield RemoveMark(desired.model, desired.asleep)
    yield from _plan_records(desired, target, actual, rules)
    config = release_name(rules.app, desired.model, target.release)
    yield CreateEndpoint(endpoint_name(rules.app, desired.model), config, desired.model, target.release)


def _plan_running(
    desired: Desired,
    target: Report,
    actual: Actual,
    endpoint: Endpoint,
    *,
    usage: Usage | None,
    now: datetime,
    rules: PlanRules,
) -> Iterator[Action]:
    if desired.is_wanted_asleep:
        if usage is not None and is_last_use_settled(desired, idle_after_s(target, rules), now=now):
            yield PutToSleep(endpoint.name, desired.model, desired.used, usage.listed_at)
        return
    if desired.asleep is not None:
        if now - desired.asleep.at > timedelta(seconds=MARK_SETTLED_S):
            yield RemoveMark(desired.model, desired.asleep)
        return
    rest = _plan_rest(desired, target, endpoint, usage, now=now, rules=rules)
    config = release_name(rules.app, desired.model, target.release)
    if endpoint.config_name != config:
        if rest is not None:
            # Nobody has asked since the new drop, and the update has not come about (a quota may forbid it): the wake
            # will start the new release at once.
            yield rest
            return
        yield from _plan_records(desired, target, actual, rules)
        yield UpdateEndpoint(endpoint.name, config, desired.model, target.release)
        return
    # Missing under a running endpoint when somebody, or an overtaken look, removed them: the next wake needs them.
    yield from _plan_records(desired, target, actual, rules)
    yield from _plan_start_record(desired, target, actual, endpoint)
    yield from _plan_garbage(desired, actual, rules)
    if rest is not None:
        yield rest


def _plan_rest(
    desired: Desired, target: Report, endpoint: Endpoint, usage: Usage | None, *, now: datetime, rules: PlanRules
) -> PutToSleep | None:
    """Put to sleep what has earned its rest."""
    is_earned = endpoint.status is EndpointStatus.IN_SERVICE and is_idle(
        usage, awake_since=awake_since(desired, endpoint), idle_after_s=idle_after_s(target, rules), now=now
    )
    if usage is None or not is_earned:
        return None
    return PutToSleep(endpoint.name, desired.model, desired.used, usage.listed_at)


def _plan_start_record(desired: Desired, target: Report, actual: Actual, endpoint: Endpoint) -> Iterator[Action]:
    """Keep how long the start took, once per CreateEndpoint (an update's time is no start's)."""
    took_s = (endpoint.modified_at - endpoint.created_at).total_seconds()
    if all(record.release != target.release for record in desired.releases) or not 0 < took_s < _LONGEST_START_S:
        return
    # A configuration made after the endpoint came by an update, and so did a release whose endpoint another began.
    config_made_at = actual.endpoint_configs.get(endpoint.config_name, endpoint.created_at)
    begun_at = endpoint.created_at.replace(microsecond=0)
    is_recorded = any(record.started_at is not None and record.started_at >= begun_at for record in desired.releases)
    if not is_recorded and config_made_at <= endpoint.created_at:
        yield RecordStart(desired.model, target.release, took_s)


def _plan_garbage(desired: Desired, actual: Actual, rules: PlanRules) -> Iterator[Action]:
    """Remove what no release needs any more; the newest pinned archives stay for a rollback."""
    needed = {actual.endpoint.config_name} if actual.endpoint is not None else set()
    if desired.target is not None:
        needed.add(release_name(rules.app, desired.model, desired.target.release))
    yield from (DeleteEndpointConfig(name) for name in sorted(actual.endpoint_configs) if name not in needed)
    yield from (DeleteModel(name) for name in sorted(actual.sagemaker_models) if name not in needed)
    dawn = datetime.min.replace(tzinfo=UTC)
    pinned = sorted(
        (record for record in desired.releases if record.pinned_at is not None),
        key=lambda record: record.pinned_at or dawn,
        reverse=True,
    )
    kept = {record.release for record in pinned[: rules.releases_kept]}
    kept |= {report.release for report in (desired.target, desired.report) if report is not None}
    for record in sorted(desired.releases, key=lambda record: record.release):
        is_live = release_name(rules.app, desired.model, record.release) in needed
        if record.release not in kept and not is_live:
            yield DeleteRelease(desired.model, record.release)


def idle_after_s(target: Report, rules: PlanRules) -> float | None:
    """Tell the TTL that holds for a release, in seconds; None for never."""
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


def _own_release(desired: Desired) -> ReleaseId:
    """The release that the drop stands for: its own, or the one whose bytes and wishes it repeats."""
    assert desired.report is not None, "asked only after inspection"  # noqa: S101  # for the type checker
    return desired.report.same_as or desired.report.release
