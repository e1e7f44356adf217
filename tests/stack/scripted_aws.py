"""An AWS over HTTP that says what the test wants, for the command line in a process of its own.

It listens on 127.0.0.2: loopback, and yet not what Tarmac takes for the embedded AWS. Answers are CloudFormation's and
STS's XML and the JSON services' JSON, shaped by botocore's service models.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

HOST = "127.0.0.2"
STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/tarmac-test/1"


@dataclass(frozen=True)
class Refusal:
    """An error answer."""

    code: str
    message: str
    status: int = 400


@dataclass
class Script:
    """What each operation answers, in turn; the last answer stays."""

    answers: dict[str, list[Any]]
    asked: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self, operation: str) -> Any:
        with self._lock:
            self.asked.append(operation)
            left = self.answers.get(operation) or [Refusal("AccessDenied", f"not authorized: {operation}", 403)]
            return left.pop(0) if len(left) > 1 else left[0]

    def say(self, **answers: list[Any]) -> None:
        """Answer otherwise from now on."""
        with self._lock:
            self.answers |= answers


class _Handler(BaseHTTPRequestHandler):
    script: Script

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.headers.get("X-Amz-Target")
        operation = target.partition(".")[2] if target else parse_qs(body.decode())["Action"][0]
        answer = self.script.next(operation)
        if target:
            self._send_json(answer)
        else:
            self._send_xml(operation, answer)

    def do_HEAD(self) -> None:
        self._send(200, b"", "application/xml")

    do_PUT = do_GET = do_HEAD  # noqa: N815  # the names that http.server looks for

    def _send_json(self, answer: Any) -> None:
        if isinstance(answer, Refusal):
            raw = {"__type": answer.code, "message": answer.message}
            self._send(answer.status, json.dumps(raw).encode(), "application/x-amz-json-1.1")
        else:
            self._send(200, json.dumps(answer).encode(), "application/x-amz-json-1.1")

    def _send_xml(self, operation: str, answer: Any) -> None:
        if isinstance(answer, Refusal):
            said = f"<Code>{answer.code}</Code><Message>{escape(answer.message)}</Message>"
            self._send(answer.status, f"<ErrorResponse><Error>{said}</Error></ErrorResponse>".encode(), "text/xml")
        else:
            inner = f"<{operation}Result>{_xml(answer)}</{operation}Result>"
            self._send(200, f"<{operation}Response>{inner}</{operation}Response>".encode(), "text/xml")

    def _send(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing: what is asked stands in the script."""


def _xml(raw: Any) -> str:
    if isinstance(raw, Mapping):
        return "".join(f"<{name}>{_xml(value)}</{name}>" for name, value in raw.items())
    if isinstance(raw, list):
        return "".join(f"<member>{_xml(value)}</member>" for value in raw)
    return escape(str(raw))


@contextmanager
def scripted_aws(**answers: list[Any]) -> Iterator[tuple[str, Script]]:
    """Run it; the answers that a test does not name are those of an account in which nothing is deployed."""
    script = Script({**QUIET, **answers})
    server = ThreadingHTTPServer((HOST, 0), type("Handler", (_Handler,), {"script": script}))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}", script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def stack(
    status: str, *, outputs: Mapping[str, str] | None = None, parameters: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """DescribeStacks of the stage `test`."""
    given = {"InstanceType": "ml.m5.large", **(parameters or {})}
    return {
        "Stacks": [
            {
                "StackId": STACK_ID,
                "StackName": "tarmac-test",
                "CreationTime": "2026-01-01T00:00:00Z",
                "StackStatus": status,
                "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
                "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in (outputs or {}).items()],
            }
        ]
    }


def event(number: int, logical_id: str, resource_type: str, status: str, reason: str = "") -> dict[str, Any]:
    """One row of DescribeStackEvents."""
    return {
        "StackId": STACK_ID,
        "EventId": str(number),
        "StackName": "tarmac-test",
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": logical_id,
        "ResourceType": resource_type,
        "Timestamp": "2026-01-01T00:00:00Z",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


NOT_THERE = Refusal("ValidationError", "Stack with id tarmac-test does not exist")
QUIET: Mapping[str, list[Any]] = {
    "GetCallerIdentity": [{"Arn": "arn:aws:iam::123456789012:user/x", "UserId": "x", "Account": "123456789012"}],
    "DescribeStacks": [NOT_THERE],
    "DescribeStackEvents": [NOT_THERE],
    "ListChangeSets": [NOT_THERE],
    "CreateChangeSet": [{"Id": "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/x", "StackId": STACK_ID}],
    "DescribeChangeSet": [{"Status": "CREATE_COMPLETE", "Changes": []}],
    "DeleteChangeSet": [{}],
    "ExecuteChangeSet": [{}],
    "DeleteStack": [{}],
}
