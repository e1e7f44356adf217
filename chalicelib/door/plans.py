"""From what is in the archive and what was wished for to how the release will run, and why. Called by `inspection`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.door.containers import PLANNED, Image, choose_image
from chalicelib.door.contents import Contents
from chalicelib.door.grafts import HANDLED_TASKS
from chalicelib.door.instances import BY_TYPE, PRICED_ON, PRICED_REGION, has_gpu, has_other_chip
from chalicelib.door.kinds import Findings, declarer, shown
from chalicelib.door.layouts import Framework
from chalicelib.door.schema import duration_words
from chalicelib.door.sizing import Size, cheapest, copies, holds, measure, need_bytes
from chalicelib.door.tasks import architecture_of, infer_task
from chalicelib.door.wishes import PATH, Wishes
from chalicelib.reports import ServingPlan, Severity

_declare = declarer("The plan")
RECOGNISED = _declare("recognised", Severity.INFO, "What the archive was recognised as.", None)
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
NO_INSTANCE = _declare(
    "no-instance-fits",
    Severity.ERROR,
    "No CPU instance has the memory for the model.",
    "Name a GPU type as instance_type in deploy.toml, or save the weights in half precision.",
)
WRONG_CHIP = _declare(
    "instance-chip",
    Severity.ERROR,
    "The instance type in deploy.toml has a chip (Graviton, Inferentia, Trainium, Gaudi) or GPUs the image is not for.",
    "Name an x86 type such as ml.m5.large, or a GPU type where the container has a GPU image.",
)
TIGHT = _declare(
    "instance-too-small",
    Severity.WARNING,
    "The instance type in deploy.toml has less memory than the model is expected to want.",
    "Name a larger type, or leave instance_type out.",
)
TOO_DEAR = _declare(
    "over-max-hourly-cost",
    Severity.ERROR,
    "The cheapest way to run the model costs more than max_hourly_cost.",
    "Raise max_hourly_cost, or make the model smaller.",
)
NO_PRICE = _declare(
    "price-unknown",
    Severity.WARNING,
    "The price of the instance type is not in the table, so max_hourly_cost cannot be held against it.",
    None,
)
NEWER_TRANSFORMERS = _declare(
    "transformers-newer",
    Severity.INFO,
    "The model was saved with a newer transformers than the container has; it may not know the architecture.",
    "Save it with the container's version, or test it first.",
)

_BY_FRAMEWORK = {
    Framework.SKLEARN: "sklearn",
    Framework.PYTORCH: "pytorch",
    Framework.TRANSFORMERS: "huggingface",
    Framework.SENTENCE_TRANSFORMERS: "huggingface",
    Framework.DIFFUSERS: "huggingface",
    Framework.ADAPTER: "huggingface",
    Framework.CODE: "huggingface",
}
_WORKERS = "SAGEMAKER_MODEL_SERVER_WORKERS"
_WORKER_NAMES = frozenset({_WORKERS, "MMS_DEFAULT_WORKERS_PER_MODEL", "TS_DEFAULT_WORKERS_PER_MODEL"})


@dataclass(frozen=True)
class Stage:
    """What the stage decides where deploy.toml does not. Durations in seconds; None for never."""

    region: str
    instance_type: str
    idle_after_s: float | None


@dataclass(frozen=True)
class Model:
    """What is known of the model when the plan is made."""

    contents: Contents
    framework: Framework
    config: Mapping[str, Any]

    @property
    def has_code(self) -> bool:
        """Whether it brings its own handler."""
        return "code/inference.py" in self.contents.files


def find_task(model: Model, wishes: Wishes) -> tuple[str | None, str | None]:
    """Tell what the model does, and where that was read."""
    if wishes.task:
        return wishes.task, f"task {wishes.task}: deploy.toml says so"
    if model.framework is Framework.DIFFUSERS:
        return "text-to-image", "task text-to-image: model_index.json is a diffusers pipeline's"
    if model.framework is Framework.SENTENCE_TRANSFORMERS:
        return "feature-extraction", "task feature-extraction: modules.json is a sentence encoder's"
    architecture = architecture_of(model.config) if model.framework is Framework.TRANSFORMERS else None
    task = infer_task(architecture) if architecture else None
    return task, f"task {task}: config.json says {shown(architecture or '')}" if task else None


def make_plan(model: Model, wishes: Wishes, stage: Stage, findings: Findings) -> ServingPlan | None:
    """Make the plan; None when something found on the way refuses the drop."""
    task, why_task = find_task(model, wishes)
    on_gpu = wishes.instance_type is not None and has_gpu(wishes.instance_type)
    image = _image(model, wishes, stage, task, on_gpu=on_gpu, findings=findings)
    if image is None:
        return None
    size = measure(model.contents, loads_as_fp32=bool(image.transformers and image.transformers < "5"))
    findings.add(RECOGNISED, _recognised(model, size))
    _check_versions(model, image, task, findings)
    instance_type, why_instance = _instance(size, wishes, stage, findings)
    if instance_type is None:
        return None
    price = _price(instance_type, wishes, findings)
    idle_after_s = wishes.idle_after_s if wishes.has_idle_after else stage.idle_after_s
    whose = "deploy.toml" if wishes.has_idle_after else "the stage's setting"
    rest = "never sleeps" if idle_after_s is None else f"sleeps after {duration_words(idle_after_s)} without a call"
    why_container = f"container {_container_name(model, wishes)}: " + (
        "deploy.toml says so" if wishes.container else f"the archive is {model.framework}"
    )
    is_grafted = _is_grafted(model, wishes, task)
    env, why_env = _env(model, wishes, task, instance_type, size, brings_code=model.has_code or is_grafted)
    why_handler = "handler: Tarmac's own, put in front as code/, for the archive has none" if is_grafted else None
    reasons = (why_task, why_container, why_handler, why_instance, why_env, f"{rest}: {whose}")
    return ServingPlan(
        container=_container_name(model, wishes),
        image_uri=image.uri,
        task=task,
        mode="realtime",
        instance_type=instance_type,
        instance_count=wishes.instance_count,
        idle_after_s=idle_after_s,
        env=env,
        is_idle_after_wished=wishes.has_idle_after,
        price_per_hour_usd=price,
        why=tuple(reason for reason in reasons if reason),
        is_grafted=is_grafted,
    )


def _is_grafted(model: Model, wishes: Wishes, task: str | None) -> bool:
    """Whether Tarmac's own handler goes in front: it serves the task, and nothing stands where it would lie."""
    has_folder = any(path == "code" or path.startswith("code/") for path in model.contents.files)
    return _container_name(model, wishes) == "huggingface" and task in HANDLED_TASKS and not has_folder


