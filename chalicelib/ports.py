"""What the flows need from the world, as Protocols. Implemented in aws/ and by the tests' fakes; joined in bootstrap.

Every method raises `errors.AwsError` leaves and nothing else; `Hub`'s raise `errors.HubError` leaves. Absence is None
where it is an answer, `NotFound` where it is a surprise.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from chalicelib.names import ModelName, ReleaseId
from chalicelib.reports import Autoscale, HubModel, Report, ServingPlan
from chalicelib.state import (
    Answer,
    Backlog,
    Drop,
    Endpoint,
    EndpointSummary,
    Failure,
    HubRepo,
    ReleaseRecord,
    Span,
    Stamp,
    Ticket,
)


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """The time, aware UTC."""

    def monotonic_s(self) -> float:
        """Seconds since some moment, never going back: for intervals within one process."""

    def pause(self, seconds: float) -> None:
        """Let that much time pass."""


class ByteStream(Protocol):
    """Bytes read forward, once."""

    def read(self, size: int = -1, /) -> bytes:
        """Read up to *size* bytes; b"" at the end."""

    def close(self) -> None:
        """Let go of the connection or file."""


class Drops(Protocol):
    """What people uploaded, under models/."""

    def find(self, model: ModelName) -> Drop | None:
        """The model's drop as it is now."""

    def list(self) -> Mapping[ModelName, Drop]:
        """Every drop, by raw model name."""

    def open_archive(self, drop: Drop) -> ByteStream:
        """Open exactly this drop's archive. Raises Changed or NotFound when it has been overwritten or removed."""

    def read_toml(self, drop: Drop) -> bytes | None:
        """Read exactly this drop's deploy.toml; None when it has none. Raises Changed or NotFound."""

    def read_code(self, drop: Drop) -> Mapping[str, bytes]:
        """Read exactly this drop's code/ folder, by path in the archive. Raises Changed or NotFound."""

    def delete(self, model: ModelName) -> None:
        """Remove archive, code/ and deploy.toml. Done when they are already gone."""


class Hub(Protocol):
    """The Hugging Face Hub."""

    def look_up(self, model: HubModel) -> HubRepo:
        """Say what is there, and at which commit. Raises HubUnavailable; HubRefused when it is not for us to have."""

    def read(self, repo: HubRepo, path: str, *, max_bytes: int) -> bytes:
        """Read a small file at the repository's commit, or its first *max_bytes*. Raises as `look_up`."""


class Releases(Protocol):
    """What Tarmac made of the drops, under releases/."""

    def list(self, model: ModelName) -> tuple[ReleaseRecord, ...]:
        """Every release of the model, in no particular order."""

    def list_all(self) -> Mapping[ModelName, tuple[ReleaseRecord, ...]]:
        """Every release of every model, from one listing."""

    def pin(self, drop: Drop, release: ReleaseId | None = None) -> None:
        """Copy the drop's archive server-side to its own release, or to the one whose bytes it repeats.

        Raises Changed or NotFound when the drop moved on.
        """

    def pin_hub(self, drop: Drop, hub_model: HubModel, release: ReleaseId | None = None) -> None:
        """Write down which commit of the Hub is the drop's own release, or the one that it repeats."""

    def splice(self, drop: Drop, pieces: Iterable[bytes | Span]) -> None:
        """Write the release's archive from bytes and from spans of the drop's. Raises Changed or NotFound as `pin`."""

    def archive_uri(self, model: ModelName, release: ReleaseId) -> str:
        """The s3:// address of the pinned copy."""

    def read_report(self, model: ModelName, release: ReleaseId) -> Report | None:
        """The door's report; None when there is none that can be read."""

    def write_report(self, report: Report) -> None:
        """Write report.json: from here on the release exists."""

    def read_failure(self, model: ModelName, release: ReleaseId) -> Failure | None:
        """Why it did not start; None when nothing is written down."""

    def write_failure(self, model: ModelName, release: ReleaseId, failure: Failure) -> None:
        """Write failed.json."""

    def delete_failure(self, model: ModelName, release: ReleaseId) -> None:
        """Remove failed.json. Done when it is already gone."""

    def read_starts(self, model: ModelName, release: ReleaseId) -> tuple[float, ...]:
        """Seconds the release's starts took, oldest first; empty when none is known."""

    def write_start(self, model: ModelName, release: ReleaseId, took_s: float) -> None:
        """Add one start; only the last few are kept."""

    def note_scaled(self, model: ModelName, release: ReleaseId) -> None:
        """Write down that something may move this release's number of instances."""

    def ask_back(self, model: ModelName, release: ReleaseId) -> None:
        """Write down, now, that a person wants this release to run rather than the drop's."""

    def delete(self, model: ModelName, release: ReleaseId) -> None:
        """Remove everything of one release."""


class Marks(Protocol):
    """The two one-object memories: usage/<name> and asleep/<name>."""

    def used(self, model: ModelName) -> Stamp | None:
        """The last use."""

    def list_used(self) -> Mapping[ModelName, Stamp]:
        """The last use of every model."""

    def touch(self, model: ModelName) -> None:
        """Write down a use, now."""

    def asleep(self, model: ModelName) -> Stamp | None:
        """The mark, if it is there."""

    def list_asleep(self) -> Mapping[ModelName, Stamp]:
        """Every mark."""

    def put_asleep(self, model: ModelName) -> str:
        """Write the mark, now, and return its ETag, which no other mark has."""

    def remove_asleep(self, model: ModelName, etag: str) -> bool:
        """Remove exactly this mark (If-Match). False when it has changed or is gone."""

    def forget(self, model: ModelName) -> None:
        """Remove usage/, asleep/, requests/ and releases/ of the model."""

    def has_traces(self, model: ModelName) -> bool:
        """Whether `forget` would find anything."""


