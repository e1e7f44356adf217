"""Evaluates IAM policies: the few rules that ours are made of. An operator it does not know fails the test."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Need:
    """What one call needs of IAM: an action on a resource, and what the request tells of itself."""

    action: str
    resource: str
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action} on {self.resource} {dict(self.context) or ''}".rstrip()


@dataclass(frozen=True)
class Statement:
    """One statement, with its lists always lists."""

    sid: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, Any]]

    def matches(self, need: Need) -> bool:
        """Whether it speaks of this need."""
        return (
            any(wild(action.lower(), need.action.lower()) for action in self.actions)
            and any(wild(resource, need.resource) for resource in self.resources)
            and all(
                _holds(operator, key, listed(wanted), need.context)
                for operator, keys in self.conditions.items()
                for key, wanted in keys.items()
            )
        )


def statements(document: Mapping[str, Any]) -> tuple[Statement, ...]:
    """Read a resolved policy document."""
    return tuple(
        Statement(
            sid=raw.get("Sid", ""),
            effect=raw["Effect"],
            actions=tuple(listed(raw["Action"])),
            resources=tuple(listed(raw["Resource"])),
            conditions=raw.get("Condition", {}),
        )
        for raw in document["Statement"]
    )


def allowing(policy: Iterable[Statement], need: Need) -> Statement | None:
    """Find the statement that allows a need; None when none does, or one denies it."""
    speaking = [statement for statement in policy if statement.matches(need)]
    if any(statement.effect == "Deny" for statement in speaking):
        return None
    return next((statement for statement in speaking if statement.effect == "Allow"), None)


def wild(pattern: str, text: str) -> bool:
    """IAM's wildcards: * for any characters, ? for one; all else is literal."""
    parts = re.split(r"([*?])", pattern)
    translated = "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(translated, text, re.DOTALL) is not None


def resource_of(statement: Statement, need: Need) -> str:
    """Which of a statement's resources a need has used."""
    return next(resource for resource in statement.resources if wild(resource, need.resource))


def listed(value: Any) -> list[Any]:
    """IAM writes a list of one as the one."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _holds(operator: str, key: str, wanted: Sequence[str], context: Mapping[str, str | Sequence[str]]) -> bool:
    given = next((value for name, value in context.items() if name.lower() == key.lower()), None)
    if operator.startswith("ForAllValues:"):
        # True of a key that is not there: IAM's own rule, and why a Create needs a second condition beside it.
        return all(_equal(operator.removeprefix("ForAllValues:"), value, wanted) for value in listed(given or []))
    if operator.endswith("IfExists"):
        return given is None or _holds(operator.removesuffix("IfExists"), key, wanted, context)
    if given is None:
        return False
    assert isinstance(given, str), f"{operator} on the many values of {key} needs ForAllValues"
    return _equal(operator, given, wanted)


def _equal(operator: str, given: str, wanted: Sequence[str]) -> bool:
    match operator:
        case "StringEquals":
            return given in wanted
        case "StringLike" | "ArnLike":
            return any(wild(pattern, given) for pattern in wanted)
        case "Bool":
            return given.lower() in [str(value).lower() for value in wanted]
    raise AssertionError(f"the condition operator {operator} is not known to this evaluator")
