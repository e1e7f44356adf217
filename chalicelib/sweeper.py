"""The scheduled look at all models, and the only one that puts them to sleep. Called by the schedule's door."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chalicelib.actions import PutToSleep
from chalicelib.errors import AwsError
from chalicelib.executor import Outcome
from chalicelib.idleness import idle_after_s
from chalicelib.looker import Looker
from chalicelib.names import VARIANT_NAME, ModelName, endpoint_name, model_of_endpoint
from chalicelib.ports import Clock, Drops, Endpoints, LastResorts, Marks, Metrics, Releases
from chalicelib.state import Backlog, Desired, Drop, EndpointStatus, EndpointSummary, ReleaseRecord, Stamp, Usage
from chalicelib.telemetry import count, logger

CHUNK = 50
"""Models whose evidence is read together: evidence older than a minute is not acted upon."""

MARKED_WINDOW_S, SHORT_WINDOW_S = 900.0, 60.0
"""How far back to look at a queue in front of which a mark stands: what counts is the newest point, however late."""


@dataclass(frozen=True)
class _Seen:
    """What CloudWatch showed, by endpoint: calls, and backlogs of those with a queue."""

    sums: Mapping[str, float | None] = field(default_factory=dict)
    backlogs: Mapping[str, Backlog] = field(default_factory=dict)


@dataclass(frozen=True)
class Sweep:
    """What one sweep did, by model."""

    looked: tuple[str, ...] = ()
    slept: tuple[str, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    """Endpoints that were left running though a rule or a doubt spoke about them, with the reason."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Models whose look raised, with the error: one model's failure never stops another's."""


@dataclass
class _Tally:
    looked: list[str] = field(default_factory=list)
    slept: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def sweep(self) -> Sweep:
        return Sweep(tuple(self.looked), tuple(self.slept), dict(self.kept), dict(self.failed))


