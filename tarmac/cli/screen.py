"""How the commands write: JSON for programs, tables for people, errors on stderr. Used by every command."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

STATE_STYLES = {
    "ready": "green",
    "refused": "red",
    "failed": "red",
    "blocked": "red",
    "asleep": "blue",
    "falling-asleep": "blue",
    "deleting": "magenta",
}


def out() -> Console:
    """Standard output: what was asked for, and nothing else. NO_COLOR is honoured by rich itself."""
    console = Console(highlight=False)
    # A pipe or a file has no width; 80 columns would cut tables for nobody's sake.
    if not console.is_terminal:
        console = Console(highlight=False, width=max(console.width, 200))
    return console


def err() -> Console:
    """Standard error: progress and problems."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def is_json() -> bool:
    """Whether the running command was asked for --json."""
    context = click.get_current_context(silent=True)
    return bool(context and context.find_root().meta.get("tarmac.json"))


def print_json(raw: object) -> None:
    """Print one JSON document, indented for a terminal, on one line for a pipe."""
    indent = 2 if sys.stdout.isatty() else None
    click.echo(json.dumps(raw, indent=indent, ensure_ascii=False, default=str))


def print_error(message: str, *, code: str, fix: str | None) -> None:
    """Print a refusal or failure, with what to do about it, on stderr."""
    if is_json():
        raw = {"code": code, "message": message, **({"fix": fix} if fix else {})}
        click.echo(json.dumps({"error": raw}, ensure_ascii=False), err=True)
        return
    line = Text("error: ", style="bold red")
    line.append(message, style="not bold default")
    err().print(line)
    if fix:
        err().print(Text(f"  fix: {fix}"))


@contextmanager
def spinner(text: str) -> Iterator[Any]:
    """Show a spinner while a person watches; yields a callable that changes its text."""
    console = err()
    if not console.is_terminal or is_json():
        yield lambda _text: None
        return
    with console.status(text) as status:
        yield status.update


def table(headings: Iterable[str], rows: Iterable[Iterable[str | Text]]) -> Table:
    """Lay out rows under headings, without lines that get in the way of copying."""
    headings = tuple(headings)
    made = Table(box=None, pad_edge=False, header_style="bold", show_header=any(headings))
    for heading in headings:
        made.add_column(heading, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return made


def state_text(state: str) -> Text:
    """Colour a model's state."""
    return Text(state, style=STATE_STYLES.get(state, "yellow"))


def ago(iso: str | None, *, now: datetime | None = None) -> str:
    """Render a time as `3 min ago` or `in 40 s`; `-` for none."""
    if iso is None:
        return "-"
    seconds = ((now or datetime.now(UTC)) - datetime.fromisoformat(iso)).total_seconds()
    return f"{duration(seconds)} ago" if seconds >= 0 else f"in {duration(-seconds)}"


def duration(seconds: float | None) -> str:
    """Render seconds in the largest unit that leaves at least one; `never` for None."""
    if seconds is None:
        return "never"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}" if seconds >= 10 * length else f"{seconds / length:.3g} {unit}"
    return f"{seconds:.0f} s"


def size(size_bytes: float) -> str:
    """Render a number of bytes as `354 kB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000 or unit == "GB":
            return f"{size_bytes:.0f} {unit}" if size_bytes >= 10 or unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    raise AssertionError("unreachable")


def price(per_hour_usd: float | None) -> str:
    """Render dollars an hour; `-` when the price is not known."""
    return "-" if per_hour_usd is None else f"${per_hour_usd:.3f}"
