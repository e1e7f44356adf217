"""Texts from a tiny GPT-2: serve.py against transformers' pipeline behind Starlette, in one run.

`python -m benchmarks.generation [--seconds N]`. Greedy, 64 tokens each, from 1, 8 and 32 clients. The clients share the
machine with the servers: figures are for comparison within one run.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.figures import Figure, present
from benchmarks.peers import servers
from benchmarks.rig.models import writer
from benchmarks.rig.points import Point, print_points, under_load
from benchmarks.serving import OURS, PROMPTS, STARLETTE, TOKENS

CLIENTS = (1, 8, 32)


def measure(seconds: float) -> list[Point]:
    """Put both servers under each number of clients."""
    parameters = {"max_new_tokens": TOKENS, "do_sample": False}
    inputs = [{"inputs": prompt, "parameters": parameters} for prompt in PROMPTS]
    with tempfile.TemporaryDirectory(prefix="tarmac-bench-") as scratch:
        model_dir = Path(scratch) / "writer"
        writer(model_dir)
        asked = {"clients": CLIENTS, "seconds": seconds}
        theirs = under_load("writer", STARLETTE, servers.starlette(model_dir), inputs, **asked)  # type: ignore[arg-type]
        ours = under_load("writer", OURS, servers.tarmac(model_dir), inputs, **asked)  # type: ignore[arg-type]
    return [*ours, *theirs]


def main() -> None:
    """Measure and print. The promise, for 8 clients, is judged in `benchmarks.serving`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="how long to measure each case")
    points = measure(parser.parse_args().seconds)
    tokens_per_s = {(point.server, point.clients): point.asked.per_s * TOKENS for point in points if point.asked}
    figures = [
        Figure(
            case=f"tiny GPT-2, {clients} clients",
            ours=tokens_per_s[OURS, clients],
            peer=tokens_per_s[STARLETTE, clients],
            peer_name=STARLETTE,
            unit="tokens/s",
        )
        for clients in CLIENTS
    ]
    print_points(points)
    present("generation", f"Texts of {TOKENS} tokens", figures)


if __name__ == "__main__":
    main()