@dataclass(frozen=True)
class Sweeper:
    """Looks at every model that may need it; must not run twice at a time."""

    drops: Drops
    releases: Releases
    marks: Marks
    endpoints: Endpoints
    metrics: Metrics
    looker: Looker
    clock: Clock
    app: str
    last_resorts: LastResorts | None = None

    def sweep(self) -> Sweep:
        """Look at all models, heal what events have missed, and put idle ones to sleep."""
        summaries = {model: s for s in self.endpoints.list() if (model := model_of_endpoint(self.app, s.name))}
        running = sum(summary.status is EndpointStatus.IN_SERVICE for summary in summaries.values())
        budget = max(5, math.floor(running * 0.2))
        tally = _Tally()
        models = sorted(self._due(summaries))
        for start in range(0, len(models), CHUNK):
            self._sweep_chunk(models[start : start + CHUNK], summaries, budget, tally)
        count("Sweeps")
        count("ModelsAwake", value=running)
        if tally.failed:
            count("SweepErrors", value=len(tally.failed))
        logger.info("swept", extra={"event": "swept", "looked": len(tally.looked), "slept": tally.slept})
        return tally.sweep()

    def _sweep_chunk(
        self, models: list[ModelName], summaries: Mapping[ModelName, EndpointSummary], budget: int, tally: _Tally
    ) -> None:
        listed_at = self.clock.now()
        seen = self._evidence(models, summaries, tally)
        for model in models:
            tally.looked.append(model)
            usage = None
            if model in summaries:
                backlog = seen.backlogs.get(endpoint_name(self.app, model))
                total = backlog.peak if backlog is not None else seen.sums.get(endpoint_name(self.app, model))
                usage = Usage(total, listed_at, backlog.empty_at if backlog is not None else None)
            if len(tally.slept) >= budget and usage is not None:
                usage = None
                tally.kept[model] = f"this sweep has put {budget} to sleep already: the rest is for the next one"
            try:
                for action, outcome in self.looker.look(model, usage).done:
                    if isinstance(action, PutToSleep) and outcome is Outcome.DONE:
                        tally.slept.append(model)
                    elif isinstance(action, PutToSleep):
                        tally.kept[model] = outcome
                self._push_last_resort(model, summaries)
            except Exception as exc:  # noqa: BLE001  # whatever one model brings about, the others are still looked at
                tally.failed[model] = str(exc) or type(exc).__name__
                logger.exception("the look failed", extra={"event": "look-failed", "model": model})

    def _push_last_resort(self, model: ModelName, summaries: Mapping[ModelName, EndpointSummary]) -> None:
        """Tell that this endpoint is looked after. One whose look fails is not, so that it ends some day."""
        summary = summaries.get(model)
        if self.last_resorts is None or summary is None or summary.status is EndpointStatus.DELETING:
            return
        now = self.clock.now()
        if self.last_resorts.push(summary.name, now=now):
            return
        endpoint = self.endpoints.find(summary.name)
        if endpoint is not None and endpoint.is_owned:
            self.last_resorts.ensure(summary.name, now=now)

    def _due(self, summaries: Mapping[ModelName, EndpointSummary]) -> set[ModelName]:
        """Tell from four listings which models a look could change: a sleeping thousand costs no call each."""
        drops, asleep, used = self.drops.list(), self.marks.list_asleep(), self.marks.list_used()
        releases = self.releases.list_all()
        due = {model for model in (*summaries, *asleep, *used, *releases) if model not in drops}
        due |= set(summaries)
        for model, drop in drops.items():
            if not _is_settled(drop, releases.get(model, ()), asleep=asleep.get(model), used=used.get(model)):
                due.add(model)
        return due

    def _evidence(
        self, models: Iterable[ModelName], summaries: Mapping[ModelName, EndpointSummary], tally: _Tally
    ) -> _Seen:
        """Read what CloudWatch saw of those that run; an error is no evidence, so everything is kept."""
        counted, queued = self._windows_s(model for model in models if _is_in_service(summaries.get(model)))
        now = self.clock.now()
        try:
            variants = dict.fromkeys(counted, (VARIANT_NAME,))
            sums = self.metrics.invocations(variants, windows_s=counted, now=now) if variants else {}
            backlogs = self.metrics.backlogs(queued, now=now) if queued else {}
        except AwsError as exc:
            logger.warning("CloudWatch could not be read: nothing is put to sleep", extra={"reason": exc.message})
            count("SweepsBlind")
            return _Seen()
        for name, total in sums.items():
            if total is None and (model_name := model_of_endpoint(self.app, name)):
                tally.kept[model_name] = "CloudWatch does not show its invocations whole: unknown is not idle"
        for name in queued.keys() - backlogs.keys():
            if model_name := model_of_endpoint(self.app, name):
                tally.kept[model_name] = "CloudWatch does not show its backlog: unknown is not idle"
        return _Seen(sums, backlogs)

    def _windows_s(self, models: Iterable[ModelName]) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Tell how far back to look for each endpoint, its TTL: for those that count calls, and for those with a queue.

        What never sleeps, or cannot be read, is left out; but not a queue that a mark stands in front of.
        """
        counted: dict[str, float] = {}
        queued: dict[str, float] = {}
        for model in models:
            try:
                desired = self.looker.desired(model)
            except Exception:  # noqa: BLE001, S112  # its own look will meet the error, and tell
                continue
            ttl_s = idle_after_s(desired.target, self.looker.rules) if desired.target else None
            name = endpoint_name(self.app, model)
            if self._has_queue(desired, name):
                if desired.asleep is not None:
                    queued[name] = MARKED_WINDOW_S if ttl_s is None else max(ttl_s, SHORT_WINDOW_S)
                elif ttl_s is not None:
                    queued[name] = ttl_s
            elif ttl_s is not None:
                counted[name] = ttl_s
        return counted, queued

    def _has_queue(self, desired: Desired, name: str) -> bool:
        if desired.asleep is not None:
            # It may be of the kind from before, and on its way out.
            endpoint = self.endpoints.find(name)
            return endpoint is not None and endpoint.is_async
        return desired.target is not None and desired.target.plan is not None and desired.target.plan.is_async


def _is_settled(drop: Drop, records: Iterable[ReleaseRecord], *, asleep: Stamp | None, used: Stamp | None) -> bool:
    """Tell whether a dropped model without an endpoint has nothing to wait for: it is inspected, and asleep."""
    record = next((record for record in records if record.release == drop.release), None)
    if record is None or record.reported_at is None or record.reported_at < drop.dropped_at:
        return False
    if asleep is None or asleep.at <= drop.dropped_at:
        return False
    return used is None or asleep.at > used.at


def _is_in_service(summary: EndpointSummary | None) -> bool:
    return summary is not None and summary.status is EndpointStatus.IN_SERVICE
