"""Deployment where moto cannot go: failures, interruptions, states from which there is no way on."""

import pytest

from tarmac.stack.deployment import carry_out, dead_end, discard, propose, settle
from tarmac.stack.errors import DeploymentFailed, NotDeployable
from tests.stack.fake_aws import NAME, FakeCloudFormation

TEMPLATE = {"Parameters": {"AppName": {"Type": "String"}, "TokenSha256": {"Type": "String", "Default": ""}}}


def proposed(cloudformation, **parameters):
    stack = cloudformation.stack()
    return propose(
        stack,
        stack.find(),
        template=TEMPLATE,
        template_url="https://x",
        parameters=parameters,
        tags={"tarmac:app": "tm"},
    )


@pytest.mark.parametrize(
    ("status", "next_step"),
    [
        ("ROLLBACK_COMPLETE", "tarmac destroy --stage prod, then deploy again"),
        ("ROLLBACK_FAILED", "tarmac destroy --stage prod, then deploy again"),
        ("DELETE_FAILED", "tarmac destroy --stage prod, then deploy again"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback --stack-name tarmac-prod"),
    ],
)
def test_a_stack_at_a_dead_end_says_so_and_how_to_go_on(status, next_step):
    cloudformation = FakeCloudFormation(status)

    with pytest.raises(NotDeployable) as refusal:
        settle(cloudformation.stack(), lambda _: None)

    assert NAME in refusal.value.message
    assert next_step in refusal.value.fix


@pytest.mark.parametrize(
    "status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"]
)
def test_a_stack_at_rest_can_be_deployed_to(status):
    assert dead_end(NAME, status) is None


def test_an_interrupted_deployment_run_again_waits_for_the_first_to_end():
    cloudformation = FakeCloudFormation(
        "UPDATE_IN_PROGRESS", [("Look", "AWS::Lambda::Function", "UPDATE_COMPLETE", "")]
    )
    told = []

    state = settle(cloudformation.stack(), told.append)

    assert state.status == "UPDATE_COMPLETE"
    assert [event.logical_id for event in told] == ["Look"]


def test_a_stack_in_name_only_counts_as_none():
    assert settle(FakeCloudFormation("REVIEW_IN_PROGRESS").stack(), lambda _: None) is None


def test_change_sets_that_an_interruption_left_are_forgotten_and_others_are_not_touched():
    cloudformation = FakeCloudFormation("UPDATE_COMPLETE", old_change_sets=["tarmac-0123", "somebody-elses"])

    proposed(cloudformation)

    deleted = [params["ChangeSetName"] for name, params in cloudformation.asked if name == "delete_change_set"]
    assert deleted == ["tarmac-0123"]


def test_an_update_keeps_the_parameters_that_nobody_sets():
    cloudformation = FakeCloudFormation("UPDATE_COMPLETE", parameters={"AppName": "tm-prod", "TokenSha256": "a"})

    proposed(cloudformation, TokenSha256="b")

    asked = dict(cloudformation.asked)["create_change_set"]
    assert asked["ChangeSetType"] == "UPDATE"
    assert asked["Parameters"] == [
        {"ParameterKey": "AppName", "UsePreviousValue": True},
        {"ParameterKey": "TokenSha256", "ParameterValue": "b"},
    ]
    assert asked["Tags"] == [{"Key": "tarmac:app", "Value": "tm"}]
    assert asked["Capabilities"] == ["CAPABILITY_IAM"]


def test_an_unknown_parameter_is_refused_before_aws_is_asked():
    cloudformation = FakeCloudFormation("UPDATE_COMPLETE")

    with pytest.raises(DeploymentFailed, match="no parameter 'IdleAfterr'"):
        proposed(cloudformation, IdleAfterr="1h")

    assert cloudformation.asked == []


