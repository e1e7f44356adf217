"""Releases in S3, under releases/. Implements ports.Releases."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from chalicelib.aws.buckets import Bucket, Listed
from chalicelib.names import (
    RELEASES_PREFIX,
    ModelName,
    ReleaseId,
    failure_key,
    hub_pin_key,
    pinned_archive_key,
    releases_prefix,
    report_key,
    rollback_key,
    scaled_key,
    starts_key,
)
from chalicelib.reports import HubModel, Report, parse_report
from chalicelib.state import Drop, Failure, ReleaseRecord, Span

STARTS_KEPT = 10
_KEY = re.compile(rf"{RELEASES_PREFIX}(?P<model>.+)/(?P<release>[0-9a-f]{{12}})/(?P<file>[^/]+)")
_FIELDS = {
    "report.json": "reported_at",
    "model.tar.gz": "pinned_at",
    # A release of the Hub has no archive here: its pin is the commit.
    "hub.json": "pinned_at",
    "failed.json": "failed_at",
    "starts.json": "started_at",
    "rollback.json": "asked_at",
    "scaled.json": "scaled_at",
}


class S3Releases:
    """What Tarmac made of the drops."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def list(self, model: ModelName) -> tuple[ReleaseRecord, ...]:
        """See ports.Releases."""
        prefix = releases_prefix(model)
        # Another raw name may lie below this one: `cat/old` was refused as a name, and has its report under cat/.
        own = ModelName(prefix.removeprefix(RELEASES_PREFIX).removesuffix("/"))
        return _records(self._bucket.list(prefix)).get(own, ())

    def list_all(self) -> Mapping[ModelName, tuple[ReleaseRecord, ...]]:
        """See ports.Releases."""
        return _records(self._bucket.list(RELEASES_PREFIX))

    def pin(self, drop: Drop, release: ReleaseId | None = None) -> None:
        """See ports.Releases."""
        key = pinned_archive_key(drop.model, release or drop.release)
        self._bucket.copy(drop.archive_key, key, etag=drop.archive_etag, size_bytes=drop.size_bytes)

    def pin_hub(self, drop: Drop, hub_model: HubModel, release: ReleaseId | None = None) -> None:
        """See ports.Releases."""
        key = hub_pin_key(drop.model, release or drop.release)
        self._bucket.write_json(key, {"hub_model": hub_model.id, "revision": hub_model.revision})

    def splice(self, drop: Drop, pieces: Iterable[bytes | Span]) -> None:
        """See ports.Releases."""
        key = pinned_archive_key(drop.model, drop.release)
        self._bucket.join(key, pieces, source_key=drop.archive_key, etag=drop.archive_etag)

    def archive_uri(self, model: ModelName, release: ReleaseId) -> str:
        """See ports.Releases."""
        return f"s3://{self._bucket.name}/{pinned_archive_key(model, release)}"

    def read_report(self, model: ModelName, release: ReleaseId) -> Report | None:
        """See ports.Releases."""
        content = self._bucket.read(report_key(model, release))
        return None if content is None else parse_report(content)

    def write_report(self, report: Report) -> None:
        """See ports.Releases."""
        key = report_key(report.model, report.release)
        self._bucket.write(key, report.to_json().encode(), content_type="application/json")

    def read_failure(self, model: ModelName, release: ReleaseId) -> Failure | None:
        """See ports.Releases."""
        raw = self._bucket.read_json(failure_key(model, release)) or {}
        try:
            modified_at = datetime.fromisoformat(raw["endpoint_modified_at"])
        except (KeyError, TypeError, ValueError):
            return None
        return Failure(
            reason=str(raw.get("reason", "")),
            endpoint_modified_at=modified_at,
            is_retry_asked=bool(raw.get("is_retry_asked")),
            is_transient=bool(raw.get("is_transient")),
        )

    def write_failure(self, model: ModelName, release: ReleaseId, failure: Failure) -> None:
        """See ports.Releases."""
        raw = {
            "reason": failure.reason,
            "endpoint_modified_at": failure.endpoint_modified_at.isoformat(),
            "is_retry_asked": failure.is_retry_asked,
            "is_transient": failure.is_transient,
        }
        self._bucket.write_json(failure_key(model, release), raw)

    def delete_failure(self, model: ModelName, release: ReleaseId) -> None:
        """See ports.Releases."""
        self._bucket.delete(failure_key(model, release))

    def read_starts(self, model: ModelName, release: ReleaseId) -> tuple[float, ...]:
        """See ports.Releases."""
        raw = self._bucket.read_json(starts_key(model, release)) or {}
        took_s = raw.get("took_s", ())
        return tuple(float(s) for s in took_s if isinstance(s, (int, float)) and s > 0)

    def write_start(self, model: ModelName, release: ReleaseId, took_s: float) -> None:
        """See ports.Releases."""
        took = [*self.read_starts(model, release), round(took_s, 3)]
        self._bucket.write_json(starts_key(model, release), {"took_s": took[-STARTS_KEPT:]})

    def ask_back(self, model: ModelName, release: ReleaseId) -> None:
        """See ports.Releases."""
        self._bucket.write_json(rollback_key(model, release), {"release": release})

    def note_scaled(self, model: ModelName, release: ReleaseId) -> None:
        """See ports.Releases."""
        self._bucket.write_json(scaled_key(model, release), {"release": release})

    def delete(self, model: ModelName, release: ReleaseId) -> None:
        """See ports.Releases."""
        self._bucket.delete_all(f"{releases_prefix(model)}{release}/")


def _records(rows: Iterable[Listed]) -> dict[ModelName, tuple[ReleaseRecord, ...]]:
    records: dict[ModelName, dict[ReleaseId, ReleaseRecord]] = {}
    for row in rows:
        match = _KEY.fullmatch(row.key)
        if match is None:
            continue
        of_model = records.setdefault(ModelName(match["model"]), {})
        release = ReleaseId(match["release"])
        record = of_model.get(release, ReleaseRecord(release))
        name = _FIELDS.get(match["file"])
        times: dict[str, Any] = {} if name is None else {name: row.modified_at}
        of_model[release] = replace(record, **times)
    return {model: tuple(of_model.values()) for model, of_model in records.items()}
