"""What can be done to the world, as data: planned by planner, done by executor, printed by `tarmac plan`."""

from dataclasses import dataclass
from datetime import datetime

from chalicelib.names import ModelName, ReleaseId
from chalicelib.reports import Autoscale, ServingPlan
from chalicelib.state import Drop, Stamp


@dataclass(frozen=True)
class InspectDrop:
    """Read the archive, judge it, pin a copy if it is good, and write the report."""

    drop: Drop


@dataclass(frozen=True)
class RecordFailure:
    """Write down that a release did not start, so that it is not tried for ever."""

    model: ModelName
    release: ReleaseId
    reason: str
    endpoint_modified_at: datetime
    is_transient: bool = False


@dataclass(frozen=True)
class ForgetFailure:
    """Remove that record: the release may be tried again."""

    model: ModelName
    release: ReleaseId


@dataclass(frozen=True)
class RecordStart:
    """Write down how many seconds this release's start took, for the next Retry-After."""

    model: ModelName
    release: ReleaseId
    took_s: float


@dataclass(frozen=True)
class CreateModel:
    """Make the free record of archive and container."""

    name: str
    model: ModelName
    release: ReleaseId
    plan: ServingPlan


@dataclass(frozen=True)
class CreateEndpointConfig:
    """Make the free record of instance type and count."""

    name: str
    model: ModelName
    release: ReleaseId
    plan: ServingPlan


@dataclass(frozen=True)
class CreateEndpoint:
    """Start the one thing that costs money."""

    name: str
    config_name: str
    model: ModelName
    release: ReleaseId


@dataclass(frozen=True)
class UpdateEndpoint:
    """Move the endpoint to another release; the old one answers until the new one is ready.

    Attributes:
        keeps_counts: As many instances as there are now, and not as the new configuration begins with.
    """

    name: str
    config_name: str
    model: ModelName
    release: ReleaseId
    keeps_counts: bool = False


@dataclass(frozen=True)
class BeginReplacement:
    """Mark an endpoint that no update can change, so that nobody invokes it when it is deleted; it stays wanted."""

    model: ModelName


@dataclass(frozen=True)
class EnsureScaling:
    """Let Application Auto Scaling move the number of instances between these bounds."""

    name: str
    model: ModelName
    release: ReleaseId
    wished: Autoscale


@dataclass(frozen=True)
class RemoveScaling:
    """Stop Application Auto Scaling: an update of what it moves may be refused, and so may a deletion."""

    name: str
    model: ModelName


@dataclass(frozen=True)
class DeleteEndpoint:
    """Stop it: its drop is gone, or it has failed and stands in the way."""

    name: str
    model: ModelName


@dataclass(frozen=True)
class DeleteEndpointConfig:
    """Remove a configuration that no release needs any more."""

    name: str


@dataclass(frozen=True)
class DeleteModel:
    """Remove a SageMaker model that no release needs any more."""

    name: str


@dataclass(frozen=True)
class DeleteRelease:
    """Remove a superseded release's archive and report."""

    model: ModelName
    release: ReleaseId


@dataclass(frozen=True)
class ForgetModel:
    """Remove every trace in S3 of a model whose drop and SageMaker resources are gone."""

    model: ModelName


@dataclass(frozen=True)
class RemoveMark:
    """Remove exactly the observed mark asleep/<name>, not one written since."""

    model: ModelName
    mark: Stamp


@dataclass(frozen=True)
class PutToSleep:
    """The sweep's part of the sleep protocol: mark, check that nobody used it meanwhile, delete the endpoint.

    Attributes:
        used: The last use as listed at *listed_at*; None when there was none.
        is_scaled: Application Auto Scaling moves it, and must be told to stop.
    """

    name: str
    model: ModelName
    used: Stamp | None
    listed_at: datetime
    is_scaled: bool = False


Action = (
    InspectDrop
    | RecordFailure
    | ForgetFailure
    | RecordStart
    | CreateModel
    | CreateEndpointConfig
    | CreateEndpoint
    | UpdateEndpoint
    | BeginReplacement
    | EnsureScaling
    | RemoveScaling
    | DeleteEndpoint
    | DeleteEndpointConfig
    | DeleteModel
    | DeleteRelease
    | ForgetModel
    | RemoveMark
    | PutToSleep
)
