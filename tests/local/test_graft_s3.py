"""A graft on real S3 calls: hardly a byte passes through us, whatever the archive's size."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.aws.buckets import Bucket
from chalicelib.aws.drops import S3Drops
from chalicelib.aws.ranges import RangeReader
from chalicelib.bootstrap import read_handler
from chalicelib.door import DoorRules, examine
from chalicelib.door.grafts import graft
from chalicelib.errors import Changed, NotFound
from chalicelib.names import ModelName
from chalicelib.state import Drop, Span
from tarmac.local.clients import local_client
from tarmac.local.embedded import EmbeddedAws
from tests.unit import corpus
from tests.unit.test_door_corpus import NOW

PASSES_MAX_BYTES = 16 << 20
RULES = DoorRules(region="eu-west-1", instance_type="ml.m5.large", idle_after_s=900.0, idle_floor_s=900.0)


class Passing:
    """Counts the bytes of objects that come in through a client, and those that go out."""

    def __init__(self, client: Any) -> None:
        self.sent_bytes = self.got_bytes = 0
        client.meta.events.register("before-call.s3.UploadPart", self._sent)
        client.meta.events.register("after-call.s3.GetObject", self._got)

    def _sent(self, params: dict[str, Any], **_: Any) -> None:
        body = params["body"]
        self.sent_bytes += len(body) if isinstance(body, bytes) else body.getbuffer().nbytes

    def _got(self, parsed: dict[str, Any], **_: Any) -> None:
        self.got_bytes += parsed.get("ContentLength", 0)


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Any]:
    aws = EmbeddedAws(tmp_path / "state")
    aws.start()
    client = local_client("s3", aws.url)
    try:
        client.create_bucket(Bucket="bucket")
        yield client
    finally:
        client.close()
        aws.stop()


def archive(megabytes: int) -> bytes:
    made = io.BytesIO()
    noise = bytes(range(256)) * 4096
    with tarfile.open(fileobj=made, mode="w:gz", compresslevel=0) as tar:
        for name, body in {**corpus.bert(), "noise.txt": noise * megabytes}.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return made.getvalue()


@pytest.mark.parametrize("megabytes", [0, 3, 6, 9, 11, 64])
def test_a_graft_passes_little_and_reads_back_whole(s3: Any, megabytes: int) -> None:
    raw = archive(megabytes)
    etag = s3.put_object(Bucket="bucket", Key="models/cat/model.tar.gz", Body=raw)["ETag"].strip('"')
    drop = Drop(ModelName("cat"), "models/cat/model.tar.gz", etag, len(raw), NOW)
    seam = examine(drop, io.BytesIO(raw), None, rules=RULES, now=NOW).seam
    assert seam is not None
    passing = Passing(s3)

    Bucket(lambda: s3, "bucket").join("pinned", graft(read_handler(), seam), source_key=drop.archive_key, etag=etag)

    assert passing.got_bytes <= min(PASSES_MAX_BYTES, len(raw))
    assert passing.sent_bytes <= min(PASSES_MAX_BYTES, len(raw) + (1 << 20))
    whole = s3.get_object(Bucket="bucket", Key="pinned")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(whole), mode="r|gz") as tar:
        found = {member.name: member.size for member in tar}
    assert found.keys() == read_handler().keys() | corpus.bert().keys() | {"noise.txt"}
    assert found["noise.txt"] == megabytes << 20


def test_a_long_run_of_bytes_goes_in_parts(s3: Any) -> None:
    bucket = Bucket(lambda: s3, "bucket")
    etag = bucket.write("source", b"x", content_type="text/plain")

    bucket.join("made", (bytes([n]) * (3 << 20) for n in range(7)), source_key="source", etag=etag)

    assert s3.head_object(Bucket="bucket", Key="made")["ContentLength"] == 21 << 20
    assert s3.get_object(Bucket="bucket", Key="made")["Body"].read() == b"".join(
        bytes([n]) * (3 << 20) for n in range(7)
    )


def test_nothing_is_left_when_the_source_has_changed(s3: Any) -> None:
    bucket = Bucket(lambda: s3, "bucket")
    s3.put_object(Bucket="bucket", Key="source", Body=bytes(12 << 20))

    with pytest.raises(Changed):
        bucket.join("made", [Span(0, 12 << 20)], source_key="source", etag="0" * 32)
    with pytest.raises(NotFound):
        bucket.join("made", [b"x", Span(0, 12 << 20)], source_key="gone", etag="0" * 32)

    assert bucket.find("made") is None
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="bucket")


def test_a_large_drop_is_read_in_ranges_and_a_large_toml_only_in_part(s3: Any) -> None:
    raw = archive(20)
    s3.put_object(Bucket="bucket", Key="models/cat/model.tar.gz", Body=raw)
    s3.put_object(Bucket="bucket", Key="models/cat/deploy.toml", Body=b"#" * (1 << 20))
    drops = S3Drops(Bucket(lambda: s3, "bucket"))
    drop = drops.find(ModelName("cat"))
    assert drop is not None

    stream = drops.open_archive(drop)
    whole = b"".join(iter(lambda: stream.read(1 << 20), b""))
    stream.close()

    assert isinstance(stream, RangeReader)
    assert whole == raw
    assert len(drops.read_toml(drop) or b"") == (64 << 10) + 1
    s3.put_object(Bucket="bucket", Key="models/cat/model.tar.gz", Body=raw[::-1])
    stale = drops.open_archive(drop)
    with pytest.raises(Changed):
        stale.read(1)
    stale.close()
