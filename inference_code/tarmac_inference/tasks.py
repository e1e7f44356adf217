"""What a task is: it parses payloads into items, answers items in batches, and renders answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from .faults import CallerFault
from .parameters import NoParameters, parse_parameters
from .payloads import Payload, Sheet, unnamed_columns

MAX_ITEMS = 4096
"""Inputs that one request may hold: more would keep every other caller waiting for seconds."""


@dataclass(frozen=True)
class Job:
    """One request as its task understands it.

    Attributes:
        items: What to answer, in order.
        parameters: Hashable; jobs of equal parameters may share a batch.
        is_list: Whether the caller sent a list, and so wants one back.
        is_object: Whether the caller sent one JSON object: some pipelines answer that without a list around.
    """

    items: tuple[Any, ...]
    parameters: Any
    is_list: bool
    is_object: bool = False


class Task(ABC):
    """A loaded model that can answer. `parse` and `render` may run on any thread, `answer` on one at a time."""

    name: ClassVar[str]
    parameters_type: ClassVar[type] = NoParameters
    takes_sheets: ClassVar[bool] = False
    """Whether it reads a CSV that names no "inputs"."""
    batch_items: int = 64
    """How many items one call of `answer` takes at most."""

    def parse(self, payload: Payload) -> Job:
        """Check a payload. Raises CallerFault, naming the field."""
        taken = self.take_inputs(payload)
        inputs, is_list = listed(taken)
        parameters: Any = parse_parameters(payload.get("parameters"), self.parameters_type)
        items = tuple(
            self.parse_item(value, field=f"inputs[{index}]" if is_list else "inputs")
            for index, value in enumerate(inputs)
        )
        return Job(items=items, parameters=parameters, is_list=is_list, is_object=isinstance(taken, dict))

    def take_inputs(self, payload: Payload) -> Any:
        """Take the inputs out of a payload; a payload without "inputs" is itself the input."""
        if "inputs" in payload:
            return payload["inputs"]
        rest = {name: value for name, value in payload.items() if name not in ("parameters", "options")}
        if not rest:
            raise CallerFault("it is missing", field="inputs")
        return rest

    @abstractmethod
    def parse_item(self, value: Any, *, field: str) -> Any:
        """Check one input. Raises CallerFault, naming the field."""

    @abstractmethod
    def answer(self, items: Sequence[Any], parameters: Any) -> Sequence[Any]:
        """Answer at most `batch_items` items, in order, together."""

    @abstractmethod
    def sample(self) -> Payload:
        """Give a small payload that the model can answer: the warm-up."""

    def render(self, job: Job, answers: Sequence[Any]) -> Any:
        """Shape the answers to a job's items as the caller expects them: a list for a list."""
        return list(answers) if job.is_list else answers[0]

    def run(self, payload: Payload) -> Any:
        """Answer one payload from beginning to end, on this thread."""
        if isinstance(payload.get("inputs"), Sheet) and not self.takes_sheets:
            raise unnamed_columns()
        job = self.parse(payload)
        answers: list[Any] = []
        for start in range(0, len(job.items), self.batch_items):
            answers.extend(self.answer(job.items[start : start + self.batch_items], job.parameters))
        return self.render(job, answers)

    def __call__(self, inputs: Any, **parameters: Any) -> Any:
        """Answer as a transformers pipeline would: for user code that calls the default model."""
        return self.run({"inputs": inputs, "parameters": parameters})


def listed(inputs: Any) -> tuple[list[Any], bool]:
    """Give the inputs as a list, and whether they came as one. Raises CallerFault when they are too many."""
    if not isinstance(inputs, (list, tuple)):
        return [inputs], False
    if len(inputs) > MAX_ITEMS:
        raise CallerFault(f"{len(inputs)} items are too many for one request; {MAX_ITEMS} is the most", field="inputs")
    return list(inputs), True


def as_text(value: Any, *, field: str) -> str:
    """Check that a value is text that can be encoded. Raises CallerFault."""
    if not isinstance(value, str):
        raise CallerFault(f"it must be a string, not {kind_of(value)}", field=field)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise CallerFault("it holds half of a surrogate pair, which is no text", field=field) from None
    return value


def kind_of(value: Any) -> str:
    """Name a value's type as a JSON author would."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}
    return names.get(type(value), f"a {type(value).__name__}")
