"""`tarmac deploy` and `tarmac destroy` from end to end, on moto as far as it goes; and how they refuse."""

import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from click.testing import CliRunner
from moto import mock_aws

from tarmac.cli.deploy import bring, deploy, package, show_result
from tarmac.cli.destroy import destroy
from tarmac.cli.doctor import doctor
from tarmac.stack.accounts import open_account
from tarmac.stack.artifacts import Artifacts, default_bucket
from tarmac.stack.destruction import Destruction
from tarmac.stack.embedding import fit
from tarmac.stack.errors import DeploymentFailed, NoAccess, NoSuchStack, StackError, WrongRegion
from tarmac.stack.explanations import explained
from tarmac.stack.packaging import Package, Template
from tarmac.stack.stacks import Stack, StackState
from tarmac.stack.stages import Stage
from tests.stack.fake_aws import FakeCloudFormation, account_of, refused

REGION = "eu-west-1"


class AsFarAsMotoGoes(Package):
    """A package whose template leaves out what moto cannot make."""

    def translated(self, *, bucket: str, key: str, region: str) -> Template:
        return fit(super().translated(bucket=bucket, key=key, region=region)).template


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine that knows nobody."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


@pytest.fixture
def aws(environment: pytest.MonkeyPatch) -> Iterator[None]:
    environment.setenv("AWS_ACCESS_KEY_ID", "testing")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield


@pytest.fixture
def make(packaged: Any) -> Any:
    """The package without what moto does not know."""
    made = AsFarAsMotoGoes(packaged.package.sam, packaged.package.bundle)
    return lambda *_, **__: made


def test_the_result_is_url_upload_uri_and_how_to_get_in(capsys):
    outputs = {"EndpointURL": "https://x.execute-api/api/", "UploadUri": "s3://b/models/<name>/model.tar.gz"}

    show_result(Stage("prod"), StackState("id", "CREATE_COMPLETE", outputs=outputs), None)

    assert capsys.readouterr().out.splitlines() == [
        "URL     https://x.execute-api/api/",
        "upload  s3://b/models/<name>/model.tar.gz",
        "token   none: the API is closed. Make one: tarmac deploy --stage prod --new-token",
    ]


def test_a_first_deployment_names_everything_after_its_stage_and_shows_the_token_once(aws, make, capsys):
    account = open_account(region=REGION)

    bring(account, Stage("prod"), parameters={}, token="the token", make=make)

    out = capsys.readouterr().out
    assert "token   the token" in out
    state = Stack(account.clients("cloudformation"), "tarmac-prod").find()
    assert state.parameters["AppName"] == "tm-prod"
    assert state.parameters["TokenSha256"] == hashlib.sha256(b"the token").hexdigest()


def test_the_token_itself_is_nowhere_in_aws(aws, make):
    account = open_account(region=REGION)

    bring(account, Stage("prod"), parameters={}, token="the token", make=make)

    cloudformation, s3 = account.clients("cloudformation"), account.clients("s3")
    stored = json.dumps(cloudformation.describe_stacks()["Stacks"], default=str)
    for raw in s3.list_objects_v2(Bucket="tarmac-artifacts-123456789012-eu-west-1")["Contents"]:
        stored += str(s3.get_object(Bucket="tarmac-artifacts-123456789012-eu-west-1", Key=raw["Key"])["Body"].read())
    assert "the token" not in stored


def test_the_same_bundle_is_uploaded_once(aws, packaged):
    # moto's CloudFormation cannot carry out this stack's updates; what an update asks for is in test_deployment.py.
    account = open_account(region=REGION)
    artifacts = Artifacts(account, default_bucket(account))
    artifacts.prepare()

    keys = {artifacts.put_bundle(packaged.package.bundle) for _ in range(2)}

    (version,) = account.clients("s3").list_object_versions(Bucket=artifacts.bucket)["Versions"]
    assert keys == {version["Key"]}


