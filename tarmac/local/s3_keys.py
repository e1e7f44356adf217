"""moto's S3 objects and uploads, with their bytes in files. Called by `s3_backend`."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.s3 import models
from moto.s3.exceptions import EntityTooSmall, InvalidPart, MalformedXML

from tarmac.local import checksums
from tarmac.local.objects import FileSlice, ObjectRecord

_SMALLEST_PART_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True)
class FinishedUpload:
    """What is left to know of a multipart upload once it is an object."""

    id: str
    part_sizes: tuple[int, ...]

    @property
    def partlist(self) -> list[int]:
        """Part numbers, from 1."""
        return list(range(1, len(self.part_sizes) + 1))

    def span(self, part_number: int) -> tuple[int, int]:
        """First byte of a part, and the byte after its last."""
        start = sum(self.part_sizes[: part_number - 1])
        return start, start + self.part_sizes[part_number - 1]

    def dispose(self) -> None:
        """Nothing to let go of."""


class _Recorded:
    """What objects and delete markers share: a record, and the place in a listing of versions that it gives them."""

    record: ObjectRecord
    last_modified: datetime

    @property
    def last_modified_ISO8601(self) -> str:  # noqa: N802  # moto's name
        """Whole seconds, as S3 has them: a listing, a HEAD and a conditional request all agree."""
        return datetime.fromtimestamp(self.record.modified_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def __deepcopy__(self, _: Any) -> Any:
        # Only moto's listing of versions copies, to mark each copy as the latest or not, having sorted them by time:
        # so the copies get a time that is as fine as the order of the writes.
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__)
        copied.last_modified = datetime.fromtimestamp(self.record.sequence / 1e9, UTC).replace(tzinfo=None)
        return copied


class FileKey(_Recorded, models.FakeKey):
    """An object, or a part of an upload: metadata in memory, bytes in `path`."""

    path: Path

    def __init__(self, record: ObjectRecord, path: Path, *, account_id: str, region_name: str) -> None:
        """Take all there is to know from *record*."""
        super().__init__(
            name=record.key,
            bucket_name=record.bucket,
            value=b"",
            account_id=account_id,
            region_name=region_name,
            storage=record.storage_class,
            etag=record.etag,
            is_versioned=record.is_versioned,
            version_id=record.version,
            checksum_value=record.checksum_value,
            checksum_type=record.checksum_type,
            checksum_parts=len(record.part_sizes) or None,
        )
        self._value_buffer.close()  # moto's own place for the bytes, which stays empty here
        self.record = record
        self.path = path
        if record.upload_id is not None:
            self.multipart = FinishedUpload(record.upload_id, record.part_sizes)  # type: ignore[assignment]
        self.contentsize = record.size_bytes
        self.last_modified = datetime.fromtimestamp(record.modified_s, UTC).replace(tzinfo=None)
        self.checksum_algorithm = record.checksum_algorithm
        self.website_redirect_location = record.redirect
        super().set_metadata(dict(record.metadata))

    @property  # type: ignore[override]
    def value(self) -> FileSlice:
        """The bytes, unread. Raises FileNotFoundError when the object was replaced a moment ago."""
        return FileSlice(self.path, 0, self.contentsize)

    @value.setter
    def value(self, _: bytes) -> None:
        """Nothing: moto's own constructor sets it, and a file's content is never changed."""

    def dispose(self, garbage: bool = False) -> None:  # noqa: ARG002  # moto calls it by that name
        """Nothing: files go when their records have gone, not when Python forgets an object."""
        self.disposed = True

    def __del__(self) -> None:
        return


class DeleteMarker(_Recorded, models.FakeDeleteMarker):
    """A delete marker that can be restored."""

    def __init__(self, record: ObjectRecord) -> None:
        """Take all there is to know from *record*; what it hides needs no link, being next to it in the list."""
        self.record = record
        self.name = record.key
        self.key = None  # type: ignore[assignment]
        self.last_modified = datetime.fromtimestamp(record.modified_s, UTC).replace(tzinfo=None)
        self._version_id = record.version

    def dispose(self) -> None:
        """Nothing to let go of."""


class FileMultipart(models.FakeMultipart):
    """An upload on its way. It lives as long as the process: a restart forgets it and its parts."""

    parts: dict[int, FileKey]  # type: ignore[assignment]

    def chosen(self, wanted: Iterable[tuple[int, str]]) -> list[FileKey]:
        """The parts that the client wants joined, in order.

        Raises:
            InvalidPart, EntityTooSmall, MalformedXML: As S3.
        """
        parts: list[FileKey] = []
        for number, etag in wanted:
            part = self.parts.get(number)
            if part is None or part.etag.strip('"') != etag.strip('"'):
                raise InvalidPart
            if parts and parts[-1].size < _SMALLEST_PART_BYTES:
                raise EntityTooSmall
            parts.append(part)
        if not parts:
            raise MalformedXML
        return parts

    def remove_files(self) -> None:
        """Remove the parts' files."""
        for part in list(self.parts.values()):
            part.path.unlink(missing_ok=True)

    def checksum(self, parts: list[FileKey], declared: dict[str, str]) -> tuple[str | None, str | None, str | None]:
        """The whole object's checksum, from its parts' or as declared: algorithm, base64 value, type."""
        algorithm = self.metadata.get("x-amz-checksum-algorithm")
        kind = self.metadata.get("x-amz-checksum-type")
        if algorithm is None:
            return None, None, None
        if kind is None:
            kind = "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"
        if kind == "FULL_OBJECT":
            value = declared.get(algorithm)
            return (algorithm, value, kind) if value else (None, None, None)
        values = [part.checksum_value for part in parts]
        if not all(part.checksum_algorithm == algorithm for part in parts):
            return None, None, None
        whole = checksums.new(algorithm)
        for value in values:
            whole.update(base64.b64decode(value or ""))
        return algorithm, checksums.encoded(whole.digest()), kind


def joined_etag(parts: list[FileKey]) -> str:
    """The ETag of an object made of parts: the MD5 of their MD5s, and how many there were."""
    digest = hashlib.md5(usedforsecurity=False)
    for part in parts:
        digest.update(bytes.fromhex(part.etag.strip('"')))
    return f"{digest.hexdigest()}-{len(parts)}"


def kept_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """What S3 stores of a request's headers, and gives back."""
    unkept = {"content-md5", "x-amz-content-sha256", "x-amz-checksum-algorithm", "x-amz-checksum-type"}
    kept = {name: value for name, value in metadata.items() if name.lower() not in unkept}
    for name in [name for name in kept if name.lower() == "content-encoding"]:
        encodings = [one.strip() for one in kept.pop(name).split(",") if one.strip() not in {"", "aws-chunked"}]
        if encodings:
            kept["Content-Encoding"] = ",".join(encodings)
    return kept
