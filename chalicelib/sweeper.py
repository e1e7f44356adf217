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
from chalicelib.state import Drop, EndpointStatus, EndpointSummary, ReleaseRecord, Stamp, Usage
from chalicelib.telemetry import count, logger

CHUNK = 50
"""Models whose evidence is read together: evidence older than a minute is not acted upon."""


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
        invocations = self._invocations(models, summaries, tally)
        for model in models:
            tally.looked.append(model)
            usage = Usage(invocations.get(model), listed_at) if model in summaries else None
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

    def _invocations(
        self, models: Iterable[ModelName], summaries: Mapping[ModelName, EndpointSummary], tally: _Tally
    ) -> Mapping[ModelName, float | None]:
        """Read what CloudWatch saw of those that run; an error is no evidence, so everything is kept."""
        windows_s = self._windows_s(model for model in models if _is_in_service(summaries.get(model)))
        try:
            variants = dict.fromkeys(windows_s, (VARIANT_NAME,))
            sums = self.metrics.invocations(variants, windows_s=windows_s, now=self.clock.now()) if variants else {}
        except AwsError as exc:
            logger.warning("CloudWatch could not be read: nothing is put to sleep", extra={"reason": exc.message})
            count("SweepsBlind")
            return {}
        for name, total in sums.items():
            if total is None and (model_name := model_of_endpoint(self.app, name)):
                tally.kept[model_name] = "CloudWatch does not show its invocations whole: unknown is not idle"
        return {model: sums.get(endpoint_name(self.app, model)) for model in models}

    def _windows_s(self, models: Iterable[ModelName]) -> Mapping[str, float]:
        """Tell how far back to look for each endpoint: its TTL. What never sleeps, or cannot be read, is left out."""
        windows_s = {}
        for model in models:
            try:
                desired = self.looker.desired(model)
            except Exception:  # noqa: BLE001, S112  # its own look will meet the error, and tell
                continue
            ttl_s = idle_after_s(desired.target, self.looker.rules) if desired.target else None
            if ttl_s is not None:
                windows_s[endpoint_name(self.app, model)] = ttl_s
        return windows_s


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
