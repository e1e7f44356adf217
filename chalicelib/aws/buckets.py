"""The few S3 calls that drops, releases and marks are made of, on one bucket. Called by those adapters only."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chalicelib.aws.failures import translated
from chalicelib.aws.joins import Source, join
from chalicelib.aws.ranges import RangeReader
from chalicelib.errors import NotFound
from chalicelib.state import Span, Stamp

LONGEST_KEY_BYTES = 1024
"""No object can have a longer key, and S3 answers 400 to who asks for one. Source: S3's page on object keys."""
COPY_AT_ONCE_BYTES = 5 << 30
"""CopyObject's limit; beyond it the copy is made of parts. Source: S3's CopyObject documentation."""


@dataclass(frozen=True)
class Listed:
    """One row of a listing."""

    key: str
    etag: str
    size_bytes: int
    modified_at: datetime

    @property
    def stamp(self) -> Stamp:
        """The row as a mark or a last use."""
        return Stamp(self.modified_at, self.etag)


class Bucket:
    """One bucket. The client comes late, so that who does not use it does not pay for it."""

    def __init__(self, client: Callable[[], Any], name: str) -> None:
        self._client = client
        self.name = name

    def list(self, prefix: str) -> Iterator[Listed]:
        """List everything under *prefix*, a thousand a call."""
        with translated():
            for page in self._client().get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                for raw in page.get("Contents", ()):
                    yield Listed(raw["Key"], unquoted(raw["ETag"]), raw["Size"], whole_second(raw["LastModified"]))

    def has_any(self, prefix: str) -> bool:
        """Tell whether anything is under *prefix*."""
        if len(prefix.encode()) > LONGEST_KEY_BYTES:
            return False
        with translated():
            page = self._client().list_objects_v2(Bucket=self.name, Prefix=prefix, MaxKeys=1)
        return bool(page.get("Contents"))

    def find(self, key: str) -> Listed | None:
        """Look at one object without reading it."""
        if len(key.encode()) > LONGEST_KEY_BYTES:
            return None
        try:
            with translated():
                raw = self._client().head_object(Bucket=self.name, Key=key)
        except NotFound:
            return None
        return Listed(key, unquoted(raw["ETag"]), raw["ContentLength"], whole_second(raw["LastModified"]))

    def open(self, key: str, *, etag: str | None = None) -> Any:  # botocore's StreamingBody, which is untyped
        """Open an object for reading forward. Raises NotFound, and Changed when it no longer has that ETag."""
        condition = {} if etag is None else {"IfMatch": etag}
        with translated():
            return self._client().get_object(Bucket=self.name, Key=key, **condition)["Body"]

    def open_in_ranges(self, key: str, *, etag: str, size_bytes: int) -> RangeReader:
        """Open a large object for reading forward, by several connections. Reading raises NotFound, Changed."""
        client = self._client()

        def fetch(start: int, end: int) -> bytes:
            with translated():
                raw = client.get_object(Bucket=self.name, Key=key, IfMatch=etag, Range=f"bytes={start}-{end - 1}")
                content: bytes = raw["Body"].read()
                return content

        return RangeReader(fetch, size_bytes)

    def read(self, key: str, *, etag: str | None = None, max_bytes: int | None = None) -> bytes | None:
        """Read a small object whole, or its first *max_bytes*; None when there is none."""
        try:
            body = self.open(key, etag=etag)
        except NotFound:
            if etag is not None:
                raise
            return None
        with translated():
            content: bytes = body.read() if max_bytes is None else body.read(max_bytes)
            body.close()
            return content

    def read_typed(self, key: str, *, max_bytes: int) -> tuple[bytes | None, str, int] | None:
        """Read an object with its content type and size; no content when it has more than *max_bytes*. None: none."""
        try:
            with translated():
                raw = self._client().get_object(Bucket=self.name, Key=key)
                size_bytes, body = int(raw["ContentLength"]), raw["Body"]
                content = body.read() if size_bytes <= max_bytes else None
                body.close()
        except NotFound:
            return None
        return content, str(raw.get("ContentType") or ""), size_bytes

    def read_json(self, key: str) -> dict[str, Any] | None:
        """Read a small JSON object; None when there is none, or it is damaged."""
        content = self.read(key)
        try:
            raw = None if content is None else json.loads(content)
        except ValueError:
            return None
        return raw if isinstance(raw, dict) else None

    def write(self, key: str, content: bytes, *, content_type: str) -> str:
        """Write a small object, and return its ETag."""
        with translated():
            raw = self._client().put_object(Bucket=self.name, Key=key, Body=content, ContentType=content_type)
        return unquoted(raw["ETag"])

    def write_json(self, key: str, raw: dict[str, Any]) -> None:
        """Write a small JSON object."""
        self.write(key, json.dumps(raw, indent=2).encode(), content_type="application/json")

    def copy(self, source_key: str, key: str, *, etag: str, size_bytes: int) -> None:
        """Copy within the bucket, server-side, exactly the object of that ETag. Raises NotFound, Changed."""
        if size_bytes > COPY_AT_ONCE_BYTES:
            self.join(key, [Span(0, size_bytes)], source_key=source_key, etag=etag)
            return
        source = {"Bucket": self.name, "Key": source_key}
        with translated():
            # REPLACE: a drop's own tags are not copied, for reading them would need a permission of its own.
            self._client().copy_object(
                Bucket=self.name, Key=key, CopySource=source, CopySourceIfMatch=etag, TaggingDirective="REPLACE"
            )

    def join(self, key: str, pieces: Iterable[bytes | Span], *, source_key: str, etag: str) -> None:
        """Write an object from bytes and from spans of another, exactly that of the ETag. Raises NotFound, Changed.

        What is long is copied server-side, in parts; what is too short for a part of its own passes through here.
        """
        join(self._client(), self.name, key, pieces, Source(source_key, etag))

    def delete(self, key: str) -> None:
        """Delete an object; done when there is none."""
        with translated():
            self._client().delete_object(Bucket=self.name, Key=key)

    def delete_exactly(self, key: str, etag: str) -> None:
        """Delete an object only if it still has that ETag. Raises Changed, NotFound."""
        with translated():
            self._client().delete_object(Bucket=self.name, Key=key, IfMatch=etag)

    def delete_all(self, prefix: str) -> None:
        """Delete everything under *prefix*, a thousand a call."""
        keys = [listed.key for listed in self.list(prefix)]
        for start in range(0, len(keys), 1000):
            batch = [{"Key": key} for key in keys[start : start + 1000]]
            with translated():
                self._client().delete_objects(Bucket=self.name, Delete={"Objects": batch, "Quiet": True})


def unquoted(etag: str) -> str:
    """Strip the quotes that S3 puts around an ETag."""
    return etag.strip('"')


def whole_second(moment: datetime) -> datetime:
    """S3's own grain: HEAD tells whole seconds only, and the two ways of asking must agree."""
    return moment.astimezone(UTC).replace(microsecond=0)
