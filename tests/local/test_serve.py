"""The container contract of serve.py, against live processes with real tiny models."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from examples import sentiment
from tests.local.serving import SERVE, ModelServer, served, start, stop, wait_until_ready


@pytest.fixture(scope="module")
def sentiment_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "sentiment"
    sentiment.build(directory)
    return directory


@pytest.fixture(scope="module")
def server(sentiment_dir: Path) -> Iterator[ModelServer]:
    with served(sentiment_dir) as running:
        yield running


def test_the_words_decide(server: ModelServer) -> None:
    """The model has learnt something: its answers are not canned."""
    answers = server.answer(["That was great", "My weekend in the mountains was awful"])

    assert [answer["label"] for answer in answers] == ["POSITIVE", "NEGATIVE"]
    assert all(answer["score"] > 0.9 for answer in answers)


def test_one_input_is_answered_with_its_best_label_in_a_list(server: ModelServer) -> None:
    answer = server.answer("great")

    assert [set(one) for one in answer] == [{"label", "score"}]


def test_top_k_gives_each_input_a_list(server: ModelServer) -> None:
    one, several = server.answer("great", top_k=2), server.answer(["great", "awful"], top_k=None)

    assert [label["label"] for label in one] == ["POSITIVE", "NEGATIVE"]
    assert sum(label["score"] for label in one) == pytest.approx(1)
    assert [len(labels) for labels in several] == [2, 2]


def test_function_to_apply_is_heeded(server: ModelServer) -> None:
    logits = {one["label"]: one["score"] for one in server.answer("great", top_k=2, function_to_apply="none")}

    assert logits["POSITIVE"] > 1 > 0 > logits["NEGATIVE"]


def test_an_empty_list_is_answered_with_an_empty_list(server: ModelServer) -> None:
    assert server.answer([]) == []


def test_a_long_list_is_answered_in_order(server: ModelServer) -> None:
    words = ["great" if index % 3 else "awful" for index in range(500)]

    answers = server.answer(words)

    assert [answer["label"] for answer in answers] == ["POSITIVE" if word == "great" else "NEGATIVE" for word in words]


def test_text_far_beyond_the_models_length_is_cut(server: ModelServer) -> None:
    assert server.answer("great " * 5000)[0]["label"] == "POSITIVE"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"inputs": "great"}', "application/json"),
        (b'{"inputs": "great"}', "application/json; charset=UTF-8"),
        ('{"inputs": "great"}'.encode("utf-16"), "application/json; charset=utf-16"),
        (b'"great"', "application/json"),
        (b'{"text": "great"}', "application/json"),
        (b"great", "text/plain; charset=us-ascii"),
        (b"inputs\ngreat\n", "text/csv"),
        (b'{"inputs": "great"}\n\n', "application/jsonlines"),
        (b'"great"\n"great"', "application/x-ndjson"),
    ],
)
def test_every_content_type_reaches_the_model(server: ModelServer, body: bytes, content_type: str) -> None:
    response = server.post(body, content_type)

    assert response.status_code == 200, response.text
    answers = response.json()  # one object is answered with one, as the pipeline answers it
    assert {answer["label"] for answer in (answers if isinstance(answers, list) else [answers])} == {"POSITIVE"}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/html, application/xhtml+xml, */*;q=0.1", "application/json"),
        ("application/json;q=0.2, text/csv;q=0.9", "text/csv"),
        ("application/jsonlines", "application/jsonlines"),
    ],
)
def test_accept_decides_the_answers_content_type(server: ModelServer, accept: str, content_type: str) -> None:
    response = server.ask({"inputs": "great"}, accept=accept)

    assert (response.status_code, response.headers["content-type"]) == (200, content_type)
    assert "POSITIVE" in response.text


@pytest.mark.parametrize(
    ("body", "content_type", "status", "named"),
    [
        (b"{", "application/json", 400, "body"),
        (b"", "application/json", 400, "body"),
        (b"\xff\xfe\xfa", "application/json", 400, "body"),
        (b"[" * 100_000, "application/json", 400, "body"),
        (b'{"inputs": NaN}', "application/json", 400, "NaN"),
        (b'{"inputs": "\\ud800"}', "application/json", 400, "inputs"),
        (b"1" * 5000, "application/json", 400, "body"),
        (b"{}", "application/json", 400, "inputs"),
        (b'{"inputs": 3}', "application/json", 400, "inputs"),
        (b'{"inputs": null}', "application/json", 400, "inputs"),
        (b'{"inputs": ["great", 3]}', "application/json", 400, "inputs[1]"),
        (b'{"inputs": ["great", ["awful"]]}', "application/json", 400, "inputs[1]"),
        (b'{"inputs": {"text": 1}}', "application/json", 400, "inputs.text"),
        (b'{"inputs": "great", "parameters": 3}', "application/json", 400, "parameters"),
        (b'{"inputs": "great", "parameters": {"top_k": 0}}', "application/json", 400, "parameters.top_k"),
        (b'{"inputs": "great", "parameters": {"top_k": true}}', "application/json", 400, "parameters.top_k"),
        (b'{"inputs": "great", "parameters": {"topk": 1}}', "application/json", 400, "parameters.topk"),
        (b'{"inputs": "great"}', "application/json; charset=klingon", 400, "klingon"),
        (b"great", "application/x-sentiment", 415, "application/x-sentiment"),
        (b"score\n1\n", "text/csv", 400, "inputs"),
        (b"not numpy", "application/x-npy", 400, "npy"),
    ],
)
def test_a_payload_that_makes_no_sense_is_refused_by_name(
    server: ModelServer, body: bytes, content_type: str, status: int, named: str
) -> None:
    response = server.post(body, content_type)

    assert response.status_code == status, response.text
    assert named in response.json()["error"]
    assert server.ping() == 200


def test_too_many_items_are_refused(server: ModelServer) -> None:
    response = server.ask({"inputs": ["great"] * 5000})

    assert response.status_code == 400
    assert "5000 items" in response.json()["error"]


def test_an_answer_that_nobody_accepts_is_406(server: ModelServer) -> None:
    response = server.ask({"inputs": "great"}, accept="image/png")

    assert response.status_code == 406


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/invocations", 405), ("POST", "/ping", 405), ("HEAD", "/ping", 200)],
)
def test_other_doors_say_what_there_is(server: ModelServer, method: str, path: str, status: int) -> None:
    assert server.client.request(method, path).status_code == status


def test_callers_at_once_share_batches_and_each_gets_its_own_answer(server: ModelServer) -> None:
    wrong: list[str] = []

    def call(word: str, label: str) -> None:
        with httpx.Client(base_url=server.client.base_url, trust_env=False) as client:
            for _ in range(20):
                answer = client.post("/invocations", json={"inputs": word}).json()
                wrong.extend(one["label"] for one in answer if one["label"] != label)

    threads = [threading.Thread(target=call, args=pair) for pair in [("great", "POSITIVE"), ("awful", "NEGATIVE")] * 8]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert _shared_batches(server.client.get("/metrics").text) > 0


def _shared_batches(metrics: str) -> int:
    counts = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line.startswith("tarmac_batch_items"))
    return int(counts["tarmac_batch_items_count"]) - int(counts['tarmac_batch_items_bucket{le="1"}'])


def test_metrics_are_prometheus_text(server: ModelServer) -> None:
    server.answer("great")

    response = server.client.get("/metrics")

    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "tarmac_ready 1" in response.text
    assert 'tarmac_requests_total{status="200"}' in response.text


def test_no_payload_is_ever_logged(server: ModelServer) -> None:
    server.ask({"inputs": {"secretword": 1}})

    assert "secretword" not in server.log.read_text()
    events = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    assert {"ready", "request"} <= {event["event"] for event in events}


def test_ping_is_503_until_the_model_has_answered(sentiment_dir: Path) -> None:
    server = start(sentiment_dir)
    try:
        early = server.ping(), server.ask({"inputs": "great"}).status_code
        wait_until_ready(server)
        late = server.ping(), server.ask({"inputs": "great"}).status_code
    finally:
        stop(server)

    assert (early, late) == ((503, 503), (200, 200))


def test_a_model_directory_without_a_model_ends_the_process_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    server = start(tmp_path / "empty")

    assert server.process.wait(timeout=30) == 1
    assert "there is no config.json" in server.log.read_text().splitlines()[-1]


def test_broken_weights_end_the_process_with_the_reason(sentiment_dir: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in sentiment_dir.iterdir():
        (broken / path.name).write_bytes(path.read_bytes()[: 1000 if path.suffix == ".safetensors" else None])

    server = start(broken)

    assert server.process.wait(timeout=30) == 1
    assert "the weights (model.safetensors) are cut off" in server.log.read_text().splitlines()[-1]


def test_sigterm_finishes_what_is_in_flight(tmp_path: Path) -> None:
    code = tmp_path / "slow" / "code"
    code.mkdir(parents=True)
    (code / "inference.py").write_text(
        "import time\n"
        "def model_fn(model_dir): return None\n"
        "def predict_fn(data, model):\n    time.sleep(0.5)\n    return 'done'\n"
    )
    server = start(tmp_path / "slow")
    wait_until_ready(server)
    answers: list[httpx.Response] = []
    caller = threading.Thread(target=lambda: answers.append(server.ask({"inputs": 1})))
    caller.start()
    time.sleep(0.1)

    server.process.send_signal(signal.SIGTERM)
    exit_code = server.process.wait(timeout=10)
    caller.join()
    server.client.close()

    assert exit_code == 0
    assert [answer.json() for answer in answers] == ["done"]


def test_a_port_that_is_taken_is_said_plainly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, str(SERVE), "--port", port], capture_output=True, text=True, timeout=30, check=False
        )

    assert ended.returncode == 1
    assert "address already in use" in ended.stderr.splitlines()[-1].lower()


def _with_own_code(model_dir: Path, target: Path) -> Path:
    """The model with Tarmac's handler packed beside it, as the container's toolkit would find it."""
    shutil.copytree(model_dir, target)
    shutil.copytree(SERVE.parent, target / "code", ignore=shutil.ignore_patterns("__pycache__"))
    return target


def test_tarmacs_own_code_in_the_archive_is_served_in_batches_all_the_same(sentiment_dir: Path, tmp_path: Path) -> None:
    with served(_with_own_code(sentiment_dir, tmp_path / "packed")) as packed:
        answers = packed.answer(["great", "awful", "great"])
        metrics = packed.client.get("/metrics").text

    assert [answer["label"] for answer in answers] == ["POSITIVE", "NEGATIVE", "POSITIVE"]
    assert "tarmac_batch_items_sum 3" in metrics


def test_the_hooks_give_the_toolkit_the_same_answers(server: ModelServer, sentiment_dir: Path, tmp_path: Path) -> None:
    """As the container's toolkit calls them: model_dir/code on sys.path, text for JSON, no context."""
    packed = _with_own_code(sentiment_dir, tmp_path / "packed")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1] + '/code')\n"
        "import inference\n"
        "model = inference.model_fn(sys.argv[1])\n"
        "data = inference.input_fn(sys.argv[2], 'application/json')\n"
        "sys.stdout.buffer.write(inference.output_fn(inference.predict_fn(data, model), 'application/json'))\n"
    )
    payload = {"inputs": ["great", "awful"], "parameters": {"top_k": 2}}

    ended = subprocess.run(
        [sys.executable, "-c", script, str(packed), json.dumps(payload)], capture_output=True, timeout=60, check=True
    )

    for ours, theirs in zip(json.loads(ended.stdout), server.ask(payload).json(), strict=True):
        assert [one["label"] for one in ours] == [one["label"] for one in theirs]
        assert [one["score"] for one in ours] == pytest.approx([one["score"] for one in theirs], abs=1e-5)


def test_a_bin_file_that_is_a_pickle_with_code_is_not_run(sentiment_dir: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile"
    shutil.copytree(sentiment_dir, hostile)
    (hostile / "model.safetensors").unlink()
    (hostile / "pytorch_model.bin").write_bytes(
        b"cbuiltins\nopen\n(S'" + str(tmp_path / "ran").encode() + b"'\nS'w'\ntR."
    )

    server = start(hostile)

    assert server.process.wait(timeout=30) == 1
    assert not (tmp_path / "ran").exists()
    assert server.log.read_text().splitlines()[-1].startswith("model server: cannot start:")
    server.client.close()


def test_code_that_config_json_points_to_is_not_run(sentiment_dir: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile"
    shutil.copytree(sentiment_dir, hostile)
    config = json.loads((hostile / "config.json").read_text())
    config |= {"model_type": "evil", "architectures": ["EvilForSequenceClassification"]}
    config["auto_map"] = {"AutoConfig": "evil.C", "AutoModelForSequenceClassification": "evil.M"}
    (hostile / "config.json").write_text(json.dumps(config))
    (hostile / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")

    server = start(hostile)

    assert server.process.wait(timeout=30) == 1
    assert not (tmp_path / "ran").exists()
    server.client.close()
