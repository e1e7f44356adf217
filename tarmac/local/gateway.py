"""API Gateway's part, locally: one HTTP request into a REST proxy event for the Chalice app, and its answer back.

Called by front. Chalice's own local gateway is not used: it drops chunked bodies, answers 404 as 403, leaves path
parameters encoded and knows binary types only by their exact spelling (chalice 1.34, observed).
"""

import base64
import json
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from chalice.app import Chalice, ChaliceAuthorizer
from chalice.local import LambdaContext, LocalGatewayAuthorizer, LocalGatewayException

from chalicelib.errors import MethodNotAllowed, RouteNotFound, TarmacError, TokenMissing, TokenWrong
from chalicelib.responses import cors_headers
from chalicelib.settings import read_cors_origin

LAMBDA_TIMEOUT_S = 29
"""API Gateway waits no longer. Source: API Gateway's quotas, REST API integration time-out."""


@dataclass(frozen=True)
class HttpRequest:
    """One request as it came in. *target* is the raw path with its query; header names in lower case."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes = b""


@dataclass(frozen=True)
class HttpAnswer:
    """One answer to send: the status, the headers in order, the body, and which route of the app gave it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    route: str | None = None
    path_parameters: Mapping[str, str] = field(default_factory=dict)


def error_answer(error: TarmacError, *, request_id: str, extra_headers: tuple[tuple[str, str], ...] = ()) -> HttpAnswer:
    """Render an error of the gateway's own in the house's format."""
    raw: dict[str, str] = {"code": error.code, "message": error.message}
    if error.fix is not None:
        raw["fix"] = error.fix
    cors = cors_headers(read_cors_origin()).items()
    return HttpAnswer(
        status=error.status,
        headers=(("Content-Type", "application/json"), ("x-amzn-RequestId", request_id), *extra_headers, *cors),
        body=json.dumps({"error": raw}).encode(),
    )


class _PerThread:
    """A data descriptor that keeps one value a thread."""

    def __init__(self) -> None:
        self._values = threading.local()

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return getattr(self._values, "value", None)

    def __set__(self, instance: object, value: Any) -> None:
        self._values.value = value


class ThreadedChalice(Chalice):
    """In Lambda a process serves one request at a time; here many threads share the app, each with its own request."""

    current_request = _PerThread()
    lambda_context = _PerThread()


