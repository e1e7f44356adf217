"""Where stock moto's S3 is not S3: each test shows it first, then the embedded AWS doing it right."""

import json
import re
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.local.aws_worlds import World, embedded_process, ours, stock, stock_moto

__all__ = ["ours", "stock"]  # fixtures

PART = b"p" * (5 << 20)


def multipart(world: World, bucket: str, key: str, parts: list[bytes]) -> str:
    upload = world.s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    done = [
        {
            "PartNumber": number,
            "ETag": world.s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part)["ETag"],
        }
        for number, part in enumerate(parts, 1)
    ]
    answer = world.s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done}
    )
    return str(answer["ETag"])


def told(world: World, queue: str) -> list[dict[str, Any]]:
    return [json.loads(body) for body in world.received(queue)]


def kinds(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["detail-type"], event["detail"]["reason"]) for event in events]


def refusal(call: Any, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_a_multipart_upload_tells_exactly_one_event(stock: World, ours: World) -> None:
    stock_queue, queue = stock.events_queue("one-event", "one-event"), ours.events_queue("one-event", "one-event")

    for world in (stock, ours):
        multipart(world, "one-event", "models/a b/c.tar.gz", [PART, b"end"])
    wrong, right = told(stock, stock_queue), told(ours, queue)

    assert len(wrong) > 1
    assert kinds(right) == [("Object Created", "CompleteMultipartUpload")]
    assert right[0]["detail"]["object"]["key"] == "models/a b/c.tar.gz"
    assert right[0]["detail"]["object"]["size"] == len(PART) + 3


def test_a_put_tells_exactly_one_event_with_aws_own_reason(stock: World, ours: World) -> None:
    stock_queue, queue = stock.events_queue("put-event", "put-event"), ours.events_queue("put-event", "put-event")

    for world in (stock, ours):
        world.s3.put_object(Bucket="put-event", Key="k", Body=b"x", Tagging="a=b")
        world.s3.copy_object(Bucket="put-event", Key="k2", CopySource="put-event/k")
    wrong, right = told(stock, stock_queue), told(ours, queue)

    assert ("Object Tags Added", "ObjectTagging") in kinds(wrong)
    assert kinds(right) == [("Object Created", "PutObject"), ("Object Created", "CopyObject")]


def test_sequencers_grow_with_every_write(stock: World, ours: World) -> None:
    stock_queue, queue = stock.events_queue("sequence", "sequence"), ours.events_queue("sequence", "sequence")

    for world in (stock, ours):
        for body in (b"1", b"2", b"3"):
            world.s3.put_object(Bucket="sequence", Key="k", Body=body)
        world.s3.delete_object(Bucket="sequence", Key="k")
    wrong = {event["detail"]["object"]["sequencer"] for event in told(stock, stock_queue)}
    right = [event["detail"]["object"]["sequencer"] for event in told(ours, queue)]

    assert len(wrong) == 1
    assert right == sorted(set(right))
    assert len(right) == 4
    assert all(re.fullmatch("[0-9A-F]+", one) for one in right)


def test_a_delete_marker_is_told(stock: World, ours: World) -> None:
    stock_queue, queue = stock.events_queue("markers", "markers"), ours.events_queue("markers", "markers")

    for world in (stock, ours):
        world.s3.put_bucket_versioning(Bucket="markers", VersioningConfiguration={"Status": "Enabled"})
        version = world.s3.put_object(Bucket="markers", Key="k", Body=b"1")["VersionId"]
        world.s3.delete_object(Bucket="markers", Key="k")
        world.s3.delete_object(Bucket="markers", Key="k", VersionId=version)
    wrong, right = told(stock, stock_queue), told(ours, queue)

    assert "Object Deleted" not in {event["detail-type"] for event in wrong}
    assert [event["detail"].get("deletion-type") for event in right] == [
        None,
        "Delete Marker Created",
        "Permanently Deleted",
    ]
    assert right[2]["detail"]["object"]["version-id"] == version


def test_a_disabled_rule_and_a_schedule_get_no_events(stock: World, ours: World) -> None:
    received = []

    for world in (stock, ours):
        queue = world.events_queue("disabled", "disabled")
        world.events.disable_rule(Name="disabled")
        world.events.put_rule(Name="clock", ScheduleExpression="rate(5 minutes)")
        targets = world.events.list_targets_by_rule(Rule="disabled")["Targets"]
        world.events.put_targets(Rule="clock", Targets=targets)
        world.s3.put_object(Bucket="disabled", Key="k", Body=b"x")
        received.append(world.received(queue))
        world.events.remove_targets(Rule="clock", Ids=["1"])

    assert len(received[0]) > 0
    assert received[1] == []


def test_the_notification_configuration_comes_back_as_it_was_put(stock: World, ours: World) -> None:
    shown = []

    for world in (stock, ours):
        world.events_queue("shown", "shown")
        shown.append(world.s3.get_bucket_notification_configuration(Bucket="shown"))

    assert "EventBridgeConfiguration" not in shown[0]
    assert shown[1]["EventBridgeConfiguration"] == {}


def test_a_queue_notification_leaves_slashes_alone_and_has_a_sequencer(stock: World, ours: World) -> None:
    objects = []

    for world in (stock, ours):
        url = world.sqs.create_queue(QueueName="direct")["QueueUrl"]
        arn = world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        world.s3.create_bucket(Bucket="direct")
        wanted = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
        world.s3.put_bucket_notification_configuration(Bucket="direct", NotificationConfiguration=wanted)
        world.s3.put_object(Bucket="direct", Key="models/red flower.jpg", Body=b"x")
        records = [json.loads(body) for body in world.received(url)]
        objects.append([one["Records"][0]["s3"]["object"] for one in records if "Records" in one])

    assert objects[0][0]["key"] == "models%2Fred+flower.jpg"
    assert "sequencer" not in objects[0][0]
    assert [one["key"] for one in objects[1]] == ["models/red+flower.jpg"]
    assert objects[1][0]["sequencer"]


def test_a_copy_whose_source_has_changed_is_refused(stock: World, ours: World) -> None:
    call = {"Bucket": "copies", "Key": "b", "CopySource": "copies/a", "CopySourceIfMatch": '"0123"'}
    for world in (stock, ours):
        world.s3.create_bucket(Bucket="copies")
        world.s3.put_object(Bucket="copies", Key="a", Body=b"x")

    stock.s3.copy_object(**call)

    assert refusal(ours.s3.copy_object, **call) == (412, "PreconditionFailed")
    assert ours.s3.list_objects_v2(Bucket="copies")["KeyCount"] == 1


def test_a_body_that_is_not_what_was_declared_is_refused(stock: World, ours: World) -> None:
    call = {"Bucket": "digests", "Key": "k", "Body": b"abc", "ContentMD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}
    checksum = {"Bucket": "digests", "Key": "k", "Body": b"abc", "ChecksumCRC32": "AAAAAA=="}
    for world in (stock, ours):
        world.s3.create_bucket(Bucket="digests")

    stock.s3.put_object(**call)
    stock.s3.put_object(**checksum)

    assert refusal(ours.s3.put_object, **call) == (400, "BadDigest")
    assert refusal(ours.s3.put_object, **checksum) == (400, "BadDigest")
    assert ours.s3.list_objects_v2(Bucket="digests")["KeyCount"] == 0


def test_a_part_of_an_upload_that_is_not_there_is_refused_by_name(stock: World, ours: World) -> None:
    call = {"Bucket": "noupload", "Key": "k", "UploadId": "nope", "PartNumber": 1, "Body": b"x"}
    for world in (stock, ours):
        world.s3.create_bucket(Bucket="noupload")

    assert refusal(stock.s3.upload_part, **call)[0] == 500
    assert refusal(ours.s3.upload_part, **call) == (404, "NoSuchUpload")


def test_keys_with_double_slashes_are_keys(stock: World, ours: World) -> None:
    listed = []

    for world in (stock, ours):
        world.s3.create_bucket(Bucket="slashes")
        for key in ("a//b", "a/b", "c/"):
            world.s3.put_object(Bucket="slashes", Key=key, Body=key.encode())
        listed.append([one["Key"] for one in world.s3.list_objects_v2(Bucket="slashes")["Contents"]])

    assert listed[1] == ["a/b", "a//b", "c/"] or listed[1] == ["a//b", "a/b", "c/"]
    assert ours.s3.get_object(Bucket="slashes", Key="a//b")["Body"].read() == b"a//b"


def test_an_operation_that_is_missing_is_named_and_not_tried_again(stock: World, ours: World) -> None:
    def error(world: World) -> dict[str, Any]:
        with pytest.raises(ClientError) as caught:
            world.cloudwatch.list_metric_streams()
        return caught.value.response

    wrong, right = error(stock), error(ours)

    assert wrong["ResponseMetadata"]["RetryAttempts"] > 0
    assert right["ResponseMetadata"]["RetryAttempts"] == 0
    assert right["Error"]["Code"] == "NotImplemented"
    assert "ListMetricStreams" in right["Error"]["Message"]


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("sagemaker", "update_hub", {"HubName": "h"}),
        ("lambda", "get_account_settings", {}),
        ("s3", "list_bucket_analytics_configurations", {"Bucket": "one-event"}),
        ("iam", "list_organizations_features", {}),
        ("pricing", "get_products", {"ServiceCode": "AmazonSageMaker"}),
    ],
)
def test_every_protocol_gets_errors_it_can_read(
    ours: World, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    client = getattr(ours, service)

    status, code = refusal(getattr(client, operation), **arguments)

    assert (status, code) == (501, "NotImplemented")


def test_objects_survive_a_kill(tmp_path: Path) -> None:
    with stock_moto() as world:
        world.s3.create_bucket(Bucket="kept")
        world.s3.put_object(Bucket="kept", Key="k", Body=b"x")
    with stock_moto() as world:
        assert world.s3.list_buckets()["Buckets"] == []

    with embedded_process(tmp_path / "state") as (world, process):
        world.events_queue("kept", "kept")
        world.s3.put_object(Bucket="kept", Key="k", Body=b"old")
        put = world.s3.put_object(Bucket="kept", Key="k", Body=b"x", Metadata={"who_am-i": "me"}, Tagging="a=b")
        multipart(world, "kept", "big", [PART, b"end"])
        world.s3.copy_object(Bucket="kept", Key="copy", CopySource="kept/big")
        world.s3.put_object(Bucket="kept", Key="gone", Body=b"x")
        world.s3.delete_object(Bucket="kept", Key="gone")
        head = world.s3.head_object(Bucket="kept", Key="big")
        world.s3.create_multipart_upload(Bucket="kept", Key="half")
        process.kill()
        process.wait()

    with embedded_process(tmp_path / "state") as (world, _):
        found = world.s3.get_object(Bucket="kept", Key="k")
        again = world.s3.head_object(Bucket="kept", Key="big")
        assert found["Body"].read() == b"x"
        assert (found["ETag"], found["Metadata"], found["TagCount"]) == (put["ETag"], {"who_am-i": "me"}, 1)
        assert (again["ETag"], again["LastModified"]) == (head["ETag"], head["LastModified"])
        assert world.s3.get_object(Bucket="kept", Key="copy", PartNumber=2)["Body"].read() == b"end"
        assert [one["Key"] for one in world.s3.list_objects_v2(Bucket="kept")["Contents"]] == ["big", "copy", "k"]
        assert "EventBridgeConfiguration" in world.s3.get_bucket_notification_configuration(Bucket="kept")
        assert len(list((tmp_path / "state" / "objects").iterdir())) == 3


def test_a_large_object_is_not_held_in_memory(tmp_path: Path) -> None:
    size = 96 << 20
    source = tmp_path / "source"
    with source.open("wb") as file:
        file.truncate(size)

    def growth(world: World, pid: int) -> float:
        world.s3.create_bucket(Bucket="large")
        world.s3.put_object(Bucket="large", Key="warm", Body=b"x")
        _forget_peak(pid)
        before = psutil.Process(pid).memory_info().rss
        with source.open("rb") as body:
            world.s3.put_object(Bucket="large", Key="k", Body=body)
        world.s3.copy_object(Bucket="large", Key="k2", CopySource="large/k")
        for chunk in world.s3.get_object(Bucket="large", Key="k2")["Body"].iter_chunks(1 << 20):
            assert len(chunk) <= 1 << 20
        return float(_peak(pid) - before) / size

    with stock_moto() as world:
        port = int(world.url.rpartition(":")[2])
        stock_growth = growth(world, _listener(port))
    with embedded_process(tmp_path / "state") as (world, process):
        our_growth = growth(world, process.pid)

    assert stock_growth > 1
    assert our_growth < 0.25


def _listener(port: int) -> int:
    for connection in psutil.net_connections("tcp"):
        if connection.laddr and connection.laddr.port == port and connection.status == "LISTEN":
            return int(connection.pid)
    raise LookupError(port)


def _forget_peak(pid: int) -> None:
    """Have the kernel count from now on: what imports took for a moment at the start is no object's."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError(pid)
