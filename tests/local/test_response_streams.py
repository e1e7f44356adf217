"""InvokeEndpointWithResponseStream, asked with boto3 over HTTP, which reads the frames."""

import contextlib
import json
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError

from examples import generators
from tests.local.sagemaker_rig import Rig, packed, running_rig, until
from tests.local.serving import SERVE


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running_rig(tmp_path_factory.mktemp("streams")) as running:
        running.create("echo")
        running.await_status("echo", "InService")
        yield running


def stream(rig: Rig, body: bytes, name: str = "echo", **options: Any) -> Any:
    return rig.runtime.invoke_endpoint_with_response_stream(EndpointName=name, Body=body, **options)


def parts(answer: Any) -> Generator[bytes, None, None]:
    with contextlib.closing(answer["Body"]) as body:
        for event in body:
            yield event["PayloadPart"]["Bytes"]


def test_parts_come_while_the_answer_is_being_made(rig: Rig) -> None:
    answer = stream(rig, b"stream", Accept="text/event-stream", ContentType="text/plain")

    came = [(time.monotonic(), part) for part in parts(answer)]

    assert b"".join(part for _, part in came) == b"part0part1part2"
    assert came[-1][0] - came[0][0] > 0.05
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("text/event-stream", "AllTraffic")


def test_an_answer_in_one_piece_and_its_headers_come_through_too(rig: Rig) -> None:
    answer = stream(rig, bytes(range(256)) * 4096, ContentType="image/png", Accept="image/*", CustomAttributes="a=1")

    assert b"".join(parts(answer)) == bytes(range(256)) * 4096
    assert (answer["ContentType"], answer["CustomAttributes"]) == ("image/png", "a=1,seen;accept=image/*")


def test_what_the_model_refuses_before_it_begins_is_a_model_error(rig: Rig) -> None:
    with pytest.raises(ClientError) as caught:
        stream(rig, b"status 400")

    assert caught.value.response["Error"]["Code"] == "ModelError"
    assert caught.value.response["OriginalStatusCode"] == 400


def test_an_unknown_endpoint_is_not_found(rig: Rig) -> None:
    with pytest.raises(ClientError, match="Endpoint nobody of account 123456789012 not found"):
        stream(rig, b"stream", "nobody")


def test_a_model_that_breaks_off_is_a_stream_error_after_what_had_come(rig: Rig) -> None:
    rig.create("fragile")
    rig.await_status("fragile", "InService")
    came: list[bytes] = []

    with pytest.raises(EventStreamError) as caught:
        came.extend(parts(stream(rig, b"stream broken", "fragile")))

    assert "ModelStreamError" in str(caught.value)
    assert "broke before its answer was whole" in str(caught.value)


def test_a_stream_that_takes_too_long_is_a_stream_error(tmp_path_factory: pytest.TempPathFactory) -> None:
    slow_rig = Rig(tmp_path_factory.mktemp("slow"))
    slow_rig.invocation_timeout_s = 0.3
    slow_rig.start()
    try:
        slow_rig.create("slow")
        slow_rig.await_status("slow", "InService")

        with pytest.raises(EventStreamError, match="did not finish its answer in time"):
            list(parts(stream(slow_rig, b"stream long", "slow")))
    finally:
        slow_rig.stop()


def test_a_caller_who_goes_away_is_seen_by_the_model(rig: Rig) -> None:
    coming = parts(stream(rig, b"stream long"))
    next(coming)

    coming.close()

    until(lambda: any("the caller has gone" in line for _, _, line in rig.log_lines))


def test_a_stream_is_counted_and_timed(rig: Rig) -> None:
    before = len(rig.metrics)

    list(parts(stream(rig, b"stream")))

    until(lambda: "ModelLatency" in [name for _, name, _, _ in rig.metrics[before:]])
    figures = {name: value for _, name, _, value in rig.metrics[before:]}
    assert figures["Invocations"] == 1
    assert figures["Invocation5XXErrors"] == 0
    assert 0 < figures["FirstChunkLatency"] < figures["ModelLatency"]


def test_a_real_model_is_heard_token_by_token(tmp_path: Path) -> None:
    generators.decoder(tmp_path / "writer")
    (tmp_path / "engine").mkdir()
    body = json.dumps({"inputs": "the movie", "parameters": {"max_new_tokens": 20}}).encode()

    with running_rig(tmp_path / "engine", serve_path=SERVE) as rig:
        rig.create_config_of("writer", packed(tmp_path / "writer"))
        rig.sagemaker.create_endpoint(EndpointName="writer", EndpointConfigName="writer")
        rig.await_status("writer", "InService", within_s=60)
        whole = json.loads(rig.invoke("writer", body, ContentType="application/json"))[0]["generated_text"]
        answer = stream(rig, body, "writer", ContentType="application/json", Accept="text/event-stream")
        text = b"".join(parts(answer)).decode()

    events = [json.loads(line.removeprefix("data:")) for line in text.splitlines() if line]
    assert answer["ContentType"] == "text/event-stream"
    assert len(events) == 20
    assert "the movie" + "".join(event["token"]["text"] for event in events) == whole
