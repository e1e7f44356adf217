"""What answers requests behind the server: a task, in batches; user code is in `hooks`. Called by `workers`."""

import sys
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

from .answers import encode
from .events import places
from .faults import Fault, ModelFault, OutOfMemory
from .payloads import decode
from .shortages import first_line, give_back, is_shortage, wished
from .tasks import Job, Task

Outcome = tuple[bytes, str] | BaseException
"""A body with its content type, or why there is none."""

Emit = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready for the inference thread.

    Attributes:
        work: As its backend understands it.
        key: Requests of equal keys may share a batch; None shares with none.
        size: Items in it.
        accept: The caller's Accept header.
        is_stream: Whether the caller wants the answer piece by piece.
        emit: Takes each piece of a stream, from any thread; False once the caller has gone.
    """

    work: Any
    key: Hashable
    size: int
    accept: str | None
    is_stream: bool = False
    emit: Emit = field(default=lambda _piece: True, compare=False)


class Backend(Protocol):
    """Prepares requests on the event loop's thread, answers them on the inference thread.

    One that answers None begins a request and goes on with it at every `step`, until that gives its outcome.
    """

    batch_items: int

    @property
    def running_items(self) -> int:
        """Items of requests that were begun and have no outcome yet."""

    def prepare(self, body: bytes, content_type: str | None, accept: str | None) -> Request:
        """Parse one request. Raises CallerFault."""

    def answer(self, requests: Sequence[Request]) -> Sequence[Outcome | None]:
        """Answer requests of one key, together."""

    def step(self) -> Sequence[tuple[Request, Outcome]]:
        """Go on with what is running; give what has come to its end."""

    def forget(self, request: Request) -> None:
        """Drop a running request: nobody waits for it any more."""

    def reset(self) -> None:
        """Drop all running requests, also while another thread is stuck in a step of theirs."""

    def warm_up(self) -> None:
        """Answer one small request. Raises whatever the model raises."""


class AtOnce:
    """What a backend adds that answers every request in one go."""

    @property
    def running_items(self) -> int:
        """Nothing runs on."""
        return 0

    def step(self) -> Sequence[tuple[Request, Outcome]]:
        """Nothing runs on."""
        return ()

    def forget(self, request: Request) -> None:
        """Nothing runs on."""

    def reset(self) -> None:
        """Nothing runs on."""


class TaskBackend(AtOnce):
    """Batches requests of equal parameters."""

    def __init__(self, task: Task) -> None:
        self.task = task
        # A model that has loaded without torch is not made to wait for it.
        self.no_gradients: Callable[[], AbstractContextManager[Any]] = (
            sys.modules["torch"].inference_mode if "torch" in sys.modules else nullcontext
        )
        self.batch_items = task.batch_items

    def prepare(self, body: bytes, content_type: str | None, accept: str | None) -> Request:
        """Parse one request. Raises CallerFault."""
        job = self.task.parse(decode(body, content_type, takes_sheets=self.task.takes_sheets))
        return Request(work=job, key=job.parameters, size=len(job.items), accept=accept)

    def warm_up(self) -> None:
        """Answer the task's own sample. Raises whatever the model raises."""
        with self.no_gradients():
            encode(self.task.run(self.task.sample()), None)

    def answer(self, requests: Sequence[Request]) -> Sequence[Outcome | None]:
        """Answer all items of all requests in as few batches as they fit; one that fails fails alone."""
        jobs: list[Job] = [request.work for request in requests]
        items = [item for job in jobs for item in job.items]
        answers, fault = self._try(items, jobs[0].parameters, most=self.batch_items)
        most = min(self.batch_items, len(items))
        while len(requests) == 1 and most > 1 and isinstance(fault, OutOfMemory):
            most //= 2
            answers, fault = self._try(items, jobs[0].parameters, most=most)
        if fault is not None:
            if len(requests) == 1:
                return [fault]
            middle = len(requests) // 2
            return [*self.answer(requests[:middle]), *self.answer(requests[middle:])]
        outcomes: list[Outcome | None] = []
        start = 0
        for request in requests:
            part = answers[start : start + request.size]
            start += request.size
            outcomes.append(attempt(lambda request=request, part=part: self.render(request, part)))  # type: ignore[misc]
        return outcomes

    def _try(self, items: Sequence[Any], parameters: Any, *, most: int) -> tuple[list[Any], Fault | None]:
        """Answer items, *most* of them together, or say why not.

        Whoever tries again does so after this has returned: an error that is still being handled keeps all that the
        failed attempt has made, and then there would be no memory for the next.
        """
        answers: list[Any] = []
        fault: Fault | None = None
        try:
            with self.no_gradients():
                for start in range(0, len(items), most):
                    answers.extend(self.task.answer(items[start : start + most], parameters))
        except Exception as error:  # noqa: BLE001  # whatever a model raises is its callers' to hear, not the process's end
            fault = as_fault(error)
        if isinstance(fault, OutOfMemory):
            give_back()
        return answers, fault

    def render(self, request: Request, part: Sequence[Any]) -> tuple[bytes, str]:
        """Shape and encode the answers to a request's items."""
        return encode(self.task.render(request.work, part), request.accept)


def attempt(render: Callable[[], tuple[bytes, str]]) -> Outcome:
    """Render an answer, or say why it cannot be."""
    try:
        return render()
    except Exception as error:  # noqa: BLE001  # see TaskBackend.answer
        return as_fault(error)


def as_fault(error: Exception) -> Fault:
    """Turn whatever a model raised into a fault that says what and no more than a caller may see."""
    if isinstance(error, Fault):
        return error.with_traceback(None)
    if is_shortage(error):
        fault: Fault = OutOfMemory(
            f"there is not enough memory to answer this ({wished(error)}); send fewer or shorter inputs at a time, or "
            "use an instance type with more memory"
        )
    else:
        fault = ModelFault(f"the model failed: {type(error).__name__}: {first_line(error)}")
    # Not as its cause: that would keep alive, by its frames, all that the model has made until then.
    fault.facts = places(error)
    return fault
