"""S3 of the embedded AWS as its users meet it: SDK, AWS CLI, presigned addresses, bare HTTP, and bad luck."""

import base64
import hashlib
import os
import signal
import socket
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import httpx
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, HTTPClientError

from tarmac.local import checksums
from tests.local.aws_worlds import (
    EMBEDDED_PROCESS,
    World,
    aws_cli,
    embedded_process,
    free_port,
    ours,
    serving,
    store_path,
    until,
)

__all__ = ["ours"]  # a fixture

BUCKET = "objects"
ODD_KEYS = [
    "a b",
    "a+b",
    "a%2Bb",
    "über/ß 雪.tar.gz",
    "a//b",
    "a/./b",
    "q?x=1&y",
    "h#a;b",
    "tilde~'()*!",
    "e\\f",
    'q"q',
]


@pytest.fixture(scope="module")
def world(ours: World) -> World:
    ours.s3.create_bucket(Bucket=BUCKET)
    return ours


def status_of(call: Any, **arguments: Any) -> int:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return int(caught.value.response["ResponseMetadata"]["HTTPStatusCode"])


def files() -> set[str]:
    return {path.name for path in store_path(BUCKET, "anchor").parent.iterdir()}


@pytest.fixture
def anchored(world: World) -> World:
    world.s3.put_object(Bucket=BUCKET, Key="anchor", Body=b"anchor")
    return world


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_keys_go_in_and_come_back(world: World, key: str) -> None:
    world.s3.put_object(Bucket=BUCKET, Key=f"odd/{key}", Body=key.encode())
    world.s3.copy_object(Bucket=BUCKET, Key=f"odd-copy/{key}", CopySource={"Bucket": BUCKET, "Key": f"odd/{key}"})

    listed = {one["Key"] for one in world.s3.list_objects_v2(Bucket=BUCKET, Prefix="odd/")["Contents"]}
    read = world.s3.get_object(Bucket=BUCKET, Key=f"odd-copy/{key}")["Body"].read()
    url = world.s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": f"odd/{key}"})

    assert f"odd/{key}" in listed
    assert read == key.encode()
    with urlopen(url) as answer:  # httpx would tidy up the path
        assert answer.read() == key.encode()
    assert world.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": f"odd/{key}"}]})["Deleted"]
    assert status_of(world.s3.head_object, Bucket=BUCKET, Key=f"odd/{key}") == 404


def test_a_listing_goes_on_where_the_last_page_ended(world: World) -> None:
    keys = [f"pages/{number:03}" for number in range(25)]
    for key in keys:
        world.s3.put_object(Bucket=BUCKET, Key=key, Body=b"")

    pages = world.s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix="pages/", PaginationConfig={"PageSize": 10}
    )

    assert [[one["Key"] for one in page["Contents"]] for page in pages] == [keys[:10], keys[10:20], keys[20:]]


def test_ranges_are_cut_out_of_the_file(world: World) -> None:
    body = os.urandom(1 << 20)
    world.s3.put_object(Bucket=BUCKET, Key="ranges", Body=body)

    def ranged(text: str) -> tuple[bytes, str]:
        answer = world.s3.get_object(Bucket=BUCKET, Key="ranges", Range=text)
        return answer["Body"].read(), answer["ContentRange"]

    assert ranged("bytes=10-109") == (body[10:110], "bytes 10-109/1048576")
    assert ranged("bytes=-5") == (body[-5:], "bytes 1048571-1048575/1048576")
    assert ranged("bytes=1048570-") == (body[1048570:], "bytes 1048570-1048575/1048576")
    assert status_of(world.s3.get_object, Bucket=BUCKET, Key="ranges", Range="bytes=2000000-") == 416


def test_an_empty_object_is_an_object(world: World) -> None:
    etag = world.s3.put_object(Bucket=BUCKET, Key="empty", Body=b"")["ETag"]

    answer = world.s3.get_object(Bucket=BUCKET, Key="empty")

    assert (answer["Body"].read(), answer["ContentLength"]) == (b"", 0)
    assert etag == '"d41d8cd98f00b204e9800998ecf8427e"'


