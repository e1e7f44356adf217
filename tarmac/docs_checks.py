"""Writes docs/checks.md and docs/deploy-toml.md from the code that they describe: `python -m tarmac.docs_checks`."""

from collections import defaultdict
from pathlib import Path

import chalicelib.door.inspection  # noqa: F401  # importing the door's entry declares every kind of check
from chalicelib.door.kinds import KINDS, Kind
from chalicelib.door.schema import ENV_NAMES, KEYS, TABLES, Key
from chalicelib.door.streams import Limits
from chalicelib.reports import Severity

_GENERATED = "<!-- Written by `python -m tarmac.docs_checks`; edit the code instead. -->\n"
_VERDICTS = {
    Severity.ERROR: "refused",
    Severity.WARNING: "runs, but should be mended",
    Severity.INFO: "worth knowing",
}


def render_checks() -> str:
    """Render docs/checks.md."""
    limits = Limits()
    lines = [
        _GENERATED,
        "# What the door checks",
        "",
        "Every drop is read once, from start to end, before anything is deployed. Nothing is unpacked, unpickled",
        "or run. What was found stands in `report.json`, in `GET /models/{name}` and in `tarmac status`;",
        "`tarmac check PATH` says the same offline. An **error** refuses the drop, and a refused drop never touches",
        "the release that is live.",
        "",
        f"Limits: {limits.members_max:,} members; {limits.unpacked_max_bytes >> 30} GiB unpacked; and, beyond",
        f"{limits.ratio_free_bytes >> 20} MiB unpacked, at most {limits.ratio_max:.0f} times the packed bytes.",
    ]
    subjects: dict[str, list[Kind]] = defaultdict(list)
    for kind in KINDS.values():
        subjects[kind.subject].append(kind)
    for subject, kinds in subjects.items():
        lines += ["", f"## {subject}", ""]
        for kind in kinds:
            lines.append(f"* **`{kind.id}`** ({kind.severity.value}: {_VERDICTS[kind.severity]}). {kind.when}")
            if kind.fix:
                lines.append(f"  *Fix:* {kind.fix}")
    return "\n".join(lines) + "\n"


def render_toml() -> str:
    """Render docs/deploy-toml.md."""
    lines = [
        _GENERATED,
        "# deploy.toml",
        "",
        "Optional, beside the archive: `models/<name>/deploy.toml`; or alone, where it names a `hub_model`. Everything",
        "in it is optional. An unknown key, a wrong type or a bad value refuses the drop, and the report says which",
        "line and what was meant. Keys stand at the top of the file, above the first `[table]`, unless they are listed",
        "under one here.",
    ]
    for table in ("", *(table for table in TABLES if table != "env")):
        lines += ["", f"## {'[' + table + ']' if table else 'At the top'}", ""]
        lines += ["| key | type | example | what |", "|---|---|---|---|"]
        lines += [_row(key) for key in KEYS if key.table == table]
    lines += ["", "## [env]", "", "Environment of the container. Values are strings. Only these names may be set:", ""]
    lines += [f"* `{name}`: {about}" for name, about in ENV_NAMES.items()]
    lines += ["", "## An example", "", "```toml", *_example(), "```"]
    return "\n".join(lines) + "\n"


def _row(key: Key) -> str:
    return f"| `{key.name}` | {key.type_words} | `{key.example}` | {key.about} |"


def _example() -> list[str]:
    shown = {"task", "instance_type", "idle_after", "max_hourly_cost"}
    top = [f"{key.name} = {key.example}" for key in KEYS if key.name in shown]
    return [*top, "", "[env]", 'OMP_NUM_THREADS = "2"']


PAGES = {"checks.md": render_checks, "deploy-toml.md": render_toml}
"""What each page under docs/ is rendered by."""


def main(docs: Path = Path("docs")) -> None:
    """Write every page into *docs*."""
    for name, render in PAGES.items():
        (docs / name).write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
