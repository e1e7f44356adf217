"""What the demo shows while it runs and when it is over: steps, figures, a table. Used by demo."""

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

from rich.console import Console as Screen
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text


class DemoFailed(Exception):
    """A step did not do what it shows; the message says what happened in its place."""


@dataclass(frozen=True)
class Step:
    """One finished step. Seconds since the demo began, and that it took."""

    number: int
    name: str
    began_s: float
    took_s: float


@dataclass(frozen=True)
class Figure:
    """One promised duration: what it took, and the most it may take. Seconds."""

    name: str
    took_s: float
    at_most_s: float

    @property
    def is_kept(self) -> bool:
        """Whether the promise was kept."""
        return self.took_s <= self.at_most_s


@dataclass
class Timeline:
    """What happened. *is_passed* only when every step truly happened, in time."""

    steps: list[Step] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    is_passed: bool = False
    failure: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Render for --json; durations in seconds."""
        return {
            "passed": self.is_passed,
            "failure": self.failure,
            "steps": [asdict(step) for step in self.steps],
            "figures": [{**asdict(figure), "kept": figure.is_kept} for figure in self.figures],
        }


class Stage:
    """Shows the demo on a screen: live on a terminal, in plain lines elsewhere."""

    def __init__(self, screen: Screen) -> None:
        self.timeline = Timeline()
        self._screen = screen
        self._began_s = time.monotonic()

    def set_up(self) -> None:
        """Say what this runs on."""
        libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "moto", "chalice"))
        self.say(f"Python {platform.python_version()}, {libraries}")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step, with a running clock while a person watches."""
        number = len(self.timeline.steps) + 1
        began_s = self._elapsed_s()
        self._screen.print(Text(f"[{began_s:5.1f} s] {number}. {name}", style="bold"), soft_wrap=True)
        if self._screen.is_terminal:
            with Live(_Clock(self._elapsed_s), console=self._screen, transient=True, refresh_per_second=10):
                yield
        else:
            yield
        self.timeline.steps.append(Step(number, name, round(began_s, 3), round(self._elapsed_s() - began_s, 3)))

    def say(self, text: str) -> None:
        """Show one thing that happened, with the time."""
        self._screen.print(Text(f"[{self._elapsed_s():5.1f} s]    {text}"), soft_wrap=True)

    def figure(self, name: str, took_s: float, *, at_most_s: float) -> None:
        """Show a promised duration; `judge` holds the demo to it, once all steps have been seen."""
        figure = Figure(name, round(took_s, 3), at_most_s)
        self.timeline.figures.append(figure)
        self.say(f"{name}: {took_s:.1f} s (at most {at_most_s:.0f} s)")

    def judge(self) -> None:
        """Say whether the demo passed, after its last step: it did when every promised duration was kept."""
        broken = [figure for figure in self.timeline.figures if not figure.is_kept]
        self.timeline.is_passed = not broken
        if broken:
            words = ", ".join(f"{figure.name} took {figure.took_s:.1f} s" for figure in broken)
            self.fail(f"every step happened, but slower than promised: {words}")

    def fail(self, reason: str) -> None:
        """Show why the demo ends here."""
        self.timeline.failure = reason
        self._screen.print(Text(f"[{self._elapsed_s():5.1f} s] failed: {reason}", style="bold red"), soft_wrap=True)

    def show_timeline(self) -> None:
        """Print the table of steps and figures, and what to try next."""
        rows = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
        for heading, justify in (("", "right"), ("STEP", "left"), ("AT", "right"), ("TOOK", "right")):
            rows.add_column(heading, justify=justify)  # type: ignore[arg-type]  # a literal type, seen as str
        for step in self.timeline.steps:
            rows.add_row(str(step.number), step.name, f"{step.began_s:.1f} s", f"{step.took_s:.1f} s")
        self._screen.print("")
        self._screen.print(rows)
        for figure in self.timeline.figures:
            verdict = "kept" if figure.is_kept else "NOT kept"
            self._screen.print(f"{figure.name}: {figure.took_s:.1f} s (promised {figure.at_most_s:.0f} s: {verdict})")
        if self.timeline.is_passed:
            self._screen.print(_NEXT, soft_wrap=True)

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began_s


class _Clock:
    """A spinner with the time since the demo began."""

    def __init__(self, elapsed_s: Any) -> None:
        self._elapsed_s = elapsed_s
        self._spinner = Spinner("dots")

    def __rich__(self) -> Spinner:
        self._spinner.update(text=f" {self._elapsed_s():.1f} s")
        return self._spinner


_NEXT = """
Next, with an engine of your own:
  . .venv/bin/activate                           so that tarmac is on your path
  tarmac up                                      in one terminal; Ctrl-C stops it
  python -m examples.sentiment build/sentiment   in another: make the model ...
  tarmac push build/sentiment --name sentiment --wait
  tarmac invoke sentiment "what a lovely day"
  tarmac ls; tarmac status sentiment; tarmac logs sentiment
  eval "$(tarmac env)"                           then the AWS CLI and boto3 talk to it too"""
