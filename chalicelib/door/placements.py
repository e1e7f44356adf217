"""On what a model runs, what that costs, and how many copies of it are held. Called by `plans`."""

from dataclasses import dataclass, replace

from chalicelib.door.catalogue import Catalogue, Price, catalogue
from chalicelib.door.containers import Container
from chalicelib.door.kinds import Findings
from chalicelib.door.models import Stage
from chalicelib.door.needs import context_tokens, copies
from chalicelib.door.ranking import Candidate, Obstacle, Terms, rank
from chalicelib.door.sizing import Size
from chalicelib.door.speeds import say_speed
from chalicelib.door.verdicts import (
    SERVERLESS_CANNOT,
    TIGHT,
    check_cost,
    check_permission,
    ranked_rows,
    say_nothing_fits,
    say_too_dear,
)
from chalicelib.door.wishes import PATH, Wishes
from chalicelib.reports import Ranked

DEFAULT_CONCURRENCY = 5
"""Requests at once of a serverless endpoint that wishes for none: an account may have as few as 10 in all."""
_WORKERS = "SAGEMAKER_MODEL_SERVER_WORKERS"
_CONTEXT = "SM_VLLM_MAX_MODEL_LEN"
"""Source: the vLLM image's entry point, which makes an argument of every variable that begins with SM_VLLM_."""
BATCHED_AT_ONCE = 16
"""Of a server that puts requests together by itself: enough to fill its batches."""
MOST_AT_ONCE = 1000
"""Source: botocore's service model, AsyncInferenceClientConfig, MaxConcurrentInvocationsPerInstance."""
_PATIENCE = "SAGEMAKER_MODEL_SERVER_TIMEOUT"
"""Seconds that the container gives a copy of the model: 60 unless told, where an async request may take 3,600."""
_PATIENCE_NAMES = frozenset({_PATIENCE, "MMS_DEFAULT_RESPONSE_TIMEOUT", "TS_DEFAULT_RESPONSE_TIMEOUT"})
_WORKER_NAMES = frozenset({_WORKERS, "MMS_DEFAULT_WORKERS_PER_MODEL", "TS_DEFAULT_WORKERS_PER_MODEL"})
_BY_TOML = "deploy.toml says so"


@dataclass(frozen=True)
class Placement:
    """Where a model runs.

    Attributes:
        instance_type: Empty exactly where *mode* is serverless.
        price_per_hour_usd: Of all instances together; of serverless, of an hour in which one request at a time computes
            all the time (it costs nothing while nobody calls). None when the price is not known in USD.
        env: What the container must be told because of where it runs.
        why: One sentence per choice made, for people.
        mode: realtime, serverless or async.
        memory_mb: Of serverless; None otherwise.
        max_concurrency: Requests at once, of serverless or of each instance of async; None otherwise.
        tensor_parallel: GPUs that share one copy; 1 where it is not split.
        context_tokens: The longest input and answer together that the memory was planned for.
        ranking: What was chosen, and the nearest of what was not, each with why not.
    """

    instance_type: str
    instance_count: int
    price_per_hour_usd: float | None
    env: tuple[tuple[str, str], ...]
    why: tuple[str, ...]
    mode: str = "realtime"
    memory_mb: int | None = None
    max_concurrency: int | None = None
    tensor_parallel: int = 1
    context_tokens: int = 0
    ranking: tuple[Ranked, ...] = ()


@dataclass(frozen=True)
class _Case:
    """Everything that one choice is made from."""

    size: Size
    container: Container
    wishes: Wishes
    stage: Stage
    findings: Findings
    ranking: tuple[Candidate, ...]

    @property
    def count(self) -> int:
        """Instances that run at a time, at least."""
        return self.wishes.autoscale.min if self.wishes.autoscale is not None else self.wishes.instance_count

    @property
    def most(self) -> int:
        """Instances that may run at a time."""
        return self.wishes.autoscale.max if self.wishes.autoscale is not None else self.wishes.instance_count


def place(
    size: Size,
    container: Container,
    wishes: Wishes,
    stage: Stage,
    findings: Findings,
    *,
    table: Catalogue | None = None,
) -> Placement | None:
    """Choose where the model runs; None when it cannot run anywhere it may, which *findings* then says."""
    count = wishes.autoscale.min if wishes.autoscale is not None else wishes.instance_count
    terms = Terms(stage.region, count, stage.instance_types, stage.quotas)
    case = _Case(size, container, wishes, stage, findings, rank(size, container, terms, table or catalogue()))
    if wishes.mode == "serverless":
        return _asked_serverless(case)
    if wishes.instance_type is not None:
        return _named(case, wishes.instance_type, _BY_TOML)
    if not size.stored_bytes and container.image_for(stage.instance_type) is not None:
        return _named(case, stage.instance_type, "the stage's default, for there are no weights to size")
    return _cheapest(case)


