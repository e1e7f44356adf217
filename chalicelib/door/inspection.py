"""The door's one entry: from a drop and its bytes to a report. Called by the executor, and by `tarmac check`.

Nothing is ever extracted, unpickled, imported or run. Whatever the bytes, a report comes back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from chalicelib.door.archives import Member
from chalicelib.door.configs import check_companions, read_configs
from chalicelib.door.contents import Contents, read_contents
from chalicelib.door.dependencies import check_dependencies
from chalicelib.door.grafts import Seam
from chalicelib.door.kinds import Findings, declarer
from chalicelib.door.layouts import ADAPTER_ONLY, check_layout
from chalicelib.door.libraries import check_libraries
from chalicelib.door.members import Names
from chalicelib.door.models import Model, Stage, find_task
from chalicelib.door.plans import make_plan
from chalicelib.door.repositories import check_repository_trust, read_repository
from chalicelib.door.requirements import check_requirements
from chalicelib.door.schema import Rules
from chalicelib.door.sources import check_sources
from chalicelib.door.streams import Inflater, Limits, fastest_inflater
from chalicelib.door.tasks import TEXT_TASKS
from chalicelib.door.trust import check_trust
from chalicelib.door.weights import check_names, check_weights
from chalicelib.door.wishes import PATH, Wishes, read_wishes
from chalicelib.names import DROPS_PREFIX, archive_key, name_problem, suggest_name
from chalicelib.ports import ByteStream, Hub
from chalicelib.reports import ARCHIVE_MISSING, Report, ServingPlan, Severity
from chalicelib.state import Drop, HubRepo

CODE_FILES_MAX = 500
CODE_MAX_BYTES = 8 << 20
_declare = declarer("The drop")
BAD_NAME = _declare(
    "bad-name",
    Severity.ERROR,
    "The name between the drops' prefix (`models/`) and the archive cannot be a model's.",
    "Use a-z, 0-9 and single dashes between them, 40 characters at most.",
)
NO_ARCHIVE = _declare(
    ARCHIVE_MISSING,
    Severity.ERROR,
    "A deploy.toml lies there without an archive and names no model of the Hub; while that is so nothing runs.",
    'Upload the archive beside it, or write hub_model = "owner/name" into it.',
)
HUB_AND_ARCHIVE = _declare(
    "hub-model-and-archive",
    Severity.ERROR,
    "There is an archive, and deploy.toml names a model of the Hub; which one should run is not said.",
    "Take hub_model out of deploy.toml, or delete the archive.",
)
HUB_AND_CODE = _declare(
    "hub-model-and-code",
    Severity.ERROR,
    "There is a `code/` folder, and no archive that it could be put in front of.",
    "Delete it; or download the model and drop it as an archive, with `code/` beside it.",
)
CODE_TWICE = _declare(
    "code-twice",
    Severity.ERROR,
    "Both the archive and the folder dropped beside it have a `code/`; which one should run is not said.",
    "Delete `models/NAME/code/`, or pack the archive without its own.",
)
CODE_TOO_LARGE = _declare(
    "code-too-large",
    Severity.ERROR,
    "The `code/` dropped beside the archive has more than 500 files or 8 MiB.",
    "Put data into the archive, and only the handler into `models/NAME/code/`.",
)
TWO_ARCHIVES = _declare(
    "two-archives",
    Severity.WARNING,
    "Both `models/NAME/model.tar.gz` and `models/NAME.tar.gz` were dropped; only the first is used.",
    "Delete one of them.",
)


@dataclass(frozen=True)
class DoorRules:
    """What the stage decides. Durations in seconds; None for never.

    Attributes:
        instance_type: For models that cannot be sized.
        idle_after_s: The TTL where deploy.toml names none.
        idle_floor_s: The shortest TTL that deploy.toml may name.
        allowed_images: Image URIs that deploy.toml may name as its container.
        drops_prefix: Where people drop.
        trust_ceiling: The most that deploy.toml may ask for: strict, scan or trusted.
        instance_types: Those that may be started; empty for any.
        quotas: How many instances of each type the account may run for endpoints; None when not known.
        is_in_vpc: The models live in subnets of the stage's own.
    """

    region: str
    instance_type: str
    idle_after_s: float | None
    idle_floor_s: float
    allowed_images: frozenset[str] = frozenset()
    drops_prefix: str = DROPS_PREFIX
    trust_ceiling: str = "trusted"
    instance_types: frozenset[str] = frozenset()
    quotas: Mapping[str, int] | None = None
    is_in_vpc: bool = False
    limits: Limits = field(default_factory=Limits)
    new_inflater: Callable[[], Inflater] = fastest_inflater

    @property
    def for_wishes(self) -> Rules:
        """Those that the values of deploy.toml are held against."""
        return Rules(self.idle_floor_s, self.allowed_images, self.trust_ceiling)


@dataclass(frozen=True)
class Inspection:
    """A verdict, and where the archive can be grafted; see grafts.Seam."""

    report: Report
    seam: Seam | None


def inspect(drop: Drop, archive: ByteStream, raw_toml: bytes | None, *, rules: DoorRules, now: datetime) -> Report:
    """Judge as `examine` does, without code/ dropped beside the archive; give the verdict alone."""
    return examine(drop, archive, raw_toml, rules=rules, now=now).report


def examine(
    drop: Drop,
    archive: ByteStream,
    raw_toml: bytes | None,
    *,
    rules: DoorRules,
    now: datetime,
    code: Mapping[str, bytes] | None = None,
) -> Inspection:
    """Read the archive once and judge it.

    Args:
        drop: What was dropped.
        archive: The archive's bytes, from their start. Read to the end unless it cannot be; never closed here.
        raw_toml: deploy.toml; None when there is none.
        rules: What the stage decides.
        now: Aware UTC.
        code: The code/ dropped beside the archive, by path in it.

    Raises:
        OSError, AwsError: Whatever reading *archive* raises; nothing else, whatever the bytes.
    """
    findings = Findings()
    if drop.other_archive_key is not None:
        message = f"{drop.archive_key} is used; {drop.other_archive_key} is ignored"
        findings.add(TWO_ARCHIVES, message, path=drop.other_archive_key)
    if (problem := code_problem(drop)) is not None:
        findings.add(CODE_TOO_LARGE, problem, path="code/")
    wishes = read_wishes(raw_toml, rules.for_wishes, findings)
    if wishes.hub_model is not None:
        findings.add(HUB_AND_ARCHIVE, f"there is an archive, and hub_model is {wishes.hub_model.id}", path=PATH)
    contents = read_contents(
        archive,
        findings,
        rules.limits,
        scans_pickles=wishes.trust != "trusted",
        new_inflater=rules.new_inflater,
    )
    if contents.is_whole and code:
        _add_code(contents, code, findings)
    plan = _judge(contents, wishes, rules, findings) if contents.is_whole else None
    report = Report(
        model=drop.model,
        release=drop.release,
        checked_at=now,
        checks=findings.checks(),
        size_bytes=drop.size_bytes,
        sha256=contents.sha256,
        plan=None if findings.is_refusal or plan is None else _with_code(plan, drop),
    )
    return Inspection(report, contents.seam)


def examine_alone(
    drop: Drop, raw_toml: bytes | None, hub: Hub, *, rules: DoorRules, now: datetime, commit: str | None = None
) -> Report:
    """Judge a drop that is a deploy.toml and no archive.

    Args:
        drop: What was dropped.
        raw_toml: deploy.toml.
        hub: Asked about the model that it names.
        rules: What the stage decides.
        now: Aware UTC.
        commit: What this very release was pinned to before: a release does not change, even where its branch does.

    Raises:
        HubUnavailable: The Hub does not answer, so nothing is known.
    """
    findings = Findings()
    wishes = read_wishes(raw_toml, rules.for_wishes, findings)
    if drop.code:
        findings.add(HUB_AND_CODE, f"there are {len(drop.code)} files in code/ and no archive", path="code/")
    found = None
    if wishes.hub_model is None:
        findings.add(NO_ARCHIVE, "there is no archive beside deploy.toml, and no hub_model in it", path=PATH)
    else:
        found = read_repository(hub, replace(wishes.hub_model, revision=commit or wishes.hub_model.revision), findings)
    plan, size_bytes = None, 0
    if found is not None:
        repo, contents = found
        plan, size_bytes = _judge(contents, wishes, rules, findings, repo), sum(contents.files.values())
    return Report(
        model=drop.model,
        release=drop.release,
        checked_at=now,
        checks=findings.checks(),
        size_bytes=size_bytes,
        plan=None if findings.is_refusal else plan,
    )


def code_problem(drop: Drop) -> str | None:
    """Say why a dropped code/ cannot be read at all; None when it can, or there is none."""
    total_bytes = sum(file.size_bytes for file in drop.code)
    if len(drop.code) > CODE_FILES_MAX or total_bytes > CODE_MAX_BYTES:
        return f"code/ has {len(drop.code):,} files of {total_bytes:,} bytes in all"
    return None


def _add_code(contents: Contents, code: Mapping[str, bytes], findings: Findings) -> None:
    """Judge what was dropped beside the archive as if it lay in it."""
    if any(path == "code" or path.startswith("code/") for path in contents.files):
        findings.add(CODE_TWICE, "there is code/ in the archive and beside it", path="code/")
        return
    names = Names(findings)
    for path, body in code.items():
        if names.accept(Member(path, "0", len(body), len(body), ())) is not None:
            contents.add(path, body, findings)


def _with_code(plan: ServingPlan, drop: Drop) -> ServingPlan:
    if not drop.code:
        return plan
    return replace(
        plan,
        is_grafted=True,
        code_digest=drop.code_digest,
        why=(*plan.why, f"handler: {len(drop.code)} files from the code/ dropped beside the archive, put in front"),
    )


def refuse_name(drop: Drop, *, now: datetime, drops_prefix: str = DROPS_PREFIX) -> Report:
    """Refuse a drop for its name alone, without reading the archive. *now* is aware UTC."""
    findings = Findings()
    problem = name_problem(drop.model) or "the model name cannot be used"
    better = archive_key(suggest_name(drop.model), prefix=drops_prefix)
    fix = f"Upload it as `{better}`: a-z, 0-9 and single dashes, 40 characters at most."
    findings.add(BAD_NAME, problem, path=drop.archive_key, fix=fix)
    return Report(drop.model, drop.release, now, findings.checks(), drop.size_bytes)


def _judge(
    contents: Contents, wishes: Wishes, rules: DoorRules, findings: Findings, repo: HubRepo | None = None
) -> ServingPlan | None:
    """Judge what was read to its end, or what the Hub says: everything wrong with it is found in one go."""
    if not contents.files:
        return None
    framework = check_layout(contents, findings)
    configs = read_configs(contents, findings)
    config = configs.get("config.json", {})
    check_sources(contents, findings, framework=framework, container=wishes.container)
    if repo is None:
        check_trust(contents, config, wishes.trust, findings, ceiling=rules.trust_ceiling)
    else:
        check_repository_trust(contents, config, wishes.trust, findings)
    if framework is None or findings.has(ADAPTER_ONLY):
        return None
    model = Model(contents, framework, config, repo)
    check_weights(contents, framework, findings, has_code=model.has_code)
    task, _ = find_task(model, wishes)
    if task is not None and not model.has_code:
        check_companions(contents, framework, is_text=task in TEXT_TASKS, findings=findings)
    stage = Stage(
        rules.region, rules.instance_type, rules.idle_after_s, rules.instance_types, rules.quotas, rules.is_in_vpc
    )
    plan = make_plan(model, wishes, stage, findings)
    check_names(contents, config, plan, findings)
    check_libraries(contents, plan, findings)
    check_dependencies(model, configs.get("tokenizer_config.json", {}), plan, findings)
    check_requirements(contents, plan, findings)
    return plan
