"""Memory that ends, under a real limit (RLIMIT_AS) on a real process with real models and inputs that are too large."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from examples import generators
from examples.encoders import tokenizer
from examples.saving import save
from tests.local.serving import SERVE, ModelServer, served

MB = 1 << 20
LONG = 2000
HUGE = "awesome " + "great " * 500
CODE = """
import torch
from transformers import PARENT

class Own(PARENT):
    def forward(self, input_ids=None, attention_mask=None, position_ids=None, **options):
        print("rows", len(input_ids), flush=True)
        if (input_ids == HUGE_ID).any():
            torch.empty(1 << 50)
        return super().forward(input_ids, attention_mask=attention_mask, position_ids=position_ids, **options)
"""


@pytest.fixture(scope="module")
def reader_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of long texts that prints how many it reads at once."""
    import torch
    import transformers

    torch.manual_seed(0)
    directory = tmp_path_factory.mktemp("models") / "reader"
    words = tokenizer()
    words.model_max_length = LONG
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=256,
        max_position_embeddings=LONG,
        pad_token_id=words.pad_token_id,
    )
    save(transformers.BertForSequenceClassification(config), words, directory)
    add_code(directory, "AutoModelForSequenceClassification", "BertForSequenceClassification")
    return directory


def add_code(directory: Path, auto_class: str, parent: str) -> None:
    """Have a model print how many rows it reads at once, and ask for a petabyte when it reads one certain word."""
    raw = json.loads((directory / "config.json").read_text())
    raw["auto_map"] = {auto_class: "own.Own"}
    (directory / "config.json").write_text(json.dumps(raw))
    huge_id = json.loads((directory / "tokenizer.json").read_text())["model"]["vocab"]["awesome"]
    (directory / "own.py").write_text(CODE.replace("PARENT", parent).replace("HUGE_ID", str(huge_id)))


@pytest.fixture(scope="module")
def writer_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "writer"
    generators.decoder(directory, context=16384)
    return directory


def limit(server: ModelServer, *, spare_mb: int) -> None:
    """From now on the process may have so much more than it has."""
    process = psutil.Process(server.process.pid)
    most = process.memory_info().vms + spare_mb * MB
    process.rlimit(psutil.RLIMIT_AS, (most, most))


def ask(server: ModelServer, inputs: Any, **parameters: Any) -> httpx.Response:
    with httpx.Client(base_url=server.client.base_url, timeout=60, trust_env=False) as client:
        return client.post("/invocations", json={"inputs": inputs, "parameters": parameters})


def scores(response: httpx.Response) -> list[float]:
    assert response.status_code == 200, response.text
    return [round(one["score"], 4) for one in response.json()]


def test_a_list_that_is_too_large_at_once_is_answered_in_pieces(reader_dir: Path, tmp_path: Path) -> None:
    texts = [f"great {'movie ' * LONG}", "awful"] * 32
    with served(reader_dir, TARMAC_TRUST="trusted", HF_HOME=str(tmp_path), MALLOC_ARENA_MAX="2") as server:
        expected = scores(ask(server, texts[:2])) * 32
        limit(server, spare_mb=60)
        told = len(server.log.read_text().splitlines())

        answers = scores(ask(server, texts))
        rows = [line for line in server.log.read_text().splitlines()[told:] if line.startswith("rows")]

    assert answers == pytest.approx(expected, abs=1e-3)
    assert rows[:2] == ["rows 64", "rows 32"]
    assert len(rows) > 3


def test_a_callers_long_texts_do_not_fail_those_who_share_its_batch(reader_dir: Path, tmp_path: Path) -> None:
    """The failure is the allocator's own, asked for more than a machine has: a limit would also meet the tokenizer."""
    with served(reader_dir, TARMAC_TRUST="trusted", HF_HOME=str(tmp_path)) as server:
        expected = scores(ask(server, "awful"))

        with ThreadPoolExecutor(17) as callers:
            hogs = [callers.submit(ask, server, [HUGE, "awful"]) for _ in range(3)]
            small = list(callers.map(lambda _: ask(server, "awful"), range(60)))
        statuses = [hog.result().status_code for hog in hogs]

    assert statuses == [507] * 3
    assert [scores(one) for one in small] == [expected] * 60


