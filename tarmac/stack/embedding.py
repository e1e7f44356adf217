"""Fits a template to the embedded AWS, whose CloudFormation is moto's: what it cannot make is left out and told.

Called by `tarmac deploy` where the endpoint is a loopback one, and by the tests; docs/stack.md has the list.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.names import DROPS_PREFIX, archive_key
from tarmac.stack.accounts import Account
from tarmac.stack.errors import NotDeployable
from tarmac.stack.explanations import explained
from tarmac.stack.packaging import Template
from tarmac.stack.stacks import Stack, StackState

CANNOT_MAKE: Mapping[str, str] = {
    "AWS::ApiGateway::Account": "no API Gateway in a template; tarmac up serves the application itself",
    "AWS::ApiGateway::Deployment": "as above",
    "AWS::ApiGateway::RestApi": "as above: moto says that the API has no methods",
    "AWS::ApiGateway::Stage": "as above",
    "AWS::Budgets::Budget": "unknown to moto in a template",
    "AWS::CloudWatch::Alarm": "moto takes an alarm of a template for another one",
    "AWS::CloudWatch::Dashboard": "unknown to moto in a template",
    "AWS::Lambda::EventInvokeConfig": "unknown to moto in a template",
    "AWS::Lambda::EventSourceMapping": "moto would poll the queue, and eat the messages that it cannot run",
    "AWS::Lambda::Permission": "belongs to the API and to the schedule",
    "AWS::Logs::MetricFilter": "unknown to moto in a template",
    "AWS::S3::BucketPolicy": "moto makes it wrongly, and enforces none",
    "AWS::SQS::QueuePolicy": "moto makes it wrongly, and enforces none",
    "AWS::Scheduler::ScheduleGroup": "moto makes it under another name; its name is known without it",
}
"""Resource types that moto 5.2.5 does not know in a template, or makes wrongly; each with why. Observed."""
WITH_A_SCHEDULE = "AWS::Events::Rule with a schedule"
"""moto takes a rule without a pattern, such as the sweep's, for one that wants every event."""


@dataclass(frozen=True)
class Fitted:
    """A template as far as the embedded AWS goes, and the kinds of resource that it goes without, sorted."""

    template: Template
    left_out: tuple[str, ...]


def fit(template: Template) -> Fitted:
    """Leave out what the embedded AWS cannot make, and whatever cannot be there without it."""
    known = _with_known_group(template)
    resources = {name: raw for name, raw in known["Resources"].items() if _reason(raw) is None}
    while gone := {name for name, raw in resources.items() if _mentions(raw, set(known["Resources"]) - set(resources))}:
        resources = {name: raw for name, raw in resources.items() if name not in gone}
    missing = set(known["Resources"]) - set(resources)
    outputs = {name: raw for name, raw in known["Outputs"].items() if not _mentions(raw, missing)}
    kinds = {_reason(known["Resources"][name]) or known["Resources"][name]["Type"] for name in missing}
    return Fitted({**known, "Resources": resources, "Outputs": outputs}, tuple(sorted(kinds)))


def refuse_update(stack_name: str, *, stage: str) -> NotDeployable:
    """Say that a stack which is there already stays as it is: moto loses resources that an update leaves alone."""
    fix = f"tarmac destroy --stage {stage} --yes, then deploy again"
    return NotDeployable(f"the embedded AWS cannot update the stack {stack_name}", fix=fix)


def complete(account: Account, stack: Stack, state: StackState) -> StackState:
    """Do by hand what moto overlooks: the bucket tells EventBridge of its objects, and the stack has outputs.

    Raises:
        StackError: The embedded AWS refuses.
    """
    outputs = outputs_of(stack, state)
    with explained():
        account.clients("s3").put_bucket_notification_configuration(
            Bucket=outputs["BucketName"], NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
    return replace(state, outputs=outputs)


def outputs_of(stack: Stack, state: StackState) -> dict[str, str]:
    """Read from its resources what a stack's outputs would be: moto gives a stack that a change set made none."""
    resources = stack.resources()
    bucket, prefix = resources["DropBucket"], state.parameters.get("DropsPrefix") or DROPS_PREFIX
    return {
        # There is no API Gateway, so there is no URL.
        "EndpointURL": "none: the embedded AWS has no API Gateway in a stack; tarmac up serves the application",
        "BucketName": bucket,
        "LooksQueueUrl": resources["LooksQueue"],
        "SweepFunction": resources["Sweep"],
        "UploadUri": f"s3://{bucket}/{archive_key('<name>', prefix=prefix)}",
    }


def _reason(raw: Mapping[str, Any]) -> str | None:
    """The kind under which a resource is left out; None for one that is made."""
    if raw["Type"] in CANNOT_MAKE:
        return str(raw["Type"])
    return WITH_A_SCHEDULE if "ScheduleExpression" in raw.get("Properties", {}) else None


def _with_known_group(template: Template) -> Template:
    """Name the scheduler's group as the group itself is named, so that who speaks of it need not go with it."""
    text = json.dumps(template).replace('{"Ref": "LastResorts"}', '{"Ref": "AWS::StackName"}')
    known: Template = json.loads(text.replace("${LastResorts}", "${AWS::StackName}"))
    return known


def _mentions(raw: Any, names: set[str]) -> bool:
    text = json.dumps(raw)
    return any(f'"{name}"' in text or f"${{{name}}}" in text or f"${{{name}." in text for name in names)
