"""The main job, door by door: drop, endpoint, answer, asleep, awake, gone."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.flows.conftest import Doors, archive_of, echo_archive


def is_gone(doors: Doors, model: str) -> bool:
    """Whether SageMaker and S3 know nothing of the model any more."""
    named = {"NameContains": f"tarmac-{model}"}
    return not (
        doors.sagemaker.list_endpoints(**named)["Endpoints"]
        or doors.sagemaker.list_endpoint_configs(**named)["EndpointConfigs"]
        or doors.sagemaker.list_models(**named)["Models"]
        or doors.keys(f"releases/{model}/")
    )


def test_a_drop_answers_sleeps_wakes_and_goes(doors: Doors) -> None:
    """The whole life of one model."""
    doors.drop("life", echo_archive("one"))
    assert doors.until("life", "ready") == "ready"

    answer = doors.http("POST", "/models/life/invocations", body=b"ping", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.body, answer.headers["Content-Type"]) == (200, b"ping", "text/plain")

    deadline = time.monotonic() + 20
    while "life" not in doors.sweep()["slept"]:
        assert time.monotonic() < deadline, doors.show("life")
        time.sleep(0.3)
    assert doors.until("life", "asleep") == "asleep"
    assert doors.sagemaker.list_endpoints(NameContains="tarmac-life")["Endpoints"] == []
    assert doors.sagemaker.list_models(NameContains="tarmac-life")["Models"] != []

    answer = doors.http("POST", "/models/life/invocations", body=b"ping")
    assert answer.status_code == 503
    assert answer.json_body["error"]["code"] == "model_asleep"
    assert 1 <= int(answer.headers["Retry-After"]) <= 10
    come_again_at = time.monotonic() + int(answer.headers["Retry-After"])
    assert doors.until("life", "ready") == "ready"
    time.sleep(max(0.0, come_again_at - time.monotonic()))
    assert doors.http("POST", "/models/life/invocations", body=b"pong").body == b"pong"

    assert doors.http("DELETE", "/models/life").status_code == 202
    assert doors.until("life", "absent") == "absent"
    doors.deliver()
    doors.sweep()
    assert is_gone(doors, "life")
    assert doors.http("POST", "/models/life/invocations", body=b"x").status_code == 404


def test_the_flat_spelling_is_a_drop_too(doors: Doors) -> None:
    """models/<name>.tar.gz, with its deploy.toml beside it, runs and goes like the other spelling."""
    doors.drop("flat", echo_archive(), toml='idle_after = "never"\n', is_flat=True)

    doors.until("flat", "ready")

    assert doors.show("flat")["idle_after_s"] is None
    doors.http("DELETE", "/models/flat")
    assert doors.until("flat", "absent") == "absent"


def test_a_lost_event_is_healed_by_the_sweep(doors: Doors) -> None:
    """Nothing but the schedule's door is used after the drop."""
    doors.drop("lost", echo_archive())
    doors.messages()

    doors.sweep()

    assert doors.state("lost") in {"deploying", "ready"}


def test_duplicate_and_late_events_change_nothing(doors: Doors) -> None:
    """The same messages thrice, and once more after the model is ready: one endpoint, made once."""
    doors.drop("twice", echo_archive())
    bodies = [message["body"] for message in doors.messages()]

    doors.look(bodies * 3)
    doors.until("twice", "ready")
    created_at = doors.sagemaker.describe_endpoint(EndpointName="tarmac-twice")["CreationTime"]
    doors.look(bodies)

    endpoint = doors.sagemaker.describe_endpoint(EndpointName="tarmac-twice")
    assert (endpoint["CreationTime"], endpoint["EndpointStatus"]) == (created_at, "InService")


def test_a_message_that_nobody_can_read_is_done_with(doors: Doors) -> None:
    """It does not come back for ever, and its neighbours are served."""
    answer = doors.look(["no json at all", '{"model": "nobody-dropped-this"}', "[]"])

    assert answer == {"batchItemFailures": []}


def test_a_redrop_is_answered_by_the_old_release_until_the_new_one_is_ready(doors: Doors) -> None:
    """Requests run all the while; none fails, and the new words come at last."""
    doors.drop("redrop", echo_archive("old"))
    doors.until("redrop", "ready")

    doors.drop("redrop", echo_archive("new"))
    headers = {"Content-Type": "application/x-words"}
    seen = [doors.http("POST", "/models/redrop", headers=headers).body.decode()]
    deadline = time.monotonic() + 30
    while "new" not in seen:
        assert time.monotonic() < deadline
        doors.deliver()
        answer = doors.http("POST", "/models/redrop", headers={"Content-Type": "application/x-words"})
        assert answer.status_code == 200, answer.body
        seen.append(answer.body.decode())

    assert seen[0] == "old"
    doors.until("redrop", "ready")
    doors.sweep()
    assert len(doors.sagemaker.list_endpoint_configs(NameContains="tarmac-redrop-")["EndpointConfigs"]) == 1


