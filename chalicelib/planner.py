"""Decides what to do about one model: a pure function from facts to actions. Called by the looker and the sweeper."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from chalicelib.actions import (
    Action,
    BeginReplacement,
    CreateEndpoint,
    CreateEndpointConfig,
    CreateModel,
    DeleteEndpoint,
    DeleteEndpointConfig,
    DeleteModel,
    DeleteRelease,
    EnsureScaling,
    ForgetFailure,
    ForgetModel,
    InspectDrop,
    PutToSleep,
    RecordFailure,
    RecordStart,
    RemoveMark,
    RemoveScaling,
    UpdateEndpoint,
)
from chalicelib.idleness import (
    MARK_SETTLED_S,
    PlanRules,
    accepted_until,
    awake_since,
    idle_after_s,
    is_drained,
    is_idle,
    is_last_use_settled,
)
from chalicelib.names import ReleaseId, endpoint_name, release_name
from chalicelib.reports import Report
from chalicelib.state import MODIFYING, Actual, Desired, Endpoint, EndpointStatus, Stamp, Usage

_LONGEST_START_S = 3600.0


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
    if desired.drop is None or desired.is_emptied:
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
    if desired.report is not None:
        # A deploy.toml alone is left. The report that says so stays, and so do the marks, which mean nothing now.
        others = {record.release for record in desired.releases} - {desired.report.release}
        yield from (DeleteRelease(desired.model, release) for release in sorted(others))
    elif desired.has_traces:
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
        ttl_s = idle_after_s(target, rules)
        is_settled = is_last_use_settled(desired, ttl_s, now=now)
        if usage is not None and is_settled and is_drained(endpoint, usage, since=accepted_until(desired, ttl_s)):
            is_scaled = actual.scaling is not None
            yield PutToSleep(endpoint.name, desired.model, desired.used, usage.listed_at, is_scaled)
        return
    config = release_name(rules.app, desired.model, target.release)
    if desired.asleep is not None:
        if now - desired.asleep.at > timedelta(seconds=MARK_SETTLED_S):
            yield from _plan_settled(desired, desired.asleep, target, actual, endpoint, usage=usage, config_name=config)
        return
    rest = _plan_rest(desired, target, actual, endpoint, usage=usage, now=now, rules=rules)
    if endpoint.config_name != config:
        if rest is not None:
            # Nobody has asked since the new drop, and the update has not come about (a quota may forbid it): the wake
            # will start the new release at once.
            yield rest
            return
        yield from _plan_records(desired, target, actual, rules)
        yield from _plan_move(desired, target, actual, endpoint, config)
        return
    # Missing under a running endpoint when somebody, or an overtaken look, removed them: the next wake needs them.
    yield from _plan_records(desired, target, actual, rules)
    yield from _plan_start_record(desired, target, actual, endpoint)
    yield from _plan_garbage(desired, actual, rules)
    if rest is not None:
        yield rest
    else:
        # Last: what it cannot do must not keep a model from its rest.
        yield from _plan_scaling(desired, target, actual, endpoint)


def must_replace(target: Report, endpoint: Endpoint) -> bool:
    """Tell whether no update can make of the endpoint what the target is: serverless, or async, or no longer async.

    Source: SageMaker's developer guide, serverless inference: from serverless to instances works. Of an update between
    realtime and async nothing is promised anywhere.
    """
    if target.plan is None:
        return False
    is_new_serverless = target.plan.is_serverless and not endpoint.is_serverless
    return is_new_serverless or target.plan.is_async != endpoint.is_async


def _plan_settled(
    desired: Desired,
    mark: Stamp,
    target: Report,
    actual: Actual,
    endpoint: Endpoint,
    *,
    usage: Usage | None,
    config_name: str,
) -> Iterator[Action]:
    """End what a mark of that age stands for: by now nobody invokes, whoever wrote it."""
    if endpoint.config_name == config_name or not must_replace(target, endpoint):
        yield RemoveMark(desired.model, mark)
        return
    # A process that looked before the mark was written held its ticket for 60 s at most, and a request takes 28 s.
    if not is_drained(endpoint, usage, since=mark.at + timedelta(seconds=MARK_SETTLED_S)):
        return  # What waits in its queue would go with it; the sweep, which alone sees the queue, looks again.
    if actual.scaling is not None:
        yield RemoveScaling(endpoint.name, desired.model)
    yield DeleteEndpoint(endpoint.name, desired.model)


def _plan_move(
    desired: Desired, target: Report, actual: Actual, endpoint: Endpoint, config_name: str
) -> Iterator[Action]:
    """Move a running endpoint to the target: by an update where that can be, else by taking its place."""
    if must_replace(target, endpoint):
        yield BeginReplacement(desired.model)
        return
    if actual.scaling is not None:
        # An update that changes the instance type is refused while Application Auto Scaling holds the variant.
        yield RemoveScaling(endpoint.name, desired.model)
    keeps_counts = actual.scaling is not None and target.plan is not None and target.plan.autoscale is not None
    yield UpdateEndpoint(endpoint.name, config_name, desired.model, target.release, keeps_counts)


def _plan_scaling(desired: Desired, target: Report, actual: Actual, endpoint: Endpoint) -> Iterator[Action]:
    """Let the number of instances be moved as wished; only what is in service can be."""
    wished = target.plan.autoscale if target.plan is not None else None
    if endpoint.status is not EndpointStatus.IN_SERVICE or actual.scaling == wished:
        return
    if wished is None:
        yield RemoveScaling(endpoint.name, desired.model)
    else:
        yield EnsureScaling(endpoint.name, desired.model, target.release, wished)


def _plan_rest(
    desired: Desired,
    target: Report,
    actual: Actual,
    endpoint: Endpoint,
    *,
    usage: Usage | None,
    now: datetime,
    rules: PlanRules,
) -> PutToSleep | None:
    """Put to sleep what has earned its rest."""
    is_earned = endpoint.status is EndpointStatus.IN_SERVICE and is_idle(
        usage, awake_since=awake_since(desired, endpoint), idle_after_s=idle_after_s(target, rules), now=now
    )
    if usage is None or not is_earned:
        return None
    return PutToSleep(endpoint.name, desired.model, desired.used, usage.listed_at, actual.scaling is not None)


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


def _own_release(desired: Desired) -> ReleaseId:
    """The release that the drop stands for: its own, or the one whose bytes and wishes it repeats."""
    assert desired.report is not None, "asked only after inspection"  # noqa: S101  # for the type checker
    return desired.report.same_as or desired.report.release
