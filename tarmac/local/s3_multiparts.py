"""S3's uploads in parts, with the parts in files. A part of `s3_backend`."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from moto.s3 import models
from moto.s3.exceptions import InvalidPart, NoSuchUpload

from tarmac.local import s3_events
from tarmac.local.objects import ObjectRecord, md5_hex
from tarmac.local.s3_keys import FileKey, FileMultipart, joined_etag, kept_metadata
from tarmac.local.s3_objects import Objects
from tarmac.local.uploads import Staged


class Multiparts(Objects):
    """The uploads' part of the backend."""

    __module__ = models.__name__

    def create_multipart_upload(  # noqa: PLR0917  # moto's own signature
        self,
        bucket_name: str,
        key_name: str,
        metadata: Any,
        storage_type: str,
        tags: dict[str, str],
        acl: Any,
        *_: Any,
        **__: Any,
    ) -> FileMultipart:
        """Begin an upload."""
        bucket = self.get_bucket(bucket_name)
        upload = FileMultipart(
            key_name,
            metadata,
            account_id=self.account_id,
            region_name=self.region_name,
            storage=storage_type,
            tags=tags,
            acl=acl,
        )
        bucket.multiparts[upload.id] = upload
        return upload

    def _upload(self, bucket_name: str, upload_id: str) -> FileMultipart:
        upload = self.get_bucket(bucket_name).multiparts.get(upload_id)
        if upload is None:
            raise NoSuchUpload(upload_id=upload_id)
        return cast("FileMultipart", upload)

    def upload_part(self, bucket_name: str, multipart_id: str, part_id: int, value: Staged | bytes) -> FileKey:
        """Keep a part. A part sent again replaces the first."""
        staged = value if isinstance(value, Staged) else self.stage(value or b"")
        try:
            with self.store.lock:
                upload = self._upload(bucket_name, multipart_id)
                algorithm, checksum = next(iter(staged.digests.items()), (None, None))
                record = ObjectRecord(
                    bucket=bucket_name,
                    key=part_id,  # type: ignore[arg-type]  # moto's listing of parts reads the number as the name
                    version="null",
                    sequence=0,
                    modified_s=int(time.time()),
                    file=staged.path.name,
                    size_bytes=staged.size_bytes,
                    etag=staged.md5_hex,
                    checksum_algorithm=algorithm,
                    checksum_value=checksum,
                )
                part = self.key_of(record)
                replaced = upload.parts.get(part_id)
                upload.parts[part_id] = part
                upload.partlist = sorted(upload.parts)
                staged.is_adopted = True
        except BaseException:
            staged.discard()
            raise
        self.store.remove_file(replaced.path if replaced is not None else None)
        return part

    def upload_part_copy(  # noqa: PLR0917  # moto's own signature
        self,
        dest_bucket_name: str,
        multipart_id: str,
        part_id: int,
        src_bucket_name: str,
        src_key_name: str,
        src_version_id: str | None,
        start_byte: int | None,
        end_byte: int | None,
    ) -> FileKey:
        """Make a part of (a part of) another object: linked or copied by the kernel, read only for its MD5."""
        self._upload(dest_bucket_name, multipart_id)
        source = self.get_object(src_bucket_name, src_key_name, version_id=src_version_id)
        part = source.value
        if start_byte is not None and end_byte is not None:
            part = part[start_byte : end_byte + 1]
        etag = source.etag.strip('"')
        path = self.store.link(part)
        is_known = part.is_whole and "-" not in etag
        staged = Staged(path, len(part), etag if is_known else md5_hex(part))
        return self.upload_part(dest_bucket_name, multipart_id, part_id, staged)

    def complete_multipart_upload(
        self,
        bucket_name: str,
        multipart_id: str,
        body: Iterable[tuple[int, str]],
        *,
        condition: Callable[[], None] | None = None,
        declared: Mapping[str, str] | None = None,
    ) -> FileKey:
        """Join the parts. The upload stays whole when it fails, so that it can be completed again.

        Args:
            bucket_name: The bucket.
            multipart_id: The upload.
            body: Part numbers and ETags, as the client wants them joined.
            condition: Raises when the object must not be written; asked at the moment it would be.
            declared: Checksums of the whole object, base64 by algorithm.
        """
        upload = self._upload(bucket_name, multipart_id)
        parts = upload.chosen(body)
        try:
            # Not under the lock: joining gigabytes takes seconds, and the other requests need not wait.
            path = self.store.join([part.path for part in parts])
        except FileNotFoundError:
            raise InvalidPart from None
        try:
            with self.store.lock:
                bucket = self.get_bucket(bucket_name)
                self._upload(bucket_name, multipart_id)  # nobody has completed or aborted it meanwhile
                del bucket.multiparts[multipart_id]
                try:
                    if condition is not None:
                        condition()
                    key = self.commit(
                        bucket, self._joined_record(bucket, upload, parts, path, dict(declared or {})), path
                    )
                except BaseException:
                    bucket.multiparts[multipart_id] = upload
                    raise
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        upload.remove_files()
        s3_events.send_event(
            self.account_id, s3_events.Event.OBJECT_CREATED_COMPLETE_MULTIPART_UPLOAD_EVENT, bucket, key
        )
        return key

    def _joined_record(
        self, bucket: Any, upload: FileMultipart, parts: list[FileKey], path: Path, declared: dict[str, str]
    ) -> ObjectRecord:
        algorithm, checksum, kind = upload.checksum(parts, declared)
        return self.new_record(
            bucket,
            upload.key_name,
            file=path.name,
            size_bytes=path.stat().st_size,
            etag=joined_etag(parts),
            storage_class=upload.storage or "STANDARD",
            metadata=kept_metadata(upload.metadata),
            tags=dict(upload.tags or {}),
            checksum_algorithm=algorithm,
            checksum_value=checksum,
            checksum_type=kind,
            upload_id=upload.id,
            part_sizes=tuple(part.size for part in parts),
        )

    def abort_multipart_upload(self, bucket_name: str, multipart_id: str) -> None:
        """Drop an upload and its parts."""
        upload = self._upload(bucket_name, multipart_id)
        self.get_bucket(bucket_name).multiparts.pop(multipart_id, None)
        upload.remove_files()
