"""What is known of a model when its plan is made: what it is, what it does, and what the stage decides for all."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.door.contents import Contents
from chalicelib.door.kinds import shown
from chalicelib.door.layouts import Framework
from chalicelib.door.tasks import TASKS, architecture_of, infer_task
from chalicelib.door.wishes import Wishes
from chalicelib.state import HubRepo


@dataclass(frozen=True)
class Stage:
    """What the stage decides where deploy.toml does not. Durations in seconds; None for never.

    Attributes:
        instance_types: Those that may be started; empty for any.
        quotas: How many instances of each type the account may run for endpoints; None when not known.
        is_in_vpc: The models live in subnets of the stage's own.
    """

    region: str
    instance_type: str
    idle_after_s: float | None
    instance_types: frozenset[str] = frozenset()
    quotas: Mapping[str, int] | None = None
    is_in_vpc: bool = False


@dataclass(frozen=True)
class Model:
    """What is known of the model when the plan is made."""

    contents: Contents
    framework: Framework
    config: Mapping[str, Any]
    repo: HubRepo | None = None
    """Where it comes from, when that is the Hugging Face Hub and no archive."""

    @property
    def has_code(self) -> bool:
        """Whether it brings its own handler."""
        return "code/inference.py" in self.contents.files


def find_task(model: Model, wishes: Wishes) -> tuple[str | None, str | None]:
    """Tell what the model does, and where that was read."""
    if wishes.task:
        return wishes.task, f"task {wishes.task}: deploy.toml says so"
    if model.repo is not None and model.repo.pipeline_tag in TASKS:
        return model.repo.pipeline_tag, f"task {model.repo.pipeline_tag}: the Hub says so"
    if model.framework is Framework.DIFFUSERS:
        return "text-to-image", "task text-to-image: model_index.json is a diffusers pipeline's"
    if model.framework is Framework.SENTENCE_TRANSFORMERS:
        return "feature-extraction", "task feature-extraction: modules.json is a sentence encoder's"
    architecture = architecture_of(model.config) if model.framework is Framework.TRANSFORMERS else None
    task = infer_task(architecture) if architecture else None
    return task, f"task {task}: config.json says {shown(architecture or '')}" if task else None
