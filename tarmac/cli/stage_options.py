"""Options of the commands that go to AWS. Used by deploy, destroy and doctor."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from tarmac.stack.stages import Stage

F = TypeVar("F", bound=Callable[..., Any])


def as_stage(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Stage | None:
    """Turn the option's text into a stage; a bad one is refused with the reason."""
    return None if value is None else Stage(value)


def stage_option(command: F) -> F:
    """Add --stage."""
    return click.option("--stage", required=True, callback=as_stage, help="dev, staging, prod: which one.")(command)


def account_options(command: F) -> F:
    """Add --profile and --region."""
    command = click.option("--profile", help="A profile of ~/.aws/config; else as the environment says.")(command)
    return click.option("--region", help="The region; else as the environment or the profile says.")(command)
