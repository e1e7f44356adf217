"""Models that hang, die or hold Python's lock: their request fails, /ping tells, and the server comes back."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.local.serving import SERVE, ModelServer, served, start, wait_until_ready

WILD = """
import ctypes, os, time

def model_fn(model_dir):
    if os.path.exists(os.path.join(model_dir, "broken")):
        raise RuntimeError("the disk has gone")
    print("loaded in", os.getpid())
    return None

def predict_fn(data, model):
    wish = data["inputs"]
    if wish == "hang":
        time.sleep(600)
    if wish == "hold":  # Python's own lock is not let go of: nothing else in the process runs
        ctypes.PyDLL(None).sleep(600)
    if isinstance(wish, float):
        time.sleep(wish)
    return os.getpid()
"""


@pytest.fixture
def wild_dir(tmp_path: Path) -> Path:
    code = tmp_path / "wild" / "code"
    code.mkdir(parents=True)
    (code / "inference.py").write_text(WILD)
    return tmp_path / "wild"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def guarded(model_dir: Path, **environment: str) -> Iterator[ModelServer]:
    """serve.py as a container starts it: on a port of its own, so that it guards itself."""
    port, log = free_port(), model_dir.parent / "guarded.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(SERVE), "--port", str(port)],
            stdout=output,
            stderr=output,
            env={"PATH": os.environ["PATH"], "SM_MODEL_DIR": str(model_dir), **environment},
        )
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False)
    server = ModelServer(process, client, log)
    try:
        until(lambda: answers_ping(server))
        yield server
    finally:
        client.close()
        process.terminate()
        process.wait(timeout=20)


def until(claim: Callable[[], Any], *, within_s: float = 20.0) -> Any:
    deadline = time.monotonic() + within_s
    while not (outcome := claim()):
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.02)
    return outcome


def answers_ping(server: ModelServer) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return server.client.get("/ping", timeout=1).status_code == 200
    return False


def events(server: ModelServer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]


def test_a_slow_model_fails_its_request_tells_ping_and_comes_back_by_itself(wild_dir: Path) -> None:
    with served(wild_dir, TARMAC_TIMEOUT_S="0.4", TARMAC_GIVE_UP_S="30") as server:
        pid = server.answer(0)
        late = server.ask({"inputs": 1.5})
        meanwhile = server.ping(), server.ask({"inputs": 0})
        wait_until_ready(server)
        after = server.answer(0)

    assert (late.status_code, meanwhile[0], meanwhile[1].status_code) == (504, 503, 503)
    assert "did not answer within 0.4 s" in late.json()["error"]
    assert "the model is stuck" in meanwhile[1].json()["error"]
    assert after == pid


def test_whoever_waits_behind_a_model_that_hangs_is_sent_away_and_not_kept(wild_dir: Path) -> None:
    def ask(wish: Any) -> tuple[int, float]:
        began = time.monotonic()
        with httpx.Client(base_url=server.client.base_url, timeout=20, trust_env=False) as client:
            status = client.post("/invocations", json={"inputs": wish}).status_code
        return status, time.monotonic() - began

    with served(wild_dir, TARMAC_TIMEOUT_S="0.5", TARMAC_GIVE_UP_S="5") as server, ThreadPoolExecutor(9) as callers:
        answers = list(callers.map(ask, [2.5] * 9))
        wait_until_ready(server)

    assert sorted(status for status, _ in answers) == [503] * 8 + [504]
    assert max(took_s for _, took_s in answers) < 2


def test_a_model_that_never_comes_back_ends_the_process_with_the_place_and_the_reason(wild_dir: Path) -> None:
    server = start(wild_dir, TARMAC_TIMEOUT_S="0.4", TARMAC_GIVE_UP_S="0.8")
    wait_until_ready(server)

    late = server.ask({"inputs": "hang"})
    exit_code = server.process.wait(timeout=10)
    server.client.close()

    assert (late.status_code, exit_code) == (504, 70)
    assert server.log.read_text().splitlines()[-1] == (
        "model server: the model has not come back from a request for 0.8 s; this process ends"
    )
    assert [event["at"][-1].split("/")[-1] for event in events(server) if event["event"] == "stuck"] == [
        "inference.py:13 predict_fn"
    ]


def test_in_a_container_a_model_that_hangs_is_replaced_again_and_again(wild_dir: Path) -> None:
    with guarded(wild_dir, TARMAC_TIMEOUT_S="0.4", TARMAC_GIVE_UP_S="0.8") as server:
        pids = [server.answer(0)]
        for _ in range(2):
            late = server.ask({"inputs": "hang"})
            until(lambda: answers_ping(server))
            pids.append(server.answer(0))
            assert late.status_code == 504

        assert len(set(pids)) == 3
        assert [pid for pid in pids if psutil.pid_exists(pid)] == pids[-1:]


def test_code_that_holds_pythons_lock_is_found_out_from_outside(wild_dir: Path) -> None:
    with guarded(wild_dir, TARMAC_TIMEOUT_S="0.5", TARMAC_GIVE_UP_S="1") as server:
        pid = server.answer(0)
        began = time.monotonic()
        with pytest.raises(httpx.TransportError):
            server.ask({"inputs": "hold"})
        took_s = time.monotonic() - began
        until(lambda: answers_ping(server))

        assert server.answer(0) != pid
        assert took_s < 4
        assert "silent" in next(event["because"] for event in events(server) if event["event"] == "restart")


def test_a_server_that_is_killed_is_started_again_and_its_request_fails_instead_of_hanging(wild_dir: Path) -> None:
    with guarded(wild_dir) as server, ThreadPoolExecutor(1) as callers:
        pid = server.answer(0)
        in_flight = callers.submit(server.ask, {"inputs": 5.0})
        until(lambda: psutil.Process(pid).status() and in_flight.running())
        time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)

        with pytest.raises(httpx.TransportError):
            in_flight.result(timeout=3)
        until(lambda: answers_ping(server))

        assert server.answer(0) != pid
        assert "memory" in next(event["because"] for event in events(server) if event["event"] == "restart")


def test_a_model_that_cannot_be_loaded_any_more_is_tried_again_until_it_can(wild_dir: Path) -> None:
    with guarded(wild_dir) as server:
        pid = server.answer(0)
        (wild_dir / "broken").touch()
        os.kill(pid, signal.SIGKILL)
        until(lambda: "the disk has gone" in server.log.read_text())
        (wild_dir / "broken").unlink()

        until(lambda: answers_ping(server))

        assert server.answer(0) != pid


def test_a_first_start_that_fails_is_not_repeated(wild_dir: Path) -> None:
    (wild_dir / "broken").touch()

    ended = subprocess.run(
        [sys.executable, str(SERVE), "--port", str(free_port())],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={"PATH": os.environ["PATH"], "SM_MODEL_DIR": str(wild_dir)},
    )

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "model server: cannot start: RuntimeError: the disk has gone"


def test_sigterm_lets_what_is_in_flight_finish_and_leaves_no_process(wild_dir: Path) -> None:
    with guarded(wild_dir) as server, ThreadPoolExecutor(1) as callers:
        pid = server.answer(0)
        in_flight = callers.submit(server.ask, {"inputs": 0.5})
        time.sleep(0.2)

        server.process.terminate()
        exit_code = server.process.wait(timeout=10)

        assert (exit_code, in_flight.result().json()) == (0, pid)
        assert not psutil.pid_exists(pid)


def test_a_guard_that_is_killed_takes_its_server_along(wild_dir: Path) -> None:
    with guarded(wild_dir) as server:
        pid = server.answer(0)

        server.process.kill()

        until(lambda: not psutil.pid_exists(pid))


def test_the_guard_costs_a_few_megabytes(wild_dir: Path) -> None:
    with guarded(wild_dir) as server:
        pid = server.answer(0)
        guard, child = psutil.Process(server.process.pid), psutil.Process(pid)

        assert child.ppid() == guard.pid
        assert guard.memory_info().rss < 25 << 20
