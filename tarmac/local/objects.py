"""S3's objects as files, and the records that say which file is which object. Called by `s3_backend` and by SageMaker.

A file belongs to exactly one record and is never written again once a record names it. Writing the record is the
moment an object changes: a crash before it leaves the old object and an orphan file, one after it the new object; the
orphans go at the next start.
"""

import contextlib
import errno
import hashlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from tarmac.local.journal import Journal
from tarmac.local.loopback_http import send_file_part
from tarmac.local.uploads import BUFFER_BYTES, DiskFull

_KIND = "s3-object"
_COPY_AT_ONCE_BYTES = 1 << 26


@dataclass(frozen=True)
class ObjectRecord:
    """One version of one object, as it is written down.

    Attributes:
        sequence: Grows with every write: the order of an object's versions.
        file: Name of the file under the objects' folder; None for a delete marker.
        modified_s: Whole seconds since the epoch, as S3's LastModified.
        part_sizes: Bytes of each part of a multipart upload, in order; empty for a single PUT.
    """

    bucket: str
    key: str
    version: str
    sequence: int
    modified_s: int
    file: str | None = None
    size_bytes: int = 0
    etag: str = ""
    is_versioned: bool = False
    storage_class: str = "STANDARD"
    metadata: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    checksum_algorithm: str | None = None
    checksum_value: str | None = None
    checksum_type: str | None = None
    redirect: str | None = None
    upload_id: str | None = None
    part_sizes: tuple[int, ...] = ()


class _OpenFile:
    """A file descriptor that closes with its last reader."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            os.close(self.descriptor)


class FileSlice:
    """Part of a file that stands for bytes: it has a length, can be sliced, and sends itself to a socket.

    It stays readable when the object is overwritten or deleted meanwhile.
    """

    def __init__(self, path: Path, start: int, stop: int, *, opened: _OpenFile | None = None) -> None:
        """*start* and *stop* in bytes. Raises FileNotFoundError."""
        self.path = path
        self.start = start
        self.stop = stop
        self._opened = opened or _OpenFile(path)

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, part: slice) -> "FileSlice":
        first, last, _ = part.indices(len(self))
        return FileSlice(self.path, self.start + first, self.start + max(first, last), opened=self._opened)

    def __iter__(self) -> Iterator[bytes]:
        at = self.start
        while at < self.stop:
            chunk = os.pread(self._opened.descriptor, min(BUFFER_BYTES, self.stop - at), at)
            if not chunk:
                return
            at += len(chunk)
            yield chunk

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole file."""
        return self.start == 0 and self.stop == os.fstat(self._opened.descriptor).st_size

    @property
    def descriptor(self) -> int:
        """The open file."""
        return self._opened.descriptor

    def read(self) -> bytes:
        """All of it, in memory: for what is known to be small."""
        return b"".join(self)

    def decode(self, encoding: str = "utf-8") -> str:
        """All of it as text: CloudFormation reads its templates so."""
        return self.read().decode(encoding)

    def send_to(self, connection: socket.socket) -> None:
        """Send it, without reading it into this process."""
        send_file_part(connection, self._opened.descriptor, offset=self.start, count=len(self))


