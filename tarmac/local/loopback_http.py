"""A small HTTP/1.1 server for WSGI on loopback: keep-alive, 100-continue, chunked bodies, files sent by the kernel.

Called by `server`. Werkzeug's own closes every connection after one answer, and copies files through Python.
"""

import contextlib
import errno
import io
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterable
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from moto.core.request import PRESERVED_HEADER_NAMES_ENVIRON_KEY, should_preserve_original_header_name

from tarmac.local.request_bodies import Body, BodyTruncated

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

IDLE_CONNECTION_S = 75
_DRAIN_AT_MOST_BYTES = 1 << 20
_SEND_AT_ONCE_BYTES = 1 << 24


class PortInUse(Exception):
    """Another process listens on the port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} on 127.0.0.1 is in use")
        self.port = port


class _Handler(BaseHTTPRequestHandler):
    """One connection: requests one after the other."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_CONNECTION_S
    rbufsize = 1 << 16
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    server: "LoopbackServer"
    _owes_continue = False

    def log_message(self, *_: Any) -> None:
        """Nothing: request lines never go to the terminal."""

    def handle_expect_100(self) -> bool:
        """Put it off until somebody reads the body: a refusal then costs the client no upload."""
        self._owes_continue = True
        return True

    def handle(self) -> None:
        """Serve until either side closes."""
        with contextlib.suppress(ConnectionError, TimeoutError, ValueError):
            super().handle()

    def finish(self) -> None:
        """Let go of the socket's files, also when the client is gone."""
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def handle_one_request(self) -> None:
        """Read one request, answer it."""
        self._owes_continue = False
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
            return
        if len(self.raw_requestline) > 65536:
            self.send_error(414)
            return
        if self.parse_request():
            self._answer()

    def _send_continue(self) -> None:
        if self._owes_continue:
            self._owes_continue = False
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()

    def _answer(self) -> None:
        body = Body(self.rfile, length=self._body_length(), on_first_read=self._send_continue)
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], Any]:
            started[:] = [(status, headers)]
            return self.wfile.write

        chunks = self.server.application(self._environ(body), start_response)
        try:
            self._write(started[0][0], started[0][1], chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        if not body.is_ended and not self._owes_continue:
            body.drain(_DRAIN_AT_MOST_BYTES)
        if not body.is_ended:
            self.close_connection = True

    def _body_length(self) -> int | None:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return None
        raw = self.headers.get("Content-Length", "0").strip()
        return int(raw) if raw.isdigit() else 0

    def _write(self, status: str, headers: list[tuple[str, str]], chunks: Any) -> None:
        names = {name.lower() for name, _ in headers}
        # A HEAD's answer has the length of the body it leaves out; a 204 and a 304 have neither.
        has_no_body = self.command == "HEAD" or status[:3] in {"204", "304"}
        if isinstance(chunks, list | tuple):
            chunks = [b"".join(chunks)]
            length: int | None = len(chunks[0])
        else:
            length = len(chunks) if hasattr(chunks, "send_to") else None
        framed = [(n, v) for n, v in headers if status[:3] not in {"204", "304"} or n.lower() != "content-length"]
        is_chunked = False
        if "content-length" not in names and status[:3] not in {"204", "304"}:
            if length is not None:
                framed.append(("Content-Length", str(length)))
            elif self.request_version == "HTTP/1.1":
                is_chunked = True
                framed.append(("Transfer-Encoding", "chunked"))
            else:
                self.close_connection = True
        if "date" not in names:
            framed.append(("Date", self.date_time_string()))
        if self._owes_continue or self.close_connection:
            self.close_connection = True
            framed.append(("Connection", "close"))
        head = "".join(f"{name}: {value}\r\n" for name, value in framed)
        self.wfile.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1"))
        if not has_no_body:
            self._write_body(chunks, is_chunked=is_chunked)
        self.wfile.flush()

    def _write_body(self, chunks: Any, *, is_chunked: bool) -> None:
        if hasattr(chunks, "send_to"):
            self.wfile.flush()
            chunks.send_to(self.connection)
            return
        for chunk in chunks:
            if not chunk:
                continue
            if is_chunked:
                # Flushed each time: whoever answers piece by piece wants each piece seen when it is there.
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                self.wfile.flush()
            else:
                self.wfile.write(chunk)
        if is_chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _environ(self, body: Body) -> Environ:
        target = self.path
        if not target.startswith("/"):
            parts = urlsplit(target)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        path, _, query = target.partition("?")
        environ: Environ = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "RAW_URI": target,
            "REQUEST_URI": target,
            "REMOTE_ADDR": self.client_address[0],
            "REMOTE_PORT": self.client_address[1],
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.server.port),
            "SERVER_PROTOCOL": self.request_version,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BufferedReader(body, 1 << 16),
            "wsgi.input_terminated": True,
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "tarmac.body": body,
        }
        _add_headers(environ, self.headers)
        return environ


def _add_headers(environ: Environ, headers: Message) -> None:
    preserved: dict[str, str] = {}
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        if "_" in name:
            # Ambiguous in WSGI, so dropped, but for S3's user metadata: moto reads those under their own spelling.
            if not should_preserve_original_header_name(name):
                continue
            preserved[f"HTTP_{key}"] = name
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    environ[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = preserved


class LoopbackServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listens on 127.0.0.1 only; one thread a connection; stops without leaving a thread or a socket."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, application: Application) -> None:
        """Bind. *port* 0 takes a free one. Raises PortInUse."""
        self.application = application
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                raise PortInUse(port) from exc
            raise
        self.port: int = self.server_address[1]

    def start(self) -> None:
        """Serve, in a thread."""
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, name="aws-port", daemon=True
        )
        self._thread.start()

    def stop(self, *, patience_s: float = 5.0) -> None:
        """Close the port, hang up on everybody, and wait up to *patience_s* seconds for the threads to end."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
        self.server_close()
        with self._lock:
            open_now = dict(self._open)
        for connection in open_now:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + patience_s
        for thread in open_now.values():
            thread.join(timeout=max(deadline - time.monotonic(), 0))

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection its thread."""
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), name="aws-connection", daemon=True
        )
        with self._lock:
            self._open[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection and close it."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, *_: Any) -> None:
        """Nothing: what goes wrong above the socket has been answered, and below it the client is gone."""


def send_file_part(connection: socket.socket, descriptor: int, *, offset: int, count: int) -> None:
    """Send *count* bytes of an open file from *offset* on, by the kernel, in constant memory."""
    timeout_s = connection.gettimeout()
    connection.settimeout(None)
    try:
        while count > 0:
            sent = os.sendfile(connection.fileno(), descriptor, offset, min(count, _SEND_AT_ONCE_BYTES))
            if sent == 0:
                raise BodyTruncated("the file is shorter than its record says")
            offset += sent
            count -= sent
    finally:
        connection.settimeout(timeout_s)