def test_the_same_bytes_again_are_no_new_release(doors: Doors) -> None:
    """Neither the same upload nor another part size moves the endpoint."""
    archive = echo_archive("z" * 100)
    doors.drop("same", archive)
    doors.until("same", "ready")
    before = doors.sagemaker.describe_endpoint(EndpointName="tarmac-same")

    doors.drop("same", archive)
    doors.deliver()
    upload = {"Bucket": doors.stack.bucket, "Key": "models/same/model.tar.gz"}
    upload["UploadId"] = doors.s3.create_multipart_upload(**upload)["UploadId"]
    part = doors.s3.upload_part(**upload, PartNumber=1, Body=archive)
    doors.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    doors.deliver()

    after = doors.sagemaker.describe_endpoint(EndpointName="tarmac-same")
    assert after["EndpointConfigName"] == before["EndpointConfigName"]
    assert after["LastModifiedTime"] == before["LastModifiedTime"]
    assert doors.show("same")["state"] == "ready"


def test_a_refused_redrop_never_touches_the_live_release(doors: Doors) -> None:
    """The report speaks of the new drop, the endpoint of the old one."""
    doors.drop("keeper", echo_archive("kept"))
    doors.until("keeper", "ready")

    doors.drop("keeper", b"this is no archive")
    doors.deliver()

    shown = doors.show("keeper")
    assert shown["state"] == "ready"
    assert shown["report"]["verdict"] == "refused"
    assert "refused" in shown["why"]
    assert doors.http("POST", "/models/keeper", headers={"Content-Type": "application/x-words"}).body == b"kept"


def test_a_failing_redrop_is_rolled_back_and_told(doors: Doors) -> None:
    """The new release does not start; the old one goes on answering, and the reason can be read."""
    doors.drop("fallback", echo_archive("good"))
    doors.until("fallback", "ready")

    bad = {"code/inference.py": "def model_fn(model_dir):\n    raise ValueError('no such vocabulary')\n"}
    doors.drop("fallback", archive_of(bad))
    deadline = time.monotonic() + 30
    while "no such vocabulary" not in doors.show("fallback")["why"]:
        assert time.monotonic() < deadline, doors.show("fallback")
        doors.deliver()

    assert doors.show("fallback")["state"] == "ready"
    assert doors.http("POST", "/models/fallback", headers={"Content-Type": "application/x-words"}).body == b"good"
    doors.sweep()
    assert doors.sagemaker.describe_endpoint(EndpointName="tarmac-fallback")["EndpointStatus"] == "InService"


def test_a_model_that_does_not_load_is_failed_with_its_own_words(doors: Doors) -> None:
    """DescribeEndpoint, the view and an invocation all tell why; waking by hand tries again; a mended drop runs."""
    bad = {"code/inference.py": "def model_fn(model_dir):\n    raise ValueError('weights of another model')\n"}
    doors.drop("broken", archive_of(bad))

    assert doors.until("broken", "failed") == "failed"

    endpoint = doors.sagemaker.describe_endpoint(EndpointName="tarmac-broken")
    assert endpoint["EndpointStatus"] == "Failed"
    assert "weights of another model" in endpoint["FailureReason"]
    answer = doors.http("POST", "/models/broken", body=b"x")
    assert answer.status_code == 424
    assert "weights of another model" in answer.json_body["error"]["message"]

    first_at = endpoint["CreationTime"]
    assert doors.http("POST", "/models/broken/wake").status_code == 202
    deadline = time.monotonic() + 30
    while True:
        doors.deliver()
        found = doors.sagemaker.list_endpoints(NameContains="tarmac-broken")["Endpoints"]
        if found and found[0]["CreationTime"] > first_at and found[0]["EndpointStatus"] == "Failed":
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)

    doors.drop("broken", echo_archive("mended"))
    doors.until("broken", "ready")
    assert doors.http("POST", "/models/broken", headers={"Content-Type": "application/x-words"}).body == b"mended"


