"""Request bodies that go from the socket to a file while their digests are computed. Called by `s3_http`.

Nothing here holds more than one buffer of a body in memory, whatever its size.
"""

import errno
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from moto.s3.exceptions import S3ClientError

from tarmac.local import checksums

BUFFER_BYTES = 1 << 18
_SHA256_HEX = re.compile(r"[0-9a-f]{64}")


class DiskFull(S3ClientError):
    """No room in the state directory."""

    code = "InsufficientStorage"
    http_status = 507  # not 503: the SDKs would try a whole upload again, five times, on a disk that is full

    def __init__(self) -> None:
        super().__init__(self.code, "the disk holding the state directory is full; nothing was stored")


class BadDigest(S3ClientError):
    """The bytes are not the ones the client meant to send."""

    def __init__(self, what: str) -> None:
        super().__init__("BadDigest", f"The {what} you specified did not match what we received.")


class ContentMismatch(S3ClientError):
    """The signed hash of the payload is not that of the payload."""

    def __init__(self) -> None:
        super().__init__(
            "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."
        )


class Readable(Protocol):
    """A body."""

    def readinto(self, buffer: Any, /) -> int:
        """Fill some of *buffer*; 0 at the end."""


@dataclass
class Staged:
    """A body that lies in a file of its own and belongs to no object yet.

    Attributes:
        path: The file. Whoever adopts it keeps it; `discard` removes it otherwise.
        size_bytes: Its length.
        md5_hex: What S3 calls the ETag.
        digests: Base64 by algorithm name, as declared by the client and checked.
        is_adopted: Whether the file belongs to an object (or a part) by now.
    """

    path: Path
    size_bytes: int
    md5_hex: str
    digests: dict[str, str] = field(default_factory=dict)
    is_adopted: bool = False

    def discard(self) -> None:
        """Remove the file. Done when it is gone."""
        self.path.unlink(missing_ok=True)


class AwsChunked:
    """Reads through the framing that signed and trailing-checksum uploads put around a body.

    Source: "Signature calculations: transferring payload in multiple chunks", Amazon S3 API reference. Signatures are
    not checked: any key is good here.
    """

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._buffer = bytearray(BUFFER_BYTES)
        self._start = self._end = 0
        self._left = 0
        self._is_ended = False
        self._is_first = True
        self.trailers: dict[str, str] = {}

    def readinto(self, buffer: Any, /) -> int:
        """Fill some of *buffer* with payload; 0 at the end, when the trailers have been read too."""
        if self._left == 0 and not self._is_ended:
            self._next_chunk()
        if self._is_ended:
            return 0
        if self._start == self._end and len(buffer) >= BUFFER_BYTES:
            count = self._source.readinto(memoryview(buffer)[: self._left])
            if count == 0:
                raise S3ClientError("IncompleteBody", "The body ended inside a chunk.")
        else:
            self._fill()
            count = min(len(buffer), self._left, self._end - self._start)
            memoryview(buffer)[:count] = self._buffer[self._start : self._start + count]
            self._start += count
        self._left -= count
        return count

    def _fill(self) -> None:
        if self._start == self._end:
            self._start, self._end = 0, self._source.readinto(self._buffer)
            if self._end == 0:
                raise S3ClientError("IncompleteBody", "The body ended inside a chunk.")

    def _line(self) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n"):
            self._fill()
            found = self._buffer.find(b"\n", self._start, self._end)
            stop = self._end if found < 0 else found + 1
            line += self._buffer[self._start : stop]
            self._start = stop
            if len(line) > 1 << 14:
                raise S3ClientError("InvalidRequest", "A chunk's header is too long.")
        return bytes(line).strip()

    def _next_chunk(self) -> None:
        if not self._is_first:
            self._line()
        self._is_first = False
        head = self._line()
        try:
            self._left = int(head.split(b";")[0], 16)
        except ValueError:
            raise S3ClientError("InvalidRequest", "A chunk has no size.") from None
        if self._left == 0:
            self._is_ended = True
            self._read_trailers()

    def _read_trailers(self) -> None:
        # Some clients leave the last empty line out, so the end of the body ends the trailers too.
        while True:
            try:
                line = self._line()
            except S3ClientError:
                return
            if not line:
                return
            name, _, value = line.decode("latin-1").partition(":")
            self.trailers[name.strip().lower()] = value.strip()


