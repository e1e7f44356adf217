"""Fakes with the real services' manners, on which the real application runs. Called by most suites."""

import functools
import gzip
import hashlib
import io
import tarfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.aws.buckets import Bucket, Listed
from chalicelib.aws.drops import S3Drops
from chalicelib.aws.marks import S3Marks
from chalicelib.aws.releases import S3Releases
from chalicelib.aws.requests import S3Requests
from chalicelib.bootstrap import World
from chalicelib.errors import AlreadyExists, AwsError, Changed, HubRefused, InProgress, InvalidCall, NotFound
from chalicelib.names import DROPS_PREFIX, ModelName, ReleaseId, archive_key, is_release_name, toml_key
from chalicelib.reports import Autoscale, HubModel, ServingPlan
from chalicelib.settings import Settings
from chalicelib.state import (
    ANSWERING,
    MODIFYING,
    Answer,
    Backlog,
    Endpoint,
    EndpointStatus,
    EndpointSummary,
    HubFile,
    HubRepo,
    Span,
)

DAWN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
APP = "tarmac"
TTL_S = 900.0


class Crash(BaseException):
    """The process dies here: no `except Exception` of the code under test may catch it."""


class Gate:
    """Every call of every fake passes here, before and after it takes effect. This one is always open."""

    def before(self, call: str) -> None:
        """Called with e.g. `s3.write usage/cat` before the call takes effect; may raise."""

    def after(self, call: str) -> None:
        """Called when it has taken effect and before the caller hears of it; may raise."""


