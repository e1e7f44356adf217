"""Drops in S3, under the stage's prefix (models/). Implements ports.Drops."""

from collections.abc import Mapping, Sequence

from chalicelib.aws.buckets import Bucket, Listed
from chalicelib.aws.failures import translated
from chalicelib.names import (
    DROPS_PREFIX,
    ModelName,
    archive_key,
    code_path_of,
    code_prefix,
    flat_archive_key,
    model_of_drop_key,
    toml_key,
)
from chalicelib.ports import ByteStream
from chalicelib.state import NO_ARCHIVE, CodeFile, Drop

IN_RANGES_FROM_BYTES = 16 << 20
TOML_MAX_BYTES = 64 << 10
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
        rows = [row for row in (archive, flat, toml) if row is not None]
        if rows and "/" not in model:
            rows += self._bucket.list(code_prefix(model, prefix=self._prefix))
        return self._drop(model, rows)

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
        if drop.size_bytes > IN_RANGES_FROM_BYTES:
            return self._bucket.open_in_ranges(drop.archive_key, etag=drop.archive_etag, size_bytes=drop.size_bytes)
        return _Translated(self._bucket.open(drop.archive_key, etag=drop.archive_etag))

    def read_toml(self, drop: Drop) -> bytes | None:
        """See ports.Drops."""
        if drop.toml_etag is None:
            return None
        key = toml_key(drop.model, prefix=self._prefix)
        # One byte more than the door takes: it refuses what is longer, and nobody reads gigabytes to find that out.
        return self._bucket.read(key, etag=drop.toml_etag, max_bytes=TOML_MAX_BYTES + 1)

    def read_code(self, drop: Drop) -> Mapping[str, bytes]:
        """See ports.Drops."""
        read = {file.path: self._bucket.read(file.key, etag=file.etag) for file in drop.code}
        return {path: content for path, content in read.items() if content is not None}

    def delete(self, model: ModelName) -> None:
        """See ports.Drops."""
        # The archives first: without them nothing is a drop, so a crash in between leaves nothing that runs.
        for key in (*self._archive_keys(model), toml_key(model, prefix=self._prefix)):
            self._bucket.delete(key)
        if "/" not in model:
            self._bucket.delete_all(code_prefix(model, prefix=self._prefix))

    def _archive_keys(self, model: ModelName) -> tuple[str, str]:
        return archive_key(model, prefix=self._prefix), flat_archive_key(model, prefix=self._prefix)

    def _drop(self, model: ModelName, rows: Sequence[Listed]) -> Drop | None:
        """Join what was found of one model; None when there is neither an archive nor a deploy.toml."""
        by_key = {row.key: row for row in rows}
        archives = [row for key in self._archive_keys(model) if (row := by_key.get(key)) is not None]
        toml = by_key.get(toml_key(model, prefix=self._prefix))
        if not archives and toml is None:
            return None
        archive = archives[0] if archives else None
        code = [(path, row) for row in rows if (path := code_path_of(row.key, prefix=self._prefix)) is not None]
        beside = [row for row in (toml, *(row for _, row in code)) if row is not None]
        return Drop(
            model=model,
            # A deploy.toml alone may name a model of the Hub; whether it does is the door's to read, not a listing's.
            archive_key=archive.key if archive else self._archive_keys(model)[0],
            archive_etag=archive.etag if archive else NO_ARCHIVE,
            size_bytes=archive.size_bytes if archive else 0,
            dropped_at=max(row.modified_at for row in (*archives[:1], *beside)),
            toml_etag=toml.etag if toml else None,
            other_archive_key=archives[1].key if len(archives) > 1 else None,
            code=tuple(CodeFile(path, row.key, row.etag, row.size_bytes) for path, row in sorted(code, key=_path)),
        )


def _path(pair: tuple[str, Listed]) -> str:
    return pair[0]


class _Translated:
    """A StreamingBody whose errors are ours."""

    def __init__(self, body: ByteStream) -> None:
        self._body = body

    def read(self, size: int = -1, /) -> bytes:
        with translated():
            return self._body.read(size) if size >= 0 else self._body.read()

    def close(self) -> None:
        self._body.close()
