"""Refuses what SageMaker would refuse of a request's shape: names, lengths, enums. Called by sagemaker_responses.py.

The rules are those of botocore's own service model, so a new instance type needs nothing but a newer botocore.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import Shape
from moto.core.utils import get_service_model
from moto.sagemaker.exceptions import AWSValidationException


def check(operation: str, raw_request: Mapping[str, Any]) -> None:
    """Check a request against the service model.

    Raises:
        AWSValidationException: In SageMaker's sentences, one for each broken rule.
    """
    shape = get_service_model("sagemaker").operation_model(operation).input_shape
    problems = list(_problems(shape, raw_request, ""))
    if problems:
        count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
        raise AWSValidationException(f"{count}: {'; '.join(problems)}")


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        for name in shape.required_members:
            if value.get(name) is None:
                yield f"Value null at '{_member(path, name)}' failed to satisfy constraint: Member must not be null"
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from _problems(member, value[name], _member(path, name))
    elif shape.type_name == "list":
        yield from _size_problems(shape, len(value), value, path, "length")
        for index, item in enumerate(value, start=1):
            yield from _problems(shape.member, item, f"{path}.{index}.member")
    elif shape.type_name == "map":
        yield from _size_problems(shape, len(value), value, path, "length")
        for key, item in value.items():
            yield from _problems(shape.key, key, path)
            yield from _problems(shape.value, item, f"{path}.{key}.member")
    elif shape.type_name == "string":
        yield from _string_problems(shape, value, path)
    elif shape.type_name in {"integer", "long", "float", "double"}:
        yield from _size_problems(shape, value, value, path, "value")


def _string_problems(shape: Shape, value: str, path: str) -> Iterator[str]:
    too_long_or_short = list(_size_problems(shape, len(value), value, path, "length"))
    yield from too_long_or_short
    pattern = shape.metadata.get("pattern")
    if pattern and not too_long_or_short and not re.fullmatch(_for_python(pattern), value, re.DOTALL):
        yield _sentence(value, path, f"satisfy regular expression pattern: {pattern}")
    if shape.enum and value not in shape.enum:
        yield _sentence(value, path, f"satisfy enum value set: [{', '.join(shape.enum)}]")


def _size_problems(shape: Shape, size: float, value: Any, path: str, what: str) -> Iterator[str]:
    most, least = shape.metadata.get("max"), shape.metadata.get("min")
    having = "have length" if what == "length" else "have value"
    if most is not None and size > most:
        yield _sentence(value, path, f"{having} less than or equal to {most}")
    if least is not None and size < least:
        yield _sentence(value, path, f"{having} greater than or equal to {least}")


def _sentence(value: Any, path: str, rule: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: Member must {rule}"


def _member(path: str, name: str) -> str:
    spelled = name[0].lower() + name[1:]
    return f"{path}.{spelled}" if path else spelled


def _for_python(pattern: str) -> str:
    # The model's patterns are Java's: the POSIX-like classes are all that Python does not know.
    return pattern.replace(r"\p{L}", r"\w").replace(r"\p{Z}", r"\s").replace(r"\p{N}", r"\d")
