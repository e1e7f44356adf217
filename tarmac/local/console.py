"""What happens, as it happens, in lines for a person: from the app's log, the queue and the answers. Fed by up."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Console as Screen
from rich.text import Text

from chalicelib.names import model_of_endpoint
from tarmac.local.front import invoked_model
from tarmac.local.gateway import HttpAnswer, HttpRequest

_FLUSH_EVERY_S = 1.0
_REPEATS_WITHIN_S = 2.0
_MODEL_WIDTH = 16
_NAME_SHOWN = 60
_KIND_WIDTH = 10

_STYLES = {
    "ready": "green",
    "checked": "green",
    "refused": "red",
    "failed": "red",
    "error": "red",
    "asleep": "blue",
    "waking": "yellow",
    "deploying": "yellow",
    "updating": "yellow",
    "deleted": "magenta",
}


@dataclass
class _Tally:
    """Answers to one model's callers since the last line about them."""

    seconds: list[float] = field(default_factory=list)
    told_to_wait: int = 0
    other: dict[int, int] = field(default_factory=dict)


class Console:
    """Writes one line an event. Every method may be called from any thread and never raises for odd input."""

    def __init__(self, screen: Screen, *, app: str, now: Callable[[], datetime] = datetime.now) -> None:
        """Write to *screen*; *app* is the prefix of endpoint names."""
        self._screen = screen
        self._app = app
        self._now = now
        self._lock = threading.Lock()
        self._tallies: dict[str, _Tally] = {}
        self._last_kind: dict[str, str] = {}
        self._said_s: dict[tuple[str, str, str], float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._flush_again_and_again, name="console", daemon=True)

    def start(self) -> None:
        """Begin to show counts of answers, once a second."""
        self._thread.start()

    def stop(self) -> None:
        """Show what is still counted, and end."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(2)
        self._flush()

    def say(self, model: str, kind: str, detail: str = "") -> None:
        """Write one line: the time, the model, what happened, and more about it."""
        model = "".join(char if char.isprintable() else "?" for char in model[:_NAME_SHOWN])
        line = Text(f"{self._now():%H:%M:%S}  ", style="dim")
        line.append(f"{model:<{_MODEL_WIDTH}} ", style="bold")
        line.append(f"{kind:<{_KIND_WIDTH}} ", style=_STYLES.get(kind, ""))
        line.append(detail, style="not dim")
        line.rstrip()
        with self._lock:
            self._last_kind[model] = kind
            # Whoever read the lines may be gone (a closed terminal, `| head`), for which rich raises SystemExit; the
            # caller is the application in the middle of its work, and that goes on.
            with suppress(OSError, ValueError, SystemExit):
                self._screen.print(line, soft_wrap=True, highlight=False)

    def on_record(self, record: logging.LogRecord) -> None:
        """Show a record of the app's log, if it is one that a person wants to see."""
        facts = vars(record)
        shown = _shown(facts)
        if shown is None and record.levelno >= logging.ERROR:
            reason = str(record.exc_info[1]) if record.exc_info else str(facts.get("reason") or "")
            shown = ("error", f"{record.getMessage()}{': ' + reason if reason else ''} (logs/app.jsonl)")
        if shown is not None and not self._was_just_said(str(facts.get("model") or "-"), *shown):
            self.say(str(facts.get("model") or "-"), *shown)

    def _was_just_said(self, model: str, kind: str, detail: str) -> bool:
        """Tell whether this very line was written a moment ago: a sweep and a message may look at a model together."""
        now_s = time.monotonic()
        with self._lock:
            self._said_s = {line: at_s for line, at_s in self._said_s.items() if now_s - at_s < _REPEATS_WITHIN_S}
            is_repeat = (model, kind, detail) in self._said_s
            self._said_s[model, kind, detail] = now_s
        return is_repeat

    def on_message(self, body: str) -> None:
        """Show a change of an endpoint's state that the app's log has no line for."""
        try:
            raw = json.loads(body)
            if raw.get("source") != "aws.sagemaker":
                return
            model = model_of_endpoint(self._app, raw["detail"]["EndpointName"])
            status = str(raw["detail"]["EndpointStatus"]).replace("_", "").lower()
        except (ValueError, AttributeError, KeyError, TypeError):
            return
        # A first start and a wake end with the app's own line "ready"; an update has no other end than this.
        if model is not None and status == "inservice" and self._last_kind.get(model) == "updating":
            self.say(model, "ready", "the new release answers")

    def on_answer(self, request: HttpRequest, answer: HttpAnswer, seconds: float) -> None:
        """Count an answer to one who asked a model."""
        model = invoked_model(request, answer)
        if model is None:
            return
        with self._lock:
            tally = self._tallies.setdefault(model, _Tally())
            if answer.status < 300:
                tally.seconds.append(seconds)
            elif answer.status == 503:
                tally.told_to_wait += 1
            else:
                tally.other[answer.status] = tally.other.get(answer.status, 0) + 1

    def _flush_again_and_again(self) -> None:
        while not self._stopping.wait(_FLUSH_EVERY_S):
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            tallies, self._tallies = self._tallies, {}
        for model, tally in tallies.items():
            if tally.seconds:
                middle_ms = sorted(tally.seconds)[len(tally.seconds) // 2] * 1000
                self.say(model, "invoked", f"{_times(len(tally.seconds))}, {middle_ms:.0f} ms")
            if tally.told_to_wait:
                self.say(model, "not ready", f"503 with Retry-After, {_times(tally.told_to_wait)}")
            for status, count in sorted(tally.other.items()):
                self.say(model, f"HTTP {status}", _times(count))


def _shown(facts: Mapping[str, object]) -> tuple[str, str] | None:
    """Choose the words for an event of the app's; None for one that only the log file needs."""
    release, reason = facts.get("release"), facts.get("reason")
    match facts.get("event"):
        case "dropped":
            return "dropped", f"release {release}"
        case "accepted":
            same_as = facts.get("same_as")
            return "checked", f"accepted{f'; the same as {same_as}' if same_as else ''}"
        case "refused":
            return "refused", str(reason)
        case "failed":
            return "failed", str(reason)
        case "ready":
            return "ready", f"in {float(str(facts.get('took_s'))):.1f} s"
        case "deploying" | "waking" | "updating" as kind:
            return str(kind), f"release {release}"
        case "asleep":
            return "asleep", "nothing is billed"
        case "deleted":
            return "deleted", "no trace is left"
        case _:
            return None


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
