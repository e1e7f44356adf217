"""uvicorn as the model server uses it. Called by `serving`.

Signals are left to us, connections may come from another process, and nobody holds one without asking something.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .events import log
from .siblings import Family

_AT_ONCE = 64
_REST_S = 0.1
_KEPT_OPEN_S = 5
"""Seconds that a connection may stay open between two requests."""

_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%b"
)


class _Connection(HttpToolsProtocol):
    """One connection, whose end somebody hears of."""

    def __init__(self, on_end: Callable[[], None], **options: Any) -> None:
        super().__init__(**options)
        self._on_end = on_end

    def connection_lost(self, exc: Exception | None) -> None:
        """Hear that it has ended."""
        super().connection_lost(exc)
        self._on_end()


class Server(uvicorn.Server):
    """One process's HTTP server.

    uvicorn's own signal handlers would end the process by the signal, not with exit code 0.
    """

    def __init__(self, config: uvicorn.Config, head_timeout_s: float) -> None:
        """*head_timeout_s* is what a caller may take to send a request's head."""
        super().__init__(config)
        self._head_timeout_s = head_timeout_s
        self._adopting: set[asyncio.Task[Any]] = set()
        self._on_end: Callable[[], None] = lambda: None
        self._waiting: dict[Any, tuple[object, float]] = {}
        self._source: socket.socket
        self._take: Callable[[], None]

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self.server_state.connections) + len(self._adopting)

    def accept_for(self, family: Family, listener: socket.socket) -> None:
        """Accept for all processes of a family, and hand over those connections that others have more room for."""

        def accept() -> None:
            for _ in range(_AT_ONCE):
                try:
                    connection, _ = listener.accept()
                except (BlockingIOError, ConnectionAbortedError):
                    return
                except OSError as error:  # no more files may be open: asking again at once would change nothing
                    log("accept_failed", because=str(error))
                    self._rest()
                    return
                if family.hand_over(connection, self.open):
                    connection.close()
                else:
                    self._adopt(connection)

        self._source, self._take = listener, accept

    def receive_from(self, first: socket.socket, stop: Callable[[], None], on_end: Callable[[], None]) -> None:
        """Take the connections that the first process hands over.

        Args:
            first: Brings them.
            stop: Is called when there will be no more.
            on_end: Is called as soon as one of them has ended.
        """
        self._on_end = on_end

        def receive() -> None:
            try:
                said, files, _, _ = socket.recv_fds(first, _AT_ONCE, _AT_ONCE)
            except BlockingIOError:
                return
            except OSError:
                said, files = b"", []
            for file in files:
                self._adopt(socket.socket(fileno=file))
            if len(said) > len(files):  # no more files may be open: the connection came, and was closed
                log("accept_failed", because="too many open files")
                on_end()
            if not said:
                asyncio.get_running_loop().remove_reader(first)
                stop()

        self._source, self._take = first, receive

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections."""
        await super().startup(sockets)
        self._source.setblocking(False)
        asyncio.get_running_loop().add_reader(self._source, self._take)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, and let the requests in flight come to their end."""
        asyncio.get_running_loop().remove_reader(self._source)
        await super().shutdown(sockets)

    def _rest(self) -> None:
        """Take no connections for a moment."""
        loop = asyncio.get_running_loop()

        def go_on() -> None:
            if not self.should_exit:
                loop.add_reader(self._source, self._take)

        loop.remove_reader(self._source)
        loop.call_later(_REST_S, go_on)

    def look(self) -> None:
        """Close the connections on which a request's head does not come. To be called every now and then.

        One that has been idle since its last answer is closed by uvicorn.
        """
        now_s = time.monotonic()
        waiting: dict[Any, tuple[object, float]] = {}
        connections: set[Any] = set(self.server_state.connections)
        for connection in connections:
            cycle = connection.cycle
            if cycle is not None and not cycle.response_complete:
                continue
            last_cycle, since_s = self._waiting.get(connection, (cycle, now_s))
            waiting[connection] = (cycle, since_s if last_cycle is cycle else now_s)
            if now_s - waiting[connection][1] > self._head_timeout_s and not connection.transport.is_closing():
                words = b'{"error":"the request\'s head was not whole after %g s"}' % self._head_timeout_s
                connection.transport.write(_TOO_SLOW % (len(words), words))
                connection.transport.close()
        self._waiting = waiting

    def _adopt(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(self._protocol, connection))
        self._adopting.add(task)
        task.add_done_callback(self._adopted)

    def _adopted(self, task: "asyncio.Task[Any]") -> None:
        self._adopting.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log("accept_failed", because=str(error))
            self._on_end()

    def _protocol(self) -> asyncio.Protocol:
        return _Connection(
            self._on_end, config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def server_of(application: Any, *, grace_s: int, head_timeout_s: float) -> Server:
    """Make the server of an ASGI application; requests in flight get *grace_s* seconds at its end."""
    config = uvicorn.Config(
        application,
        http=_Connection,
        lifespan="off",
        ws="none",
        proxy_headers=False,  # nobody asks who called: it would be found out for every request
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEPT_OPEN_S,
        timeout_graceful_shutdown=grace_s,
    )
    config.load()
    return Server(config, head_timeout_s)
