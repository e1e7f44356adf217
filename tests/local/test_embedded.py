"""The embedded AWS as a whole: its port, its silence, its start and stop, and the stack that is made on it."""

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from moto import mock_aws

from tarmac.local.clients import local_client
from tarmac.local.embedded import EmbeddedAws
from tarmac.local.s3_events import put_event
from tarmac.local.server import PortInUse
from tarmac.local.stack import ensure_stack
from tests.local.aws_worlds import ROOT, World, embedded, embedded_process

QUIET = """
import sys
from pathlib import Path
from tarmac.local.embedded import EmbeddedAws
from tarmac.local.stack import ensure_stack
from tarmac.local.clients import local_client
aws = EmbeddedAws(Path(sys.argv[1]))
aws.start()
ensure_stack(aws.url)
for service, call in (("s3", "list_buckets"), ("ec2", "describe_regions"), ("dynamodb", "list_tables"),
                      ("budgets", "describe_budgets"), ("sagemaker", "list_hubs"), ("nimble", "list_studios")):
    try:
        getattr(local_client(service, aws.url), call)()
    except Exception:
        pass
aws.stop()
"""


def test_it_stops_without_a_trace(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    aws = EmbeddedAws(tmp_path)
    aws.start()
    port = int(aws.url.rpartition(":")[2])
    connection = socket.create_connection(("127.0.0.1", port))
    client = local_client("s3", aws.url)
    client.list_buckets()

    aws.stop()
    client.close()
    connection.close()

    assert not set(threading.enumerate()) - before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    with pytest.raises(RuntimeError):
        _ = aws.url


def test_moto_is_moto_again_after_the_stop(tmp_path: Path) -> None:
    with embedded(tmp_path) as world:
        world.s3.create_bucket(Bucket="ours")

    import boto3

    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b", config=None)
        s3.create_bucket(Bucket="theirs")
        s3.put_object(Bucket="theirs", Key="k", Body=b"x")
        assert s3.get_object(Bucket="theirs", Key="k")["Body"].read() == b"x"
        assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == ["theirs"]
        sagemaker = boto3.client("sagemaker", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        assert sagemaker.list_endpoints()["Endpoints"] == []

    with embedded(tmp_path) as world:
        assert [one["Name"] for one in world.s3.list_buckets()["Buckets"]] == ["ours"]


def test_a_port_in_use_is_said_and_nothing_is_left_running(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(PortInUse) as caught:
            EmbeddedAws(tmp_path, port=port).start()

    assert caught.value.port == port
    assert str(port) in str(caught.value)
    assert set(threading.enumerate()) == before


def test_there_is_one_at_a_time_in_a_process(tmp_path: Path) -> None:
    with embedded(tmp_path / "a"), pytest.raises(RuntimeError):
        EmbeddedAws(tmp_path / "b").start()


def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    with embedded_process(tmp_path) as (world, process):
        port = world.url.rpartition(":")[2]
        listening = [
            line.split()[1]
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/{process.pid}/net/{table}").read_text().splitlines()[1:]
            if line.split()[1].endswith(f":{int(port):04X}") and line.split()[3] == "0A"
        ]

    assert listening == [f"0100007F:{int(port):04X}"]


def test_it_says_nothing_on_the_terminal(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUIET, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_any_key_opens_it_and_the_account_is_the_same(tmp_path: Path) -> None:
    import boto3

    with embedded(tmp_path) as world:
        arns = set()
        for key in ("AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "x"):
            sts = boto3.client(
                "sts", endpoint_url=world.url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key="y"
            )
            arns.add(sts.get_caller_identity()["Account"])
            sts.close()

    assert arns == {"123456789012"}


def test_the_stack_is_made_once_and_stays(tmp_path: Path) -> None:
    with embedded(tmp_path) as world:
        first = ensure_stack(world.url)
        world.s3.put_object(Bucket=first.bucket, Key="models/a/model.tar.gz", Body=b"x")
        rules = world.events.list_rules()["Rules"]
        created = world.s3.list_buckets()["Buckets"]

        again = ensure_stack(world.url)

        assert again == first
        assert world.events.list_rules()["Rules"] == rules
        assert len(world.events.list_targets_by_rule(Rule="tarmac-drops")["Targets"]) == 1
        assert len(world.received(first.queue_url)) == 1
    with embedded(tmp_path) as world:
        after = ensure_stack(world.url)
        assert world.s3.list_buckets()["Buckets"] == created
        assert world.s3.list_objects_v2(Bucket=after.bucket)["KeyCount"] == 1
        assert world.received(after.queue_url) == []


@pytest.mark.parametrize(
    ("key", "is_told"),
    [
        ("models/a/model.tar.gz", True),
        ("models/a b+ü/model.tar.gz", True),
        ("models/a.tar.gz", True),
        ("models/a/deploy.toml", True),
        ("models/a/readme.md", False),
        ("models/model.tar", False),
        ("releases/a/0123/model.tar.gz", False),
        ("usage/a", False),
        ("xmodels/a/model.tar.gz", False),
    ],
)
def test_only_drops_are_told_to_the_queue(tmp_path: Path, key: str, is_told: bool) -> None:
    with embedded(tmp_path) as world:
        stack = ensure_stack(world.url)

        world.s3.put_object(Bucket=stack.bucket, Key=key, Body=b"x")
        world.s3.delete_object(Bucket=stack.bucket, Key=key)
        events = [json.loads(body) for body in world.received(stack.queue_url)]

    assert [event["detail-type"] for event in events] == (["Object Created", "Object Deleted"] if is_told else [])
    assert {event["detail"]["object"]["key"] for event in events} <= {key}


def test_a_message_tried_too_often_goes_to_the_dead_letters(tmp_path: Path) -> None:
    with embedded(tmp_path) as world:
        stack = ensure_stack(world.url)
        put_event("aws.sagemaker", "SageMaker Endpoint State Change", {"EndpointName": "e"}, ["arn:x"])

        for _ in range(6):
            for message in world.sqs.receive_message(QueueUrl=stack.queue_url).get("Messages", ()):
                at = {"QueueUrl": stack.queue_url, "ReceiptHandle": message["ReceiptHandle"]}
                world.sqs.change_message_visibility(**at, VisibilityTimeout=0)
        dead = [json.loads(body) for body in world.received(stack.dead_letter_queue_url)]

    assert [event["detail"] for event in dead] == [{"EndpointName": "e"}]
    assert dead[0]["resources"] == ["arn:x"]


def test_an_event_is_told_when_the_object_can_be_read(tmp_path: Path) -> None:
    with embedded(tmp_path) as world:
        stack = ensure_stack(world.url)
        seen: list[Any] = []

        def consume() -> None:
            reader = World(world.url)
            while len(seen) < 20:
                answer = reader.sqs.receive_message(QueueUrl=stack.queue_url, WaitTimeSeconds=2, MaxNumberOfMessages=10)
                for message in answer.get("Messages", ()):
                    detail = json.loads(message["Body"])["detail"]["object"]
                    head = reader.s3.head_object(Bucket=stack.bucket, Key=detail["key"])
                    seen.append((head["ETag"].strip('"') == detail["etag"], head["Metadata"]))
            reader.close()

        consumer = threading.Thread(target=consume)
        consumer.start()
        for number in range(20):
            world.s3.put_object(
                Bucket=stack.bucket, Key=f"models/m{number}.tar.gz", Body=b"x" * number, Metadata={"n": "1"}
            )
        consumer.join(20)

    assert seen == [(True, {"n": "1"})] * 20


def test_errors_of_broken_requests_are_answers(tmp_path: Path) -> None:
    with embedded(tmp_path) as world:
        world.s3.create_bucket(Bucket="broken")
        xml = httpx.post(f"{world.url}/broken?delete", content=b"<Delete><", headers=_signed("s3"))
        garbage = httpx.post(world.url, content=b"{", headers=_signed("sqs") | {"X-Amz-Target": "AmazonSQS.ListQueues"})
        unknown = httpx.get(f"{world.url}/x", headers=_signed("no-such-service"))

    assert (xml.status_code, "MalformedXML" in xml.text) == (400, True)
    assert garbage.status_code in {200, 400, 500}
    assert (unknown.status_code, unknown.json()["__type"]) == (501, "NotImplemented")


def _signed(service: str) -> dict[str, str]:
    scope = f"AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}
