"""The ports, each with somebody behind it: the fakes, or the real adapters on the embedded AWS."""

import io
import json
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chalicelib.aws.buckets import Bucket
from chalicelib.aws.drops import S3Drops
from chalicelib.aws.endpoints import SageMakerEndpoints
from chalicelib.aws.looks import SqsLooks
from chalicelib.aws.marks import S3Marks
from chalicelib.aws.metrics import CloudWatchMetrics
from chalicelib.aws.releases import S3Releases
from chalicelib.aws.requests import S3Requests
from chalicelib.aws.runtime import SageMakerRuntime
from chalicelib.aws.scaling import ApplicationAutoScaling
from chalicelib.bootstrap import SystemClock, World
from chalicelib.names import ModelName, ReleaseId, endpoint_name, pinned_archive_key, release_name
from chalicelib.reports import ServingPlan
from chalicelib.state import MODIFYING, Endpoint
from tests.fakes import APP, FakeWorld, fake_world

GOOD = """
def model_fn(model_dir):
    return None

def transform_fn(model, body, content_type, accept):
    return body, content_type
"""
BROKEN = "raise RuntimeError('the container broke')\n"
PLAN = ServingPlan("huggingface", "huggingface-pytorch-inference:latest", None, "realtime", "ml.m5.large", 1, 900.0)
RELEASES = tuple(ReleaseId(f"{digit:x}" * 12) for digit in range(1, 5))
PATIENCE_S = 30.0


@dataclass(frozen=True)
class House:
    """One world, and how to do in it what only the outside does.

    Attributes:
        put: Upload an object; returns its ETag.
        remove: Delete an object.
        pass_second: Let at least one whole second go by.
        finish: Wait until SageMaker has ended what it does with an endpoint; it fails where the archive is broken.
        add_foreign: Put an endpoint there that carries none of our tags.
        asked: Take the messages from the queue, and tell which models they name.
    """

    world: World
    put: Callable[[str, bytes], str]
    remove: Callable[[str], None]
    pass_second: Callable[[], None]
    finish: Callable[[str], None]
    add_foreign: Callable[[str], None]
    asked: Callable[[], list[str]]

    def prepare(self, model: str, release: ReleaseId, *, is_broken: bool = False) -> str:
        """Make archive, model and configuration of a release; return their name."""
        name, named = release_name(APP, model, release), ModelName(model)
        self.put(pinned_archive_key(model, release), packed(BROKEN if is_broken else GOOD))
        uri = self.world.releases.archive_uri(named, release)
        self.world.endpoints.create_model(name, model=named, release=release, plan=PLAN, archive_uri=uri)
        self.world.endpoints.create_config(name, model=named, release=release, plan=PLAN)
        return name

    def begin(self, model: str, *, is_broken: bool = False) -> str:
        """Create an endpoint with the first release; it is Creating when this returns. Return its name."""
        config = self.prepare(model, RELEASES[0], is_broken=is_broken)
        name = endpoint_name(APP, model)
        self.world.endpoints.create(name, config, model=ModelName(model), release=RELEASES[0])
        return name

    def start(self, model: str) -> str:
        """Create an endpoint, and wait for it. Return its name."""
        name = self.begin(model)
        self.finish(name)
        return name

    def see(self, name: str) -> Endpoint:
        """Describe an endpoint that must be there."""
        found = self.world.endpoints.find(name)
        assert found is not None, name
        return found


def packed(script: str) -> bytes:
    """Pack one script as code/inference.py."""
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz", compresslevel=1) as tar:
        member = tarfile.TarInfo("code/inference.py")
        member.size = len(script)
        tar.addfile(member, io.BytesIO(script.encode()))
    return into.getvalue()


@contextmanager
def fake_house() -> Iterator[House]:
    """The fakes."""
    world = fake_world()

    def finish(name: str) -> None:
        world.clock.advance(1.5)
        endpoint = world.endpoints.endpoints.get(name)
        config = endpoint and (endpoint.next_config or endpoint.config_name)
        if endpoint and config and _is_broken(world, config) and endpoint.status != "Deleting":
            world.endpoints.fail(name)
        else:
            world.endpoints.settle(name)

    yield House(
        world=world,
        put=world.bucket.put,
        remove=lambda key: world.bucket.objects.pop(key, None) and None,
        pass_second=lambda: world.clock.advance(1),
        finish=finish,
        add_foreign=lambda name: world.endpoints.add(name, "foreign", is_owned=False),
        asked=lambda: [str(model) for model in world.looks.take_all()],
    )


def _is_broken(world: FakeWorld, config: str) -> bool:
    key = world.endpoints.models.get(config, "").removeprefix("s3://bucket/")
    return key in world.bucket.objects and world.bucket.objects[key][0] == packed(BROKEN)


@contextmanager
def embedded_house(state: Path) -> Iterator[House]:
    """The real adapters on the embedded AWS."""
    from tarmac.local.clients import local_client
    from tarmac.local.embedded import EmbeddedAws
    from tarmac.local.stack import ensure_stack

    aws = EmbeddedAws(state, metric_interval_s=0.2)
    aws.start()
    clients: dict[str, Any] = {}
    try:
        stack = ensure_stack(aws.url)
        for name in ("s3", "sqs", "sagemaker", "sagemaker-runtime", "cloudwatch", "application-autoscaling"):
            clients[name] = local_client(name, aws.url)
        yield _embedded(clients, stack.bucket, stack.queue_url)
    finally:
        for client in clients.values():
            client.close()
        aws.stop()


def _embedded(clients: dict[str, Any], bucket_name: str, queue_url: str) -> House:
    s3, sagemaker, sqs = clients["s3"], clients["sagemaker"], clients["sqs"]
    bucket = Bucket(lambda: s3, bucket_name)
    role_arn = "arn:aws:iam::123456789012:role/tarmac"
    endpoints = SageMakerEndpoints(lambda: sagemaker, app=APP, role_arn=role_arn, bucket_name=bucket_name)
    world = World(
        drops=S3Drops(bucket),
        releases=S3Releases(bucket),
        marks=S3Marks(bucket),
        endpoints=endpoints,
        runtime=SageMakerRuntime(lambda: clients["sagemaker-runtime"]),
        metrics=CloudWatchMetrics(lambda: clients["cloudwatch"]),
        looks=SqsLooks(lambda: sqs, queue_url),
        clock=SystemClock(),
        parked=S3Requests(bucket),
        scaling=ApplicationAutoScaling(lambda: clients["application-autoscaling"]),
    )
    theirs = SageMakerEndpoints(lambda: sagemaker, app="theirs", role_arn=role_arn)

    def finish(name: str) -> None:
        until(lambda: (seen := endpoints.find(name)) is None or seen.status not in MODIFYING)

    def add_foreign(name: str) -> None:
        model = name.removeprefix(f"{APP}-")
        foreign = replace(house, world=replace(world, endpoints=theirs))
        config = foreign.prepare(model, RELEASES[0])
        theirs.create(name, config, model=ModelName(model), release=RELEASES[0])

    def asked() -> list[str]:
        got = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages", ())
        for raw in got:
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=raw["ReceiptHandle"])
        named = [json.loads(raw["Body"]).get("model") for raw in got]
        return [model for model in named if model is not None]

    house = House(
        world=world,
        put=lambda key, content: bucket.write(key, content, content_type="application/octet-stream"),
        remove=bucket.delete,
        pass_second=lambda: time.sleep(1.0),
        finish=finish,
        add_foreign=add_foreign,
        asked=asked,
    )
    return house


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.02)
