"""Texts from a tiny GPT-2: serve.py against transformers' pipeline behind Starlette, in one run.

`python -m benchmarks.generation [--seconds N]`. Greedy, 64 tokens each. The load generator shares the machine with the
servers: figures are for comparison within one run.
"""

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.serving import SERVE, Point, load, wait_until_ready
from examples import generators

CLIENTS = (1, 8, 32)
TOKENS = 64
PROMPTS = ("the movie was", "what a day with friends in the", "honestly", "we went to see the game and the")


def peer(model_dir: str, fd: int) -> None:
    """What one writes first: the pipeline behind Starlette, one request after the other on one torch thread."""
    import threading

    import torch
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route
    from transformers import pipeline

    torch.set_num_threads(1)
    pipe = pipeline("text-generation", model=model_dir, device="cpu")
    lock = threading.Lock()

    def answer(raw: dict[str, object]) -> object:
        with lock:
            return pipe(raw["inputs"], **raw["parameters"])  # type: ignore[dict-item]

    async def invoke(request: Request) -> JSONResponse:
        return JSONResponse(await run_in_threadpool(answer, await request.json()))

    async def ping(_request: Request) -> JSONResponse:
        return JSONResponse({})

    app = Starlette(routes=[Route("/invocations", invoke, methods=["POST"]), Route("/ping", ping)])
    uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[socket.socket(fileno=fd)])


def measure(name: str, command: Sequence[str], model_dir: Path, seconds: float) -> list[Point]:
    """Start one server and put each number of clients on it."""
    points = []
    requests = [_request(prompt) for prompt in PROMPTS]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, fd = listener.getsockname()[1], listener.fileno()
        process = subprocess.Popen(
            [sys.executable, *command, "--fd", str(fd)],
            pass_fds=[fd],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[1],
            env={"PATH": os.environ["PATH"], "SM_MODEL_DIR": str(model_dir), "OMP_NUM_THREADS": "1"},
        )
    try:
        wait_until_ready(port)
        for clients in CLIENTS:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                p50_ms, per_s = runner.run(load(port, requests, clients, seconds))
            memory_mb = psutil.Process(process.pid).memory_info().rss / 2**20
            points.append(Point(case=f"{name}, {clients} clients", p50_ms=p50_ms, per_s=per_s, memory_mb=memory_mb))
    finally:
        process.terminate()
        process.wait(timeout=20)
    return points


def _request(prompt: str) -> bytes:
    body = f'{{"inputs": "{prompt}", "parameters": {{"max_new_tokens": {TOKENS}, "do_sample": false}}}}'.encode()
    head = ("POST /invocations HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="how long to measure each case")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--fd", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        peer(options.peer, options.fd)
        return
    with tempfile.TemporaryDirectory() as directory:
        model_dir = Path(directory) / "writer"
        generators.decoder(model_dir)
        theirs = measure(
            "pipeline behind Starlette",
            ["-m", "benchmarks.generation", "--peer", str(model_dir)],
            model_dir,
            options.seconds,
        )
        ours = measure("serve.py", [str(SERVE)], model_dir, options.seconds)
    table = Table("case", "p50 ms", "answers/s", "tokens/s", "of the peer", "RSS MB", title=f"GPT-2, {TOKENS} tokens")
    for point, other in zip((*theirs, *ours), (*theirs, *theirs), strict=True):
        figures = (f"{point.p50_ms:.0f}", f"{point.per_s:.1f}", f"{point.per_s * TOKENS:,.0f}")
        table.add_row(point.case, *figures, f"{point.per_s / other.per_s:.1f}", f"{point.memory_mb:.0f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
