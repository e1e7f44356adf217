"""What is said when a model cannot run as wished: the checks about size, price and quota. Called by `placements`."""

import math
from collections.abc import Sequence

from chalicelib.door.catalogue import Price
from chalicelib.door.containers import Container
from chalicelib.door.kinds import Findings, declarer
from chalicelib.door.models import Stage
from chalicelib.door.needs import cpu_need, gib, gpu_need
from chalicelib.door.ranking import Candidate, Obstacle
from chalicelib.door.sizing import Size
from chalicelib.door.wishes import PATH, Wishes
from chalicelib.reports import Ranked, Severity

_declare = declarer("The plan")
NO_INSTANCE = _declare(
    "no-instance-fits",
    Severity.ERROR,
    "No instance that may be started has the memory for the model.",
    "Save the weights in half precision or quantised, or split the model's work between smaller ones.",
)
NOT_ALLOWED = _declare(
    "instance-not-allowed",
    Severity.ERROR,
    "The instance type in deploy.toml, or each that would hold the model, is none that this stage may start.",
    "Name another type, or have whoever runs the stage add it to the parameter InstanceTypes.",
)
QUOTA_ZERO = _declare(
    "quota-zero",
    Severity.ERROR,
    "The account's quota for the instance type, or for each that would hold the model, is known and too small.",
    "Ask for more in Service Quotas (Amazon SageMaker, `TYPE for endpoint usage`), and drop again an hour later.",
)
TIGHT = _declare(
    "instance-too-small",
    Severity.WARNING,
    "What deploy.toml names has less memory than the model is expected to want.",
    "Name a larger type, or leave it out.",
)
TOO_DEAR = _declare(
    "over-max-hourly-cost",
    Severity.ERROR,
    "The way to run the model that was named, or the cheapest there is, costs more than max_hourly_cost.",
    "Raise max_hourly_cost, or make the model smaller.",
)
NO_PRICE = _declare(
    "price-unknown",
    Severity.WARNING,
    "The price is not in the table in USD, so max_hourly_cost cannot be held against it.",
    None,
)
SERVERLESS_CANNOT = _declare(
    "serverless-cannot",
    Severity.ERROR,
    "deploy.toml asks for serverless, which has 6 GB of memory and 5 GB of disk at most, and no GPUs.",
    'Write mode = "realtime", or leave mode out.',
)
ROWS_MAX = 13
"""What was chosen and a dozen more."""


def check_permission(instance_type: str, count: int, stage: Stage, findings: Findings) -> None:
    """Say so when a type that deploy.toml names may not be started here."""
    if stage.instance_types and instance_type not in stage.instance_types:
        findings.add(
            NOT_ALLOWED, f"{instance_type} is not among the instance types that this stage may start", path=PATH
        )
    quota = None if stage.quotas is None else stage.quotas.get(instance_type)
    if quota is not None and quota < count:
        message = f"the account may run {quota} of {instance_type} for endpoints, and {count} would be needed"
        findings.add(QUOTA_ZERO, message, path=PATH)


def check_cost(name: str, price: Price | None, count: int, wishes: Wishes, findings: Findings) -> None:
    """Hold so many of what deploy.toml names against max_hourly_cost."""
    most = wishes.max_hourly_cost
    if most is None:
        return
    if price is None or price.currency != "USD":
        findings.add(NO_PRICE, f"the price of {name} in USD is not known here", path=PATH)
    elif (cost := round(price.per_hour * count, 6)) > most:
        findings.add(TOO_DEAR, f"{count} x {name} costs ${cost:g} an hour, over {most:g}", path=PATH)


def say_too_dear(cheapest: Candidate, count: int, wishes: Wishes, findings: Findings) -> None:
    """Hold the cheapest way to run the model against max_hourly_cost."""
    price, most = cheapest.price, wishes.max_hourly_cost
    if price is None or most is None:
        return
    if price.currency != "USD":
        findings.add(NO_PRICE, f"the price of {cheapest.name} in USD is not known here", path=PATH)
    elif (cost := round(price.per_hour * count, 6)) > most:
        times = f"{count} x " if count > 1 else ""
        message = f"the cheapest that holds the model is {times}{cheapest.name}, for ${cost:g} an hour, over {most:g}"
        findings.add(
            TOO_DEAR, message, path=PATH, fix=f"Write max_hourly_cost = {cost:g} or more, or make the model smaller."
        )