class ObjectStore:
    """The folder of files and their records. Safe from any thread; the backend holds `lock` over each change."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        """Use *folder* (made when absent)."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.lock = threading.RLock()
        self._journal = journal
        self._last_sequence = 0
        self._find: Callable[[str, str], Path] | None = None

    def next_sequence(self) -> int:
        """A number above every one given before, across restarts too."""
        with self.lock:
            self._last_sequence = max(self._last_sequence + 1, time.time_ns())
            return self._last_sequence

    def new_path(self) -> Path:
        """Where the next file may be written."""
        return self.folder / uuid.uuid4().hex

    def path_of(self, bucket: str, key: str) -> Path:
        """The file that holds the object's bytes now: open it at once, for the next write replaces it.

        Raises:
            KeyError: No such bucket or object.
        """
        if self._find is None:
            raise KeyError(bucket)
        return self._find(bucket, key)

    def find_with(self, find: Callable[[str, str], Path]) -> None:
        """Say who knows which file is which object."""
        self._find = find

    def save(self, record: ObjectRecord) -> None:
        """Make *record* the truth. Raises DiskFull."""
        import sqlite3

        try:
            self._journal.put(_KIND, _record_key(record.bucket, record.key, record.version), asdict(record))
        except sqlite3.OperationalError as exc:
            if "full" in str(exc):
                raise DiskFull from exc
            raise

    def forget(self, bucket: str, key: str, version: str) -> None:
        """Make it true that this version does not exist."""
        self._journal.delete(_KIND, _record_key(bucket, key, version))

    def remove_file(self, path: Path | None) -> None:
        """Remove a file that no record names any more."""
        if path is not None:
            path.unlink(missing_ok=True)

    def restore(self) -> list[ObjectRecord]:
        """Read all records, oldest write first, and remove every file that none of them names."""
        records = []
        for _, raw in self._journal.items(_KIND):
            record = ObjectRecord(**{**raw, "part_sizes": tuple(raw["part_sizes"])})
            if record.file is not None and not (self.folder / record.file).is_file():
                # Somebody removed the file by hand: an object without bytes is no object.
                self.forget(record.bucket, record.key, record.version)
                continue
            records.append(record)
        records.sort(key=lambda record: record.sequence)
        named = {record.file for record in records}
        for path in self.folder.iterdir():
            if path.name not in named and path.is_file():
                path.unlink(missing_ok=True)
        self._last_sequence = max([self._last_sequence, *(record.sequence for record in records)])
        return records

    # Making files.

    def write(self, data: bytes) -> Path:
        """Put bytes into a new file. Raises DiskFull."""
        path = self.new_path()
        with self._undone_on_failure(path), path.open("xb") as file:
            file.write(data)
        return path

    def link(self, part: FileSlice) -> Path:
        """Make a new file of a part of another: a hard link where it is the whole, else copied by the kernel."""
        path = self.new_path()
        with self._undone_on_failure(path):
            if part.is_whole:
                with contextlib.suppress(OSError):  # not every file system has hard links, nor endless ones
                    os.link(part.path, path)
                    return path
            with path.open("xb") as file:
                _append(part.descriptor, file, offset=part.start, count=len(part))
        return path

    def adopt_file(self, source: Path) -> Path:
        """Take a file from outside: hard-linked on the same file system, else copied. The source stays."""
        return self.link(FileSlice(source, 0, source.stat().st_size))

    def join(self, parts: Sequence[Path]) -> Path:
        """Make one file of several, in order, by the kernel; the parts stay as they are. Raises DiskFull."""
        if len(parts) == 1:
            return self.link(FileSlice(parts[0], 0, parts[0].stat().st_size))
        path = self.new_path()
        with self._undone_on_failure(path), path.open("xb") as file:
            for part in parts:
                with part.open("rb") as source:
                    _append(source.fileno(), file, offset=0, count=os.fstat(source.fileno()).st_size)
        return path

    @contextlib.contextmanager
    def _undone_on_failure(self, path: Path) -> Iterator[None]:
        try:
            yield
        except BaseException as exc:
            path.unlink(missing_ok=True)
            if isinstance(exc, OSError) and exc.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise DiskFull from exc
            raise


def md5_hex(part: FileSlice) -> str:
    """The MD5 of a part of a file, read in pieces."""
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in part:
        digest.update(chunk)
    return digest.hexdigest()


def _append(source: int, target: BinaryIO, *, offset: int, count: int) -> None:
    target.flush()
    while count > 0:
        try:
            copied = os.copy_file_range(source, target.fileno(), min(count, _COPY_AT_ONCE_BYTES), offset)
        except OSError as exc:
            if exc.errno not in {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}:
                raise
            copied = _append_by_hand(source, target.fileno(), offset=offset, count=min(count, BUFFER_BYTES))
        if copied == 0:
            raise OSError(errno.EIO, "the file is shorter than its record says")
        offset += copied
        count -= copied


def _append_by_hand(source: int, target: int, *, offset: int, count: int) -> int:
    chunk = os.pread(source, count, offset)
    left = memoryview(chunk)
    while left:
        left = left[os.write(target, left) :]
    return len(chunk)


def _record_key(bucket: str, key: str, version: str) -> str:
    return json.dumps([bucket, key, version])
