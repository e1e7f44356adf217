"""The marks usage/<name> and asleep/<name> in S3. Implements ports.Marks."""

import uuid
from collections.abc import Mapping

from chalicelib.aws.buckets import Bucket
from chalicelib.errors import Changed, NotFound
from chalicelib.names import (
    ASLEEP_PREFIX,
    REQUESTS_PREFIX,
    USAGE_PREFIX,
    ModelName,
    asleep_key,
    name_problem,
    releases_prefix,
    usage_key,
)
from chalicelib.state import Stamp


class S3Marks:
    """One object a memory: LastModified is the message, the content only makes each ETag differ."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def used(self, model: ModelName) -> Stamp | None:
        """See ports.Marks."""
        return self._stamp(usage_key(model))

    def list_used(self) -> Mapping[ModelName, Stamp]:
        """See ports.Marks."""
        return self._list(USAGE_PREFIX)

    def touch(self, model: ModelName) -> None:
        """See ports.Marks."""
        self._write(usage_key(model))

    def asleep(self, model: ModelName) -> Stamp | None:
        """See ports.Marks."""
        return self._stamp(asleep_key(model))

    def list_asleep(self) -> Mapping[ModelName, Stamp]:
        """See ports.Marks."""
        return self._list(ASLEEP_PREFIX)

    def put_asleep(self, model: ModelName) -> str:
        """See ports.Marks."""
        return self._write(asleep_key(model))

    def remove_asleep(self, model: ModelName, etag: str) -> bool:
        """See ports.Marks."""
        try:
            self._bucket.delete_exactly(asleep_key(model), etag)
        except (Changed, NotFound):
            return False
        return True

    def forget(self, model: ModelName) -> None:
        """See ports.Marks."""
        # The releases last: while they are there, a crash in between is seen and mended by the next sweep.
        for key in (usage_key(model), asleep_key(model)):
            self._bucket.delete(key)
        if name_problem(model) is None:
            self._bucket.delete_all(f"{REQUESTS_PREFIX}{model}/")
        self._bucket.delete_all(releases_prefix(model))

    def has_traces(self, model: ModelName) -> bool:
        """See ports.Marks."""
        return (
            self._bucket.find(usage_key(model)) is not None
            or self._bucket.find(asleep_key(model)) is not None
            or self._bucket.has_any(releases_prefix(model))
            or (name_problem(model) is None and self._bucket.has_any(f"{REQUESTS_PREFIX}{model}/"))
        )

    def _stamp(self, key: str) -> Stamp | None:
        row = self._bucket.find(key)
        return None if row is None else row.stamp

    def _list(self, prefix: str) -> Mapping[ModelName, Stamp]:
        return {ModelName(row.key.removeprefix(prefix)): row.stamp for row in self._bucket.list(prefix)}

    def _write(self, key: str) -> str:
        # A new content each time: the ETag tells two marks of the same second apart.
        return self._bucket.write(key, uuid.uuid4().hex.encode(), content_type="text/plain")
