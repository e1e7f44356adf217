"""Servers to measure: ours and the peers that are plain Python processes. Called by the benchmarks.

Each is served while its block runs, and has answered once when the block begins.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.peers import mms
from benchmarks.peers.environments import python_of
from benchmarks.rig.callers import wait_for
from benchmarks.rig.processes import ROOT, free_port, running

SERVE = ROOT / "inference_code" / "serve.py"


@dataclass(frozen=True)
class Served:
    """A server that answers.

    Attributes:
        port: On loopback.
        process: The head of its processes.
        path: Where it takes requests.
    """

    port: int
    process: psutil.Process
    path: str = "/invocations"


@contextmanager
def tarmac(model_dir: Path) -> Iterator[Served]:
    """serve.py, with its defaults."""
    port = free_port()
    command = [sys.executable, str(SERVE), "--port", str(port)]
    with _logged(command, {"SM_MODEL_DIR": str(model_dir)}) as process:
        wait_for(port, "/ping")
        yield Served(port, process)


@contextmanager
def starlette(model_dir: Path) -> Iterator[Served]:
    """A pipeline behind Starlette."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.peers.starlette_app", str(model_dir), str(port)]
    with _logged(command, {"OMP_NUM_THREADS": "1"}) as process:
        wait_for(port, "/ping")
        yield Served(port, process)


@contextmanager
def litserve(model_dir: Path, *, batch: int, workers: int, threads: int) -> Iterator[Served]:
    """The sentence encoder behind LitServe. Raises RequirementsUnmet where it cannot be installed."""
    port = free_port()
    command = [str(python_of("litserve")), "-m", "benchmarks.peers.litserve_app", str(model_dir), str(port)]
    command += ["--batch", str(batch), "--workers", str(workers), "--threads", str(threads)]
    with _logged(command, {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}) as process:
        wait_for(port, "/predict", {"inputs": "ready"})
        yield Served(port, process, "/predict")


@contextmanager
def toolkit(model_dir: Path, *, workers: int, threads: int) -> Iterator[Served]:
    """The multi-model-server with the toolkit. Raises RequirementsUnmet where it cannot be installed."""
    with mms.served({"model": model_dir}, workers=workers, threads=threads) as (port, process, _):
        wait_for(port, "/invocations", {"inputs": "ready"})
        yield Served(port, process)


@contextmanager
def _logged(command: list[str], environment: dict[str, str]) -> Iterator[psutil.Process]:
    with (
        tempfile.TemporaryDirectory(prefix="tarmac-bench-") as scratch,
        running(command, environment, log=Path(scratch) / "log") as process,
    ):
        yield process
