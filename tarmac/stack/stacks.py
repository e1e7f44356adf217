"""One CloudFormation stack as it is, and what happens to it. Called by deployment, destruction and doctor."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from tarmac.stack.explanations import explained

POLL_EVERY_S = 3.0
NEVER_MADE = frozenset({"REVIEW_IN_PROGRESS"})
"""A change set was made and never carried out: the stack exists in name only."""


@dataclass(frozen=True)
class StackEvent:
    """One line of a stack's history; *at* aware UTC."""

    event_id: str
    at: datetime
    logical_id: str
    physical_id: str
    resource_type: str
    status: str
    reason: str

    @property
    def is_failure(self) -> bool:
        """Whether this resource failed by itself, and not because another did."""
        return self.status.endswith("_FAILED") and "cancelled" not in self.reason.lower()


@dataclass(frozen=True)
class StackState:
    """A stack as CloudFormation describes it."""

    stack_id: str
    status: str
    reason: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def is_moving(self) -> bool:
        """Whether something is under way."""
        return self.status.endswith("_IN_PROGRESS") and self.status not in NEVER_MADE


class Stack:
    """One stack, by name."""

    def __init__(
        self,
        cloudformation: Any,
        name: str,
        *,
        pause: Callable[[float], None] = time.sleep,
        poll_s: float = POLL_EVERY_S,
    ) -> None:
        """Know a stack, which need not be there yet.

        Args:
            cloudformation: The boto3 client.
            name: The stack's.
            pause: Waits so many seconds.
            poll_s: Seconds between two looks at what happens.
        """
        self.cloudformation = cloudformation
        self.name = name
        self._pause = pause
        self._poll_s = poll_s

    def find(self, stack_id: str | None = None) -> StackState | None:
        """Describe the stack; None when there is none, or one in name only. By id also a deleted one is found."""
        try:
            raw = self.cloudformation.describe_stacks(StackName=stack_id or self.name)["Stacks"][0]
        except ClientError as exc:
            if "does not exist" in str(exc):
                return None
            with explained():
                raise
        if raw["StackStatus"] in NEVER_MADE:
            return None
        return StackState(
            stack_id=raw["StackId"],
            status=raw["StackStatus"],
            reason=raw.get("StackStatusReason", ""),
            outputs={output["OutputKey"]: output["OutputValue"] for output in raw.get("Outputs", ())},
            parameters={one["ParameterKey"]: one.get("ParameterValue", "") for one in raw.get("Parameters", ())},
        )

    def resources(self) -> dict[str, str]:
        """What the stack is made of: physical names by logical ones. Empty when there is no stack."""
        try:
            pages = list(self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.name))
        except ClientError as exc:
            if "does not exist" in str(exc):
                return {}
            with explained():
                raise
        rows = [row for page in pages for row in page["StackResourceSummaries"]]
        return {row["LogicalResourceId"]: row.get("PhysicalResourceId", "") for row in rows}

    def last_event_id(self) -> str | None:
        """Where the history ends now."""
        return next((event.event_id for event in self._newest_first(self.name)), None)

    def watch(self, stack_id: str, *, after: str | None) -> Iterator[StackEvent]:
        """Yield what happens, oldest first, until nothing is under way any more.

        Args:
            stack_id: By its id also the deletion can be watched to its end.
            after: The event that was the last before; None from the beginning.
        """
        seen = {after}
        while True:
            state = self.find(stack_id)
            fresh = []
            for event in self._newest_first(stack_id):
                if event.event_id in seen:
                    break
                fresh.append(event)
            seen.update(event.event_id for event in fresh)
            yield from reversed(fresh)
            if state is None or not state.is_moving:
                return
            self.pause()

    def pause(self) -> None:
        """Wait until the next look."""
        self._pause(self._poll_s)

    def _newest_first(self, stack: str) -> Iterator[StackEvent]:
        with explained():
            try:
                pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
                for page in pages:
                    yield from (_event(raw) for raw in page["StackEvents"])
            except ClientError as exc:
                if "does not exist" not in str(exc):
                    raise


def _event(raw: dict[str, Any]) -> StackEvent:
    return StackEvent(
        event_id=raw["EventId"],
        at=raw["Timestamp"].astimezone(UTC),
        logical_id=raw.get("LogicalResourceId", ""),
        physical_id=raw.get("PhysicalResourceId", ""),
        resource_type=raw.get("ResourceType", ""),
        status=raw.get("ResourceStatus", ""),
        reason=raw.get("ResourceStatusReason", ""),
    )