def test_metadata_and_headers_come_back(world: World) -> None:
    given = {
        "ContentType": "text/plain",
        "ContentEncoding": "gzip",
        "CacheControl": "no-store",
        "ContentDisposition": "attachment",
        "Metadata": {"a-b": "1", "c_d": "2"},
    }
    world.s3.put_object(Bucket=BUCKET, Key="headers", Body=b"x", **given)

    head = world.s3.head_object(Bucket=BUCKET, Key="headers")

    assert {name: head[name] for name in given} == given


def test_times_are_whole_seconds_and_the_same_everywhere(world: World) -> None:
    world.s3.put_object(Bucket=BUCKET, Key="times/a", Body=b"x")

    listed = world.s3.list_objects_v2(Bucket=BUCKET, Prefix="times/")["Contents"][0]["LastModified"]
    head = world.s3.head_object(Bucket=BUCKET, Key="times/a")["LastModified"]
    attributes = world.s3.get_object_attributes(Bucket=BUCKET, Key="times/a", ObjectAttributes=["ETag"])
    copied = world.s3.copy_object(Bucket=BUCKET, Key="times/b", CopySource=f"{BUCKET}/times/a")

    assert listed == head == attributes["LastModified"]
    assert listed.microsecond == copied["CopyObjectResult"]["LastModified"].microsecond == 0


def test_conditions_hold_or_refuse(world: World) -> None:
    etag = world.s3.put_object(Bucket=BUCKET, Key="conditions", Body=b"1")["ETag"]
    at = {"Bucket": BUCKET, "Key": "conditions"}

    assert world.s3.get_object(**at, IfMatch=etag)["ETag"] == etag
    assert status_of(world.s3.get_object, **at, IfMatch='"no"') == 412
    assert status_of(world.s3.get_object, **at, IfNoneMatch=etag) == 304
    assert status_of(world.s3.put_object, **at, Body=b"2", IfNoneMatch="*") == 412
    assert status_of(world.s3.put_object, **at, Body=b"2", IfMatch='"no"') == 412
    assert status_of(world.s3.copy_object, **at, CopySource=f"{BUCKET}/conditions", CopySourceIfMatch='"no"') == 412
    assert status_of(world.s3.delete_object, **at, IfMatch='"no"') == 412
    assert world.s3.put_object(**at, Body=b"2", IfMatch=etag)["ETag"] != etag
    assert status_of(world.s3.delete_object, **at, IfMatch=etag) == 412
    assert world.s3.delete_object(**at, IfMatch="*")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert world.s3.put_object(**at, Body=b"3", IfNoneMatch="*")["ETag"]


def test_only_one_of_many_conditional_writers_wins(world: World) -> None:
    def write(number: int) -> bool:
        try:
            world.s3.put_object(Bucket=BUCKET, Key="race", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(24)))

    assert won.count(True) == 1


def test_a_reader_sees_one_whole_object_while_writers_replace_it(world: World) -> None:
    bodies = [bytes([number]) * (1 << 18) for number in range(6)]
    known = {hashlib.md5(body).hexdigest() for body in bodies}  # the ETag is an MD5
    world.s3.put_object(Bucket=BUCKET, Key="replaced", Body=bodies[0])

    def write(body: bytes) -> None:
        for _ in range(5):
            world.s3.put_object(Bucket=BUCKET, Key="replaced", Body=body)

    def read(_: int) -> bool:
        answer = world.s3.get_object(Bucket=BUCKET, Key="replaced")
        digest = hashlib.md5(answer["Body"].read()).hexdigest()
        return digest in known and answer["ETag"] == f'"{digest}"'

    with ThreadPoolExecutor(8) as pool:
        writes = [pool.submit(write, body) for body in bodies]
        reads = list(pool.map(read, range(30)))
        for one in writes:
            one.result()

    assert all(reads)


