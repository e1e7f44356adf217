"""The "parameters" of a payload, checked against a frozen dataclass of a task's own. Called by `tasks`."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from functools import lru_cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .faults import CallerFault

_T = TypeVar("_T")

WITHOUT_EFFECT = frozenset(
    {"batch_size", "clean_up_tokenization_spaces", "num_workers", "padding", "return_tensors", "truncation"}
)
"""What callers of pipelines send out of habit; inputs are batched, padded and cut to the model's length in any case."""


@dataclass(frozen=True)
class NoParameters:
    """For tasks that take none."""


def bounded(default: Any, *, least: float, most: float) -> Any:
    """Declare a number with the range it must be in."""
    return field(default=default, metadata={"least": least, "most": most})


def parse_parameters(raw: Any, kind: type[_T]) -> _T:
    """Build *kind* from a JSON object.

    Args:
        raw: As it came; None stands for no parameters.
        kind: A frozen dataclass whose fields are of the types bool, int, float, str, tuple[str, ...], Literal or None.

    Raises:
        CallerFault: It is no object, or has an unknown name, a wrong type or a value out of range.
    """
    if raw is None:
        return kind()
    if not isinstance(raw, Mapping):
        raise CallerFault("it must be an object", field="parameters")
    known = _fields(kind)  # type: ignore[arg-type]  # a class is hashable
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if name in known:
            values[name] = _checked(value, *known[name], name=f"parameters.{name}")
        elif name not in WITHOUT_EFFECT:
            listing = f"this model takes {', '.join(sorted(known))}" if known else "this model takes none"
            raise CallerFault(f"there is no such parameter; {listing}", field=f"parameters.{name}")
    return kind(**values)


@lru_cache(maxsize=None)  # Python 3.8, which some containers have, knows no `cache`
def _fields(kind: type) -> dict[str, tuple[Any, Field[Any]]]:
    hints = get_type_hints(kind)
    return {one.name: (hints[one.name], one) for one in fields(kind) if one.init}


def _checked(value: Any, hint: Any, declared: Field[Any], *, name: str) -> Any:
    choices = get_args(hint) if get_origin(hint) in (Union, getattr(types, "UnionType", Union)) else (hint,)
    for choice in choices:
        matched, converted = _match(value, choice)
        if matched:
            _check_range(converted, declared, name=name)
            return converted
    raise CallerFault(f"it must be {' or '.join(map(_spoken, choices))}", field=name)


def _match(value: Any, choice: Any) -> tuple[bool, Any]:
    if get_origin(choice) is Literal:
        return isinstance(value, str) and value in get_args(choice), value
    if get_origin(choice) is tuple:
        is_texts = isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)
        return is_texts, tuple(value) if is_texts else value
    if choice is float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number, float(value) if is_number and abs(value) < 1e300 else value
    if choice is int:
        return isinstance(value, int) and not isinstance(value, bool), value
    return isinstance(value, choice), value


def _spoken(choice: Any) -> str:
    if get_origin(choice) is Literal:
        return "one of " + ", ".join(map(repr, get_args(choice)))
    if get_origin(choice) is tuple:
        return "a list of strings"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}.get(choice, "null")


def _check_range(value: Any, declared: Field[Any], *, name: str) -> None:
    least, most = declared.metadata.get("least"), declared.metadata.get("most")
    if least is not None and value is not None and not least <= value <= most:
        raise CallerFault(f"{value} is out of range: {least} to {most}", field=name)
