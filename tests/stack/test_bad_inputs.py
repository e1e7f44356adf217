"""What goes wrong in an account, through the real command line in a process of its own: one line and the next step."""

import signal
import time

import pytest

from tests.stack.scripted_aws import NOT_THERE, Refusal, event, scripted_aws, stack
from tests.stack.shells import Shell, error_of

UNCHANGED = {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}
STACK_TYPE = "AWS::CloudFormation::Stack"


def test_expired_credentials():
    with scripted_aws(GetCallerIdentity=[Refusal("ExpiredToken", "The security token is expired", 403)]) as (url, _):
        ran = Shell(url).run("deploy", "--stage", "test")

    assert (ran.returncode, error_of(ran)[0]) == (1, "error: the credentials have expired")
    assert "aws sso login" in error_of(ran)[1]
    assert len(error_of(ran)) == 2


def test_the_region_is_not_enabled_for_the_account():
    refusal = Refusal("InvalidClientTokenId", "The security token included in the request is invalid", 403)
    with scripted_aws(GetCallerIdentity=[refusal]) as (url, _):
        ran = Shell(url).run("deploy", "--stage", "test", "--region", "ap-southeast-2")

    assert "a region that is not enabled" in error_of(ran)[1]
    assert len(error_of(ran)) == 2


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "DELETE_FAILED"])
def test_a_stack_that_is_a_dead_end(status):
    with scripted_aws(DescribeStacks=[stack(status)]) as (url, script):
        ran = Shell(url).run("deploy", "--stage", "test")

    assert ran.returncode == 1
    assert error_of(ran)[1] == "  fix: tarmac destroy --stage test, then deploy again"
    assert len(error_of(ran)) == 2
    assert "CreateChangeSet" not in script.asked


def test_a_stack_in_the_middle_of_an_update_is_waited_for():
    with scripted_aws(
        DescribeStacks=[stack("UPDATE_IN_PROGRESS"), stack("UPDATE_IN_PROGRESS"), stack("UPDATE_COMPLETE")],
        DescribeStackEvents=[{"StackEvents": [event(1, "Look", "AWS::Lambda::Function", "UPDATE_COMPLETE")]}],
        ListChangeSets=[{"Summaries": []}],
        DescribeChangeSet=[UNCHANGED],
    ) as (url, _):
        ran = Shell(url).run("deploy", "--stage", "test")

    assert ran.returncode == 0, ran.stderr
    assert "nothing to change" in ran.stderr


@pytest.mark.parametrize(
    ("resource", "reason", "fact", "fix"),
    [
        ("DropBucket (AWS::S3::Bucket)", "drops already exists (Service: S3, Status Code: 0)",
         "the bucket's name is taken", "--set BucketName=NAME"),
        ("Look (AWS::Lambda::Function)",
         "User: arn:aws:iam::1:user/x is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/r",
         "may not pass the role arn:aws:iam::1:role/r", "iam:PassRole"),
    ],
)  # fmt: skip
def test_a_resource_that_cannot_be_made(resource, reason, fact, fix):
    name, kind = resource.removesuffix(")").split(" (")
    failed, rest = event(2, name, kind, "CREATE_FAILED", reason), event(1, "tarmac-test", STACK_TYPE, "CREATE_FAILED")
    with scripted_aws(
        DescribeStacks=[NOT_THERE, stack("ROLLBACK_COMPLETE")],
        DescribeStackEvents=[NOT_THERE, {"StackEvents": [failed, rest]}],
    ) as (url, _):
        ran = Shell(url).run("deploy", "--stage", "test")

    assert ran.returncode == 1
    assert error_of(ran)[0].startswith(f"error: {resource}: ")
    assert fact in error_of(ran)[0]
    assert fix in error_of(ran)[1]
    assert len(error_of(ran)) == 2


def test_an_instance_type_with_quota_0_is_told_by_doctor_with_the_command_that_asks_for_more():
    quota = {"QuotaName": "ml.m5.large for endpoint usage", "QuotaCode": "L-1", "Value": 0.0}
    with scripted_aws(
        DescribeStacks=[stack("CREATE_COMPLETE")],
        ListStackResources=[{"StackResourceSummaries": []}],
        ListEndpointConfigs=[{"EndpointConfigs": []}],
        ListAWSDefaultServiceQuotas=[{"Quotas": [quota]}],
        ListServiceQuotas=[{"Quotas": []}],
    ) as (url, _):
        ran = Shell(url).run("doctor", "--stage", "test")

    assert ran.returncode == 1
    assert "ml.m5.large: none may run here, the quota is 0" in ran.stdout
    assert "request-service-quota-increase --service-code sagemaker --quota-code L-1" in ran.stdout


def test_an_interrupted_deploy_run_again_watches_the_first_to_its_end_and_makes_no_second_stack():
    done = {"StackEvents": [event(2, "tarmac-test", STACK_TYPE, "CREATE_COMPLETE")]}
    with scripted_aws(
        DescribeStacks=[NOT_THERE, stack("CREATE_IN_PROGRESS")],
        DescribeStackEvents=[NOT_THERE, {"StackEvents": [event(1, "Look", "X::Y::Z", "CREATE_IN_PROGRESS")]}],
    ) as (url, script):
        with Shell(url).start("deploy", "--stage", "test") as first:
            give_up_at = time.monotonic() + 60
            while script.asked.count("DescribeStackEvents") < 2:
                assert time.monotonic() < give_up_at, script.asked
                time.sleep(0.05)
            first.send_signal(signal.SIGINT)
            _, said = first.communicate(timeout=30)
        script.say(
            DescribeStacks=[stack("CREATE_IN_PROGRESS"), stack("CREATE_COMPLETE")],
            DescribeStackEvents=[{"StackEvents": []}, done],
            ListChangeSets=[{"Summaries": []}],
            DescribeChangeSet=[UNCHANGED],
        )
        again = Shell(url).run("deploy", "--stage", "test")

    assert first.returncode == 130
    assert "AWS goes on without you. Watch it again with: tarmac deploy --stage test" in said
    assert "Traceback" not in said
    assert again.returncode == 0, again.stderr
    assert script.asked.count("ExecuteChangeSet") == 1
