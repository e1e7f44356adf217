import subprocess
import sys

import boto3
import botocore.session
import pytest
from botocore.stub import Stubber

from tests.legality import _compiled, found_so_far

MODEL = {"ModelName": "tm-cat-12345678", "ExecutionRoleArn": "arn:aws:iam::123456789012:role/model"}


def sagemaker():
    client = boto3.client("sagemaker", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    return client, Stubber(client)


def create_model(**changes):
    client, stub = sagemaker()
    stub.add_response("create_model", {"ModelArn": "arn:aws:sagemaker:eu-west-1:123456789012:model/x"})
    with stub:
        client.create_model(**{**MODEL, **changes})
    client.close()


def test_a_legal_request_passes():
    create_model()

    assert found_so_far() == []


@pytest.mark.illegal_requests
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ModelName": "my_model"}, "request.ModelName: 'my_model' does not match"),
        ({"ModelName": "m" * 64}, "request.ModelName: 64 is more than 63"),
        (
            {"ExecutionRoleArn": "role/named-without-its-arn"},
            "request.ExecutionRoleArn: 'role/named-without-its-arn' does",
        ),
        ({"Tags": [{"Key": "what?", "Value": "x"}]}, "request.Tags[0].Key: 'what?' does not match"),
        ({"PrimaryContainer": {"Mode": "Double"}}, "request.PrimaryContainer.Mode: 'Double' is none of"),
        (
            {"PrimaryContainer": {"Environment": {"1X": "y"}}},
            "request.PrimaryContainer.Environment key '1X': '1X' does",
        ),
    ],
)
def test_what_sagemaker_would_refuse_is_found_by_name(changes, said):
    create_model(**changes)

    assert any(problem.startswith(f"CreateModel: {said}") for problem in found_so_far()), found_so_far()


@pytest.mark.illegal_requests
def test_a_number_out_of_range_is_found():
    client, stub = sagemaker()
    stub.add_response(
        "create_endpoint_config", {"EndpointConfigArn": "arn:aws:sagemaker:eu-west-1:1:endpoint-config/x"}
    )
    variant = {"VariantName": "All", "ModelName": "x", "InstanceType": "ml.m5.large", "VolumeSizeInGB": 600}

    with stub:
        client.create_endpoint_config(EndpointConfigName="x", ProductionVariants=[variant])

    assert found_so_far() == [
        "CreateEndpointConfig: request.ProductionVariants[0].VolumeSizeInGB: 600 is more than 512"
    ]
    client.close()


@pytest.mark.parametrize(
    "service", ["sagemaker", "sagemaker-runtime", "s3", "sqs", "scheduler", "cloudwatch", "events"]
)
def test_every_pattern_of_the_services_in_use_is_understood(service):
    model = botocore.session.Session().get_service_model(service)

    patterns = {
        shape.metadata["pattern"] for shape in map(model.shape_for, model.shape_names) if "pattern" in shape.metadata
    }

    assert all(_compiled(pattern) for pattern in patterns)


@pytest.mark.parametrize(
    ("pattern", "legal", "illegal"),
    [
        (r"\p{ASCII}*", "*/*", "é"),
        (r"\A\S[\p{Print}]*\z", "model.tar.gz", "a\n"),
        (r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$", "tarmac:app é", "what?"),
        (r"[a-z]\p{L}", "aé", "a?"),
    ],
)
def test_java_s_classes_are_read_inside_brackets_and_outside(pattern, legal, illegal):
    assert _compiled(pattern).fullmatch(legal)
    assert not _compiled(pattern).fullmatch(illegal)


def test_the_plugin_fails_a_test_that_sends_an_illegal_name(tmp_path, request):
    test = tmp_path / "test_sends_nonsense.py"
    test.write_text(
        "from tests.legality import legal_requests\nfrom tests.stack.test_legality import create_model\n"
        "def test_nonsense(): create_model(ModelName='my_model')\n"
    )

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", str(test)],
        cwd=request.config.rootpath,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 1
    assert "CreateModel: request.ModelName: 'my_model' does not match" in ran.stdout
