"""Which container serves a model, and with what in it. Called by `plans`, before an instance is chosen."""

from dataclasses import dataclass

from chalicelib.door.images import PLANNED, Image, choose_image
from chalicelib.door.instances import has_gpu, has_other_chip
from chalicelib.door.kinds import Findings, declarer, shown
from chalicelib.door.layouts import Framework
from chalicelib.door.models import Model, Stage
from chalicelib.door.wishes import PATH, Wishes
from chalicelib.reports import Severity

_declare = declarer("The plan")
NO_TASK = _declare(
    "task-unknown",
    Severity.WARNING,
    "Neither `config.json` nor `deploy.toml` says what the model does; the container's default handler will not start.",
    'Write task = "text-classification" (or what it does) in deploy.toml, or add `code/inference.py`.',
)
NO_CONTAINER = _declare(
    "container-not-available",
    Severity.ERROR,
    "The model needs, or deploy.toml asks for, a container that this version cannot plan with.",
    "Use huggingface, pytorch or sklearn, with `code/inference.py` where the framework is another.",
)
WRONG_CHIP = _declare(
    "instance-chip",
    Severity.ERROR,
    "The instance type in deploy.toml has a chip (Graviton, Inferentia, Trainium, Gaudi) or GPUs the image is not for.",
    "Name an x86 type such as ml.m5.large, or a GPU type where the container has a GPU image.",
)
NEWER_TRANSFORMERS = _declare(
    "transformers-newer",
    Severity.INFO,
    "The model was saved with a newer transformers than the container has; it may not know the architecture.",
    "Save it with the container's version, or test it first.",
)


@dataclass(frozen=True)
class Container:
    """A container, as far as it matters for the choice of an instance.

    Attributes:
        name: As deploy.toml calls it, or an image URI.
        why: One sentence for people.
        on_cpu, on_gpu: Its images; None where it has none for such instances. At least one is there.
    """

    name: str
    why: str
    on_cpu: Image | None
    on_gpu: Image | None

    def image_for(self, instance_type: str) -> Image | None:
        """The image for such an instance; None where there is none."""
        return self.on_gpu if has_gpu(instance_type) else self.on_cpu

    @property
    def loads_as_fp32(self) -> bool:
        """Whether half-precision weights become float32 in memory, as transformers before 5 does unless told not to."""
        image = self.on_cpu or self.on_gpu
        return image is not None and image.transformers is not None and image.transformers < "5"


_BY_FRAMEWORK = {
    Framework.SKLEARN: "sklearn",
    Framework.PYTORCH: "pytorch",
    Framework.TRANSFORMERS: "huggingface",
    Framework.SENTENCE_TRANSFORMERS: "huggingface",
    Framework.DIFFUSERS: "huggingface",
    Framework.ADAPTER: "huggingface",
    Framework.CODE: "huggingface",
}


def container_name(model: Model, wishes: Wishes) -> str:
    """Tell which container is asked for, or fits."""
    return wishes.container or _BY_FRAMEWORK.get(model.framework, "huggingface")


def choose_container(
    model: Model, wishes: Wishes, stage: Stage, task: str | None, findings: Findings
) -> Container | None:
    """Choose the container; None when none here serves the model, which *findings* then says."""
    name = container_name(model, wishes)
    why = f"container {name}: " + ("deploy.toml says so" if wishes.container else f"the archive is {model.framework}")
    if wishes.container is None and model.framework not in _BY_FRAMEWORK and not model.has_code:
        findings.add(NO_CONTAINER, f"the archive is {model.framework}, which no container planned with here serves")
        return None
    if "/" in name:
        return Container(name, why, Image(name), Image(name))
    if name not in PLANNED:
        findings.add(NO_CONTAINER, f"container {name} cannot be planned with yet", path=PATH)
        return None
    on_cpu, on_gpu = (
        choose_image(name, region=stage.region, task=task, has_code=model.has_code, on_gpu=on_gpu)
        for on_gpu in (False, True)
    )
    container = Container(name, why, on_cpu, on_gpu)
    if wishes.instance_type is not None:
        if has_other_chip(wishes.instance_type):
            findings.add(WRONG_CHIP, f"no image of container {name} is for {wishes.instance_type}", path=PATH)
            return None
        if container.image_for(wishes.instance_type) is None:
            message = f"container {name} has no GPU image, and {wishes.instance_type} has GPUs"
            findings.add(WRONG_CHIP, message, path=PATH)
            return None
    return container


def check_versions(model: Model, image: Image, task: str | None, findings: Findings) -> None:
    """Hold what the model was saved with against what the image has."""
    if image.transformers is None:
        return
    if task is None and not model.has_code:
        findings.add(NO_TASK, "nothing says what the model does", path="config.json")
    saved_with = model.config.get("transformers_version")
    if isinstance(saved_with, str) and _release(saved_with) > _release(image.transformers):
        message = f"saved with transformers {shown(saved_with)}; the container has {image.transformers}"
        findings.add(NEWER_TRANSFORMERS, message, path="config.json")


def _release(version: str) -> tuple[int, ...]:
    """The first two numbers of a version: what decides which architectures are known."""
    numbers = [part for part in version.split(".")[:2] if part.isascii() and part.isdigit() and len(part) < 6]
    return tuple(int(number) for number in numbers)
