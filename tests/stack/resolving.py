"""Resolves a template's intrinsics with values at hand, as CloudFormation would. For tests that read policies."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_GONE = object()


@dataclass(frozen=True)
class Resolver:
    """Values for parameters, pseudo parameters and resources; an intrinsic that it does not know fails the test."""

    template: Mapping[str, Any]
    values: Mapping[str, Any]
    """By what Ref names."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """By `Resource.Attribute`."""

    def resolve(self, raw: Any) -> Any:
        """Resolve whatever is in *raw*; what resolves to AWS::NoValue disappears."""
        if isinstance(raw, list):
            resolved = [self.resolve(item) for item in raw]
            return [item for item in resolved if item is not _GONE]
        if not isinstance(raw, dict):
            return raw
        if len(raw) == 1:
            ((name, argument),) = raw.items()
            if name == "Ref":
                return self._ref(argument)
            if name.startswith("Fn::") or name == "Condition":
                return self._function(name, argument)
        resolved_members = {key: self.resolve(value) for key, value in raw.items()}
        return {key: value for key, value in resolved_members.items() if value is not _GONE}

    def holds(self, condition: str) -> bool:
        """Whether one of the template's conditions is true."""
        return bool(self.resolve(self.template["Conditions"][condition]))

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _GONE
        if name in self.values:
            return self.values[name]
        parameter = self.template["Parameters"].get(name)
        assert parameter is not None, f"no value for Ref {name}"
        default = parameter["Default"]
        return default.split(",") if parameter["Type"] == "CommaDelimitedList" else default

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Fn::Sub" if isinstance(argument, str):
                return re.sub(r"\$\{([\w:.]+)\}", lambda match: self._named(match[1]), argument)
            case "Fn::GetAtt":
                return self._named(".".join(argument) if isinstance(argument, list) else argument)
            case "Fn::If":
                return self.resolve(argument[1] if self.holds(argument[0]) else argument[2])
            case "Fn::Join":
                return argument[0].join(str(part) for part in self.resolve(argument[1]))
            case "Fn::Equals":
                left, right = self.resolve(argument)
                return str(left) == str(right)
            case "Fn::Not":
                return not self.resolve(argument[0])
            case "Fn::And":
                return all(self.resolve(part) for part in argument)
            case "Condition" if isinstance(argument, str):
                return self.holds(argument)
        raise AssertionError(f"{name} {argument} is not known to this resolver")

    def _named(self, name: str) -> str:
        if "." in name:
            return self.attributes[name]
        return str(self._ref(name))