def _gated(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def through(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = f"{self.service}.{method.__name__} {args[0] if args and isinstance(args[0], str) else ''}".rstrip()
        self.gate.before(call)
        result = method(self, *args, **kwargs)
        self.gate.after(call)
        return result

    return through


class ManualClock:
    """Time stands still until it is moved."""

    def __init__(self, now: datetime = DAWN) -> None:
        self._start = self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return (self._now - self._start).total_seconds()

    def pause(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        assert seconds >= 0
        self._now += timedelta(seconds=seconds)


class MemoryBucket(Bucket):
    """S3's manners over a dict: whole-second LastModified, MD5 ETags, conditions, strong consistency."""

    service = "s3"

    def __init__(self, clock: ManualClock, gate: Gate | None = None, name: str = "bucket") -> None:
        super().__init__(_no_client, name)
        self.clock, self.gate = clock, gate or Gate()
        self.objects: dict[str, tuple[bytes, Listed]] = {}
        self.content_types: dict[str, str] = {}

    def put(self, key: str, content: bytes, *, etag: str | None = None, content_type: str = "") -> str:
        """Write as somebody outside Tarmac does: no gate. Another part size gives the same bytes another *etag*."""
        etag = etag or hashlib.md5(content).hexdigest()
        self.content_types[key] = content_type or "binary/octet-stream"
        self.objects[key] = (content, Listed(key, etag, len(content), self.clock.now().replace(microsecond=0)))
        return etag

    def keys(self, prefix: str = "") -> list[str]:
        """What is there, unseen by the gate."""
        return sorted(key for key in self.objects if key.startswith(prefix))

    @_gated
    def list(self, prefix: str) -> Iterator[Listed]:
        return iter([self.objects[key][1] for key in self.keys(prefix)])

    @_gated
    def has_any(self, prefix: str) -> bool:
        return bool(self.keys(prefix))

    @_gated
    def find(self, key: str) -> Listed | None:
        return self.objects[key][1] if key in self.objects else None

    @_gated
    def open(self, key: str, *, etag: str | None = None) -> io.BytesIO:
        return io.BytesIO(self._exactly(key, etag)[0])

    @_gated
    def write(self, key: str, content: bytes, *, content_type: str) -> str:
        return self.put(key, content, content_type=content_type)

    @_gated
    def read_typed(self, key: str, *, max_bytes: int) -> tuple[bytes | None, str, int] | None:
        if key not in self.objects:
            return None
        content = self.objects[key][0]
        return content if len(content) <= max_bytes else None, self.content_types[key], len(content)

    @_gated
    def copy(self, source_key: str, key: str, *, etag: str, size_bytes: int) -> None:
        self.put(key, self._exactly(source_key, etag)[0])

    @_gated
    def join(self, key: str, pieces: Iterable[bytes | Span], *, source_key: str, etag: str) -> None:
        source = self._exactly(source_key, etag)[0]
        self.put(key, b"".join(p if isinstance(p, bytes) else source[p.start : p.end] for p in pieces))

    @_gated
    def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    @_gated
    def delete_exactly(self, key: str, etag: str) -> None:
        self._exactly(key, etag)
        del self.objects[key]

    def delete_all(self, prefix: str) -> None:
        # One by one: a crash in the middle of DeleteObjects may leave any part of it undone.
        for row in self.list(prefix):
            self.delete(row.key)

    def _exactly(self, key: str, etag: str | None) -> tuple[bytes, Listed]:
        if key not in self.objects:
            raise NotFound(f"no object {key}")
        content, row = self.objects[key]
        if etag is not None and row.etag != etag:
            raise Changed(f"{key} is not {etag}")
        return content, row


def _no_client() -> Any:
    raise AssertionError("a fake asked for a boto3 client")


@dataclass(frozen=True)
class FakeEndpoint:
    """One endpoint as SageMaker keeps it; *next_config* is what an update moves to."""

    name: str
    config_name: str
    status: EndpointStatus
    created_at: datetime
    modified_at: datetime
    is_owned: bool = True
    next_config: str | None = None
    failure_reason: str | None = None
    is_serverless: bool = False
    is_async: bool = False


@dataclass
class Waiting:
    """One request in an asynchronous endpoint's queue, and when it came to its end."""

    endpoint: str
    accepted_at: datetime
    input_uri: str
    content_type: str
    output_uri: str
    failure_uri: str
    ended_at: datetime | None = None


@dataclass
class Evidence:
    """What the fakes saw, for assertions: a violation is something the application must never do."""

    attempted: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    traffic: list[tuple[str, datetime]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Requests that waited in the queue of an endpoint that went: right only where its model was removed."""


class FakeEndpoints:
    """SageMaker's control plane with its state machine; nothing ends by itself: `settle`, `fail`, `disturb` move it."""

    service = "sagemaker"

    def __init__(self, clock: ManualClock, evidence: Evidence, gate: Gate | None = None, app: str = APP) -> None:
        self._clock, self._evidence, self._app = clock, evidence, app
        self.gate = gate or Gate()
        self.endpoints: dict[str, FakeEndpoint] = {}
        self.configs: dict[str, datetime] = {}
        self.models: dict[str, str] = {}
        self.serverless: set[str] = set()
        """Configurations without instances."""
        self.queued: set[str] = set()
        """Configurations with a queue."""
        self.kept_counts: list[str] = []
        """Endpoints whose update kept the number of instances."""
        self.refusals: deque[AwsError] = deque()
        """Raised by the next calls of `create`, one each."""
        self.on_create: Callable[[FakeEndpoint], None] = lambda endpoint: None
        self.on_delete: Callable[[FakeEndpoint], None] = lambda endpoint: None
        self.on_gone: Callable[[str], object] = lambda name: None

    # Moves of the world.

    def add(self, name: str, config_name: str, *, is_owned: bool = True) -> None:
        """Put an endpoint there, in service."""
        now = self._clock.now()
        self.endpoints[name] = FakeEndpoint(name, config_name, EndpointStatus.IN_SERVICE, now, now, is_owned)

    def settle(self, name: str | None = None) -> None:
        """Let what SageMaker is doing end well."""
        for endpoint in [e for e in self.endpoints.values() if name in {None, e.name} and e.status in MODIFYING]:
            if endpoint.status is EndpointStatus.DELETING:
                del self.endpoints[endpoint.name]
                self.on_gone(endpoint.name)
                continue
            config = endpoint.next_config or endpoint.config_name
            is_update = endpoint.status is EndpointStatus.UPDATING
            reason = None if is_update else endpoint.failure_reason
            self._move(
                endpoint,
                EndpointStatus.IN_SERVICE,
                config_name=config,
                next_config=None,
                failure_reason=reason,
                is_serverless=config in self.serverless,
                is_async=config in self.queued,
            )

    def fail(self, name: str, reason: str = "the container broke") -> None:
        """Let a creation fail, or roll an update back: the old configuration goes on serving."""
        endpoint = self.endpoints[name]
        is_creating = endpoint.status is EndpointStatus.CREATING
        assert is_creating or endpoint.status is EndpointStatus.UPDATING, endpoint
        status = EndpointStatus.FAILED if is_creating else EndpointStatus.IN_SERVICE
        self._move(endpoint, status, next_config=None, failure_reason=reason)

    def disturb(self, name: str, status: EndpointStatus = EndpointStatus.SYSTEM_UPDATING) -> None:
        """Let SageMaker begin to work on it by itself."""
        self._move(self.endpoints[name], status)

    def status(self, name: str) -> EndpointStatus | None:
        """What it is in now, unseen by the gate."""
        return self.endpoints[name].status if name in self.endpoints else None

    def _move(self, endpoint: FakeEndpoint, status: EndpointStatus, **changes: Any) -> None:
        moved = replace(endpoint, status=status, modified_at=self._clock.now(), **changes)
        self.endpoints[endpoint.name] = moved

    # ports.Endpoints.

    @_gated
    def find(self, name: str) -> Endpoint | None:
        e = self.endpoints.get(name)
        if e is None:
            return None
        return Endpoint(
            e.name,
            e.status,
            e.config_name,
            e.created_at,
            e.modified_at,
            e.is_owned,
            e.failure_reason,
            is_serverless=e.is_serverless,
            is_async=e.is_async,
        )

    @_gated
    def list(self) -> tuple[EndpointSummary, ...]:
        return tuple(
            EndpointSummary(e.name, e.status, e.created_at, e.modified_at)
            for e in self.endpoints.values()
            if e.name.startswith(f"{self._app}-")
        )

    @_gated
    def list_models(self, model: ModelName) -> frozenset[str]:
        return frozenset(name for name in self.models if is_release_name(self._app, model, name))

    @_gated
    def list_configs(self, model: ModelName) -> Mapping[str, datetime]:
        return {name: at for name, at in self.configs.items() if is_release_name(self._app, model, name)}

    @_gated
    def create_model(
        self, name: str, *, model: ModelName, release: ReleaseId, plan: ServingPlan, archive_uri: str | None
    ) -> None:
        if name in self.models:
            raise AlreadyExists(f"Cannot create already existing model {name}")
        self.models[name] = archive_uri or ""

    @_gated
    def create_config(self, name: str, *, model: ModelName, release: ReleaseId, plan: ServingPlan) -> None:
        if name in self.configs:
            raise AlreadyExists(f"Cannot create already existing endpoint configuration {name}")
        self.configs[name] = self._clock.now()
        self.serverless.discard(name)
        if plan.is_serverless:
            self.serverless.add(name)
        self.queued.discard(name)
        if plan.is_async:
            self.queued.add(name)

    @_gated
    def create(self, name: str, config_name: str, *, model: ModelName, release: ReleaseId) -> None:
        self._evidence.attempted["create"] += 1
        if self.refusals:
            raise self.refusals.popleft()
        if name in self.endpoints:
            raise AlreadyExists(f"Cannot create already existing endpoint {name}")
        if config_name not in self.configs:
            raise NotFound(f"Could not find endpoint configuration {config_name}")
        now = self._clock.now()
        is_serverless = config_name in self.serverless
        self.endpoints[name] = FakeEndpoint(
            name,
            config_name,
            EndpointStatus.CREATING,
            now,
            now,
            is_serverless=is_serverless,
            is_async=config_name in self.queued,
        )
        self._evidence.accepted["create"] += 1
        self.on_create(self.endpoints[name])

    @_gated
    def update(self, name: str, config_name: str, *, keeps_counts: bool = False) -> None:
        self._evidence.attempted["update"] += 1
        endpoint = self._changeable(name)
        if endpoint.status is EndpointStatus.FAILED:
            raise InvalidCall(f"Cannot update failed endpoint {name}")
        if config_name not in self.configs:
            raise NotFound(f"Could not find endpoint configuration {config_name}")
        if config_name in self.serverless and not endpoint.is_serverless:
            raise InvalidCall(f"Cannot update endpoint {name} from instances to serverless")
        if (config_name in self.queued) != endpoint.is_async:
            raise InvalidCall(f"Cannot update endpoint {name} between realtime and asynchronous")
        if keeps_counts:
            self.kept_counts.append(name)
        self._move(endpoint, EndpointStatus.UPDATING, next_config=config_name, failure_reason=None)
        self._evidence.accepted["update"] += 1

    @_gated
    def delete(self, name: str) -> None:
        self._evidence.attempted["delete"] += 1
        if name not in self.endpoints:
            return
        endpoint = self._changeable(name)
        self.on_delete(endpoint)
        self._move(endpoint, EndpointStatus.DELETING)
        self._evidence.accepted["delete"] += 1

    @_gated
    def delete_config(self, name: str) -> None:
        users = [e for e in self.endpoints.values() if name in {e.config_name, e.next_config}]
        if any(e.status not in {EndpointStatus.DELETING, EndpointStatus.FAILED} for e in users):
            self._evidence.violations.append(f"configuration {name} deleted while {users[0]} uses it")
        self.configs.pop(name, None)

    @_gated
    def delete_model(self, name: str) -> None:
        self.models.pop(name, None)

    def _changeable(self, name: str) -> FakeEndpoint:
        if name not in self.endpoints:
            raise NotFound(f"Could not find endpoint {name}")
        endpoint = self.endpoints[name]
        if not endpoint.is_owned:
            self._evidence.violations.append(f"foreign endpoint {name} touched")
        if endpoint.status in MODIFYING:
            raise InProgress(f"Cannot update in-progress endpoint {name}")
        return endpoint


class FakeRuntime:
    """Answers through whatever `FakeEndpoints` has in service."""

    service = "runtime"

    def __init__(self, endpoints: FakeEndpoints, clock: ManualClock, evidence: Evidence, gate: Gate | None) -> None:
        self._endpoints, self._clock, self._evidence = endpoints, clock, evidence
        self.gate = gate or Gate()
        self.errors: deque[Exception] = deque()
        """Raised by the next calls, one each."""
        self.queue: list[Waiting] = []
        """Every request that an asynchronous endpoint ever took."""
        before_gone = endpoints.on_gone

        def lose(name: str) -> None:
            before_gone(name)
            lost = [each for each in self.queue if each.endpoint == name and each.ended_at is None]
            evidence.lost.extend(f"{each.input_uri} went with {name}" for each in lost)
            for each in lost:
                each.ended_at = clock.now()

        endpoints.on_gone = lose

    def work(self, bucket: MemoryBucket, *, failure: bytes | None = None) -> None:
        """Answer, or fail, all that waits; the answer is the input behind the configuration and a colon."""
        for each in [one for one in self.queue if one.ended_at is None]:
            each.ended_at = self._clock.now()
            if each.input_uri.removeprefix(f"s3://{bucket.name}/") not in bucket.objects:
                continue  # the model was removed meanwhile, and what was asked with it
            asked, _ = bucket.objects[each.input_uri.removeprefix(f"s3://{bucket.name}/")]
            uri, said = each.failure_uri, failure
            if said is None:
                uri, said = (
                    each.output_uri,
                    self._endpoints.endpoints[each.endpoint].config_name.encode() + b":" + asked,
                )
            bucket.put(uri.removeprefix(f"s3://{bucket.name}/"), said, content_type=each.content_type)

    @_gated
    def invoke_async(self, endpoint: str, input_uri: str, *, content_type: str, accept: str) -> tuple[str, str | None]:
        if self.errors:
            raise self.errors.popleft()
        status = self._endpoints.status(endpoint)
        if status not in ANSWERING:
            raise NotFound(f"Endpoint {endpoint} of account 123456789012 not found")
        if not self._endpoints.endpoints[endpoint].is_async:
            raise InvalidCall(f"Endpoint {endpoint} has no AsyncInferenceConfig")
        folder = "/".join(input_uri.split("/")[:5])
        name = len(self.queue)
        waiting = Waiting(
            endpoint,
            self._clock.now(),
            input_uri,
            content_type,
            f"{folder}/answers/{name}.out",
            f"{folder}/failures/{name}-error.out",
        )
        self.queue.append(waiting)
        return waiting.output_uri, waiting.failure_uri

    @_gated
    def invoke(self, endpoint: str, body: bytes, *, content_type: str, accept: str) -> Answer:
        status = self._endpoints.status(endpoint)
        if status is EndpointStatus.DELETING:
            self._evidence.violations.append(f"a request met the deletion of {endpoint}")
        if self.errors:
            raise self.errors.popleft()
        if status not in ANSWERING:
            raise NotFound(f"Endpoint {endpoint} of account 123456789012 not found")
        if self._endpoints.endpoints[endpoint].is_async:
            raise InvalidCall(f"Endpoint {endpoint} is asynchronous")
        self._evidence.traffic.append((endpoint, self._clock.now()))
        return Answer(200, content_type, self._endpoints.endpoints[endpoint].config_name.encode() + b":" + body)


class FakeMetrics:
    """CloudWatch over the traffic that the runtime saw; blind to what is not there and to *unknown*."""

    service = "cloudwatch"

    def __init__(self, endpoints: FakeEndpoints, evidence: Evidence, gate: Gate | None, runtime: FakeRuntime) -> None:
        self._endpoints = endpoints
        self._evidence = evidence
        self._runtime = runtime
        self.gate = gate or Gate()
        self.unknown: set[str] = set()
        self.delay_s = 0.0
        """Traffic younger than this is not visible yet."""

    @_gated
    def invocations(
        self, variants: Mapping[str, Sequence[str]], *, windows_s: Mapping[str, float], now: datetime
    ) -> Mapping[str, float | None]:
        return {name: self._sum(name, windows_s[name], now) if self._is_seen(name) else None for name in variants}

    @_gated
    def backlogs(self, windows_s: Mapping[str, float], *, now: datetime) -> Mapping[str, Backlog]:
        newest = now - timedelta(seconds=self.delay_s)
        found = {}
        for name, window_s in windows_s.items():
            if not self._is_seen(name) or not self._endpoints.endpoints[name].is_async:
                continue
            oldest = now - timedelta(seconds=window_s)
            seen = [each for each in self._runtime.queue if each.endpoint == name and each.accepted_at <= newest]
            peak = sum(each.ended_at is None or each.ended_at >= oldest for each in seen)
            is_empty = all(each.ended_at is not None and each.ended_at <= newest for each in seen)
            found[name] = Backlog(float(peak), newest if is_empty else None)
        return found

    def _is_seen(self, name: str) -> bool:
        """Whether there is proof of sight: instances that run write their CPU's load."""
        return name in self._endpoints.endpoints and name not in self.unknown

    def _sum(self, name: str, window_s: float, now: datetime) -> float:
        oldest, newest = now - timedelta(seconds=window_s), now - timedelta(seconds=self.delay_s)
        return float(sum(endpoint == name and oldest <= at <= newest for endpoint, at in self._evidence.traffic))


class FakeHub:
    """The Hub over a dict: repositories by id, each a list of commits, the last of which is main."""

    def __init__(self) -> None:
        self.repos: dict[str, list[tuple[HubRepo, dict[str, bytes]]]] = {}
        self.error: Exception | None = None
        """Raised by every question."""

    def add(self, repo_id: str, files: Mapping[str, bytes], **facts: Any) -> str:
        """Add a commit, and return its hash."""
        commits = self.repos.setdefault(repo_id, [])
        commit = hashlib.sha1(f"{repo_id}{len(commits)}".encode()).hexdigest()
        rows = tuple(HubFile(path, len(body)) for path, body in sorted(files.items()))
        repo = HubRepo(repo_id, commit, rows, **facts)
        commits.append((repo, dict(files)))
        return commit

    def look_up(self, model: HubModel) -> HubRepo:
        """See ports.Hub."""
        return self._find(model.id, model.revision)[0]

    def read(self, repo: HubRepo, path: str, *, max_bytes: int) -> bytes:
        """See ports.Hub."""
        return self._find(repo.id, repo.commit)[1][path][:max_bytes]

    def _find(self, repo_id: str, revision: str | None) -> tuple[HubRepo, dict[str, bytes]]:
        if self.error is not None:
            raise self.error
        commits = self.repos.get(repo_id, [])
        found = [each for each in commits if revision in (None, "main", each[0].commit)]
        if not found:
            raise HubRefused(f"the Hub's model {repo_id} does not exist", fix="Check the spelling.")
        return found[-1]


class FakeScaling:
    """Application Auto Scaling's books: it moves nothing."""

    service = "scaling"

    def __init__(self, endpoints: FakeEndpoints, gate: Gate | None = None) -> None:
        self._endpoints = endpoints
        self.gate = gate or Gate()
        self.bounds: dict[str, Autoscale] = {}
        # AWS deregisters what is deleted. Source: SageMaker's developer guide, deleting endpoints with auto scaling.
        before = endpoints.on_gone

        def deregister(name: str) -> None:
            before(name)
            self.bounds.pop(name, None)

        endpoints.on_gone = deregister

    @_gated
    def find(self, endpoint: str) -> Autoscale | None:
        return self.bounds.get(endpoint)

    @_gated
    def ensure(self, endpoint: str, wished: Autoscale) -> None:
        if self._endpoints.status(endpoint) is not EndpointStatus.IN_SERVICE:
            raise InvalidCall(f"{endpoint} is not in service")
        self.bounds[endpoint] = wished

    @_gated
    def remove(self, endpoint: str) -> None:
        self.bounds.pop(endpoint, None)


class FakeLooks:
    """The queue; who empties it decides what is lost, doubled or late."""

    service = "sqs"

    def __init__(self, gate: Gate | None) -> None:
        self.gate = gate or Gate()
        self.asked: list[ModelName] = []

    @_gated
    def ask(self, model: ModelName) -> None:
        self.asked.append(model)

    def take_all(self) -> Iterable[ModelName]:
        """Take what is asked for, each model once."""
        taken, self.asked = dict.fromkeys(self.asked), []
        return taken


@dataclass(frozen=True)
class FakeWorld(World):
    """A world of fakes, with what is behind its ports."""

    clock: ManualClock
    endpoints: FakeEndpoints
    runtime: FakeRuntime
    metrics: FakeMetrics
    looks: FakeLooks
    bucket: MemoryBucket
    evidence: Evidence
    hub: FakeHub = field(kw_only=True)
    scaling: FakeScaling = field(kw_only=True)

    def drop(self, model: str, archive: bytes, *, toml: bytes | None = None, etag: str | None = None) -> None:
        """Upload as a person does."""
        if toml is not None:
            self.bucket.put(toml_key(model), toml)
        self.bucket.put(archive_key(model), archive, etag=etag)

    def undrop(self, model: str) -> None:
        """Delete the drop as a person does."""
        for key in (archive_key(model), toml_key(model)):
            self.bucket.objects.pop(key, None)


def fake_world(
    clock: ManualClock | None = None, gate: Gate | None = None, *, drops_prefix: str = DROPS_PREFIX
) -> FakeWorld:
    """Make a world in which nothing has happened yet."""
    clock, evidence = clock or ManualClock(), Evidence()
    bucket = MemoryBucket(clock, gate)
    endpoints = FakeEndpoints(clock, evidence, gate)
    runtime = FakeRuntime(endpoints, clock, evidence, gate)
    return FakeWorld(
        drops=S3Drops(bucket, prefix=drops_prefix),
        releases=S3Releases(bucket),
        marks=S3Marks(bucket),
        endpoints=endpoints,
        runtime=runtime,
        metrics=FakeMetrics(endpoints, evidence, gate, runtime),
        parked=S3Requests(bucket),
        looks=FakeLooks(gate),
        clock=clock,
        bucket=bucket,
        evidence=evidence,
        hub=FakeHub(),
        scaling=FakeScaling(endpoints, gate),
    )


def settings(**changes: Any) -> Settings:
    """Settings as on AWS, unless changed."""
    chosen = Settings("bucket", "https://sqs/queue", "arn:aws:iam::123456789012:role/tarmac", "eu-west-1", app=APP)
    return replace(chosen, **changes)


REFUSED_ARCHIVE = b"this is no gzip"


@functools.cache
def good_archive(words: str = "one") -> bytes:
    """Pack the smallest archive that the door accepts; other *words*, other bytes."""
    script = (
        f"def model_fn(model_dir):\n    return {words!r}\n\n\ndef predict_fn(data, model):\n    return model\n".encode()
    )
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo("code/inference.py")
        member.size = len(script)
        tar.addfile(member, io.BytesIO(script))
    return gzip.compress(packed.getvalue(), mtime=0)
