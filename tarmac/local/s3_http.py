"""S3 over HTTP: moto's handlers, with bodies that stream and conditions that hold at the moment of the write.

Called by `server` as a route. It answers whatever is S3's and passes on the rest.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qs, quote, unquote
from xml.parsers.expat import ExpatError

from moto.core.responses import ActionResult
from moto.moto_server.werkzeug_app import BackendRequest
from moto.s3.exceptions import (
    InvalidMaxPartNumberArgument,
    InvalidRange,
    MalformedXML,
    MissingKey,
    MissingVersion,
    PreconditionFailed,
    S3ClientError,
)
from moto.s3.responses import S3Response
from moto.s3.utils import metadata_from_headers
from werkzeug.exceptions import HTTPException
from werkzeug.http import http_date

from tarmac.local import checksums
from tarmac.local.loopback_http import Environ, StartResponse
from tarmac.local.objects import FileSlice
from tarmac.local.s3_backend import LocalS3
from tarmac.local.s3_keys import FileKey, kept_metadata
from tarmac.local.uploads import Staged

STAGED = "tarmac.staged"


class LocalS3Response(S3Response):
    """One S3 request."""

    @property
    def backend(self) -> LocalS3:
        """The backend of the account."""
        return cast("LocalS3", super().backend)

    @property
    def staged(self) -> Staged:
        """The body, in its file."""
        staged: Staged = self.request.environ[STAGED]
        return staged

    def serialized(self, action_result: ActionResult) -> Any:
        """Serialise; an error that knows its HTTP status keeps it."""
        status, headers, body = super().serialized(action_result)
        return getattr(action_result.result, "http_status", status), headers, body

    # Reading.

    def get_object(self) -> Any:
        """The whole object or one part of it; ranges are cut by the caller, from a slice that nobody has read."""
        for _ in range(3):
            try:
                return self._cut(super().get_object())
            except FileNotFoundError:
                continue  # replaced between the look-up and the opening: look again
        raise MissingKey(key=self.parse_key_name())

    def _cut(self, answer: Any) -> Any:
        status, headers, body = answer
        number = self._get_int_param("partNumber")
        if number is None or not isinstance(body, FileSlice) or status != 200:
            return answer
        key = self.backend.get_object(self.bucket_name, self.parse_key_name(), self._get_param("versionId"))
        if not 1 <= number <= len(key.multipart.part_sizes):
            raise InvalidRange(actual_size=str(key.size), range_requested=str(number))
        start, stop = key.multipart.span(number)
        for name in [name for name in headers if name.startswith("x-amz-checksum-")]:
            del headers[name]
        headers["content-length"] = str(stop - start)
        headers["content-range"] = f"bytes {start}-{stop - 1}/{key.size}"
        headers["x-amz-mp-parts-count"] = str(len(key.multipart.part_sizes))
        return 206, headers, body[start:stop]

    def get_bucket_notification(self) -> Any:
        """The configuration as it was put; stock moto leaves EventBridge out."""
        answer = super().get_bucket_notification()
        wanted = self.backend.get_bucket_notification_configuration(self.bucket_name)
        if wanted is None or wanted.event_bridge is None:
            return answer
        status, headers, body = answer
        text = body.decode() if isinstance(body, bytes) else body
        end = "</NotificationConfiguration>"
        if end in text:
            text = text.replace(end, f"<EventBridgeConfiguration/>{end}")
        else:
            text = text.rstrip().removesuffix("/>") + f"><EventBridgeConfiguration/>{end}"
        headers.pop("content-length", None)
        return status, headers, text

    # Writing.

    def put_object(self) -> Any:
        """Adopt the body, if the conditions hold now."""
        name = self.parse_key_name()
        metadata = dict(metadata_from_headers(self.headers)) | dict(metadata_from_headers(self.querystring))
        with self.backend.store.lock:
            self._check_write(name)
            key = self.backend.put_object(
                self.bucket_name,
                name,
                self.staged,
                storage=self.headers.get("x-amz-storage-class", "STANDARD"),
                metadata=kept_metadata(metadata),
                tags=self._tagging_from_headers(self.headers),
                redirect=self.headers.get("x-amz-website-redirect-location"),
            )
        key.set_acl(self._acl_from_headers(self.headers) or self.backend.get_bucket(self.bucket_name).acl)
        headers = self._get_cors_headers_other() | key.response_dict
        return 200, self._with_checksums(headers, self.staged), ""

    def upload_part(self) -> Any:
        """Adopt the body as a part."""
        number = self._get_int_param("partNumber")
        if not 1 <= number <= 10000:
            raise InvalidMaxPartNumberArgument(number)
        part = self.backend.upload_part(self.bucket_name, self._get_param("uploadId"), number, self.staged)
        headers = self._get_cors_headers_other() | {"ETag": part.etag}
        return 200, self._with_checksums(headers, self.staged), ""

    @staticmethod
    def _with_checksums(headers: dict[str, str], staged: Staged) -> dict[str, str]:
        for name in ("content-length", "last-modified"):
            headers.pop(name, None)
        return headers | {f"x-amz-checksum-{name.lower()}": value for name, value in staged.digests.items()}

    def _check_write(self, name: str) -> None:
        """Raise unless If-Match and If-None-Match hold for the object that is there now."""
        if_match, if_none_match = self.headers.get("If-Match"), self.headers.get("If-None-Match")
        existing = self.backend.get_object(self.bucket_name, name)
        if if_match:
            if existing is None:
                raise MissingKey(key=name)
            if if_match != "*" and if_match.strip('"') != existing.etag.strip('"'):
                raise PreconditionFailed("If-Match")
        if if_none_match == "*" and existing is not None:
            raise PreconditionFailed("If-None-Match")

    def delete_object(self) -> Any:
        """Delete, if the condition holds now."""
        with self.backend.store.lock:
            if self.headers.get("If-Match"):
                self._check_write(self.parse_key_name())
            _, meta = self.backend.delete_object(
                self.bucket_name, self.parse_key_name(), version_id=self._get_param("versionId")
            )
        return 204, {f"x-amz-{name}": value for name, value in meta.items()}, ""

    def copy_object(self) -> Any:
        """Copy, if the conditions on source and target hold now."""
        with self.backend.store.lock:
            source = self._copy_source()
            self._check_source(source)
            self._check_write(self.parse_key_name())
            return super().copy_object()

    def upload_part_copy(self) -> Any:
        """Copy into a part, if the conditions on the source hold now."""
        with self.backend.store.lock:
            self._check_source(self._copy_source())
        return super().upload_part_copy()

    def _copy_source(self) -> FileKey:
        path, _, query = self.headers["x-amz-copy-source"].partition("?")
        bucket, _, name = unquote(path).lstrip("/").partition("/")
        version = parse_qs(query).get("versionId", [None])[0]
        source = self.backend.get_object(bucket, name, version_id=version)
        if source is None:
            raise MissingVersion(key=name, version_id=version) if version else MissingKey(key=name)
        found: FileKey = source
        return found

    def _check_source(self, source: FileKey) -> None:
        """Raise unless the x-amz-copy-source-if-* conditions hold. Stock moto knows only one of the four."""
        etag = source.etag.strip('"')
        wanted = self.headers.get("x-amz-copy-source-if-match")
        if wanted and wanted != "*" and wanted.strip('"') != etag:
            raise PreconditionFailed("x-amz-copy-source-If-Match")
        unwanted = self.headers.get("x-amz-copy-source-if-none-match")
        if unwanted and unwanted.strip('"') in {etag, "*"}:
            raise PreconditionFailed("x-amz-copy-source-If-None-Match")

    def _key_response_post(
        self, request: Any, body: Any, bucket_name: str, query: dict[str, Any], key_name: str
    ) -> Any:
        """Complete an upload with its conditions; everything else is moto's."""
        upload_id = query.get("uploadId", [None])[0]
        if upload_id is None:
            return super()._key_response_post(request, body, bucket_name, query, key_name)
        existing = self.backend.get_object(bucket_name, key_name)
        if existing is not None and existing.multipart is not None and existing.multipart.id == upload_id:
            key = existing  # the client asks again, because the first answer was lost on its way
        else:
            key = self.backend.complete_multipart_upload(
                bucket_name,
                upload_id,
                list(self._complete_multipart_body(body)),
                condition=lambda: self._check_write(key_name),
                declared={
                    name: value
                    for name in checksums.ALGORITHMS
                    if (value := self.headers.get(f"x-amz-checksum-{name.lower()}"))
                },
            )
        self.data["Action"] = "CompleteMultipartUpload"
        result = {
            "Location": f"{request.url_root}{bucket_name}/{quote(key.name)}",
            "Bucket": bucket_name,
            "Key": key.name,
            "ETag": key.etag,
        }
        if key.checksum_algorithm:
            suffix = f"-{key.checksum_parts}" if key.checksum_type == "COMPOSITE" else ""
            result[f"Checksum{key.checksum_algorithm}"] = f"{key.checksum_value}{suffix}"
            result["ChecksumType"] = key.checksum_type
        status, headers, text = self.serialized(ActionResult(result))
        if key.version_id != "null":
            headers["x-amz-version-id"] = key.version_id
        return status, headers, text


