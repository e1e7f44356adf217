"""The model server against its peers, same machine, same models, one run: `python -m benchmarks.serving`.

Prints every server tried, then each promise with its ratio; writes build/benchmarks/serving.svg and .json.

The peers are installed under build/ by the first run; each is measured with the settings under which it does best here.
The clients share the machine with the servers, as everything on a laptop does: figures are for comparison within one
run, and differences under 15 % are noise.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.figures import Figure, present
from benchmarks.peers import servers
from benchmarks.peers.environments import java, python_of
from benchmarks.peers.servers import Served
from benchmarks.rig.callers import Asked
from benchmarks.rig.inprocess import LIMIT_BATCH, batched_forward, pipeline_alone
from benchmarks.rig.models import build
from benchmarks.rig.points import Point, best, print_points, save, saved, under_load
from benchmarks.rig.processes import memory
from examples.sentences import labelled_sentences
from tarmac.local.environments import RequirementsUnmet

CASES = ("classifier", "encoder", "writer", "start")
TOKENS = 64
OURS, TOOLKIT, LITSERVE, STARLETTE = "serve.py", "MMS + toolkit", "LitServe", "pipeline behind Starlette"
PIPELINE, FORWARD = "in-process pipeline(x)", f"in-process forward, batches of {LIMIT_BATCH}"
PROMPTS = ("the movie was", "what a day with friends in the", "honestly", "we went to see the game and the")
_TOOLKIT_SETTINGS = ((1, 1), (2, 1))
"""Workers and threads of each. Two threads for a tiny model are many times slower, in whichever process."""
_TOOLKIT_ENCODER_SETTINGS = ((1, 1), (1, 2), (2, 1))
_LITSERVE_SETTINGS = ((8, 1, 2), (32, 1, 2), (8, 2, 1), (16, 2, 1))
"""Batch, workers, threads of each."""
_STARTS = 3


@dataclass(frozen=True)
class Bench:
    """One run: where its models are, how long each case takes, and what stands in the way of the toolkit."""

    models: Path
    seconds: float
    builder: Path
    obstacle: str = ""

    def model(self, name: str) -> Path:
        """Build a model, once."""
        return build(name, self.models, python=self.builder)

    def load(
        self,
        case: str,
        server: str,
        serving: Callable[[], AbstractContextManager[Served]],
        inputs: Iterable[object],
        clients: tuple[int, ...],
    ) -> Iterator[Point]:
        """Measure a server, or say why it could not be: a peer that cannot be installed is a row, too."""
        why = self.obstacle if server.startswith(TOOLKIT) else ""
        if not why:
            try:
                yield from under_load(case, server, serving(), inputs, clients=clients, seconds=self.seconds)
            except RequirementsUnmet as unmet:
                why = str(unmet)
        if why:
            yield from (Point(case=case, server=server, clients=count, note=why) for count in clients)


def classifier(bench: Bench) -> Iterator[Point]:
    """One text a request, from one, 8 and 32 clients."""
    model_dir, texts, clients = bench.model("classifier"), _texts(), (1, 8, 32)
    inputs = [{"inputs": text} for text in texts]
    case = "classifier"
    yield Point(case=case, server=PIPELINE, clients=1, asked=pipeline_alone(model_dir, texts, bench.seconds))
    yield Point(case=case, server=FORWARD, clients=32, asked=batched_forward(model_dir, texts, bench.seconds))
    yield from bench.load(case, OURS, lambda: servers.tarmac(model_dir), inputs, clients)
    for workers, threads in _TOOLKIT_SETTINGS:
        name = f"{TOOLKIT}, workers {workers}, threads {threads}"
        serving = _toolkit(model_dir, workers, threads)
        yield from bench.load(case, name, serving, inputs, clients)


def encoder(bench: Bench) -> Iterator[Point]:
    """One text a request to an encoder of 22.7 million weights, from 32 clients."""
    inputs, clients, case = [{"inputs": text} for text in _texts()], (32,), "encoder"
    model_dir, hooked = bench.model("encoder"), bench.model("hooked-encoder")
    yield from bench.load(case, OURS, lambda: servers.tarmac(model_dir), inputs, clients)
    for batch, workers, threads in _LITSERVE_SETTINGS:
        name = f"{LITSERVE}, batch {batch}, workers {workers}, threads {threads}"
        yield from bench.load(case, name, _litserve(model_dir, batch, workers, threads), inputs, clients)
    for workers, threads in _TOOLKIT_ENCODER_SETTINGS:
        name = f"{TOOLKIT}, workers {workers}, threads {threads}"
        yield from bench.load(case, name, _toolkit(hooked, workers, threads), inputs, clients)


def writer(bench: Bench) -> Iterator[Point]:
    """64 tokens a request, greedily, from 8 clients."""
    parameters = {"max_new_tokens": TOKENS, "do_sample": False}
    inputs = [{"inputs": prompt, "parameters": parameters} for prompt in PROMPTS]
    model_dir = bench.model("writer")
    yield from bench.load("writer", OURS, lambda: servers.tarmac(model_dir), inputs, (8,))
    yield from bench.load("writer", STARLETTE, lambda: servers.starlette(model_dir), inputs, (8,))


def start(bench: Bench) -> Iterator[Point]:
    """From nothing to the first answer that counts, the quickest of some: /ping for us, as it waits for the model."""
    model_dir = bench.model("classifier")
    yield _quickest("start", OURS, lambda: servers.tarmac(model_dir))
    if bench.obstacle:
        yield Point(case="start", server=TOOLKIT, clients=0, note=bench.obstacle)
    else:
        yield _quickest("start", TOOLKIT, _toolkit(model_dir, 1, 1))


def _quickest(case: str, server: str, serving: Callable[[], AbstractContextManager[Served]]) -> Point:
    points = []
    for _ in range(_STARTS):
        started_s = time.perf_counter()
        with serving() as served:
            took_ms = (time.perf_counter() - started_s) * 1000
            points.append((took_ms, memory(served.process)))
    took_ms, used = min(points, key=lambda point: point[0])
    return Point(case=case, server=server, clients=0, asked=Asked(took_ms, 1000 / took_ms), memory=used)


def _toolkit(model_dir: Path, workers: int, threads: int) -> Callable[[], AbstractContextManager[Served]]:
    return lambda: servers.toolkit(model_dir, workers=workers, threads=threads)


def _litserve(model_dir: Path, batch: int, workers: int, threads: int) -> Callable[[], AbstractContextManager[Served]]:
    return lambda: servers.litserve(model_dir, batch=batch, workers=workers, threads=threads)


def _texts() -> list[str]:
    return [text for text, _ in labelled_sentences(count=200, seed=1)]


_PROMISES: tuple[tuple[str, str, str, int, float, bool], ...] = (
    ("tiny classifier, 8 clients", "classifier", TOOLKIT, 8, 6.0, False),
    ("tiny classifier, 32 clients", "classifier", TOOLKIT, 32, 12.0, False),
    ("tiny classifier, 32 clients, of the limit", "classifier", FORWARD, 32, 0.5, False),
    ("22M sentence encoder, 32 clients", "encoder", LITSERVE, 32, 1.5, False),
    ("22M sentence encoder, 32 clients", "encoder", TOOLKIT, 32, 2.0, False),
    (f"tiny GPT-2, {TOKENS} tokens, 8 clients", "writer", STARLETTE, 8, 4.0, False),
    ("tiny classifier, 1 client, p50", "classifier", PIPELINE, 1, 0.5, True),
    ("start to the first answer", "start", TOOLKIT, 0, 0.8, True),
)
"""What, with which model, against whom, how many clients, how much, and whether less is better."""


def promises(points: list[Point]) -> tuple[list[Figure], list[str]]:
    """Judge: what was promised and measured, and a line for each that could not be."""
    figures, missing = [], []
    for case, model, peer_name, clients, bound, is_time in _PROMISES:
        ours = best(points, case=model, clients=clients, server=OURS)
        peer = best(points, case=model, clients=clients, server=peer_name)
        if ours is not None and peer is not None:
            figures += [_figure(case, ours, peer, bound, is_time=is_time), *_sizes(ours, peer)]
        elif any(point.case == model for point in points):
            whys = {point.note for point in points if point.case == model and point.server.startswith(peer_name)}
            missing.append(f"{case}, against {peer_name}: not measured: {', '.join(whys) or 'it gave no answer'}")
    return figures, missing


def _figure(case: str, ours: Point, peer: Point, bound: float, *, is_time: bool) -> Figure:
    assert ours.asked is not None
    assert peer.asked is not None
    names = {"case": case, "peer_name": peer.server}
    if not is_time:
        return Figure(**names, ours=ours.asked.per_s, peer=peer.asked.per_s, unit="answers/s", at_least=bound)
    if ours.clients == 0:
        return Figure(**names, ours=ours.asked.p50_ms / 1000, peer=peer.asked.p50_ms / 1000, unit="s", at_most=bound)
    # Promised is a difference: so many milliseconds more.
    at_most = round((peer.asked.p50_ms + bound) / peer.asked.p50_ms, 3)
    names["peer_name"] += f" (+{bound:g} ms promised)"
    return Figure(**names, ours=ours.asked.p50_ms, peer=peer.asked.p50_ms, unit="ms", at_most=at_most)


def _sizes(ours: Point, peer: Point) -> list[Figure]:
    """Put the memory beside a figure: all processes of each server, at their highest. Nothing is promised of it."""
    if ours.memory is None or peer.memory is None:
        return []
    sizes = {"ours": ours.memory.peak, "peer": peer.memory.peak}
    return [Figure(case="    its memory, at its peak", **sizes, peer_name=peer.server, unit="MB RSS")]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long to measure each case")
    parser.add_argument("--json", type=Path, help="write every point and every promise into this file, too")
    parser.add_argument("--only", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="add to the models and figures in this folder")
    options = parser.parse_args()
    builder, obstacle = Path(sys.executable), "" if java() else "no java on this machine"
    try:
        builder = python_of("toolkit")
    except RequirementsUnmet as unmet:
        obstacle = str(unmet)
    measures = {"classifier": classifier, "encoder": encoder, "writer": writer, "start": start}
    with tempfile.TemporaryDirectory(prefix="tarmac-bench-") as scratch:
        bench = Bench(options.keep or Path(scratch), options.seconds, builder, obstacle)
        file = bench.models / "points.json"
        points = [point for point in saved(file) if point.case not in options.only]
        for name in options.only:
            for point in measures[name](bench):
                print(f"{point.case}, {point.server}, {point.clients} clients", file=sys.stderr, flush=True)
                points.append(point)
                save(points, file)
    figures, missing = promises(points)
    print_points(points)
    present("serving", "The model server", figures)
    print("\n".join(missing))
    if options.json:
        raw = {"points": [asdict(point) for point in points], "promises": [asdict(figure) for figure in figures]}
        options.json.write_text(json.dumps({**raw, "missing": missing}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
