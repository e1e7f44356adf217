"""What a person can ask by hand: wake, sleep, remove. Called by the API's routes; each ends in asking for a look."""

from dataclasses import dataclass, replace
from datetime import timedelta

from chalicelib.errors import ModelNotFound, ModelRefused
from chalicelib.looker import Looker
from chalicelib.names import ModelName
from chalicelib.planner import LAST_MODIFIED_GRAIN_S
from chalicelib.ports import Clock, Drops, Looks, Marks, Releases
from chalicelib.reports import refusal_sentence
from chalicelib.state import Desired, EndpointStatus, Failure


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
            # LastModified has whole seconds and a tie is awake: a mark of the last use's own second says nothing,
            # so it waits for the next. A use that comes after the mark wins, as it should.
            at = desired.last_wanted_at
            wait_s = (at + timedelta(seconds=LAST_MODIFIED_GRAIN_S) - self.clock.now()).total_seconds() if at else 0.0
            if 0 < wait_s <= LAST_MODIFIED_GRAIN_S:
                self.clock.pause(wait_s)
            self.marks.put_asleep(desired.model)
        self.looks.ask(desired.model)

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
