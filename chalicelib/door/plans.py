"""From what is in the archive and what was wished for to how the release will run, and why. Called by `inspection`."""

from chalicelib.door.containers import Container, check_versions, choose_container
from chalicelib.door.grafts import HANDLED_TASKS
from chalicelib.door.kinds import Findings, declarer, shown
from chalicelib.door.models import Model, Stage, find_task
from chalicelib.door.placements import Placement, place
from chalicelib.door.schema import duration_words
from chalicelib.door.sizing import Size, measure
from chalicelib.door.tasks import architecture_of
from chalicelib.door.wishes import Wishes
from chalicelib.reports import ServingPlan, Severity

_declare = declarer("The plan")
RECOGNISED = _declare("recognised", Severity.INFO, "What the archive was recognised as.", None)


def make_plan(model: Model, wishes: Wishes, stage: Stage, findings: Findings) -> ServingPlan | None:
    """Make the plan; None when something found on the way refuses the drop."""
    task, why_task = find_task(model, wishes)
    container = choose_container(model, wishes, stage, task, findings)
    if container is None:
        return None
    size = measure(model.contents, loads_as_fp32=container.loads_as_fp32)
    findings.add(RECOGNISED, _recognised(model, size))
    placement = place(size, container, wishes, stage, findings)
    image = container.image_for(placement.instance_type) if placement is not None else None
    if placement is None or image is None:
        return None
    check_versions(model, image, task, findings)
    idle_after_s = wishes.idle_after_s if wishes.has_idle_after else stage.idle_after_s
    whose = "deploy.toml" if wishes.has_idle_after else "the stage's setting"
    rest = "never sleeps" if idle_after_s is None else f"sleeps after {duration_words(idle_after_s)} without a call"
    is_grafted = _is_grafted(model, container, task)
    why_handler = "handler: Tarmac's own, put in front as code/, for the archive has none" if is_grafted else None
    reasons = (why_task, container.why, why_handler, *placement.why, f"{rest}: {whose}")
    return ServingPlan(
        container=container.name,
        image_uri=image.uri,
        task=task,
        mode="realtime",
        instance_type=placement.instance_type,
        instance_count=placement.instance_count,
        idle_after_s=idle_after_s,
        env=_env(container, placement, wishes, task, brings_code=model.has_code or is_grafted),
        is_idle_after_wished=wishes.has_idle_after,
        price_per_hour_usd=placement.price_per_hour_usd,
        why=tuple(reason for reason in reasons if reason),
        is_grafted=is_grafted,
    )


def _is_grafted(model: Model, container: Container, task: str | None) -> bool:
    """Whether Tarmac's own handler goes in front: it serves the task, and nothing stands where it would lie."""
    has_folder = any(path == "code" or path.startswith("code/") for path in model.contents.files)
    return container.name == "huggingface" and task in HANDLED_TASKS and not has_folder


def _env(
    container: Container, placement: Placement, wishes: Wishes, task: str | None, *, brings_code: bool
) -> tuple[tuple[str, str], ...]:
    env = dict(placement.env)
    if task is not None and container.name == "huggingface":
        env["HF_TASK"] = task
    if wishes.trust != "scan":
        env["TARMAC_TRUST"] = wishes.trust
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
