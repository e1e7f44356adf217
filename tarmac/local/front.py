"""The application's HTTP port on loopback: uvicorn in front of the gateway. Started by up.

Slow clients cost no thread; the app itself, which is synchronous as in Lambda, runs in a pool of threads.
"""

import asyncio
import json
import socket
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chalicelib.errors import BadRequest, BodyTooLarge, ConfigurationError, TarmacError, Unavailable
from chalicelib.telemetry import logger
from tarmac.local.gateway import Gateway, HttpAnswer, HttpRequest, error_answer

BODY_MAX_BYTES = 10 * 1024 * 1024
"""Source: API Gateway's quotas, payload size."""
CONCURRENT_REQUESTS_MAX = 128
_DRAIN_MAX_BYTES = 64 * 1024 * 1024
_DRAIN_MAX_S = 2.0

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Watcher = Callable[[HttpRequest, HttpAnswer, float], None]


class PortInUse(ConfigurationError):
    """Somebody else listens there."""

    code = "port_in_use"


def bind_loopback(port: int, *, option: str) -> socket.socket:
    """Take a port on loopback, and on nothing else; 0 takes any free one.

    Raises:
        PortInUse: The message names the port and the option that changes it.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        # Bound is not taken: with SO_REUSEADDR two sockets may be bound to a port that nobody listens on yet.
        listener.listen(512)
    except OSError as exc:
        listener.close()
        raise PortInUse(
            f"port {port} cannot be used: {exc.strerror}", fix=f"choose another with {option} (0 takes any free one)"
        ) from exc
    return listener


class _ClientGone(Exception):
    """The connection ended before the request did: nobody is left to answer."""


class _LoopbackProtocol(HttpToolsProtocol):
    """uvicorn's own protocol, with malformed requests answered in the house's format."""

    def send_400_response(self, msg: str) -> None:
        answer = error_answer(BadRequest(msg), request_id=str(uuid.uuid4()))
        head = [b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n", b"content-length: %d\r\n" % len(answer.body)]
        head += [f"{name}: {value}\r\n".encode("latin-1") for name, value in answer.headers]
        self.transport.write(b"".join([*head, b"\r\n", answer.body]))
        self.transport.close()


class Front:
    """One listening port, served from `start` to `stop`."""

    def __init__(self, gateway: Gateway, listener: socket.socket, *, on_answer: Watcher | None = None) -> None:
        """Serve *gateway* on *listener*.

        Args:
            gateway: What answers.
            listener: From `bind_loopback`; closed by `stop`.
            on_answer: Told of each answer, with the seconds it took; must be quick.
        """
        self._gateway = gateway
        self._listener = listener
        self._on_answer = on_answer
        host, port = listener.getsockname()
        self.url = f"http://{host}:{port}"
        self._pool = ThreadPoolExecutor(CONCURRENT_REQUESTS_MAX, thread_name_prefix="front")
        config = uvicorn.Config(
            self._serve,
            http=_LoopbackProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
            backlog=512,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="front", daemon=True
        )

    def start(self) -> None:
        """Serve from now on; returns when the port answers."""
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)

    def stop(self) -> None:
        """Stop within seconds: requests in flight get two of them to end. The port is closed afterwards."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(timeout=5)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._listener.close()

    async def _serve(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        request_id = str(uuid.uuid4())
        headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"])
        try:
            body = await _read_body(dict(headers).get("content-length"), receive)
        except _ClientGone:
            return
        if body is None:
            await self._refuse_body(receive, send, request_id)
            return
        query = scope["query_string"].decode("latin-1")
        target = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        request = HttpRequest(scope["method"], target, headers, body)
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, request, request_id)
        except asyncio.CancelledError:
            # The engine stops, and this request outlived its grace: its caller can come again to the next engine.
            problem = Unavailable("the engine is stopping", fix="try again when it runs: tarmac up")
            answer = error_answer(problem, request_id=request_id, extra_headers=(("Retry-After", "5"),))
        await _send(send, answer)

    def _answer(self, request: HttpRequest, request_id: str) -> HttpAnswer:
        began_s = time.monotonic()
        try:
            answer = self._gateway.handle(request, request_id=request_id)
        except Exception:  # noqa: BLE001  # the last line of defence: one request's failure must not end the server
            logger.exception("the application raised", extra={"request_id": request_id})
            problem = TarmacError("the application failed; its log has the details", fix="look into logs/app.jsonl")
            answer = error_answer(problem, request_id=request_id)
        if self._on_answer is not None:
            self._on_answer(request, answer, time.monotonic() - began_s)
        return answer

    async def _refuse_body(self, receive: Receive, send: Send, request_id: str) -> None:
        problem = BodyTooLarge(
            f"the body is larger than {BODY_MAX_BYTES // 1024 // 1024} MB",
            fix="6 MB is the most that a model can be sent in one request",
        )
        answer = error_answer(problem, request_id=request_id, extra_headers=(("Connection", "close"),))
        await _send(send, answer, is_last=False)
        # Most clients read nothing before they have sent everything; closing at once would reset the connection and
        # take the answer with it. So swallow a bounded rest.
        deadline = time.monotonic() + _DRAIN_MAX_S
        drained = 0
        while drained < _DRAIN_MAX_BYTES and (left_s := deadline - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(receive(), left_s)
            except TimeoutError:
                break
            drained += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                break
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _read_body(content_length: str | None, receive: Receive) -> bytes | None:
    """Read a whole body, by length or in chunks; None as soon as it is known to be too large."""
    if content_length is not None and content_length.isdigit() and int(content_length) > BODY_MAX_BYTES:
        return None
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > BODY_MAX_BYTES:
            return None
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


async def _send(send: Send, answer: HttpAnswer, *, is_last: bool = True) -> None:
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in answer.headers
        if name.lower() not in ("content-length", "transfer-encoding")
    ]
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": not is_last})


def invoked_model(request: HttpRequest, answer: HttpAnswer) -> str | None:
    """Name the model that a request asked, None for requests that asked none."""
    is_invocation = answer.route in ("/models/{name}/invocations", "/models/{name}")
    return answer.path_parameters.get("name") if is_invocation and request.method == "POST" else None


def error_code(answer: HttpAnswer) -> str | None:
    """Read the code of an answer in the house's error format; None for any other answer."""
    if answer.status < 400 or not answer.body.startswith(b'{"error"'):
        return None
    try:
        return str(json.loads(answer.body)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return None
