"""What tests of a whole engine share: `tarmac up` as a process, the command line as a process, one tiny model."""

import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tarmac.demo_engine import ROOT, EngineProcess

T = TypeVar("T")

HANDLER = """
import json

def model_fn(model_dir):
    return "model"

def transform_fn(model, body, content_type, accept):
    if content_type == "application/json":
        asked = json.loads(body)
        return json.dumps({"echo": asked["inputs"]}), "application/json"
    return body, content_type
"""
"""A model with no weights that gives back what it is asked: it starts without torch, so in a second."""


def echo_archive(directory: Path, *, note: str = "") -> Path:
    """Make a model.tar.gz whose server echoes; another *note* makes other bytes."""
    code = directory / "code"
    code.mkdir(parents=True, exist_ok=True)
    (code / "inference.py").write_text(HANDLER + f"# {note}\n")
    archive = directory / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(code, "code")
    return archive


@contextmanager
def engine_at(state: Path) -> Iterator[Path]:
    """Run an engine whose models stay awake; give its state directory."""
    engine = EngineProcess(state, idle_after="1h", sweep_every="1s")
    engine.start()
    try:
        yield state
    finally:
        engine.kill()


@dataclass(frozen=True)
class Ran:
    """One finished command."""

    code: int
    out: str
    err: str

    @property
    def raw(self) -> Any:
        """Its JSON."""
        return json.loads(self.out)

    @property
    def problem(self) -> dict[str, str]:
        """The error it gave with --json."""
        return json.loads(self.err)["error"]


def tarmac(*arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> Ran:
    """Run the command line as a person does, in an environment without any engine of this machine's owner."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TARMAC_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tarmac.cli.main", *arguments],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        env={**clean, **(env or {})},
        timeout=120,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def until(read: Callable[[], T], *, timeout_s: float = 30) -> T:
    """Read again and again until something true comes back."""
    deadline = time.monotonic() + timeout_s
    while not (value := read()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return value
