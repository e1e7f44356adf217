"""Lambda's Invoke on a laptop, for functions that live in this process. A route of the AWS port's server."""

import json
import logging
import re
import threading
import traceback
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

from tarmac.local.sagemaker_records import ACCOUNT

_PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
_EVENT_THREADS = 4
_log = logging.getLogger(__name__)

Handler = Callable[[Any, Any], Any]
"""(event, context): what a Lambda function is."""


class FunctionContext:
    """The part of Lambda's context object that functions here read."""

    memory_limit_in_mb = 1024

    def __init__(self, function_name: str, region: str) -> None:
        self.function_name = function_name
        self.function_version = "$LATEST"
        self.aws_request_id = str(uuid.uuid4())
        self.invoked_function_arn = f"arn:aws:lambda:{region}:{ACCOUNT}:function:{function_name}"
        self.log_group_name = f"/aws/lambda/{function_name}"
        self.log_stream_name = "local"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds: always a whole Lambda life, for nothing here cuts a function short."""
        return 900_000


class Functions:
    """Functions by name, and the route that invokes them."""

    def __init__(self, *, region: str = "us-east-1") -> None:
        self._region = region
        self._lock = threading.Lock()
        self._handlers: dict[str, Handler] = {}
        self._pool = ThreadPoolExecutor(_EVENT_THREADS, thread_name_prefix="lambda-event")

    def register(self, name: str, handler: Handler) -> None:
        """Make *handler* answer to *name*, in place of any other."""
        with self._lock:
            self._handlers[name] = handler

    def stop(self) -> None:
        """Take no more events; wait for those that run."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes] | None:
        """Answer a request, or None when it is not Lambda's Invoke."""
        match = _PATH.fullmatch(environ.get("PATH_INFO", ""))
        if match is None or environ["REQUEST_METHOD"] != "POST":
            return None
        content = _content(environ)
        status, headers, answer = self._answer(unquote(match[1]), content, environ)
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(answer))}
        start_response(status, list(headers.items()))
        return [answer]

    def _answer(self, raw_name: str, content: bytes, environ: dict[str, Any]) -> tuple[str, dict[str, str], bytes]:
        name = _bare_name(raw_name)
        handler = self._handlers.get(name)
        if handler is None:
            arn = f"arn:aws:lambda:{self._region}:{ACCOUNT}:function:{name}"
            return _error("404 Not Found", "ResourceNotFoundException", f"Function not found: {arn}")
        try:
            event = json.loads(content) if content else {}
        except ValueError as exc:
            message = f"Could not parse request body into json: {exc}"
            return _error("400 Bad Request", "InvalidRequestContentException", message)
        invocation_type = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
        if invocation_type == "DryRun":
            return "204 No Content", {}, b""
        context = FunctionContext(name, self._region)
        headers = {"x-amzn-RequestId": context.aws_request_id, "X-Amz-Executed-Version": "$LATEST"}
        if invocation_type == "Event":
            self._pool.submit(_run_quietly, handler, event, context)
            return "202 Accepted", headers, b""
        try:
            return "200 OK", headers, json.dumps(handler(event, context)).encode()
        except Exception as exc:  # noqa: BLE001  # whatever the function raises is its answer
            return "200 OK", headers | {"X-Amz-Function-Error": "Unhandled"}, json.dumps(_failure(exc)).encode()


def _content(environ: dict[str, Any]) -> bytes:
    left, blocks = int(environ.get("CONTENT_LENGTH") or 0), []
    while left > 0 and (block := environ["wsgi.input"].read(left)):
        blocks.append(block)
        left -= len(block)
    return b"".join(blocks)


def _bare_name(raw_name: str) -> str:
    """Read the name out of a function's ARN, its partial ARN, or `name:qualifier`."""
    _, _, after = raw_name.rpartition("function:")
    return after.split(":")[0]


def _failure(exc: Exception) -> dict[str, Any]:
    trace = traceback.format_tb(exc.__traceback__)
    return {"errorMessage": str(exc), "errorType": type(exc).__name__, "stackTrace": trace}


def _run_quietly(handler: Handler, event: Any, context: FunctionContext) -> None:
    try:
        handler(event, context)
    except Exception:  # noqa: BLE001  # nobody waits for the answer
        _log.exception("function %s failed on an event", context.function_name)


def _error(status: str, code: str, message: str) -> tuple[str, dict[str, str], bytes]:
    raw = {"Type": "User", "message": message, "Message": message}
    return status, {"x-amzn-ErrorType": code}, json.dumps(raw).encode()
