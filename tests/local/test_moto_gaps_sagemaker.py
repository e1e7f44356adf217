"""Where moto's SageMaker differs from AWS's: each test shows stock moto being wrong, then ours right."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.sagemaker_rig import ROLE_ARN, Rig, running_rig, until

STOCK = """
import json, sys
import boto3
from botocore.config import Config
from moto import mock_aws

answers = {}
with mock_aws():
    sm = boto3.client("sagemaker", "us-east-1", config=Config(retries={"total_max_attempts": 1}))
    runtime = boto3.client("sagemaker-runtime", "us-east-1", config=Config(retries={"total_max_attempts": 1}))

    def attempt(key, operation, client=sm, **arguments):
        try:
            answer = getattr(client, operation)(**arguments)
            answer.pop("ResponseMetadata")
            answers[key] = json.loads(json.dumps(answer, default=str))
        except Exception as exc:
            answers[key] = f"{type(exc).__name__}: {exc}"

    role = "arn:aws:iam::123456789012:role/x"
    container = {"Image": "i", "ModelDataUrl": "s3://b/k"}
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    model = dict(ModelName="m", PrimaryContainer=container, ExecutionRoleArn=role)
    attempt("model", "create_model", **model)
    attempt("model again", "create_model", **model)
    attempt("isolated", "create_model", **model | {"EnableNetworkIsolation": True})
    attempt("isolated described", "describe_model", ModelName="m")
    attempt("bad model name", "create_model", **model | {"ModelName": "m_1!"})
    attempt("long model name", "create_model", **model | {"ModelName": "n" * 80})
    attempt("missing model", "describe_model", ModelName="none")
    attempt("models by name", "list_models", NameContains="nnn")
    attempt("one model", "list_models", MaxResults=1)
    on_g5 = variant | {"InstanceType": "ml.g5.xlarge"}
    attempt("g5", "create_endpoint_config", EndpointConfigName="g", ProductionVariants=[on_g5])
    config = dict(EndpointConfigName="c", ProductionVariants=[variant], ExecutionRoleArn=role)
    attempt("config", "create_endpoint_config", **config)
    attempt("config again", "create_endpoint_config", **config)
    attempt("config described", "describe_endpoint_config", EndpointConfigName="c")
    attempt("endpoint", "create_endpoint", EndpointName="e", EndpointConfigName="c")
    attempt("status", "describe_endpoint", EndpointName="e")
    attempt("endpoint again", "create_endpoint", EndpointName="E", EndpointConfigName="c")
    attempt("endpoint again", "create_endpoint", EndpointName="e", EndpointConfigName="c")
    attempt("bad endpoint name", "create_endpoint", EndpointName="e_1!", EndpointConfigName="c")
    attempt("update", "update_endpoint", EndpointName="e", EndpointConfigName="c")
    attempt("invoked", "invoke_endpoint", runtime, EndpointName="no-such-endpoint", Body=b"x")
    for number in range(12):
        attempt("-", "create_endpoint", EndpointName=f"page-{number}", EndpointConfigName="c")
    attempt("listed", "list_endpoints")
    attempt("listed by name", "list_endpoints", NameContains="PAGE")
    attempt("tags of none", "list_tags", ResourceArn="arn:aws:sagemaker:us-east-1:123456789012:endpoint/none")
    attempt("deleted", "delete_endpoint", EndpointName="e")
    attempt("deleted described", "describe_endpoint", EndpointName="e")
    attempt("upper", "create_endpoint", EndpointName="UpperCase", EndpointConfigName="c")
    by_name = dict(MaxResults=3, SortBy="Name", SortOrder="Ascending")
    first = sm.list_endpoints(**by_name)
    attempt("-", "delete_endpoint", EndpointName="page-10")
    attempt("-", "delete_endpoint", EndpointName="page-11")
    attempt("-", "delete_endpoint", EndpointName="page-1")
    attempt("-", "delete_endpoint", EndpointName="page-2")
    attempt("-", "delete_endpoint", EndpointName="page-0")
    attempt("next page", "list_endpoints", **by_name, NextToken=first["NextToken"])
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def stock() -> dict[str, Any]:
    """What stock moto answers, asked in a process of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", STOCK], env=environment, capture_output=True, check=True
    )
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running_rig(tmp_path_factory.mktemp("sagemaker")) as running:
        running.create("settled")
        running.await_status("settled", "InService")
        yield running


def refusal(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(caught.value.response["Error"]["Message"])


def test_a_model_cannot_be_created_twice(stock: dict[str, Any], rig: Rig) -> None:
    assert "ModelArn" in stock["model again"]

    message = refusal(
        rig.sagemaker.create_model, ModelName="settled", PrimaryContainer={"Image": "i"}, ExecutionRoleArn=ROLE_ARN
    )

    assert message == ('Cannot create already existing model "arn:aws:sagemaker:us-east-1:123456789012:model/settled".')


def test_a_configuration_cannot_be_created_twice(stock: dict[str, Any], rig: Rig) -> None:
    assert "EndpointConfigArn" in stock["config again"]

    variant = {"VariantName": "v", "ModelName": "settled", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    message = refusal(rig.sagemaker.create_endpoint_config, EndpointConfigName="settled", ProductionVariants=[variant])

    assert message.startswith('Cannot create already existing endpoint configuration "arn:aws:sagemaker:')


def test_an_endpoint_cannot_be_created_twice_in_any_spelling(stock: dict[str, Any], rig: Rig) -> None:
    assert "EndpointArn" in stock["endpoint again"]

    for name in ("settled", "Settled"):
        message = refusal(rig.sagemaker.create_endpoint, EndpointName=name, EndpointConfigName="settled")

        assert message.startswith('Cannot create already existing endpoint "arn:aws:sagemaker:')


@pytest.mark.illegal_requests
@pytest.mark.parametrize("name", ["m_1!", "-m", "n" * 64])
def test_bad_names_are_refused(stock: dict[str, Any], rig: Rig, name: str) -> None:
    for key in ("bad model name", "long model name", "bad endpoint name"):
        assert any(member.endswith("Arn") for member in stock[key])

    of_model = refusal(
        rig.sagemaker.create_model, ModelName=name, PrimaryContainer={"Image": "i"}, ExecutionRoleArn=ROLE_ARN
    )
    of_endpoint = refusal(rig.sagemaker.create_endpoint, EndpointName=name, EndpointConfigName="settled")

    assert f"Value '{name}' at 'modelName' failed to satisfy constraint" in of_model
    assert f"Value '{name}' at 'endpointName' failed to satisfy constraint" in of_endpoint


def test_what_is_missing_is_named_by_its_arn_in_double_quotes(stock: dict[str, Any], rig: Rig) -> None:
    assert "Could not find model 'arn" in stock["missing model"]
    prefix = "arn:aws:sagemaker:us-east-1:123456789012"

    for call, arguments, expected in (
        (
            rig.sagemaker.describe_endpoint,
            {"EndpointName": "none"},
            f'Could not find endpoint "{prefix}:endpoint/none".',
        ),
        (rig.sagemaker.delete_endpoint, {"EndpointName": "none"}, f'Could not find endpoint "{prefix}:endpoint/none".'),
        (rig.sagemaker.describe_model, {"ModelName": "none"}, f'Could not find model "{prefix}:model/none".'),
        (rig.sagemaker.delete_model, {"ModelName": "none"}, f'Could not find model "{prefix}:model/none".'),
        (
            rig.sagemaker.delete_endpoint_config,
            {"EndpointConfigName": "none"},
            f'Could not find endpoint configuration "{prefix}:endpoint-config/none".',
        ),
        (
            rig.sagemaker.update_endpoint,
            {"EndpointName": "settled", "EndpointConfigName": "none"},
            f'Could not find endpoint configuration "{prefix}:endpoint-config/none".',
        ),
    ):
        assert refusal(call, **arguments) == expected


def test_todays_instance_types_are_known_and_invented_ones_are_not(stock: dict[str, Any], rig: Rig) -> None:
    assert "enum value set" in stock["g5"]
    variant = {"VariantName": "v", "ModelName": "settled", "InstanceType": "ml.p5.48xlarge", "InitialInstanceCount": 1}

    rig.sagemaker.create_endpoint_config(EndpointConfigName="p5", ProductionVariants=[variant])
    invented = [variant | {"InstanceType": "ml.zz9.large"}]
    message = refusal(rig.sagemaker.create_endpoint_config, EndpointConfigName="zz9", ProductionVariants=invented)

    assert "Value 'ml.zz9.large' at 'productionVariants.1.member.instanceType'" in message


def test_what_was_asked_of_a_model_and_a_configuration_is_echoed(stock: dict[str, Any], rig: Rig) -> None:
    assert stock["isolated described"]["EnableNetworkIsolation"] is False
    assert "ExecutionRoleArn" not in stock["config described"]
    vpc = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}

    container = {"Image": "i", "Environment": {"HF_TASK": "fill-mask"}}
    rig.sagemaker.create_model(
        ModelName="echo",
        PrimaryContainer=container,
        ExecutionRoleArn=ROLE_ARN,
        EnableNetworkIsolation=True,
        VpcConfig=vpc,
    )
    variant = {"VariantName": "v", "ModelName": "echo", "InstanceType": "ml.m5.large", "InitialInstanceCount": 2}
    rig.sagemaker.create_endpoint_config(
        EndpointConfigName="echo",
        ProductionVariants=[variant],
        ExecutionRoleArn=ROLE_ARN,
        AsyncInferenceConfig={"OutputConfig": {"S3OutputPath": "s3://bucket/out"}},
    )

    model = rig.sagemaker.describe_model(ModelName="echo")
    config = rig.sagemaker.describe_endpoint_config(EndpointConfigName="echo")
    assert (model["EnableNetworkIsolation"], model["VpcConfig"], model["ExecutionRoleArn"]) == (True, vpc, ROLE_ARN)
    assert model["PrimaryContainer"] == container
    assert config["ProductionVariants"] == [variant]
    assert config["ExecutionRoleArn"] == ROLE_ARN
    assert config["AsyncInferenceConfig"]["OutputConfig"]["S3OutputPath"] == "s3://bucket/out"


def test_an_endpoint_is_creating_until_its_server_answers(stock: dict[str, Any], rig: Rig) -> None:
    assert stock["status"]["EndpointStatus"] == "InService"

    rig.create("slow-start", START_S="0.3")
    first = rig.sagemaker.describe_endpoint(EndpointName="slow-start")
    rig.await_status("slow-start", "InService")
    second = rig.sagemaker.describe_endpoint(EndpointName="slow-start")

    assert (first["EndpointStatus"], first["ProductionVariants"][0]["CurrentInstanceCount"]) == ("Creating", 0)
    assert second["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    assert second["CreationTime"] == first["CreationTime"] < second["LastModifiedTime"]
    assert first["CreationTime"].microsecond % 1000 == 0
    assert until(lambda: rig.statuses_told("slow-start") == ["CREATING", "IN_SERVICE"])


def test_an_endpoint_at_work_can_be_neither_updated_nor_deleted_nor_created(stock: dict[str, Any], rig: Rig) -> None:
    assert stock["deleted"] == {}
    rig.create("at-work", START_S="0.5")

    calls: list[tuple[Any, dict[str, str]]] = [
        (rig.sagemaker.delete_endpoint, {"EndpointName": "at-work"}),
        (rig.sagemaker.update_endpoint, {"EndpointName": "at-work", "EndpointConfigName": "at-work"}),
    ]
    messages = [refusal(call, **arguments) for call, arguments in calls]
    rig.await_status("at-work", "InService")

    arn = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/at-work"
    assert messages == [f'Cannot update in-progress endpoint "{arn}".'] * 2


def test_a_deletion_takes_its_time_and_the_name_stays_taken_meanwhile(stock: dict[str, Any], rig: Rig) -> None:
    assert stock["deleted described"].startswith("ClientError")
    rig.create("leaving", SLOW_S="0.6")
    rig.await_status("leaving", "InService")
    pid = rig.pid("leaving")
    answers: list[bytes] = []
    caller = threading.Thread(target=lambda: answers.append(rig.invoke("leaving", b"slow")))
    caller.start()
    until(lambda: any(one[1] == "Invocations" and one[2]["EndpointName"] == "leaving" for one in rig.metrics))

    rig.sagemaker.delete_endpoint(EndpointName="leaving")
    status = rig.status("leaving")
    again = refusal(rig.sagemaker.create_endpoint, EndpointName="leaving", EndpointConfigName="leaving")
    twice = refusal(rig.sagemaker.delete_endpoint, EndpointName="leaving")
    with pytest.raises(ClientError, match="Endpoint leaving of account 123456789012 not found"):
        rig.invoke("leaving")
    rig.await_status("leaving", None)
    caller.join()

    assert status == "Deleting"
    assert again.startswith("Cannot create already existing endpoint")
    assert twice.startswith("Cannot update in-progress endpoint")
    assert answers == [b"slow"]
    assert not Path(f"/proc/{pid}").exists()
    assert until(lambda: rig.statuses_told("leaving") == ["CREATING", "IN_SERVICE", "DELETING", "DELETED"])


def test_an_endpoint_can_be_updated(stock: dict[str, Any], rig: Rig) -> None:
    assert "update_endpoint" in stock["update"] or "UpdateEndpoint" in stock["update"]
    rig.create("moving", "first")
    rig.await_status("moving", "InService")
    rig.create_config("moving-2", "second", START_S="0.4")
    created_at = rig.sagemaker.describe_endpoint(EndpointName="moving")["CreationTime"]

    rig.sagemaker.update_endpoint(EndpointName="moving", EndpointConfigName="moving-2")
    during = rig.sagemaker.describe_endpoint(EndpointName="moving")
    answer_during = rig.invoke("moving", b"who")
    rig.await_status("moving", "InService")
    after = rig.sagemaker.describe_endpoint(EndpointName="moving")

    assert (during["EndpointStatus"], during["EndpointConfigName"], answer_during) == ("Updating", "moving", b"first")
    assert during["PendingDeploymentSummary"]["EndpointConfigName"] == "moving-2"
    assert (after["EndpointConfigName"], rig.invoke("moving", b"who")) == ("moving-2", b"second")
    assert "PendingDeploymentSummary" not in after
    assert after["CreationTime"] == created_at < during["LastModifiedTime"] < after["LastModifiedTime"]


def test_an_invocation_of_no_endpoint_is_refused(stock: dict[str, Any], rig: Rig) -> None:
    assert "Body" in stock["invoked"]

    with pytest.raises(ClientError) as caught:
        rig.invoke("no-such-endpoint")

    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert caught.value.response["Error"]["Message"] == "Endpoint no-such-endpoint of account 123456789012 not found."


def test_endpoints_are_listed_newest_first_ten_a_page_without_regard_to_case(stock: dict[str, Any], rig: Rig) -> None:
    assert len(stock["listed"]["Endpoints"]) > 10
    assert stock["listed"]["Endpoints"][0]["EndpointName"] == "E"
    assert stock["listed by name"]["Endpoints"] == []
    names = [f"page-{number}" for number in range(12)]
    for name in names:
        rig.create(name, "broken")
    for name in names:
        rig.await_status(name, "Failed", within_s=30)

    page = rig.sagemaker.list_endpoints(NameContains="PAGE-")
    rest = rig.sagemaker.list_endpoints(NameContains="PAGE-", NextToken=page["NextToken"])

    listed = [one["EndpointName"] for one in page["Endpoints"] + rest["Endpoints"]]
    assert listed == names[::-1]
    assert len(page["Endpoints"]) == 10
    assert "NextToken" not in rest
    in_service = rig.sagemaker.list_endpoints(NameContains="page-", StatusEquals="InService")
    assert in_service["Endpoints"] == []


def test_a_next_page_is_given_even_when_what_it_began_with_has_gone(stock: dict[str, Any], rig: Rig) -> None:
    assert "InvalidToken" in stock["next page"] or "not found" in stock["next page"]
    for number in range(4):
        rig.sagemaker.create_model(
            ModelName=f"paged-{number}", PrimaryContainer={"Image": "i"}, ExecutionRoleArn=ROLE_ARN
        )
    order = {"SortBy": "Name", "SortOrder": "Ascending", "NameContains": "paged", "MaxResults": 2}

    page = rig.sagemaker.list_models(**order)
    rig.sagemaker.delete_model(ModelName="paged-2")
    rest = rig.sagemaker.list_models(**order, NextToken=page["NextToken"])

    assert [one["ModelName"] for one in page["Models"]] == ["paged-0", "paged-1"]
    assert [one["ModelName"] for one in rest["Models"]] == ["paged-3"]


@pytest.mark.illegal_requests
def test_models_are_filtered_and_paged(stock: dict[str, Any], rig: Rig) -> None:
    assert len(stock["models by name"]["Models"]) > 1
    assert len(stock["one model"]["Models"]) > 1

    found = rig.sagemaker.list_models(NameContains="SETTLED")
    one = rig.sagemaker.list_models(MaxResults=1)

    assert [model["ModelName"] for model in found["Models"]] == ["settled"]
    assert len(one["Models"]) == 1
    assert "NextToken" in one
    assert "maxResults" in refusal(rig.sagemaker.list_models, MaxResults=101)


def test_tags_of_nothing_are_refused_and_tags_are_replaced_by_key(stock: dict[str, Any], rig: Rig) -> None:
    assert "ClientError" not in stock["tags of none"] or "500" in stock["tags of none"]
    prefix = "arn:aws:sagemaker:us-east-1:123456789012"

    for arn in (f"{prefix}:endpoint/none", f"{prefix}:training-job/none", f"{prefix}:thing/none"):
        assert refusal(rig.sagemaker.list_tags, ResourceArn=arn).startswith("Could not find")
    settled = f"{prefix}:endpoint/settled"
    rig.sagemaker.add_tags(ResourceArn=settled, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "1"}])
    rig.sagemaker.add_tags(ResourceArn=settled, Tags=[{"Key": "a", "Value": "2"}])
    rig.sagemaker.delete_tags(ResourceArn=settled, TagKeys=["b"])

    assert rig.sagemaker.list_tags(ResourceArn=settled)["Tags"] == [{"Key": "a", "Value": "2"}]
    tagging = rig.client("resourcegroupstaggingapi")
    found = tagging.get_resources(ResourceTypeFilters=["sagemaker:endpoint"], TagFilters=[{"Key": "a"}])
    assert [one["ResourceARN"] for one in found["ResourceTagMappingList"]] == [settled]


def test_arns_are_in_lower_case_and_names_keep_their_spelling(stock: dict[str, Any], rig: Rig) -> None:
    assert "UpperCase" in stock["upper"]["EndpointArn"]

    rig.create("MixedCase")
    rig.await_status("MixedCase", "InService")

    described = rig.sagemaker.describe_endpoint(EndpointName="MixedCase")
    assert described["EndpointArn"].endswith(":endpoint/mixedcase")
    assert described["EndpointName"] == "MixedCase"
    assert rig.invoke("MixedCase") == b"hi"
    with pytest.raises(ClientError, match="not found"):
        rig.invoke("mixedcase")


def test_every_region_is_the_same_place(rig: Rig) -> None:
    described = rig.client("sagemaker", "eu-west-3").describe_endpoint(EndpointName="settled")

    assert described["EndpointArn"] == "arn:aws:sagemaker:us-east-1:123456789012:endpoint/settled"


def test_a_configuration_that_a_laptop_cannot_run_is_refused_in_words(rig: Rig) -> None:
    variant = {"VariantName": "a", "ModelName": "settled", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    two = [variant, variant | {"VariantName": "b"}]
    rig.sagemaker.create_endpoint_config(EndpointConfigName="two", ProductionVariants=two)

    message = refusal(rig.sagemaker.create_endpoint, EndpointName="two", EndpointConfigName="two")

    assert "exactly one variant" in message
    assert rig.status("two") is None


def test_weights_and_counts_are_noted_and_the_configuration_is_left_alone(rig: Rig) -> None:
    wishes = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}]

    rig.sagemaker.update_endpoint_weights_and_capacities(EndpointName="settled", DesiredWeightsAndCapacities=wishes)

    described = rig.sagemaker.describe_endpoint(EndpointName="settled")
    config = rig.sagemaker.describe_endpoint_config(EndpointConfigName="settled")
    assert described["ProductionVariants"][0]["DesiredInstanceCount"] == 3
    assert config["ProductionVariants"][0]["InitialInstanceCount"] == 1


def test_a_model_whose_archive_is_not_there_fails_and_says_where_it_looked(rig: Rig) -> None:
    rig.sagemaker.create_model(
        ModelName="lost",
        PrimaryContainer={"Image": "i", "ModelDataUrl": "s3://bucket/no/such.tar.gz"},
        ExecutionRoleArn=ROLE_ARN,
    )
    variant = {"VariantName": "v", "ModelName": "lost", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    rig.sagemaker.create_endpoint_config(EndpointConfigName="lost", ProductionVariants=[variant])

    rig.sagemaker.create_endpoint(EndpointName="lost", EndpointConfigName="lost")
    rig.await_status("lost", "Failed")

    reason = rig.sagemaker.describe_endpoint(EndpointName="lost")["FailureReason"]
    assert "no object at s3://bucket/no/such.tar.gz" in reason
