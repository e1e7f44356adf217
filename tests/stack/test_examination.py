"""`tarmac doctor --stage`: what it sees, and that it tells how to mend it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tarmac.stack.examination import Examination, redrive
from tarmac.stack.findings import Finding, Health
from tests.stack.fake_aws import NAME, FakeCloudFormation, account_of, refused

RESOURCES = {"DropBucket": "drops", "DeadLetters": "https://sqs/dead", "LooksQueue": "https://sqs/looks"}


class Pages:
    """Paginators that give one page each."""

    def __init__(self, **pages: dict[str, Any]) -> None:
        self._pages = pages

    def get_paginator(self, operation: str) -> Any:
        page = self._pages[operation]
        return type("Paginator", (), {"paginate": lambda *_, **__: iter([page])})()


class Formation(FakeCloudFormation):
    """A stack with resources and, perhaps, drift."""

    drifted: tuple[str, ...] = ()

    def paginate(self, **_: str) -> Iterator[dict[str, Any]]:
        rows = [{"LogicalResourceId": key, "PhysicalResourceId": value} for key, value in RESOURCES.items()]
        yield {"StackEvents": [], "StackResourceSummaries": rows}

    def detect_stack_drift(self, **_: str) -> dict[str, str]:
        return {"StackDriftDetectionId": "d"}

    def describe_stack_drift_detection_status(self, **_: str) -> dict[str, str]:
        return {"DetectionStatus": "DETECTION_COMPLETE"}

    def describe_stack_resource_drifts(self, **_: Any) -> dict[str, Any]:
        one = {"ResourceType": "AWS::SQS::Queue", "StackResourceDriftStatus": "MODIFIED"}
        return {"StackResourceDrifts": [{**one, "LogicalResourceId": name} for name in self.drifted]}


class SageMaker(Pages):
    def __init__(self, *instance_types: str) -> None:
        super().__init__(list_endpoint_configs={"EndpointConfigs": [{"EndpointConfigName": "tm-prod-cat-01234567"}]})
        self.instance_types = instance_types

    def describe_endpoint_config(self, **_: str) -> dict[str, Any]:
        return {"ProductionVariants": [{"InstanceType": one} for one in self.instance_types]}


class Iam(Pages):
    def __init__(self, *attached: str) -> None:
        def role(name: str, service: str) -> dict[str, Any]:
            return {"RoleName": name, "AssumeRolePolicyDocument": {"Statement": [{"Principal": {"Service": service}}]}}

        roles = [role("model-role", "sagemaker.amazonaws.com"), role("other", "ec2.amazonaws.com")]
        super().__init__(list_roles={"Roles": roles})
        self.attached = attached

    def list_attached_role_policies(self, **_: str) -> dict[str, Any]:
        return {"AttachedPolicies": [{"PolicyName": name} for name in self.attached]}

    def list_role_policies(self, **_: str) -> dict[str, Any]:
        return {"PolicyNames": ["model"]}


class Sqs:
    def __init__(self, *letters: str) -> None:
        self.letters = letters
        self.moved: dict[str, str] = {}

    def get_queue_attributes(self, QueueUrl: str, **_: Any) -> dict[str, Any]:  # noqa: N803  # boto3's spelling
        arn = f"arn:aws:sqs:eu-west-1:123456789012:{QueueUrl.rsplit('/', 1)[-1]}"
        return {"Attributes": {"QueueArn": arn, "ApproximateNumberOfMessages": str(len(self.letters))}}

    def receive_message(self, **_: Any) -> dict[str, Any]:
        return {"Messages": [{"Body": body} for body in self.letters]}

    def start_message_move_task(self, **asked: str) -> None:
        self.moved = asked


def quotas(**values: float) -> Pages:
    def rows(named: dict[str, float]) -> dict[str, Any]:
        return {
            "Quotas": [
                {"QuotaName": f"{k} for endpoint usage", "QuotaCode": "L-1", "Value": v} for k, v in named.items()
            ]
        }

    named = {name.replace("_", "."): value for name, value in values.items()}
    return Pages(list_aws_default_service_quotas=rows(dict.fromkeys(named, 0.0)), list_service_quotas=rows(named))


def uploads(*keys: str, age: timedelta = timedelta(days=1)) -> Pages:
    begun = datetime.now(UTC) - age
    rows = [{"Key": key, "UploadId": "u", "Initiated": begun} for key in keys]
    return Pages(list_multipart_uploads={"Uploads": rows} if rows else {})


def examined(**changes: Any) -> dict[str, list[Finding]]:
    parameters = {"AppName": "tm-prod", "InstanceType": "ml.m5.large", "TokenSha256": "a"}
    formation = changes.pop("formation", None) or Formation("UPDATE_COMPLETE", parameters=parameters)
    services = {
        "sagemaker": SageMaker("ml.m5.large"),
        "service-quotas": quotas(ml_m5_large=4),
        "iam": Iam(),
        "s3": uploads(),
        "sqs": Sqs(),
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    found: dict[str, list[Finding]] = {}
    for finding in Examination(account_of(**services), formation.stack()).findings():
        found.setdefault(finding.name, []).append(finding)
    return found


def test_a_healthy_stage_has_nothing_to_mend():
    findings = [finding for group in examined().values() for finding in group]

    assert {finding.health for finding in findings} == {Health.OK}
    assert {finding.name for finding in findings} >= {
        "credentials",
        "region",
        "stack",
        "token",
        "quota",
        "role",
        "drift",
    }


def test_a_quota_of_zero_is_an_error_with_the_command_that_asks_for_more():
    (finding,) = examined(service_quotas=quotas(ml_m5_large=0))["quota"]

    assert finding.health is Health.ERROR
    assert finding.message.startswith("ml.m5.large: none may run here")
    assert "--quota-code L-1 --desired-value 1" in finding.fix


def test_every_instance_type_in_use_is_held_against_its_quota():
    found = examined(sagemaker=SageMaker("ml.g5.xlarge"), service_quotas=quotas(ml_m5_large=4, ml_g5_xlarge=0))["quota"]

    assert [(finding.message.split(":")[0], finding.health) for finding in found] == [
        ("ml.g5.xlarge", Health.ERROR),
        ("ml.m5.large", Health.OK),
    ]


def test_a_role_that_lets_a_model_do_anything_is_named():
    (finding,) = examined(iam=Iam("AdministratorAccess"))["role"]

    assert finding.health is Health.WARNING
    assert finding.message == "model-role: AdministratorAccess, model"


def test_an_unfinished_upload_is_told_with_the_command_that_ends_it():
    (finding,) = examined(s3=uploads("models/cat/model.tar.gz"))["upload"]

    assert "aws s3api abort-multipart-upload --bucket drops --key models/cat/model.tar.gz" in finding.fix


def test_an_upload_that_is_still_going_on_is_left_alone():
    assert "upload" not in examined(s3=uploads("models/cat/model.tar.gz", age=timedelta(minutes=5)))


def test_dead_letters_are_told_by_model_and_never_by_content():
    secret = json.dumps({"model": "cat", "payload": "what nobody may see"})
    (finding,) = examined(sqs=Sqs(secret, "no json"))["dead letters"]

    assert finding.message == "2 wait, about cat"
    assert finding.fix == "tarmac doctor --stage prod --redrive"


def test_redrive_names_the_queue_because_a_rule_s_letters_know_none():
    sqs = Sqs("{}")

    assert redrive(account_of(sqs=sqs), Formation("UPDATE_COMPLETE").stack()) == 1

    assert sqs.moved == {
        "SourceArn": "arn:aws:sqs:eu-west-1:123456789012:dead",
        "DestinationArn": "arn:aws:sqs:eu-west-1:123456789012:looks",
    }


def test_drift_is_told_by_resource():
    formation = Formation("UPDATE_COMPLETE", parameters={"AppName": "tm-prod", "TokenSha256": "a"})
    formation.drifted = ("LooksQueue",)

    (finding,) = examined(formation=formation)["drift"]

    assert finding.message == "LooksQueue (AWS::SQS::Queue) is modified"


def test_a_closed_api_is_a_warning_with_the_way_to_open_it():
    (finding,) = examined(formation=Formation("CREATE_COMPLETE", parameters={"AppName": "tm-prod"}))["token"]

    assert (finding.health, finding.fix) == (Health.WARNING, "tarmac deploy --stage prod --new-token")


def test_a_stage_that_is_not_there_is_one_error():
    found = examined(formation=Formation())

    assert found["stack"][0].fix == "tarmac deploy --stage prod"
    assert set(found) == {"credentials", "region", "stack"}


def test_a_stack_at_a_dead_end_is_an_error():
    found = examined(formation=Formation("ROLLBACK_COMPLETE", parameters={"AppName": "tm-prod"}))

    assert found["stack"][0].health is Health.ERROR
    assert NAME in found["stack"][0].message


def test_what_may_not_be_looked_at_stops_nothing_else():
    class Forbidden(Pages):
        def get_paginator(self, operation: str) -> Any:
            raise refused("AccessDenied", "User: ann is not authorized to perform: iam:ListRoles on resource: *")

    found = examined(iam=Forbidden())

    assert found["roles"][0].message == "cannot be looked at: these credentials may not iam:ListRoles *"
    assert found["drift"][0].health is Health.OK
