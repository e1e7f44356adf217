"""Sends bytes to S3 as they are made: parallel parts, no temporary file, and going on where a broken run stopped.

Called by `tarmac push`. What is packed is deterministic, so the parts of a second run are those of the first: what S3
has of them already (told by size and MD5) is not sent again.

Source: S3's multipart upload: parts of at least 5 MiB but for the last, 10,000 at most; a part's ETag is its MD5.
"""

import hashlib
import io
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

PART_BYTES = 8 << 20
_PARTS_MAX = 9_000
_AT_ONCE = 4


def part_bytes_for(total_bytes: int) -> int:
    """Choose a part's size in MiB steps, so that so many bytes fit into S3's 10,000 parts."""
    mebibytes = (-(-total_bytes // _PARTS_MAX) + (1 << 20) - 1) >> 20
    return max(PART_BYTES, mebibytes << 20)


@dataclass(frozen=True)
class Sent:
    """What a push came to: the object's size, its ETag, and how many bytes of it were there already."""

    size_bytes: int
    etag: str
    resumed_bytes: int


class Push(io.RawIOBase):
    """One object being written. Not finished, it is not there; its parts wait for the next try."""

    def __init__(
        self,
        s3: Any,
        bucket: str,
        key: str,
        *,
        part_bytes: int = PART_BYTES,
        on_sent: Callable[[int], object] = lambda _: None,
    ) -> None:
        """Tell *on_sent* how many bytes went, each time a part has."""
        self._s3, self._where, self._on_sent = s3, {"Bucket": bucket, "Key": key}, on_sent
        self._part_bytes = part_bytes
        # Parts are gathered in buffers that are used again: fresh ones cost the kernel's zeros, some 8 MiB each time.
        self._free: list[bytearray] = []
        self._part = bytearray()
        self._held_bytes = 0
        self._pool = ThreadPoolExecutor(_AT_ONCE)
        self._waiting: deque[Future[dict[str, Any]]] = deque()
        self._parts: list[dict[str, Any]] = []
        self._upload_id: str | None = None
        self._there: dict[int, tuple[str, int]] = {}
        self._size_bytes = self._resumed_bytes = 0
        self._number = 0

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, data: Any) -> int:
        """Take bytes; waits while four parts are on their way. Raises what sending a part has raised."""
        with memoryview(data).cast("B") as rest:
            at = 0
            while at < len(rest):
                if not self._part:
                    self._part = self._free.pop() if self._free else bytearray(self._part_bytes)
                count = min(len(rest) - at, self._part_bytes - self._held_bytes)
                with memoryview(self._part) as part:
                    part[self._held_bytes : self._held_bytes + count] = rest[at : at + count]
                self._held_bytes += count
                at += count
                if self._held_bytes == self._part_bytes:
                    self._send(self._part)
                    self._part, self._held_bytes = bytearray(), 0
            return len(rest)

    def finish(self) -> Sent:
        """Send the rest and make the object. Raises botocore's errors."""
        rest = bytes(memoryview(self._part)[: self._held_bytes])
        if self._upload_id is None:
            answer = self._s3.put_object(**self._where, Body=rest)
            self._size_bytes = len(rest)
            self._on_sent(self._size_bytes)
        else:
            if rest:
                self._send(rest)
            self._parts += [each.result() for each in self._waiting]
            upload = {"UploadId": self._upload_id, "MultipartUpload": {"Parts": self._parts}}
            answer = self._s3.complete_multipart_upload(**self._where, **upload)
        self._pool.shutdown()
        return Sent(self._size_bytes, str(answer["ETag"]).strip('"'), self._resumed_bytes)

    def give_up(self) -> None:
        """Stop sending; parts that are there stay there."""
        for each in self._waiting:
            each.cancel()
        self._pool.shutdown()

    def _send(self, part: bytes | bytearray) -> None:
        if self._upload_id is None:
            self._upload_id = self._resume() or self._s3.create_multipart_upload(**self._where)["UploadId"]
        self._number += 1
        self._size_bytes += len(part)
        self._waiting.append(self._pool.submit(self._put, self._number, part))
        if len(self._waiting) >= _AT_ONCE:
            self._parts.append(self._waiting.popleft().result())

    def _put(self, number: int, part: bytes | bytearray) -> dict[str, Any]:
        etag, size_bytes = self._there.get(number, ("", 0))
        is_there = size_bytes == len(part) and etag == hashlib.md5(part, usedforsecurity=False).hexdigest()
        if is_there:
            self._resumed_bytes += len(part)
        else:
            answer = self._s3.upload_part(**self._where, UploadId=self._upload_id, PartNumber=number, Body=part)
            etag = answer["ETag"].strip('"')
        self._on_sent(len(part))
        if isinstance(part, bytearray):
            self._free.append(part)
        return {"PartNumber": number, "ETag": etag}

    def _resume(self) -> str | None:
        """Find the newest unfinished upload of this key, and what is there of it."""
        pages = self._s3.get_paginator("list_multipart_uploads")
        found = [
            raw
            for page in pages.paginate(Bucket=self._where["Bucket"], Prefix=self._where["Key"])
            for raw in page.get("Uploads", ())
            if raw["Key"] == self._where["Key"]
        ]
        if not found:
            return None
        upload_id: str = max(found, key=lambda raw: raw["Initiated"])["UploadId"]
        for page in self._s3.get_paginator("list_parts").paginate(**self._where, UploadId=upload_id):
            for raw in page.get("Parts", ()):
                self._there[raw["PartNumber"]] = (raw["ETag"].strip('"'), raw["Size"])
        return upload_id
