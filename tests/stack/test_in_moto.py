"""The translated template, created in moto's CloudFormation as far as moto goes.

What is left out, and why, is the table in tarmac/stack/embedding.py that `tarmac deploy` on the embedded AWS uses too.
The bucket's EventBridge setting moto ignores in a template: the test sets it by hand. Policies are evaluated in
test_permissions.py; moto does not enforce them.
"""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tarmac.stack.embedding import fit

REGION = "eu-west-1"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


@pytest.fixture
def outputs(account: None, packaged: Any) -> dict[str, str]:
    s3 = boto3.client("s3", REGION)
    s3.create_bucket(Bucket="tarmac-artifacts", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="tarmac-artifacts", Key="bundle/x.zip", Body=packaged.package.bundle.read_bytes())
    cloudformation = boto3.client("cloudformation", REGION)
    template = fit(packaged.cloudformation(REGION)).template
    cloudformation.create_stack(
        StackName="tarmac-test", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"]
    )
    (stack,) = cloudformation.describe_stacks(StackName="tarmac-test")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    made = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    s3.put_bucket_notification_configuration(
        Bucket=made["BucketName"], NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    return made


def received(queue_url: str) -> list[str]:
    """The keys, or endpoints, that the messages in the queue speak of."""
    sqs, found = boto3.client("sqs", REGION), []
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            detail = json.loads(message["Body"])["detail"]
            found.append(detail["object"]["key"] if "object" in detail else detail["EndpointName"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return found


@pytest.mark.parametrize("key", ["models/cat/model.tar.gz", "models/cat.tar.gz", "models/cat/deploy.toml"])
def test_a_drop_reaches_the_queue(outputs, key):
    boto3.client("s3", REGION).put_object(Bucket=outputs["BucketName"], Key=key, Body=b"x")

    assert set(received(outputs["LooksQueueUrl"])) == {key}


@pytest.mark.parametrize("key", ["model.tar.gz", "models/cat/notes.txt", "releases/cat/0123/model.tar.gz", "usage/cat"])
def test_what_is_no_drop_does_not(outputs, key):
    boto3.client("s3", REGION).put_object(Bucket=outputs["BucketName"], Key=key, Body=b"x")

    assert received(outputs["LooksQueueUrl"]) == []


def test_an_endpoint_s_change_reaches_the_queue_when_the_endpoint_is_ours(outputs):
    events = boto3.client("events", REGION)
    for name in ("tarmac-cat", "somebody-elses"):
        entry = {
            "Source": "aws.sagemaker",
            "DetailType": "SageMaker Endpoint State Change",
            "Detail": json.dumps({"EndpointName": name, "EndpointStatus": "IN_SERVICE"}),
        }
        events.put_events(Entries=[entry])

    assert received(outputs["LooksQueueUrl"]) == ["tarmac-cat"]


def test_the_functions_roles_and_queues_are_made(outputs):
    functions = boto3.client("lambda", REGION).list_functions()["Functions"]
    roles = boto3.client("iam", REGION).list_roles()["Roles"]

    assert {raw["Handler"] for raw in functions} == {"app.app", "app.look", "app.sweep"}
    assert {raw["Runtime"] for raw in functions} == {"python3.11"}
    assert any("ModelRole" in raw["RoleName"] for raw in roles)
    assert outputs["UploadUri"] == f"s3://{outputs['BucketName']}/models/<name>/model.tar.gz"
