"""Takes a stage down, what costs money first, and tells what stays. Called by `tarmac destroy`.

The order matters. The functions are stopped, so that nobody wakes what is put to sleep here; then the endpoints go,
while their last resorts still stand behind them; then the stack. Each step may be interrupted and done again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.aws.endpoints import TAG_APP
from tarmac.stack.accounts import Account
from tarmac.stack.deployment import Told
from tarmac.stack.errors import NoSuchStack, StackError
from tarmac.stack.explanations import explain_reason, explained
from tarmac.stack.stacks import Stack, StackState

MAX_LOOKS = 400
"""At three seconds each, 20 minutes: longer than SageMaker takes to delete an endpoint."""


@dataclass(frozen=True)
class Kept:
    """Something that is still there when the stack is gone."""

    what: str
    name: str
    why: str
    how_to_remove: str


@dataclass(frozen=True)
class Destruction:
    """One stage's end."""

    account: Account
    stack: Stack
    app: str
    say: Callable[[str], None]

    def run(self, told: Told) -> tuple[Kept, ...]:
        """Stop, delete the endpoints, delete the stack and the free records, and list what stays.

        Raises:
            NoSuchStack: There is neither a stack nor anything of the app's in SageMaker.
            StackError: Something cannot be deleted; the message says what.
        """
        state = self.stack.find()
        running = list(self._owned("endpoints", "EndpointName", "EndpointArn"))
        if state is None and not running:
            raise NoSuchStack(
                f"there is no stack {self.stack.name} in {self.account.region}",
                fix="name the stage and region it was deployed with",
            )
        if state is not None and state.is_moving and not state.status.startswith("DELETE"):
            raise StackError(
                f"the stack {self.stack.name} is being changed ({state.status})", fix="wait until that has ended"
            )
        resources = self.stack.resources()
        self._stop_functions(resources)
        self._delete_endpoints(running)
        kept = self._kept(resources)
        if state is not None:
            self._delete_stack(state, told)
        self._delete_records()
        return kept

    def _stop_functions(self, resources: Mapping[str, str]) -> None:
        for name in filter(None, (resources.get("Look"), resources.get("Sweep"))):
            self.say(f"stopping {name}")
            try:
                self.account.clients("lambda").put_function_concurrency(
                    FunctionName=name, ReservedConcurrentExecutions=0
                )
            except ClientError as exc:
                if exc.response["Error"]["Code"] != "ResourceNotFoundException":
                    with explained():
                        raise

    def _delete_endpoints(self, running: list[str]) -> None:
        sagemaker = self.account.clients("sagemaker")
        for name in running:
            self.say(f"deleting the endpoint {name}")
        for _ in range(MAX_LOOKS):
            left = [name for name in running if _try_to_delete(sagemaker, name)]
            if not left:
                return
            self.stack.pause()
        raise StackError(
            f"the endpoint {left[0]} does not go away", fix="run the same command again; it goes on where it stopped"
        )

    def _delete_stack(self, state: StackState, told: Told) -> None:
        after = self.stack.last_event_id()
        with explained():
            self.stack.cloudformation.delete_stack(StackName=self.stack.name)
        failed = None
        for event in self.stack.watch(state.stack_id, after=after):
            told(event)
            if event.is_failure and failed is None:
                failed = event
        left = self.stack.find(state.stack_id)
        if left is not None and left.status != "DELETE_COMPLETE":
            fact, fix = explain_reason(failed.reason if failed else left.reason)
            where = f"{failed.logical_id} ({failed.resource_type})" if failed else self.stack.name
            raise StackError(f"{where} could not be deleted: {fact}", fix=fix or "mend that, and run it again")

    def _delete_records(self) -> None:
        """Configurations and models cost nothing, but nobody is left to need them."""
        sagemaker = self.account.clients("sagemaker")
        with explained():
            for name in list(self._owned("endpoint_configs", "EndpointConfigName", "EndpointConfigArn")):
                sagemaker.delete_endpoint_config(EndpointConfigName=name)
            for name in list(self._owned("models", "ModelName", "ModelArn")):
                sagemaker.delete_model(ModelName=name)

    def _owned(self, kind: str, name: str, arn: str) -> Iterator[str]:
        """List what bears the app's prefix and the app's tag: both, or it is somebody else's."""
        sagemaker = self.account.clients("sagemaker")
        with explained():
            for page in sagemaker.get_paginator(f"list_{kind}").paginate(NameContains=f"{self.app}-"):
                rows: list[dict[str, Any]] = next(rows for rows in page.values() if isinstance(rows, list))
                for raw in rows:
                    if raw[name].startswith(f"{self.app}-"):
                        tags = sagemaker.list_tags(ResourceArn=raw[arn])["Tags"]
                        if {"Key": TAG_APP, "Value": self.app} in tags:
                            yield raw[name]

    def _kept(self, resources: Mapping[str, str]) -> tuple[Kept, ...]:
        kept = []
        bucket = resources.get("DropBucket")
        if bucket:
            kept.append(
                Kept(
                    "bucket",
                    bucket,
                    "it holds your models; a new deployment makes a bucket of its own",
                    f"empty it with all versions in the S3 console, then: aws s3 rb s3://{bucket}",
                )
            )
        kept.append(
            Kept(
                "log groups",
                f"/aws/sagemaker/Endpoints/{self.app}-*",
                "SageMaker made them for the models' own logs, and keeps them for ever",
                "aws logs delete-log-group --log-group-name NAME",
            )
        )
        if resources.get("ApiLogsRole"):
            kept.append(
                Kept(
                    "role",
                    resources["ApiLogsRole"],
                    "API Gateway writes its logs with it, those of all APIs of the region; others may rely on it",
                    "aws iam delete-role, once aws apigateway get-account names another",
                )
            )
        return tuple(kept)


def _try_to_delete(sagemaker: Any, name: str) -> bool:
    """Ask for the deletion, and tell whether the endpoint is still there; one that is being changed waits."""
    try:
        status = sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"]
        if status in {"InService", "Failed", "OutOfService", "UpdateRollbackFailed"}:
            sagemaker.delete_endpoint(EndpointName=name)
    except ClientError as exc:
        said = exc.response["Error"]["Message"]
        if said.startswith("Could not find endpoint"):
            return False
        if not said.startswith("Cannot update in-progress endpoint"):
            with explained():
                raise
    return True
