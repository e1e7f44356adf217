"""Chooses the container that serves a model, its version and image. Called by `plans`, before an instance is chosen."""

import re

from chalicelib.door.catalogue import catalogue
from chalicelib.door.containers import Container
from chalicelib.door.images import Edition, Image, containers_in, editions, regions_of, table_words
from chalicelib.door.instances import has_gpu, has_other_chip
from chalicelib.door.kinds import Findings, declarer
from chalicelib.door.layouts import Framework
from chalicelib.door.models import Model, Stage
from chalicelib.door.quantizers import VLLM_LOADS
from chalicelib.door.shapes import read_quantization
from chalicelib.door.suitability import check_suits, misfit, needs_gpu
from chalicelib.door.versions import Subject, choose_edition, knows_type
from chalicelib.door.weights import loaded_files
from chalicelib.door.wishes import PATH, Wishes
from chalicelib.reports import Severity

_declare = declarer("The plan")
NO_CONTAINER = _declare(
    "container-not-available",
    Severity.ERROR,
    "No container serves such a model without code, or the region has no image of the one it needs.",
    "Add `code/inference.py`, name another container, or deploy to a region that has it; the message says which.",
)
WRONG_CHIP = _declare(
    "instance-chip",
    Severity.ERROR,
    "The instance type in deploy.toml has a chip (Graviton, Inferentia, Trainium, Gaudi) or GPUs the image is not for.",
    "Name an x86 type such as ml.m5.large, or a GPU type where the container has a GPU image.",
)
IMAGE_ELSEWHERE = _declare(
    "image-not-in-region",
    Severity.ERROR,
    "The image on the allow-list lies where SageMaker does not fetch it: not in this region's Amazon ECR.",
    "Push the image to Amazon ECR in the stage's region, and allow that address.",
)

_BY_FRAMEWORK = {
    Framework.SKLEARN: "sklearn",
    Framework.PYTORCH: "pytorch",
    Framework.TENSORFLOW: "tensorflow",
    Framework.XGBOOST: "xgboost",
    Framework.TRANSFORMERS: "huggingface",
    Framework.SENTENCE_TRANSFORMERS: "huggingface",
    Framework.DIFFUSERS: "huggingface",
    Framework.ADAPTER: "huggingface",
    Framework.CODE: "huggingface",
}
_WITH_CODE = "add code/inference.py whose model_fn loads it with"
_BRING_YOUR_OWN = {
    Framework.GGUF: "Drop the model that it was made from, as `save_pretrained` writes it; or"
    f" {_WITH_CODE} llama-cpp-python, and bring that library's wheel under code/wheels.",
    Framework.ONNX: "Drop the model that it was exported from, as `save_pretrained` writes it; or"
    f" {_WITH_CODE} onnxruntime, and bring that library's wheel under code/wheels.",
}
ONE_GPU_BYTES = 20 << 30
"""Weights that no GPU of 24 GiB holds: more than one is wanted then, and only vLLM spreads a model over several."""
_ECR = re.compile(r"\d{12}\.dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.]+/.+")


def container_name(model: Model, wishes: Wishes, stage: Stage, task: str | None) -> tuple[str, str]:
    """Tell which container is asked for, or fits, and why."""
    if wishes.container is not None:
        return wishes.container, "deploy.toml says so"
    if _wants_several_gpus(model, stage, task):
        return "vllm", "the weights want more than one GPU, and it spreads them"
    quantization = read_quantization(model.config)
    if quantization is not None and quantization.method in VLLM_LOADS and _may_be_vllms(model, stage, task):
        return "vllm", f"the weights are quantised by {quantization.method}, and it computes with them as they are"
    name = _BY_FRAMEWORK.get(model.framework, "huggingface")
    return name, f"the archive is {model.framework}"


def choose_container(
    model: Model, wishes: Wishes, stage: Stage, task: str | None, findings: Findings
) -> Container | None:
    """Choose the container; None when none here serves the model, which *findings* then says."""
    name, reason = container_name(model, wishes, stage, task)
    why = f"container {name}: {reason}"
    if wishes.container is None and model.framework not in _BY_FRAMEWORK and not model.has_code:
        message = f"the archive is {model.framework}, and no container loads that without code"
        findings.add(NO_CONTAINER, message, fix=_BRING_YOUR_OWN.get(model.framework))
        return None
    if "/" in name:
        is_here = _check_image(name, stage, findings)
        container = Container(name, why, Image(name), Image(name)) if is_here else None
    else:
        container = _of_table(name, why, Subject(model, wishes, task), stage, findings)
    if container is None or not _check_chip(container, wishes, findings):
        return None
    return container


