"""The fuzzers' command line: so many seconds of inputs, guided by coverage where atheris is installed.

Every violated promise is written down once, by the place where it happened, and the run goes on.
"""

import argparse
import hashlib
import importlib.util
import os
import re
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NoReturn

from tests.fuzz.harness import INPUT_MAX_BYTES, Broken, Reader, check
from tests.fuzz.mutations import mutated

_FOLDER = Path("build/fuzz")
_FOUND_MAX = 100
_DETAILS = re.compile(r"`.*?`|'.*?'|\d+")
_FOR_EVER_S = 10**6
_INSTRUMENTED = ["chalicelib.door", "tomllib"]


def is_guided() -> bool:
    """Whether atheris is installed. Source: https://github.com/google/atheris."""
    return importlib.util.find_spec("atheris") is not None


def instrumented(module: str) -> AbstractContextManager[object]:
    """Have what is imported inside tell the fuzzer which of its lines ran, when *module* is the program itself."""
    if module != "__main__" or not is_guided():
        return nullcontext()
    import atheris

    instrumenting: AbstractContextManager[object] = atheris.instrument_imports(include=_INSTRUMENTED)
    return instrumenting


class Run:
    """One run of one reader."""

    def __init__(self, reader: Reader, *, seconds: float, folder: Path) -> None:
        self.reader = reader
        self.executions = 0
        self._seconds = seconds
        self._folder = folder
        self._found: set[str] = set()
        self._started_s = time.process_time()

    def one(self, data: bytes) -> None:
        """Try one input; end the program when the time is over."""
        self.executions += 1
        try:
            check(self.reader, data)
        except Exception as exc:  # noqa: BLE001  # whatever it raises is what is looked for
            self._note(exc, data)
        if time.process_time() - self._started_s > self._seconds or len(self._found) >= _FOUND_MAX:
            self.end()

    def end(self) -> NoReturn:
        """Say what came of it, and leave with 1 when anything was found."""
        taken_s = time.process_time() - self._started_s
        print(
            f"{self.reader.name}: {self.executions:,} inputs in {taken_s:,.0f} s of processor time,"
            f" {len(self._found)} findings" + (f" under {self._folder}" if self._found else ""),
            flush=True,
        )
        sys.stderr.flush()
        # libFuzzer's loop has no other way out that keeps the exit status.
        os._exit(1 if self._found else 0)

    def _note(self, exc: Exception, data: bytes) -> None:
        frames = traceback.extract_tb(exc.__traceback__)
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"
        what = _DETAILS.sub("", str(exc))[:80] if isinstance(exc, Broken) else type(exc).__name__
        kind = hashlib.sha256(f"{what} {place}".encode()).hexdigest()[:12]
        if kind in self._found:
            return
        self._found.add(kind)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"finding-{kind}"
        path.write_bytes(data)
        print(f"{path}: {type(exc).__name__} at {place}: {exc}", file=sys.stderr, flush=True)


def main(reader: Reader, arguments: Sequence[str] | None = None) -> None:
    """Fuzz one reader as the command line says."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.fuzz.fuzz_door_{reader.name}")
    parser.add_argument("--seconds", type=float, default=60.0, help="of processor time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="random changes only, even where atheris is installed")
    parser.add_argument("--replay", type=Path, help="read this one input, and fail as it fails")
    options = parser.parse_args(arguments)
    if options.replay:
        print(check(reader, options.replay.read_bytes()))
        return
    folder = _FOLDER / reader.name
    run = Run(reader, seconds=options.seconds, folder=folder)
    if options.plain or not is_guided():
        print(f"{reader.name}: random changes, not guided by coverage", file=sys.stderr, flush=True)
        for data in mutated(reader.seeds(), reader.tokens, seed=options.seed):
            run.one(data)
    _guide(run, seed=options.seed, folder=folder)


def _guide(run: Run, *, seed: int, folder: Path) -> None:
    import atheris

    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for data in run.reader.seeds():
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    dictionary = folder / "tokens"
    dictionary.write_text("".join(f'"{_escaped(token)}"\n' for token in run.reader.tokens if token))
    settings = {
        "seed": seed,
        "max_len": INPUT_MAX_BYTES,
        "dict": dictionary,
        "artifact_prefix": f"{folder}/",
        # Time and memory are watched here, input by input.
        "timeout": _FOR_EVER_S,
        "rss_limit_mb": 0,
    }
    atheris.Setup([sys.argv[0], *(f"-{name}={value}" for name, value in settings.items()), str(corpus)], run.one)
    atheris.Fuzz()


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token)
