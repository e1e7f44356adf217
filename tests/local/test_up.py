"""`tarmac up` as a process: what it prints, what it refuses, and that nothing is left of it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tarmac.demo_engine import ROOT, EngineProcess
from tests.local.engines import echo_archive, tarmac, until


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EngineProcess]:
    engine = EngineProcess(tmp_path / "state", idle_after="1h", sweep_every="1s")
    engine.start()
    yield engine
    engine.kill()


def up(*options: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tarmac.cli.main", "up", *options],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def state_of(engine: EngineProcess, name: str) -> str | None:
    answer = engine.http.get(f"/models/{name}")
    return answer.json()["state"] if answer.status_code == 200 else None


def drop(engine: EngineProcess, name: str, archive: Path) -> None:
    engine.aws("s3").upload_file(str(archive), engine.bucket, f"models/{name}/model.tar.gz")


def test_a_drop_becomes_an_endpoint_that_answers_and_nothing_is_left_after_ctrl_c(
    engine: EngineProcess, tmp_path: Path
) -> None:
    drop(engine, "echo", echo_archive(tmp_path / "echo"))
    until(lambda: state_of(engine, "echo") == "ready")

    answer = engine.http.post("/models/echo/invocations", json={"inputs": "hello"})
    log = (tmp_path / "state" / "logs" / "app.jsonl").read_text()
    leftover = engine.stop()

    assert answer.json() == {"echo": "hello"}
    assert leftover == []
    assert not (tmp_path / "state" / "engine.json").exists()
    lines = [json.loads(line) for line in log.splitlines()]
    assert {"dropped", "accepted", "deploying"} <= {line.get("event") for line in lines}
    assert any("Deploys" in line for line in lines)
    assert "hello" not in log


def test_the_api_asks_for_its_token(engine: EngineProcess) -> None:
    assert httpx.get(f"{engine.url}/health", trust_env=False).status_code == 200
    assert httpx.get(f"{engine.url}/models", trust_env=False).status_code == 401
    wrong = httpx.get(f"{engine.url}/models", headers={"Authorization": "Bearer no"}, trust_env=False)
    assert wrong.status_code == 403
    assert engine.http.get("/models").json() == {"models": []}


def test_both_ports_are_on_loopback_only(engine: EngineProcess) -> None:
    listening = [
        connection.laddr.ip
        for process in (psutil.Process(engine.pid), *psutil.Process(engine.pid).children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]

    assert len(listening) >= 2
    assert set(listening) == {"127.0.0.1"}


def test_a_second_up_on_the_same_state_says_who_has_it(engine: EngineProcess, tmp_path: Path) -> None:
    ran = tarmac("up", "--port", "0", "--aws-port", "0", "--state", str(tmp_path / "state"))

    assert ran.code == 1
    assert f"another tarmac up (pid {engine.pid}) is using" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(("option", "other"), [("--port", "--aws-port"), ("--aws-port", "--port")])
def test_a_port_in_use_is_named_with_its_option(tmp_path: Path, option: str, other: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        ran = tarmac("up", option, port, other, "0", "--state", str(tmp_path / "state"))

    assert ran.code == 1
    assert port in ran.err
    assert option in ran.err
    assert "Traceback" not in ran.err


def test_sigterm_and_sighup_end_it_as_ctrl_c_does(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        process = up("--json", "--port", "0", "--aws-port", "0", "--state", str(tmp_path / "state"))
        assert process.stdout is not None
        json.loads(process.stdout.readline())

        process.send_signal(number)
        out, err = process.communicate(timeout=15)

        assert (process.returncode, out) == (0, ""), err


def test_people_are_told_where_everything_is_and_what_happens(tmp_path: Path) -> None:
    process = up("--port", "0", "--aws-port", "0", "--state", str(tmp_path / "state"), "--sweep-every", "1s")
    try:
        until((tmp_path / "state" / "engine.json").exists)
        archive = echo_archive(tmp_path / "echo")
        pushed = tarmac(
            "push", str(archive), "--name", "echo", "--no-check", "--wait", "--state", str(tmp_path / "state")
        )
        asked = tarmac("invoke", "echo", "hi", "--state", str(tmp_path / "state"))
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=15)

    assert (pushed.code, asked.code, process.returncode) == (0, 0, 0), pushed.err + asked.err + err
    for word in ("http://127.0.0.1:", "s3://", "aws s3 cp", "token", 'eval "$(tarmac env'):
        assert word in out
    story = [line.split()[2] for line in out.splitlines() if "  echo  " in line]
    assert story == ["dropped", "checked", "deploying", "ready", "invoked"]
    assert "hi" not in out.split("echo", 1)[1].split()


def test_after_kill_minus_9_the_next_up_brings_everything_back(tmp_path: Path) -> None:
    first = EngineProcess(tmp_path / "state", idle_after="1h", sweep_every="1s")
    first.start()
    drop(first, "echo", echo_archive(tmp_path / "echo"))
    until(lambda: state_of(first, "echo") == "ready")
    servers = psutil.Process(first.pid).children(recursive=True)

    os.kill(first.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(servers, timeout=10)
    first.kill()
    second = EngineProcess(tmp_path / "state", idle_after="1h", sweep_every="1s")
    second.start()
    try:
        until(lambda: state_of(second, "echo") == "ready")
        answer = second.http.post("/models/echo/invocations", json={"inputs": "again"})
    finally:
        leftover = second.stop()
        second.kill()

    assert servers
    assert alive == []
    assert answer.json() == {"echo": "again"}
    assert leftover == []


def test_hostile_surroundings_change_nothing(tmp_path: Path) -> None:
    hostile = {
        "AWS_PROFILE": "no-such-profile",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_ENDPOINT_URL_S3": "http://192.0.2.1:9",
        "HTTP_PROXY": "http://192.0.2.1:9",
        "http_proxy": "http://192.0.2.1:9",
        "TARMAC_BUCKET": "somebody-elses",
    }
    process = up("--json", "--port", "0", "--aws-port", "0", "--state", str(tmp_path / "state"), env=hostile)
    try:
        assert process.stdout is not None
        record = json.loads(process.stdout.readline())
        ran = tarmac("ls", "--json", "--state", str(tmp_path / "state"), env=hostile)
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=15)

    assert record["bucket"] == "tarmac-local"
    assert (process.returncode, err) == (0, "")
    assert ran.raw == {"models": []}
