"""The application's whole main flow through its own three doors, on the embedded AWS, as Lambda would call them.

Yielded as a recording: what each function asks of AWS when everything happens that can happen.
"""

import contextlib
import hashlib
import io
import json
import logging
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from chalice.test import Client

import app
from chalicelib import telemetry
from chalicelib.aws.buckets import COPY_AT_ONCE_BYTES
from chalicelib.errors import AwsError
from chalicelib.state import Drop
from tarmac.local.embedded import EmbeddedAws
from tarmac.local.schedule import scheduled_event
from tarmac.local.stack import LocalStack, ensure_stack
from tests.recording import Recording, at_door, recording

TOKEN = "open sesame"
PAYLOAD = b"asked in confidence"
TTL_S = 2
LAST_RESORTS = "tarmac-test"
LAST_RESORT_ROLE_ARN = "arn:aws:iam::123456789012:role/tarmac-local-last-resort"
HANDLER = """
def model_fn(model_dir): return "model"
def transform_fn(model, body, content_type, accept): return body, content_type
"""


def archive(note: str, *, code: str = HANDLER) -> bytes:
    """A model.tar.gz without weights; another *note* makes other bytes."""
    content = (code + f"# {note}\n").encode()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        member = tarfile.TarInfo("code/inference.py")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


@dataclass
class Flow:
    """The application, its doors, and the person who drops."""

    stack: LocalStack
    client: Client
    s3: Any

    def drop(self, model: str, content: bytes, key: str = "models/{}/model.tar.gz") -> None:
        self.s3.put_object(Bucket=self.stack.bucket, Key=key.format(model), Body=content)

    def http(self, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
        with at_door("api"):
            headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "*/*"}
            if method == "POST":
                headers["Content-Type"] = "application/octet-stream"
            answer = self.client.http.request(method, path, headers=headers, body=body)
        with contextlib.suppress(ValueError):
            return answer.status_code, json.loads(answer.body)
        return answer.status_code, answer.body

    def answer_later(self, model: str, body: bytes, *, within_s: float = 30) -> tuple[int, Any]:
        """Ask an asynchronous model, and wait for the answer."""
        status, raw = self.http("POST", f"/models/{model}/invocations", body)
        assert status == 202, raw
        assert self.http("GET", f"/requests/{model}.{'0' * 32}")[0] == 404
        deadline = time.monotonic() + within_s
        while (found := self.http("GET", raw["answer_path"]))[0] == 202:
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found

    def look(self, model: str) -> None:
        with at_door("look"):
            event = self.client.events.generate_sqs_event([json.dumps({"model": model})])
            self.client.lambda_.invoke("look", event)

    def sweep(self, _model: str = "") -> None:
        with at_door("sweep"):
            self.client.lambda_.invoke("sweep", scheduled_event(datetime.now(UTC)))

    def until(self, model: str, state: str, move: Callable[[str], None], *, within_s: float = 30) -> dict[str, Any]:
        """Move until the API shows a model in a state; None of its states is waited for longer than *within_s*."""
        deadline = time.monotonic() + within_s
        while True:
            _, raw = self.http("GET", f"/models/{model}")
            if raw.get("state") == state or (state == "gone" and "error" in raw):
                return raw
            assert time.monotonic() < deadline, f"{model} does not become {state}: {raw}"
            move(model)
            time.sleep(0.1)


@contextlib.contextmanager
def application(tmp_path: Path, set_environment: Callable[[Mapping[str, str]], None]) -> Iterator[Flow]:
    """Run the application on an embedded AWS of its own."""
    aws = EmbeddedAws(tmp_path / "state", metric_interval_s=0.2)
    aws.start()
    try:
        stack = ensure_stack(aws.url)
        set_environment(
            {
                "AWS_ENDPOINT_URL": aws.url,
                "AWS_REGION": "us-east-1",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "local",
                "AWS_SECRET_ACCESS_KEY": "local",
                "TARMAC_APP": "tarmac",
                "TARMAC_BUCKET": stack.bucket,
                "TARMAC_QUEUE_URL": stack.queue_url,
                "TARMAC_ROLE_ARN": stack.role_arn,
                "TARMAC_IDLE_AFTER": f"{TTL_S}s",
                "TARMAC_IDLE_FLOOR": "1s",
                "TARMAC_RELEASES_KEPT": "1",
                "TARMAC_MAX_ENDPOINTS": "10",
                "TARMAC_LAST_RESORT_GROUP": LAST_RESORTS,
                "TARMAC_LAST_RESORT_ROLE_ARN": LAST_RESORT_ROLE_ARN,
                "TARMAC_TOKEN_SHA256": hashlib.sha256(TOKEN.encode()).hexdigest(),
            }
        )
        boto3.setup_default_session()
        boto3.client("scheduler").create_schedule_group(Name=LAST_RESORTS)
        app.application.cache_clear()
        with Client(app.app) as client:
            yield Flow(stack, client, boto3.client("s3"))
    finally:
        app.application.cache_clear()
        boto3.setup_default_session()
        aws.stop()