def _cheapest(case: _Case) -> Placement | None:
    """Take the cheapest that holds the model and may be started."""
    usable = [each for each in case.ranking if each.instance is not None or case.wishes.mode == "auto"]
    possible = [each for each in usable if each.obstacle is None]
    affordable = [each for each in possible if _is_affordable(each, case)]
    # What is too dear is refused by name: an instance, where there is one, for its price an hour is no worst case.
    winner = next(iter([*affordable, *(each for each in possible if each.instance is not None), *possible]), None)
    if winner is None:
        say_nothing_fits(usable, case.size, case.container, case.stage, case.findings)
        return None
    if winner.instance is None:
        return _on_serverless(case, winner, "the cheapest for a model that computes a tenth of the time")
    if not case.size.stored_bytes:
        why = "the cheapest that the container has an image for, as there are no weights to size"
    elif winner.devices:
        gpus = f"{winner.devices} x {winner.instance.gpu.name}" if winner.instance.gpu is not None else "GPUs"
        each = " on each" if winner.devices > 1 else ""
        why = f"the cheapest type that holds the model, whose {gpus} hold the {winner.need.words()} expected{each}"
    else:
        memory = f"{winner.instance.memory_gib:g} GiB"
        why = f"the cheapest type that holds the model, whose {memory} hold the {winner.need.words()} expected"
    return _on_instance(case, winner, why)


def _is_affordable(candidate: Candidate, case: _Case) -> bool:
    """Whether it stays under max_hourly_cost even when all of it is used; yuan are not held against dollars."""
    times = case.most if candidate.instance is not None else case.wishes.max_concurrency or DEFAULT_CONCURRENCY
    most, price = case.wishes.max_hourly_cost, candidate.price
    if most is None:
        return True
    return price is not None and (price.currency != "USD" or round(price.per_hour * times, 6) <= most)


def _named(case: _Case, instance_type: str, why: str) -> Placement | None:
    """Take a type that somebody named, and say what speaks against it."""
    if why == _BY_TOML:
        check_permission(instance_type, case.count, case.stage, case.findings)
    candidate = next((each for each in case.ranking if each.name == instance_type), None)
    if candidate is None:
        check_cost(instance_type, None, case.most, case.wishes, case.findings)
        placement = Placement(instance_type, case.count, None, (), (f"instance {instance_type}: {why}",))
        return _queued(case, placement, copies_at_once=1)
    if candidate.obstacle in (Obstacle.KIND, Obstacle.MEMORY) and case.size.stored_bytes:
        message = f"{instance_type} is not expected to hold the model: {candidate.problem}"
        case.findings.add(TIGHT, message, path=PATH)
    return _on_instance(case, candidate, why)


def _on_instance(case: _Case, candidate: Candidate, why: str) -> Placement:
    name, price = candidate.name, candidate.price
    if case.wishes.instance_type is None and price is not None and case.size.stored_bytes:
        say_too_dear(candidate, case.most, case.wishes, case.findings)
    else:
        check_cost(name, price, case.most, case.wishes, case.findings)
    env, why_env = _workers(case, candidate)
    env = (*env, *case.container.env_on(candidate.devices), *_context(case))
    say_speed(candidate, case.size, case.ranking, case.findings)
    said = price.words(case.stage.region, times=case.count) if price is not None else "its price is not known here"
    times = f"{case.count} x " if case.count > 1 else ""
    reasons = (f"instance {times}{name}: {why}; {said}", why_env)
    placement = Placement(
        instance_type=name,
        instance_count=case.count,
        price_per_hour_usd=_in_usd(price, case.count),
        env=env,
        why=tuple(reason for reason in reasons if reason),
        tensor_parallel=max(1, candidate.devices),
        context_tokens=context_tokens(case.size),
        ranking=ranked_rows(case.ranking, candidate, case.wishes, case.count, case.most),
    )
    return _queued(case, placement, copies_at_once=_copies_at_once(case, candidate))


