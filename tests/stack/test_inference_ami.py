"""An image whose CUDA is newer than SageMaker's default host asks for the host that fits."""

from dataclasses import replace

import boto3
import pytest
from botocore.stub import ANY, Stubber

from chalicelib.aws.endpoints import SageMakerEndpoints
from chalicelib.door.images import CUDA_13_AMI
from chalicelib.names import VARIANT_NAME, ModelName, ReleaseId
from chalicelib.reports import Report, ServingPlan, parse_report
from tests.unit.test_door_corpus import NOW

PLAN = ServingPlan("vllm", "image", "text-generation", "realtime", "ml.g5.xlarge", 1, 900)
NAME = "tarmac-cat-01234567"


@pytest.mark.parametrize("ami", [None, CUDA_13_AMI])
def test_the_configuration_names_the_host_where_the_plan_does_and_nothing_where_not(ami):
    machines = {"VariantName": VARIANT_NAME, "ModelName": NAME, "InitialVariantWeight": 1.0, "InitialInstanceCount": 1}
    variant = {**machines, "InstanceType": "ml.g5.xlarge", **({} if ami is None else {"InferenceAmiVersion": ami})}
    client = boto3.client("sagemaker", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    arn = f"arn:aws:sagemaker:eu-west-1:123456789012:endpoint-config/{NAME}"
    expected = {"EndpointConfigName": NAME, "ProductionVariants": [variant], "Tags": ANY}

    # The stub holds names and values against SageMaker's own model, and what is sent against what is expected.
    with Stubber(client) as stub:
        stub.add_response("create_endpoint_config", {"EndpointConfigArn": arn}, expected)
        adapter = SageMakerEndpoints(lambda: client, app="tarmac", role_arn="r")
        plan = replace(PLAN, inference_ami=ami)
        adapter.create_config(NAME, model=ModelName("cat"), release=ReleaseId("0123456789ab"), plan=plan)
        stub.assert_no_pending_responses()
    client.close()


def test_a_host_that_sagemaker_has_not_got_would_be_seen_here():
    client = boto3.client("sagemaker", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    shape = client.meta.service_model.shape_for("ProductionVariant").members["InferenceAmiVersion"]
    client.close()

    assert CUDA_13_AMI in shape.enum


def test_the_host_survives_the_report():
    plan = replace(PLAN, inference_ami=CUDA_13_AMI)
    report = Report("cat", ReleaseId("0123456789ab"), NOW, (), 1, plan=plan)

    assert parse_report(report.to_json()) == report