def test_nothing_to_change_is_no_failure_and_leaves_no_change_set():
    nothing = {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}
    cloudformation = FakeCloudFormation("UPDATE_COMPLETE", change_set=nothing)

    change_set = proposed(cloudformation)

    assert change_set.name is None
    assert cloudformation.names() == ["create_change_set", "delete_change_set"]


def test_a_refused_first_change_leaves_no_stack_in_name_only():
    wrong = {"Status": "FAILED", "StatusReason": "Parameter SweepRate failed to satisfy constraint"}
    cloudformation = FakeCloudFormation(change_set=wrong)

    with pytest.raises(DeploymentFailed, match="SweepRate"):
        proposed(cloudformation, AppName="tm")

    assert cloudformation.names()[-1] == "delete_stack"


def test_a_dry_run_takes_its_proposal_back():
    cloudformation = FakeCloudFormation()

    discard(proposed(cloudformation, AppName="tm"))

    assert cloudformation.names() == ["create_change_set", "delete_change_set", "delete_stack"]


def test_a_deployment_shows_each_event_once_and_in_order():
    happens = [
        ("Look", "AWS::Lambda::Function", "UPDATE_IN_PROGRESS", ""),
        ("Look", "AWS::Lambda::Function", "UPDATE_COMPLETE", ""),
    ]
    cloudformation = FakeCloudFormation("CREATE_COMPLETE", list(happens))
    cloudformation.happened("Old", "AWS::SQS::Queue", "CREATE_COMPLETE")
    told = []

    state = carry_out(proposed(cloudformation), told.append)

    assert state.status == "UPDATE_COMPLETE"
    assert [(event.logical_id, event.status) for event in told] == [(one[0], one[2]) for one in happens]


@pytest.mark.parametrize(
    ("resource", "kind", "reason", "fact", "next_step"),
    [
        (
            "DropBucket",
            "AWS::S3::Bucket",
            "my-models already exists (Service: S3, Status Code: 0)",
            "the bucket's name is taken",
            "--set BucketName=NAME",
        ),
        (
            "Look",
            "AWS::Lambda::Function",
            "User: ann is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/look because",
            "these credentials may not pass the role arn:aws:iam::1:role/look",
            "iam:PassRole",
        ),
        (
            "Sweep",
            "AWS::Lambda::Function",
            "... decreases account's UnreservedConcurrentExecution below its minimum value of [10].",
            "the account's Lambda concurrency is too low",
            "request-service-quota-increase",
        ),
        (
            "RestAPIapiStage",
            "AWS::ApiGateway::Stage",
            "CloudWatch Logs role ARN must be set in account settings to enable logging",
            "no role with which API Gateway writes logs",
            "ApiAccessLogs=with-own-role",
        ),
        (
            "ModelRole",
            "AWS::IAM::Role",
            "API: iam:CreateRole User: ann is not authorized to perform: iam:CreateRole on resource: role/x",
            "these credentials may not iam:CreateRole",
            "docs/stack.md",
        ),
    ],
)
def test_a_failed_update_says_which_resource_why_and_what_next(resource, kind, reason, fact, next_step):
    happens = [
        (resource, kind, "UPDATE_FAILED", reason),
        ("Dashboard", "AWS::CloudWatch::Dashboard", "UPDATE_FAILED", "Resource update cancelled"),
    ]
    cloudformation = FakeCloudFormation("CREATE_COMPLETE", happens, ends="UPDATE_ROLLBACK_COMPLETE")

    with pytest.raises(DeploymentFailed) as failure:
        carry_out(proposed(cloudformation), lambda _: None)

    assert failure.value.message.startswith(f"{resource} ({kind}): ")
    assert fact in failure.value.message
    assert "\n" not in failure.value.message
    assert next_step in failure.value.fix


def test_a_stack_deleted_under_way_is_a_failure():
    cloudformation = FakeCloudFormation("CREATE_COMPLETE", ends="DELETE_COMPLETE")

    with pytest.raises(DeploymentFailed, match="DELETE_COMPLETE"):
        carry_out(proposed(cloudformation), lambda _: None)
