"""Clients that keep a server busy: each sends its next request as soon as the last answer is whole.

Called by the benchmarks of servers. The clients share the machine with the server, as everything on a laptop does:
figures are for comparison within one run.
"""

import asyncio
import http.client
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import uvloop

_WARM_UP_S = 0.5
_SETTLE_S = 0.2


@dataclass(frozen=True)
class Asked:
    """What some clients saw in some seconds.

    Attributes:
        p50_ms: Median time to a whole answer.
        per_s: Answers a second.
    """

    p50_ms: float
    per_s: float


def post(payload: Any, *, path: str = "/invocations") -> bytes:
    """Write a POST of a JSON payload."""
    body = json.dumps(payload).encode()
    head = (f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


def status_of(port: int, path: str, payload: Any = None, *, timeout_s: float = 30.0) -> int:
    """GET a path, or POST a JSON payload to it; 0 where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        if payload is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, json.dumps(payload), {"Content-Type": "application/json"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def wait_for(port: int, path: str, payload: Any = None, *, at_most_s: float = 60.0) -> None:
    """Ask again and again until the answer is a 200. Raises TimeoutError."""
    end_s = time.monotonic() + at_most_s
    while status_of(port, path, payload, timeout_s=at_most_s) != 200:
        if time.monotonic() > end_s:
            raise TimeoutError(f"{path} did not answer 200 within {at_most_s:g} s")
        time.sleep(0.01)


def ask(port: int, requests: Sequence[bytes], *, clients: int, seconds: float) -> Asked:
    """Have so many clients ask for so long, after a warm-up. Raises RuntimeError where an answer is not 200."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        p50_ms, per_s = runner.run(load(port, requests, clients, seconds))
    return Asked(p50_ms, per_s)


async def load(port: int, requests: Sequence[bytes], clients: int, seconds: float) -> tuple[float, float]:
    """Ask with so many clients at once. Returns the median latency in ms and the answers per second."""
    took: list[float] = []
    failures: list[str] = []
    loop = asyncio.get_running_loop()
    callers = [_Caller(requests, took, failures, place) for place in range(clients)]
    for caller in callers:
        await loop.create_connection(lambda caller=caller: caller, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.sleep(_WARM_UP_S)
    took.clear()
    started_s = time.perf_counter()
    await asyncio.sleep(seconds)
    elapsed_s, answered = time.perf_counter() - started_s, list(took)
    for caller in callers:
        caller.is_stopping = True
    await asyncio.sleep(_SETTLE_S)
    if failures or not answered:
        raise RuntimeError(failures[0] if failures else "no answer came")
    return statistics.median(answered) * 1000, len(answered) / elapsed_s


class _Caller(asyncio.Protocol):
    """One client. Clients begin at different requests, so that those in flight differ."""

    def __init__(self, requests: Sequence[bytes], took: list[float], failures: list[str], place: int) -> None:
        self._requests = requests
        self._took = took
        self._failures = failures
        self._number = place * 7
        self._buffer = b""
        self._missing = 0
        self._sent_s = 0.0
        self.is_stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._send()

    def _send(self) -> None:
        self._number += 1
        self._sent_s = time.perf_counter()
        self._transport.write(self._requests[self._number % len(self._requests)])

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._missing == 0:
            head, separator, _ = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            self._missing = len(head) + len(separator) + length
        if len(self._buffer) < self._missing:
            return
        if self._buffer[9:12] != b"200":
            self._failures.append(self._buffer[:400].decode(errors="replace"))
            self.is_stopping = True
        self._took.append(time.perf_counter() - self._sent_s)
        self._buffer, self._missing = b"", 0
        if self.is_stopping:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.is_stopping:
            self._failures.append(f"the server closed a connection: {exc}")
