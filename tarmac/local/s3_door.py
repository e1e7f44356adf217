"""The way in for S3: which requests are S3's, and which bodies are streamed to files before a handler sees them.

Called by `server` as its first route.
"""

import io
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.s3.exceptions import NoSuchUpload, S3ClientError

from tarmac.local.loopback_http import Environ, StartResponse
from tarmac.local.request_bodies import Body
from tarmac.local.s3_backend import LocalS3
from tarmac.local.s3_http import STAGED, refuse, respond
from tarmac.local.uploads import AwsChunked, is_aws_chunked, stage

_CREDENTIAL = re.compile(r"Credential=[^/,\s]+/[^/]+/[^/]+/([^/]+)/aws4_request")
_VIRTUAL_HOST = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9.-]+)\.(?P<host>localhost(:\d+)?)")
_DATA_QUERY = {"uploadid", "partnumber", "x-id"}
# moto takes these for the plain request on the bucket or object: it would list, create or overwrite.
_MISSING = {
    "abac",
    "analytics",
    "intelligent-tiering",
    "metadataConfiguration",
    "metadataTable",
    "metrics",
    "renameObject",
    "requestPayment",
    "session",
    "torrent",
}
_SMALL_BODY_BYTES = 64 * 1024 * 1024
_SIGNING = {"awsaccesskeyid", "signature", "expires", "versionid", "x-moto-account-id"}


def service_of(environ: Environ) -> str | None:
    """The service a request is signed for, e.g. `s3` or `sagemaker`; None when it is not signed with version 4."""
    signature = environ.get("HTTP_AUTHORIZATION", "")
    match = _CREDENTIAL.search(signature)
    if match is None:
        match = _CREDENTIAL.search("Credential=" + _query(environ).get("X-Amz-Credential", ""))
    return match[1] if match is not None else None


def _query(environ: Environ) -> dict[str, str]:
    return {k: v[0] for k, v in parse_qs(environ["QUERY_STRING"], keep_blank_values=True).items()}


class S3Door:
    """A route for `Server`."""

    def __init__(self, backend: LocalS3) -> None:
        """Answer from *backend*."""
        self._backend = backend

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes] | None:
        """Answer, or None when the request is not S3's."""
        if not _is_s3(environ):
            return None
        if missing := _MISSING & _query(environ).keys():
            raise NotImplementedError(min(missing))
        _use_path_style(environ)
        _, _, rest = environ["RAW_URI"].partition("?")[0].partition("/")
        bucket, _, key = rest.partition("/")
        _quote_etags(environ)
        try:
            if key and _carries_object(environ):
                return self._write(environ, start_response, unquote(bucket))
            _take_small_body(environ)
        except S3ClientError as exc:
            return refuse(_without_body(environ), start_response, exc)
        return respond(environ, start_response, is_bucket=not key)

    def _write(self, environ: Environ, start_response: StartResponse, bucket_name: str) -> Iterable[bytes]:
        body: Body = environ["tarmac.body"]
        query = {name.lower(): value for name, value in _query(environ).items()}
        upload_id = query.get("uploadid") if "partnumber" in query else None
        try:
            # Before the body: a client that waits for "100 Continue" need not send two gigabytes to nowhere.
            bucket = self._backend.get_bucket(bucket_name)
            if upload_id is not None and upload_id not in bucket.multiparts:
                raise NoSuchUpload(upload_id=upload_id)
            staged = stage(body, self._backend.store.new_path(), environ)
        except S3ClientError as exc:
            self._swallow(environ, body)
            return refuse(_without_body(environ), start_response, exc)
        environ[STAGED] = staged
        try:
            return respond(_without_body(environ), start_response, is_bucket=False)
        finally:
            if not staged.is_adopted:
                staged.discard()

    @staticmethod
    def _swallow(environ: Environ, body: Body) -> None:
        """Let a client that did not ask first finish: else it sees a broken pipe in place of the reason."""
        if environ.get("HTTP_EXPECT", "").lower() != "100-continue" or body.is_started:
            body.drain(1 << 62)


def _is_s3(environ: Environ) -> bool:
    path = environ["PATH_INFO"]
    service = service_of(environ)
    if service is not None:
        return service == "s3" and not path.startswith("/v20180820/")
    if environ.get("HTTP_X_AMZ_TARGET") or path.startswith(("/moto-api", "/latest/", "/favicon.ico")):
        return False
    query = _query(environ)
    if environ.get("HTTP_AUTHORIZATION", "").startswith("AWS ") or "AWSAccessKeyId" in query:
        return "Action" not in query
    if environ["REQUEST_METHOD"] == "POST":
        return str(environ.get("CONTENT_TYPE", "")).startswith("multipart/form-data")
    return "Action" not in query and not re.match(r"/\d{4}-\d{2}-\d{2}/", path)


def _use_path_style(environ: Environ) -> None:
    """Turn http://bucket.localhost:4566/key, which SDKs make of a `localhost` endpoint, into /bucket/key."""
    match = _VIRTUAL_HOST.fullmatch(environ.get("HTTP_HOST", ""))
    if match is not None:
        environ["HTTP_HOST"] = match["host"]
        for name in ("PATH_INFO", "RAW_URI", "REQUEST_URI"):
            environ[name] = f"/{match['bucket']}{environ[name]}"


def _quote_etags(environ: Environ) -> None:
    # S3 takes an ETag with or without its quotes; some of moto's handlers compare letter by letter.
    for name in ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"):
        value = environ.get(name)
        if value and value != "*" and not value.startswith(('"', "W/")):
            environ[name] = f'"{value}"'


def _carries_object(environ: Environ) -> bool:
    """Whether the body is an object's, or a part's, bytes: no sub-resource's document, no copy."""
    if environ["REQUEST_METHOD"] != "PUT" or "HTTP_X_AMZ_COPY_SOURCE" in environ:
        return False
    names = {name.lower() for name in _query(environ)}
    names = {n for n in names if not n.startswith(("x-amz-", "response-", "content-", "cache-")) and n not in _SIGNING}
    return names <= _DATA_QUERY


def _without_body(environ: Environ) -> Environ:
    """What the handlers see once the body is in its file (or dropped): an empty one, without framing."""
    environ["wsgi.input"] = io.BytesIO()
    environ["CONTENT_LENGTH"] = "0"
    return _unframed(environ)


def _unframed(environ: Environ) -> Environ:
    for name in ("HTTP_TRANSFER_ENCODING", "HTTP_X_AMZ_DECODED_CONTENT_LENGTH", "HTTP_X_AMZ_TRAILER"):
        environ.pop(name, None)
    environ["HTTP_X_AMZ_CONTENT_SHA256"] = "UNSIGNED-PAYLOAD"
    return environ


def _take_small_body(environ: Environ) -> None:
    """Read a document whole, out of its framing, for handlers that need its length and text."""
    body: Body = environ["tarmac.body"]
    if body.is_ended:
        environ.setdefault("CONTENT_LENGTH", "0")
        return
    source: Any = AwsChunked(body) if is_aws_chunked(environ) else body
    data = bytearray()
    buffer = bytearray(1 << 18)
    while count := source.readinto(buffer):
        data += memoryview(buffer)[:count]
        if len(data) > _SMALL_BODY_BYTES:
            raise S3ClientError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size.")
    environ["wsgi.input"] = io.BytesIO(bytes(data))
    environ["CONTENT_LENGTH"] = str(len(data))
    _unframed(environ)