def test_a_multipart_upload_has_s3s_etag_and_parts(world: World, tmp_path: Path) -> None:
    body = os.urandom((5 << 20) + 7)
    (tmp_path / "body").write_bytes(body)
    halves = [body[: 5 << 20], body[5 << 20 :]]

    config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    world.s3.upload_file(str(tmp_path / "body"), BUCKET, "parts", Config=config)
    head = world.s3.head_object(Bucket=BUCKET, Key="parts", PartNumber=1)

    md5s = b"".join(hashlib.md5(half).digest() for half in halves)
    assert head["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-2"'
    assert head["PartsCount"] == 2
    assert [world.s3.get_object(Bucket=BUCKET, Key="parts", PartNumber=n)["Body"].read() for n in (1, 2)] == halves


def test_parts_may_be_sent_again_out_of_order_and_aborted(anchored: World) -> None:
    before = files()
    at = {"Bucket": BUCKET, "Key": "untidy"}
    big = b"a" * (5 << 20)
    upload = anchored.s3.create_multipart_upload(**at)["UploadId"]
    second = anchored.s3.upload_part(**at, UploadId=upload, PartNumber=7, Body=b"end")["ETag"]
    anchored.s3.upload_part(**at, UploadId=upload, PartNumber=2, Body=b"wrong")
    first = anchored.s3.upload_part(**at, UploadId=upload, PartNumber=2, Body=big)["ETag"]
    listed = anchored.s3.list_parts(**at, UploadId=upload)["Parts"]
    other = anchored.s3.create_multipart_upload(**at)["UploadId"]
    anchored.s3.upload_part(**at, UploadId=other, PartNumber=1, Body=b"x")

    anchored.s3.abort_multipart_upload(**at, UploadId=other)
    parts = [{"PartNumber": 2, "ETag": first}, {"PartNumber": 7, "ETag": second}]
    anchored.s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload={"Parts": parts})
    anchored.s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload={"Parts": parts})

    assert [one["PartNumber"] for one in listed] == [2, 7]
    assert anchored.s3.get_object(**at)["Body"].read() == big + b"end"
    assert len(files() - before) == 1


def test_a_small_part_before_the_last_is_refused_and_the_upload_lives(world: World) -> None:
    at = {"Bucket": BUCKET, "Key": "small-part"}
    upload = world.s3.create_multipart_upload(**at)["UploadId"]
    tags = [world.s3.upload_part(**at, UploadId=upload, PartNumber=n, Body=b"x")["ETag"] for n in (1, 2)]
    both = {"Parts": [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]}

    assert status_of(world.s3.complete_multipart_upload, **at, UploadId=upload, MultipartUpload=both) == 400
    one = {"Parts": both["Parts"][:1]}
    assert world.s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload=one)["ETag"].endswith('-1"')


def test_a_copy_shares_its_sources_bytes_and_outlives_it(world: World) -> None:
    world.s3.put_object(Bucket=BUCKET, Key="source", Body=b"bytes", Metadata={"a": "1"})
    world.s3.copy_object(Bucket=BUCKET, Key="linked", CopySource=f"{BUCKET}/source")

    shared = store_path(BUCKET, "linked").stat().st_nlink
    world.s3.put_object(Bucket=BUCKET, Key="source", Body=b"other")
    world.s3.delete_object(Bucket=BUCKET, Key="source")
    answer = world.s3.get_object(Bucket=BUCKET, Key="linked")

    assert shared == 2
    assert (answer["Body"].read(), answer["Metadata"]) == (b"bytes", {"a": "1"})


def test_parts_can_be_copied_whole_and_in_ranges(world: World) -> None:
    body = os.urandom(6 << 20)
    source = {"Bucket": BUCKET, "Key": "part-source"}
    at = {"Bucket": BUCKET, "Key": "part-copies"}
    world.s3.put_object(**source, Body=body)
    upload = world.s3.create_multipart_upload(**at)["UploadId"]

    whole = world.s3.upload_part_copy(**at, UploadId=upload, PartNumber=1, CopySource=source)
    piece = world.s3.upload_part_copy(
        **at, UploadId=upload, PartNumber=2, CopySource=source, CopySourceRange="bytes=3-12"
    )
    parts = [{"PartNumber": n, "ETag": one["CopyPartResult"]["ETag"]} for n, one in enumerate((whole, piece), 1)]
    world.s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload={"Parts": parts})

    assert world.s3.get_object(**at)["Body"].read() == body + body[3:13]
    assert world.s3.get_object(**source)["Body"].read() == body


