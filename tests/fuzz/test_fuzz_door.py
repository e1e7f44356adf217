"""A short run of each fuzzer from a fixed seed, and proof that it would notice. The long runs are `make fuzz`."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz import fuzz_door_pickles, fuzz_door_safetensors, fuzz_door_tar, fuzz_door_toml
from tests.fuzz.harness import MEMORY_MAX_BYTES, Broken, Reader, check
from tests.fuzz.mutations import mutated

READERS = {
    module.READER.name: module.READER
    for module in (fuzz_door_pickles, fuzz_door_safetensors, fuzz_door_tar, fuzz_door_toml)
}
INPUTS = 2000


@pytest.mark.parametrize("name", READERS)
def test_no_input_breaks_a_promise(name: str) -> None:
    reader = READERS[name]

    found = [check(reader, data) for data in itertools.islice(mutated(reader.seeds(), reader.tokens, seed=1), INPUTS)]

    assert len(found) == INPUTS
    # Most of what is tried must be told apart, or the inputs never get past the first line of the reader.
    assert len({repr(one) for one in found}) > INPUTS / 20


@pytest.mark.parametrize("name", READERS)
def test_the_same_seed_gives_the_same_inputs(name: str) -> None:
    reader = READERS[name]

    first, second = (list(itertools.islice(mutated(reader.seeds(), reader.tokens, seed=7), 300)) for _ in range(2))

    assert first == second
    assert len(set(first)) > 250


def endless(_: bytes) -> None:
    while True:
        pass


def hungry(_: bytes) -> int:
    return len(bytearray(b"\1") * (MEMORY_MAX_BYTES + (8 << 20)))


def fickle() -> Callable[[bytes], int]:
    verdicts = itertools.count()
    return lambda _: next(verdicts)


@pytest.mark.parametrize(("read", "message"), [(endless, "more than"), (hungry, "MB"), (fickle(), "two verdicts")])
def test_a_broken_promise_is_noticed(read: Callable[[bytes], Any], message: str) -> None:
    with pytest.raises(Broken, match=message):
        check(Reader("broken", read, list), b"", time_max_s=0.5)


def test_what_a_reader_raises_is_let_through() -> None:
    with pytest.raises(ZeroDivisionError):
        check(Reader("broken", lambda data: 1 / len(data), list), b"")


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in *folder*, with this repository's modules at hand."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


BROKEN_PROGRAM = """
from tests.fuzz.harness import Reader
from tests.fuzz.running import main
main(Reader("broken", lambda data: 1 / (len(data) - 3), lambda: [b"abcde"]), ["--seconds", "1", "--plain"])
"""


def test_a_run_writes_down_what_it_found_once_and_fails(tmp_path: Path) -> None:
    done = python(tmp_path, "-c", BROKEN_PROGRAM)

    (finding,) = (tmp_path / "build/fuzz/broken").iterdir()
    assert done.returncode == 1, done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert "1 findings" in done.stdout
    assert len(finding.read_bytes()) == 3


@pytest.mark.parametrize("name", READERS)
def test_each_fuzzer_runs_from_the_command_line(tmp_path: Path, name: str) -> None:
    done = python(tmp_path, "-m", f"tests.fuzz.fuzz_door_{name}", "--seconds", "0.2", "--plain")

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{name}: " in done.stdout
    assert " 0 findings" in done.stdout
