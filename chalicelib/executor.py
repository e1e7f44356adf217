"""Carries out actions: the one `match` where a decision becomes a call. Called by the looker and the sweeper."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum

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
from chalicelib.door import DoorRules, Inspection, code_problem, examine, examine_alone, refuse_name
from chalicelib.door.grafts import graft, rewrite
from chalicelib.errors import AlreadyExists, Changed, HubUnavailable, InProgress, NotFound, QuotaExceeded, Unavailable
from chalicelib.names import ReleaseId, name_problem
from chalicelib.ports import Clock, Drops, Endpoints, Hub, LastResorts, Marks, Quotas, Releases, Scaling
from chalicelib.reports import Report, refusal_sentence
from chalicelib.state import Drop, Failure
from chalicelib.telemetry import count, logger
from chalicelib.turns import Turns

SLEEP_WITHIN_S = 60.0
"""A sweep deletes an endpoint this long after its listing began, or not at all; see idleness.MARK_SETTLED_S."""


class Outcome(StrEnum):
    """How an action ended."""

    DONE = "done"
    STIRRED = "stirred"
    """PutToSleep: somebody used the model meanwhile; it stays awake."""
    TOO_LATE = "too-late"
    """PutToSleep: the listing is too old to act upon."""


@dataclass(frozen=True)
class Executor:
    """Everything an action may touch."""

    drops: Drops
    releases: Releases
    marks: Marks
    endpoints: Endpoints
    clock: Clock
    door_rules: DoorRules
    last_resorts: LastResorts | None = None
    """None where nothing costs money for ever: on a laptop."""
    endpoints_max: int | None = None
    """How many endpoints may be there at a time; two looks at once may go one beyond it. None for no limit."""
    instance_types: frozenset[str] = frozenset()
    """Those that may be started here; empty for any. IAM holds to the same list: this only tells it in time."""
    scaling: Scaling | None = None
    """None where nothing scales by itself."""
    hub: Hub | None = None
    """Asked about models that are dropped by name; None where there is no way to it."""
    handler: Callable[[], Mapping[str, bytes]] = dict
    """Gives Tarmac's own handler: its files, by path in a model's archive."""
    quotas: Quotas | None = None
    """Asked when a new release is planned; None where nothing limits the account."""
    turns: Turns = field(default_factory=Turns)

    def execute(self, action: Action) -> Outcome:  # noqa: C901, PLR0912  # one case per action, by design
        """Carry out one action.

        Raises:
            AwsError: As AWS refused; `Changed` and `InProgress` mean: observe again.
        """
        match action:
            case InspectDrop(drop):
                self._inspect_in_turn(drop)
            case RecordFailure(model, release, reason, modified_at, is_transient):
                self.releases.write_failure(model, release, Failure(reason, modified_at, is_transient=is_transient))
                count("Failures", model=model)
                logger.error(
                    "the release does not start",
                    extra={"event": "failed", "model": model, "release": release, "reason": reason},
                )
            case ForgetFailure(model, release):
                self.releases.delete_failure(model, release)
            case RecordStart(model, release, took_s):
                self.releases.write_start(model, release, took_s)
                logger.info(
                    "ready", extra={"event": "ready", "model": model, "release": release, "took_s": round(took_s, 3)}
                )
            case CreateModel(name, model, release, plan):
                uri = None if plan.hub_model is not None else self.releases.archive_uri(model, release)
                _ensure(
                    lambda: self.endpoints.create_model(name, model=model, release=release, plan=plan, archive_uri=uri)
                )
            case CreateEndpointConfig(name, model, release, plan):
                self._refuse_other_instances(action)
                _ensure(lambda: self.endpoints.create_config(name, model=model, release=release, plan=plan))
            case CreateEndpoint():
                self._create_endpoint(action)
            case UpdateEndpoint():
                self._update_endpoint(action)
            case BeginReplacement(model):
                # In this order: while the mark is there nobody invokes, and after the touch it is wanted awake, so that
                # what comes after its deletion is its creation.
                self.marks.put_asleep(model)
                self.marks.touch(model)
                logger.info("replacing", extra={"event": "replacing", "model": model})
            case EnsureScaling(name, model, release, wished):
                if self.scaling is not None:
                    # Noted first: what is registered and not noted would outlive the wish for it.
                    self.releases.note_scaled(model, release)
                    self.scaling.ensure(name, wished)
            case RemoveScaling(name):
                if self.scaling is not None:
                    self.scaling.remove(name)
            case DeleteEndpoint(name, model):
                self.endpoints.delete(name)
                logger.info("endpoint deleted", extra={"event": "endpoint-deleted", "model": model})
            case DeleteEndpointConfig(name):
                self.endpoints.delete_config(name)
            case DeleteModel(name):
                self.endpoints.delete_model(name)
            case DeleteRelease(model, release):
                self.releases.delete(model, release)
            case ForgetModel(model):
                self.marks.forget(model)
                logger.info("model deleted", extra={"event": "deleted", "model": model})
            case RemoveMark(model, mark):
                if not self.marks.remove_asleep(model, mark.etag):
                    raise Changed(f"the mark {model!r} was written anew")
            case PutToSleep():
                return self._put_to_sleep(action)
        return Outcome.DONE

    def _inspect_in_turn(self, drop: Drop) -> None:
        # On a laptop the sweep comes by while a drop is read; reading gigabytes twice at once helps nobody.
        with self.turns.take((drop.model, drop.release)) as is_ours:
            if not is_ours:
                raise Changed(f"the drop {drop.model!r} has just been inspected")
            self._inspect(drop)

    def _inspect(self, drop: Drop) -> None:
        """Inspect, pin, report, in this order: the report is what makes the release exist, so it comes last."""
        logger.info("dropped", extra={"event": "dropped", "model": drop.model, "release": drop.release})
        if name_problem(drop.model) is not None:
            report = refuse_name(drop, now=self.clock.now(), drops_prefix=self.door_rules.drops_prefix)
        else:
            try:
                report = self._judge(drop)
            except NotFound as exc:
                raise Changed(f"the drop {drop.model!r} is gone: {exc.message}") from exc
        self.releases.write_report(report)
        facts = {"model": drop.model, "release": drop.release, "size_bytes": drop.size_bytes}
        if report.is_accepted:
            logger.info("accepted", extra={"event": "accepted", **facts, "same_as": report.same_as})
        else:
            count("Refusals", model=drop.model if name_problem(drop.model) is None else None)
            reason = refusal_sentence(report.checks)
            logger.warning("refused", extra={"event": "refused", **facts, "reason": reason})

    def _judge(self, drop: Drop) -> Report:
        raw_toml = self.drops.read_toml(drop)
        if not drop.has_archive:
            return self._judge_alone(drop, raw_toml)
        code = self.drops.read_code(drop) if code_problem(drop) is None else {}
        archive = self.drops.open_archive(drop)
        try:
            found = examine(drop, archive, raw_toml, rules=self._rules(), now=self.clock.now(), code=code)
        finally:
            archive.close()
        return self._repeat_or_pin(drop, found, code) if found.report.is_accepted else found.report

    def _rules(self) -> DoorRules:
        """The stage's rules, with what the account may run as far as that is known now."""
        if self.quotas is None:
            return self.door_rules
        return replace(self.door_rules, quotas=self.quotas.endpoint_instances())

    def _judge_alone(self, drop: Drop, raw_toml: bytes | None) -> Report:
        """Judge a deploy.toml without an archive by what the Hub says of the model that it names."""
        if self.hub is None:
            raise HubUnavailable("this stage has no way to the Hugging Face Hub")
        before = self.releases.read_report(drop.model, drop.release)
        pinned = before.plan.hub_model if before is not None and before.plan is not None else None
        commit = pinned.revision if pinned is not None else None
        report = examine_alone(drop, raw_toml, self.hub, rules=self._rules(), now=self.clock.now(), commit=commit)
        if report.plan is None or report.plan.hub_model is None:
            return report
        earlier = self._repeated(drop, report)
        self.releases.pin_hub(drop, report.plan.hub_model, earlier)
        return replace(report, same_as=earlier)

    def _repeat_or_pin(self, drop: Drop, found: Inspection, code: Mapping[str, bytes]) -> Report:
        """Recognise an earlier release's bytes and wishes (an ETag differs with the part size); else pin a copy."""
        report = found.report
        if (earlier := self._repeated(drop, report)) is not None:
            # Pinned anew all the same: when a release was pinned last tells which one to fall back to.
            self.releases.pin(drop, earlier)
            return replace(report, same_as=earlier)
        if report.plan is not None and report.plan.is_grafted:
            self._graft(drop, found, code or self.handler())
        else:
            self.releases.pin(drop)
        return report

    def _repeated(self, drop: Drop, report: Report) -> ReleaseId | None:
        """Find the earlier release whose bytes and wishes a drop repeats."""
        for record in self.releases.list(drop.model):
            if record.release == drop.release or record.pinned_at is None:
                continue
            earlier = self.releases.read_report(drop.model, record.release)
            if earlier is not None and earlier.sha256 == report.sha256 and earlier.plan == report.plan:
                return earlier.release
        return None

    def _graft(self, drop: Drop, found: Inspection, files: Mapping[str, bytes]) -> None:
        """Pin the archive with a handler in front of it."""
        if found.seam is not None:
            self.releases.splice(drop, graft(files, found.seam))
            return
        archive = self.drops.open_archive(drop)
        try:
            self.releases.splice(drop, rewrite(files, archive))
        finally:
            archive.close()

    def _refuse_other_instances(self, action: CreateEndpointConfig) -> None:
        """Write down that the stage does not run such instances, and have the world observed again."""
        wished = action.plan.instance_type
        if not self.instance_types or not wished or wished in self.instance_types:
            return
        reason = f"{wished} is not among the instance types that this stage may start"
        self.execute(RecordFailure(action.model, action.release, reason, self.clock.now()))
        raise Changed(reason)

    def _create_endpoint(self, action: CreateEndpoint) -> None:
        facts = {"model": action.model, "release": action.release}
        if self.endpoints_max is not None and len(self.endpoints.list()) >= self.endpoints_max:
            reason = f"{self.endpoints_max} endpoints are there, which is the most that this stage may have at a time"
            self.execute(RecordFailure(action.model, action.release, reason, self.clock.now(), is_transient=True))
            return
        if self.last_resorts is not None:
            # First: there must be no moment in which the endpoint runs and nothing would ever end it.
            self.last_resorts.ensure(action.name, now=self.clock.now())
        try:
            self.endpoints.create(action.name, action.config_name, model=action.model, release=action.release)
        except AlreadyExists:
            return
        except NotFound as exc:
            # CreateEndpoint may read a stale copy in which the configuration made a moment ago is missing.
            raise Unavailable(exc.message, retry_after_s=5) from exc
        except QuotaExceeded as exc:
            self.execute(RecordFailure(action.model, action.release, exc.message, self.clock.now(), is_transient=True))
            return
        is_first = not self.releases.read_starts(action.model, action.release)
        count("Deploys" if is_first else "Wakes", model=action.model)
        logger.info("starting", extra={"event": "deploying" if is_first else "waking", **facts})

    def _update_endpoint(self, action: UpdateEndpoint) -> None:
        try:
            self.endpoints.update(action.name, action.config_name, keeps_counts=action.keeps_counts)
        except NotFound as exc:
            # As with CreateEndpoint above; or the endpoint is gone, and the next look sees it.
            raise Unavailable(exc.message, retry_after_s=5) from exc
        count("Deploys", model=action.model)
        logger.info("updating", extra={"event": "updating", "model": action.model, "release": action.release})

    def _put_to_sleep(self, action: PutToSleep) -> Outcome:
        """Mark, look at the last use again, delete: in this order a request and the sweep cannot miss each other."""
        etag = self.marks.put_asleep(action.model)
        used = self.marks.used(action.model)
        if used != action.used:
            self.marks.remove_asleep(action.model, etag)
            return Outcome.STIRRED
        if self.clock.now() - action.listed_at > timedelta(seconds=SLEEP_WITHIN_S):
            self.marks.remove_asleep(action.model, etag)
            return Outcome.TOO_LATE
        try:
            if action.is_scaled and self.scaling is not None:
                self.scaling.remove(action.name)
            self.endpoints.delete(action.name)
        except InProgress:
            # SageMaker began to change it by itself: it runs on, so the mark must not stand in the way of requests.
            self.marks.remove_asleep(action.model, etag)
            raise
        count("Sleeps", model=action.model)
        logger.info("put to sleep", extra={"event": "asleep", "model": action.model})
        return Outcome.DONE


def _ensure(create: Callable[[], None]) -> None:
    """Create by name: that it is there already is the aim, reached by somebody else."""
    try:
        create()
    except AlreadyExists:
        return