class Endpoints(Protocol):
    """SageMaker's control plane."""

    def find(self, name: str) -> Endpoint | None:
        """Describe one endpoint, with its ownership."""

    def list(self) -> tuple[EndpointSummary, ...]:
        """Every endpoint whose name begins with the app's prefix."""

    def list_models(self, model: ModelName) -> frozenset[str]:
        """Names of the SageMaker models of this model's releases."""

    def list_configs(self, model: ModelName) -> Mapping[str, datetime]:
        """Names and creation times of the endpoint configurations of this model's releases."""

    def create_model(
        self, name: str, *, model: ModelName, release: ReleaseId, plan: ServingPlan, archive_uri: str | None
    ) -> None:
        """Make one of an archive, or of none where the container fetches its model. Raises AlreadyExists."""

    def create_config(self, name: str, *, model: ModelName, release: ReleaseId, plan: ServingPlan) -> None:
        """Raises AlreadyExists."""

    def create(self, name: str, config_name: str, *, model: ModelName, release: ReleaseId) -> None:
        """Raises AlreadyExists, QuotaExceeded, NotFound (a configuration made a moment ago may not be seen yet)."""

    def update(self, name: str, config_name: str, *, keeps_counts: bool = False) -> None:
        """Move to another configuration, with the number of instances that is there now or with its own.

        Raises InProgress, NotFound.
        """

    def delete(self, name: str) -> None:
        """Raises InProgress. Done when it is already gone."""

    def delete_config(self, name: str) -> None:
        """Done when it is already gone."""

    def delete_model(self, name: str) -> None:
        """Done when it is already gone."""


class Runtime(Protocol):
    """SageMaker's data plane."""

    def invoke(self, endpoint: str, body: bytes, *, content_type: str, accept: str) -> Answer:
        """Ask the model, once: never retried here, for a retry would run the inference twice.

        Raises:
            NotFound: There is no such endpoint that answers.
            ModelRejected, ModelBroke, ModelTimedOut: As the model answered.
            ModelBusy, BodyTooLarge, Unavailable, InvalidCall: As SageMaker answered.
        """

    def invoke_async(self, endpoint: str, input_uri: str, *, content_type: str, accept: str) -> tuple[str, str | None]:
        """Put a request into an asynchronous endpoint's queue; returns where the answer, or the failure, will be.

        Raises:
            NotFound: There is no such endpoint that answers.
            ModelBusy, Unavailable, InvalidCall: As SageMaker answered.
        """


class Metrics(Protocol):
    """CloudWatch."""

    def invocations(
        self, variants: Mapping[str, Sequence[str]], *, windows_s: Mapping[str, float], now: datetime
    ) -> Mapping[str, float | None]:
        """Sum Invocations per endpoint over its window before *now*.

        Args:
            variants: Variant names by endpoint name.
            windows_s: Seconds to look back, by endpoint name.
            now: Aware UTC.

        Returns:
            By endpoint name: the sum, or None where anything is missing, incomplete, or without proof of sight.
        """

    def backlogs(self, windows_s: Mapping[str, float], *, now: datetime) -> Mapping[str, Backlog]:
        """See how many requests waited or were in hand, by asynchronous endpoint.

        Args:
            windows_s: Seconds to look back, by endpoint name.
            now: Aware UTC.

        Returns:
            By endpoint name; without those of which nothing, or not all, was seen.
        """


class ParkedRequests(Protocol):
    """What was asked of asynchronous endpoints, and what came of it, under requests/."""

    def park(self, model: ModelName, token: str, body: bytes, *, content_type: str) -> str:
        """Write what is asked; returns its s3:// address."""

    def write_ticket(self, model: ModelName, token: str, ticket: Ticket) -> None:
        """Write down that SageMaker took it: from here on the request exists."""

    def read_ticket(self, model: ModelName, token: str) -> Ticket | None:
        """Read that; None when there is no such request."""

    def read_answer(self, uri: str, *, max_bytes: int) -> Answer | None:
        """Read what SageMaker wrote at an s3:// address; None when nothing is there yet. Raises AnswerTooLarge."""


class Scaling(Protocol):
    """What moves an endpoint's number of instances with the calls that come."""

    def find(self, endpoint: str) -> Autoscale | None:
        """The bounds that hold for a running endpoint; None where its number of instances is fixed."""

    def ensure(self, endpoint: str, wished: Autoscale) -> None:
        """Make these bounds hold; the endpoint must be in service."""

    def remove(self, endpoint: str) -> None:
        """Fix the number where it is. Done when nothing moves it."""


class LastResorts(Protocol):
    """What deletes an endpoint when nobody has pushed its deletion ahead for long: docs/dead-mans-switch.md."""

    def ensure(self, endpoint: str, *, now: datetime) -> None:
        """Make the endpoint's last resort, or push it ahead. *now* is aware UTC."""

    def push(self, endpoint: str, *, now: datetime) -> bool:
        """Push an existing one ahead; False when the endpoint has none."""


class Quotas(Protocol):
    """What the account may run."""

    def endpoint_instances(self) -> Mapping[str, int] | None:
        """How many instances of each type may run for endpoints; types that are not in it, and None: not known."""


class Looks(Protocol):
    """The queue in front of the looker."""

    def ask(self, model: ModelName) -> None:
        """Ask for a look at this model, soon."""