def respond(environ: Environ, start_response: StartResponse, *, is_bucket: bool) -> Iterable[bytes]:
    """Answer one S3 request whose body is staged or small."""
    request = BackendRequest(environ)
    response = LocalS3Response()
    handler: Callable[..., Any] = response.bucket_response if is_bucket else response.key_response
    try:
        status, headers, body = handler(request, request.raw_url, dict(request.headers))
    except ExpatError:
        status, headers, body = response.serialized(ActionResult(MalformedXML()))
    except HTTPException as exc:
        answer = exc.get_response()
        status, headers, body = answer.status_code, dict(answer.headers), answer.get_data()
    return answered(start_response, int(status), headers, body)


def refuse(environ: Environ, start_response: StartResponse, error: S3ClientError) -> Iterable[bytes]:
    """Answer with an error before any handler has run."""
    response = LocalS3Response()
    response.setup_class(BackendRequest(environ))
    status, headers, body = response.serialized(ActionResult(error))
    return answered(start_response, int(status), headers, body)


def answered(start_response: StartResponse, status: int, headers: dict[str, Any], body: Any) -> Iterable[bytes]:
    """Say it in WSGI."""
    if isinstance(body, str):
        body = body.encode()
    lines = [(str(name), str(value)) for name, value in headers.items() if name.lower() not in {"status", "date"}]
    if status == 304:
        body = b""
    elif not any(name.lower() == "content-type" for name, _ in lines) and len(body) > 0:
        lines.append(("content-type", "application/xml"))
    lines.append(("Date", http_date()))
    start_response(f"{status} {HTTPStatus(status).phrase}", lines)
    return body if isinstance(body, FileSlice) else [body]
