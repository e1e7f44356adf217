"""Several processes for a tiny model: they share its connections, count as one, and are ended without trace."""

import contextlib
import http.client
import json
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from examples import generators, sentiment
from tests.local.serving import ModelServer, served, start, stop, wait_until_ready

TWO = {"TARMAC_PROCESSES": "2"}


@pytest.fixture(scope="module")
def sentiment_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "sentiment"
    sentiment.build(directory)
    return directory


@pytest.fixture
def pair(sentiment_dir: Path) -> Iterator[ModelServer]:
    with served(sentiment_dir, **TWO) as server:
        yield server


@pytest.fixture(scope="module")
def lasting_pair(sentiment_dir: Path) -> Iterator[ModelServer]:
    """For those who leave it as they found it."""
    with served(sentiment_dir, **TWO) as server:
        server.client.close()
        yield server


@contextlib.contextmanager
def callers(server: ModelServer, count: int) -> Iterator[list[httpx.Client]]:
    """Callers that each keep a connection of their own."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(httpx.Client(base_url=server.client.base_url, timeout=20, trust_env=False))
            for _ in range(count)
        ]


def ask(client: httpx.Client, text: str = "great") -> int:
    return client.post("/invocations", json={"inputs": text}).status_code


def siblings(server: ModelServer) -> list[psutil.Process]:
    return psutil.Process(server.process.pid).children()


def ask_once(server: ModelServer) -> int:
    """Ask on a connection that is for this one request."""
    connection = http.client.HTTPConnection("127.0.0.1", server.client.base_url.port, timeout=20)
    with contextlib.closing(connection):
        connection.request("POST", "/invocations", b'{"inputs": "great"}', {"content-type": "application/json"})
        return connection.getresponse().status


def answered(metrics: httpx.Response) -> int:
    found = re.search(r'^tarmac_requests_total{status="200"} (\d+)$', metrics.text, re.MULTILINE)
    return int(found[1]) if found else 0


def spent_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def connections(process: psutil.Process, server: ModelServer) -> int:
    port = server.client.base_url.port
    return sum(1 for one in process.net_connections("tcp") if one.status == "ESTABLISHED" and one.laddr.port == port)


def events(server: ModelServer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]


def until(claim: Callable[[], Any], *, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.02)


def test_connections_are_dealt_out_evenly_and_all_processes_answer_alike(lasting_pair: ModelServer) -> None:
    processes = [psutil.Process(lasting_pair.process.pid), *siblings(lasting_pair)]
    with callers(lasting_pair, 8) as clients:
        answers = {client.post("/invocations", json={"inputs": "great"}).text for client in clients}
        dealt = [connections(process, lasting_pair) for process in processes]

    assert len(answers) == 1
    assert (len(processes), sum(dealt)) == (2, 8)
    assert max(dealt) - min(dealt) <= 1


def test_callers_that_come_and_go_are_dealt_out_too(lasting_pair: ModelServer) -> None:
    processes = [psutil.Process(lasting_pair.process.pid), *siblings(lasting_pair)]
    before_s = [spent_s(process) for process in processes]

    with ThreadPoolExecutor(8) as threads:
        statuses = set(threads.map(lambda _: ask_once(lasting_pair), range(1000)))
    work_s = [spent_s(process) - before for process, before in zip(processes, before_s, strict=True)]

    assert statuses == {200}
    assert min(work_s) > max(work_s) / 4, work_s


def test_whoever_is_asked_for_metrics_tells_what_all_have_counted(lasting_pair: ModelServer) -> None:
    with callers(lasting_pair, 6) as clients:
        before = answered(clients[0].get("/metrics"))
        for client in clients:
            assert ask(client) == 200
        totals = {answered(client.get("/metrics")) for client in clients}

    assert totals == {before + 6}


def test_a_sibling_that_is_killed_costs_its_own_connections_and_nothing_else(pair: ModelServer) -> None:
    (sibling,) = siblings(pair)
    with callers(pair, 4) as clients:
        assert {ask(client) for client in clients} == {200}
        sibling.kill()
        until(lambda: [event for event in events(pair) if event["event"] == "sibling_lost"])
        outcomes = []
        for client in clients:
            try:
                outcomes.append(ask(client))
            except httpx.TransportError:
                outcomes.append(0)
        again = {ask(client) for client in clients}

    assert sorted(outcomes) in ([0, 0, 200, 200], [0, 200, 200, 200], [200] * 4)  # httpx asks anew where it noticed
    assert again == {200}
    assert (pair.ping(), siblings(pair)) == (200, [])


def test_siblings_go_with_the_first_process_also_when_it_is_killed(pair: ModelServer) -> None:
    (sibling,) = siblings(pair)

    pair.process.kill()
    pair.process.wait()

    until(lambda: not sibling.is_running())


def test_a_sibling_that_falls_silent_is_told_by_ping_and_then_ended(sentiment_dir: Path) -> None:
    with served(sentiment_dir, **TWO, TARMAC_TIMEOUT_S="1", TARMAC_GIVE_UP_S="3") as server:
        (sibling,) = siblings(server)
        with callers(server, 2) as clients:
            assert {ask(client) for client in clients} == {200}
            sibling.send_signal(signal.SIGSTOP)
            first = clients[0] if connections(sibling, server) == 0 else server.client
            until(lambda: first.get("/ping").status_code == 503)
            until(lambda: first.get("/ping").status_code == 200)
            answered = ask(first)

    assert answered == 200
    assert [event["code"] for event in events(server) if event["event"] == "sibling_lost"] == [-signal.SIGKILL]


def test_at_the_end_all_answer_what_they_have_and_none_is_left(sentiment_dir: Path) -> None:
    server = start(sentiment_dir, **TWO)
    wait_until_ready(server)
    (sibling,) = siblings(server)
    long = ["great " * 400] * 400

    with callers(server, 4) as clients, ThreadPoolExecutor(4) as threads:
        assert {ask(client) for client in clients} == {200}
        asked = [threads.submit(client.post, "/invocations", json={"inputs": long}) for client in clients]
        time.sleep(0.2)
        exit_code = stop(server)
        statuses = [one.result().status_code for one in asked]

    assert (statuses, exit_code) == ([200] * 4, 0)
    assert not sibling.is_running()


def test_one_process_answers_for_what_is_written_token_by_token_or_by_the_users_own_code(
    tmp_path: Path, sentiment_dir: Path
) -> None:
    writer, own = tmp_path / "writer", tmp_path / "own"
    generators.decoder(writer)
    (own / "code").mkdir(parents=True)
    (own / "code" / "inference.py").write_text("def model_fn(d):\n    return 1\ndef predict_fn(d, m):\n    return d\n")

    custom = tmp_path / "custom"
    shutil.copytree(sentiment_dir, custom)
    config = json.loads((custom / "config.json").read_text())
    architecture = config["architectures"][0]
    config["auto_map"] = {"AutoModelForSequenceClassification": "own.Own"}
    (custom / "config.json").write_text(json.dumps(config))
    (custom / "own.py").write_text(f"import transformers\nclass Own(transformers.{architecture}):\n    pass\n")

    for model_dir, wished in ((writer, "2"), (own, "2"), (custom, "2"), (sentiment_dir, "1")):
        trusted = {"TARMAC_TRUST": "trusted", "HF_HOME": str(tmp_path)}
        with served(model_dir, TARMAC_PROCESSES=wished, **trusted) as server:
            assert siblings(server) == []


def test_a_head_that_does_not_come_is_answered_408_and_closed_and_others_do_not_notice(sentiment_dir: Path) -> None:
    with served(sentiment_dir, TARMAC_BODY_TIMEOUT_S="1") as server:
        address = ("127.0.0.1", int(server.client.base_url.port or 0))
        with socket.create_connection(address, timeout=10) as silent, socket.create_connection(address, 10) as slow:
            slow.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\n")
            for _ in range(6):  # a line every now and then does not help
                with contextlib.suppress(OSError):
                    slow.sendall(b"X-Slow: 1\r\n")
                assert server.answer("great")[0]["label"] == "POSITIVE"
                time.sleep(0.3)
            answers = [read_to_end(one) for one in (silent, slow)]

    assert [answer.split(b"\r\n")[0] for answer in answers] == [b"HTTP/1.1 408 Request Timeout"] * 2
    assert all(answer.endswith(b'{"error":"the request\'s head was not whole after 1 s"}') for answer in answers)


def test_more_connections_than_there_may_be_files_are_waited_out(sentiment_dir: Path) -> None:
    with served(sentiment_dir, TARMAC_BODY_TIMEOUT_S="2") as server:
        process = psutil.Process(server.process.pid)
        room = process.num_fds() + 8
        process.rlimit(psutil.RLIMIT_NOFILE, (room, room))
        for sibling in siblings(server):
            sibling.kill()
        until(lambda: not siblings(server))
        with contextlib.ExitStack() as crowd:
            for _ in range(40):
                crowd.enter_context(socket.create_connection(("127.0.0.1", int(server.client.base_url.port or 0))))
            until(lambda: any(event["event"] == "accept_failed" for event in events(server)))
        until(lambda: ping_anew(server) == 200)


def test_connections_that_a_sibling_had_no_file_for_do_not_count_for_ever(pair: ModelServer) -> None:
    (sibling,) = siblings(pair)
    pair.client.close()
    limits = sibling.rlimit(psutil.RLIMIT_NOFILE)
    sibling.rlimit(psutil.RLIMIT_NOFILE, (sibling.num_fds(), limits[1]))
    for _ in range(8):
        with callers(pair, 2) as clients:
            for client in clients:
                with contextlib.suppress(httpx.TransportError):
                    ask(client)
    sibling.rlimit(psutil.RLIMIT_NOFILE, limits)

    with callers(pair, 8) as clients:
        statuses = {ask(client) for client in clients}
        dealt = connections(sibling, pair)

    assert [event["because"] for event in events(pair) if event["event"] == "accept_failed"]
    assert (statuses, dealt) == ({200}, 4)


def ping_anew(server: ModelServer) -> int:
    with callers(server, 1) as (client,), contextlib.suppress(httpx.TransportError):
        return client.get("/ping", timeout=2).status_code
    return 0


def read_to_end(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)
