"""What each function may do is what it does: no less, or it fails in AWS; no more, or it is not least privilege."""

import json
from collections.abc import Iterator

import pytest
from policy_sentry.querying.actions import get_action_data

from tests.recording import AwsCall, Recording
from tests.stack.judging import ACCOUNT, ATTRIBUTES, REGION, ROLES, VALUES, judge, policy_of
from tests.stack.main_flow import PAYLOAD, TOKEN, application, run_main_flow
from tests.stack.policies import Need, allowing, statements
from tests.stack.resolving import Resolver


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    patch = pytest.MonkeyPatch()
    with application(
        tmp_path_factory.mktemp("flow"), lambda variables: [patch.setenv(*pair) for pair in variables.items()]
    ) as flow:
        yield run_main_flow(flow)
    patch.undo()


@pytest.mark.parametrize("function", ROLES)
def test_every_call_of_the_main_flow_is_allowed(recorded, function):
    calls = [call for call in recorded.calls if call.door is not None]
    assert recorded.at(function)

    denied = judge(policy_of(function), calls, function).denied

    assert not denied, "\n".join(dict.fromkeys(denied))


@pytest.mark.parametrize("function", ROLES)
def test_every_allowed_action_and_resource_is_used(recorded, function):
    calls = [call for call in recorded.calls if call.door is not None]

    unused = judge(policy_of(function), calls, function).unused

    assert not unused, "\n".join(unused)


@pytest.mark.parametrize("role", [*ROLES.values(), "ModelRole", "LastResortRole"])
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


@pytest.mark.parametrize("role", [*ROLES.values(), "ModelRole", "LastResortRole"])
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


def test_neither_the_token_nor_a_payload_is_ever_logged(recorded):
    log = "\n".join(recorded.log)

    assert "put to sleep" in log
    assert "Deploys" in log
    assert TOKEN not in log
    assert PAYLOAD.decode() not in log


def test_a_call_outside_the_policy_is_told_by_name():
    call = AwsCall("sagemaker", "DeleteEndpoint", {"EndpointName": "tarmac-cat"}, "api")

    denied = judge(policy_of("api"), [call], "api").denied

    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/tarmac-cat"
    assert denied[0] == f"api: DeleteEndpoint needs sagemaker:DeleteEndpoint on {arn}"


def test_an_endpoint_without_our_tag_may_not_be_deleted():
    call = AwsCall("sagemaker", "DeleteEndpoint", {"EndpointName": "tarmac-somebody-elses"}, "sweep")

    assert judge(policy_of("sweep"), [call], "sweep").denied


def test_an_instance_type_outside_the_list_may_not_be_configured():
    policy = policy_of("look")
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config/tarmac-cat-12345678"
    tag = {"aws:RequestTag/tarmac:app": "tarmac"}

    def allowed(instance_type: str) -> bool:
        context = {**tag, "sagemaker:InstanceTypes": [instance_type]}
        return allowing(policy, Need("sagemaker:CreateEndpointConfig", arn, context)) is not None

    assert allowed("ml.m5.large")
    assert not allowed("ml.p5.48xlarge")


def test_no_other_role_may_be_passed_nor_ours_to_another_service():
    policy, role = policy_of("look"), ATTRIBUTES["ModelRole.Arn"]

    def allowed(role: str, service: str) -> bool:
        return allowing(policy, Need("iam:PassRole", role, {"iam:PassedToService": service})) is not None

    assert allowed(role, "sagemaker.amazonaws.com")
    assert not allowed(role, "ec2.amazonaws.com")
    assert not allowed(f"arn:aws:iam::{ACCOUNT}:role/admin", "sagemaker.amazonaws.com")


def test_the_api_can_neither_create_nor_delete_anything_in_sagemaker():
    actions = {action for statement in policy_of("api") for action in statement.actions}

    assert not {action for action in actions if action.startswith(("sagemaker:Create", "sagemaker:Delete", "iam:"))}


@pytest.mark.parametrize("function", ROLES)
def test_a_role_s_inline_policies_are_within_what_iam_takes(function):
    resolved = [
        {
            "Action": one.actions,
            "Resource": one.resources,
            "Condition": dict(one.conditions),
            "Sid": one.sid,
            "Effect": "A",
        }
        for one in policy_of(function)
    ]

    # 10,240 characters for all of a role's inline policies, blanks not counted. Source: IAM's quotas.
    assert len(json.dumps(resolved, separators=(",", ":"))) < 10_240
