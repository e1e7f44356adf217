"""The one place where ports meet adapters. Called by app.py, and by the tools that run the application elsewhere."""

import functools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from chalicelib.aws.buckets import Bucket
from chalicelib.aws.drops import S3Drops
from chalicelib.aws.endpoints import SageMakerEndpoints
from chalicelib.aws.last_resorts import SchedulerLastResorts
from chalicelib.aws.looks import SqsLooks
from chalicelib.aws.marks import S3Marks
from chalicelib.aws.metrics import CloudWatchMetrics
from chalicelib.aws.quotas import ServiceQuotas
from chalicelib.aws.releases import S3Releases
from chalicelib.aws.requests import S3Requests
from chalicelib.aws.runtime import SageMakerRuntime
from chalicelib.aws.scaling import ApplicationAutoScaling
from chalicelib.commands import Commands
from chalicelib.door import DoorRules
from chalicelib.errors import ConfigurationError
from chalicelib.executor import Executor
from chalicelib.hub import HuggingFaceHub
from chalicelib.idleness import PlanRules
from chalicelib.looker import Looker
from chalicelib.ports import (
    Clock,
    Drops,
    Endpoints,
    Hub,
    LastResorts,
    Looks,
    Marks,
    Metrics,
    ParkedRequests,
    Quotas,
    Releases,
    Runtime,
    Scaling,
)
from chalicelib.proxy import Proxy
from chalicelib.requests import Requests
from chalicelib.settings import HUB_URL, Settings
from chalicelib.sweeper import Sweeper
from chalicelib.views import Views

CONNECT_TIMEOUT_S = 5
INVOKE_TIMEOUT_S = 28
"""API Gateway ends a request after 29 s: the answer 'too slow' must still be ours. Source: API Gateway quotas."""
CONNECTIONS = 64
HANDLER_FOLDER = Path(__file__).parents[1] / "inference_code"


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """See ports.Clock."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """See ports.Clock."""
        return monotonic()

    def pause(self, seconds: float) -> None:
        """See ports.Clock."""
        sleep(seconds)


@dataclass(frozen=True)
class World:
    """All ports, each with somebody behind it."""

    drops: Drops
    releases: Releases
    marks: Marks
    endpoints: Endpoints
    runtime: Runtime
    metrics: Metrics
    looks: Looks
    clock: Clock
    parked: ParkedRequests = field(kw_only=True)
    last_resorts: LastResorts | None = field(default=None, kw_only=True)
    scaling: Scaling | None = field(default=None, kw_only=True)
    hub: Hub | None = field(default=None, kw_only=True)
    quotas: Quotas | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Application:
    """The flows, wired."""

    settings: Settings
    looker: Looker
    sweeper: Sweeper
    proxy: Proxy
    requests: Requests
    commands: Commands
    views: Views


class Clients:
    """boto3 clients, made when first used and kept: a door pays only for what it uses."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def lazily(self, service: str, **config: Any) -> Callable[[], Any]:
        """Return a function that makes the client on its first call."""

        def get() -> Any:
            client = self._clients.get(service)
            return client if client is not None else self._make(service, config)

        return get

    def _make(self, service: str, config: Mapping[str, Any]) -> Any:
        import boto3
        from botocore.config import Config

        with self._lock:
            if service not in self._clients:
                defaults = {
                    "connect_timeout": CONNECT_TIMEOUT_S,
                    "retries": {"mode": "standard", "max_attempts": 4},
                    "max_pool_connections": CONNECTIONS,
                }
                # Making a client is not thread-safe in boto3, using one is.
                self._clients[service] = boto3.client(
                    service, region_name=self._region, config=Config(**{**defaults, **config})
                )
            return self._clients[service]


