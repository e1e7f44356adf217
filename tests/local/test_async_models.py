"""A real tiny model run asynchronously by `tarmac up`: asked by the command line, killed, asleep, awake."""

import os
import signal
from pathlib import Path

import pytest

from examples.encoders import bert
from tarmac.demo_engine import EngineProcess
from tests.local.engines import tarmac, until


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT classifier's directory, with the deploy.toml of an asynchronous model beside it."""
    directory = tmp_path_factory.mktemp("bert")
    bert("ForSequenceClassification", directory / "model", labels=("NO", "YES"))
    (directory / "deploy.toml").write_text('mode = "async"\n')
    return directory


def push(state: Path, model: Path) -> None:
    toml = str(model / "deploy.toml")
    arguments = ("--name", "bert", "--toml", toml, "--wait", "--json", "--state", str(state))
    pushed = tarmac("push", str(model / "model"), *arguments)
    assert pushed.code == 0, pushed.err


def test_what_was_accepted_is_answered_though_everything_is_killed(model: Path, tmp_path: Path) -> None:
    """Twenty requests are taken, the engine dies by `kill -9`, and the next one answers each."""
    state = tmp_path / "state"
    first = EngineProcess(state, idle_after="1h", sweep_every="1s")
    first.start()
    push(state, model)
    taken = [first.http.post("/models/bert/invocations", json={"inputs": f"number {n}"}) for n in range(20)]

    os.kill(first.pid, signal.SIGKILL)
    first.kill()
    second = EngineProcess(state, idle_after="1h", sweep_every="1s")
    second.start()
    try:

        def answer(path: str) -> object:
            found = second.http.get(path)
            return found.json() if found.status_code == 200 else None

        answers = [until(lambda path=path: answer(path)) for path in (each.headers["location"] for each in taken)]
    finally:
        leftover = second.stop()
        second.kill()

    assert {each.status_code for each in taken} == {202}
    assert {row["label"] for each in answers for row in each} <= {"NO", "YES"}
    assert len({str(each) for each in answers}) > 1
    assert leftover == []


def test_it_sleeps_when_nothing_waits_and_one_command_wakes_it_and_gets_the_answer(model: Path, tmp_path: Path) -> None:
    """503, then 202, then the answer: `tarmac invoke` follows all three."""
    state = tmp_path / "state"
    engine = EngineProcess(state, idle_after="8s", sweep_every="0.5s")
    engine.start()
    try:
        push(state, model)
        before = tarmac("invoke", "bert", "good", "--json", "--state", str(state))
        until(lambda: engine.http.get("/models/bert").json()["state"] == "asleep", timeout_s=60)
        after = tarmac("invoke", "bert", "good", "--json", "--state", str(state))
    finally:
        leftover = engine.stop()
        engine.kill()

    assert before.raw["answer"] == after.raw["answer"]
    assert before.raw["answer"][0]["label"] in {"NO", "YES"}
    assert after.raw["attempts"] > 1
    assert leftover == []
