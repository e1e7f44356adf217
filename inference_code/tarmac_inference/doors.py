"""The HTTP doors of SageMaker's container contract, as one ASGI application. Called by `serve.py`.

GET /ping 200 or 503 · POST /invocations · GET /metrics. Plain ASGI: at thousands of requests a second a framework's
routing and request objects would cost as much as a tiny model does.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import time
from collections.abc import MutableMapping
from typing import Any

from .answers import to_json
from .backends import Backend, as_fault
from .bodies import Bodies
from .events import log
from .faults import Fault, Overloaded
from .figures import Figures
from .outflows import Departures, Disconnected, Receive, Send, send_stream
from .settings import Settings
from .siblings import Family
from .workers import Worker

Scope = MutableMapping[str, Any]
Reply = tuple[int, bytes, str]

_JSON = "application/json"
_READ = (b"content-type", b"accept", b"content-length")


class Doors:
    """The ASGI application."""

    def __init__(self, worker: Worker, figures: Figures, settings: Settings, family: Family) -> None:
        self._worker = worker
        self._family = family
        self._figures = figures
        self._settings = settings
        self._bodies = Bodies(most=settings.max_body_bytes, timeout_s=settings.body_timeout_s)
        self._departures = Departures()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path, method = scope["path"], scope["method"]
        if path == "/invocations" and method == "POST":
            try:
                answer = await self._invoke(scope, receive, send)
            except Disconnected:
                return
            if answer is None:
                return
            reply = answer
        else:
            reply = self._told(path, method)
        await _send(send, reply)

    def look(self) -> None:
        """See whether callers have gone, and whether bodies still come. To be called every now and then."""
        self._departures.look()
        self._bodies.look()
        self._figures.note_waiting(self._worker.waiting)

    def _told(self, path: str, method: str) -> Reply:
        if path not in ("/ping", "/metrics", "/invocations"):
            return _error(404, f"there is no {path}; there are /ping, /invocations and /metrics")
        if path == "/invocations" or method not in ("GET", "HEAD"):
            return _error(405, f"{path} does not take {method}")
        if path == "/metrics":
            self._figures.note_waiting(self._worker.waiting)
            text = self._figures.render(is_ready=self._is_ready)
            return 200, text.encode(), "text/plain; version=0.0.4; charset=utf-8"
        if not self._is_ready:
            return _error(503, "the model is still loading" if self._worker.backend is None else "the model is stuck")
        return 200, b"{}", _JSON

    @property
    def _is_ready(self) -> bool:
        return self._worker.is_ready and self._family.is_well

    async def _invoke(self, scope: Scope, receive: Receive, send: Send) -> Reply | None:
        """Answer; None where the answer has been sent already, as a stream."""
        headers = {name: value for name, value in scope["headers"] if name in _READ}
        started_s = time.perf_counter()
        fault: Fault | None = None
        try:
            body = await self._bodies.read(receive, headers.get(b"content-length"))
            started_s = time.perf_counter()
            request = self._backend().prepare(body, _text(headers.get(b"content-type")), _text(headers.get(b"accept")))
            if request.is_stream:
                fault = await send_stream(self._worker, request, receive, send)
                self._record((fault.status if fault else 200, b"", ""), time.perf_counter() - started_s, fault)
                return None
            content, content_type = await self._departures.watched(self._worker.submit(request), receive)
            reply = (200, content, content_type)
        except Disconnected:
            raise
        except Exception as error:  # noqa: BLE001  # one request's fault is never the server's end
            fault = as_fault(error)
            reply = _error(fault.status, str(fault))
        self._record(reply, time.perf_counter() - started_s, fault)
        return reply

    def _backend(self) -> Backend:
        if self._worker.backend is None:
            raise Overloaded("the model is still loading; try again in a few seconds")
        return self._worker.backend

    def _record(self, reply: Reply, took_s: float, fault: Fault | None) -> None:
        """Count a request, and log it where it failed. The message stays out of the log: it may quote the payload."""
        status, content, _ = reply
        self._figures.count_request(status, took_s)
        if status >= 400 or self._settings.has_request_log:
            facts = dict(fault.facts) if fault is not None and status >= 500 else {}
            if fault is not None and fault.field:
                facts["field"] = fault.field
            log("request", status=status, took_ms=round(took_s * 1000, 2), answer_bytes=len(content), **facts)


def _text(header: bytes | None) -> str | None:
    return header.decode("latin-1") if header else None


def _error(status: int, message: str) -> Reply:
    return status, to_json({"error": message}).encode(errors="replace"), _JSON


async def _send(send: Send, reply: Reply) -> None:
    status, content, content_type = reply
    headers = [(b"content-type", content_type.encode("latin-1")), (b"content-length", str(len(content)).encode())]
    if status == 408:  # the rest of the body may never come
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