def test_presigned_puts_stream_with_and_without_a_length(world: World) -> None:
    url = world.s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "presigned"})
    pieces = [b"a" * 70_000, b"b" * 70_000]

    plain = httpx.put(url, content=b"x" * 100)
    chunked = httpx.put(url, content=iter(pieces))

    assert (plain.status_code, chunked.status_code) == (200, 200)
    assert world.s3.get_object(Bucket=BUCKET, Key="presigned")["Body"].read() == b"".join(pieces)


def test_a_presigned_post_stores_the_file(world: World) -> None:
    post = world.s3.generate_presigned_post(BUCKET, "posted")

    answer = httpx.post(post["url"], data=post["fields"], files={"file": b"\x00\xff binary"})

    assert answer.status_code == 204
    assert world.s3.get_object(Bucket=BUCKET, Key="posted")["Body"].read() == b"\x00\xff binary"


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
@pytest.mark.parametrize("is_signed", [True, False])
def test_trailing_checksums_are_read_and_checked(world: World, algorithm: str, is_signed: bool) -> None:
    body = os.urandom(600_000)
    sum_ = checksums.new(algorithm)
    sum_.update(body)
    good = checksums.encoded(sum_.digest())
    url = world.s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": f"trailer-{algorithm}"})

    def put(value: str) -> httpx.Response:
        extra = b";chunk-signature=" + b"0" * 64 if is_signed else b""
        chunks = [body[:65536], body[65536:400_000], body[400_000:]]
        framed = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extra, chunk) for chunk in chunks)
        name = f"x-amz-checksum-{algorithm.lower()}"
        framed += b"0" + extra + b"\r\n" + f"{name}:{value}\r\n\r\n".encode()
        kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" if is_signed else "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        headers = {
            "x-amz-content-sha256": kind,
            "x-amz-trailer": name,
            "x-amz-decoded-content-length": str(len(body)),
            "content-encoding": "aws-chunked",
        }
        return httpx.put(url, content=framed, headers=headers)

    bad = put(base64.b64encode(b"\0" * len(sum_.digest())).decode())
    fine = put(good)

    assert (bad.status_code, "BadDigest" in bad.text) == (400, True)
    assert fine.status_code == 200
    answer = world.s3.get_object(Bucket=BUCKET, Key=f"trailer-{algorithm}", ChecksumMode="ENABLED")
    assert answer["Body"].read() == body
    assert answer[f"Checksum{algorithm}"] == good
    assert "ContentEncoding" not in answer


def test_an_upload_that_breaks_off_leaves_nothing(anchored: World) -> None:
    before = files()
    port = int(anchored.url.rpartition(":")[2])

    for framing in (b"Content-Length: 100000", b"Transfer-Encoding: chunked"):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            body = b"3e8\r\n" + b"x" * 500
            connection.sendall(b"PUT /objects/broken HTTP/1.1\r\nHost: localhost\r\n" + framing + b"\r\n\r\n" + body)
            until(lambda: files() != before)

    until(lambda: files() == before)
    assert status_of(anchored.s3.head_object, Bucket=BUCKET, Key="broken") == 404


def test_a_client_that_asks_first_is_refused_before_it_sends(world: World) -> None:
    port = int(world.url.rpartition(":")[2])

    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            b"PUT /no-such-bucket/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        )
        refused = connection.makefile("rb").read()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            b"PUT /objects/asked HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        invited = connection.recv(64)
        connection.sendall(b"ok")
        stored = connection.recv(4096)

    assert refused.startswith(b"HTTP/1.1 404")
    assert b"NoSuchBucket" in refused
    assert invited == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert stored.startswith(b"HTTP/1.1 200")


def test_one_connection_carries_many_requests(world: World) -> None:
    world.s3.put_object(Bucket=BUCKET, Key="kept-alive", Body=b"x" * 1000)
    url = world.s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "kept-alive"})

    with httpx.Client() as client:
        streams = {id(client.get(url).extensions["network_stream"]) for _ in range(5)}
        head = client.head(url)

    assert len(streams) == 1
    assert head.content == b""


