"""What each function may do is what it does: no less, or it fails in AWS; no more, or it is not least privilege."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from policy_sentry.querying.actions import get_action_data

from tests.recording import AwsCall, Recording
from tests.stack.conftest import Packaged
from tests.stack.main_flow import application, run_main_flow
from tests.stack.needs import Needs
from tests.stack.policies import Need, Statement, allowing, resource_of, statements
from tests.stack.resolving import Resolver

ROLES = {"api": "ApiHandlerRole", "look": "LookRole", "sweep": "SweepRole"}
ACCOUNT, REGION = "123456789012", "us-east-1"
KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
DEAD_LETTERS = f"arn:aws:sqs:{REGION}:{ACCOUNT}:tarmac-looks-dead"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:tarmac-looks"
VALUES = {
    "AppName": "tarmac",
    "KmsKeyArn": KEY_ARN,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::StackName": "tarmac-test",
}
ATTRIBUTES = {
    "DropBucket.Arn": "arn:aws:s3:::tarmac-local",
    "LooksQueue.Arn": QUEUE,
    "DeadLetters.Arn": DEAD_LETTERS,
    "ModelRole.Arn": f"arn:aws:iam::{ACCOUNT}:role/tarmac-local-sagemaker",
    **{
        f"{group}Logs.Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/tarmac/tarmac-test/{group.lower()}:*"
        for group in ("Api", "Look", "Sweep")
    },
}


def _log(function: str) -> list[Need]:
    stream = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/tarmac/tarmac-test/{function}:log-stream:x"
    return [Need("logs:CreateLogStream", stream), Need("logs:PutLogEvents", stream)]


WITH_THE_KEY = [Need("kms:Decrypt", KEY_ARN), Need("kms:GenerateDataKey", KEY_ARN)]
RECEIVING = [Need(f"sqs:{action}", QUEUE) for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")]
NOT_BY_THE_CODE = {
    # What Lambda itself, and S3 on the function's behalf, do with the function's role; no call of ours shows it.
    "api": [*_log("api"), *WITH_THE_KEY],
    "look": [*_log("look"), *WITH_THE_KEY, *RECEIVING],
    "sweep": [*_log("sweep"), *WITH_THE_KEY, Need("sqs:SendMessage", DEAD_LETTERS)],
}


@dataclass
class Judgement:
    """What a function asked for, what of it nothing allows, and what is allowed and never asked for."""

    denied: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


def policy_of(packaged: Packaged, function: str) -> tuple[Statement, ...]:
    template = packaged.cloudformation(REGION)
    (inline,) = template["Resources"][ROLES[function]]["Properties"]["Policies"]
    return statements(Resolver(template, VALUES, ATTRIBUTES).resolve(inline["PolicyDocument"]))


def judge(policy: tuple[Statement, ...], calls: list[AwsCall], function: str) -> Judgement:
    """Hold the calls of all functions against one function's policy; those of the others only tell what is tagged."""
    judgement, used = Judgement(), set()
    translate = Needs(ACCOUNT, REGION)
    asked = [(call.operation, need) for call in calls for need in translate.of(call) if call.door == function]
    for operation, need in [*asked, *(("(AWS itself)", need) for need in NOT_BY_THE_CODE[function])]:
        statement = allowing(policy, need)
        if statement is None:
            judgement.denied.append(f"{function}: {operation} needs {need}")
        else:
            used |= {(statement.sid, need.action), (statement.sid, resource_of(statement, need))}
    judgement.unused = [
        f"{function}: {statement.sid} allows {allowed}, which is never asked for"
        for statement in policy
        for allowed in (*statement.actions, *statement.resources)
        if (statement.sid, allowed) not in used
    ]
    return judgement


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    patch = pytest.MonkeyPatch()
    with application(
        tmp_path_factory.mktemp("flow"), lambda variables: [patch.setenv(*pair) for pair in variables.items()]
    ) as flow:
        yield run_main_flow(flow)
    patch.undo()