def is_aws_chunked(environ: Mapping[str, Any]) -> bool:
    """Tell whether the body carries aws-chunked framing."""
    return str(environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")).startswith("STREAMING-")


def stage(body: Readable, path: Path, environ: Mapping[str, Any]) -> Staged:
    """Stream a body into a new file at *path*, and check it against all that the client declared about it.

    Args:
        body: Read to its end.
        path: Must not exist.
        environ: The request, for its headers.

    Raises:
        DiskFull, BadDigest, ContentMismatch, S3ClientError: The file is gone again.
        BodyTruncated: The client went away; the file is gone again.
    """
    framed = AwsChunked(body) if is_aws_chunked(environ) else None
    declared = _declared(environ)
    names = {name for name, _ in declared} | set(_promised(environ))
    sums = {name: checksums.new(name) for name in sorted(names)}
    signed = environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")
    if _SHA256_HEX.fullmatch(signed) and "SHA256" not in sums:
        sums["SHA256"] = checksums.new("SHA256")
    try:
        size, md5 = _copy(framed or body, path, sums)
        computed = {name: checksums.encoded(one.digest()) for name, one in sums.items()}
        trailing = (
            _declared({f"HTTP_{k.upper().replace('-', '_')}": v for k, v in framed.trailers.items()}) if framed else []
        )
        _check(environ, md5, computed, [*declared, *trailing], sums)
    except BaseException as exc:
        path.unlink(missing_ok=True)
        if isinstance(exc, OSError) and exc.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise DiskFull from exc
        raise
    return Staged(path, size, md5.hex(), {name: computed[name] for name in names})


def _copy(body: Readable, path: Path, sums: Mapping[str, checksums.Checksum]) -> tuple[int, bytes]:
    md5 = hashlib.md5(usedforsecurity=False)
    buffer = bytearray(BUFFER_BYTES)
    view = memoryview(buffer)
    size = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        while count := body.readinto(view):
            part = view[:count]
            md5.update(part)
            for one in sums.values():
                one.update(part)
            size += count
            while part:
                part = part[os.write(descriptor, part) :]
    finally:
        os.close(descriptor)
    return size, md5.digest()


def _declared(environ: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    for name in checksums.ALGORITHMS:
        value = environ.get(f"HTTP_X_AMZ_CHECKSUM_{name}")
        if value:
            found.append((name, str(value)))
    return found


def _promised(environ: Mapping[str, Any]) -> list[str]:
    """Algorithms whose values come after the body, or are wanted though the client did not compute them."""
    text = f"{environ.get('HTTP_X_AMZ_TRAILER', '')},{environ.get('HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM', '')}".upper()
    wanted = {word.strip().removeprefix("X-AMZ-CHECKSUM-") for word in text.split(",")}
    return [name for name in checksums.ALGORITHMS if name in wanted]


def _check(
    environ: Mapping[str, Any],
    md5: bytes,
    computed: Mapping[str, str],
    declared: list[tuple[str, str]],
    sums: Mapping[str, checksums.Checksum],
) -> None:
    for name, value in declared:
        if computed.get(name, value) != value:
            raise BadDigest(name)
    content_md5 = environ.get("HTTP_CONTENT_MD5")
    if content_md5 and content_md5 != checksums.encoded(md5):
        raise BadDigest("Content-MD5")
    signed = str(environ.get("HTTP_X_AMZ_CONTENT_SHA256", ""))
    if _SHA256_HEX.fullmatch(signed) and sums["SHA256"].digest().hex() != signed:
        raise ContentMismatch
