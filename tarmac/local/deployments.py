"""Makes the model server that an endpoint's configuration asks for, in its own directory. Called by sagemaker.py."""

import shutil
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tarmac.local.announcements import EventSink
from tarmac.local.environments import Environments
from tarmac.local.hub_models import HubModels
from tarmac.local.journal import Journal
from tarmac.local.meters import MetricSink
from tarmac.local.sagemaker_records import EndpointRecord, Serving
from tarmac.local.servers import ModelServer, Owner
from tarmac.local.unpacking import BadArchiveError
from tarmac.local.workloads import Checkups, Workload

PathOf = Callable[[str, str], Path]
LogSink = Callable[[str, str, list[str]], None]
ObjectSink = Callable[[str, str, bytes, str], None]


@dataclass(frozen=True)
class Outlets:
    """What of the embedded AWS the engine uses: S3's files, CloudWatch, CloudWatch Logs, EventBridge."""

    path_of: PathOf
    """(bucket, key): the object's file. Raises KeyError."""
    record: MetricSink
    append: LogSink
    """(group, stream, lines)."""
    put_event: EventSink
    store: ObjectSink
    """(bucket, key, content, content type): makes an object."""


def log_group(endpoint_name: str) -> str:
    """The CloudWatch log group of an endpoint."""
    return f"/aws/sagemaker/Endpoints/{endpoint_name}"


@dataclass(frozen=True)
class Deployer:
    """What every server of this machine has in common."""

    servers_dir: Path
    serve_path: Path
    journal: Journal
    outlets: Outlets
    environments: Environments
    ping_timeout_s: float
    checkups: Checkups
    hub_models: HubModels | None = None

    def make_server(self, endpoint: EndpointRecord, serving: Serving, *, owner: Owner) -> ModelServer:
        """Make, not start, the server of the endpoint's present generation."""
        directory = self.directory_of(endpoint)
        directory.mkdir(parents=True, exist_ok=True)
        asked_timeout_s = serving.raw_variant.get("ContainerStartupHealthCheckTimeoutInSeconds")
        workload = Workload(
            endpoint_name=endpoint.name,
            variant_name=serving.variant_name,
            generation=endpoint.generation,
            find_archive=self._archive_finder(serving.archive_uri),
            environment=serving.environment,
            is_isolated=serving.is_isolated,
            serve_path=self.serve_path,
            endpoint_dir=directory,
            environments=self.environments,
            ping_timeout_s=asked_timeout_s or self.ping_timeout_s,
            checkups=self.checkups,
            hub_models=self.hub_models,
        )
        group, stream = log_group(endpoint.name), f"{serving.variant_name}/i-{uuid.uuid4().hex[:17]}"
        return ModelServer(
            workload,
            owner=owner,
            journal=self.journal,
            on_lines=lambda lines: self.outlets.append(group, stream, list(lines)),
        )

    def directory_of(self, endpoint: EndpointRecord) -> Path:
        """Where the endpoint's log and generations are."""
        return self.servers_dir / endpoint.name.lower()

    def remove(self, endpoint: EndpointRecord) -> None:
        """Remove everything of an endpoint that is no more."""
        shutil.rmtree(self.directory_of(endpoint), ignore_errors=True)

    def sweep(self, endpoints: Iterable[EndpointRecord]) -> None:
        """Remove what a crash left: every generation, and the directories of endpoints that are not among these."""
        kept = {self.directory_of(endpoint) for endpoint in endpoints}
        self.servers_dir.mkdir(parents=True, exist_ok=True)
        for directory in list(self.servers_dir.iterdir()):
            stale = [path for path in directory.iterdir() if path.is_dir()] if directory in kept else [directory]
            for path in stale:
                shutil.rmtree(path, ignore_errors=True)

    def _archive_finder(self, uri: str | None) -> Callable[[], Path] | None:
        if not uri:
            return None
        address = urlsplit(uri)

        def find() -> Path:
            try:
                return self.outlets.path_of(address.netloc, address.path.lstrip("/"))
            except KeyError as exc:
                raise BadArchiveError(f"there is no object at {uri}.") from exc

        return find