@pytest.mark.parametrize("function", ROLES)
def test_every_call_of_the_main_flow_is_allowed(packaged, recorded, function):
    calls = [call for call in recorded.calls if call.door is not None]
    assert recorded.at(function)

    denied = judge(policy_of(packaged, function), calls, function).denied

    assert not denied, "\n".join(dict.fromkeys(denied))


@pytest.mark.parametrize("function", ROLES)
def test_every_allowed_action_and_resource_is_used(packaged, recorded, function):
    calls = [call for call in recorded.calls if call.door is not None]

    unused = judge(policy_of(packaged, function), calls, function).unused

    assert not unused, "\n".join(unused)


@pytest.mark.parametrize("role", [*ROLES.values(), "ModelRole"])
def test_a_star_stands_only_where_iam_knows_no_narrower_resource(packaged, role):
    template = packaged.cloudformation(REGION)
    policies = template["Resources"][role]["Properties"]["Policies"]
    resolver = Resolver(template, VALUES | {"SubnetIds": ["subnet-1"]}, ATTRIBUTES)
    starred = [
        action
        for inline in policies
        for statement in statements(resolver.resolve(inline["PolicyDocument"]))
        for action in statement.actions
        if "*" in statement.resources
    ]

    narrower = {
        action: row["resource_arn_format"]
        for action in starred
        for row in get_action_data(*action.split(":"))[action.split(":")[0]]
        if row["resource_arn_format"] != "*"
    }

    assert not narrower


@pytest.mark.parametrize("role", [*ROLES.values(), "ModelRole"])
def test_every_allowed_action_exists_and_none_is_a_wildcard(packaged, role):
    template = packaged.cloudformation(REGION)
    policies = template["Resources"][role]["Properties"]["Policies"]
    resolver = Resolver(template, VALUES | {"SubnetIds": ["subnet-1"]}, ATTRIBUTES)
    actions = {
        action
        for inline in policies
        for statement in statements(resolver.resolve(inline["PolicyDocument"]))
        for action in statement.actions
    }

    unknown = {action for action in actions if not get_action_data(*action.split(":"))}

    assert not unknown


def test_a_call_outside_the_policy_is_told_by_name(packaged):
    call = AwsCall("sagemaker", "DeleteEndpoint", {"EndpointName": "tarmac-cat"}, "api")

    denied = judge(policy_of(packaged, "api"), [call], "api").denied

    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/tarmac-cat"
    assert denied[0] == f"api: DeleteEndpoint needs sagemaker:DeleteEndpoint on {arn}"


def test_an_endpoint_without_our_tag_may_not_be_deleted(packaged):
    call = AwsCall("sagemaker", "DeleteEndpoint", {"EndpointName": "tarmac-somebody-elses"}, "sweep")

    assert judge(policy_of(packaged, "sweep"), [call], "sweep").denied


def test_an_instance_type_outside_the_list_may_not_be_configured(packaged):
    policy = policy_of(packaged, "look")
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config/tarmac-cat-12345678"
    tag = {"aws:RequestTag/tarmac:app": "tarmac"}

    def allowed(instance_type: str) -> bool:
        context = {**tag, "sagemaker:InstanceTypes": [instance_type]}
        return allowing(policy, Need("sagemaker:CreateEndpointConfig", arn, context)) is not None

    assert allowed("ml.m5.large")
    assert not allowed("ml.p5.48xlarge")


def test_no_other_role_may_be_passed_nor_ours_to_another_service(packaged):
    policy, role = policy_of(packaged, "look"), ATTRIBUTES["ModelRole.Arn"]

    def allowed(role: str, service: str) -> bool:
        return allowing(policy, Need("iam:PassRole", role, {"iam:PassedToService": service})) is not None

    assert allowed(role, "sagemaker.amazonaws.com")
    assert not allowed(role, "ec2.amazonaws.com")
    assert not allowed(f"arn:aws:iam::{ACCOUNT}:role/admin", "sagemaker.amazonaws.com")


def test_the_api_can_neither_create_nor_delete_anything_in_sagemaker(packaged):
    actions = {action for statement in policy_of(packaged, "api") for action in statement.actions}

    assert not {action for action in actions if action.startswith(("sagemaker:Create", "sagemaker:Delete", "iam:"))}
