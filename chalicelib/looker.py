"""One pass over one model: observe, plan, act. Called by the queue's door, the sweeper, the proxy and the views."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.actions import Action
from chalicelib.errors import Changed
from chalicelib.executor import Executor, Outcome
from chalicelib.idleness import PlanRules
from chalicelib.names import ModelName, ReleaseId, endpoint_name, name_problem, release_name
from chalicelib.planner import plan
from chalicelib.ports import Clock, Drops, Endpoints, Marks, Releases, Scaling
from chalicelib.reports import Autoscale, Report
from chalicelib.state import Actual, Desired, Drop, Failure, ReleaseRecord, Usage
from chalicelib.telemetry import logger

MAX_ROUNDS = 8
"""Inspect, fail, forget, delete, create...: no path through the plan is longer; beyond it the next look goes on."""
TRANSIENT_FAILURE_LASTS = timedelta(minutes=5)


@dataclass(frozen=True)
class Look:
    """What one pass did: the actions in order, each with its outcome."""

    done: tuple[tuple[Action, Outcome], ...] = ()


@dataclass(frozen=True)
class Looker:
    """Observes, plans and acts, for one model at a time."""

    drops: Drops
    releases: Releases
    marks: Marks
    endpoints: Endpoints
    executor: Executor
    clock: Clock
    rules: PlanRules
    scaling: Scaling | None = None

    def look(self, model: ModelName, usage: Usage | None = None) -> Look:
        """Bring one model nearer to what it should be, as far as can be done now.

        Raises:
            AwsError: What AWS refused; retryable ones are worth another look.
        """
        done: list[tuple[Action, Outcome]] = []
        for _ in range(MAX_ROUNDS):
            actions = self.plan(model, usage)
            if not actions:
                break
            try:
                for action in actions:
                    outcome = self.executor.execute(action)
                    done.append((action, outcome))
                    if outcome is not Outcome.DONE:
                        return Look(tuple(done))
            except Changed as exc:
                logger.info("the world moved on, looking again", extra={"model": model, "reason": exc.message})
        return Look(tuple(done))

    def plan(self, model: ModelName, usage: Usage | None = None) -> tuple[Action, ...]:
        """Observe and plan, without acting."""
        desired = self.desired(model)
        return plan(desired, self.actual(desired), usage, self.clock.now(), rules=self.rules)

    def desired(self, model: ModelName) -> Desired:
        """Observe what S3 says about a model."""
        drop = self.drops.find(model)
        if drop is None:
            used, asleep = self.marks.used(model), self.marks.asleep(model)
            return Desired(model, used=used, asleep=asleep, has_traces=self.marks.has_traces(model))
        records = self.releases.list(model)
        report = self._report(drop, records)
        own = None if report is None or not report.is_accepted else report.same_as or report.release
        failure, is_stale = self._failure(drop, own, records)
        # With the archive gone there is nothing to go back from: what was asked for before that is over.
        asked = None if report is not None and report.is_nothing_named else self._asked_back(drop, records)
        target = asked or self._target(model, report, own, failure, is_stale=is_stale, records=records)
        return Desired(
            model,
            drop=drop,
            report=report,
            target=target,
            is_rolled_back=asked is not None and asked.release != own,
            failure=failure,
            is_failure_stale=is_stale,
            releases=records,
            used=self.marks.used(model),
            asleep=self.marks.asleep(model),
            has_traces=True,
        )

    def actual(self, desired: Desired) -> Actual:
        """Observe what SageMaker says about a model; a name that cannot be a model's has nothing there."""
        model = desired.model
        if name_problem(model) is not None:
            return Actual()
        actual = Actual(
            endpoint=self.endpoints.find(endpoint_name(self.rules.app, model)),
            sagemaker_models=self.endpoints.list_models(model),
            endpoint_configs=self.endpoints.list_configs(model),
        )
        return replace(actual, scaling=self._scaling(desired, actual))

    def _scaling(self, desired: Desired, actual: Actual) -> Autoscale | None:
        """Ask what moves the number of instances, where that was ever wished for: others do not pay the two calls."""
        endpoint, target = actual.endpoint, desired.target
        if self.scaling is None or endpoint is None or not endpoint.is_owned or endpoint.is_serverless:
            return None
        is_wished = target is not None and target.plan is not None and target.plan.autoscale is not None
        is_noted = any(record.scaled_at is not None for record in desired.releases)
        return self.scaling.find(endpoint.name) if is_wished or is_noted else None

    def _report(self, drop: Drop, records: tuple[ReleaseRecord, ...]) -> Report | None:
        record = _record(records, drop.release)
        if record is None or record.reported_at is None or record.reported_at < drop.dropped_at:
            # Dropped again, as it was: checked and pinned anew, so that it is the newest one to fall back to.
            return None
        report = self.releases.read_report(drop.model, drop.release)
        if report is None or not report.is_accepted:
            return report
        pinned = _record(records, report.same_as or report.release)
        # Somebody removed the pinned copy: without it nothing can start, so the door makes it again.
        return report if pinned is not None and pinned.pinned_at is not None else None

    def _failure(
        self, drop: Drop, own: ReleaseId | None, records: tuple[ReleaseRecord, ...]
    ) -> tuple[Failure | None, bool]:
        """Read why the drop's own release did not start, and whether that has had its day."""
        record = _record(records, own)
        if own is None or record is None or record.failed_at is None:
            return None, False
        failure = self.releases.read_failure(drop.model, own)
        if failure is None:
            return None, False
        is_over = failure.is_transient and self.clock.now() - record.failed_at > TRANSIENT_FAILURE_LASTS
        return failure, failure.is_retry_asked or is_over or record.failed_at < drop.dropped_at

    def _asked_back(self, drop: Drop, records: tuple[ReleaseRecord, ...]) -> Report | None:
        """Find the release that a person went back to since the drop; one that then failed is given up.

        Source: docs/decisions/0010-rollback.md
        """
        asked = [r for r in records if r.asked_at is not None and r.asked_at > drop.dropped_at]
        last = max(asked, key=lambda record: record.asked_at or drop.dropped_at, default=None)
        if last is None or last.asked_at is None or last.pinned_at is None:
            return None
        if last.failed_at is not None and last.failed_at >= last.asked_at:
            return None
        report = self.releases.read_report(drop.model, last.release)
        return report if report is not None and report.is_accepted else None

    def _target(
        self,
        model: ModelName,
        report: Report | None,
        own: ReleaseId | None,
        failure: Failure | None,
        *,
        is_stale: bool,
        records: tuple[ReleaseRecord, ...],
    ) -> Report | None:
        """Choose the release that should run: the drop's own, else the newest accepted one that starts.

        A refused or failing re-drop must never take away what runs.
        """
        if own is not None and report is not None and (failure is None or is_stale):
            return report if report.same_as is None else self.releases.read_report(model, own)
        if failure is not None and failure.is_transient:
            return None
        is_nothing_named = report is not None and report.is_nothing_named
        older = [record for record in records if record.release != own and record.pinned_at and not record.failed_at]
        for record in sorted(older, key=_pinned_at, reverse=True):
            candidate = self.releases.read_report(model, record.release)
            if candidate is None or candidate.plan is None:
                continue
            if is_nothing_named and candidate.plan.hub_model is None:
                # Not a bad re-drop: the archive that it was made of has been deleted, and only deploy.toml is left.
                return None
            return candidate
        return None


def _pinned_at(record: ReleaseRecord) -> datetime:
    assert record.pinned_at is not None, "only pinned records are sorted"  # noqa: S101  # for the type checker
    return record.pinned_at


def _record(records: tuple[ReleaseRecord, ...], release: ReleaseId | None) -> ReleaseRecord | None:
    return next((record for record in records if record.release == release), None)


def live_release(desired: Desired, actual: Actual, app: str) -> ReleaseId | None:
    """Tell which release the endpoint serves; None when there is no endpoint or it is none of ours."""
    if actual.endpoint is None:
        return None
    for record in desired.releases:
        if release_name(app, desired.model, record.release) == actual.endpoint.config_name:
            return record.release
    return None