def test_a_model_put_to_sleep_by_hand_sleeps_and_wakes_by_hand(doors: Doors) -> None:
    """tarmac sleep, the sweep's turn, tarmac wake."""
    doors.drop("nap", echo_archive(), toml='idle_after = "never"\n')
    doors.until("nap", "ready")

    assert doors.http("POST", "/models/nap/sleep").status_code == 202
    assert doors.state("nap") == "falling-asleep"
    deadline = time.monotonic() + 20
    while "nap" not in doors.sweep()["slept"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    doors.until("nap", "asleep")

    assert doors.http("POST", "/models/nap/wake").status_code == 202
    assert doors.until("nap", "ready") == "ready"


def test_a_hundred_callers_at_once_cause_one_create_endpoint(doors: Doors) -> None:
    """All get 503 with Retry-After; the state-change events tell of one start."""
    doors.drop("storm", echo_archive())
    doors.until("storm", "ready")
    doors.http("POST", "/models/storm/sleep")
    deadline = time.monotonic() + 20
    while "storm" not in doors.sweep()["slept"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    doors.until("storm", "asleep")
    doors.messages()

    import app

    proxy = app.application().proxy

    def call(_: int) -> str:
        try:
            proxy.invoke("storm", b"x", content_type="text/plain", accept="*/*")
        except app.answering_errors.__globals__["TarmacError"] as exc:
            return exc.code
        return "answered"

    with ThreadPoolExecutor(32) as pool:
        codes = set(pool.map(call, range(100)))
    creating = [m for m in _until_ready(doors, "storm") if '"CREATING"' in m]

    assert codes == {"model_asleep"}
    assert len(creating) == 1


def _until_ready(doors: Doors, model: str) -> list[str]:
    """Deliver until it is ready, and return every message seen on the way."""
    seen: list[str] = []
    deadline = time.monotonic() + 30
    while doors.state(model) != "ready":
        assert time.monotonic() < deadline
        bodies = [message["body"] for message in doors.messages()]
        seen += bodies
        doors.look(bodies)
        time.sleep(0.05)
    return seen + [message["body"] for message in doors.messages()]


@pytest.mark.parametrize("name", ["My_Model", "über", "a--b", "-x", "x" * 41, "a.b"])
def test_a_bad_model_name_is_refused_with_a_better_one(doors: Doors, name: str) -> None:
    """The report lies in S3 and in the view, and nothing is made."""
    doors.drop(name, echo_archive())
    doors.deliver()

    from urllib.parse import quote

    shown = doors.http("GET", f"/models/{quote(name)}").json_body
    assert shown["state"] == "refused"
    assert shown["report"]["checks"][0]["fix"]
    assert doors.report(name)["verdict"] == "refused"
    assert shown["endpoint"] is None


def test_deploy_toml_makes_a_new_release_when_it_comes_after(doors: Doors) -> None:
    """And going away it makes another: the wishes are part of the release."""
    doors.drop("wishes", echo_archive())
    doors.until("wishes", "ready")
    first = doors.show("wishes")["release"]

    key = {"Bucket": doors.stack.bucket, "Key": "models/wishes/deploy.toml"}
    doors.s3.put_object(**key, Body=b'idle_after = "2h"\n')
    doors.deliver()
    doors.until("wishes", "ready")
    second = doors.show("wishes")

    assert second["release"] != first
    assert second["idle_after_s"] == 7200

    doors.s3.put_object(**key, Body=b'idle_afterr = "2h"\n')
    doors.deliver()
    refused = doors.show("wishes")
    assert refused["release"] == second["release"]
    assert "idle_after" in json.dumps(refused["report"]["checks"])


def test_a_rollback_runs_the_release_before_and_the_next_drop_ends_it(doors: Doors) -> None:
    """Through the HTTP door and SageMaker's own update."""

    def words() -> bytes:
        asked = doors.http("POST", "/models/back", headers={"Content-Type": "application/x-words"})
        return bytes(asked.body)

    for each in ("one", "two"):
        doors.drop("back", echo_archive(each), toml='idle_after = "never"\n')
        doors.until("back", "ready")
    doors.until("back", "ready")
    shown = doors.show("back")
    second = shown["release"]
    (first,) = (row["release"] for row in shown["releases"] if row["release"] != second)

    answer = doors.http("POST", "/models/back/rollback")
    assert (answer.status_code, answer.json_body["release"]) == (202, first)
    doors.deliver()
    doors.until("back", "ready")
    assert words() == b"one"
    assert doors.show("back")["dropped_release"] == second

    body = json.dumps({"release": second}).encode()
    assert doors.http("POST", "/models/back/rollback", body=body).status_code == 202
    doors.deliver()
    doors.until("back", "ready")
    assert words() == b"two"

    for wrong in (b"[]", b'{"release": 1}', b"{"):
        assert doors.http("POST", "/models/back/rollback", body=wrong).status_code == 400
    missing = doors.http("POST", "/models/back/rollback", body=b'{"release": "0123456789ab"}')
    assert (missing.status_code, missing.json_body["error"]["code"]) == (404, "release_not_found")
    doors.http("DELETE", "/models/back")
    assert doors.until("back", "absent") == "absent"
