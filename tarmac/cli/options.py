"""Options that many commands share. Used by every command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tarmac.cli.engine import Engine, find_address

F = TypeVar("F", bound=Callable[..., Any])
_STAGE = "tarmac.stage"


def _remember_json(context: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    context.find_root().meta["tarmac.json"] = value
    return value


def json_option(command: F) -> F:
    """Add --json: for programs."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        is_eager=True,  # known before any other option can fail
        callback=_remember_json,
        expose_value=False,
        help="Print JSON, for programs.",
    )(command)


def state_option(command: F) -> F:
    """Add --state: which engine."""
    return click.option(
        "--state",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(".tarmac"),
        envvar="TARMAC_STATE",
        show_default=True,
        help="The engine's state directory.",
    )(command)


def engine_option(command: F) -> F:
    """Add --stage and --state, and hand the command the engine that one of them leads to."""

    def remember(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        context.meta[_STAGE] = value

    def callback(context: click.Context, _parameter: click.Parameter, value: Path) -> Engine:
        stage = context.meta.get(_STAGE)
        if stage is None:
            return Engine(find_address(value))
        from tarmac.cli.stage_engine import stage_address  # botocore alone takes longer than most commands here

        return Engine(stage_address(stage))

    command = click.option(
        "--state",
        "engine",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(".tarmac"),
        envvar="TARMAC_STATE",
        show_default=True,
        callback=callback,
        help="The engine's state directory.",
    )(command)
    return click.option(
        "--stage",
        is_eager=True,  # known before --state looks for an engine
        expose_value=False,
        callback=remember,
        help="Not the engine here but a deployed stage; the account as the environment says.",
    )(command)


def wait_options(command: F) -> F:
    """Add --wait and its limit."""
    command = click.option("--wait/--no-wait", default=False, help="Stay until it has happened.")(command)
    return click.option(
        "--timeout", "timeout_s", type=click.FloatRange(min=0), default=600, show_default=True, help="Seconds, at most."
    )(command)
