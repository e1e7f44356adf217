"""What the door found in a drop, as data and as report.json. Made by the door, read by planner, proxy and people."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from chalicelib.names import ReleaseId

FORMAT = 1
"""Version of report.json; a report of another version is made anew."""
ARCHIVE_MISSING = "archive-missing"
"""The check of a deploy.toml that lies there alone and names no model of the Hub."""


class Severity(StrEnum):
    """How much a check's result matters."""

    ERROR = "error"
    """The drop is refused."""
    WARNING = "warning"
    """It runs, but not as well, as safely or as cheaply as it could."""
    INFO = "info"
    """Worth knowing: what was recognised, what was chosen."""


@dataclass(frozen=True)
class Check:
    """One thing the door looked at and had something to say about.

    Attributes:
        id: Stable, kebab-case; documented in docs/checks.md.
        path: The member of the archive, or `deploy.toml`, that it is about; None for the drop as a whole.
        message: One sentence: the fact.
        fix: One sentence: what to do; None where nothing has to be done.
    """

    id: str
    severity: Severity
    message: str
    path: str | None = None
    fix: str | None = None


@dataclass(frozen=True)
class Autoscale:
    """How many instances an endpoint may have, and how many calls a minute one of them should take."""

    min: int
    max: int
    invocations_per_instance: int


@dataclass(frozen=True)
class HubModel:
    """A model of the Hugging Face Hub. *revision*: a branch, a tag or a commit; None for the default branch."""

    id: str
    revision: str | None = None


@dataclass(frozen=True)
class Ranked:
    """One way to run a release: what was chosen, or why it was not.

    Attributes:
        name: An instance type, or `serverless 2048 MB`.
        price_per_hour: Of all instances together, in *currency*; of serverless, of an hour of computing. None: unknown.
        why_not: One sentence; None for what was chosen.
    """

    name: str
    price_per_hour: float | None
    currency: str | None
    why_not: str | None


@dataclass(frozen=True)
class ServingPlan:
    """How a release will run, and why.

    Attributes:
        env: Environment of the container, as sorted pairs.
        idle_after_s: TTL in seconds; None for never.
        is_idle_after_wished: The TTL is deploy.toml's; otherwise the deployment's own holds, whatever it is then.
        price_per_hour_usd: Of all instances together; None when the price is not known.
        why: One sentence per choice made, for people.
        is_grafted: The release's archive gets a `code/` that the dropped one has not.
        code_digest: Of the code/ dropped beside the archive; None for Tarmac's own handler.
        mode: realtime, serverless or async.
        instance_type: None exactly where there are no instances: serverless.
        memory_mb: Of a serverless endpoint; None for any other.
        max_concurrency: Requests at once: of a serverless endpoint, or of each instance of an async one; else None.
        autoscale: Bounds between which Application Auto Scaling moves the number of instances; None where it is fixed.
        hub_model: What the container fetches from the Hugging Face Hub in place of an archive, its revision a commit.
    """

    container: str
    image_uri: str
    task: str | None
    mode: str
    instance_type: str | None
    instance_count: int
    idle_after_s: float | None
    env: tuple[tuple[str, str], ...] = ()
    is_isolated: bool = True
    is_idle_after_wished: bool = False
    price_per_hour_usd: float | None = None
    why: tuple[str, ...] = ()
    is_grafted: bool = False
    code_digest: str | None = None
    memory_mb: int | None = None
    max_concurrency: int | None = None
    autoscale: Autoscale | None = None
    hub_model: HubModel | None = None
    inference_ami: str | None = None
    """The host image that the container's CUDA needs; None where SageMaker's default does."""
    ranking: tuple[Ranked, ...] = field(default=(), compare=False)
    """What was chosen and the nearest of what was not. Prices and quotas move; they make no other plan of it."""

    @property
    def is_serverless(self) -> bool:
        """Whether there are no instances: nothing is billed while nobody calls."""
        return self.mode == "serverless"

    @property
    def is_async(self) -> bool:
        """Whether requests wait in a queue and are answered in S3."""
        return self.mode == "async"


@dataclass(frozen=True)
class Report:
    """The door's verdict on one drop.

    Attributes:
        checked_at: Aware UTC.
        size_bytes: Of the archive, packed; of a model of the Hub, of the files that serving loads.
        sha256: Of the archive, packed, in hex; None when it could not be read to its end, or there is none.
        plan: How it will run; None exactly when the drop is refused.
        same_as: An older accepted release with the same bytes and wishes, which then stands for this one too.
    """

    model: str
    release: ReleaseId
    checked_at: datetime
    checks: tuple[Check, ...]
    size_bytes: int
    sha256: str | None = None
    plan: ServingPlan | None = None
    same_as: ReleaseId | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the release may run."""
        return self.plan is not None

    @property
    def is_nothing_named(self) -> bool:
        """Whether neither an archive nor a model of the Hub was there: a deploy.toml alone."""
        return any(check.id == ARCHIVE_MISSING for check in self.checks)

    @property
    def errors(self) -> tuple[Check, ...]:
        """The checks that refuse the drop."""
        return tuple(check for check in self.checks if check.severity is Severity.ERROR)

    def to_json(self) -> str:
        """Render as report.json."""
        raw = {"format": FORMAT, "verdict": "accepted" if self.is_accepted else "refused", **asdict(self)}
        raw["checked_at"] = self.checked_at.isoformat()
        if self.plan is not None:
            raw["plan"]["env"] = dict(self.plan.env)
        return json.dumps(raw, indent=2, ensure_ascii=False)


def parse_report(text: str | bytes) -> Report | None:
    """Read report.json; None when it is of another format or damaged, so that the door makes it again."""
    try:
        raw = json.loads(text)
        return _report_from(raw) if raw.get("format") == FORMAT else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _report_from(raw: dict[str, Any]) -> Report:
    return Report(
        model=raw["model"],
        release=ReleaseId(raw["release"]),
        checked_at=datetime.fromisoformat(raw["checked_at"]),
        checks=tuple(Check(**{**check, "severity": Severity(check["severity"])}) for check in raw["checks"]),
        size_bytes=raw["size_bytes"],
        sha256=raw["sha256"],
        plan=_plan_from(raw["plan"]) if raw["plan"] is not None else None,
        same_as=raw["same_as"],
    )


def _plan_from(raw: dict[str, Any]) -> ServingPlan:
    typed: dict[str, Any] = {"env": tuple(sorted(raw["env"].items())), "why": tuple(raw["why"])}
    for name, kind in (("autoscale", Autoscale), ("hub_model", HubModel)):
        if raw.get(name) is not None:
            typed[name] = kind(**raw[name])
    typed["ranking"] = tuple(Ranked(**row) for row in raw.get("ranking", ()))
    return ServingPlan(**{**raw, **typed})


def refusal_sentence(checks: Iterable[Check]) -> str:
    """Render the errors among *checks* as one line for people."""
    return "; ".join(check.message for check in checks if check.severity is Severity.ERROR)
