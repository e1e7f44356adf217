"""A scripted CloudFormation, for what moto cannot do: fail, take time, be interrupted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from tarmac.stack.accounts import Account
from tarmac.stack.stacks import Stack

NAME = "tarmac-prod"
STACK_ID = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{NAME}/1"
START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def refused(code: str, message: str, operation: str = "Operation") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def no_account(service: str) -> Any:
    raise AssertionError(f"{service} should not have been asked")


@dataclass
class FakeCloudFormation:
    """One stack. *script* is what happens from now on: a (logical id, type, status, reason) a look."""

    status: str | None = None
    script: list[tuple[str, str, str, str]] = field(default_factory=list)
    ends: str = "UPDATE_COMPLETE"
    change_set: dict[str, Any] = field(default_factory=lambda: {"Status": "CREATE_COMPLETE", "Changes": []})
    old_change_sets: list[str] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    on_execute: Callable[[], None] = lambda: None

    def describe_stacks(self, **asked: str) -> dict[str, Any]:
        if self.status is None:
            raise refused("ValidationError", f"Stack with id {asked['StackName']} does not exist", "DescribeStacks")
        stack = {
            "StackId": STACK_ID,
            "StackStatus": self.status,
            "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()],
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in self.parameters.items()],
        }
        return {"Stacks": [stack]}

    def get_paginator(self, operation: str) -> "FakeCloudFormation":
        assert operation in {"describe_stack_events", "list_stack_resources"}
        return self

    def paginate(self, **_: str) -> Iterator[dict[str, Any]]:
        yield {"StackEvents": list(reversed(self.events)), "StackResourceSummaries": []}

    def list_change_sets(self, **_: str) -> dict[str, Any]:
        return {"Summaries": [{"ChangeSetName": name} for name in self.old_change_sets]}

    def delete_change_set(self, **params: Any) -> None:
        self.asked.append(("delete_change_set", params))

    def create_change_set(self, **params: Any) -> None:
        self.asked.append(("create_change_set", params))

    def describe_change_set(self, **_: Any) -> dict[str, Any]:
        return dict(self.change_set)

    def execute_change_set(self, **params: Any) -> None:
        self.asked.append(("execute_change_set", params))
        self.on_execute()
        self.status = "UPDATE_IN_PROGRESS"

    def delete_stack(self, **params: Any) -> None:
        self.asked.append(("delete_stack", params))
        self.status = "DELETE_IN_PROGRESS" if self.status else None

    def pass_time(self, _seconds: float) -> None:
        """What the deployment's pauses do: one more thing happens, and after the last all is at its end."""
        if self.script:
            logical_id, kind, status, reason = self.script.pop(0)
            self.happened(logical_id, kind, status, reason)
        else:
            self.status = self.ends

    def happened(self, logical_id: str, kind: str, status: str, reason: str = "") -> None:
        number = len(self.events)
        self.events.append(
            {
                "EventId": str(number),
                "Timestamp": START + timedelta(seconds=number),
                "LogicalResourceId": logical_id,
                "ResourceType": kind,
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
            }
        )

    def stack(self) -> Stack:
        return Stack(self, NAME, pause=self.pass_time)

    def names(self) -> list[str]:
        return [name for name, _ in self.asked]


def account_of(**clients: Any) -> Account:
    """An account whose services are those given, and no other."""
    account = Account(lambda service: clients[service] if service in clients else no_account(service), "eu-west-1")
    account.account_id = "123456789012"
    return account
