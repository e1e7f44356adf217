"""Unpacks a model archive as a stream: constant memory, whatever its size. Called by servers.py before a start."""

import io
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

_BLOCK = 1 << 16
"""Bytes read at a time: zlib can make a thousand times as many of them, and all at once."""


class BadArchiveError(Exception):
    """The archive cannot be unpacked; the message says why."""


class UnpackingStopped(Exception):
    """The unpacking was called off."""


def unpack(archive: Path, into: Path, *, is_stopped: Callable[[], bool]) -> None:
    """Unpack *archive* (tar, however compressed) under *into*, which must exist.

    Args:
        archive: A file; read once, front to back.
        into: What lies outside of it is never written, whatever the archive says.
        is_stopped: Asked at every block read.

    Raises:
        BadArchiveError: It is no archive, is truncated, or has a member that leaves the directory or is a device.
        UnpackingStopped: *is_stopped* said so.
        OSError: The disk is full, or the file cannot be read.
    """
    try:
        with (
            archive.open("rb") as raw,
            tarfile.open(fileobj=_Stoppable(raw, is_stopped), mode="r|*", bufsize=_BLOCK) as tar,
        ):
            for member in tar:
                tar.extract(member, into, filter="data")
                # A stream never looks back, and tarfile would otherwise remember every member it has seen.
                tar.members = []  # type: ignore[attr-defined]
    except (tarfile.TarError, EOFError, zlib.error) as exc:
        raise BadArchiveError(f"the archive cannot be unpacked: {exc}") from exc


class _Stoppable(io.RawIOBase):
    """A file that stops reading when it is told to: the only place where a long unpacking can be called off."""

    def __init__(self, raw: BinaryIO, is_stopped: Callable[[], bool]) -> None:
        super().__init__()
        self._raw = raw
        self._is_stopped = is_stopped

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._is_stopped():
            raise UnpackingStopped
        block = memoryview(buffer).cast("B")
        content = self._raw.read(len(block))
        block[: len(content)] = content
        return len(content)
