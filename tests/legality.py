"""Holds every request of every test against AWS's own service models: patterns, lengths, ranges and enumerations.

botocore checks types and required members and little else, so a name that SageMaker would refuse passes every fake.
Loaded by conftest; a test that sends nonsense on purpose says so with `@pytest.mark.illegal_requests`.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape

from tests import recording

NUMBERS = frozenset({"integer", "long", "float", "double"})
ENUMS_THAT_AWS_EXTENDS = frozenset({"ProductionVariantInstanceType"})
"""A new instance type is legal before this botocore has heard of it; whether it exists is the door's to say."""


def problems(shape: Shape | None, value: Any, path: str) -> Iterator[str]:
    """Say what is illegal about a value, and where."""
    if shape is None or value is None:
        return
    if isinstance(shape, StructureShape):
        if isinstance(value, Mapping):
            for name, member in value.items():
                yield from problems(shape.members.get(name), member, f"{path}.{name}")
    elif isinstance(shape, ListShape):
        yield from _size(shape, len(value), path)
        for index, member in enumerate(value):
            yield from problems(shape.member, member, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        yield from _size(shape, len(value), path)
        for key, member in value.items():
            yield from problems(shape.key, key, f"{path} key {key!r}")
            yield from problems(shape.value, member, f"{path}[{key!r}]")
    elif isinstance(shape, StringShape):
        yield from _string(shape, str(value), path)
    elif shape.type_name in NUMBERS:
        yield from _size(shape, value, path)
    elif shape.type_name == "blob" and isinstance(value, (bytes, bytearray, str)):
        yield from _size(shape, len(value), path)


def _string(shape: StringShape, value: str, path: str) -> Iterator[str]:
    yield from _size(shape, len(value), path)
    if shape.enum and value not in shape.enum and shape.name not in ENUMS_THAT_AWS_EXTENDS:
        yield f"{path}: {value!r} is none of {', '.join(shape.enum[:12])}"
    pattern = shape.metadata.get("pattern")
    if pattern is not None and not _compiled(pattern).fullmatch(value):
        yield f"{path}: {value!r} does not match {pattern}"


def _size(shape: Shape, size: float, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        yield f"{path}: {size} is less than {low}"
    if high is not None and size > high:
        yield f"{path}: {size} is more than {high}"


JAVA_TO_PYTHON = (
    # A character beyond the first plane, written as its two halves.
    (r"\\uD800\\uDC00-\\uDBFF\\uDFFF", r"\\U00010000-\\U0010FFFF"),
    (r"\\z", r"\\Z"),
    # `(...)${1,128}`: a slip in SageMaker's model, which no engine can read; the length is checked besides.
    (r"\$\{\d+,\d+\}", ""),
)
CLASSES = {"ASCII": r"\x00-\x7f", "Print": r"\x20-~", "Graph": r"\x21-~"}
"""What Python writes for Java's classes; those of Unicode, of which it has none, are widened to words and blanks."""


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a service model's pattern: they are Java's."""
    for java, python in JAVA_TO_PYTHON:
        pattern = re.sub(java, python, pattern)

    def written(match: re.Match[str]) -> str:
        members = CLASSES.get(match[1], r"\w\s")
        before = re.sub(r"\\.", "", pattern[: match.start()])
        return members if before.count("[") > before.count("]") else f"[{members}]"

    return re.compile(re.sub(r"\\p\{(\w+)\}", written, pattern))


_found: list[str] = []


def _check(model: OperationModel, params: Mapping[str, Any]) -> None:
    _found.extend(f"{model.name}: {problem}" for problem in problems(model.input_shape, params, "request"))


recording.listeners.append(_check)


@pytest.fixture(autouse=True)
def legal_requests(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test whose requests AWS would refuse, whatever a fake or moto made of them."""
    _found.clear()
    yield
    found, illegal_on_purpose = list(_found), request.node.get_closest_marker("illegal_requests") is not None
    _found.clear()
    if found and not illegal_on_purpose:
        pytest.fail("AWS would refuse:\n" + "\n".join(dict.fromkeys(found)), pytrace=False)


def found_so_far() -> list[str]:
    """What was illegal in the running test until now: for the tests of this plugin itself."""
    return list(_found)
