"""An asynchronous model through the application's own doors: asked, answered, put to sleep, woken, moved, removed."""

import time

from chalice.test import HTTPResponse

from tests.flows.conftest import Doors, archive_of, echo_archive

ASYNC = 'mode = "async"\n'
SLOW = """
import time

def model_fn(model_dir):
    return None

def transform_fn(model, body, content_type, accept):
    time.sleep(float(body))
    return b"slept", "text/x-slept"
"""


def ask(doors: Doors, model: str, body: bytes, content_type: str = "text/x-asked") -> HTTPResponse:
    return doors.http("POST", f"/models/{model}/invocations", body=body, headers={"Content-Type": content_type})


def answer_to(doors: Doors, taken: HTTPResponse, *, timeout_s: float = 20) -> HTTPResponse:
    """Look again until it is there."""
    deadline = time.monotonic() + timeout_s
    while (found := doors.http("GET", taken.headers["Location"])).status_code == 202:
        assert time.monotonic() < deadline, found.body
        time.sleep(0.05)
    return found


def test_a_call_is_answered_202_and_later_with_the_model_s_own_answer(doors: Doors) -> None:
    """Its bytes and its content type; a failure as an error; both paths of the API."""
    doors.drop("later", echo_archive(), toml=ASYNC)
    doors.until("later", "ready")

    taken = ask(doors, "later", b"\x00\xff")
    short = doors.http("POST", "/models/later", body=b"{}")
    broken = ask(doors, "later", b"defect")
    answer, failure = answer_to(doors, taken), answer_to(doors, broken)

    assert (taken.status_code, taken.json_body["state"], taken.headers["Retry-After"]) == (202, "waiting", "1")
    assert taken.headers["Location"] == f"/requests/{taken.json_body['request']}"
    assert (answer.status_code, answer.body) == (200, b"\x00\xff")
    assert answer.headers["Content-Type"] == "text/x-asked"
    assert answer.headers["X-Tarmac-Model"] == "later"
    assert answer_to(doors, short).body == b"{}"
    assert (failure.status_code, failure.json_body["error"]["code"]) == (502, "model_broke")
    assert "the model's own defect" in failure.json_body["error"]["message"]
    assert "arn:" not in failure.json_body["error"]["message"]


def test_a_request_s_page_asks_for_the_token_and_knows_only_its_own(doors: Doors) -> None:
    """An id is no key."""
    doors.drop("guarded", echo_archive(), toml=ASYNC)
    doors.until("guarded", "ready")
    taken = ask(doors, "guarded", b"x")

    wrong = doors.http("GET", taken.headers["Location"], token="wrong")
    unknown = doors.http("GET", f"/requests/guarded.{'0' * 32}")
    hostile = doors.http("GET", "/requests/..%2Fusage%2Fguarded")

    assert wrong.status_code == 403
    assert (unknown.status_code, unknown.json_body["error"]["code"]) == (404, "request_not_found")
    assert hostile.status_code == 404


def test_it_sleeps_when_its_queue_is_empty_and_not_before_and_wakes_on_a_request(doors: Doors) -> None:
    """TTL 2 s, a request of 5 s: the sweep keeps the endpoint until it is answered."""
    doors.drop("napping", archive_of({"code/inference.py": SLOW}), toml=ASYNC)
    doors.until("napping", "ready")
    taken = ask(doors, "napping", b"5")

    slept, answered = False, None
    deadline = time.monotonic() + 30
    while not slept and time.monotonic() < deadline:
        slept = "napping" in doors.sweep()["slept"]
        answered = doors.http("GET", taken.headers["Location"])
        assert not slept or answered.status_code == 200, "put to sleep over a request"
        time.sleep(0.2)
    doors.until("napping", "asleep")
    refused = ask(doors, "napping", b"0")
    doors.until("napping", "ready")
    while (woken := ask(doors, "napping", b"0")).status_code == 503:
        time.sleep(0.1)  # callers who come together are told the same for a quarter of a second
    again = answer_to(doors, woken)

    assert slept
    assert answered is not None
    assert answered.body == b"slept"
    assert (refused.status_code, refused.json_body["error"]["code"]) == (503, "model_asleep")
    assert int(refused.headers["Retry-After"]) >= 1
    assert again.body == b"slept"
    assert doors.http("GET", taken.headers["Location"]).body == b"slept"


def test_what_was_asked_goes_with_its_model(doors: Doors) -> None:
    """Requests, answers, tickets."""
    doors.drop("leaving", echo_archive(), toml=ASYNC)
    doors.until("leaving", "ready")
    taken = ask(doors, "leaving", b"x")
    answer_to(doors, taken)
    assert doors.keys("requests/leaving/")

    doors.http("DELETE", "/models/leaving")
    doors.until("leaving", "absent")
    doors.deliver()
    doors.sweep()

    assert doors.keys("requests/leaving/") == []
    assert doors.http("GET", taken.headers["Location"]).status_code == 404
