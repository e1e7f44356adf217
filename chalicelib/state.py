"""What was observed of one model: frozen facts that can be asked, no more. Filled by looker, read by planner."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chalicelib.names import ModelName, ReleaseId, code_digest, release_id
from chalicelib.reports import Autoscale, Report


class EndpointStatus(StrEnum):
    """SageMaker's EndpointStatus. Source: botocore's service model, sagemaker/2017-07-24."""

    OUT_OF_SERVICE = "OutOfService"
    CREATING = "Creating"
    UPDATING = "Updating"
    SYSTEM_UPDATING = "SystemUpdating"
    ROLLING_BACK = "RollingBack"
    IN_SERVICE = "InService"
    DELETING = "Deleting"
    FAILED = "Failed"
    UPDATE_ROLLBACK_FAILED = "UpdateRollbackFailed"


MODIFYING = frozenset(
    {
        EndpointStatus.CREATING,
        EndpointStatus.UPDATING,
        EndpointStatus.SYSTEM_UPDATING,
        EndpointStatus.ROLLING_BACK,
        EndpointStatus.DELETING,
    }
)
"""While SageMaker is at work it refuses changes: nothing is planned, the state-change event looks again."""

ANSWERING = frozenset(
    {
        EndpointStatus.IN_SERVICE,
        EndpointStatus.UPDATING,
        EndpointStatus.SYSTEM_UPDATING,
        EndpointStatus.ROLLING_BACK,
        EndpointStatus.UPDATE_ROLLBACK_FAILED,
    }
)
"""The states in which InvokeEndpoint is answered, by the old fleet while an update runs."""


@dataclass(frozen=True)
class Stamp:
    """One object's LastModified (aware UTC, S3's clock) and ETag: all that a mark or a last use is."""

    at: datetime
    etag: str


@dataclass(frozen=True)
class CodeFile:
    """One file of a code/ folder dropped beside the archive; *path* as it will be in the archive."""

    path: str
    key: str
    etag: str
    size_bytes: int


NO_ARCHIVE = ""
"""In the place of an ETag: only a deploy.toml was dropped."""


@dataclass(frozen=True)
class Drop:
    """What a person uploaded. ETags without quotes; *dropped_at* the latest of its objects, aware UTC."""

    model: ModelName
    archive_key: str
    archive_etag: str
    size_bytes: int
    dropped_at: datetime
    toml_etag: str | None = None
    other_archive_key: str | None = None
    """The second archive, when both spellings were dropped; it is ignored, and the report says so."""
    code: tuple[CodeFile, ...] = ()
    """A handler dropped beside the archive, to go in front of it."""

    @property
    def has_archive(self) -> bool:
        """Whether there is one; a deploy.toml alone may name a model of the Hugging Face Hub instead."""
        return self.archive_etag != NO_ARCHIVE

    @property
    def release(self) -> ReleaseId:
        """The release this drop makes."""
        return release_id(self.archive_etag, self.toml_etag, self.code_digest)

    @property
    def code_digest(self) -> str | None:
        """What the dropped code/ adds to the release's id; None when there is none."""
        return code_digest({file.path: file.etag for file in self.code})


@dataclass(frozen=True)
class HubFile:
    """One file of a repository of the Hub; *size_bytes* None where the Hub does not say."""

    path: str
    size_bytes: int | None


@dataclass(frozen=True)
class HubRepo:
    """What the Hub says of a model at one commit.

    Attributes:
        commit: Its full hash.
        parameters: How many there are by dtype (F32, BF16, ...); empty where the Hub does not say.
        pipeline_tag: What the model does, in the Hub's words.
        library: What loads it, in the Hub's words.
        is_open: Anybody may read it: neither private nor gated.
    """

    id: str
    commit: str
    files: tuple[HubFile, ...]
    parameters: Mapping[str, int] = field(default_factory=dict)
    pipeline_tag: str | None = None
    library: str | None = None
    is_open: bool = True


@dataclass(frozen=True)
class Span:
    """Bytes of a drop's archive, from *start* up to and without *end*: copied server-side where they are many."""

    start: int
    end: int


@dataclass(frozen=True)
class ReleaseRecord:
    """What one listing of `releases/<name>/` tells of a release. Times are LastModified, aware UTC; None: not there."""

    release: ReleaseId
    reported_at: datetime | None = None
    pinned_at: datetime | None = None
    failed_at: datetime | None = None
    started_at: datetime | None = None
    asked_at: datetime | None = None
    """When a person asked to go back to it."""
    scaled_at: datetime | None = None
    """When something was first let move its number of instances: what does so may be there still."""