def test_virtual_host_addresses_of_localhost_work(world: World) -> None:
    port = world.url.rpartition(":")[2]

    put = httpx.put(f"{world.url}/virtual/key", content=b"v", headers={"Host": f"{BUCKET}.localhost:{port}"})

    assert put.status_code == 200
    assert world.s3.get_object(Bucket=BUCKET, Key="virtual/key")["Body"].read() == b"v"


def test_a_bucket_may_be_called_endpoints(world: World) -> None:
    world.s3.create_bucket(Bucket="endpoints")
    upload = world.s3.create_multipart_upload(Bucket="endpoints", Key="x/invocations")["UploadId"]
    tag = world.s3.upload_part(Bucket="endpoints", Key="x/invocations", UploadId=upload, PartNumber=1, Body=b"x")[
        "ETag"
    ]

    done = world.s3.complete_multipart_upload(
        Bucket="endpoints",
        Key="x/invocations",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]},
    )

    assert done["Key"] == "x/invocations"


def test_versions_come_back_after_a_restart(tmp_path: Path) -> None:
    at = {"Bucket": "versions", "Key": "k"}
    with embedded_process(tmp_path) as (one, _):
        one.s3.create_bucket(Bucket="versions")
        one.s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
        ids = [one.s3.put_object(**at, Body=body)["VersionId"] for body in (b"1", b"2")]
        one.s3.delete_object(**at)

    with embedded_process(tmp_path) as (again, _):
        assert status_of(again.s3.head_object, **at) == 404
        assert [again.s3.get_object(**at, VersionId=one)["Body"].read() for one in ids] == [b"1", b"2"]
        versions = again.s3.list_object_versions(Bucket="versions")
        again.s3.delete_object(**at, VersionId=versions["DeleteMarkers"][0]["VersionId"])
        assert again.s3.get_object(**at)["Body"].read() == b"2"
        assert [one["IsLatest"] for one in versions["Versions"]] == [False, False]


def test_a_full_disk_is_said_plainly_and_leaves_nothing(tmp_path: Path) -> None:
    # A limit on file sizes, set by the kernel: the write fails as on a full disk.
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (6 << 20, 6 << 20))\n" + EMBEDDED_PROCESS
    port = free_port()
    state = tmp_path / "state"
    with serving([sys.executable, "-c", limited, str(state), str(port)], port):
        full = World(f"http://127.0.0.1:{port}")
        full.s3.create_bucket(Bucket="full")
        at = {"Bucket": "full", "Key": "k"}
        full.s3.put_object(**at, Body=b"old")
        with pytest.raises(ClientError) as caught:
            full.s3.put_object(**at, Body=b"x" * (7 << 20))
        upload = full.s3.create_multipart_upload(**at)["UploadId"]
        tags = [full.s3.upload_part(**at, UploadId=upload, PartNumber=n, Body=b"x" * (5 << 20))["ETag"] for n in (1, 2)]
        parts = {"Parts": [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]}
        joined = status_of(full.s3.complete_multipart_upload, **at, UploadId=upload, MultipartUpload=parts)
        again = {"Parts": parts["Parts"][:1]}
        before = full.s3.get_object(**at)["Body"].read()
        full.s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload=again)
        full.close()

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == joined == 507
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    assert "disk holding the state directory is full" in caught.value.response["Error"]["Message"]
    assert before == b"old"
    assert len(list((state / "objects").iterdir())) == 1


def put_until_it_breaks(world: World) -> None:
    for number in range(10_000):
        body = f"{number % 10}".encode() * 300_000
        world.s3.put_object(Bucket="killed", Key=f"k{number % 3}", Body=body)


