"""How the door's report is shown: the checks with their fixes, and the ranking. Used by check, status and plan."""

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


def ranking_table(ranking: Iterable[Mapping[str, Any]]) -> Table:
    """Lay out what was chosen and what was not, with the price an hour and why not."""
    rows = [
        (
            Text(row["name"], style="bold" if row["why_not"] is None else ""),
            _price(row["price_per_hour"], row["currency"]),
            Text("chosen", style="green") if row["why_not"] is None else row["why_not"],
        )
        for row in ranking
    ]
    return table(("WHERE", "AN HOUR", "WHY NOT"), rows)


def _price(per_hour: float | None, currency: str | None) -> str:
    if per_hour is None:
        return "-"
    return f"${per_hour:.4g}" if currency == "USD" else f"{currency} {per_hour:.4g}"
