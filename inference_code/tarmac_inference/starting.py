"""Loads a model, has it tried, and chooses threads and processes by its size. Called by `serving`."""

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
"""Weights from which on a second thread was measured to help a lone process: for 23 million 134 answers/s, not 92."""

_SHARED = 50_000_000
"""Weights up to which a process of one thread for each processor takes the place of threads.

For 23 million: 450 answers/s where one process of two threads gave 371, and 32 when anything else ran on the two
processors, as threads wait for each other by spinning. A lone caller waits 10.5 ms instead of 7; above, longer.
"""


def load(settings: Settings) -> Backend:
    """Load the model, on the inference thread: the user's own code where the archive has some, else the task's."""
    from .hooks import load_hooks

    hooks = load_hooks(settings.model_dir)
    if hooks is not None:
        return hooks
    from .registry import load_task

    task = load_task(settings.model_dir)
    _set_threads(task, settings)
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


def _set_threads(task: Task, settings: Settings) -> None:
    """Give a model as many threads as help it: a tiny one is slower with two, and erratic."""
    model = getattr(task, "model", None)
    if model is None:
        return
    import torch

    helping = processors() if _processes(task, settings) == 1 and _size_of(model) >= _LARGE else 1
    torch.set_num_threads(settings.threads or helping)


def _size_of(model: Any) -> int:
    """Count a model's weights."""
    return sum(weights.numel() for weights in model.parameters())


def processes_for(backend: Backend, settings: Settings) -> int:
    """Choose how many processes answer: one a processor, for a model that is not large."""
    return _processes(backend.task, settings) if isinstance(backend, TaskBackend) else 1


def _processes(task: Task, settings: Settings) -> int:
    """Choose how many processes answer for a task.

    Not for text that is written token by token, whose company is what makes it fast; nor for code of the user's, his
    model's own included, which may keep what it knows in one process; nor beside threads, which do not come along.
    """
    model = getattr(task, "model", None)
    if model is None or task.name == "text-generation" or not can_fork():
        return 1
    if not type(model).__module__.startswith("transformers.models.") or (settings.threads or 1) > 1:
        return 1
    if any(weights.device.type != "cpu" for weights in model.parameters()):
        return 1
    if settings.processes is None and _size_of(model) >= _SHARED:
        return 1
    return min(settings.processes or processors(), MOST)