def test_a_kill_at_any_moment_leaves_the_old_object_or_the_new(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with embedded_process(state) as (world, _):
        world.s3.create_bucket(Bucket="killed")

    for delay_s in (0.05, 0.12, 0.2):
        with embedded_process(state) as (world, process):
            threading.Timer(delay_s, process.send_signal, [signal.SIGKILL]).start()
            with pytest.raises((ConnectionClosedError, EndpointConnectionError, HTTPClientError)):
                put_until_it_breaks(world)
            process.wait()
        with embedded_process(state) as (world, _):
            for one in world.s3.list_objects_v2(Bucket="killed").get("Contents", ()):
                read = world.s3.get_object(Bucket="killed", Key=one["Key"])["Body"].read()
                assert (len(read), len(set(read))) == (300_000, 1)
                assert one["ETag"] == f'"{hashlib.md5(read).hexdigest()}"'
            count = world.s3.list_objects_v2(Bucket="killed")["KeyCount"]
            assert len(list((state / "objects").iterdir())) == count


def test_the_aws_cli_does_what_it_does_on_aws(world: World, tmp_path: Path) -> None:
    world.s3.create_bucket(Bucket="cli")
    source = tmp_path / "tree"
    (source / "deep").mkdir(parents=True)
    big = os.urandom(20 << 20)
    (source / "big file.bin").write_bytes(big)
    (source / "deep" / "small+ü.txt").write_text("small")

    aws_cli(world.url, "s3", "cp", str(source / "big file.bin"), "s3://cli/models/big.tar.gz")
    aws_cli(world.url, "s3", "mv", "s3://cli/models/big.tar.gz", "s3://cli/moved.tar.gz")
    aws_cli(world.url, "s3", "cp", "s3://cli/moved.tar.gz", str(tmp_path / "back"))
    aws_cli(world.url, "s3", "sync", str(source), "s3://cli/tree/")
    again = aws_cli(world.url, "s3", "sync", str(source), "s3://cli/tree/").stdout
    listed = aws_cli(world.url, "s3", "ls", "--recursive", "s3://cli/").stdout
    head = aws_cli(world.url, "s3api", "head-object", "--bucket", "cli", "--key", "moved.tar.gz").stdout
    aws_cli(world.url, "s3", "sync", "s3://cli/tree/", str(tmp_path / "tree-back"))
    aws_cli(world.url, "s3", "rm", "--recursive", "s3://cli/")

    assert (tmp_path / "back").read_bytes() == big
    assert again == ""
    assert {line.split(None, 3)[3] for line in listed.splitlines()} == {
        "moved.tar.gz",
        "tree/big file.bin",
        "tree/deep/small+ü.txt",
    }
    assert f'"ContentLength": {len(big)}' in head
    assert (tmp_path / "tree-back" / "deep" / "small+ü.txt").read_text() == "small"
    assert world.s3.list_objects_v2(Bucket="cli")["KeyCount"] == 0


def test_checksums_are_the_published_ones() -> None:
    wanted = {
        "CRC32": zlib.crc32(b"123456789").to_bytes(4, "big").hex(),
        "CRC32C": "e3069283",
        "CRC64NVME": "ae8b14860a799888",
        "SHA1": hashlib.sha1(b"123456789").hexdigest(),
        "SHA256": hashlib.sha256(b"123456789").hexdigest(),
    }
    computed = {}
    for name in checksums.ALGORITHMS:
        one = checksums.new(name)
        one.update(b"1234")
        one.update(memoryview(b"56789"))
        computed[name] = one.digest().hex()

    assert computed == wanted


@pytest.mark.parametrize("algorithm", ["CRC32C", "CRC64NVME"])
def test_a_checksum_by_lanes_is_the_checksum_byte_by_byte(algorithm: str) -> None:
    data = os.urandom(600_001)

    lanes = checksums.new(algorithm)
    lanes.update(data)
    single = checksums.new(algorithm)
    for at in range(0, len(data), 100_000):
        single.update(data[at : at + 100_000])

    register = {"CRC32C": 0xFFFFFFFF, "CRC64NVME": 0xFFFFFFFFFFFFFFFF}[algorithm]
    full = register
    table = checksums._byte_table(algorithm)
    for byte in data:
        register = (register >> 8) ^ table[(register ^ byte) & 0xFF]
    assert int.from_bytes(lanes.digest(), "big") == int.from_bytes(single.digest(), "big") == register ^ full
