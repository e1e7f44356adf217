"""What the tests of the embedded AWS share: stock moto in a process of its own, ours in this one, and the AWS CLI."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tarmac.local.clients import local_client
from tarmac.local.embedded import EmbeddedAws
from tarmac.local.s3_backend import LocalS3

T = TypeVar("T")
ROOT = Path(__file__).parents[2]


class World:
    """An AWS at an address, and clients for it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients: dict[str, Any] = {}

    def __getattr__(self, service: str) -> Any:
        if service.startswith("_"):
            raise AttributeError(service)
        if service not in self._clients:
            self._clients[service] = local_client(service, self.url)
        return self._clients[service]

    def close(self) -> None:
        """Close the clients' connections."""
        for client in self._clients.values():
            client.close()

    def events_queue(self, bucket: str, name: str) -> str:
        """Make a bucket that tells EventBridge, and a queue that gets all that it tells."""
        url: str = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.events.put_rule(Name=name, EventPattern='{"source": ["aws.s3"]}')
        self.events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn}])
        self.s3.create_bucket(Bucket=bucket)
        self.s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        return url

    def received(self, queue_url: str) -> list[str]:
        """Every message's body that is there now, in order."""
        bodies: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(message["Body"])
                self.sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return bodies


def until(look: Callable[[], T], *, timeout_s: float = 20) -> T:
    """Look until there is something to see."""
    deadline = time.monotonic() + timeout_s
    while not (seen := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return seen


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a process of its own until the block ends."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def is_up() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    try:
        until(is_up, timeout_s=30)
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def stock_moto() -> Iterator[World]:
    """moto as it comes."""
    port = free_port()
    with serving([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port):
        world = World(f"http://127.0.0.1:{port}")
        yield world
        world.close()


@contextlib.contextmanager
def embedded(state: Path) -> Iterator[World]:
    """Ours, in this process."""
    aws = EmbeddedAws(state)
    aws.start()
    world = World(aws.url)
    try:
        yield world
    finally:
        world.close()
        aws.stop()


EMBEDDED_PROCESS = """
import sys
from pathlib import Path
from tarmac.local.embedded import EmbeddedAws
aws = EmbeddedAws(Path(sys.argv[1]), port=int(sys.argv[2]))
aws.start()
sys.stdin.read()
aws.stop()
"""


@contextlib.contextmanager
def embedded_process(state: Path) -> Iterator[tuple[World, subprocess.Popen[bytes]]]:
    """Ours, in a process that can be killed."""
    port = free_port()
    with serving([sys.executable, "-c", EMBEDDED_PROCESS, str(state), str(port)], port) as process:
        world = World(f"http://127.0.0.1:{port}")
        yield world, process
        world.close()


def store_path(bucket: str, key: str) -> Path:
    """The file behind an object of the engine in this process."""
    return LocalS3.store.path_of(bucket, key)


def aws_cli(url: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the real AWS CLI."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")} | {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    done = subprocess.run(
        [Path(sys.executable).parent / "aws", *words],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if check:
        assert done.returncode == 0, done.stderr + done.stdout
    return done


@pytest.fixture(scope="module")
def stock() -> Iterator[World]:
    """Stock moto, for as long as a module's tests."""
    with stock_moto() as world:
        yield world


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The embedded AWS, for as long as a module's tests."""
    with embedded(tmp_path_factory.mktemp("state")) as world:
        yield world
