"""Kept-alive HTTP connections to one model server's process. Called by runtime.py."""

import select
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead

_BLOCK_BYTES = 1 << 16
_IDLE_MAX = 64


@dataclass(frozen=True)
class Reply:
    """What the model server answered."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True)
class PartialReply:
    """An answer whose body is still being made."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    blocks: Iterator[bytes]
    """Each as soon as it is there. Raises ServerGone, ReplyTooSlow."""


class ServerGone(Exception):
    """The process cannot be reached, or went away before it had answered."""


class AnswerLost(ServerGone):
    """The process went away with a request that it may have read."""


class ReplyTooSlow(Exception):
    """It did not answer in time."""


class ReplyTooLarge(Exception):
    """It answered more than there is room for."""


class Connections:
    """The connections to one port of this machine. Safe from any thread."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._idle: list[HTTPConnection] = []

    def post(self, path: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float, max_bytes: int) -> Reply:
        """Send one request and read the whole answer.

        Raises:
            ServerGone, AnswerLost, ReplyTooSlow, ReplyTooLarge: See there.
        """
        deadline = time.monotonic() + timeout_s
        with self._taken(timeout_s) as connection, _named_faults(timeout_s, AnswerLost):
            connection.request("POST", path, body=body, headers=dict(headers))
            response = connection.getresponse()
            content = b"".join(_blocks(connection, response, deadline=deadline, max_bytes=max_bytes))
            will_close = response.will_close
            reply = Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, content)
            self._give_back(connection, is_usable=not will_close)
            return reply

    @contextmanager
    def open(self, path: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float) -> Iterator[PartialReply]:
        """Send one request and hold its answer while it is being read. On a connection of its own, closed at the end.

        Raises:
            ServerGone, AnswerLost, ReplyTooSlow: Before the answer's headers were whole; later ones come out of its
                blocks.
        """
        deadline = time.monotonic() + timeout_s
        connection = HTTPConnection("127.0.0.1", self._port, timeout=timeout_s)
        try:
            with _named_faults(timeout_s):
                connection.connect()
            with _named_faults(timeout_s, AnswerLost):
                connection.request("POST", path, body=body, headers=dict(headers))
                response = connection.getresponse()

            def blocks() -> Iterator[bytes]:
                with _named_faults(timeout_s):
                    yield from _blocks(connection, response, deadline=deadline)

            names = {name.lower(): value for name, value in response.getheaders()}
            with closing(response):
                yield PartialReply(response.status, names, blocks())
        finally:
            connection.close()

    def close(self) -> None:
        """Close those that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _taken(self, timeout_s: float) -> Iterator[HTTPConnection]:
        connection = self._take(timeout_s)
        try:
            if connection.sock is None:
                with _named_faults(timeout_s):
                    connection.connect()
            yield connection
        except BaseException:
            connection.close()
            raise

    def _take(self, timeout_s: float) -> HTTPConnection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return HTTPConnection("127.0.0.1", self._port, timeout=timeout_s)
            # Readable while nothing was asked means that the server has closed it: found out before the request is
            # sent, for one that was sent must not be sent again.
            if connection.sock is not None and not _is_readable(connection.sock):
                connection.sock.settimeout(timeout_s)
                return connection
            connection.close()

    def _give_back(self, connection: HTTPConnection, *, is_usable: bool) -> None:
        with self._lock:
            if is_usable and len(self._idle) < _IDLE_MAX:
                self._idle.append(connection)
                return
        connection.close()


@contextmanager
def _named_faults(timeout_s: float, gone: type[ServerGone] = ServerGone) -> Iterator[None]:
    try:
        yield
    except TimeoutError as exc:
        raise ReplyTooSlow(f"no answer within {timeout_s:g} s") from exc
    except (OSError, HTTPException) as exc:
        raise gone(str(exc) or type(exc).__name__) from exc


def _is_readable(sock: socket.socket) -> bool:
    poll = select.poll()  # not select(), which cannot take a file descriptor over 1023
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _blocks(
    connection: HTTPConnection, response: HTTPResponse, *, deadline: float, max_bytes: int | None = None
) -> Iterator[bytes]:
    size = 0
    # Python 3.11's own read1 forgets to count what it gives of a body whose length is known.
    left = None if response.chunked else response.length
    while left != 0:
        if connection.sock is not None:
            connection.sock.settimeout(_left_s(deadline))
        block = response.read1(_BLOCK_BYTES) if left is None else response.fp.read1(min(left, _BLOCK_BYTES))
        if not block:
            if left:
                raise IncompleteRead(b"", left)
            break
        size += len(block)
        left = None if left is None else left - len(block)
        if max_bytes is not None and size > max_bytes:
            raise ReplyTooLarge(f"the answer is larger than {max_bytes} bytes")
        yield block
    response.close()


def _left_s(deadline: float) -> float:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s