def test_somebody_else_s_bucket_gets_no_code_of_ours(aws):
    client = boto3.client("s3", region_name=REGION)
    with Stubber(client) as stub:
        owned_by_us = {"Bucket": "taken", "ExpectedBucketOwner": "123456789012"}
        stub.add_client_error("head_bucket", "403", "Forbidden", expected_params=owned_by_us)

        with pytest.raises(NoAccess, match="not this account's"):
            Artifacts(account_of(s3=client), "taken").prepare()
    client.close()


def test_the_bucket_of_artefacts_is_private(aws, make):
    account = open_account(region=REGION)

    bring(account, Stage("prod"), parameters={}, make=make)

    s3, name = account.clients("s3"), "tarmac-artifacts-123456789012-eu-west-1"
    assert set(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values()) == {True}


def test_a_dry_run_makes_no_stack(aws, make):
    account = open_account(region=REGION)

    bring(account, Stage("prod"), parameters={}, dry_run=True, make=make)

    assert Stack(account.clients("cloudformation"), "tarmac-prod").find() is None


def test_destroy_deletes_the_endpoints_and_the_stack_and_tells_what_stays(aws, make):
    account = open_account(region=REGION)
    bring(account, Stage("prod"), parameters={}, make=make)
    sagemaker = account.clients("sagemaker")
    for app in ("tm-prod", "tm-other"):
        serve(sagemaker, f"{app}-cat", app)
    said = []
    stack = Stack(account.clients("cloudformation"), "tarmac-prod", pause=lambda _: None)

    kept = Destruction(account, stack, "tm-prod", said.append).run(lambda _: None)

    assert stack.find() is None
    assert [raw["EndpointName"] for raw in sagemaker.list_endpoints()["Endpoints"]] == ["tm-other-cat"]
    assert [raw["ModelName"] for raw in sagemaker.list_models()["Models"]] == ["tm-other-cat"]
    assert [one.what for one in kept] == ["bucket", "log groups", "role"]
    assert any(line.startswith("stopping tarmac-prod-Look") for line in said)
    with pytest.raises(NoSuchStack):
        Destruction(account, stack, "tm-prod", said.append).run(lambda _: None)


def serve(sagemaker: Any, name: str, app: str) -> None:
    tags = [{"Key": "tarmac:app", "Value": app}]
    sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn="arn:aws:iam::123456789012:role/model",
        PrimaryContainer={"Image": "x"},
        Tags=tags,
    )
    variant = {"VariantName": "All", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], Tags=tags)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=tags)


class Stubborn:
    """A SageMaker with one endpoint, which is being changed for a while and then takes its time to go."""

    def __init__(self) -> None:
        self.statuses = ["Updating", "InService", "Deleting", "Deleting"]
        self.deleted = 0

    def get_paginator(self, operation: str) -> Any:
        rows = {"list_endpoints": [{"EndpointName": "tm-prod-cat", "EndpointArn": "arn"}]}.get(operation, [])
        return type("Pages", (), {"paginate": lambda *_, **__: iter([{"Rows": rows}])})()

    def list_tags(self, **_: str) -> Any:
        return {"Tags": [{"Key": "tarmac:app", "Value": "tm-prod"}]}

    def describe_endpoint(self, **_: str) -> Any:
        if not self.statuses:
            raise refused("ValidationException", 'Could not find endpoint "arn".', "DescribeEndpoint")
        return {"EndpointStatus": self.statuses.pop(0)}

    def delete_endpoint(self, **_: str) -> None:
        self.deleted += 1


def test_destroy_waits_for_an_endpoint_that_is_being_changed_and_until_it_is_gone():
    sagemaker, cloudformation = Stubborn(), FakeCloudFormation(ends="DELETE_COMPLETE")

    Destruction(account_of(sagemaker=sagemaker), cloudformation.stack(), "tm-prod", lambda _: None).run(lambda _: None)

    assert sagemaker.deleted == 1
    assert sagemaker.statuses == []


