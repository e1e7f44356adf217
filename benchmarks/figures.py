"""Figures of ours beside a peer's: one table on the terminal, one picture, one file. Called by every benchmark.

    present("door", "Reading an archive", [Figure(case="read, F32", ours=620.0, peer=240.0, peer_name="tar -tzf",
                                                  unit="MB/s", at_least=2.3)])

prints the table and writes build/benchmarks/door.svg and door.json; `benchmarks.suite` adds the files up.
"""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parents[1] / "build" / "benchmarks"
_WIDTH, _LEFT, _BAR, _ROW, _HEAD, _VALUES = 860, 270, 16, 66, 64, 130
_COLOURS = {"ours": "#2563eb", "peer": "#64748b", "promise": "#dc2626"}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One thing measured on both sides in one run.

    Attributes:
        case: What was measured; "read, F32".
        ours: In *unit*.
        peer: In *unit*.
        peer_name: Who the peer is.
        unit: Of both; "MB/s" (10^6 bytes), "s", "MB".
        at_least: Promised of the ratio.
        at_most: The same, the other way round. With neither, the figure is shown and nothing is promised.
        is_inverse: The ratio is the peer's over ours, not ours over the peer's: "10 times as fast" of two times in s.
    """

    case: str
    ours: float
    peer: float
    peer_name: str
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    is_inverse: bool = False

    @property
    def ratio(self) -> float:
        """Ours over the peer's, or the inverse."""
        above, below = (self.peer, self.ours) if self.is_inverse else (self.ours, self.peer)
        return above / below if below else float("inf")

    @property
    def bound(self) -> float | None:
        """What is promised of the ratio."""
        return self.at_most if self.at_least is None else self.at_least

    @property
    def is_kept(self) -> bool | None:
        """Whether the promise is kept; None where there is none."""
        if self.at_least is not None and self.ratio < self.at_least:
            return False
        if self.at_most is not None and self.ratio > self.at_most:
            return False
        return None if self.bound is None else True


def present(name: str, title: str, figures: Sequence[Figure]) -> None:
    """Print the table; write NAME.svg and NAME.json under build/benchmarks.

    What an earlier run measured under the same title, and this one has not, stays in both files: so a long benchmark
    can be run case by case.
    """
    print_table(title, figures)
    measured = {(figure.case, figure.peer_name) for figure in figures}
    with contextlib.suppress(FileNotFoundError):
        earlier_title, earlier = load(name)
        if earlier_title == title:
            figures = [*(each for each in earlier if (each.case, each.peer_name) not in measured), *figures]
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.svg").write_text(picture(title, figures), encoding="utf-8")
    saved = {"title": title, "figures": [asdict(figure) for figure in figures]}
    (RESULTS / f"{name}.json").write_text(json.dumps(saved, indent=1), encoding="utf-8")


def load(name: str) -> tuple[str, list[Figure]]:
    """Read what `present` wrote: the title and the figures. Raises FileNotFoundError."""
    saved = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return saved["title"], [Figure(**raw) for raw in saved["figures"]]


def print_table(title: str, figures: Sequence[Figure]) -> None:
    """Print a row a figure, and a line that says whether every promise is kept."""
    table = Table(title=title, title_justify="left")
    for column in ("case", "ours", "peer", "ratio", "at least", "kept"):
        table.add_column(column, justify="right" if column in ("ours", "ratio", "at least") else "left")
    for figure in figures:
        peer = f"{shown(figure.peer)} {figure.unit} · {figure.peer_name}"
        kept = {True: "[green]yes[/]", False: "[bold red]NO[/]", None: "·"}[figure.is_kept]
        ours = f"{shown(figure.ours)} {figure.unit}"
        table.add_row(figure.case, ours, peer, f"{figure.ratio:.3g}", _promised(figure), kept)
    console = Console(width=max(110, Console().width), highlight=False)
    console.print(table)
    promised = [figure for figure in figures if figure.is_kept is not None]
    broken = [figure for figure in promised if not figure.is_kept]
    if promised:
        console.print(f"{len(promised) - len(broken)} of {len(promised)} promises kept on this machine, in this run")


def shown(value: float) -> str:
    """Write a value with three figures that count."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _promised(figure: Figure) -> str:
    if figure.bound is None:
        return "·"
    return f"{figure.bound:g}" if figure.at_most is None else f"at most {figure.bound:g}"


def picture(title: str, figures: Sequence[Figure]) -> str:
    """Draw a pair of bars a figure, and where a promise puts ours a line across; as SVG, dark on light."""
    height = _HEAD + _ROW * len(figures)
    size = f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="13"'
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(title)}>',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="26" font-size="16" font-weight="bold" fill="#0f172a">{escape(title)}</text>',
        *_legend(),
    ]
    for index, figure in enumerate(figures):
        # Within one picture, bars of one unit can be compared by eye.
        widest = max(max(each.ours, each.peer, _line(each)) for each in figures if each.unit == figure.unit)
        drawn += _bars(figure, _HEAD + index * _ROW, (_WIDTH - _LEFT - _VALUES) / (widest or 1.0))
    return "\n".join([*drawn, "</svg>", ""])


def _legend() -> list[str]:
    drawn = []
    for at, (name, text) in enumerate((("ours", "Tarmac"), ("peer", "the peer"), ("promise", "promised"))):
        x = 16 + at * 100
        drawn.append(f'<rect x="{x}" y="38" width="12" height="12" fill="{_COLOURS[name]}"/>')
        drawn.append(f'<text x="{x + 18}" y="49" fill="#334155">{text}</text>')
    return drawn


def _line(figure: Figure) -> float:
    """Where ours must reach, or stay."""
    if figure.bound is None:
        return 0.0
    return figure.peer / figure.bound if figure.is_inverse else figure.peer * figure.bound


def _bars(figure: Figure, top: int, scale: float) -> list[str]:
    drawn = [f'<text x="16" y="{top + 22}" fill="#0f172a">{escape(figure.case)}</text>']
    verdict = {True: f"promised {_promised(figure)}: kept", False: f"promised {_promised(figure)}: NOT kept", None: ""}
    colour = "#dc2626" if figure.is_kept is False else "#64748b"
    drawn.append(f'<text x="16" y="{top + 40}" font-size="11" fill="{colour}">{verdict[figure.is_kept]}</text>')
    rows = (("ours", figure.ours, f"x{figure.ratio:.3g}"), ("peer", figure.peer, figure.peer_name))
    texts = []
    for row, (name, value, note) in enumerate(rows):
        y, width = top + 6 + row * (_BAR + 6), max(value * scale, 1.0)
        drawn.append(f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="2" fill="{_COLOURS[name]}"/>')
        text = escape(f"{shown(value)} {figure.unit} · {note}")
        # Beside the bar where there is room, on it where there is not; haloed, for the promise's line may cross it.
        is_beside = _LEFT + width + 7.2 * len(text) < _WIDTH - 8
        x, anchor = (_LEFT + width + 8, "start") if is_beside else (_LEFT + width - 8, "end")
        fill, halo = ("#334155", "#ffffff") if is_beside else ("#ffffff", _COLOURS[name])
        place = f'x="{x:.1f}" y="{y + 13}" font-size="12" text-anchor="{anchor}" fill="{fill}"'
        texts.append(f'<text {place} stroke="{halo}" stroke-width="3" paint-order="stroke">{text}</text>')
    if figure.bound is not None:
        x = _LEFT + _line(figure) * scale
        drawn.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + 2 * _BAR + 16}" stroke="{_COLOURS["promise"]}"'
            ' stroke-width="2" stroke-dasharray="4 3"/>'
        )
    return drawn + texts
