"""From what is in the archive and what was wished for to how the release will run, and why. Called by `inspection`."""

from chalicelib.door.chooser import choose_container
from chalicelib.door.containers import Container
from chalicelib.door.estimators import handler_problem
from chalicelib.door.grafts import HANDLED_TASKS
from chalicelib.door.kinds import Findings, declarer, shown
from chalicelib.door.layouts import Framework
from chalicelib.door.models import Model, Stage, find_task
from chalicelib.door.modes import check_effects, settle_mode
from chalicelib.door.placements import Placement, place
from chalicelib.door.schema import duration_words
from chalicelib.door.sizing import Size, measure
from chalicelib.door.tasks import architecture_of
from chalicelib.door.versions import check_versions
from chalicelib.door.wishes import PATH, Wishes
from chalicelib.reports import HubModel, ServingPlan, Severity

_declare = declarer("The plan")
RECOGNISED = _declare("recognised", Severity.INFO, "What the archive was recognised as.", None)
HUB_CONTAINER = _declare(
    "hub-model-container",
    Severity.ERROR,
    "`hub_model` names a model for a container that cannot fetch from the Hub: only huggingface, vllm and tei can.",
    "Download the model and drop it as an archive.",
)
_FETCHING = frozenset({"huggingface", "vllm", "tei"})


def make_plan(model: Model, wishes: Wishes, stage: Stage, findings: Findings) -> ServingPlan | None:
    """Make the plan; None when something found on the way refuses the drop."""
    task, why_task = find_task(model, wishes)
    container = choose_container(model, wishes, stage, task, findings)
    if container is None:
        return None
    if model.repo is not None and container.name not in _FETCHING and "/" not in container.name:
        findings.add(HUB_CONTAINER, f"container {container.name} cannot fetch a model from the Hub", path=PATH)
        return None
    size = measure(model.contents, loads_as_fp32=container.loads_as_fp32, config=model.config)
    findings.add(RECOGNISED, _recognised(model, size))
    wishes = settle_mode(model, wishes, stage, findings)
    placement = place(size, container, wishes, stage, findings)
    image = container.image_for(placement.instance_type) if placement is not None else None
    if placement is None or image is None:
        return None
    check_versions(model, image, task, findings)
    check_effects(wishes, placement.mode, findings)
    is_serverless = placement.mode == "serverless"
    idle_after_s, why_rest = _rest(wishes, stage, is_serverless=is_serverless)
    is_grafted = _is_grafted(model, container, task)
    why_handler = "handler: Tarmac's own, put in front as code/, for the archive has none" if is_grafted else None
    reasons = (
        *_why_hub(model, stage),
        why_task,
        container.why,
        why_handler,
        *placement.why,
        *_why_scaling(wishes),
        why_rest,
    )
    return ServingPlan(
        container=container.name,
        image_uri=image.uri,
        task=task,
        mode=placement.mode,
        instance_type=placement.instance_type or None,
        instance_count=placement.instance_count,
        idle_after_s=idle_after_s,
        env=_env(model, container, placement, wishes, task, brings_code=model.has_code or is_grafted),
        is_isolated=model.repo is None and not is_serverless,
        is_idle_after_wished=wishes.has_idle_after,
        price_per_hour_usd=placement.price_per_hour_usd,
        why=tuple(reason for reason in reasons if reason),
        is_grafted=is_grafted,
        ranking=placement.ranking,
        hub_model=HubModel(model.repo.id, model.repo.commit) if model.repo is not None else None,
        memory_mb=placement.memory_mb,
        max_concurrency=placement.max_concurrency,
        autoscale=wishes.autoscale,
        inference_ami=image.inference_ami,
    )


def _rest(wishes: Wishes, stage: Stage, *, is_serverless: bool) -> tuple[float | None, str]:
    """Tell the TTL, and whose it is."""
    if is_serverless:
        return None, "never put to sleep but by hand, not isolated from the network: such are serverless endpoints"
    idle_after_s = wishes.idle_after_s if wishes.has_idle_after else stage.idle_after_s
    whose = "deploy.toml" if wishes.has_idle_after else "the stage's setting"
    rest = "never sleeps" if idle_after_s is None else f"sleeps after {duration_words(idle_after_s)} without a call"
    return idle_after_s, f"{rest}: {whose}"


def _why_scaling(wishes: Wishes) -> tuple[str, ...]:
    wished = wishes.autoscale
    if wished is None:
        return ()
    calls = f"{wished.invocations_per_instance:,} calls a minute on each"
    return (f"{wished.min} to {wished.max} instances, so that there are about {calls}: deploy.toml says so",)


def _why_hub(model: Model, stage: Stage) -> tuple[str, ...]:
    repo = model.repo
    if repo is None:
        return ()
    key = "" if repo.is_open else "; it is not open to all, so it gets the stage's HF_TOKEN"
    return (
        f"model {shown(repo.id)} of the Hub, pinned to its commit {repo.commit[:12]}: deploy.toml says so{key}",
        "network isolation is off: the container fetches the model itself, at every start"
        + (", for which the stage's subnets need a way to the Hub" if stage.is_in_vpc else ""),
    )


def _is_grafted(model: Model, container: Container, task: str | None) -> bool:
    """Whether Tarmac's own handler goes in front: it serves the task, and nothing stands where it would lie."""
    if container.name == "sklearn":
        return _is_handled_estimator(model)
    has_folder = any(path == "code" or path.startswith("code/") for path in model.contents.files)
    return model.repo is None and container.name == "huggingface" and task in HANDLED_TASKS and not has_folder


def _is_handled_estimator(model: Model) -> bool:
    return model.framework is Framework.SKLEARN and not model.has_code and handler_problem(model.contents) is None


def _env(
    model: Model, container: Container, placement: Placement, wishes: Wishes, task: str | None, *, brings_code: bool
) -> tuple[tuple[str, str], ...]:
    env = {**dict(container.env), **dict(placement.env)}
    if task is not None and container.name == "huggingface":
        env["HF_TASK"] = task
    if model.repo is not None:
        env["HF_MODEL_ID"], env["HF_MODEL_REVISION"] = model.repo.id, model.repo.commit
        if wishes.trust == "trusted" and "auto_map" in model.config:
            env["HF_TRUST_REMOTE_CODE"] = "true"
    if wishes.trust != "scan" or _is_handled_estimator(model):
        # The handler unpickles nothing of which it is not told that the door has followed it.
        env["TARMAC_TRUST"] = wishes.trust
    if container.name == "sklearn" and brings_code:
        # It installs code/ by `pip install .`, and pip would fetch setuptools, which the image has, from a network that
        # is not there. To pip this variable says the contrary of its name: 0 turns the isolation off.
        env["PIP_NO_BUILD_ISOLATION"] = "0"
    if brings_code:
        env["SAGEMAKER_PROGRAM"] = "inference.py"
        env["SAGEMAKER_SUBMIT_DIRECTORY"] = "/opt/ml/model/code"
    return tuple(sorted({**env, **dict(wishes.env)}.items()))


def _recognised(model: Model, size: Size) -> str:
    architecture = architecture_of(model.config)
    what = f"{model.framework} {shown(architecture)}" if architecture else str(model.framework)
    if size.parameter_count is not None:
        dtypes = ", ".join(shown(dtype) for dtype in sorted(size.dtypes)[:4])
        return f"{what}, {size.parameter_count:,} parameters ({dtypes})"
    return f"{what}, {size.stored_bytes:,} bytes of weights"
