"""What a person can ask by hand: wake, sleep, roll back, remove. Called by the API; each ends in asking for a look."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.errors import ModelNotFound, ModelRefused, ReleaseNotFound
from chalicelib.idleness import LAST_MODIFIED_GRAIN_S
from chalicelib.looker import Looker
from chalicelib.names import ModelName, ReleaseId
from chalicelib.ports import Clock, Drops, Looks, Marks, Releases
from chalicelib.reports import refusal_sentence
from chalicelib.state import Desired, EndpointStatus, Failure, ReleaseRecord


@dataclass(frozen=True)
class Commands:
    """The hand-operated levers. They write to S3; what follows from it is the planner's."""

    drops: Drops
    releases: Releases
    marks: Marks
    looks: Looks
    looker: Looker
    clock: Clock

    def wake(self, raw_name: str) -> None:
        """Make the model wanted awake; one that failed is tried again.

        Raises:
            ModelNotFound: Nothing is dropped under that name.
            ModelRefused: There is no release to wake.
        """
        desired = self._dropped(raw_name)
        report = desired.report
        if desired.target is None and report is not None and not report.is_accepted:
            raise ModelRefused(f"model {raw_name!r} was refused: {refusal_sentence(report.checks)}")
        failure = desired.failure or self._unrecorded_failure(desired)
        if failure is not None and report is not None:
            asked = replace(failure, is_retry_asked=True)
            self.releases.write_failure(desired.model, report.same_as or report.release, asked)
        self.marks.touch(desired.model)
        self.looks.ask(desired.model)

    def _unrecorded_failure(self, desired: Desired) -> Failure | None:
        """Find the failure of a moment ago, which no look has written down yet."""
        endpoint = self.looker.actual(desired).endpoint
        if endpoint is None or not endpoint.is_owned or endpoint.status is not EndpointStatus.FAILED:
            return None
        return Failure(endpoint.failure_reason or "SageMaker gave no reason", endpoint.modified_at)

    def sleep(self, raw_name: str) -> None:
        """Make the model wanted asleep; the sweep acts once no process can still be serving it unawares.

        Raises:
            ModelNotFound: Nothing is dropped under that name.
        """
        desired = self._dropped(raw_name)
        if not desired.is_wanted_asleep:
            # A mark of the last use's own second says nothing, for a tie is awake. A use that comes after it wins.
            self._await_second_after(desired.last_wanted_at)
            self.marks.put_asleep(desired.model)
        self.looks.ask(desired.model)

    def _await_second_after(self, at: datetime | None) -> None:
        """Let S3's clock, which has whole seconds, move past a moment just gone by."""
        wait_s = (at + timedelta(seconds=LAST_MODIFIED_GRAIN_S) - self.clock.now()).total_seconds() if at else 0.0
        if 0 < wait_s <= LAST_MODIFIED_GRAIN_S:
            self.clock.pause(wait_s)

    def roll_back(self, raw_name: str, release: str | None = None) -> ReleaseId:
        """Make an earlier release the one that runs, until something is dropped again; returns which.

        Args:
            raw_name: The model.
            release: Its id; None for the one that was pinned before the one that should run now.

        Raises:
            ModelNotFound: Nothing is dropped under that name.
            ReleaseNotFound: There is no such release, or no earlier one, that was kept and accepted.
        """
        desired = self._dropped(raw_name)
        record = self._kept(desired, release)
        moments = [each.asked_at for each in desired.releases if each.asked_at is not None]
        if desired.drop is not None:
            moments.append(desired.drop.dropped_at)
        self._await_second_after(max(moments, default=None))
        self.releases.ask_back(desired.model, record.release)
        self.looks.ask(desired.model)
        return record.release

    def _kept(self, desired: Desired, release: str | None) -> ReleaseRecord:
        own = desired.drop.release if desired.drop is not None else None
        pinned = [
            (each.pinned_at, each.release == own, each) for each in desired.releases if each.pinned_at is not None
        ]
        # Two pinned within one second: the drop's own is the newer.
        kept = [each for _, _, each in sorted(pinned, key=lambda row: row[:2], reverse=True)]
        if release is None:
            now = next((each for each in kept if desired.target and each.release == desired.target.release), None)
            kept = [each for each in (kept[kept.index(now) + 1 :] if now else kept) if each.failed_at is None]
        else:
            kept = [each for each in kept if each.release == release]
        for each in kept:
            report = self.releases.read_report(desired.model, each.release)
            if report is not None and report.is_accepted:
                return each
        what = f"no release {release!r}" if release else "no earlier release that starts"
        fix = "the kept ones are in GET /models/NAME, under releases"
        raise ReleaseNotFound(f"model {desired.model!r} has {what}", fix=fix)

    def remove(self, raw_name: str) -> None:
        """Delete the drop: endpoint, configuration, model and releases follow.

        Raises:
            ModelNotFound: Nothing is dropped under that name.
        """
        desired = self._dropped(raw_name)
        self.drops.delete(desired.model)
        self.looks.ask(desired.model)

    def _dropped(self, raw_name: str) -> Desired:
        desired = self.looker.desired(ModelName(raw_name))
        if desired.drop is None:
            raise ModelNotFound(f"there is no model {raw_name!r}", fix="list what there is with GET /models")
        return desired
