"""Serverless endpoints of the embedded AWS: SageMaker's limits, on a model server like any other."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.sagemaker_rig import Rig, running_rig, until

SERVERLESS = {"MemorySizeInMB": 2048, "MaxConcurrency": 2}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running_rig(tmp_path_factory.mktemp("rig"), metric_interval_s=0.1) as rig:
        yield rig


def configure(rig: Rig, name: str, *, isolated: bool = False, **variant: Any) -> None:
    """A serverless configuration of a model of the same name, beside one with instances."""
    rig.create_config(name, isolated=isolated, SLOW_S="1")
    rig.sagemaker.create_endpoint_config(
        EndpointConfigName=f"{name}-serverless",
        ProductionVariants=[
            {"VariantName": "AllTraffic", "ModelName": name, "ServerlessConfig": SERVERLESS, **variant}
        ],
    )


def start(rig: Rig, name: str) -> None:
    configure(rig, name)
    rig.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-serverless")
    rig.await_status(name, "InService")


def test_it_answers_and_shows_its_memory_and_writes_no_instance_s_metrics(rig: Rig) -> None:
    """So nothing proves that CloudWatch sees, and it is never called idle."""
    start(rig, "s1")

    assert rig.invoke("s1") == b"hi"
    (variant,) = rig.sagemaker.describe_endpoint(EndpointName="s1")["ProductionVariants"]
    assert variant["CurrentServerlessConfig"] == SERVERLESS
    assert "CurrentInstanceCount" not in variant
    until(lambda: [one for one in rig.metrics if one[1] == "Invocations" and one[2]["EndpointName"] == "s1"])
    assert not [one for one in rig.metrics if one[1] == "CPUUtilization" and one[2]["EndpointName"] == "s1"]


def test_a_request_has_4_mib_at_most(rig: Rig) -> None:
    """Where instances take 6."""
    start(rig, "s2")

    assert len(rig.invoke("s2", b"x" * (4 << 20))) == 4 << 20
    with pytest.raises(ClientError) as caught:
        rig.invoke("s2", b"x" * ((4 << 20) + 1))

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_more_at_once_than_configured_are_throttled(rig: Rig) -> None:
    """Two are answered, the rest told to come again."""
    start(rig, "s3")

    def ask(_: int) -> str:
        try:
            rig.invoke("s3", b"slow")
        except ClientError as exc:
            return str(exc.response["Error"]["Code"])
        return "answered"

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(ask, range(6)))

    assert set(outcomes) == {"answered", "ThrottlingException"}
    assert rig.invoke("s3") == b"hi"


def test_instances_cannot_be_updated_into_serverless_but_the_other_way(rig: Rig) -> None:
    """One-way, as SageMaker has it."""
    start(rig, "s4")

    rig.sagemaker.update_endpoint(EndpointName="s4", EndpointConfigName="s4")
    rig.await_status("s4", "InService")
    with pytest.raises(ClientError, match="from instances to a serverless configuration"):
        rig.sagemaker.update_endpoint(EndpointName="s4", EndpointConfigName="s4-serverless")

    assert rig.status("s4") == "InService"


@pytest.mark.parametrize(
    ("isolated", "variant", "words"),
    [
        (True, {}, "network isolation"),
        (False, {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}, "only one of them"),
        (False, {"ServerlessConfig": {"MemorySizeInMB": 1500, "MaxConcurrency": 1}}, "MemorySizeInMB"),
    ],
)
def test_what_serverless_cannot_have_is_refused(
    rig: Rig, isolated: bool, variant: dict[str, Any], words: str, request: pytest.FixtureRequest
) -> None:
    """When it is configured, and not when it is asked."""
    name = f"n{abs(hash(request.node.name)) % 10**8}"

    with pytest.raises(ClientError, match=words):
        configure(rig, name, isolated=isolated, **variant)


def test_a_deleted_endpoint_scales_no_more(rig: Rig) -> None:
    """AWS deregisters it on the way."""
    rig.create("s6")
    rig.await_status("s6", "InService")
    scaling = rig.client("application-autoscaling")
    address = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
    for name in ("s6", "s60"):
        resource_id = f"endpoint/{name}/variant/AllTraffic"
        scaling.register_scalable_target(**address, ResourceId=resource_id, MinCapacity=1, MaxCapacity=2)

    rig.sagemaker.delete_endpoint(EndpointName="s6")

    left = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert [target["ResourceId"] for target in left] == ["endpoint/s60/variant/AllTraffic"]


def test_an_update_can_keep_the_number_of_instances(rig: Rig) -> None:
    """Without it the fleet goes back to what the configuration begins with."""
    rig.create("s5")
    rig.await_status("s5", "InService")
    rig.create_config("s5-next")
    grown = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}]
    rig.sagemaker.update_endpoint_weights_and_capacities(EndpointName="s5", DesiredWeightsAndCapacities=grown)

    def count_after(**options: Any) -> int:
        rig.sagemaker.update_endpoint(EndpointName="s5", EndpointConfigName="s5-next", **options)
        rig.await_status("s5", "InService")
        count: int = rig.sagemaker.describe_endpoint(EndpointName="s5")["ProductionVariants"][0]["CurrentInstanceCount"]
        return count

    assert count_after(RetainAllVariantProperties=True) == 3
    assert count_after() == 1
