"""S3's buckets and their settings, written down and brought back. A part of `s3_backend`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from moto.s3 import models

from tarmac.local.journal import Journal
from tarmac.local.objects import ObjectRecord, ObjectStore
from tarmac.local.s3_keys import DeleteMarker, FileKey, FileMultipart

_BUCKETS = "s3-bucket"
_SETTINGS = "s3-bucket-setting"

_UNDO = {
    "put_bucket_tagging": "delete_bucket_tagging",
    "put_bucket_policy": "delete_bucket_policy",
    "put_bucket_encryption": "delete_bucket_encryption",
    "put_bucket_cors": "delete_bucket_cors",
    "put_bucket_lifecycle_configuration": "delete_bucket_lifecycle",
    "put_bucket_ownership_controls": "delete_bucket_ownership_controls",
    "put_bucket_website": "delete_bucket_website",
    "put_public_access_block": "delete_public_access_block",
}
"""Settings that can be taken back, and by what."""

SETTINGS = ("put_bucket_versioning", "put_bucket_notification_configuration", *_UNDO)
"""What is written down about a bucket: moto's own setters, and the arguments they were called with."""


class Buckets(models.S3Backend):
    """The buckets' part of the backend."""

    __module__ = models.__name__
    store: ClassVar[ObjectStore]
    journal: ClassVar[Journal]

    def create_bucket(self, bucket_name: str, region_name: str, bucket_namespace: str | None = None) -> Any:
        """Create and write down."""
        with self.store.lock:
            bucket = super().create_bucket(bucket_name, region_name, bucket_namespace)
            raw = {"region": region_name, "created_s": bucket.creation_date.timestamp()}
            self.journal.put(_BUCKETS, bucket_name, raw)
        return bucket

    def delete_bucket(self, bucket_name: str) -> Any:
        """Delete it if it is empty, with its settings and the uploads on their way."""
        with self.store.lock:
            uploads = list(self.get_bucket(bucket_name).multiparts.values())
            removed = super().delete_bucket(bucket_name)
            if removed:
                self.journal.delete(_BUCKETS, bucket_name)
                for name in SETTINGS:
                    self.journal.delete(_SETTINGS, json.dumps([bucket_name, name]))
                for upload in uploads:
                    if isinstance(upload, FileMultipart):
                        upload.remove_files()
        return removed

    def restore(self) -> None:
        """Bring back every bucket, setting and object that was written down, oldest write first."""
        for name, raw in self.journal.items(_BUCKETS):
            bucket = super().create_bucket(name, raw["region"])
            bucket.creation_date = datetime.fromtimestamp(raw["created_s"], UTC)
        for setting, raw in self.journal.items(_SETTINGS):
            bucket_name, setter = json.loads(setting)
            if bucket_name in self.buckets:
                getattr(models.S3Backend, setter)(self, bucket_name, *_thawed(raw["args"]))
        for record in self.store.restore():
            found = self.buckets.get(record.bucket)
            if found is None:
                continue
            if record.file is None:
                found.keys[record.key] = DeleteMarker(record)
            else:
                key = self.key_of(record)
                found.keys[record.key] = key
                self.tag_as_recorded(key)

    def key_of(self, record: ObjectRecord) -> FileKey:
        """The object of a record."""
        path = self.store.folder / str(record.file)
        return FileKey(record, path, account_id=self.account_id, region_name=self.region_name)

    def tag_as_recorded(self, key: FileKey) -> None:
        """Give moto's tag table what the record says."""
        self.tagger.delete_all_tags_for_resource(key.arn)
        if key.record.tags:
            self.tagger.tag_resource(key.arn, self.tagger.convert_dict_to_tags_input(key.record.tags))

    def path_of(self, bucket_name: str, key_name: str) -> Path:
        """The file behind an object. Raises KeyError."""
        key = self.buckets[bucket_name].keys[key_name]
        if not isinstance(key, FileKey):
            raise KeyError(key_name)
        return key.path


def _frozen(value: Any) -> Any:
    return {"bytes": value.decode("latin-1")} if isinstance(value, bytes) else {"plain": value}


def _thawed(raw_args: list[dict[str, Any]]) -> list[Any]:
    return [raw["bytes"].encode("latin-1") if "bytes" in raw else raw["plain"] for raw in raw_args]


def _remembering(name: str) -> Callable[..., None]:
    def setter(self: Buckets, bucket_name: str, *args: Any, **named: Any) -> None:
        # Written down as it was given: moto changes some arguments while it takes them in.
        raw = {"args": [_frozen(value) for value in (*args, *named.values())]}
        text = json.dumps(raw)
        with self.store.lock:
            getattr(models.S3Backend, name)(self, bucket_name, *args, **named)
            self.journal.put(_SETTINGS, json.dumps([bucket_name, name]), json.loads(text))

    return setter


def _forgetting(name: str, undone: str) -> Callable[..., None]:
    def remover(self: Buckets, bucket_name: str) -> None:
        with self.store.lock:
            getattr(models.S3Backend, name)(self, bucket_name)
            self.journal.delete(_SETTINGS, json.dumps([bucket_name, undone]))

    return remover


for _name in SETTINGS:
    setattr(Buckets, _name, _remembering(_name))
for _name, _remover in _UNDO.items():
    setattr(Buckets, _remover, _forgetting(_remover, _name))
