"""Asynchronous endpoints of the embedded AWS: a queue in front of a real model server, the answers in S3."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.sagemaker_rig import Rig, running_rig, until


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running_rig(tmp_path_factory.mktemp("rig"), metric_interval_s=0.2) as rig:
        rig.create("plain")
        rig.await_status("plain", "InService")
        yield rig


def configure(rig: Rig, name: str, *, concurrency: int = 1, **environment: str) -> None:
    """An asynchronous configuration beside the plain one, of a model of the same name."""
    rig.create_config(name, **environment)
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": name,
        "InstanceType": "ml.g5.xlarge",
        "InitialInstanceCount": 1,
    }
    rig.sagemaker.create_endpoint_config(
        EndpointConfigName=f"{name}-async",
        ProductionVariants=[variant],
        AsyncInferenceConfig={
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": concurrency},
            "OutputConfig": {
                "S3OutputPath": f"s3://bucket/{name}/answers",
                "S3FailurePath": f"s3://bucket/{name}/failures/",
            },
        },
    )


def start(rig: Rig, name: str, **options: Any) -> None:
    configure(rig, name, **options)
    rig.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-async")
    rig.await_status(name, "InService")


def ask(rig: Rig, name: str, body: bytes = b"hi", **options: Any) -> dict[str, Any]:
    """By way of S3."""
    uri = rig.drop(f"inputs/{uuid.uuid4()}", body)
    given: dict[str, Any] = rig.runtime.invoke_endpoint_async(EndpointName=name, InputLocation=uri, **options)
    return given


def path_at(rig: Rig, uri: str) -> Path:
    return rig.directory / "s3" / uri.removeprefix("s3://")


def content_at(rig: Rig, uri: str) -> bytes:
    """Wait for an object."""
    path = path_at(rig, uri)
    until(path.is_file)
    return path.read_bytes()


def backlogs(rig: Rig, name: str) -> list[float]:
    return [each[3] for each in list(rig.metrics) if each[1:3] == ("ApproximateBacklogSize", {"EndpointName": name})]


def test_an_answer_is_written_where_the_first_reply_said_with_its_content_type(rig: Rig) -> None:
    """202, an id, two places; nobody has to ask."""
    start(rig, "a1")

    given = ask(rig, "a1", b"\x00words", ContentType="application/x-words", InferenceId="mine")

    assert given["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert given["InferenceId"] == "mine"
    assert given["OutputLocation"].startswith("s3://bucket/a1/answers/")
    assert given["FailureLocation"].startswith("s3://bucket/a1/failures/")
    assert content_at(rig, given["OutputLocation"]) == b"\x00words"
    assert rig.content_types[given["OutputLocation"]] == "application/x-words"
    described = rig.sagemaker.describe_endpoint(EndpointName="a1")
    assert described["AsyncInferenceConfig"]["OutputConfig"]["S3OutputPath"] == "s3://bucket/a1/answers"


@pytest.mark.illegal_requests
def test_a_body_may_come_with_the_request_up_to_128_000_bytes(rig: Rig) -> None:
    """And names its place in S3 as wished."""
    start(rig, "a2")

    given = rig.runtime.invoke_endpoint_async(
        EndpointName="a2", Body=b"x" * 128_000, S3OutputPathExtension="mine", Filename="one.out"
    )
    with pytest.raises(ClientError) as caught:
        rig.runtime.invoke_endpoint_async(EndpointName="a2", Body=b"x" * 128_001)

    assert given["OutputLocation"] == "s3://bucket/a2/answers/mine/one.out"
    assert content_at(rig, given["OutputLocation"]) == b"x" * 128_000
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_a_failure_is_written_to_the_failure_path(rig: Rig) -> None:
    """The model's own, an input that is not there, and a model too slow; the queue goes on."""
    start(rig, "a3", SLOW_S="5")

    told = ask(rig, "a3", b"status 418")
    missing = rig.runtime.invoke_endpoint_async(EndpointName="a3", InputLocation="s3://bucket/nowhere")
    slow = ask(rig, "a3", b"slow", InvocationTimeoutSeconds=1)
    last = ask(rig, "a3", b"last")

    assert b'client error (418) from primary with message "as you wished"' in content_at(rig, told["FailureLocation"])
    assert b"s3://bucket/nowhere cannot be read" in content_at(rig, missing["FailureLocation"])
    assert b"timed out" in content_at(rig, slow["FailureLocation"])
    assert content_at(rig, last["OutputLocation"]) == b"last"
    assert not path_at(rig, told["OutputLocation"]).exists()


