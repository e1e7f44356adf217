"""SageMaker on a laptop: endpoints that go through AWS's states because a real model server does. Made by `tarmac up`.

The requests come in through sagemaker_responses.py (control plane) and runtime.py (data plane).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.sagemaker.exceptions import AWSValidationException

from tarmac.local.announcements import Announcer
from tarmac.local.connections import Connections
from tarmac.local.deployments import Deployer, Outlets, log_group
from tarmac.local.environments import Environments
from tarmac.local.hub_models import HubModels
from tarmac.local.journal import Journal
from tarmac.local.meters import CpuMeter
from tarmac.local.processes import end_orphans
from tarmac.local.sagemaker_catalogue import Catalogue
from tarmac.local.sagemaker_records import ACCOUNT, EndpointRecord, Serving, arn
from tarmac.local.servers import ModelServer
from tarmac.local.workloads import Checkups

DEFAULT_REGION = "us-east-1"
METRIC_INTERVAL_S = 5.0
_IN_PROGRESS = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})
_ANSWERING = frozenset({"InService", "Updating"})
_DRAIN_S = 65.0
"""Longer than the 60 s that an invocation may take."""


class EndpointMissing(Exception):
    """No endpoint of that name answers now."""


class TooManyAtOnce(Exception):
    """A serverless endpoint has as many requests in hand as its configuration allows."""


@dataclass(frozen=True)
class Target:
    """Where one invocation goes."""

    variant_name: str
    connections: Connections
    log_stream_arn: str
    serving: Serving


class SageMakerEngine:
    """All endpoints and their servers. Start it before requests come; stop it to end every process.

    After a stop, or a crash, `start` on the same journal and directory brings back what was awake: an endpoint that was
    Creating, InService or Updating is Creating again, under its old CreationTime. One that was Updating starts with its
    old configuration, as after a rollback, for nobody knows how far the new one had come.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        servers_dir: Path,
        serve_path: Path,
        outlets: Outlets,
        region: str = DEFAULT_REGION,
        ping_timeout_s: float = 240.0,
        metric_interval_s: float = METRIC_INTERVAL_S,
        checkups: Checkups = Checkups(),  # noqa: B008  # frozen
        hub_url: str | None = None,
    ) -> None:
        """Make an engine.

        Args:
            journal: Where records are kept.
            servers_dir: A directory of its own for the servers' files and logs; `environments` is made beside it.
            serve_path: The script that serves a model: `serve.py --fd N`.
            outlets: What the engine uses of the rest of the embedded AWS.
            region: The region in every ARN.
            ping_timeout_s: Seconds in which a new server must answer /ping, where the variant does not say.
            metric_interval_s: Seconds between two CPUUtilization datums.
            checkups: How servers in service are asked whether they are well.
            hub_url: Where models of the Hugging Face Hub are fetched; None for where their own environment says.
        """
        self.catalogue = Catalogue(journal, region)
        self.outlets = outlets
        self._journal = journal
        environments = Environments(servers_dir.parent / "environments")
        self._deployer = Deployer(
            servers_dir,
            serve_path,
            journal,
            outlets,
            environments,
            ping_timeout_s,
            checkups,
            HubModels(servers_dir.parent / "hub", hub_url),
        )
        self._lock = self.catalogue.lock
        self._active: dict[str, ModelServer] = {}
        self._incoming: dict[str, ModelServer] = {}
        self._closers: dict[threading.Thread, ModelServer] = {}
        self._is_stopping = False
        self._announcer = Announcer(outlets.put_event)
        self._meter = CpuMeter(self.running, interval_s=metric_interval_s, record=outlets.record)

    def start(self) -> None:
        """End what a crash left, read the journal, start again what was awake."""
        end_orphans(self._journal)
        self.catalogue.load()
        self._deployer.sweep(self.catalogue.endpoints.values())
        self._announcer.start()
        self._meter.start()
        with self._lock:
            for endpoint in list(self.catalogue.endpoints.values()):
                if endpoint.status == "Deleting":
                    self._forget(endpoint)
                elif endpoint.status != "Failed":
                    endpoint.pending = None
                    self._move(endpoint, "Creating")
                    self._start_server(endpoint, endpoint.serving)

    def stop(self) -> None:
        """End every process and thread. What was awake stays so in the journal."""
        with self._lock:
            self._is_stopping = True
            for server in [*self._active.values(), *self._incoming.values()]:
                self._retire(server, drain_s=0)
            closing = dict(self._closers)
        for server in closing.values():
            server.end()
        for thread in closing:
            thread.join()
        self._meter.stop()
        self._announcer.stop()

    def create_endpoint(self, raw_request: dict[str, Any]) -> EndpointRecord:
        """Begin to create; raises AWSValidationException."""
        raw = dict(raw_request)
        tags = raw.pop("Tags", [])
        with self._lock:
            name = self.catalogue.free_endpoint_name(raw["EndpointName"])
            serving = self.catalogue.resolve(raw["EndpointConfigName"])
            endpoint = EndpointRecord(name, arn(self.catalogue.region, "endpoint", name), raw, tags, serving=serving)
            endpoint.modified_at_s = endpoint.created_at_s
            self._publish(endpoint)
            self._start_server(endpoint, serving)
            return endpoint

    def describe_endpoint(self, name: str) -> dict[str, Any]:
        """Say how the endpoint is, at one moment; raises AWSValidationException."""
        with self._lock:
            return self.catalogue.endpoint(name).response_object

    def update_endpoint(self, raw_request: dict[str, Any]) -> EndpointRecord:
        """Begin to move to another configuration, the old one answering meanwhile; raises AWSValidationException."""
        with self._lock:
            endpoint = self._settled(raw_request["EndpointName"])
            if endpoint.status == "Failed":
                raise AWSValidationException(
                    f'Cannot update endpoint "{endpoint.arn}": it is Failed and can only be deleted.'
                )
            endpoint.pending = self.catalogue.resolve_update(endpoint, raw_request)
            endpoint.raw = dict(raw_request)
            self._move(endpoint, "Updating")
            self._start_server(endpoint, endpoint.pending)
            return endpoint

    def delete_endpoint(self, name: str) -> None:
        """Begin to delete; the endpoint is gone when its process is. Raises AWSValidationException."""
        with self._lock:
            endpoint = self._settled(name)
            self._move(endpoint, "Deleting")
            server = self._active.get(endpoint.name.lower())
            if server is None:
                self._forget(endpoint)
            else:
                self._retire(server, drain_s=_DRAIN_S, then=lambda: self._forget(endpoint))

    def set_weights_and_capacities(self, raw_request: dict[str, Any]) -> EndpointRecord:
        """Take note of wished weights and counts: one process is all there is. Raises AWSValidationException."""
        with self._lock:
            endpoint = self._settled(raw_request["EndpointName"])
            for wish in raw_request["DesiredWeightsAndCapacities"]:
                if wish["VariantName"] != endpoint.serving.variant_name:
                    raise AWSValidationException(
                        f'The variant name(s) "{wish["VariantName"]}" is/are not present within endpoint configuration '
                        f'"{endpoint.serving.config_name}".'
                    )
                variant = endpoint.serving.raw_variant
                variant["InitialInstanceCount"] = wish.get(
                    "DesiredInstanceCount", variant.get("InitialInstanceCount", 1)
                )
                variant["InitialVariantWeight"] = wish.get("DesiredWeight", variant.get("InitialVariantWeight", 1.0))
            self._move(endpoint, endpoint.status)
            return endpoint

    @contextmanager
    def target(self, name: str) -> Iterator[Target]:
        """Hold the server of an endpoint for one invocation.

        Raises:
            EndpointMissing: There is none, or it does not answer yet, or no more.
            ServerGone: It is in service, but its process is being started again.
            TooManyAtOnce: It is serverless, and no more requests at once are allowed.
        """
        with self._lock:
            endpoint = self.catalogue.endpoints.get(name.lower())
            server = self._active.get(name.lower())
            if endpoint is None or endpoint.name != name or endpoint.status not in _ANSWERING or server is None:
                raise EndpointMissing(name)
            serving = endpoint.serving
            if serving.max_concurrency is not None and server.in_flight >= serving.max_concurrency:
                raise TooManyAtOnce(name)
            variant_name = server.workload.variant_name
            in_use = server.in_use()
            connections = in_use.__enter__()  # within the lock: an update may not retire the server in between
        try:
            stream_arn = f"arn:aws:logs:{self.catalogue.region}:{ACCOUNT}:log-group:{log_group(name)}"
            yield Target(variant_name, connections, stream_arn, serving)
        finally:
            in_use.__exit__(None, None, None)

    def running(self) -> list[tuple[str, str, ModelServer]]:
        """(endpoint name, variant name, server) of everything in service that has instances, and so their metrics."""
        with self._lock:
            endpoints = self.catalogue.endpoints
            servers = [server for key, server in self._active.items() if not endpoints[key].serving.is_serverless]
        return [(one.workload.endpoint_name, one.workload.variant_name, one) for one in servers]

    def server_ready(self, server: ModelServer) -> None:
        """A new server answers: the endpoint is served by it from this moment."""
        key = server.workload.endpoint_name.lower()
        with self._lock:
            endpoint = self.catalogue.endpoints.get(key)
            if self._is_stopping or endpoint is None or self._incoming.get(key) is not server:
                return
            del self._incoming[key]
            old = self._active.get(key)
            self._active[key] = server
            endpoint.serving, endpoint.pending = endpoint.pending or endpoint.serving, None
            self._move(endpoint, "InService")
            if old is not None:
                self._retire(old, drain_s=endpoint.serving.drain_s)
        self._meter.measure_soon()

    def server_failed(self, server: ModelServer, reason: str) -> None:
        """A new server did not come up: a new endpoint is Failed, an update is rolled back."""
        key = server.workload.endpoint_name.lower()
        with self._lock:
            endpoint = self.catalogue.endpoints.get(key)
            if self._is_stopping or endpoint is None or self._incoming.get(key) is not server:
                return
            del self._incoming[key]
            is_rollback = endpoint.pending is not None
            endpoint.pending = None
            self._move(endpoint, "InService" if is_rollback else "Failed", failure_reason=reason)

    def _settled(self, name: str) -> EndpointRecord:
        endpoint = self.catalogue.endpoint(name)
        if endpoint.status in _IN_PROGRESS:
            raise AWSValidationException(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        return endpoint

    def _move(self, endpoint: EndpointRecord, status: str, *, failure_reason: str | None = None) -> None:
        endpoint.move(status, failure_reason=failure_reason)
        self._publish(endpoint)

    def _publish(self, endpoint: EndpointRecord) -> None:
        self.catalogue.save(endpoint)
        self._announcer.say(endpoint.event_detail())

    def _forget(self, endpoint: EndpointRecord) -> None:
        with self._lock:
            self._active.pop(endpoint.name.lower(), None)
            self.catalogue.remove(endpoint)
            self._deployer.remove(endpoint)
            self._announcer.say(endpoint.event_detail() | {"EndpointStatus": "DELETED"})

    def _start_server(self, endpoint: EndpointRecord, serving: Serving) -> None:
        endpoint.generation += 1
        self.catalogue.save(endpoint)
        server = self._deployer.make_server(endpoint, serving, owner=self)
        self._incoming[endpoint.name.lower()] = server
        server.start()

    def _retire(self, server: ModelServer, *, drain_s: float, then: Callable[[], None] = lambda: None) -> None:
        def close() -> None:
            server.end(drain_s=drain_s)
            then()
            with self._lock:
                self._closers.pop(threading.current_thread(), None)

        thread = threading.Thread(target=close, name=f"end-{server.workload.endpoint_name}", daemon=True)
        self._closers[thread] = server
        thread.start()
