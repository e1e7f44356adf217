"""How the door's report is shown: the checks with their fixes. Used by check and status."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from tarmac.cli.screen import table

_STYLES = {"error": "red", "warning": "yellow", "info": "dim"}
_ORDER = ("error", "warning", "info")


def checks_table(checks: Iterable[Mapping[str, Any]]) -> Table:
    """Lay out checks, the worst first; each with what to do about it."""
    rows = []
    for check in sorted(checks, key=lambda check: _ORDER.index(check["severity"])):
        where = f"{check['path']}: " if check["path"] else ""
        fix = f"\nfix: {check['fix']}" if check["fix"] else ""
        severity = Text(check["severity"], style=_STYLES[check["severity"]])
        rows.append((severity, check["id"], f"{where}{check['message']}{fix}"))
    return table(("", "", ""), rows)
