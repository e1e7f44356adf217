"""Loads a model, has it tried, and chooses threads and processes by its size. Called by `serving`."""

import sys
from typing import Any

from .backends import Backend, TaskBackend
from .faults import Fault, LoadError
from .processors import processors
from .settings import Settings
from .siblings import MOST, can_fork
from .smoke import read_smokes
from .smoke import run as run_smokes
from .tasks import Task

_LARGE = 10_000_000
"""Weights from which on a second thread was measured to help: 117 to 172 answers a second for a model of 22 million."""


def load(settings: Settings) -> Backend:
    """Load the model, on the inference thread: the user's own code where the archive has some, else the task's."""
    from .hooks import load_hooks

    hooks = load_hooks(settings.model_dir)
    if hooks is not None:
        return hooks
    from .registry import load_task

    task = load_task(settings.model_dir)
    _set_threads(task, settings.threads)
    return backend_of(task)


def load_and_try(settings: Settings) -> Backend:
    """Load the model, and have it pass its smoke test: its task's own sample, and what code/smoke.json asks.

    Raises:
        LoadError: It did not.
    """
    smokes = read_smokes(settings.model_dir)
    backend = load(settings)
    try:
        backend.warm_up()
    except Fault as fault:
        raise LoadError(f"the smoke test failed: on its task's own sample {fault}") from fault
    run_smokes(backend, smokes)
    return backend


def backend_of(task: Task) -> Backend:
    """Texts are written a token at a time, everything else is answered in one go."""
    if task.name != "text-generation":
        return TaskBackend(task)
    from .continuous import GenerationBackend
    from .generation import TextGeneration

    assert isinstance(task, TextGeneration)  # noqa: S101  # the only one of that name
    return GenerationBackend(task)


def _set_threads(task: Task, wished: int | None) -> None:
    """Give a model as many threads as help it: a tiny one is slower with two, and erratic."""
    model = getattr(task, "model", None)
    if model is None:
        return
    import torch

    torch.set_num_threads(wished or (processors() if _size_of(model) >= _LARGE else 1))


def _size_of(model: Any) -> int:
    """Count a model's weights."""
    return sum(weights.numel() for weights in model.parameters())


def processes_for(backend: Backend, wished: int | None) -> int:
    """Choose how many processes answer: more than one where the requests cost more than the model does.

    Not for text that is written token by token, whose company is what makes it fast; nor for code of the user's, which
    may keep what it knows in one process; nor where torch has threads, which do not come along.
    """
    if type(backend) is not TaskBackend or "torch" not in sys.modules:
        return 1
    import torch

    model = backend.model
    if model is None or not can_fork() or torch.get_num_threads() > 1:
        return 1
    if any(weights.device.type != "cpu" for weights in model.parameters()):
        return 1
    if wished is None and _size_of(model) >= _LARGE:
        return 1
    return min(wished or processors(), MOST)