@dataclass(frozen=True)
class Failure:
    """Why SageMaker could not start a release, as failed.json keeps it.

    Attributes:
        endpoint_modified_at: Which attempt this was: the endpoint's LastModifiedTime, aware UTC.
        is_retry_asked: A person asked to try again; the next look clears the way and removes the record.
        is_transient: AWS's lack (quota, capacity), not the model's fault: tried again by itself after a while.
    """

    reason: str
    endpoint_modified_at: datetime
    is_retry_asked: bool = False
    is_transient: bool = False


@dataclass(frozen=True)
class Desired:
    """What S3 says should run, for one model."""

    model: ModelName
    drop: Drop | None = None
    report: Report | None = None
    """The door's report on the drop's release; None when it has not been inspected yet."""
    target: Report | None = None
    """The accepted release that should run: the one a person went back to, else the drop's, else the newest accepted
    one before it that starts."""
    is_rolled_back: bool = False
    """The target is the one a person went back to, and not the drop's own."""
    failure: Failure | None = None
    """Why the drop's own release did not start, if that is written down."""
    is_failure_stale: bool = False
    """The record of that failure has had its day: dropped again, asked to retry, or transient and old enough."""
    releases: tuple[ReleaseRecord, ...] = ()
    used: Stamp | None = None
    asleep: Stamp | None = None
    has_traces: bool = False
    """Something is left under releases/, usage/, asleep/ or requests/."""

    @property
    def last_wanted_at(self) -> datetime | None:
        """When it was last wanted awake: the later of the last use and the drop, aware UTC."""
        moments = [self.used.at] if self.used is not None else []
        if self.drop is not None:
            moments.append(self.drop.dropped_at)
        return max(moments, default=None)

    @property
    def is_emptied(self) -> bool:
        """Whether only a deploy.toml that names no model is left of a drop: then nothing is to run."""
        return self.report is not None and self.report.is_nothing_named and self.target is None

    @property
    def is_wanted_asleep(self) -> bool:
        """Whether the mark is newer than the last use and the drop; a tie is awake."""
        wanted_at = self.last_wanted_at
        return self.asleep is not None and (wanted_at is None or self.asleep.at > wanted_at)


@dataclass(frozen=True)
class Endpoint:
    """One SageMaker endpoint as DescribeEndpoint and ListTags show it. Times aware UTC, SageMaker's clock."""

    name: str
    status: EndpointStatus
    config_name: str
    created_at: datetime
    modified_at: datetime
    is_owned: bool
    """Carries our tags; a name alone does not make it ours."""
    failure_reason: str | None = None
    variants: tuple[str, ...] = ("AllTraffic",)
    is_serverless: bool = False
    is_async: bool = False


@dataclass(frozen=True)
class EndpointSummary:
    """One row of ListEndpoints."""

    name: str
    status: EndpointStatus
    created_at: datetime
    modified_at: datetime


@dataclass(frozen=True)
class Actual:
    """What SageMaker says runs, for one model: the two free records by name, configurations with creation times."""

    endpoint: Endpoint | None = None
    sagemaker_models: frozenset[str] = frozenset()
    endpoint_configs: Mapping[str, datetime] = field(default_factory=dict)
    scaling: Autoscale | None = None
    """What moves its number of instances; asked only where a release wishes for it, or did."""


@dataclass(frozen=True)
class Usage:
    """What CloudWatch saw of one endpoint over the last TTL.

    Attributes:
        invocations: Sum over all variants; None when it could not be read whole and with proof of sight. Of an
            asynchronous endpoint, which counts none: its largest backlog.
        listed_at: When the sweep's listing began (t0), aware UTC: evidence older than a minute is not acted upon.
    """

    invocations: float | None
    listed_at: datetime
    empty_at: datetime | None = None
    """Of an asynchronous endpoint: the newest moment for which CloudWatch shows a backlog, if it shows it empty."""


@dataclass(frozen=True)
class Backlog:
    """What CloudWatch saw of an asynchronous endpoint's queue: its *peak*, and *empty_at* as in Usage."""

    peak: float
    empty_at: datetime | None


@dataclass(frozen=True)
class Answer:
    """What a model answered. *status* is the container's own (2xx)."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True)
class Ticket:
    """What is written down of a request that SageMaker has taken: where to look for what came of it. Aware UTC."""

    output_uri: str
    failure_uri: str | None
    accepted_at: datetime
    accept: str


@dataclass(frozen=True)
class Accepted:
    """A request that is not answered yet."""

    request_id: str
    model: ModelName
    accepted_at: datetime
    retry_after_s: float
