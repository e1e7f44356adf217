"""S3's objects: what a write does, in which order, and what a delete undoes. A part of `s3_backend`."""

import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from moto.s3 import models
from moto.s3.exceptions import CopyObjectMustChangeSomething, InvalidStorageClass
from moto.s3.utils import STORAGE_CLASS

from tarmac.local import s3_events
from tarmac.local.objects import FileSlice, ObjectRecord, md5_hex
from tarmac.local.s3_buckets import Buckets
from tarmac.local.s3_events import Event
from tarmac.local.s3_keys import DeleteMarker, FileKey
from tarmac.local.uploads import Staged


class Objects(Buckets):
    """The objects' part of the backend. Every write: file, record, memory, then the event."""

    __module__ = models.__name__

    def put_object(  # type: ignore[override]
        self,
        bucket_name: str,
        key_name: str,
        value: Staged | FileSlice | bytes,
        storage: str | None = None,
        *,
        metadata: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        redirect: str | None = None,
        request_method: str | None = "PUT",
        disable_notification: bool | None = False,
        **_: Any,
    ) -> FileKey:
        """Make an object of a staged body, a part of a file, or bytes. Encryption and locks are ignored."""
        if storage is not None and storage not in STORAGE_CLASS:
            raise InvalidStorageClass(storage=storage)
        bucket = self.get_bucket(bucket_name)
        if isinstance(value, str):
            value = value.encode()
        staged = value if isinstance(value, Staged) else self.stage(value)
        algorithm, checksum = next(iter(staged.digests.items()), (None, None))
        record = self.new_record(
            bucket,
            key_name,
            file=staged.path.name,
            size_bytes=staged.size_bytes,
            etag=staged.md5_hex,
            storage_class=storage or "STANDARD",
            metadata=dict(metadata or {}),
            tags=dict(tags or {}),
            checksum_algorithm=algorithm,
            checksum_value=checksum,
            checksum_type="FULL_OBJECT" if algorithm else None,
            redirect=redirect,
        )
        key = self.commit(bucket, record, staged.path)
        staged.is_adopted = True
        if not disable_notification:
            event = Event.OBJECT_CREATED_POST_EVENT if request_method == "POST" else Event.OBJECT_CREATED_PUT_EVENT
            s3_events.send_event(self.account_id, event, bucket, key)
        return key

    def copy_object(  # type: ignore[override]  # noqa: PLR0917  # moto's own signature
        self,
        src_key: FileKey,
        dest_bucket_name: str,
        dest_key_name: str,
        storage: str | None = None,
        mdirective: str | None = None,
        metadata: Mapping[str, str] | None = None,
        website_redirect_location: str | None = None,
        provided_version_id: str | None = None,
        **_: Any,
    ) -> None:
        """Copy by a hard link: no byte is read. The copy keeps its source's ETag, also where that counts parts."""
        bucket = self.get_bucket(dest_bucket_name)
        is_same = src_key.name == dest_key_name and src_key.bucket_name == dest_bucket_name
        changes = storage or mdirective == "REPLACE" or website_redirect_location
        if is_same and not changes and not (bucket.is_versioned and provided_version_id):
            raise CopyObjectMustChangeSomething
        path = self.store.link(src_key.value)
        record = replace(
            src_key.record,
            metadata=dict(metadata or {}) if mdirective == "REPLACE" else dict(src_key.metadata),
            tags=self.tagger.get_tag_dict_for_resource(src_key.arn),
            redirect=website_redirect_location,
            storage_class=storage or "STANDARD",
            **self._fresh(bucket, dest_key_name, path.name),
        )
        key = self.commit(bucket, record, path)
        s3_events.send_event(self.account_id, Event.OBJECT_CREATED_COPY_EVENT, bucket, key)

    def put_file(self, bucket_name: str, key_name: str, source: Path, *, content_type: str) -> FileKey:
        """Make an object of a file of this machine, by a hard link where that can be."""
        path = self.store.adopt_file(source)
        part = FileSlice(path, 0, path.stat().st_size)
        staged = Staged(path, len(part), md5_hex(part))
        return self.put_object(bucket_name, key_name, staged, metadata={"Content-Type": content_type})

    def put_bytes(self, bucket_name: str, key_name: str, content: bytes, content_type: str) -> None:
        """Make an object of bytes. Raises moto's errors, e.g. when there is no such bucket."""
        self.put_object(bucket_name, key_name, content, metadata={"Content-Type": content_type})

    def stage(self, value: FileSlice | bytes) -> Staged:
        """Give bytes, or a part of another file, a file of their own."""
        path = self.store.link(value) if isinstance(value, FileSlice) else self.store.write(value)
        part = FileSlice(path, 0, path.stat().st_size)
        return Staged(path, len(part), md5_hex(part))

    def _fresh(self, bucket: Any, key_name: str, file: str | None) -> dict[str, Any]:
        return {
            "bucket": bucket.name,
            "key": key_name,
            "version": str(uuid.uuid4()) if bucket.is_versioned else "null",
            "is_versioned": bucket.is_versioned,
            "sequence": self.store.next_sequence(),
            "modified_s": int(time.time()),
            "file": file,
        }

    def new_record(self, bucket: Any, key_name: str, *, file: str | None, **known: Any) -> ObjectRecord:
        """Write up a new version: its number, its time, and what is known of it."""
        return ObjectRecord(**self._fresh(bucket, key_name, file), **known)

    def commit(self, bucket: Any, record: ObjectRecord, path: Path) -> FileKey:
        """Make the object the truth, then visible, then let go of what it replaced."""
        with self.store.lock:
            try:
                self.store.save(record)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            key = self.key_of(record)
            before = list(bucket.keys.getlist(record.key, []))
            kept = before if record.is_versioned else []
            bucket.keys.setlist(record.key, [*kept, key])
            self.tag_as_recorded(key)
            self._let_go([old for old in before if old not in kept], but=record.version)
        return key

    def _let_go(self, replaced: Iterable[Any], *, but: str | None = None) -> None:
        for old in replaced:
            if old.record.version != but:
                self.store.forget(old.record.bucket, old.record.key, old.record.version)
            if isinstance(old, FileKey):
                self.store.remove_file(old.path)

    def put_object_tagging(  # type: ignore[override]  # here every key is one of ours
        self, key: FileKey, tags: dict[str, str] | None
    ) -> FileKey:
        """Tag, and write it down."""
        super().put_object_tagging(key, tags)
        with self.store.lock:
            key.record = replace(key.record, tags=dict(tags or {}))
            self.store.save(key.record)
        return key

    def delete_object_tagging(self, bucket_name: str, key_name: str, version_id: str | None = None) -> None:
        """Untag, and write it down."""
        super().delete_object_tagging(bucket_name, key_name, version_id)
        key = self.get_object(bucket_name, key_name, version_id=version_id)
        with self.store.lock:
            key.record = replace(key.record, tags={})
            self.store.save(key.record)

    def get_object(self, *args: Any, part_number: Any = None, **kwargs: Any) -> Any:
        """Find the object; the part of a finished upload is cut out of it when it is sent."""
        del part_number
        return super().get_object(*args, **kwargs)

    def head_object(
        self, bucket_name: str, key_name: str, version_id: str | None = None, part_number: Any = None
    ) -> Any:
        """Find the object, or say that a marker hides it."""
        del part_number
        return super().head_object(bucket_name, key_name, version_id)

    # Deleting.

    def delete_object(
        self, bucket_name: str, key_name: str, version_id: str | None = None, bypass: bool = False
    ) -> tuple[bool, dict[str, Any]]:
        """Delete an object or one version, or hide it behind a marker where the bucket is versioned."""
        del bypass
        with self.store.lock:
            bucket = self.get_bucket(bucket_name)
            if bucket.is_versioned and version_id is None:
                marker = self._hide(bucket, key_name)
                return True, {"version-id": marker.version_id, "delete-marker": "true"}
            versions = bucket.keys.getlist(key_name, [])
            wanted = version_id or "null"
            gone = [one for one in versions if version_id is None or one.version_id == wanted]
            if not gone:
                return False, {"version-id": version_id} if version_id else {}
            for one in gone:
                self.store.forget(bucket_name, key_name, one.record.version)
            left = [one for one in versions if one not in gone]
            if left:
                bucket.keys.setlist(key_name, left)
            else:
                bucket.keys.pop(key_name)
            for one in gone:
                self.store.remove_file(one.path if isinstance(one, FileKey) else None)
        s3_events.send_event(self.account_id, Event.OBJECT_REMOVED_DELETE_EVENT, bucket, gone[-1])
        meta = {"version-id": version_id} if version_id else {}
        return True, meta | ({"delete-marker": "true"} if isinstance(gone[-1], DeleteMarker) else {})

    def _hide(self, bucket: Any, key_name: str) -> DeleteMarker:
        record = self.new_record(bucket, key_name, file=None)
        self.store.save(record)
        marker = DeleteMarker(record)
        bucket.keys[key_name] = marker
        s3_events.send_event(self.account_id, Event.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT, bucket, marker)
        return marker
