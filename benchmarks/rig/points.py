"""What was measured of each server, with its memory, as a table and as JSON. Called by the benchmarks of servers."""

import json
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.peers.servers import Served
from benchmarks.rig.callers import Asked, ask, post
from benchmarks.rig.processes import Memory, memory


@dataclass(frozen=True, kw_only=True)
class Point:
    """One server under so many clients; `asked` is None where it could not be measured, and `note` says why.

    Attributes:
        case: The model.
        server: Whose, with its settings.
        clients: How many asked at once.
        asked: What they saw.
        memory: Of the server's processes after it.
        note: Why it was not measured.
    """

    case: str
    server: str
    clients: int
    asked: Asked | None = None
    memory: Memory | None = None
    note: str = ""


def under_load(
    case: str,
    server: str,
    serving: AbstractContextManager[Served],
    inputs: Iterable[object],
    *,
    clients: Sequence[int],
    seconds: float,
) -> list[Point]:
    """Serve, and put each number of clients on it for so long."""
    points = []
    with serving as served:
        requests = [post(payload, path=served.path) for payload in inputs]
        for count in clients:
            asked = ask(served.port, requests, clients=count, seconds=seconds)
            used = memory(served.process)
            points.append(Point(case=case, server=server, clients=count, asked=asked, memory=used))
    return points


def best(points: Iterable[Point], *, case: str, clients: int, server: str = "") -> Point | None:
    """Choose the most answers a second of the servers whose name begins so; None where none was measured."""
    found = [
        point
        for point in points
        if point.case == case and point.clients == clients and point.server.startswith(server) and point.asked
    ]
    return max(found, key=lambda point: point.asked.per_s if point.asked else 0.0, default=None)


def save(points: Sequence[Point], file: Path) -> None:
    """Write points as JSON."""
    file.write_text(json.dumps([asdict(point) for point in points], indent=1), encoding="utf-8")


def saved(file: Path) -> list[Point]:
    """Read what `save` wrote; nothing where there is no such file."""
    if not file.exists():
        return []
    points = []
    for raw in json.loads(file.read_text(encoding="utf-8")):
        asked, used = raw.pop("asked"), raw.pop("memory")
        known = {"asked": asked and Asked(**asked), "memory": used and Memory(**used)}
        points.append(Point(**raw, **known))
    return points


def print_points(points: Sequence[Point]) -> None:
    """Print a row a point."""
    table = Table(title="every server that was tried", title_justify="left")
    for column in ("model", "server", "clients", "p50 ms", "answers/s", "RSS MB", "peak MB"):
        table.add_column(column, justify="left" if column in ("model", "server") else "right")
    for point in points:
        clients = str(point.clients) if point.clients else ""
        if point.asked is None:
            table.add_row(point.case, point.server, clients, f"not measured: {point.note}", "", "", "")
            continue
        sizes = ("", "") if point.memory is None else (f"{point.memory.now:,.0f}", f"{point.memory.peak:,.0f}")
        table.add_row(
            point.case, point.server, clients, f"{point.asked.p50_ms:.2f}", f"{point.asked.per_s:,.0f}", *sizes
        )
    Console(width=120, highlight=False).print(table)
