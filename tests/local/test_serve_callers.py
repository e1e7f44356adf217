"""Callers that go, that are slow, that send too much, or that share a batch with a bad one."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from examples import sentiment
from tests.local.serving import ModelServer, served

SLOW = """
import time

def model_fn(model_dir):
    return None

def predict_fn(data, model):
    print("answering", data["inputs"], flush=True)
    time.sleep(data["inputs"])
    return "done"
"""
MB = 1 << 20


@pytest.fixture
def slow_server(tmp_path: Path) -> Iterator[ModelServer]:
    (tmp_path / "slow" / "code").mkdir(parents=True)
    (tmp_path / "slow" / "code" / "inference.py").write_text(SLOW)
    with served(
        tmp_path / "slow", TARMAC_BODY_TIMEOUT_S="1", TARMAC_MAX_BODY_BYTES=str(8 * MB), TARMAC_TIMEOUT_S="20"
    ) as server:
        yield server


def address(server: ModelServer) -> tuple[str, int]:
    return server.client.base_url.host, server.client.base_url.port or 0


def head(length: int | None, *, content: bytes = b"") -> bytes:
    size = f"content-length: {length}" if length is not None else "transfer-encoding: chunked"
    return (
        f"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{size}\r\n\r\n".encode() + content
    )


def whole(inputs: Any) -> bytes:
    content = json.dumps({"inputs": inputs}).encode()
    return head(len(content), content=content)


def answered(connection: socket.socket) -> tuple[int, str]:
    """The status and what came with it."""
    received = connection.recv(65_536).decode()
    while not received.endswith("}"):
        received += connection.recv(65_536).decode()
    return int(received.split()[1]), received


def test_a_request_whose_caller_has_gone_is_never_computed(slow_server: ModelServer) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(1) as callers:
        busy = callers.submit(slow_server.ask, {"inputs": 1.5})
        time.sleep(0.2)
        gone = [stack.enter_context(socket.create_connection(address(slow_server))) for _ in range(5)]
        for connection in gone:
            connection.sendall(whole(0.77))
        time.sleep(0.2)
        for connection in gone:
            connection.close()
        stayed = slow_server.ask({"inputs": 0.01})
        assert (busy.result().status_code, stayed.status_code) == (200, 200)

    lines = [line for line in slow_server.log.read_text().splitlines() if line.startswith("answering")]
    assert lines == ["answering 1.5", "answering 0.01"]


def test_a_body_that_comes_in_drops_is_408_and_the_connection_is_closed(slow_server: ModelServer) -> None:
    with socket.create_connection(address(slow_server), timeout=10) as connection:
        connection.sendall(head(1000, content=b'{"in'))
        began = time.monotonic()

        status, received = answered(connection)
        took_s = time.monotonic() - began

        assert (status, connection.recv(10)) == (408, b"")
        assert "not whole after 1 s" in received
        assert 0.5 < took_s < 4


def test_a_body_that_never_begins_is_408_too(slow_server: ModelServer) -> None:
    with socket.create_connection(address(slow_server), timeout=10) as connection:
        connection.sendall(head(1000))

        assert answered(connection)[0] == 408


def test_a_body_that_is_announced_too_large_is_413_before_it_comes(slow_server: ModelServer) -> None:
    with socket.create_connection(address(slow_server), timeout=10) as connection:
        connection.sendall(head(8 * MB + 1))

        status, received = answered(connection)

    assert status == 413
    assert "larger than 8388608 bytes" in received


def test_a_body_that_turns_out_too_large_is_413(slow_server: ModelServer) -> None:
    def blocks() -> Iterator[bytes]:
        for _ in range(9):
            yield bytes(MB)

    response = slow_server.client.post("/invocations", content=blocks())

    assert response.status_code == 413


def test_large_bodies_that_do_not_end_hold_little_memory_and_no_other_caller_up(slow_server: ModelServer) -> None:
    process = psutil.Process(slow_server.process.pid)
    before = process.memory_info().rss
    with ExitStack() as stack:
        for _ in range(40):
            connection = stack.enter_context(socket.create_connection(address(slow_server), timeout=10))
            connection.settimeout(0.2)
            try:
                connection.sendall(head(8 * MB, content=bytes(6 * MB)))
            except OSError:
                continue  # it has been refused, and does not read on
        held = process.memory_info().rss - before
        meanwhile = slow_server.ask({"inputs": 0.01}).status_code

    assert meanwhile == 200
    assert held < 8 * 8 * MB


FRAGILE = """
from transformers import BertForSequenceClassification

class Odd(BertForSequenceClassification):
    def forward(self, input_ids=None, **options):
        print("rows", len(input_ids), flush=True)
        if (input_ids == BAD_ID).any():
            raise RuntimeError("the weights are worn out")
        return super().forward(input_ids=input_ids, **options)
"""


def test_one_bad_input_in_a_shared_batch_fails_its_own_request_only(tmp_path: Path) -> None:
    directory = tmp_path / "fragile"
    sentiment.build(directory)
    raw = json.loads((directory / "config.json").read_text())
    raw["auto_map"] = {"AutoModelForSequenceClassification": "odd.Odd"}
    (directory / "config.json").write_text(json.dumps(raw))
    bad_id = json.loads((directory / "tokenizer.json").read_text())["model"]["vocab"]["horrible"]
    (directory / "odd.py").write_text(FRAGILE.replace("BAD_ID", str(bad_id)))

    def ask(number: int) -> tuple[int, Any]:
        with httpx.Client(base_url=server.client.base_url, trust_env=False, timeout=30) as client:
            inputs = ["great", "a horrible day"] if number % 8 == 3 else ["great"]
            response = client.post("/invocations", json={"inputs": inputs})
            return response.status_code, response.json()

    with served(directory, TARMAC_TRUST="trusted", HF_HOME=str(tmp_path)) as server, ThreadPoolExecutor(32) as callers:
        answers = list(callers.map(ask, range(256)))
        rows = [int(line.split()[1]) for line in server.log.read_text().splitlines() if line.startswith("rows")]

    assert [status for status, _ in answers] == [200, 200, 200, 500, 200, 200, 200, 200] * 32
    assert {answer[0]["label"] for status, answer in answers if status == 200} == {"POSITIVE"}
    assert all("worn out" in answer["error"] for status, answer in answers if status == 500)
    assert max(rows) > 8  # they did share