class _Keeper(logging.Handler):
    """Keeps every line whole, with all that was put into it."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(f"{record.getMessage()} {vars(record)}")


@contextlib.contextmanager
def logged(lines: list[str]) -> Iterator[None]:
    """Keep what the application logs and counts."""
    keeper, emit = _Keeper(lines), telemetry.emit
    telemetry.logger.addHandler(keeper)
    telemetry.set_emitter(lambda raw: lines.append(json.dumps(raw)))
    try:
        yield
    finally:
        telemetry.set_emitter(emit)
        telemetry.logger.removeHandler(keeper)


def run_main_flow(flow: Flow) -> Recording:
    """Live through a model's life twice: once moved by the queue's looks, once by sweeps alone (all events lost)."""
    with recording() as made, logged(made.log):
        flow.http("GET", "/health")
        flow.http("GET", "/models")
        for model, move in (("looked", flow.look), ("swept", flow.sweep)):
            # Each function is a process of its own on AWS, and remembers nothing of what another one asked.
            app.application.cache_clear()
            _live(flow, model, move)
        with at_door("look"):
            _give_up_a_large_copy("looked")
        with at_door("sweep"):
            _give_up_a_large_copy("swept")
    return made


def _live(flow: Flow, model: str, move: Callable[[str], None]) -> None:
    refused = f"{model}-not-gzip"
    flow.drop(refused, b"not gzip at all")
    flow.until(refused, "refused", move)
    flow.http("DELETE", f"/models/{refused}")
    flow.until(refused, "gone", move)

    flow.drop(model, archive("first"))
    flow.drop(model, b'instance_type = "ml.m5.large"\n', "models/{}/deploy.toml")
    flow.until(model, "ready", move)
    assert flow.http("POST", f"/models/{model}/invocations", PAYLOAD) == (200, PAYLOAD)

    # S3's times have whole seconds: a mark in the same second as the last use counts as awake.
    time.sleep(1.1)
    flow.http("POST", f"/models/{model}/sleep")
    flow.until(model, "asleep", flow.sweep)
    status, raw = flow.http("POST", f"/models/{model}/invocations", PAYLOAD)
    assert (status, raw["error"]["code"]) == (503, "model_asleep")
    flow.until(model, "ready", move)

    flow.drop(model, archive("second"))
    move(model)
    flow.until(model, "ready", move)
    move(model)

    _, raw = flow.http("GET", f"/models/{model}")
    body = json.dumps({"release": raw["release"]}).encode()
    assert flow.http("POST", f"/models/{model}/rollback", body)[0] == 202
    time.sleep(1.1)

    flow.drop(model, archive("broken", code=HANDLER + "raise SystemExit('it cannot start')\n"))
    deadline = time.monotonic() + 30
    while "does not start" not in flow.http("GET", f"/models/{model}")[1]["why"]:
        assert time.monotonic() < deadline, flow.http("GET", f"/models/{model}")
        move(model)
        time.sleep(0.1)
    flow.http("POST", f"/models/{model}/wake")
    move(model)

    scaled = f"{model}-scaled"
    flow.drop(scaled, archive("scaled"))
    flow.drop(scaled, b"[autoscale]\nmax = 3\n", "models/{}/deploy.toml")
    flow.until(scaled, "ready", move)
    move(scaled)
    flow.drop(scaled, archive("scaled again"))
    flow.until(scaled, "updating", move)
    flow.until(scaled, "ready", move)
    flow.drop(scaled, b'mode = "serverless"\n', "models/{}/deploy.toml")
    move(scaled)
    flow.http("DELETE", f"/models/{scaled}")
    flow.until(scaled, "gone", move)
    move(scaled)

    flow.http("GET", "/models")
    queued = f"{model}-queued"
    flow.drop(queued, archive("queued"))
    flow.drop(queued, b'mode = "async"\n', "models/{}/deploy.toml")
    flow.until(queued, "ready", move)
    assert flow.answer_later(queued, PAYLOAD) == (200, PAYLOAD)
    flow.http("DELETE", f"/models/{queued}")
    # What is parked goes with its model.
    flow.until(queued, "gone", move)
    move(queued)

    flow.http("DELETE", f"/models/{model}")
    flow.until(model, "gone", move)
    move(model)


def _give_up_a_large_copy(model: str) -> None:
    """Pin a drop that says it is over 5 GiB and is not there: the copy is begun in parts, and given up."""
    looker = app.application().looker
    drop = Drop(
        model=model,
        archive_key=f"models/{model}/model.tar.gz",
        archive_etag="0" * 32,
        size_bytes=COPY_AT_ONCE_BYTES + 1,
        dropped_at=looker.clock.now(),
    )
    with contextlib.suppress(AwsError):
        looker.releases.pin(drop)