class Gateway:
    """Hands requests to one Chalice app. Safe from any number of threads."""

    def __init__(self, app: Chalice) -> None:
        """Take over *app*: from now on each thread sees its own `app.current_request`."""
        app.__class__ = ThreadedChalice
        self._app = app
        self._authorizer = LocalGatewayAuthorizer(app)
        # Concrete segments before captures: /models/{name} must not shadow a sibling such as /models/all.
        self._routes = sorted(((route.split("/"), route) for route in app.routes), key=lambda pair: pair[1])

    def handle(self, request: HttpRequest, *, request_id: str | None = None) -> HttpAnswer:
        """Answer one request. Never raises for anything a caller did; the app's own errors are the app's answers."""
        request_id = request_id or str(uuid.uuid4())
        path = request.target.partition("?")[0]
        matched = self._match(path)
        if matched is None:
            fix = "GET /models lists the models; docs/http-api.md has every route"
            return error_answer(RouteNotFound(f"there is no route {unquote(path)!r}", fix=fix), request_id=request_id)
        route, path_parameters = matched
        methods = dict.fromkeys(self._app.routes[route])
        if "GET" in methods:
            methods["HEAD"] = None
        allow = ("Allow", ", ".join(dict.fromkeys([*methods, "OPTIONS"])))
        if request.method == "OPTIONS" and "OPTIONS" not in methods:
            return HttpAnswer(204, (allow, ("x-amzn-RequestId", request_id)), b"", route, path_parameters)
        if request.method not in methods:
            problem = MethodNotAllowed(f"{request.method} does not work on {route}", fix=f"it knows {allow[1]}")
            return error_answer(problem, request_id=request_id, extra_headers=(allow,))
        is_head = request.method == "HEAD" and "HEAD" not in self._app.routes[route]
        method = "GET" if is_head else request.method
        event = self._event(request, method=method, route=route, path_parameters=path_parameters, request_id=request_id)
        context = LambdaContext("tarmac-api", 512, max_runtime_ms=LAMBDA_TIMEOUT_S * 1000)
        context.aws_request_id = request_id
        refused = self._authorize(request, event, context)
        if refused is not None:
            return error_answer(refused, request_id=request_id)
        return _answer(self._app(event, context), route, path_parameters, request_id)

    def _match(self, path: str) -> tuple[str, dict[str, str]] | None:
        # API Gateway takes a trailing slash for nothing.
        parts = (path.rstrip("/") or "/").split("/")
        for segments, route in self._routes:
            if len(segments) != len(parts):
                continue
            captured: dict[str, str] = {}
            for segment, part in zip(segments, parts, strict=True):
                if segment.startswith("{"):
                    captured[segment[1:-1]] = unquote(part)
                elif segment != unquote(part):
                    break
            else:
                if all(captured.values()):
                    return route, captured
        return None

    def _event(
        self, request: HttpRequest, *, method: str, route: str, path_parameters: dict[str, str], request_id: str
    ) -> dict[str, Any]:
        """Source: API Gateway's input format of a Lambda function for proxy integration (payload 1.0)."""
        multi_headers: dict[str, list[str]] = {}
        for name, value in request.headers:
            multi_headers.setdefault(name, []).append(value)
        # Without an Accept header chalice refuses to give binary answers; clients that leave it out mean */*.
        multi_headers.setdefault("accept", ["*/*"])
        raw_path, _, query = request.target.partition("?")
        path = unquote(raw_path)
        multi_query = parse_qs(query, keep_blank_values=True) or None
        raw_body, is_base64 = self._raw_body(request.body, multi_headers.get("content-type", [""])[-1])
        return {
            "resource": route,
            "path": path,
            "httpMethod": method,
            "headers": {name: values[-1] for name, values in multi_headers.items()},
            "multiValueHeaders": multi_headers,
            "queryStringParameters": {key: values[-1] for key, values in multi_query.items()} if multi_query else None,
            "multiValueQueryStringParameters": multi_query,
            "pathParameters": path_parameters or None,
            "stageVariables": {},
            "requestContext": {
                "requestId": request_id,
                "resourcePath": route,
                "httpMethod": method,
                "path": path,
                "stage": "local",
                "protocol": "HTTP/1.1",
                "accountId": "123456789012",
                "requestTimeEpoch": int(time.time() * 1000),
                "identity": {
                    "sourceIp": "127.0.0.1",
                    "userAgent": multi_headers.get("user-agent", [None])[-1],
                },
            },
            "body": raw_body,
            "isBase64Encoded": is_base64,
        }

    def _raw_body(self, body: bytes, content_type: str) -> tuple[str | None, bool]:
        """Render the body for the event: as text where API Gateway would, else base64, so that no byte is lost."""
        if not body:
            return None, False
        binary_types = self._app.api.binary_types
        if "*/*" not in binary_types and content_type.partition(";")[0].strip().lower() not in binary_types:
            try:
                return body.decode("utf-8"), False
            except UnicodeDecodeError:
                pass
        return base64.b64encode(body).decode("ascii"), True

    def _authorize(self, request: HttpRequest, event: dict[str, Any], context: LambdaContext) -> TarmacError | None:
        """Run the route's own authorizer, as API Gateway does before the function is called."""
        entry = self._app.routes[event["resource"]].get(event["httpMethod"])
        if entry is None or not isinstance(entry.authorizer, ChaliceAuthorizer):
            return None
        try:
            self._authorizer.authorize(request.target, event, context)
        except LocalGatewayException as exc:
            if exc.CODE == 401:
                return TokenMissing("no bearer token came with the request", fix="send Authorization: Bearer <token>")
            return TokenWrong("the bearer token does not open this API", fix="`tarmac token` prints the right one")
        return None


def _answer(raw: dict[str, Any], route: str, path_parameters: dict[str, str], request_id: str) -> HttpAnswer:
    """Read the function's answer: headers single and multiple, the body as text, bytes or base64."""
    body = raw.get("body")
    if body is None:
        body = b""
    elif raw.get("isBase64Encoded"):
        body = base64.b64decode(body)
    elif isinstance(body, str):
        body = body.encode("utf-8")
    headers = [(name, str(value)) for name, value in (raw.get("headers") or {}).items()]
    for name, values in (raw.get("multiValueHeaders") or {}).items():
        headers += [(name, str(value)) for value in values]
    present = {name.lower() for name, _ in headers}
    if "content-type" not in present:
        headers.append(("Content-Type", "application/json"))
    if "x-amzn-requestid" not in present:
        headers.append(("x-amzn-RequestId", request_id))
    return HttpAnswer(int(raw["statusCode"]), tuple(headers), body, route, path_parameters)
