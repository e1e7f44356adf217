"""Passes questions about models on to the Hugging Face Hub. Started by hub_gate.py as a process of its own.

python hub_relay.py LISTENER_FD UPSTREAM
"""

import re
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3

_ANSWER_MAX_BYTES = 17 << 20
_PASSED_ON = ("Content-Type", "Retry-After", "X-Error-Code", "X-Error-Message", "X-Repo-Commit")
_PATH = re.compile(r"/api/models/[^?]+(\?.*)?|/[^/?]+/[^/?]+/resolve/[^?]+|/[^/?]+/resolve/[^?]+")


class _Relay(BaseHTTPRequestHandler):
    upstream = ""
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=5.0, read=18.0), retries=urllib3.Retry(total=4, redirect=4, connect=1, status=0)
    )

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name for it
        """Say nothing: a URL may name what is private."""

    def do_GET(self) -> None:
        """Pass a question on, and its answer back."""
        if not _PATH.fullmatch(self.path):
            self._send(404, b"", {"X-Error-Message": "only questions about models are passed on"})
            return
        sent = {name: self.headers[name] for name in ("Authorization", "User-Agent") if name in self.headers}
        try:
            answer = self.pool.request("GET", self.upstream + self.path, headers=sent, preload_content=False)
            body = answer.read(_ANSWER_MAX_BYTES, decode_content=True)
            answer.close()
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            reason = str(getattr(exc, "reason", None) or exc).rpartition(": ")[2]
            why = f"the Hugging Face Hub cannot be reached at {self.upstream}: {reason}"
            self._send(502, b"", {"X-Error-Message": why.encode("ascii", "replace").decode().replace("\n", " ")})
            return
        self._send(answer.status, body, {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listener_fd: int) -> None:
        super().__init__(("127.0.0.1", 0), _Relay, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=listener_fd)


def main() -> None:
    """Answer until the engine ends this process, or has gone."""
    _Relay.upstream = sys.argv[2].rstrip("/")
    _Server(int(sys.argv[1])).serve_forever(poll_interval=3600)


if __name__ == "__main__":
    main()