def _of_table(name: str, why: str, subject: Subject, stage: Stage, findings: Findings) -> Container | None:
    model, task = subject.model, subject.task
    if not check_suits(name, model, task, findings):
        return None
    found = editions(name, stage.region)
    if not found:
        _explain_region(name, stage.region, findings)
        return None
    elsewhere = None
    if name == "huggingface" and _vllm_serves(model, stage, task):
        elsewhere = 'Write container = "vllm" in deploy.toml: its transformers is newer, and knows the model.'
    edition = choose_edition(name, subject, found, findings, elsewhere=elsewhere)
    if edition is None:
        return None
    if edition is not found[0]:
        why += f"; version {edition.version}, for it can load what this is"
    on_cpu = None if needs_gpu(name, model) else edition.on_cpu
    return Container(name, why, on_cpu, edition.on_gpu, _env(name, subject))


def _env(name: str, subject: Subject) -> tuple[tuple[str, str], ...]:
    model, env = subject.model, {}
    if name in ("tei", "vllm") and subject.task is not None:
        # They look at the model alone; the embedded AWS's own server stands in for both, and reads this.
        env["HF_TASK"] = subject.task
    if name == "tei" and model.repo is None:
        env["HF_MODEL_ID"] = "/opt/ml/model"
    if name == "vllm":
        if model.repo is None:
            env["SM_VLLM_MODEL"] = "/opt/ml/model"
        else:
            env |= {"SM_VLLM_MODEL": model.repo.id, "SM_VLLM_REVISION": model.repo.commit}
        if subject.wishes.trust == "trusted" and "auto_map" in model.config:
            env["SM_VLLM_TRUST_REMOTE_CODE"] = "true"
    return tuple(sorted(env.items()))


def _wants_several_gpus(model: Model, stage: Stage, task: str | None) -> bool:
    weights_bytes = sum(loaded_files(model.contents).values())
    return weights_bytes > ONE_GPU_BYTES and _may_be_vllms(model, stage, task)


def _may_be_vllms(model: Model, stage: Stage, task: str | None) -> bool:
    # The archive's own handler, or one dropped beside it, is there to be run.
    has_code = any(path.startswith("code/") for path in model.contents.files)
    return not has_code and _vllm_serves(model, stage, task)


def _vllm_serves(model: Model, stage: Stage, task: str | None) -> bool:
    """Tell whether vLLM could serve the model here, and its transformers knows it."""
    found: tuple[Edition, ...] = editions("vllm", stage.region)
    return bool(found) and misfit("vllm", model, task) is None and knows_type(model, found[0])


def _explain_region(name: str, region: str, findings: Findings) -> None:
    here, there = sorted(containers_in(region)), sorted(regions_of(name))
    if here:
        message = f"region {region} has no image of container {name}; it has {', '.join(here)}"
        continent = region.split("-", maxsplit=1)[0]
        near = sorted(there, key=lambda one: (not one.startswith(continent), not one.startswith(("us-", "eu-")), one))
        fix = f"Deploy to a region that has it ({', '.join(near[:8])}, …), or name one of those containers."
    else:
        message = f"region {region} is not in the table of images ({table_words()})"
        fix = "Write the address of an image that you have pushed there as `container`, once the stage allows it."
    findings.add(NO_CONTAINER, message, path=PATH, fix=fix)


def _check_image(uri: str, stage: Stage, findings: Findings) -> bool:
    match = _ECR.fullmatch(uri)
    if match is None:
        findings.add(
            IMAGE_ELSEWHERE, f"{uri} is no address in Amazon ECR, and SageMaker fetches from nowhere else", path=PATH
        )
    elif match["region"] != stage.region:
        findings.add(
            IMAGE_ELSEWHERE, f"the image lies in {match['region']}, and the stage in {stage.region}", path=PATH
        )
    return not findings.has(IMAGE_ELSEWHERE)


def _check_chip(container: Container, wishes: Wishes, findings: Findings) -> bool:
    instance_type = wishes.instance_type
    if instance_type is None or container.is_own_image:
        return True
    if has_other_chip(instance_type):
        findings.add(WRONG_CHIP, f"no image of container {container.name} is for {instance_type}", path=PATH)
    elif container.image_for(instance_type) is None:
        have, has = ("GPU", "GPUs") if has_gpu(instance_type) else ("CPU", "none")
        message = f"container {container.name} has no {have} image for this model, and {instance_type} has {has}"
        findings.add(WRONG_CHIP, message, path=PATH)
    elif (problem := _gpu_problem(container, instance_type)) is not None:
        findings.add(WRONG_CHIP, f"{instance_type}: {problem}", path=PATH)
    return not findings.has(WRONG_CHIP)


def _gpu_problem(container: Container, instance_type: str) -> str | None:
    known = catalogue().instances.get(instance_type)
    return None if known is None or known.gpu is None else container.gpu_problem(known.gpu)
