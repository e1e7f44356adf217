"""Drops in S3, under the stage's prefix (models/). Implements ports.Drops."""

from collections.abc import Iterable, Mapping

from chalicelib.aws.buckets import Bucket, Listed
from chalicelib.aws.failures import translated
from chalicelib.names import (
    DROPS_PREFIX,
    ModelName,
    archive_key,
    flat_archive_key,
    model_of_drop_key,
    toml_key,
)
from chalicelib.ports import ByteStream
from chalicelib.state import Drop

KEY_MAX_BYTES = 1024
"""Source: S3's naming rules for object keys."""


class S3Drops:
    """What people uploaded."""

    def __init__(self, bucket: Bucket, *, prefix: str = DROPS_PREFIX) -> None:
        self._bucket = bucket
        self._prefix = prefix

    def find(self, model: ModelName) -> Drop | None:
        """See ports.Drops."""
        if len(archive_key(model, prefix=self._prefix).encode()) > KEY_MAX_BYTES:
            return None  # such a key cannot exist, and S3 would answer 400 instead of 404
        archive = self._bucket.find(archive_key(model, prefix=self._prefix))
        flat = self._bucket.find(flat_archive_key(model, prefix=self._prefix)) if "/" not in model else None
        toml = self._bucket.find(toml_key(model, prefix=self._prefix))
        return self._drop(model, [row for row in (archive, flat, toml) if row is not None])

    def list(self) -> Mapping[ModelName, Drop]:
        """See ports.Drops."""
        rows: dict[ModelName, list[Listed]] = {}
        for row in self._bucket.list(self._prefix):
            model = model_of_drop_key(row.key, prefix=self._prefix)
            if model is not None:
                rows.setdefault(model, []).append(row)
        return {model: drop for model, found in rows.items() if (drop := self._drop(model, found)) is not None}

    def open_archive(self, drop: Drop) -> ByteStream:
        """See ports.Drops."""
        return _Translated(self._bucket.open(drop.archive_key, etag=drop.archive_etag))

    def read_toml(self, drop: Drop) -> bytes | None:
        """See ports.Drops."""
        if drop.toml_etag is None:
            return None
        return self._bucket.read(toml_key(drop.model, prefix=self._prefix), etag=drop.toml_etag)

    def delete(self, model: ModelName) -> None:
        """See ports.Drops."""
        # deploy.toml last: alone it is no drop, so a crash in between leaves nothing that runs.
        for key in (*self._archive_keys(model), toml_key(model, prefix=self._prefix)):
            self._bucket.delete(key)

    def _archive_keys(self, model: ModelName) -> tuple[str, str]:
        return archive_key(model, prefix=self._prefix), flat_archive_key(model, prefix=self._prefix)

    def _drop(self, model: ModelName, rows: Iterable[Listed]) -> Drop | None:
        """Join what was found of one model; None when there is no archive."""
        by_key = {row.key: row for row in rows}
        archives = [row for key in self._archive_keys(model) if (row := by_key.get(key)) is not None]
        if not archives:
            return None
        toml = by_key.get(toml_key(model, prefix=self._prefix))
        archive = archives[0]
        return Drop(
            model=model,
            archive_key=archive.key,
            archive_etag=archive.etag,
            size_bytes=archive.size_bytes,
            dropped_at=max(archive.modified_at, toml.modified_at) if toml else archive.modified_at,
            toml_etag=toml.etag if toml else None,
            other_archive_key=archives[1].key if len(archives) > 1 else None,
        )


class _Translated:
    """A StreamingBody whose errors are ours."""

    def __init__(self, body: ByteStream) -> None:
        self._body = body

    def read(self, size: int = -1, /) -> bytes:
        with translated():
            return self._body.read(size) if size >= 0 else self._body.read()

    def close(self) -> None:
        self._body.close()
