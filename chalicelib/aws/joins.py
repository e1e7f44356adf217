"""One object made of bytes and of parts of another, by S3's own multipart copy. Called by `buckets`.

Source: S3's limits for multipart uploads: parts of 5 MiB to 5 GiB but for the last, 10,000 of them.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chalicelib.aws.failures import translated
from chalicelib.errors import AwsError
from chalicelib.state import Span

PART_MIN_BYTES = 5 << 20
COPY_PART_BYTES = 1 << 30
BYTES_PART_BYTES = 8 << 20
_AT_ONCE = 8
_PARTS_OF_A_SIZE = 1000


@dataclass(frozen=True)
class Source:
    """The object that spans are of; exactly the one of that ETag."""

    key: str
    etag: str


def join(client: Any, bucket: str, key: str, pieces: Iterable[bytes | Span], source: Source) -> None:
    """Write an object; nothing is left of it when that fails.

    Raises:
        NotFound, Changed: The source is not there any more, or another one is.
        AwsError: As S3 refused.
    """
    where = {"Bucket": bucket, "Key": key}
    with translated():
        upload_id = client.create_multipart_upload(**where)["UploadId"]
    upload = _Upload(client, {**where, "UploadId": upload_id}, bucket, source)
    try:
        parts = upload.put_all(pieces)
        with translated():
            client.complete_multipart_upload(**where, UploadId=upload_id, MultipartUpload={"Parts": parts})
    except BaseException:
        # Parts of an unfinished upload are billed until somebody aborts it.
        with suppress(AwsError), translated():
            client.abort_multipart_upload(**where, UploadId=upload_id)
        raise


@dataclass(frozen=True)
class _Upload:
    client: Any
    where: dict[str, str]
    bucket: str
    source: Source

    def put_all(self, pieces: Iterable[bytes | Span]) -> list[dict[str, Any]]:
        """Send every part, a few at once, and list them for the end."""
        waiting: deque[Future[dict[str, Any]]] = deque()
        sent = []
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            try:
                for number, part in enumerate(self._parts(pieces), 1):
                    waiting.append(pool.submit(self._put, number, part))
                    if len(waiting) == _AT_ONCE:
                        sent.append(waiting.popleft().result())
                return [*sent, *(each.result() for each in waiting)]
            except BaseException:
                for each in waiting:
                    each.cancel()
                raise

    def _parts(self, pieces: Iterable[bytes | Span]) -> Iterator[bytes | Span]:
        """Cut the pieces into what S3 takes as parts: bytes are gathered, and topped up from the span that follows."""
        gathered, number = bytearray(), 1
        for piece in pieces:
            if isinstance(piece, bytes):
                gathered += piece
                while len(gathered) >= (size := BYTES_PART_BYTES << (number // _PARTS_OF_A_SIZE)):
                    yield bytes(gathered[:size])
                    del gathered[:size]
                    number += 1
                continue
            start = piece.start
            if gathered:
                start = min(piece.end, start + max(0, PART_MIN_BYTES - len(gathered)))
                gathered += self._read(piece.start, start)
            if piece.end - start < PART_MIN_BYTES:
                gathered += self._read(start, piece.end)
                continue
            if gathered:
                yield bytes(gathered)
                gathered.clear()
                number += 1
            for span in _even_spans(start, piece.end):
                yield span
                number += 1
        if gathered or number == 1:
            yield bytes(gathered)

    def _read(self, start: int, end: int) -> bytes:
        if start == end:
            return b""
        with translated():
            raw = self.client.get_object(
                Bucket=self.bucket, Key=self.source.key, IfMatch=self.source.etag, Range=f"bytes={start}-{end - 1}"
            )
            body: bytes = raw["Body"].read()
        return body

    def _put(self, number: int, part: bytes | Span) -> dict[str, Any]:
        with translated():
            if isinstance(part, bytes):
                etag = self.client.upload_part(**self.where, PartNumber=number, Body=part)["ETag"]
            else:
                raw = self.client.upload_part_copy(
                    **self.where,
                    PartNumber=number,
                    CopySource={"Bucket": self.bucket, "Key": self.source.key},
                    CopySourceRange=f"bytes={part.start}-{part.end - 1}",
                    CopySourceIfMatch=self.source.etag,
                )
                etag = raw["CopyPartResult"]["ETag"]
        return {"PartNumber": number, "ETag": etag}


def _even_spans(start: int, end: int) -> Iterator[Span]:
    """Cut into parts as even as can be, so that the last is not too short."""
    count = -(-(end - start) // COPY_PART_BYTES)
    step = -(-(end - start) // count)
    for at in range(start, end, step):
        yield Span(at, min(at + step, end))
