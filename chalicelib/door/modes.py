"""Whether a model may run in the mode that is wished for: what serverless and async cannot have. Called by `plans`.

Source: SageMaker's developer guide, "Deploy models with Amazon SageMaker Serverless Inference", feature exclusions.
"""

from dataclasses import replace

from chalicelib.door.kinds import Findings, declarer
from chalicelib.door.models import Model, Stage
from chalicelib.door.weights import PICKLES, loaded_files
from chalicelib.door.wishes import PATH, Wishes
from chalicelib.reports import Severity

_declare = declarer("The plan")
OUTSIDE_VPC = _declare(
    "serverless-outside-vpc",
    Severity.ERROR,
    "The stage keeps its models in subnets of its own, and a serverless endpoint cannot be in any.",
    'Write mode = "realtime", or leave it out.',
)
NOT_ISOLATED = _declare(
    "serverless-not-isolated",
    Severity.WARNING,
    "The archive brings code or pickles, and a serverless container cannot be cut off from the network.",
    'Write mode = "realtime" to run it isolated; or trust = "trusted", if you trust it.',
)
ASYNC_NOT_SCALED = _declare(
    "async-not-scaled",
    Severity.ERROR,
    "[autoscale] counts calls a minute, which an asynchronous endpoint does not publish: nothing would ever scale.",
    "Remove [autoscale], and write instance_count.",
)
"""Source: SageMaker's developer guide, "Monitor asynchronous endpoint": Invocations is not published."""
NO_EFFECT = _declare(
    "wish-without-effect",
    Severity.WARNING,
    "A key is right, but means nothing in the way that the model runs.",
    "Remove it.",
)


def settle_mode(model: Model, wishes: Wishes, stage: Stage, findings: Findings) -> Wishes:
    """Hold the mode that is wished for against what it cannot have; `auto` gives way where it must."""
    brings = _brings_code(model)
    if wishes.mode == "async" and wishes.autoscale is not None:
        message = "[autoscale] counts calls a minute, and nobody counts those of an asynchronous endpoint"
        findings.add(ASYNC_NOT_SCALED, message, path=PATH)
    if wishes.mode == "auto" and (stage.is_in_vpc or (brings and wishes.trust != "trusted")):
        return replace(wishes, mode="realtime")
    if wishes.mode == "serverless" and stage.is_in_vpc:
        findings.add(
            OUTSIDE_VPC, "this stage's models live in its subnets, where no serverless endpoint can be", path=PATH
        )
    elif wishes.mode == "serverless" and brings and wishes.trust != "trusted":
        findings.add(NOT_ISOLATED, "the archive brings code or pickles, and serverless has no network isolation")
    return wishes


def check_effects(wishes: Wishes, mode: str, findings: Findings) -> None:
    """Say which wishes mean nothing, now that it is known how the model runs."""
    if mode == "serverless":
        if wishes.has_idle_after:
            message = "idle_after means nothing: a serverless endpoint is never put to sleep, and costs nothing idle"
            findings.add(NO_EFFECT, message, path=PATH)
    elif wishes.memory_mb is not None or wishes.max_concurrency is not None:
        findings.add(NO_EFFECT, "[serverless] means nothing: the model runs on instances", path=PATH)


def _brings_code(model: Model) -> bool:
    """Whether what is in the archive may run code of its own."""
    if model.repo is not None:
        return False  # It has the network anyhow, and its trust was judged for that.
    return (
        any(path.startswith("code/") for path in model.contents.files)
        or bool(model.contents.pickles)
        or any(PICKLES.search(path) for path in loaded_files(model.contents))
    )
