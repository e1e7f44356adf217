"""The "parameters" of a payload."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from inference_code.tarmac_inference.faults import CallerFault
from inference_code.tarmac_inference.parameters import NoParameters, bounded, parse_parameters


@dataclass(frozen=True)
class Knobs:
    count: int | None = bounded(3, least=1, most=10)
    heat: float = bounded(1.0, least=0, most=2)
    mode: Literal["fast", "slow"] | None = None
    names: str | tuple[str, ...] = ()
    is_loud: bool = False


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, Knobs()),
        ({}, Knobs()),
        ({"count": None, "heat": 2, "mode": "slow"}, Knobs(count=None, heat=2.0, mode="slow")),
        ({"names": ["a", "b"], "is_loud": True}, Knobs(names=("a", "b"), is_loud=True)),
        ({"truncation": True, "batch_size": 8}, Knobs()),
    ],
)
def test_known_names_are_taken_and_habits_of_pipelines_pass(raw: Any, expected: Knobs) -> None:
    assert parse_parameters(raw, Knobs) == expected


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "parameters: it must be an object"),
        ({"count": True}, "parameters.count: it must be a whole number or null"),
        ({"count": 11}, "parameters.count: 11 is out of range: 1 to 10"),
        ({"heat": "hot"}, "parameters.heat: it must be a number"),
        ({"heat": 10**400}, "parameters.heat: 1"),
        ({"mode": "medium"}, "parameters.mode: it must be one of 'fast', 'slow' or null"),
        ({"names": [1]}, "parameters.names: it must be a string or a list of strings"),
        ({"volume": 1}, "parameters.volume: there is no such parameter; this model takes count, heat, is_loud"),
    ],
)
def test_what_makes_no_sense_is_named(raw: Any, message: str) -> None:
    with pytest.raises(CallerFault) as raised:
        parse_parameters(raw, Knobs)

    assert str(raised.value).startswith(message)


def test_a_task_without_parameters_says_so() -> None:
    with pytest.raises(CallerFault, match="this model takes none"):
        parse_parameters({"a": 1}, NoParameters)


def test_equal_parameters_are_one_batch() -> None:
    assert hash(parse_parameters({"names": ["a"]}, Knobs)) == hash(parse_parameters({"names": ["a"]}, Knobs))