def test_a_prompt_that_is_too_long_fails_alone_and_not_those_who_are_being_written(
    writer_dir: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "greedy"
    shutil.copytree(writer_dir, directory)
    add_code(directory, "AutoModelForCausalLM", "GPT2LMHeadModel")
    with served(directory, TARMAC_TRUST="trusted", HF_HOME=str(tmp_path)) as server:
        expected = ask(server, "a great day", max_new_tokens=40).json()

        told = len(server.log.read_text().splitlines())
        with ThreadPoolExecutor(16) as callers:
            giants = [callers.submit(ask, server, HUGE, max_new_tokens=3) for _ in range(3)]
            small = list(callers.map(lambda _: ask(server, "a great day", max_new_tokens=40), range(60)))
        statuses = [giant.result().status_code for giant in giants]
        rows = [int(line.split()[1]) for line in server.log.read_text().splitlines()[told:] if line.startswith("rows")]

    assert statuses == [507] * 3
    assert max(rows) > 4  # they were written together
    assert [one.json() for one in small] == [expected] * 60


def test_a_text_that_is_too_long_to_write_on_is_told_what_to_do_and_the_server_goes_on(writer_dir: Path) -> None:
    with served(writer_dir, MALLOC_ARENA_MAX="2") as server:
        expected = ask(server, "a great day", max_new_tokens=40).json()
        limit(server, spare_mb=60)

        giant = ask(server, "great " * 16000, max_new_tokens=3)
        after = server.ping(), ask(server, "a great day", max_new_tokens=40).json()

    assert giant.status_code == 507
    assert "not enough memory" in giant.json()["error"]
    assert "send fewer or shorter inputs at a time" in giant.json()["error"]
    assert after == (200, expected)


def test_texts_that_do_not_fit_together_are_written_a_few_at_a_time(writer_dir: Path) -> None:
    texts = ["great " * 3000] * 24
    with served(writer_dir, MALLOC_ARENA_MAX="2") as server:
        expected = ask(server, texts[0], max_new_tokens=8).json()
        limit(server, spare_mb=60)

        answers = ask(server, texts, max_new_tokens=8)

    assert answers.status_code == 200, answers.text
    assert answers.json() == [expected] * 24


def test_user_code_that_runs_out_of_memory_fails_its_request_only(tmp_path: Path) -> None:
    code = tmp_path / "model" / "code"
    code.mkdir(parents=True)
    (code / "inference.py").write_text(
        "import numpy\n"
        "def model_fn(model_dir): return None\n"
        "def predict_fn(data, model): return len(numpy.zeros(data['inputs'], numpy.uint8))\n"
    )

    with served(tmp_path / "model") as server:
        limit(server, spare_mb=100)
        large, small = server.ask({"inputs": 1 << 30}), server.ask({"inputs": 1 << 20})
        ping = server.ping()

    assert (large.status_code, small.status_code, ping) == (507, 200, 200)
    assert "it tried to get 1.00 GiB" in large.json()["error"]


@pytest.mark.parametrize("kind", ["weights", "code"])
def test_a_model_that_does_not_fit_ends_the_process_and_says_so(writer_dir: Path, tmp_path: Path, kind: str) -> None:
    model_dir = writer_dir
    if kind == "code":
        model_dir = tmp_path / "model"
        (model_dir / "code").mkdir(parents=True)
        (model_dir / "code" / "inference.py").write_text("def model_fn(model_dir): return bytearray(1 << 30)\n")
    script = (
        "import os, resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({350 * MB}, {350 * MB}))\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", script, str(SERVE), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"], "SM_MODEL_DIR": str(model_dir), "MALLOC_ARENA_MAX": "2"},
    )

    assert ended.returncode == 1
    assert "not enough memory" in ended.stderr.splitlines()[-1]
