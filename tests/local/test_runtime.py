"""InvokeEndpoint and Lambda's Invoke, asked with boto3 over HTTP."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.sagemaker_rig import Rig, running_rig, until


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running_rig(tmp_path_factory.mktemp("runtime"), metric_interval_s=0.2) as running:
        running.create("echo", SLOW_S="0.5")
        running.await_status("echo", "InService")
        yield running


def error(rig: Rig, body: bytes, name: str = "echo", **options: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        rig.invoke(name, body, **options)
    return dict(caught.value.response)


def test_body_content_type_and_custom_attributes_go_through_both_ways(rig: Rig) -> None:
    body = bytes(range(256))

    answer = rig.runtime.invoke_endpoint(
        EndpointName="echo", Body=body, ContentType="image/png", Accept="image/*", CustomAttributes="trace=1"
    )

    assert answer["Body"].read() == body
    assert answer["ContentType"] == "image/png"
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    assert answer["CustomAttributes"] == "trace=1,seen;accept=image/*"


def test_a_status_of_200_and_more_comes_back_as_it_is(rig: Rig) -> None:
    answer = rig.runtime.invoke_endpoint(EndpointName="echo", Body=b"status 207")

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 207


@pytest.mark.illegal_requests
def test_the_largest_body_goes_through_and_one_byte_more_does_not(rig: Rig) -> None:
    largest = b"x" * 6_291_456

    assert rig.invoke("echo", largest) == largest
    refused = error(rig, largest + b"x")

    assert refused["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert "6291456" in refused["Error"]["Message"]


@pytest.mark.parametrize(("status", "side"), [(400, "client"), (404, "client"), (500, "server"), (503, "server")])
def test_what_the_model_refuses_is_a_model_error_that_keeps_its_status(rig: Rig, status: int, side: str) -> None:
    refused = error(rig, f"status {status}".encode())

    assert refused["Error"]["Code"] == "ModelError"
    assert refused["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert (refused["OriginalStatusCode"], refused["OriginalMessage"]) == (status, "as you wished")
    assert refused["Error"]["Message"].startswith(
        f'Received {side} error ({status}) from primary with message "as you wished"'
    )
    assert refused["LogStreamArn"].endswith(":log-group:/aws/sagemaker/Endpoints/echo")


def test_an_answer_that_is_too_large_is_the_models_fault(rig: Rig) -> None:
    refused = error(rig, b"large")

    assert refused["Error"]["Code"] == "ModelError"
    assert "larger than 6291456 bytes" in refused["OriginalMessage"]


def test_a_model_that_takes_too_long_is_given_up_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("slow")
    slow_rig = Rig(directory)
    slow_rig.invocation_timeout_s = 0.3
    slow_rig.start()
    try:
        slow_rig.create("slow", SLOW_S="5")
        slow_rig.await_status("slow", "InService")
        began = time.monotonic()

        refused = error(slow_rig, b"slow", "slow")

        assert time.monotonic() - began < 2
        assert (refused["Error"]["Code"], refused["OriginalStatusCode"]) == ("ModelError", 0)
        assert "invocation timed out" in refused["OriginalMessage"]
    finally:
        slow_rig.stop()


def test_an_endpoint_that_does_not_answer_yet_is_not_found(rig: Rig) -> None:
    rig.create("coming", START_S="0.5")

    refused = error(rig, b"hi", "coming")
    rig.await_status("coming", "InService")

    assert refused["Error"] == {
        "Code": "ValidationError",
        "Message": "Endpoint coming of account 123456789012 not found.",
    }


def test_each_invocation_is_counted_before_it_is_answered(rig: Rig) -> None:
    def metrics(name: str) -> list[float]:
        wanted = {"EndpointName": "echo", "VariantName": "AllTraffic"}
        found = list(rig.metrics)
        return [value for space, one, dims, value in found if (space, one, dims) == ("AWS/SageMaker", name, wanted)]

    counted, latencies = len(metrics("Invocations")), len(metrics("ModelLatency"))
    caller = threading.Thread(target=rig.invoke, args=("echo", b"slow"))
    caller.start()

    until(lambda: len(metrics("Invocations")) == counted + 1)
    answered_by_then = len(metrics("ModelLatency")) > latencies
    caller.join()

    assert not answered_by_then
    assert metrics("ModelLatency")[-1] > 500_000
    before = sum(metrics("Invocation4XXErrors")), sum(metrics("Invocation5XXErrors"))
    error(rig, b"status 418")
    assert (sum(metrics("Invocation4XXErrors")), sum(metrics("Invocation5XXErrors"))) == (before[0] + 1, before[1])


def test_the_cpu_of_a_running_variant_is_reported_without_any_traffic(rig: Rig) -> None:
    seen = ("/aws/sagemaker/Endpoints", "CPUUtilization", {"EndpointName": "echo", "VariantName": "AllTraffic"})

    already = len(rig.metrics)

    until(lambda: seen in [one[:3] for one in rig.metrics[already:]])
    assert all(0 <= value <= 100 * 64 for _, name, _, value in list(rig.metrics) if name == "CPUUtilization")


def test_eight_callers_at_once_are_answered_side_by_side(rig: Rig) -> None:
    answers: list[bytes] = []
    callers = [threading.Thread(target=lambda: answers.append(rig.invoke("echo", b"slow"))) for _ in range(8)]
    began = time.monotonic()

    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert answers == [b"slow"] * 8
    assert time.monotonic() - began < 8 * 0.5 / 2


def test_a_function_is_invoked_and_answers_in_json(rig: Rig) -> None:
    rig.functions.register("double", lambda event, context: {"twice": event["n"] * 2, "by": context.function_name})
    client = rig.client("lambda")

    by_name = client.invoke(FunctionName="double", Payload=json.dumps({"n": 21}))
    arn = "arn:aws:lambda:us-east-1:123456789012:function:double"
    by_arn = client.invoke(FunctionName=arn, Payload=b'{"n": 1}')

    assert by_name["StatusCode"] == 200
    assert json.load(by_name["Payload"]) == {"twice": 42, "by": "double"}
    assert json.load(by_arn["Payload"])["twice"] == 2
    assert "FunctionError" not in by_name


def test_a_function_that_raises_answers_with_its_error(rig: Rig) -> None:
    def fail(_event: Any, _context: Any) -> None:
        raise ValueError("no such moon")

    rig.functions.register("fail", fail)

    answer = rig.client("lambda").invoke(FunctionName="fail")

    payload = json.load(answer["Payload"])
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert (payload["errorType"], payload["errorMessage"]) == ("ValueError", "no such moon")


def test_an_event_is_accepted_at_once_and_run(rig: Rig) -> None:
    done = threading.Event()
    rig.functions.register("later", lambda _event, _context: done.set())

    answer = rig.client("lambda").invoke(FunctionName="later", InvocationType="Event")

    assert answer["StatusCode"] == 202
    assert done.wait(5)


def test_an_unknown_function_is_not_found(rig: Rig) -> None:
    client = rig.client("lambda")

    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="nothing")
