"""Looks a deployed stage over: quotas, roles, uploads, drift, dead letters. Called by `tarmac doctor --stage`."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.errors import TarmacError
from chalicelib.hints import models_in
from chalicelib.names import DROPS_PREFIX
from tarmac.stack.accounts import Account
from tarmac.stack.deployment import dead_end
from tarmac.stack.explanations import explained
from tarmac.stack.findings import Finding, error, fine, warning
from tarmac.stack.stacks import Stack, StackState

UNFINISHED_AFTER = timedelta(hours=1)
DRIFT_LOOKS = 40
LETTERS_READ = 10
WIDE_POLICIES = ("AdministratorAccess", "PowerUserAccess", "AmazonSageMakerFullAccess", "AmazonS3FullAccess")


@dataclass(frozen=True)
class Examination:
    """One stage, looked at in full; every examiner stands alone, so that one without permission stops no other."""

    account: Account
    stack: Stack

    def findings(self) -> Iterator[Finding]:
        """Look, and tell as it goes."""
        yield fine("credentials", f"{self.account.arn or 'known'} in account {self.account.account_id}")
        yield fine("region", f"{self.account.region} ({self.account.partition})")
        state = self.stack.find()
        if state is None:
            stage = self.stack.name.removeprefix("tarmac-")
            yield error("stack", f"there is no stack {self.stack.name}", f"tarmac deploy --stage {stage}")
            return
        resources = self.stack.resources()
        for name, examine in self._examiners(state, resources):
            try:
                with explained():
                    yield from examine()
            except TarmacError as exc:
                yield warning(name, f"cannot be looked at: {exc.message}", exc.fix)

    def _examiners(
        self, state: StackState, resources: dict[str, str]
    ) -> tuple[tuple[str, Callable[[], Iterator[Finding]]], ...]:
        return (
            ("stack", lambda: self._stack(state)),
            ("token", lambda: self._token(state)),
            ("quotas", lambda: self._quotas(state)),
            ("roles", self._roles),
            ("uploads", lambda: self._uploads(resources)),
            ("dead letters", lambda: self._letters(resources)),
            ("drift", self._drift),
        )

    def _stack(self, state: StackState) -> Iterator[Finding]:
        problem = dead_end(self.stack.name, state.status)
        if problem is not None:
            yield error("stack", problem.message, problem.fix)
        elif state.is_moving:
            yield warning("stack", f"{self.stack.name} is being changed: {state.status}", "wait until that has ended")
        else:
            yield fine("stack", f"{self.stack.name} {state.status}")

    def _token(self, state: StackState) -> Iterator[Finding]:
        tokens = len(state.parameters.get("TokenSha256", "").split())
        stage = self.stack.name.removeprefix("tarmac-")
        if tokens:
            yield fine("token", f"{tokens} open the API")
        else:
            yield warning("token", "the API is closed to everybody", f"tarmac deploy --stage {stage} --new-token")

    def _quotas(self, state: StackState) -> Iterator[Finding]:
        """Hold the quotas against the instance types that are configured, and the stage's own default."""
        wanted = self._configured(state.parameters.get("AppName", "")) | {state.parameters.get("InstanceType", "")}
        quotas = self._endpoint_quotas()
        for instance_type in sorted(wanted - {""}):
            quota = quotas.get(f"{instance_type} for endpoint usage")
            if quota is None:
                yield warning("quota", f"{instance_type}: SageMaker names no quota for endpoints of this type here")
            elif quota["Value"] < 1:
                ask = "aws service-quotas request-service-quota-increase --service-code sagemaker"
                fix = f"{ask} --quota-code {quota['QuotaCode']} --desired-value 1"
                yield error("quota", f"{instance_type}: none may run here, the quota is 0", fix)
            else:
                yield fine("quota", f"{instance_type}: {quota['Value']:.0f} instances may run")

    def _configured(self, app: str) -> set[str]:
        sagemaker = self.account.clients("sagemaker")
        found = set()
        for page in sagemaker.get_paginator("list_endpoint_configs").paginate(NameContains=f"{app}-"):
            for raw in page["EndpointConfigs"]:
                if raw["EndpointConfigName"].startswith(f"{app}-"):
                    config = sagemaker.describe_endpoint_config(EndpointConfigName=raw["EndpointConfigName"])
                    found |= {variant.get("InstanceType", "") for variant in config["ProductionVariants"]}
        return found

    def _endpoint_quotas(self) -> dict[str, dict[str, Any]]:
        quotas = self.account.clients("service-quotas")
        found: dict[str, dict[str, Any]] = {}
        # What was never asked for is listed among the defaults only; what was raised overrides it.
        for operation in ("list_aws_default_service_quotas", "list_service_quotas"):
            for page in quotas.get_paginator(operation).paginate(ServiceCode="sagemaker"):
                found |= {raw["QuotaName"]: raw for raw in page["Quotas"]}
        return found

    def _roles(self) -> Iterator[Finding]:
        """List the roles that SageMaker may take, and which of them let a model do more than it needs."""
        iam = self.account.clients("iam")
        for page in iam.get_paginator("list_roles").paginate():
            for role in page["Roles"]:
                if "sagemaker.amazonaws.com" not in json.dumps(role["AssumeRolePolicyDocument"]):
                    continue
                name = role["RoleName"]
                attached = [p["PolicyName"] for p in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]]
                inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
                said = f"{name}: {', '.join([*attached, *inline]) or 'no policies'}"
                wide = [policy for policy in attached if policy in WIDE_POLICIES]
                if wide:
                    yield warning(
                        "role", said, f"{wide[0]} is more than a model needs; Tarmac's own role has none of it"
                    )
                else:
                    yield fine("role", said)

    def _uploads(self, resources: dict[str, str]) -> Iterator[Finding]:
        """Find multipart uploads that somebody began and left: their parts are billed, and seen in no listing."""
        bucket = resources.get("DropBucket", "")
        old = datetime.now(UTC) - UNFINISHED_AFTER
        unfinished = [
            raw
            for page in self.account.clients("s3").get_paginator("list_multipart_uploads").paginate(Bucket=bucket)
            for raw in page.get("Uploads", ())
            if raw["Initiated"] < old
        ]
        if not unfinished:
            yield fine("uploads", f"none unfinished in {bucket}")
        for raw in unfinished:
            abort = (
                f"aws s3api abort-multipart-upload --bucket {bucket} --key {raw['Key']} --upload-id {raw['UploadId']}"
            )
            yield warning("upload", f"{raw['Key']} was begun {raw['Initiated']:%d %b %H:%M} and not finished", abort)

    def _letters(self, resources: dict[str, str]) -> Iterator[Finding]:
        """Count the dead letters, and tell which models they speak of; their bodies are not shown."""
        url = resources.get("DeadLetters", "")
        sqs = self.account.clients("sqs")
        raw = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        waiting = int(raw["Attributes"]["ApproximateNumberOfMessages"])
        if waiting == 0:
            yield fine("dead letters", "none")
            return
        app = self.stack.find()
        parameters = app.parameters if app else {}
        prefix, drops = parameters.get("AppName", ""), parameters.get("DropsPrefix") or DROPS_PREFIX
        # Seen again at once by whoever reads next: looking takes nothing away.
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=LETTERS_READ, VisibilityTimeout=0)
        models = sorted(
            {model for message in messages.get("Messages", ()) for model in _spoken_of(message["Body"], prefix, drops)}
        )
        stage = self.stack.name.removeprefix("tarmac-")
        about = f", about {', '.join(models)}" if models else ""
        yield error("dead letters", f"{waiting} wait{about}", f"tarmac doctor --stage {stage} --redrive")

    def _drift(self) -> Iterator[Finding]:
        """Have CloudFormation compare what is there with what was deployed."""
        cloudformation = self.stack.cloudformation
        detection = cloudformation.detect_stack_drift(StackName=self.stack.name)["StackDriftDetectionId"]
        for _ in range(DRIFT_LOOKS):
            raw = cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
            if raw["DetectionStatus"] != "DETECTION_IN_PROGRESS":
                break
            self.stack.pause()
        if raw["DetectionStatus"] != "DETECTION_COMPLETE":
            yield warning("drift", f"not found out: {raw.get('DetectionStatusReason', raw['DetectionStatus'])}")
            return
        drifted = cloudformation.describe_stack_resource_drifts(
            StackName=self.stack.name, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"]
        )["StackResourceDrifts"]
        if not drifted:
            yield fine("drift", "all is as it was deployed")
        for one in drifted:
            message = f"{one['LogicalResourceId']} ({one['ResourceType']}) is {one['StackResourceDriftStatus'].lower()}"
            yield warning("drift", message, "change it back, or bring the change into the template and deploy")


def redrive(account: Account, stack: Stack) -> int:
    """Send the dead letters to the queue again, and return about how many there were.

    Raises:
        StackError: There is no such stack, or the move is refused.
    """
    resources = stack.resources()
    sqs = account.clients("sqs")
    with explained():
        arns = {}
        for name in ("DeadLetters", "LooksQueue"):
            wanted = ["QueueArn", "ApproximateNumberOfMessages"]
            arns[name] = sqs.get_queue_attributes(QueueUrl=resources[name], AttributeNames=wanted)["Attributes"]
        # The destination is named: a letter that a rule put here has no queue it came from.
        sqs.start_message_move_task(
            SourceArn=arns["DeadLetters"]["QueueArn"], DestinationArn=arns["LooksQueue"]["QueueArn"]
        )
    return int(arns["DeadLetters"]["ApproximateNumberOfMessages"])


def _spoken_of(body: str, app: str, drops_prefix: str) -> tuple[str, ...]:
    try:
        return models_in(body, app=app, drops_prefix=drops_prefix)
    except ValueError:
        return ()
