"""Brings a stack to what a template says, by a change set, and tells what happens. Called by `tarmac deploy`."""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tarmac.stack.errors import DeploymentFailed, NotDeployable
from tarmac.stack.explanations import explain_reason, explained
from tarmac.stack.packaging import Template
from tarmac.stack.stacks import Stack, StackEvent, StackState

CHANGE_SET_PREFIX = "tarmac-"
CHANGE_SET_WITHIN_S = 300.0
Told = Callable[[StackEvent], None]


@dataclass(frozen=True)
class Change:
    """One line of a change set."""

    action: str
    logical_id: str
    resource_type: str
    replacement: str


@dataclass(frozen=True)
class ChangeSet:
    """What is about to be done; *name* None: nothing, the stack is what the template says."""

    stack: Stack
    name: str | None
    changes: tuple[Change, ...]
    is_first: bool


def dead_end(stack_name: str, status: str) -> NotDeployable | None:
    """Tell why a stack in this status takes no update, and the next step; None when it takes one. Pure."""
    destroy = f"tarmac destroy --stage {stack_name.removeprefix('tarmac-')}, then deploy again"
    if status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"}:
        return NotDeployable(
            f"the stack {stack_name} was never made: its first deployment was rolled back ({status})", fix=destroy
        )
    if status == "DELETE_FAILED":
        return NotDeployable(f"the stack {stack_name} is half deleted", fix=destroy)
    if status == "UPDATE_ROLLBACK_FAILED":
        return NotDeployable(
            f"the stack {stack_name} could not go back to what it was before its last update",
            fix="mend what its events name, then: "
            f"aws cloudformation continue-update-rollback --stack-name {stack_name}",
        )
    return None


def settle(stack: Stack, told: Told) -> StackState | None:
    """Wait out what is under way, perhaps an interrupted deployment of our own, and return the stack as it is then.

    Raises:
        NotDeployable: It rests in a status that takes no update.
    """
    state = stack.find()
    if state is not None and state.is_moving:
        for event in stack.watch(state.stack_id, after=stack.last_event_id()):
            told(event)
        state = stack.find()
    if state is None:
        return None
    problem = dead_end(stack.name, state.status)
    if problem is not None:
        raise problem
    return state


