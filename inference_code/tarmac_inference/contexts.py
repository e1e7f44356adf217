"""The arguments of a user's hooks: how many each takes, and the optional `context`. Called by `hooks`."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .faults import LoadError

ARGUMENTS = {"model_fn": 1, "input_fn": 2, "predict_fn": 2, "output_fn": 2, "transform_fn": 4}
"""How many arguments each hook takes, `context` not counted."""


@dataclass
class Context:
    """The `context` of a hook, with what code in the wild reads from it and sets on it."""

    system_properties: dict[str, Any]
    request_headers: dict[str, str] = field(default_factory=dict)
    response_content_type: str | None = None

    def get_request_header(self, _index: int, name: str) -> str | None:
        """Read one header of the request."""
        return self.request_headers.get(name.lower())

    def set_response_content_type(self, _index: int, content_type: str) -> None:
        """Say what the answer is, in place of what was accepted."""
        self.response_content_type = content_type


def takes_context(name: str, hook: Callable[..., Any]) -> bool:
    """Count a hook's arguments. Raises LoadError when they are neither with `context` nor without."""
    expected = ARGUMENTS[name]
    parameters = inspect.signature(hook).parameters.values()
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return False
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    required = [one for one in positional if one.default is one.empty]
    if len(required) > expected + 1 or len(positional) < expected:
        raise LoadError(
            f"code/inference.py's {name} takes {len(positional)} arguments; it must take {expected}, or "
            f"{expected + 1} with context"
        )
    has_context = len(positional) > expected
    return has_context and (positional[expected].name == "context" or len(required) > expected)
