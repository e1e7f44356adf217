"""The whole application through its own doors: Chalice's test client, the embedded AWS, real model processes."""

import io
import json
import os
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chalice.test import Client, HTTPResponse

from tarmac.local.clients import local_client
from tarmac.local.embedded import EmbeddedAws
from tarmac.local.stack import LocalStack, ensure_stack
from tarmac.local.up import application_environment
from tests.recording import at_door, recording
from tests.stack.judging import denied

TOKEN = "a-token-of-the-tests"
ECHO = """
import json

def model_fn(model_dir):
    return open(f"{model_dir}/words.txt").read()

def transform_fn(words, body, content_type, accept):
    if content_type == "application/x-words":
        return words, "text/plain"
    if body == b"defect":
        raise RuntimeError("the model's own defect")
    return body, content_type
"""
"""A model that answers what it is asked, or what words it was made with: real hooks, and it starts in half a second."""


def archive_of(files: Mapping[str, bytes | str]) -> bytes:
    """Pack files as model.tar.gz."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:
        for name, content in files.items():
            raw = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            tar.addfile(member, io.BytesIO(raw))
    return packed.getvalue()


def echo_archive(words: str = "hello") -> bytes:
    """Pack the echo model with words of its own."""
    return archive_of({"code/inference.py": ECHO, "words.txt": words})


@dataclass
class Doors:
    """The application's doors, and the AWS behind it. Nothing moves by itself: the test plays Lambda's part."""

    client: Client
    s3: Any
    sqs: Any
    sagemaker: Any
    runtime: Any
    stack: LocalStack

    def http(
        self, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None, token: str = TOKEN
    ) -> HTTPResponse:
        """Send a request through the API's door, with the token."""
        sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **(headers or {})}
        verb: Callable[..., HTTPResponse] = getattr(self.client.http, method.lower())
        with at_door("api"):
            return verb(path, headers=sent, body=body)

    def drop(self, model: str, archive: bytes, *, toml: str | None = None, is_flat: bool = False) -> None:
        """Upload as a person would."""
        if toml is not None:
            self.s3.put_object(Bucket=self.stack.bucket, Key=f"models/{model}/deploy.toml", Body=toml.encode())
        key = f"models/{model}.tar.gz" if is_flat else f"models/{model}/model.tar.gz"
        self.s3.put_object(Bucket=self.stack.bucket, Key=key, Body=archive)

    def messages(self) -> list[dict[str, Any]]:
        """Take what lies in the queue."""
        taken: list[dict[str, Any]] = []
        while got := self.sqs.receive_message(
            QueueUrl=self.stack.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=0
        ).get("Messages"):
            for raw in got:
                self.sqs.delete_message(QueueUrl=self.stack.queue_url, ReceiptHandle=raw["ReceiptHandle"])
                taken.append({"messageId": raw["MessageId"], "body": raw["Body"]})
        return taken

    def deliver(self) -> dict[str, Any]:
        """Hand what lies in the queue to the queue's door, as Lambda does."""
        return self.look([message["body"] for message in self.messages()])

    def look(self, bodies: list[str]) -> dict[str, Any]:
        """Hand these messages to the queue's door."""
        event = self.client.events.generate_sqs_event(bodies, queue_name="looks")
        with at_door("look"):
            answer: dict[str, Any] = self.client.lambda_.invoke("look", event).payload
        return answer

    def sweep(self) -> dict[str, Any]:
        """Run the schedule's door once."""
        event = self.client.events.generate_cw_event(
            source="aws.events", detail_type="Scheduled Event", detail={}, resources=[], region="us-east-1"
        )
        with at_door("sweep"):
            answer: dict[str, Any] = self.client.lambda_.invoke("sweep", event).payload
        return answer

    def state(self, model: str) -> str:
        """The model's state in one word; 'absent' for 404."""
        answer = self.http("GET", f"/models/{model}")
        return "absent" if answer.status_code == 404 else str(answer.json_body["state"])

    def until(self, model: str, *states: str, timeout_s: float = 30) -> str:
        """Deliver messages until the model is in one of these states."""
        deadline = time.monotonic() + timeout_s
        while True:
            self.deliver()
            state = self.state(model)
            if state in states:
                return state
            assert time.monotonic() < deadline, f"{model} is {state}, not {states}: {self.show(model)}"
            time.sleep(0.05)

    def show(self, model: str) -> dict[str, Any]:
        """GET /models/{name}."""
        shown: dict[str, Any] = self.http("GET", f"/models/{model}").json_body
        return shown

    def keys(self, prefix: str) -> list[str]:
        """What lies under a prefix of the bucket."""
        listed = self.s3.list_objects_v2(Bucket=self.stack.bucket, Prefix=prefix)
        return [raw["Key"] for raw in listed.get("Contents", ())]

    def report(self, model: str) -> dict[str, Any]:
        """Read the newest report.json straight from the bucket."""
        key = next(key for key in self.keys(f"releases/{model}/") if key.endswith("report.json"))
        raw: dict[str, Any] = json.loads(self.s3.get_object(Bucket=self.stack.bucket, Key=key)["Body"].read())
        return raw


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """The application on the embedded AWS, TTL 2 s, in this process."""
    state: Path = tmp_path_factory.mktemp("state")
    saved = dict(os.environ)
    aws = EmbeddedAws(state, metric_interval_s=0.5)
    aws.start()
    stack = ensure_stack(aws.url)
    os.environ |= application_environment(aws.url, stack, token=TOKEN, idle_after="2s")

    import app

    app.application.cache_clear()
    clients = {name: local_client(name, aws.url) for name in ("s3", "sqs", "sagemaker", "sagemaker-runtime")}
    try:
        with recording() as recorded, Client(app.app) as client:
            yield Doors(
                client=client,
                s3=clients["s3"],
                sqs=clients["sqs"],
                sagemaker=clients["sagemaker"],
                runtime=clients["sagemaker-runtime"],
                stack=stack,
            )
    finally:
        for made in clients.values():
            made.close()
        aws.stop()
        app.application.cache_clear()
        os.environ.clear()
        os.environ.update(saved)
    refused = denied(recorded.calls)
    assert not refused, "IAM would have refused:\n" + "\n".join(refused)
