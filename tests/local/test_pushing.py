"""A push to real S3 calls: in parts, without a temporary file, and going on where the last one stopped."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from tarmac.local.clients import local_client
from tarmac.local.embedded import EmbeddedAws
from tarmac.packer import pack
from tarmac.pushing import PART_BYTES, Push, Sent, part_bytes_for

PART = 5 << 20
WHERE = {"Bucket": "bucket", "Key": "models/cat/model.tar.gz"}


class Counted:
    """A client that counts parts, and breaks before one of them."""

    def __init__(self, client: Any, breaks_at: int | None = None) -> None:
        self._client, self._breaks_at = client, breaks_at
        self.parts: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def upload_part(self, **arguments: Any) -> Any:
        if arguments["PartNumber"] == self._breaks_at:
            raise ConnectionError("the line went dead")
        self.parts.append(arguments["PartNumber"])
        return self._client.upload_part(**arguments)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    aws = EmbeddedAws(tmp_path_factory.mktemp("state"))
    aws.start()
    client = local_client("s3", aws.url)
    try:
        client.create_bucket(Bucket="bucket")
        yield client
    finally:
        client.close()
        aws.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    noise = b"".join(hashlib.sha512(number.to_bytes(4, "big")).digest() for number in range(360_000))
    (made / "model.safetensors").write_bytes(noise)
    (made / "config.json").write_text("{}")
    return made


def push(client: Any, folder: Path) -> Sent:
    going = Push(client, WHERE["Bucket"], WHERE["Key"], part_bytes=PART)
    try:
        pack(folder, cast("BinaryIO", going))
        return going.finish()
    finally:
        going.give_up()


def test_what_is_pushed_is_what_pack_makes(s3: Any, folder: Path) -> None:
    client = Counted(s3)

    sent = push(client, folder)

    expected = io.BytesIO()
    packed = pack(folder, expected)
    assert s3.get_object(**WHERE)["Body"].read() == expected.getvalue()
    assert sent.size_bytes == packed.packed_bytes
    assert sent.etag == s3.head_object(**WHERE)["ETag"].strip('"')
    assert len(client.parts) == -(-packed.packed_bytes // PART) > 3


def test_a_push_that_broke_off_is_gone_on_with(s3: Any, folder: Path) -> None:
    with pytest.raises(ConnectionError):
        push(Counted(s3, breaks_at=3), folder)
    client = Counted(s3)

    sent = push(client, folder)

    assert sent.resumed_bytes >= 2 * PART
    assert not {1, 2} & set(client.parts)
    assert s3.head_object(**WHERE)["ContentLength"] == sent.size_bytes
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="bucket")


def test_parts_of_another_archive_are_not_taken_for_ours(s3: Any, folder: Path) -> None:
    with pytest.raises(ConnectionError):
        push(Counted(s3, breaks_at=3), folder)
    noise = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(noise[::-1])

    sent = push(Counted(s3), folder)

    expected = io.BytesIO()
    pack(folder, expected)
    assert sent.resumed_bytes == 0
    assert s3.get_object(**WHERE)["Body"].read() == expected.getvalue()


def test_a_small_object_is_one_put(s3: Any) -> None:
    went: list[int] = []
    going = Push(s3, "bucket", "small", on_sent=went.append)
    going.write(b"hello")

    sent = going.finish()

    assert sent.etag == hashlib.md5(b"hello").hexdigest()
    assert went == [5]


@pytest.mark.parametrize("total_bytes", [0, 1, PART_BYTES * 9_000, 500 << 30, 5 << 40])
def test_any_size_fits_into_ten_thousand_parts(total_bytes: int) -> None:
    part_bytes = part_bytes_for(total_bytes)

    assert part_bytes >= PART_BYTES
    assert total_bytes * 1.05 / part_bytes < 10_000
