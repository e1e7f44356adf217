"""The same under a real multi-model-server, as the container runs it; needs Java: `make test-toolkit` runs it.

Not collected with the other tests, which every machine can run. Where there is no Java these fail, and say so.
"""

import http.client
import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.peers import mms
from benchmarks.peers.environments import java
from tests.parity.cases import SAME, WRONG, Case
from tests.parity.conftest import Servers
from tests.parity.toolkits import Reply, assert_same

TASKS = tuple(dict.fromkeys(case.task for case in (*SAME, *WRONG)))
_ANSWER_S, _LOAD_S = 60, 120


@contextmanager
def _both(archives: Path, task: str, variants: list[str]) -> Iterator[int]:
    """Serve each archive twice, alone and with our hooks: one worker each. HF_TASK is for all of them."""
    assert java(), "there is no java here, and the multi-model-server is written in it"
    models = {f"{kind}-{variant}": archives / kind / variant for variant in variants for kind in ("plain", "ours")}
    with mms.served(models, environment={"HF_TASK": task} if task else {}) as (port, _, log):
        deadline = time.monotonic() + _LOAD_S
        for name in models:
            while not _is_loaded(port, name):
                assert time.monotonic() < deadline, log.read_text()[-3000:]
                time.sleep(0.1)
        yield port


def _is_loaded(port: int, name: str) -> bool:
    """Ask the server's own administration; a worker that failed to load is never ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/models/{name}", timeout=_ANSWER_S) as answer:
            model = json.load(answer)
    except OSError:
        return False
    return bool(model["workers"]) and all(worker["status"] == "READY" for worker in model["workers"])


def _ask(port: int, kind: str, case: Case) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)
    headers = {"Content-Type": case.content_type}
    try:
        connection.request("POST", f"/predictions/{kind}-{case.variant}", case.body, headers)
        answer = connection.getresponse()
        return Reply(answer.status, answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task or "no task said")
def test_everyone_says_under_the_multi_model_server_what_they_say_alone(
    task: str, archives: Path, toolkit: dict[Case, Reply], served: Servers
) -> None:
    cases = [case for case in SAME if case.task == task]
    mistakes = [case for case in WRONG if case.task == task]

    with _both(archives, task, sorted({case.variant for case in cases})) as port:
        plain = {case: _ask(port, "plain", case) for case in (*cases, *mistakes)}
        ours = {case: _ask(port, "ours", case) for case in (*cases, *mistakes)}

    for case in cases:
        assert (plain[case].status, ours[case].status) == (200, 200), (case, plain[case].text, ours[case].text)
        assert_same(plain[case].json(), toolkit[case].json(), str(case))
        assert_same(ours[case].json(), plain[case].json(), str(case))
        assert_same(served.reply(case).json(), plain[case].json(), str(case))
    for case in mistakes:
        assert (plain[case].status, ours[case].status) == (400, 400), case
        assert case.ours in ours[case].text