def propose(
    stack: Stack,
    state: StackState | None,
    *,
    template: Template,
    template_url: str,
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
) -> ChangeSet:
    """Make a change set: what would be done, before anything is.

    Args:
        stack: Which.
        state: As it is; None when it is to be created.
        template: To know its parameters.
        template_url: Where CloudFormation reads it.
        parameters: Those to set; on an update the others keep their values.
        tags: On every resource.

    Raises:
        DeploymentFailed: CloudFormation finds the template or a parameter wrong.
    """
    unknown = sorted(set(parameters) - set(template["Parameters"]))
    if unknown:
        raise DeploymentFailed(
            f"the template has no parameter {unknown[0]!r}", fix=f"it has: {', '.join(sorted(template['Parameters']))}"
        )
    _forget_old_change_sets(stack)
    name = f"{CHANGE_SET_PREFIX}{uuid.uuid4().hex[:16]}"
    before = state.parameters if state is not None else {}
    with explained():
        stack.cloudformation.create_change_set(
            StackName=stack.name,
            ChangeSetName=name,
            ChangeSetType="CREATE" if state is None else "UPDATE",
            TemplateURL=template_url,
            Parameters=[
                _parameter(key, parameters, before) for key in template["Parameters"] if key in {*parameters, *before}
            ],
            Capabilities=["CAPABILITY_IAM"],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
    raw = _made(stack, name)
    if raw["Status"] == "FAILED":
        reason = raw.get("StatusReason", "")
        _delete_change_set(stack, name)
        if "didn't contain changes" in reason or "No updates are to be performed" in reason:
            return ChangeSet(stack, None, (), is_first=False)
        if state is None:
            # Nothing but a name was made; it goes, so that nothing half-made is left.
            discard(ChangeSet(stack, None, (), is_first=True))
        fact, fix = explain_reason(reason or "CloudFormation gives no reason")
        raise DeploymentFailed(f"CloudFormation refuses the change: {fact}", fix=fix)
    return ChangeSet(stack, name, tuple(_change(one) for one in raw.get("Changes", ())), is_first=state is None)


def discard(change_set: ChangeSet) -> None:
    """Take a proposal back, with the stack in name only that the first one makes."""
    stack = change_set.stack
    if change_set.name is not None:
        _delete_change_set(stack, change_set.name)
    if change_set.is_first:
        with explained():
            stack.cloudformation.delete_stack(StackName=stack.name)


def carry_out(change_set: ChangeSet, told: Told) -> StackState:
    """Execute a change set and watch it to its end.

    Raises:
        DeploymentFailed: It was rolled back; the message names the first resource that failed, and why.
    """
    stack = change_set.stack
    after = stack.last_event_id()
    with explained():
        stack.cloudformation.execute_change_set(StackName=stack.name, ChangeSetName=change_set.name)
    state = stack.find()
    failures: list[StackEvent] = []
    if state is not None:
        for event in stack.watch(state.stack_id, after=after):
            told(event)
            if event.is_failure:
                failures.append(event)
        state = stack.find(state.stack_id)
    if state is None or state.status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        raise _failed(stack.name, state, failures)
    return state


def _failed(stack_name: str, state: StackState | None, failures: list[StackEvent]) -> DeploymentFailed:
    own = [event for event in failures if event.logical_id != stack_name] or failures
    if not own:
        status = state.status if state is not None else "gone"
        reason = state.reason if state is not None else ""
        return DeploymentFailed(f"the stack {stack_name} is {status} {reason}".strip())
    first = own[0]
    fact, fix = explain_reason(first.reason)
    rest = f" ({len(own) - 1} more failed)" if len(own) > 1 else ""
    return DeploymentFailed(f"{first.logical_id} ({first.resource_type}): {fact}{rest}", fix=fix)


def _parameter(key: str, wanted: Mapping[str, str], before: Mapping[str, str]) -> dict[str, Any]:
    if key in wanted:
        return {"ParameterKey": key, "ParameterValue": wanted[key]}
    assert key in before, "the caller leaves out what is in neither"  # noqa: S101  # for the reader
    return {"ParameterKey": key, "UsePreviousValue": True}


def _made(stack: Stack, name: str) -> dict[str, Any]:
    """Wait until CloudFormation has worked out the change set: all pages of its changes."""
    give_up_at = time.monotonic() + CHANGE_SET_WITHIN_S
    while True:
        with explained():
            raw: dict[str, Any] = stack.cloudformation.describe_change_set(StackName=stack.name, ChangeSetName=name)
        if not raw["Status"].endswith(("_PENDING", "_IN_PROGRESS")):
            break
        if time.monotonic() > give_up_at:
            raise DeploymentFailed(
                f"CloudFormation has not worked out the change set {name} in time", fix="run it again"
            )
        stack.pause()
    token = raw.get("NextToken")
    while token:
        with explained():
            page = stack.cloudformation.describe_change_set(StackName=stack.name, ChangeSetName=name, NextToken=token)
        raw["Changes"] = [*raw["Changes"], *page["Changes"]]
        token = page.get("NextToken")
    return raw


def _change(raw: dict[str, Any]) -> Change:
    resource = raw["ResourceChange"]
    return Change(
        action=resource["Action"],
        logical_id=resource["LogicalResourceId"],
        resource_type=resource.get("ResourceType", ""),
        replacement=resource.get("Replacement", ""),
    )


def _forget_old_change_sets(stack: Stack) -> None:
    """Delete those that an interrupted run left: each names a template that nobody will carry out."""
    try:
        raw = stack.cloudformation.list_change_sets(StackName=stack.name)
    except ClientError:
        return  # no stack, no change sets; whoever may not list them will hear so from the next call
    for summary in raw.get("Summaries", ()):
        if summary["ChangeSetName"].startswith(CHANGE_SET_PREFIX):
            _delete_change_set(stack, summary["ChangeSetName"])


def _delete_change_set(stack: Stack, name: str) -> None:
    with explained():
        stack.cloudformation.delete_change_set(StackName=stack.name, ChangeSetName=name)
