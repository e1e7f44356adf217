"""Holds recorded calls against the policies of the functions that made them, as the packaged template gives them."""

import functools
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tarmac.stack.packaging import Template, package
from tests.recording import AwsCall
from tests.stack.main_flow import LAST_RESORT_ROLE_ARN, LAST_RESORTS
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
    "LastResorts": LAST_RESORTS,
}
ATTRIBUTES = {
    "DropBucket.Arn": "arn:aws:s3:::tarmac-local",
    "LooksQueue.Arn": QUEUE,
    "DeadLetters.Arn": DEAD_LETTERS,
    "ModelRole.Arn": f"arn:aws:iam::{ACCOUNT}:role/tarmac-local-sagemaker",
    "LastResortRole.Arn": LAST_RESORT_ROLE_ARN,
    **{
        f"{group}Logs.Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/tarmac/tarmac-test/{group.lower()}:*"
        for group in ("Api", "Look", "Sweep")
    },
}


def _log(function: str) -> list[Need]:
    stream = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/tarmac/tarmac-test/{function}:log-stream:x"
    return [Need("logs:CreateLogStream", stream), Need("logs:PutLogEvents", stream)]


WITH_THE_KEY = [Need("kms:Decrypt", KEY_ARN), Need("kms:GenerateDataKey", KEY_ARN)]
LENDING_THE_KEY = [Need("kms:CreateGrant", KEY_ARN, {"kms:GrantIsForAWSResource": "true"})]
RECEIVING = [Need(f"sqs:{action}", QUEUE) for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")]
NOT_BY_THE_CODE = {
    # What Lambda itself, and S3 and SageMaker on its behalf, do with the function's role; no call of ours shows it.
    "api": [*_log("api"), *WITH_THE_KEY],
    "look": [*_log("look"), *WITH_THE_KEY, *LENDING_THE_KEY, *RECEIVING],
    "sweep": [*_log("sweep"), *WITH_THE_KEY, *LENDING_THE_KEY, Need("sqs:SendMessage", DEAD_LETTERS)],
}


@dataclass
class Judgement:
    """What a function asked for, what of it nothing allows, and what is allowed and never asked for."""

    denied: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


@functools.cache
def packaged_template() -> Template:
    """The template as it is deployed; made once for all who ask."""
    with tempfile.TemporaryDirectory(prefix="tarmac-judging-") as out:
        return package(Path(out)).translated(bucket="artifacts", key="bundle/x.zip", region=REGION)


def resolver(template: Template, **values: Any) -> Resolver:
    """Resolve with the names of the embedded AWS, and these values."""
    roles = {f"{role}.Arn": f"arn:aws:iam::123456789012:role/{role}" for role in ROLES.values()}
    return Resolver(
        template, {**VALUES, "DropBucket": "b", "LooksQueue": "https://sqs/q", **values}, {**ATTRIBUTES, **roles}
    )


def resource(packaged: Any, name: str, *path: str, **values: Any) -> Any:
    """A resource's property at *path*, resolved."""
    template = packaged.cloudformation()
    raw = template["Resources"][name]["Properties"]
    for step in path:
        raw = raw[step]
    return resolver(template, **values).resolve(raw)


def policy_of(function: str) -> tuple[Statement, ...]:
    """A function's policy, with the names that the embedded AWS gives."""
    template = packaged_template()
    (inline,) = template["Resources"][ROLES[function]]["Properties"]["Policies"]
    return statements(Resolver(template, VALUES, ATTRIBUTES).resolve(inline["PolicyDocument"]))


def judge(policy: tuple[Statement, ...], calls: Iterable[AwsCall], function: str) -> Judgement:
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


def denied(calls: Iterable[AwsCall]) -> list[str]:
    """What of some recorded calls the policies would not have let happen."""
    at_doors = [call for call in calls if call.door is not None]
    found = [line for function in ROLES for line in judge(policy_of(function), at_doors, function).denied]
    return list(dict.fromkeys(found))
