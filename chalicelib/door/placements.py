"""On which instance a model runs, what that costs, and how many copies of the model each one holds. Called by `plans`."""

from dataclasses import dataclass

from chalicelib.door.containers import Container
from chalicelib.door.instances import BY_TYPE, PRICED_ON, PRICED_REGION
from chalicelib.door.kinds import Findings, declarer
from chalicelib.door.models import Stage
from chalicelib.door.sizing import Size, cheapest, copies, holds, need_bytes
from chalicelib.door.wishes import PATH, Wishes
from chalicelib.reports import Severity

_declare = declarer("The plan")
NO_INSTANCE = _declare(
    "no-instance-fits",
    Severity.ERROR,
    "No CPU instance has the memory for the model.",
    "Name a GPU type as instance_type in deploy.toml, or save the weights in half precision.",
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
_WORKERS = "SAGEMAKER_MODEL_SERVER_WORKERS"
_WORKER_NAMES = frozenset({_WORKERS, "MMS_DEFAULT_WORKERS_PER_MODEL", "TS_DEFAULT_WORKERS_PER_MODEL"})


@dataclass(frozen=True)
class Placement:
    """Where a model runs.

    Attributes:
        price_per_hour_usd: Of all instances together; None when the price is not known.
        env: What the container must be told because of where it runs.
        why: One sentence per choice made, for people.
    """

    instance_type: str
    instance_count: int
    price_per_hour_usd: float | None
    env: tuple[tuple[str, str], ...]
    why: tuple[str, ...]


def place(size: Size, container: Container, wishes: Wishes, stage: Stage, findings: Findings) -> Placement | None:
    """Choose where the model runs; None when nothing holds it, which *findings* then says."""
    instance_type, why_instance = _instance(size, wishes, stage, findings)
    if instance_type is None or why_instance is None:
        return None
    price = _price(instance_type, wishes, findings)
    env, why_env = _workers(wishes, instance_type, size)
    why = (why_instance,) if why_env is None else (why_instance, why_env)
    return Placement(instance_type, wishes.instance_count, price, env, why)


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


def _workers(wishes: Wishes, instance_type: str, size: Size) -> tuple[tuple[tuple[str, str], ...], str | None]:
    instance = BY_TYPE.get(instance_type)
    asked = {name for name, _ in wishes.env}
    if instance is None or instance.gpu_memory_gib or asked & _WORKER_NAMES:
        return (), None
    # The container starts one copy a vCPU unless told otherwise, and runs out of memory with large models.
    count = copies(instance, size)
    if count >= instance.vcpus:
        return (), None
    why = f"{count} cop{'y' if count == 1 else 'ies'} of the model: what the memory has room for"
    return ((_WORKERS, str(count)),), why