def aws_world(settings: Settings) -> World:
    """Put AWS, or whatever AWS_ENDPOINT_URL names, behind every port."""
    clients = Clients(settings.region)
    bucket = Bucket(clients.lazily("s3"), settings.bucket)
    # A DeleteEndpoint must have arrived, tries and waits and all, within 30 s: docs/decisions/0005-sleep-protocol.md.
    sagemaker = clients.lazily(
        "sagemaker", connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2}
    )
    runtime = clients.lazily("sagemaker-runtime", read_timeout=INVOKE_TIMEOUT_S, retries={"total_max_attempts": 1})
    return World(
        drops=S3Drops(bucket, prefix=settings.drops_prefix),
        releases=S3Releases(bucket),
        marks=S3Marks(bucket),
        endpoints=SageMakerEndpoints(
            sagemaker,
            app=settings.app,
            role_arn=settings.role_arn,
            subnets=settings.subnets,
            security_groups=settings.security_groups,
            volume_kms_key_arn=settings.volume_kms_key_arn,
            hub_environment=_hub_environment(settings),
            bucket_name=settings.bucket,
        ),
        runtime=SageMakerRuntime(runtime),
        metrics=CloudWatchMetrics(clients.lazily("cloudwatch")),
        looks=SqsLooks(clients.lazily("sqs"), settings.queue_url),
        clock=SystemClock(),
        parked=S3Requests(bucket),
        last_resorts=_last_resorts(settings, clients),
        scaling=ApplicationAutoScaling(clients.lazily("application-autoscaling")),
        hub=HuggingFaceHub(settings.hub_url, settings.hub_token),
        quotas=ServiceQuotas(
            clients.lazily(
                "service-quotas",
                connect_timeout=3,
                read_timeout=10,
                retries={"mode": "standard", "total_max_attempts": 3},
            ),
            SystemClock(),
        ),
    )


def _hub_environment(settings: Settings) -> Mapping[str, str]:
    """What a container must be told to fetch from where, and as whom, the door has asked."""
    told = {} if settings.hub_url == HUB_URL else {"HF_ENDPOINT": settings.hub_url}
    return told if settings.hub_token is None else {**told, "HF_TOKEN": settings.hub_token}


def _last_resorts(settings: Settings, clients: Clients) -> LastResorts | None:
    if settings.last_resort_group is None or settings.last_resort_role_arn is None:
        return None
    scheduler = clients.lazily("scheduler")
    group, role_arn = settings.last_resort_group, settings.last_resort_role_arn
    return SchedulerLastResorts(scheduler, group, role_arn, settings.last_resort_after_s)


@functools.cache
def read_handler() -> Mapping[str, bytes]:
    """Read Tarmac's own handler, which lies beside chalicelib/ in a checkout and in Lambda's bundle.

    Without its requirements.txt: the container has no network to fetch them from, and has what the handler imports.

    Raises:
        ConfigurationError: The bundle was made without it.
    """
    parts = sorted((HANDLER_FOLDER / "tarmac_inference").glob("**/*.py"))
    files = [HANDLER_FOLDER / "inference.py", HANDLER_FOLDER / "pyproject.toml", *parts]
    try:
        return {f"code/{file.relative_to(HANDLER_FOLDER).as_posix()}": file.read_bytes() for file in files}
    except FileNotFoundError as exc:
        raise ConfigurationError(f"{exc.filename} is missing", fix="package again, with tarmac package") from exc


def build(settings: Settings, world: World | None = None) -> Application:
    """Wire the flows to a world: AWS's, unless another is given."""
    at = world or aws_world(settings)
    door_rules = DoorRules(
        region=settings.region,
        instance_type=settings.instance_type,
        idle_after_s=settings.idle_after_s,
        idle_floor_s=settings.idle_floor_s,
        drops_prefix=settings.drops_prefix,
        trust_ceiling=settings.trust,
        is_in_vpc=bool(settings.subnets),
        instance_types=settings.instance_types,
    )
    rules = PlanRules(settings.app, settings.idle_after_s, settings.releases_kept)
    executor = Executor(
        at.drops,
        at.releases,
        at.marks,
        at.endpoints,
        at.clock,
        door_rules,
        at.last_resorts,
        settings.endpoints_max,
        settings.instance_types,
        at.scaling,
        at.hub,
        read_handler,
        at.quotas,
    )
    looker = Looker(at.drops, at.releases, at.marks, at.endpoints, executor, at.clock, rules, at.scaling)
    requests = Requests(at.parked, at.runtime, at.clock)
    return Application(
        settings=settings,
        looker=looker,
        sweeper=Sweeper(
            at.drops, at.releases, at.marks, at.endpoints, at.metrics, looker, at.clock, settings.app, at.last_resorts
        ),
        proxy=Proxy(
            looker=looker,
            releases=at.releases,
            marks=at.marks,
            endpoints=at.endpoints,
            runtime=at.runtime,
            looks=at.looks,
            clock=at.clock,
            app=settings.app,
            expected_start_s=settings.expected_start_s,
            requests=requests,
            drops_prefix=settings.drops_prefix,
        ),
        requests=requests,
        commands=Commands(at.drops, at.releases, at.marks, at.looks, looker, at.clock),
        views=Views(at.drops, at.releases, at.endpoints, looker, at.clock, settings.app),
    )
