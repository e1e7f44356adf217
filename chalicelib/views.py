"""What is shown of a model: its state in one word, why in one sentence. Called by the API's routes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from chalicelib.actions import Action
from chalicelib.errors import ModelNotFound
from chalicelib.idleness import LAST_MODIFIED_GRAIN_S, awake_since, idle_after_s
from chalicelib.looker import Looker, live_release
from chalicelib.names import ModelName, model_of_endpoint
from chalicelib.planner import must_replace, plan
from chalicelib.ports import Clock, Drops, Endpoints, Releases
from chalicelib.reports import Report, refusal_sentence
from chalicelib.state import ANSWERING, Actual, Desired, Endpoint, EndpointStatus


class ModelState(StrEnum):
    """One word for where a model is."""

    DROPPED = "dropped"
    REFUSED = "refused"
    DEPLOYING = "deploying"
    READY = "ready"
    UPDATING = "updating"
    FALLING_ASLEEP = "falling-asleep"
    ASLEEP = "asleep"
    WAKING = "waking"
    FAILED = "failed"
    DELETING = "deleting"
    BLOCKED = "blocked"


def state_of(desired: Desired, actual: Actual) -> tuple[ModelState, str]:  # a table, a row a branch
    """Name the state of a model, and say why in one sentence. Pure."""
    endpoint = actual.endpoint
    if endpoint is not None and not endpoint.is_owned:
        return ModelState.BLOCKED, f"an endpoint named {endpoint.name!r} exists that is not Tarmac's: it is not touched"
    if desired.drop is None:
        return ModelState.DELETING, "the drop is gone; endpoint, configuration, model and releases follow"
    if desired.is_emptied and endpoint is not None:
        return ModelState.DELETING, "the archive is gone, and deploy.toml names no other model; what runs follows"
    if endpoint is not None and endpoint.status in ANSWERING:
        return _state_of_running(desired, endpoint)
    if desired.report is None and desired.target is None:
        return ModelState.DROPPED, "the archive is being checked"
    if endpoint is not None and endpoint.status is EndpointStatus.FAILED:
        return ModelState.FAILED, endpoint.failure_reason or "SageMaker gave no reason"
    if desired.target is None:
        if desired.failure is not None:
            return ModelState.FAILED, desired.failure.reason
        return ModelState.REFUSED, refusal_sentence(desired.report.checks if desired.report else ())
    if endpoint is not None and endpoint.status is EndpointStatus.DELETING:
        return ModelState.FALLING_ASLEEP, "SageMaker is taking the endpoint down"
    if desired.is_wanted_asleep:
        return ModelState.ASLEEP, "no endpoint, nothing billed; the next request wakes it"
    has_run = any(record.started_at for record in desired.releases) or desired.asleep is not None
    if has_run:
        return ModelState.WAKING, "SageMaker is starting the endpoint"
    return ModelState.DEPLOYING, "SageMaker is starting the endpoint for the first time"


def _state_of_running(desired: Desired, endpoint: Endpoint) -> tuple[ModelState, str]:
    note = _note_on_drop(desired)
    if desired.asleep is not None:
        if desired.target is not None and must_replace(desired.target, endpoint) and not desired.is_wanted_asleep:
            mode = desired.target.plan.mode if desired.target.plan is not None else "another"
            waits = " once its queue is empty" if endpoint.is_async else ""
            return ModelState.UPDATING, f"it becomes {mode}, for which the endpoint that runs has to go first{waits}"
        if desired.is_wanted_asleep:
            return ModelState.FALLING_ASLEEP, "the next sweep puts it to sleep once nobody can be using it"
        return ModelState.WAKING, "it was about to sleep and was asked again: it answers when the mark has settled"
    if endpoint.status is EndpointStatus.UPDATING:
        return ModelState.UPDATING, "the old release answers until the new one is ready" + note
    if desired.report is None:
        return ModelState.UPDATING, "a new drop is being checked; the release before it answers"
    return ModelState.READY, "it answers" + note


def _note_on_drop(desired: Desired) -> str:
    if desired.is_rolled_back and desired.target is not None:
        return f"; rolled back to release {desired.target.release} until something is dropped again"
    if desired.failure is not None and not desired.is_failure_stale:
        return f"; the newest drop does not start, an earlier release runs: {desired.failure.reason}"
    if desired.report is not None and not desired.report.is_accepted:
        return f"; the newest drop was refused, an earlier release runs: {refusal_sentence(desired.report.checks)}"
    return ""


def render_action(action: Action) -> dict[str, Any]:
    """Render a planned action as JSON-ready data, for `tarmac plan`."""
    return {"action": type(action).__name__, **{f.name: _plain(getattr(action, f.name)) for f in fields(action)}}


def _plain(value: object) -> Any:  # JSON's own types are not expressible shorter
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True)
class Views:
    """Reads, and never changes, what is shown."""

    drops: Drops
    releases: Releases
    endpoints: Endpoints
    looker: Looker
    clock: Clock
    app: str

    def models(self) -> list[dict[str, Any]]:
        """Every model that is dropped or still has an endpoint, by name."""
        names = set(self.drops.list())
        names |= {m for s in self.endpoints.list() if (m := model_of_endpoint(self.app, s.name)) is not None}
        rows = []
        for name in sorted(names):
            desired = self.looker.desired(name)
            actual = self.looker.actual(desired)
            if desired.drop is not None or _is_ours(actual):
                rows.append(self._summary(desired, actual))
        return rows

    def model(self, raw_name: str) -> dict[str, Any]:
        """Everything about one model, with its report and what would be done next.

        Raises:
            ModelNotFound: Nothing is dropped under that name, and no endpoint of it is left.
        """
        desired = self.looker.desired(ModelName(raw_name))
        actual = self.looker.actual(desired)
        if desired.drop is None and not _is_ours(actual):
            raise ModelNotFound(f"there is no model {raw_name!r}", fix="list what there is with GET /models")
        actions = plan(desired, actual, None, self.clock.now(), rules=self.looker.rules)
        return {
            **self._summary(desired, actual),
            "starts_s": self._starts_s(desired),
            "releases": _release_rows(desired),
            "report": json.loads(desired.report.to_json()) if desired.report else None,
            "plan": [render_action(action) for action in actions],
        }

    def _starts_s(self, desired: Desired) -> list[float]:
        if desired.target is None:
            return []
        return list(self.releases.read_starts(desired.model, desired.target.release))

    def _summary(self, desired: Desired, actual: Actual) -> dict[str, Any]:
        state, why = state_of(desired, actual)
        target = desired.target
        live = live_release(desired, actual, self.app)
        return {
            "model": desired.model,
            "state": state,
            "why": why,
            "release": live or (target.release if target else None),
            "dropped_release": desired.drop.release if desired.drop else None,
            "endpoint": _endpoint_row(actual.endpoint),
            **_plan_row(target),
            "idle_after_s": idle_after_s(target, self.looker.rules) if target else None,
            "dropped_at": desired.drop.dropped_at.isoformat() if desired.drop else None,
            "used_at": desired.used.at.isoformat() if desired.used else None,
            "asleep_at": desired.asleep.at.isoformat() if desired.asleep else None,
            "sleeps_at": self._sleeps_at(desired, actual),
            "invoke_path": f"/models/{desired.model}/invocations",
        }

    def _sleeps_at(self, desired: Desired, actual: Actual) -> str | None:
        """The earliest time at which a sweep would find it idle, if nobody calls."""
        endpoint, target = actual.endpoint, desired.target
        if endpoint is None or target is None or endpoint.status is not EndpointStatus.IN_SERVICE:
            return None
        ttl_s = idle_after_s(target, self.looker.rules)
        if ttl_s is None or desired.asleep is not None:
            return None
        return (awake_since(desired, endpoint) + timedelta(seconds=ttl_s + LAST_MODIFIED_GRAIN_S)).isoformat()


def _release_rows(desired: Desired) -> list[dict[str, Any]]:
    """The releases that a rollback can go to, newest first."""
    pinned = [(each.pinned_at, each) for each in desired.releases if each.pinned_at is not None]
    return [
        {
            "release": each.release,
            "pinned_at": pinned_at.isoformat(),
            "is_target": desired.target is not None and each.release == desired.target.release,
            "has_failed": each.failed_at is not None,
        }
        for pinned_at, each in sorted(pinned, key=lambda pair: pair[0], reverse=True)
    ]


def _is_ours(actual: Actual) -> bool:
    return actual.endpoint is not None and actual.endpoint.is_owned


def _endpoint_row(endpoint: Endpoint | None) -> Mapping[str, Any] | None:
    if endpoint is None:
        return None
    return {"name": endpoint.name, "status": endpoint.status, "failure_reason": endpoint.failure_reason}


def _plan_row(target: Report | None) -> Mapping[str, Any]:
    served = target.plan if target else None
    return {
        "task": served.task if served else None,
        "container": served.container if served else None,
        "instance_type": served.instance_type if served else None,
        "instance_count": served.instance_count if served else None,
        "price_per_hour_usd": served.price_per_hour_usd if served else None,
        "mode": served.mode if served else None,
        "memory_mb": served.memory_mb if served else None,
        "autoscale": _plain(served.autoscale) if served else None,
        "hub_model": _plain(served.hub_model) if served else None,
    }
