"""Every way to run a model, the cheapest first, each with its price or why it cannot be. Called by `placements`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from chalicelib.door.catalogue import Catalogue, Instance, Price
from chalicelib.door.containers import Container
from chalicelib.door.fits import fit, fit_serverless
from chalicelib.door.needs import Need, cpu_need
from chalicelib.door.sizing import Size

BUSY_SHARE = 0.1
"""Of an hour, in which a model that is asked computes: what serverless and instances are compared by."""


class Obstacle(IntEnum):
    """What stands in the way, the hardest to move first."""

    KIND = 0
    MEMORY = 1
    BURST = 2
    STAGE = 3
    QUOTA = 4


@dataclass(frozen=True)
class Terms:
    """What the ranking is made under.

    Attributes:
        count: Instances that must run at a time.
        instance_types: Those that may be started; empty for any.
        quotas: How many instances of each type the account may run for endpoints; None when not known.
    """

    region: str
    count: int = 1
    instance_types: frozenset[str] = frozenset()
    quotas: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Candidate:
    """One way to run the model.

    Attributes:
        instance: None for serverless.
        memory_mb: Of serverless; 0 for instances.
        need: What one copy wants of it.
        devices: GPUs that share one copy; 0 on a CPU.
        price: Of one instance; of serverless, of an hour in which one request at a time computes all the time.
        obstacle, problem: Why it cannot be, the problem as one sentence; both None where it can.
    """

    instance: Instance | None
    memory_mb: int
    need: Need
    devices: int
    price: Price | None
    obstacle: Obstacle | None = None
    problem: str | None = None

    @property
    def name(self) -> str:
        """How people call it."""
        return self.instance.type if self.instance is not None else f"serverless {self.memory_mb} MB"

    @property
    def expected_per_hour(self) -> float | None:
        """What an hour is expected to cost, in the price's currency; None when no price is known."""
        if self.price is None:
            return None
        return self.price.per_hour * (1.0 if self.instance is not None else BUSY_SHARE)


def rank(size: Size, container: Container, terms: Terms, table: Catalogue) -> tuple[Candidate, ...]:
    """Give every way to run the model: those that can be first, the cheapest of them first.

    What has no known price comes last of those that can be, the smallest first.
    """
    found = [_on_instance(each, size, container, terms, table) for each in table.instances.values()]
    memory_mb, problem = fit_serverless(size, container)
    price = table.serverless_price(memory_mb, terms.region)
    obstacle = None if problem is None else Obstacle.MEMORY
    found.append(Candidate(None, memory_mb, cpu_need(size), 0, price, obstacle, problem))
    column = table.regions.get(terms.region)
    currency = column.currency if column is not None else "USD"
    return tuple(sorted(found, key=lambda candidate: _order(candidate, currency)))


def _on_instance(instance: Instance, size: Size, container: Container, terms: Terms, table: Catalogue) -> Candidate:
    obstacle: Obstacle | None
    found, price = fit(instance, size, container), table.price(instance, terms.region)
    if found.problem is not None:
        obstacle = Obstacle.MEMORY if found.is_memory else Obstacle.KIND
        return Candidate(instance, 0, found.need, found.devices, price, obstacle, found.problem)
    obstacle, problem = _permission(instance, terms)
    return Candidate(instance, 0, found.need, found.devices, price, obstacle, problem)


def _permission(instance: Instance, terms: Terms) -> tuple[Obstacle | None, str | None]:
    if not instance.is_steady:
        return Obstacle.BURST, "it slows down once its CPU credits are used up"
    if terms.instance_types and instance.type not in terms.instance_types:
        return Obstacle.STAGE, "this stage may not start it (parameter InstanceTypes)"
    quota = None if terms.quotas is None else terms.quotas.get(instance.type)
    if quota is not None and quota < terms.count:
        return Obstacle.QUOTA, f"the account may run {quota} of them for endpoints, and {terms.count} would be needed"
    return None, None


def _order(candidate: Candidate, currency: str) -> tuple[bool, bool, bool, float, float, str]:
    price, instance = candidate.price, candidate.instance
    memory_gib = 0.0
    if instance is not None:
        memory_gib = (
            instance.memory_gib if instance.gpu is None else instance.gpu_count * instance.gpu.memory_mib / 1024
        )
    return (
        candidate.obstacle is not None,
        price is None,
        price is not None and price.currency != currency,
        candidate.expected_per_hour or 0.0,
        memory_gib,
        candidate.name,
    )