def test_the_backlog_is_told_while_there_is_one_and_while_there_is_none(rig: Rig) -> None:
    """Waiting and in hand alike; and Invocations never."""
    start(rig, "a4", SLOW_S="0.4")
    until(lambda: backlogs(rig, "a4"))
    before = backlogs(rig, "a4")

    given = [ask(rig, "a4", b"slow") for _ in range(3)]
    for each in given:
        content_at(rig, each["OutputLocation"])
    until(lambda: backlogs(rig, "a4")[-1] == 0)

    assert set(before) == {0}
    assert max(backlogs(rig, "a4")) == 3
    assert not [each for each in rig.metrics if each[1] == "Invocations" and each[2]["EndpointName"] == "a4"]


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_at_once_than_the_configuration_says(rig: Rig, concurrency: int) -> None:
    """Three slow requests: one after the other, or together."""
    name = f"a5-{concurrency}"
    start(rig, name, SLOW_S="0.5", concurrency=concurrency)

    given = [ask(rig, name, b"slow") for _ in range(3)]
    content_at(rig, given[0]["OutputLocation"])
    if concurrency == 1:
        assert not path_at(rig, given[2]["OutputLocation"]).exists()
    for each in given:
        content_at(rig, each["OutputLocation"])

    times = [path_at(rig, each["OutputLocation"]).stat().st_mtime for each in given]
    assert (max(times) - min(times) > 0.8) == (concurrency == 1)


def test_each_kind_of_endpoint_refuses_the_other_s_call(rig: Rig) -> None:
    """As AWS has it."""
    start(rig, "a6")

    with pytest.raises(ClientError, match=r"ValidationError.*asynchronous"):
        rig.invoke("a6")
    with pytest.raises(ClientError, match=r"ValidationError.*asynchronous"):
        rig.runtime.invoke_endpoint_with_response_stream(EndpointName="a6", Body=b"x")
    with pytest.raises(ClientError, match=r"ValidationError.*no AsyncInferenceConfig"):
        ask(rig, "plain")
    with pytest.raises(ClientError, match="Endpoint nobody of account"):
        ask(rig, "nobody")


@pytest.mark.parametrize(
    "options",
    [{}, {"Body": b"x", "InputLocation": "s3://bucket/x"}, {"InputLocation": "https://example.com/x"}],
)
def test_a_request_names_one_input_in_s3(rig: Rig, options: dict[str, Any]) -> None:
    """Neither none, nor two, nor one elsewhere."""
    if rig.status("a7") is None:
        start(rig, "a7")

    with pytest.raises(ClientError, match="ValidationError"):
        rig.runtime.invoke_endpoint_async(EndpointName="a7", **options)


def test_neither_way_is_there_an_update_between_realtime_and_asynchronous(rig: Rig) -> None:
    """SageMaker promises none, so nothing here may rely on one."""
    start(rig, "a8")
    rig.create("a9")
    configure_beside = {"EndpointName": "a9", "EndpointConfigName": "a8-async"}
    rig.await_status("a9", "InService")

    with pytest.raises(ClientError, match="between realtime and asynchronous"):
        rig.sagemaker.update_endpoint(**configure_beside)
    with pytest.raises(ClientError, match="between realtime and asynchronous"):
        rig.sagemaker.update_endpoint(EndpointName="a8", EndpointConfigName="a9")

    assert content_at(rig, ask(rig, "a8")["OutputLocation"]) == b"hi"


def test_what_waits_when_an_endpoint_goes_is_not_asked_of_the_next_of_its_name(rig: Rig) -> None:
    """Its queue goes with it."""
    start(rig, "a10", SLOW_S="0.5")
    given = [ask(rig, "a10", b"slow") for _ in range(3)]

    rig.sagemaker.delete_endpoint(EndpointName="a10")
    rig.await_status("a10", None)
    until(lambda: not list(rig.journal.items("async-request")))
    rig.sagemaker.create_endpoint(EndpointName="a10", EndpointConfigName="a10-async")
    rig.await_status("a10", "InService")

    assert content_at(rig, ask(rig, "a10")["OutputLocation"]) == b"hi"
    assert not path_at(rig, given[2]["OutputLocation"]).exists()


def test_a_server_that_dies_fails_the_request_in_hand_and_those_behind_it_are_answered(rig: Rig) -> None:
    """Nobody asks twice for what killed it."""
    start(rig, "a11")

    killing, waiting = ask(rig, "a11", b"die"), ask(rig, "a11", b"after")

    assert b"could not get a response" in content_at(rig, killing["FailureLocation"])
    assert content_at(rig, waiting["OutputLocation"]) == b"after"


def test_what_was_accepted_is_answered_after_a_restart(tmp_path: Path) -> None:
    """What was in hand is asked again, what waited is asked."""
    rig = Rig(tmp_path, metric_interval_s=0.2)
    rig.start()
    start(rig, "r1", SLOW_S="1.5")
    given = [ask(rig, "r1", b"slow"), ask(rig, "r1", b"waits")]
    until(lambda: 2 in backlogs(rig, "r1"))

    rig.stop()
    answered = [path_at(rig, each["OutputLocation"]).exists() for each in given]
    rig.start()
    try:
        answers = [content_at(rig, each["OutputLocation"]) for each in given]
        until(lambda: not list(rig.journal.items("async-request")))
    finally:
        rig.stop()

    assert answered == [False, False]
    assert answers == [b"slow", b"waits"]
    assert not [each for each in given if path_at(rig, each["FailureLocation"]).exists()]
