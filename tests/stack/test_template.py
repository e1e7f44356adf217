"""The template in its two forms: as Chalice and the merge make it, and as SAM's translator leaves it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from tarmac.stack.packaging import NOT_EVERYWHERE

ROOT = Path(__file__).parents[2]
IGNORED: dict[str, str] = {}
"""Rules of cfn-lint that are not held, each with the reason. None is needed."""
REGIONS = ["us-east-1", "eu-west-1", "eu-central-1", "ap-southeast-2", "cn-north-1"]
"""Where the whole template must be legal; us-gov gets one of its own, without the budget."""


def linted(template: dict[str, Any], regions: list[str]) -> list[str]:
    found = lint(json.dumps(template), config=ManualArgs(regions=regions, ignore_checks=list(IGNORED)))
    return [f"{problem.rule.id} {problem.message}" for problem in found]


def strings(raw: Any) -> list[str]:
    if isinstance(raw, dict):
        return [text for key, value in raw.items() for text in (key, *strings(value))]
    if isinstance(raw, list):
        return [text for item in raw for text in strings(item)]
    return [raw] if isinstance(raw, str) else []


def test_the_sam_template_is_clean_under_cfn_lint(packaged):
    assert linted(packaged.sam, REGIONS) == []


def test_the_translated_template_is_clean_under_cfn_lint(packaged):
    assert linted(packaged.cloudformation(), REGIONS) == []


def test_the_linter_sees_what_is_wrong(packaged):
    template = packaged.cloudformation()
    template["Resources"]["LooksQueue"]["Properties"]["VisibilityTimeout"] = 99_999

    assert any("99999" in problem for problem in linted(template, REGIONS))


def test_gov_cloud_gets_a_template_of_what_gov_cloud_knows(packaged):
    gov = packaged.cloudformation("us-gov-west-1")

    assert linted(gov, ["us-gov-west-1"]) == []
    missing = set(packaged.cloudformation()["Resources"]) - set(gov["Resources"])
    assert missing == {"Budget"}
    assert NOT_EVERYWHERE == {"aws-us-gov": ("AWS::Budgets::Budget",)}


@pytest.mark.parametrize("region", ["eu-west-1", "cn-north-1", "us-gov-west-1"])
def test_no_region_partition_or_account_is_written_into_the_template(packaged, region):
    hard_coded = re.compile(
        r"arn:aws[a-z-]*:|\b\d{12}\b|\b(us|eu|ap|cn|sa|ca|me|af|il)-[a-z]+-\d\b|us-gov|amazonaws\.com/"
    )

    found = [text for text in strings(packaged.cloudformation(region)) if hard_coded.search(text)]

    assert found == []


def test_packaging_for_another_region_gives_the_same_template(packaged):
    assert packaged.cloudformation("cn-north-1") == packaged.cloudformation("eu-west-1")


def test_no_secret_and_no_payload_is_in_outputs_or_access_logs(packaged):
    template = packaged.cloudformation()
    stage = template["Resources"]["RestAPIapiStage"]["Properties"]

    assert not {name for name in template["Outputs"] if re.search("token|secret|password|sha256", name, re.IGNORECASE)}
    log_format = stage["AccessLogSetting"]["Fn::If"][1]["Format"]
    assert set(re.findall(r"\$context\.([\w.]+)", log_format)) <= {
        "requestId", "identity.sourceIp", "requestTime", "httpMethod", "path", "status",
        "responseLength", "responseLatency", "error.responseType",
    }  # fmt: skip
    assert [setting["DataTraceEnabled"] for setting in stage["MethodSettings"]] == [False]
    assert json.loads(log_format)["request_id"] == "$context.requestId"


def test_the_access_log_and_every_function_log_are_kept_only_so_long(packaged):
    resources = packaged.cloudformation()["Resources"]
    groups = {name: raw for name, raw in resources.items() if raw["Type"] == "AWS::Logs::LogGroup"}
    functions = {name: raw for name, raw in resources.items() if raw["Type"] == "AWS::Lambda::Function"}

    assert all(raw["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"} for raw in groups.values())
    assert set(functions) == {"APIHandler", "Look", "Sweep"}
    written = {raw["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] for raw in functions.values()}
    assert written < set(groups)


def test_the_queue_hides_a_message_six_times_as_long_as_a_look_may_take(packaged):
    resources = packaged.cloudformation()["Resources"]

    timeout_s = resources["Look"]["Properties"]["Timeout"]

    assert resources["LooksQueue"]["Properties"]["VisibilityTimeout"] >= 6 * timeout_s


def test_a_batch_is_answered_message_by_message(packaged):
    mapping = packaged.cloudformation()["Resources"]["LookLookSqsEventSource"]["Properties"]

    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["LooksQueue", "Arn"]}


def test_sweeps_never_run_two_at_a_time_and_a_failed_one_is_not_lost(packaged):
    resources = packaged.cloudformation()["Resources"]

    assert resources["Sweep"]["Properties"]["ReservedConcurrentExecutions"] == 1
    destination = resources["SweepEventInvokeConfig"]["Properties"]["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == {"Fn::GetAtt": ["DeadLetters", "Arn"]}


@pytest.mark.parametrize("rule", ["DropRule", "EndpointRule", "TrainingRule"])
def test_every_rule_retries_for_a_day_and_then_keeps_the_event(packaged, rule):
    (target,) = packaged.cloudformation()["Resources"][rule]["Properties"]["Targets"]

    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}


def test_the_api_is_closed_until_somebody_sets_a_token(packaged):
    template = packaged.cloudformation()

    assert template["Parameters"]["TokenSha256"]["Default"] == ""
    variables = template["Resources"]["APIHandler"]["Properties"]["Environment"]["Variables"]
    assert variables["TARMAC_TOKEN_SHA256"] == {"Ref": "TokenSha256"}


def test_the_bucket_outlives_the_stack_but_not_a_first_deployment_that_failed(packaged):
    bucket = packaged.cloudformation()["Resources"]["DropBucket"]

    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
    assert bucket["UpdateReplacePolicy"] == "Retain"
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}


def test_what_api_gateway_answers_by_itself_is_in_the_house_s_format(packaged):
    body = packaged.cloudformation()["Resources"]["RestAPI"]["Properties"]["Body"]
    answers = body["x-amazon-apigateway-gateway-responses"]

    assert {"DEFAULT_4XX", "DEFAULT_5XX", "MISSING_AUTHENTICATION_TOKEN", "THROTTLED"} <= set(answers)
    for answer in answers.values():
        raw = json.loads(answer["responseTemplates"]["application/json"])["error"]
        assert {"code", "message"} <= set(raw) <= {"code", "message", "fix"}
    assert answers["MISSING_AUTHENTICATION_TOKEN"]["statusCode"] == "404"
    waits = {
        name
        for name, raw in answers.items()
        if "gatewayresponse.header.Retry-After" in raw.get("responseParameters", {})
    }
    assert waits == {"THROTTLED", "QUOTA_EXCEEDED", "INTEGRATION_FAILURE"}


def test_api_gateway_has_one_stage_and_its_own_limits(packaged):
    resources = packaged.cloudformation()["Resources"]
    stages = [raw["Properties"] for raw in resources.values() if raw["Type"] == "AWS::ApiGateway::Stage"]
    deployments = [raw["Properties"] for raw in resources.values() if raw["Type"] == "AWS::ApiGateway::Deployment"]

    assert [stage["StageName"] for stage in stages] == ["api"]
    assert all("StageName" not in deployment for deployment in deployments)
    assert stages[0]["MethodSettings"][0]["ThrottlingRateLimit"] == {"Ref": "ThrottleRate"}


def test_the_model_s_role_reads_releases_and_never_drops(packaged):
    (inline,) = packaged.cloudformation()["Resources"]["ModelRole"]["Properties"]["Policies"]
    reads = [raw for raw in inline["PolicyDocument"]["Statement"] if raw.get("Action") == "s3:GetObject"]

    places = ["${DropBucket.Arn}/releases/*", "${DropBucket.Arn}/requests/*/input"]
    assert [raw["Resource"] for raw in reads] == [{"Fn::Sub": each} for each in places]


def test_every_alarm_writes_to_the_topic_and_every_setting_reaches_the_functions(packaged):
    resources = packaged.cloudformation()["Resources"]
    alarms = {name for name, raw in resources.items() if raw["Type"] == "AWS::CloudWatch::Alarm"}

    assert alarms == {"DeadLettersAlarm", "SweepErrorsAlarm", "NotSweptAlarm", "LookErrorsAlarm", "ModelFailedAlarm"}
    told = [{"Fn::If": ["HasAlarmEmail", {"Ref": "AlarmTopic"}, {"Ref": "AWS::NoValue"}]}]
    assert all(resources[name]["Properties"]["AlarmActions"] == told for name in alarms)


@pytest.mark.parametrize("function", ["APIHandler", "Look", "Sweep"])
def test_the_application_understands_the_environment_that_the_template_gives_it(packaged, function):
    from chalicelib.settings import read_settings
    from tests.stack.judging import ATTRIBUTES, VALUES
    from tests.stack.resolving import Resolver

    template = packaged.cloudformation()
    values = {**VALUES, "DropBucket": "b", "LooksQueue": "https://sqs/q"}
    variables = Resolver(template, values, ATTRIBUTES).resolve(
        template["Resources"][function]["Properties"]["Environment"]["Variables"]
    )

    # Lambda's environment is text; CloudFormation writes a number out.
    settings = read_settings({"AWS_REGION": "eu-west-1"} | {name: str(value) for name, value in variables.items()})

    assert (settings.app, settings.bucket, settings.idle_after_s, settings.idle_floor_s) == ("tarmac", "b", 900, 900)
    assert settings.token_sha256 == frozenset()
    assert (settings.subnets, settings.security_groups, settings.endpoints_max) == ((), (), 10)
    assert {"ml.m5.large", "ml.g5.xlarge"} < settings.instance_types
    assert (settings.last_resort_group, settings.last_resort_after_s) == ("tarmac-test", 12 * 3600)
