"""sagemaker-runtime on a laptop: InvokeEndpoint, whole, as a stream or later. A route of the AWS port's server."""

import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from typing import Any

from tarmac.local.async_door import accept
from tarmac.local.async_requests import AsyncRequests
from tarmac.local.connections import AnswerLost, Reply, ReplyTooLarge, ReplyTooSlow
from tarmac.local.event_frames import CONTENT_TYPE
from tarmac.local.response_streams import ResponseStream
from tarmac.local.runtime_refusals import Refusal, lost, model_error, said_plainly, too_slow
from tarmac.local.sagemaker import SageMakerEngine, Target

BODY_MAX_BYTES = 6_291_456
"""The most an InvokeEndpoint carries, either way. Source: BodyBlob in botocore's sagemaker-runtime service model."""
SERVERLESS_BODY_MAX_BYTES = 4 << 20
"""Source: SageMaker's developer guide, serverless inference: 4 MB a request, and an answer."""
INVOCATION_TIMEOUT_S = 60.0
"""Source: InvokeEndpoint's documentation: a model must answer within 60 seconds."""
_DRAIN_MAX_BYTES = 64 << 20
_NAMESPACE = "AWS/SageMaker"
_CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_PATH = re.compile(r"/endpoints/([^/]+)/(invocations|invocations-response-stream|async-invocations)")
_log = logging.getLogger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class RuntimeRoute:
    """`route(environ, start_response)`: answers what is sagemaker-runtime's, gives None for all else."""

    def __init__(
        self, engine: SageMakerEngine, requests: AsyncRequests, *, timeout_s: float = INVOCATION_TIMEOUT_S
    ) -> None:
        """Invoke the engine's endpoints; *timeout_s* is the longest a model may take. *requests* wait for theirs."""
        self._engine = engine
        self._requests = requests
        self._timeout_s = timeout_s

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes] | None:
        """Answer a request, or None when it is none of ours."""
        match = _PATH.fullmatch(environ.get("PATH_INFO", ""))
        if match is None or environ["REQUEST_METHOD"] != "POST":
            return None
        if match[2] == "invocations":
            status, headers, content = self._invoke_or_refuse(match[1], environ)
        elif match[2] == "invocations-response-stream":
            try:
                return self._stream(match[1], environ, start_response)
            except Refusal as refusal:
                status, headers, content = refusal.answer()
        else:
            status, headers, content = self._accept_or_refuse(match[1], environ)
        headers += [("Content-Length", str(len(content))), ("x-amzn-RequestId", str(uuid.uuid4()))]
        start_response(status, headers)
        return [content]

    def _invoke_or_refuse(self, name: str, environ: Environ) -> tuple[str, list[tuple[str, str]], bytes]:
        try:
            return self._invoke(name, environ)
        except Refusal as refusal:
            return refusal.answer()

    def _accept_or_refuse(self, name: str, environ: Environ) -> tuple[str, list[tuple[str, str]], bytes]:
        try:
            body = _read_body(environ)
            with said_plainly(name):
                return accept(self._requests, self._requests.endpoint(name), environ, body)
        except Refusal as refusal:
            return refusal.answer()

    def _invoke(self, name: str, environ: Environ) -> tuple[str, list[tuple[str, str]], bytes]:
        body = _read_body(environ)
        with said_plainly(name), self._engine.target(name) as target:
            _check(name, body, target)
            reply = self._ask(name, target, body, _forwarded(environ))
        headers = [("x-Amzn-Invoked-Production-Variant", target.variant_name)]
        if "content-type" in reply.headers:
            headers.append(("Content-Type", reply.headers["content-type"]))
        if attributes := reply.headers.get(_CUSTOM_ATTRIBUTES.lower()):
            headers.append((_CUSTOM_ATTRIBUTES, attributes))
        return f"{reply.status} OK", headers, reply.body

    def _stream(self, name: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = _read_body(environ)
        with ExitStack() as held:
            with said_plainly(name):
                target = held.enter_context(self._engine.target(name))
                _check(name, body, target)
                dimensions = {"EndpointName": name, "VariantName": target.variant_name}
                self._record("Invocations", dimensions, 1)
                started_at = time.monotonic()
                answer = target.connections.open("/invocations", body, _forwarded(environ), timeout_s=self._timeout_s)
                try:
                    reply = held.enter_context(answer)
                except ReplyTooSlow as exc:
                    raise too_slow(exc, target) from exc
                except AnswerLost as exc:
                    raise lost(name, exc, target) from exc

            def count(*, is_whole: bool) -> None:
                self._record("ModelLatency", dimensions, (time.monotonic() - started_at) * 1e6)
                self._record("Invocation4XXErrors", dimensions, int(400 <= reply.status < 500))
                self._record("Invocation5XXErrors", dimensions, int(reply.status >= 500 or not is_whole))

            if not 200 <= reply.status < 300:
                count(is_whole=True)
                raise model_error(reply.status, b"".join(reply.blocks).decode("utf-8", "replace"), target)
            self._record("FirstChunkLatency", dimensions, (time.monotonic() - started_at) * 1e6)
            headers = [
                ("Content-Type", CONTENT_TYPE),
                ("x-Amzn-Invoked-Production-Variant", target.variant_name),
                ("x-amzn-RequestId", str(uuid.uuid4())),
                ("X-Amzn-SageMaker-Content-Type", reply.headers.get("content-type", "application/octet-stream")),
            ]
            if attributes := reply.headers.get(_CUSTOM_ATTRIBUTES.lower()):
                headers.append((_CUSTOM_ATTRIBUTES, attributes))
            start_response("200 OK", headers)
            return ResponseStream(held.pop_all(), reply, on_end=lambda is_whole: count(is_whole=is_whole))

    def _ask(self, name: str, target: Target, body: bytes, headers: Mapping[str, str]) -> Reply:
        dimensions = {"EndpointName": name, "VariantName": target.variant_name}
        # Counted before it is asked: a sweep that looks while a long answer is made must see the use.
        self._record("Invocations", dimensions, 1)
        started_at = time.monotonic()
        status = 500
        try:
            reply = target.connections.post(
                "/invocations", body, headers, timeout_s=self._timeout_s, max_bytes=_body_max_bytes(target)
            )
            status = reply.status
        except ReplyTooSlow as exc:
            raise too_slow(exc, target) from exc
        except AnswerLost as exc:
            raise lost(name, exc, target) from exc
        except ReplyTooLarge as exc:
            raise model_error(0, f"{exc}.", target) from exc
        finally:
            self._record("ModelLatency", dimensions, (time.monotonic() - started_at) * 1e6)
            self._record("Invocation4XXErrors", dimensions, int(400 <= status < 500))
            self._record("Invocation5XXErrors", dimensions, int(status >= 500))
        if not 200 <= reply.status < 300:
            raise model_error(reply.status, reply.body.decode("utf-8", "replace"), target)
        return reply

    def _record(self, name: str, dimensions: dict[str, str], value: float) -> None:
        try:
            self._engine.outlets.record(_NAMESPACE, name, dimensions, value)
        except Exception:  # noqa: BLE001  # an answer is not withheld because it could not be counted
            _log.exception("CloudWatch did not take %s", name)


def _body_max_bytes(target: Target) -> int:
    return SERVERLESS_BODY_MAX_BYTES if target.serving.is_serverless else BODY_MAX_BYTES


def _check(name: str, body: bytes, target: Target) -> None:
    if target.serving.is_async:
        # Source: SageMaker's developer guide: an endpoint with an AsyncInferenceConfig takes nothing else. Words ours.
        raise Refusal(400, "ValidationError", f"Endpoint {name} is asynchronous: it takes InvokeEndpointAsync only.")
    if len(body) > _body_max_bytes(target):
        message = f"HTTP content length exceeded {_body_max_bytes(target)} bytes."
        raise Refusal(413, "ValidationError", message)


def _read_body(environ: Environ) -> bytes:
    raw_length = environ.get("CONTENT_LENGTH")
    if not raw_length and not environ.get("wsgi.input_terminated"):
        return b""
    stream = environ["wsgi.input"]
    announced = int(raw_length) if raw_length else BODY_MAX_BYTES + 1
    body = b"" if raw_length and announced > BODY_MAX_BYTES else _read_up_to(stream, announced)
    if max(len(body), int(raw_length or 0)) > BODY_MAX_BYTES:
        _drain(stream, min(int(raw_length or _DRAIN_MAX_BYTES), _DRAIN_MAX_BYTES))
        raise Refusal(413, "ValidationError", f"HTTP content length exceeded {BODY_MAX_BYTES} bytes.")
    return body


def _read_up_to(stream: Any, size: int) -> bytes:
    # A raw stream gives what has come, which may be less than was asked for.
    blocks: list[bytes] = []
    while size > 0 and (block := stream.read(size)):
        blocks.append(block)
        size -= len(block)
    return b"".join(blocks)


def _drain(stream: Any, size: int) -> None:
    # A client that is still sending does not read the answer, and takes a closed connection for a network fault.
    with suppress(OSError):
        while size > 0 and (block := stream.read(min(size, 1 << 16))):
            size -= len(block)


def _forwarded(environ: Environ) -> dict[str, str]:
    headers = {
        "Content-Type": environ.get("CONTENT_TYPE"),
        # A stream's own Accept says which framing the client reads; what it wants of the model is in a header apart.
        "Accept": environ.get("HTTP_X_AMZN_SAGEMAKER_ACCEPT") or environ.get("HTTP_ACCEPT"),
        _CUSTOM_ATTRIBUTES: environ.get("HTTP_X_AMZN_SAGEMAKER_CUSTOM_ATTRIBUTES"),
    }
    return {name: value for name, value in headers.items() if value}
