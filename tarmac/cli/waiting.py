"""Following one model until something has happened to it. Used by push, sleep, wake, rm and the demo."""

import time
from collections.abc import Callable
from typing import Any

from rich.text import Text

from chalicelib.reports import Severity
from tarmac.cli.engine import CommandFailed, Engine
from tarmac.cli.screen import err, is_json, spinner

View = dict[str, Any]


def follow(
    engine: Engine,
    name: str,
    is_done: Callable[[View | None], bool],
    *,
    timeout_s: float,
    on_change: Callable[[View | None], None] | None = None,
) -> View | None:
    """Read a model again and again until *is_done* of it; shows each change of its state on the way.

    Args:
        engine: Who knows.
        name: The model.
        is_done: Told the model's view, or None when there is no such model; may raise CommandFailed to give up.
        timeout_s: Longest time to follow.
        on_change: Told of each change of state, in place of the lines that are otherwise written to stderr.

    Raises:
        CommandFailed: It took too long; or *is_done* gave up.
    """
    began_s = time.monotonic()
    last_state: str | None = ""
    with spinner(f"{name} ...") as tell:
        while True:
            view = engine.find_model(name)
            state = view["state"] if view else None
            if state != last_state:
                last_state = state
                (on_change or _write_state)(view)
            if is_done(view):
                return view
            elapsed_s = time.monotonic() - began_s
            if elapsed_s > timeout_s:
                raise CommandFailed(
                    f"{name} is still {state or 'not there'} after {elapsed_s:.0f} s",
                    fix=f"look again with: tarmac status {name}",
                    code="timed_out",
                )
            tell(f"{name} {state or ''} {elapsed_s:.0f} s")
            time.sleep(engine.poll_every_s)


def _write_state(view: View | None) -> None:
    if view is not None and not is_json():
        err().print(Text(f"{view['model']}  {view['state']}: {view['why']}", style="dim"))


def is_settled_at(release: str) -> Callable[[View | None], bool]:
    """Make a test of "this dropped release runs", which gives up when it is refused or does not start."""

    def is_done(view: View | None) -> bool:
        if view is None or view["dropped_release"] != release:
            return False
        report = view["report"]
        if report is None or report["release"] != release:
            return False
        if report["verdict"] == "refused":
            raise refusal(view["model"], report)
        if view["state"] in ("failed", "blocked"):
            raise CommandFailed(
                f"{view['model']} {view['state']}: {view['why']}",
                fix=f"read its log: tarmac logs {view['model']}",
                code=f"model_{view['state']}",
            )
        running = report["same_as"] or release
        if view["state"] == "ready" and view["release"] != running and "does not start" in view["why"]:
            raise CommandFailed(f"{view['model']}: {view['why']}", code="model_failed")
        return bool(view["state"] == "asleep" or (view["state"] == "ready" and view["release"] == running))

    return is_done


def refusal(name: str, report: dict[str, Any]) -> CommandFailed:
    """Make the error of a refused drop from its report."""
    errors = [check for check in report["checks"] if check["severity"] == Severity.ERROR]
    fixes = [check["fix"] for check in errors if check["fix"]]
    return CommandFailed(
        f"{name} was refused: {'; '.join(check['message'] for check in errors)}",
        fix="; ".join(fixes) or None,
        code="model_refused",
    )