def test_destroy_refuses_while_the_stack_is_being_changed():
    sagemaker = Stubborn()

    with pytest.raises(StackError, match="being changed"):
        Destruction(
            account_of(sagemaker=sagemaker), FakeCloudFormation("UPDATE_IN_PROGRESS").stack(), "tm-prod", lambda _: None
        ).run(lambda _: None)

    assert sagemaker.deleted == 0


def test_without_credentials_deploy_says_so_in_one_line(environment):
    result = CliRunner().invoke(deploy, ["--stage", "prod", "--region", REGION])

    assert isinstance(result.exception, NoAccess)
    assert result.exception.message == "there are no AWS credentials here"
    assert "aws sso login" in result.exception.fix


def test_without_a_region_deploy_says_so(environment):
    with pytest.raises(WrongRegion, match="no region is set"):
        open_account()


def test_a_region_where_sagemaker_is_not_is_told_with_those_where_it_is(environment):
    with pytest.raises(WrongRegion, match="does not run in 'eu-wset-1'") as refusal:
        open_account(region="eu-wset-1")

    assert "eu-west-1" in refusal.value.fix


def test_a_profile_that_is_not_there_is_told(environment):
    with pytest.raises(NoAccess, match="nobody"):
        open_account(profile="nobody", region=REGION)


@pytest.mark.parametrize(
    ("code", "message", "fact"),
    [
        ("ExpiredToken", "The security token included in the request is expired", "the credentials have expired"),
        ("InvalidClientTokenId", "The security token included in the request is invalid.", "AWS does not know these"),
        (
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match",
            "AWS does not accept the signature",
        ),
        (
            "AccessDenied",
            "User: ann is not authorized to perform: cloudformation:CreateChangeSet on resource: arn:x",
            "these credentials may not cloudformation:CreateChangeSet arn:x",
        ),
    ],
)
def test_credentials_that_do_not_work_are_one_line_and_the_next_step(code, message, fact):
    client = boto3.client("sts", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="y")
    with Stubber(client) as stub:
        stub.add_client_error("get_caller_identity", code, message)

        with pytest.raises(NoAccess) as refusal, explained():
            client.get_caller_identity()
    client.close()

    assert refusal.value.message.startswith(fact)
    assert refusal.value.fix


@pytest.mark.parametrize("name", ["Prod", "production", "", "a b", "a-b"])
def test_a_stage_that_cannot_be_part_of_a_name_is_refused(name):
    with pytest.raises(StackError, match="cannot be a stage"):
        Stage(name)


def test_an_unknown_setting_is_refused_before_anything_is_made(aws, make):
    account = open_account(region=REGION)

    with pytest.raises(DeploymentFailed, match="no parameter 'Idle'"):
        bring(account, Stage("prod"), parameters={"Idle": "1h"}, make=make)

    assert Stack(account.clients("cloudformation"), "tarmac-prod").find() is None


def test_destroy_asks_before_it_does_anything(aws):
    result = CliRunner().invoke(destroy, ["--stage", "prod", "--region", REGION], input="n\n")

    assert result.exit_code == 1
    assert "Delete tarmac-prod in account 123456789012, eu-west-1" in result.output


def test_doctor_tells_of_a_stage_that_is_not_there_and_exits_1(aws):
    result = CliRunner().invoke(doctor, ["--stage", "prod", "--region", REGION, "--json"])

    findings = json.loads(result.output)["findings"]
    assert result.exit_code == 1
    assert findings[-1]["message"] == "there is no stack tarmac-prod"
    assert findings[0]["message"] == "arn:aws:sts::123456789012:user/moto in account 123456789012"


def test_redrive_without_a_stage_is_a_mistake(aws):
    result = CliRunner().invoke(doctor, ["--redrive"])

    assert result.exit_code == 2
    assert "--redrive needs --stage" in result.output


def test_package_writes_template_and_bundle(tmp_path):
    result = CliRunner().invoke(package, ["--out", str(tmp_path / "out")])

    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"sam.yaml", "deployment.zip"}