def _container_name(model: Model, wishes: Wishes) -> str:
    return wishes.container or _BY_FRAMEWORK.get(model.framework, "huggingface")


def _image(
    model: Model, wishes: Wishes, stage: Stage, task: str | None, *, on_gpu: bool, findings: Findings
) -> Image | None:
    container = _container_name(model, wishes)
    if wishes.container is None and model.framework not in _BY_FRAMEWORK and not model.has_code:
        findings.add(NO_CONTAINER, f"the archive is {model.framework}, which no container planned with here serves")
        return None
    if "/" in container:
        return Image(container)
    if container not in PLANNED:
        findings.add(NO_CONTAINER, f"container {container} cannot be planned with yet", path=PATH)
        return None
    if wishes.instance_type is not None and has_other_chip(wishes.instance_type):
        findings.add(WRONG_CHIP, f"no image of container {container} is for {wishes.instance_type}", path=PATH)
        return None
    image = choose_image(container, region=stage.region, task=task, has_code=model.has_code, on_gpu=on_gpu)
    if image is None:
        findings.add(
            WRONG_CHIP, f"container {container} has no GPU image, and {wishes.instance_type} has GPUs", path=PATH
        )
    return image


def _instance(size: Size, wishes: Wishes, stage: Stage, findings: Findings) -> tuple[str | None, str | None]:
    need = f"{need_bytes(size) / 2**30:.1f} GiB"
    if wishes.instance_type is not None:
        known = BY_TYPE.get(wishes.instance_type)
        if known is not None and not holds(known, size):
            memory_gib = known.gpu_memory_gib or known.memory_gib
            message = f"{known.type} has {memory_gib} GiB; {need} is expected to be wanted"
            findings.add(TIGHT, message, path=PATH)
        return wishes.instance_type, f"instance {wishes.instance_type}: deploy.toml says so"
    if not size.stored_bytes:
        return (
            stage.instance_type,
            f"instance {stage.instance_type}: the stage's default, for there are no weights to size",
        )
    chosen = cheapest(size)
    if chosen is None:
        findings.add(NO_INSTANCE, f"the model wants {need} of memory, more than any CPU instance has")
        return None, None
    return chosen.type, (
        f"instance {chosen.type}: the cheapest CPU type whose {chosen.memory_gib} GiB hold the {need} expected"
        f" (twice the weights, and the server); ${chosen.price_per_hour_usd:g} an hour in {PRICED_REGION}, {PRICED_ON}"
    )


def _price(instance_type: str, wishes: Wishes, findings: Findings) -> float | None:
    known = BY_TYPE.get(instance_type)
    if known is None:
        if wishes.max_hourly_cost is not None:
            findings.add(NO_PRICE, f"the price of {instance_type} is not known here", path=PATH)
        return None
    price = round(known.price_per_hour_usd * wishes.instance_count, 4)
    if wishes.max_hourly_cost is not None and price > wishes.max_hourly_cost:
        message = f"{wishes.instance_count} x {instance_type} costs ${price:g} an hour, over {wishes.max_hourly_cost:g}"
        findings.add(TOO_DEAR, message, path=PATH)
    return price


def _env(
    model: Model, wishes: Wishes, task: str | None, instance_type: str, size: Size, *, brings_code: bool
) -> tuple[tuple[tuple[str, str], ...], str | None]:
    env, why = {}, None
    if task is not None and _container_name(model, wishes) == "huggingface":
        env["HF_TASK"] = task
    if wishes.trust != "scan":
        env["TARMAC_TRUST"] = wishes.trust
    if brings_code:
        env["SAGEMAKER_PROGRAM"] = "inference.py"
        env["SAGEMAKER_SUBMIT_DIRECTORY"] = "/opt/ml/model/code"
    instance = BY_TYPE.get(instance_type)
    asked = {name for name, _ in wishes.env}
    if instance is not None and not instance.gpu_memory_gib and not asked & _WORKER_NAMES:
        # The container starts one copy a vCPU unless told otherwise, and runs out of memory with large models.
        count = copies(instance, size)
        if count < instance.vcpus:
            env[_WORKERS] = str(count)
            why = f"{count} cop{'y' if count == 1 else 'ies'} of the model: what the memory has room for"
    return tuple(sorted({**env, **dict(wishes.env)}.items())), why


def _check_versions(model: Model, image: Image, task: str | None, findings: Findings) -> None:
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


def _recognised(model: Model, size: Size) -> str:
    architecture = architecture_of(model.config)
    what = f"{model.framework} {shown(architecture)}" if architecture else str(model.framework)
    if size.parameter_count is not None:
        dtypes = ", ".join(shown(dtype) for dtype in sorted(size.dtypes)[:4])
        return f"{what}, {size.parameter_count:,} parameters ({dtypes})"
    return f"{what}, {size.stored_bytes:,} bytes of weights"
