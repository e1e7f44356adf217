"""Ten minutes of 32 clients on serve.py, with its memory: `python -m tests.soak [--seconds N] [--model NAME]`.

Prints a line every tenth of the time; exits 1 when the memory at the end is over a twentieth above that after the first
fifth, in which allocators and caches find their size.
"""

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import uvloop

from benchmarks.peers.servers import SERVE
from benchmarks.rig.callers import load, wait_for
from examples import generators, sentiment
from examples.sentences import labelled_sentences

CLIENTS = 32
SAMPLES = 50
MOST_GROWTH = 1.05


def _requests(model: str) -> list[bytes]:
    """Inputs of many lengths, alone and in lists."""
    texts = [text.replace('"', "") for text, _ in labelled_sentences(count=200, seed=1)]
    if model == "writer":
        return [_request(f'{{"inputs": "{text}", "parameters": {{"max_new_tokens": {1 + place % 40}}}}}')
                for place, text in enumerate(texts)]  # fmt: skip
    quoted = [f'"{text}"' for text in texts]
    lists = [f"[{', '.join(quoted[place : place + 1 + place % 7])}]" for place in range(150)]
    return [_request(f'{{"inputs": {one}}}') for one in [*lists, *quoted]]


def _request(body: str) -> bytes:
    head = ("POST /invocations HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", body]).encode()


BUILDERS: dict[str, Callable[[Path], object]] = {"sentiment": sentiment.build, "writer": generators.decoder}


def _watch(process: psutil.Process, seconds: float, samples_mb: list[float]) -> None:
    for number in range(SAMPLES):
        time.sleep(seconds / SAMPLES)
        samples_mb.append(_memory_mb(process))
        if (number + 1) % (SAMPLES // 10) == 0:
            print(f"{seconds * (number + 1) / SAMPLES:6.0f} s   {samples_mb[-1]:.1f} MB", flush=True)


def _memory_mb(server: psutil.Process) -> float:
    """Memory of all processes of a server; what they share is counted once, where the system tells."""
    own = [process.memory_full_info() for process in (server, *server.children(recursive=True))]
    return sum(getattr(memory, "pss", memory.rss) for memory in own) / 2**20


def soak(model_dir: Path, requests: list[bytes], seconds: float) -> tuple[float, float, list[float]]:
    """Load one server. Returns the median latency in ms, the answers per second, and memory samples in MB."""
    samples_mb: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, fd = listener.getsockname()[1], listener.fileno()
        process = subprocess.Popen(
            [sys.executable, str(SERVE), "--fd", str(fd)],
            pass_fds=[fd],
            stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "SM_MODEL_DIR": str(model_dir)},
        )
    try:
        wait_for(port, "/ping")
        watcher = threading.Thread(target=_watch, args=(psutil.Process(process.pid), seconds, samples_mb))
        watcher.start()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            p50_ms, per_s = runner.run(load(port, requests, CLIENTS, seconds))
        watcher.join()
    finally:
        process.terminate()
        process.wait(timeout=20)
    return p50_ms, per_s, samples_mb


def main() -> None:
    """Soak, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--model", choices=sorted(BUILDERS), default="sentiment")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        model_dir = Path(directory) / "model"
        BUILDERS[options.model](model_dir)
        p50_ms, per_s, samples_mb = soak(model_dir, _requests(options.model), options.seconds)
    early, late = (statistics.median(part) for part in (samples_mb[10:20], samples_mb[-10:]))
    print(
        f"{options.model}: {per_s:,.0f} answers/s, p50 {p50_ms:.1f} ms, {per_s * options.seconds:,.0f} answers in all"
    )
    print(f"memory: {early:.1f} MB after a fifth of the time, {late:.1f} MB at the end ({late / early:.3f})")
    sys.exit(late > early * MOST_GROWTH)


if __name__ == "__main__":
    main()
