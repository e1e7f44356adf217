"""Sees every call that boto3 makes in this process, and knows at which of the application's doors it was made.

botocore copies its list of built-in handlers into every session, so a handler added here, before any client is made, is
in all of them: those of the application too.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from botocore import handlers
from botocore.model import OperationModel

_door: ContextVar[str | None] = ContextVar("door", default=None)
_SEEN = "tarmac_recorded_call"


@dataclass
class AwsCall:
    """One call as the adapter made it; *error* is AWS's code, once it has answered with one."""

    service: str
    operation: str
    params: Mapping[str, Any]
    door: str | None
    error: str | None = None


@dataclass
class Recording:
    """Calls, in order."""

    calls: list[AwsCall] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    """For whoever keeps, beside the calls, what was logged meanwhile."""

    def at(self, door: str) -> list[AwsCall]:
        """Those made at one door."""
        return [call for call in self.calls if call.door == door]


Listener = Callable[[OperationModel, Mapping[str, Any]], None]
listeners: list[Listener] = []
"""Called with each operation and its parameters, before botocore looks at them."""
_recordings: list[Recording] = []


def _before(params: Mapping[str, Any], model: OperationModel, context: dict[str, Any], **_: Any) -> None:
    for listener in listeners:
        listener(model, params)
    if _recordings:
        call = AwsCall(model.service_model.service_name, model.name, dict(params), _door.get())
        context[_SEEN] = call
        for recording in _recordings:
            recording.calls.append(call)


def _after(parsed: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:
    call = context.get(_SEEN)
    if call is not None and "Error" in parsed:
        call.error = str(parsed["Error"].get("Code"))


handlers.BUILTIN_HANDLERS += [("before-parameter-build", _before), ("after-call", _after)]


@contextlib.contextmanager
def recording() -> Iterator[Recording]:
    """Record every call until the block ends."""
    made = Recording()
    _recordings.append(made)
    try:
        yield made
    finally:
        _recordings.remove(made)


@contextlib.contextmanager
def at_door(name: str) -> Iterator[None]:
    """Say that what is called inside is called by that function of the stack: api, look or sweep."""
    before = _door.set(name)
    try:
        yield
    finally:
        _door.reset(before)
