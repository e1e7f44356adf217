"""A model of the Hub, door by door: deploy.toml alone, the Hub's real client, a real model; asleep, awake, gone."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.encoders import inferrer
from tests.flows.conftest import Doors, echo_archive
from tests.flows.test_life_of_a_model import is_gone
from tests.hub_server import HubServer

WORDS = json.dumps({"inputs": "a fine film"}).encode()


@pytest.fixture(scope="module", autouse=True)
def hub() -> Iterator[HubServer]:
    """The Hub that this module's application asks: before `doors`, which reads the environment."""
    with HubServer() as hub:
        os.environ["HF_ENDPOINT"] = hub.url
        yield hub
    del os.environ["HF_ENDPOINT"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A tiny real classifier, as a repository keeps it: with another framework's weights beside its own."""
    folder: Path = tmp_path_factory.mktemp("tiny")
    inferrer(folder)
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {**files, "tf_model.h5": b"the same for TensorFlow", "README.md": b"# tiny"}


def dropped(doors: Doors, model: str, toml: str) -> None:
    doors.s3.put_object(Bucket=doors.stack.bucket, Key=f"models/{model}/deploy.toml", Body=toml.encode())


def ask(doors: Doors, model: str) -> Any:
    answer = doors.http("POST", f"/models/{model}/invocations", body=WORDS)
    return answer.status_code, answer.json_body


def test_a_model_of_the_hub_answers_sleeps_wakes_without_the_hub_and_goes(
    doors: Doors, hub: HubServer, tiny: dict[str, bytes]
) -> None:
    """Its whole life; nothing of the weights lies in the bucket, and what serving does not load is not fetched."""
    repo = hub.add("acme/life", tiny, pipeline_tag="text-classification")
    commit = repo.branches["main"]
    dropped(doors, "hub-life", 'hub_model = "acme/life"\n')
    doors.until("hub-life", "ready", timeout_s=90)

    status, answer = ask(doors, "hub-life")

    assert status == 200
    assert {"label", "score"} <= set(answer[0])
    report = doors.report("hub-life")
    assert report["plan"]["hub_model"] == {"id": "acme/life", "revision": commit}
    assert not report["plan"]["is_isolated"]
    assert {key.rpartition("/")[2] for key in doors.keys("releases/hub-life/")} <= {
        "report.json",
        "hub.json",
        "starts.json",
    }
    assert not [line for line in hub.downloads() if "tf_model" in line]

    deadline = time.monotonic() + 20
    while "hub-life" not in doors.sweep()["slept"]:
        assert time.monotonic() < deadline, doors.show("hub-life")
        time.sleep(0.3)
    assert doors.until("hub-life", "asleep") == "asleep"
    hub.fails_with = 503
    try:
        assert ask(doors, "hub-life")[0] == 503
        doors.until("hub-life", "ready", timeout_s=90)
        deadline = time.monotonic() + 20
        while ask(doors, "hub-life")[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        hub.fails_with = None

    doors.http("DELETE", "/models/hub-life")
    assert doors.until("hub-life", "absent") == "absent"
    doors.deliver()
    doors.sweep()
    assert is_gone(doors, "hub-life")


def test_a_hub_that_is_away_is_no_refusal(doors: Doors, hub: HubServer, tiny: dict[str, bytes]) -> None:
    """The message comes again, and the same drop runs once the Hub is back."""
    hub.add("acme/away", tiny, pipeline_tag="text-classification")
    hub.fails_with = 500
    try:
        dropped(doors, "hub-away", 'hub_model = "acme/away"\n')
        answer = doors.deliver()
        state = doors.state("hub-away")
    finally:
        hub.fails_with = None

    assert len(answer["batchItemFailures"]) == 1
    assert state == "dropped"
    doors.sweep()
    doors.until("hub-away", "ready", timeout_s=90)
    doors.http("DELETE", "/models/hub-away")


def test_a_deploy_toml_waits_for_its_archive_and_heals_by_itself(doors: Doors) -> None:
    """Uploaded first, as people do: refused with the fix until the archive is there, then it runs."""
    dropped(doors, "late", 'idle_after = "never"\n')
    doors.until("late", "refused")
    why = doors.show("late")["why"]

    doors.drop("late", echo_archive())

    assert "no archive" in why
    doors.until("late", "ready")
    doors.s3.delete_object(Bucket=doors.stack.bucket, Key="models/late/model.tar.gz")
    doors.until("late", "refused")
    assert doors.sagemaker.list_endpoints(NameContains="tarmac-late")["Endpoints"] == []
    doors.http("DELETE", "/models/late")
    assert doors.until("late", "absent") == "absent"


def test_a_bad_redrop_leaves_the_model_of_the_hub_running(doors: Doors, hub: HubServer, tiny: dict[str, bytes]) -> None:
    """A revision that is not there, and a file that names nothing."""
    hub.add("acme/keeps", tiny, pipeline_tag="text-classification")
    dropped(doors, "hub-keeps", 'hub_model = "acme/keeps"\n')
    doors.until("hub-keeps", "ready", timeout_s=90)
    before = doors.sagemaker.describe_endpoint(EndpointName="tarmac-hub-keeps")["EndpointConfigName"]

    for toml, words in (('hub_model = "acme/keeps@v9"\n', "no revision"), ('idle_after = "1h"\n', "no archive")):
        dropped(doors, "hub-keeps", toml)
        doors.deliver()
        shown = doors.show("hub-keeps")
        assert words in shown["why"]
        assert shown["state"] == "ready"
    doors.sweep()

    assert doors.sagemaker.describe_endpoint(EndpointName="tarmac-hub-keeps")["EndpointConfigName"] == before
    doors.http("DELETE", "/models/hub-keeps")
