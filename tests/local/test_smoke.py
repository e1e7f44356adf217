"""A release is ready only when it has passed its smoke test: under serve.py, and as an endpoint."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples import generators, sentiment
from tests.local.sagemaker_rig import Rig, archive, running_rig, until
from tests.local.serving import SERVE, served, start

ECHO = "def model_fn(model_dir): return None\ndef predict_fn(data, model): return data['inputs']\n"


@pytest.fixture(scope="module")
def sentiment_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "sentiment"
    sentiment.build(directory)
    return directory


def with_smoke(model_dir: Path, target: Path, *tests: Any) -> Path:
    shutil.copytree(model_dir, target)
    (target / "code").mkdir()
    (target / "code" / "smoke.json").write_text(json.dumps(tests))
    return target


def last_line(model_dir: Path, **environment: str) -> str:
    server = start(model_dir, **environment)
    server.client.close()
    assert server.process.wait(timeout=60) == 1
    return server.log.read_text().splitlines()[-1]


def test_a_release_that_answers_as_expected_gets_ready(sentiment_dir: Path, tmp_path: Path) -> None:
    great = {"request": {"inputs": "great"}, "expect": {"answer": [{"label": "POSITIVE"}], "within_s": 10}}
    wrong = {"request": {"inputs": 3}, "expect": {"status": 400}}
    table = {"request": "great", "accept": "text/csv"}

    with served(with_smoke(sentiment_dir, tmp_path / "model", great, wrong, table)) as server:
        events = [json.loads(line) for line in server.log.read_text().splitlines()]

    assert [event["event"] for event in events] == ["smoke"] * 3 + ["ready"]


def test_a_release_that_answers_otherwise_ends_with_the_difference(sentiment_dir: Path, tmp_path: Path) -> None:
    test = {"request": {"inputs": "awful"}, "expect": {"answer": [{"label": "POSITIVE"}]}}

    line = last_line(with_smoke(sentiment_dir, tmp_path / "model", test))

    assert line == (
        "model server: cannot start: the smoke test failed: code/smoke.json[0]: "
        'answer[0].label is "NEGATIVE", not "POSITIVE"'
    )


def test_texts_that_are_written_step_by_step_are_tried_too(tmp_path: Path) -> None:
    generators.decoder(tmp_path / "writer")
    test = {"request": {"inputs": "a", "parameters": {"max_new_tokens": 4}}, "expect": {"answer": "b"}}

    line = last_line(with_smoke(tmp_path / "writer", tmp_path / "model", test))

    assert 'not "b"' in line


@pytest.mark.parametrize("build", [sentiment.build, generators.decoder])
def test_weights_that_are_no_numbers_fail_the_default_smoke_test(tmp_path: Path, build: Any) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    build(tmp_path / "model")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    broken = {name: torch.full_like(one, float("nan")) for name, one in weights.items()}
    save_file(broken, tmp_path / "model" / "model.safetensors", metadata={"format": "pt"})

    line = last_line(tmp_path / "model")

    assert "the smoke test failed" in line
    assert "not finite" in line


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_rig(tmp_path, serve_path=SERVE) as running:
        yield running


def release(expected: str) -> bytes:
    smoke = {"request": {"inputs": "hello"}, "expect": {"answer": expected}}
    return archive({"code/inference.py": ECHO, "code/smoke.json": json.dumps(smoke)})


def test_an_endpoint_that_fails_it_is_failed_and_an_update_to_it_leaves_the_old_one_in_service(rig: Rig) -> None:
    rig.create_config_of("good", release("hello"))
    rig.create_config_of("bad", release("bye"))
    for name in ("good", "bad"):
        rig.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    rig.await_status("good", "InService")
    rig.await_status("bad", "Failed")

    reason = rig.sagemaker.describe_endpoint(EndpointName="bad")["FailureReason"]
    rig.sagemaker.update_endpoint(EndpointName="good", EndpointConfigName="bad")
    until(lambda: rig.status("good") != "Updating")

    assert reason.endswith('the smoke test failed: code/smoke.json: answer is "hello", not "bye"')
    described = rig.sagemaker.describe_endpoint(EndpointName="good")
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "good")
    assert rig.invoke("good", b'{"inputs": "hello"}', ContentType="application/json") == b'"hello"'