def say_nothing_fits(
    candidates: Sequence[Candidate], size: Size, container: Container, stage: Stage, findings: Findings
) -> None:
    """Say why nothing is left: memory, the stage, or the account; and name what would have done."""
    if (short := _first(candidates, Obstacle.QUOTA)) is not None:
        message = f"{short.name} is the cheapest that holds the model and may be started, but {short.problem}"
        fix = f"Ask for more of `{short.name} for endpoint usage` in Service Quotas, and drop again an hour later."
        findings.add(QUOTA_ZERO, message, fix=fix)
    elif (barred := _first(candidates, Obstacle.STAGE)) is not None:
        price = f" ({barred.price.words(stage.region)})" if barred.price is not None else ""
        message = f"the cheapest that holds the model is {barred.name}{price}, which this stage may not start"
        fix = f"Have whoever runs the stage add {barred.name} to its parameter InstanceTypes."
        findings.add(NOT_ALLOWED, message, fix=fix)
    else:
        on_gpu = container.on_cpu is None or size.needs_gpu is not None
        need = gpu_need(size) if on_gpu else cpu_need(size)
        where = "GPU memory" if on_gpu else "memory"
        findings.add(NO_INSTANCE, f"the model wants {gib(need.total)} of {where}, more than any instance has for it")


def _first(candidates: Sequence[Candidate], obstacle: Obstacle) -> Candidate | None:
    return next((each for each in candidates if each.obstacle is obstacle), None)


def ranked_rows(
    candidates: Sequence[Candidate], winner: Candidate, wishes: Wishes, count: int, most: int
) -> tuple[Ranked, ...]:
    """Give the winner and the dozen nearest to it in price, the cheapest first, each with why not."""
    here = winner.expected_per_hour or 0.0

    def distance(candidate: Candidate) -> tuple[bool, bool, float]:
        price, is_other_kind = candidate.expected_per_hour, candidate.obstacle is Obstacle.KIND
        if candidate.instance is None:  # always worth a line
            return False, False, 0.0
        if price is None:
            return is_other_kind, True, abs(candidate.need.total - winner.need.total)
        return is_other_kind, False, abs(math.log(max(price, 1e-6) / here)) if here else price

    others = sorted((each for each in candidates if each is not winner), key=distance)[: ROWS_MAX - 1]
    return (
        _row(winner, None, count),
        *(_row(each, _why_not(each, winner, wishes, most), count) for each in _by_price(others)),
    )


def _by_price(candidates: Sequence[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda each: (each.price is None, each.expected_per_hour or 0.0, each.name))


def _row(candidate: Candidate, why_not: str | None, count: int) -> Ranked:
    times = count if candidate.instance is not None else 1
    price = candidate.price
    if price is None:
        return Ranked(candidate.name, None, None, why_not)
    return Ranked(candidate.name, round(price.per_hour * times, 6), price.currency, why_not)


def _why_not(candidate: Candidate, winner: Candidate, wishes: Wishes, most: int) -> str:
    if candidate.problem is not None:
        return candidate.problem
    if candidate.instance is None and wishes.mode not in ("auto", "serverless"):
        return 'not asked for: mode = "auto" or "serverless" would allow it; it is billed only while it computes'
    if candidate.price is None:
        return "its price is not known here"
    if winner.price is None or winner.expected_per_hour is None:
        return "deploy.toml or the stage names another"
    if wishes.max_hourly_cost is not None and candidate.price.per_hour * most > wishes.max_hourly_cost:
        return f"over max_hourly_cost, which is {wishes.max_hourly_cost:g}"
    if candidate.price.currency != winner.price.currency:
        return "its price is known in another currency only"
    if (candidate.expected_per_hour or 0.0) < winner.expected_per_hour:
        return "cheaper, but deploy.toml or the stage names another"
    return "dearer"
