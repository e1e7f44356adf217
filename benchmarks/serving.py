"""serve.py against the same model in this process, in one run: `python -m benchmarks.serving [--seconds N]`.

Prints a table. The load generator shares the machine with the server, as everything on a laptop does: figures are for
comparison within one run, not with other machines. Differences under 15 % are noise.
"""

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from examples import sentiment
from examples.sentences import labelled_sentences

SERVE = Path(__file__).parents[1] / "inference_code" / "serve.py"
CLIENTS = (1, 8, 32)
LIMIT_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Point:
    """One measured case: median latency in ms and answers per second."""

    case: str
    p50_ms: float
    per_s: float
    memory_mb: float | None = None


def in_process(model_dir: Path, texts: list[str], seconds: float) -> list[Point]:
    """The peers: transformers' own pipeline, and tokenizer and model called directly with whole batches."""
    import torch
    from transformers import AutoTokenizer, BertForSequenceClassification, pipeline

    torch.set_num_threads(1)
    pipe = pipeline("text-classification", model=str(model_dir), device="cpu")
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    model = BertForSequenceClassification.from_pretrained(model_dir).eval()

    def forward(batch: list[str]) -> None:
        with torch.inference_mode():
            model(**tokenizer(batch, padding=True, truncation=True, return_tensors="pt")).logits.softmax(-1).tolist()

    return [
        _loop("in-process pipeline(x)", lambda index: pipe(texts[index % len(texts)]), 1, seconds),
        _loop("in-process forward, batches of 1", lambda index: forward([texts[index % len(texts)]]), 1, seconds),
        _loop(
            f"in-process forward, batches of {LIMIT_BATCH}",
            lambda index: forward([texts[(index * LIMIT_BATCH + row) % len(texts)] for row in range(LIMIT_BATCH)]),
            LIMIT_BATCH,
            seconds,
        ),
    ]


def _loop(case: str, call: Callable[[int], object], items: int, seconds: float) -> Point:
    for index in range(20):
        call(index)
    took: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        call(len(took))
        took.append(time.perf_counter() - started)
    return Point(case=case, p50_ms=statistics.median(took) * 1000, per_s=len(took) * items / sum(took))


@contextmanager
def server(model_dir: Path) -> Iterator[tuple[int, psutil.Process, float]]:
    """Serve the model: port, process, and the seconds until /ping said 200."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, str(SERVE), "--fd", str(listener.fileno())],
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "SM_MODEL_DIR": str(model_dir)},
        )
    try:
        wait_until_ready(port)
        yield port, psutil.Process(process.pid), time.perf_counter() - started
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_until_ready(port: int) -> None:
    """Poll /ping until it answers 200."""
    while b" 200 " not in asyncio.run(_once(port, b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")):
        time.sleep(0.02)


async def _once(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


class _Caller(asyncio.Protocol):
    """One client: sends the next request as soon as the answer to the last is whole."""

    def __init__(self, requests: list[bytes], took: list[float]) -> None:
        self._requests = requests
        self._took = took
        self._buffer = b""
        self._sent_s = 0.0
        self._number = id(self) % len(requests)
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
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(self._buffer.decode())
        self._took.append(time.perf_counter() - self._sent_s)
        self._buffer = b""
        if self.is_stopping:
            self._transport.close()
        else:
            self._send()


async def load(port: int, requests: list[bytes], clients: int, seconds: float) -> tuple[float, float]:
    """Ask with so many clients at once. Returns the median latency in ms and the answers per second."""
    took: list[float] = []
    loop = asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(lambda: _Caller(requests, took), "127.0.0.1", port))[1] for _ in range(clients)
    ]
    await asyncio.sleep(0.3)
    took.clear()
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    elapsed, answered, median_s = time.perf_counter() - started, len(took), statistics.median(took)
    for caller in callers:
        caller.is_stopping = True
    await asyncio.sleep(0.2)
    return median_s * 1000, answered / elapsed


def over_http(model_dir: Path, texts: list[str], seconds: float) -> tuple[list[Point], float]:
    """The server under each number of clients, and its start-up in seconds."""
    requests = [_request(text) for text in texts]
    points = []
    with server(model_dir) as (port, process, ready_s):
        for clients in CLIENTS:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                p50_ms, per_s = runner.run(load(port, requests, clients, seconds))
            memory_mb = process.memory_info().rss / 2**20
            points.append(Point(case=f"serve.py, {clients} clients", p50_ms=p50_ms, per_s=per_s, memory_mb=memory_mb))
    return points, ready_s


def _request(text: str) -> bytes:
    body = f'{{"inputs": "{text}"}}'.encode()
    head = ("POST /invocations HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long to measure each case")
    seconds = parser.parse_args().seconds
    texts = [text.replace('"', "") for text, _ in labelled_sentences(count=200, seed=1)]
    with tempfile.TemporaryDirectory() as directory:
        model_dir = Path(directory) / "sentiment"
        sentiment.build(model_dir)
        peers = in_process(model_dir, texts, seconds)
        served, ready_s = over_http(model_dir, texts, seconds)
    table = Table(
        "case", "p50 ms", "answers/s", "of the limit", "RSS MB", title="tiny BERT classifier, one torch thread"
    )
    limit = peers[-1].per_s
    for point in (*peers, *served):
        memory = "" if point.memory_mb is None else f"{point.memory_mb:.0f}"
        table.add_row(point.case, f"{point.p50_ms:.2f}", f"{point.per_s:,.0f}", f"{point.per_s / limit:.2f}", memory)
    console = Console(width=110)
    console.print(table)
    console.print(f"start to first /ping 200: {ready_s:.2f} s")
    console.print(f"one client, p50 over pipeline(x): {served[0].p50_ms - peers[0].p50_ms:+.2f} ms (at most +0.50)")


if __name__ == "__main__":
    main()