def _queued(case: _Case, placement: Placement, *, copies_at_once: int) -> Placement:
    """Put a queue in front of the instances, where deploy.toml asks for one."""
    if case.wishes.mode != "async":
        return placement
    asked = {name for name, _ in case.wishes.env}
    patience = () if asked & _PATIENCE_NAMES or case.container.serves_one_copy else ((_PATIENCE, "3600"),)
    at_once = BATCHED_AT_ONCE if case.container.serves_one_copy else copies_at_once
    why = f"async: requests wait in a queue and are answered in S3, {at_once} at once on each instance: {_BY_TOML}"
    return replace(
        placement,
        mode="async",
        max_concurrency=at_once,
        env=(*placement.env, *patience),
        why=(*placement.why, why),
    )


def _copies_at_once(case: _Case, candidate: Candidate) -> int:
    """How many copies of the model an instance has, each of which answers one request at a time."""
    instance, asked = candidate.instance, dict(case.wishes.env)
    wished = next((value for name in sorted(_WORKER_NAMES) if (value := asked.get(name, "")).isdigit()), None)
    if wished is not None:
        return min(max(1, int(wished)), MOST_AT_ONCE)
    if instance is None:
        return 1
    if candidate.devices:
        return max(1, instance.gpu_count)
    return min(max(1, copies(instance.memory_gib, instance.vcpus, case.size)), instance.vcpus)


def _asked_serverless(case: _Case) -> Placement | None:
    """Take serverless, as deploy.toml asks, or say why it cannot be."""
    candidate = next(each for each in case.ranking if each.instance is None)
    problem = candidate.problem
    if case.wishes.instance_type is not None:
        problem = f"deploy.toml also names {case.wishes.instance_type}, and serverless has no instances"
    elif case.wishes.autoscale is not None:
        problem = "deploy.toml also has [autoscale], and serverless scales by itself"
    if problem is not None:
        case.findings.add(SERVERLESS_CANNOT, f"serverless cannot run the model: {problem}", path=PATH)
        return None
    return _on_serverless(case, candidate, _BY_TOML)


def _on_serverless(case: _Case, candidate: Candidate, why: str) -> Placement:
    memory_mb = case.wishes.memory_mb or candidate.memory_mb
    concurrency = case.wishes.max_concurrency or DEFAULT_CONCURRENCY
    if memory_mb < candidate.memory_mb:
        message = f"[serverless] memory_mb is {memory_mb}; {candidate.need.words()} is expected to be wanted"
        case.findings.add(TIGHT, message, path=PATH)
    price = candidate.price
    if price is not None:
        price = Price(price.per_hour * memory_mb / candidate.memory_mb, price.currency, price.region, price.on)
    check_cost(f"serverless with {memory_mb} MB", price, concurrency, case.wishes, case.findings)
    said = "its price is not known here" if price is None else f"{price.words(case.stage.region)} of computing"
    words = f"serverless, {memory_mb} MB, {concurrency} requests at once: {why}; {said}, and nothing while nobody calls"
    return Placement(
        instance_type="",
        instance_count=1,
        price_per_hour_usd=_in_usd(price, 1),
        env=() if case.container.serves_one_copy else ((_WORKERS, "1"),),
        why=(words, f"memory: {candidate.need.words()} expected"),
        mode="serverless",
        memory_mb=memory_mb,
        max_concurrency=concurrency,
        context_tokens=context_tokens(case.size),
        ranking=ranked_rows(case.ranking, candidate, case.wishes, 1, 1),
    )


def _in_usd(price: Price | None, count: int) -> float | None:
    return None if price is None or price.currency != "USD" else round(price.per_hour * count, 4)


def _workers(case: _Case, candidate: Candidate) -> tuple[tuple[tuple[str, str], ...], str | None]:
    instance, asked = candidate.instance, {name for name, _ in case.wishes.env}
    if instance is None or candidate.devices or asked & _WORKER_NAMES or case.container.serves_one_copy:
        return (), None
    # The container starts one copy a vCPU unless told otherwise, and runs out of memory with large models.
    count = copies(instance.memory_gib, instance.vcpus, case.size)
    if count >= instance.vcpus:
        return (), None
    why = f"{count} cop{'y' if count == 1 else 'ies'} of the model: what the memory has room for"
    return ((_WORKERS, str(count)),), why


def _context(case: _Case) -> tuple[tuple[str, str], ...]:
    """Tell vLLM the context that there is room for: it does not start when its cache cannot hold a model's longest."""
    shape = case.size.shape
    if not case.container.spreads_over_gpus or shape is None or shape.max_tokens <= context_tokens(case.size):
        return ()
    return ((_CONTEXT, str(context_tokens(case.size))),)
