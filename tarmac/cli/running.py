"""Commands about the engine itself: up, demo, env, token."""

import json
import os
import shlex
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console as Screen
from rich.text import Text

from chalicelib.settings import parse_duration_s
from tarmac.cli.engine import CommandFailed, find_address
from tarmac.cli.options import json_option, state_option
from tarmac.cli.screen import is_json, out, print_json
from tarmac.local.clients import LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY
from tarmac.local.state_dir import EngineRecord, StateDir


def _duration(_context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        parse_duration_s(value)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param=parameter) from exc
    return value


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Of the HTTP API.")
@click.option(
    "--aws-port", type=click.IntRange(0, 65535), default=4566, show_default=True, help="Of every AWS service."
)
@state_option
@click.option(
    "--idle-after", default="15m", show_default=True, callback=_duration, help="Sleep after so long without a call."
)
@click.option("--sweep-every", default="10s", show_default=True, callback=_duration, help="Look for idle models.")
@json_option
def up(port: int, aws_port: int, state: Path, idle_after: str, sweep_every: str) -> None:
    """Run Tarmac and an AWS of its own on this machine, until Ctrl-C."""
    sweep_every_s = parse_duration_s(sweep_every)
    if sweep_every_s is None:
        raise click.BadParameter("the sweep cannot be turned off", param_hint="--sweep-every")
    stopping = _stop_on_signals()
    # Heavy imports come after the signals: Ctrl-C during them is a clean end too.
    from tarmac.local.up import LocalEngine, UpOptions

    screen = Screen(stderr=is_json(), highlight=False)
    engine = LocalEngine(UpOptions(port, aws_port, state, idle_after, sweep_every_s), screen)
    try:
        record = engine.start()
        if not stopping.is_set():
            if is_json():
                click.echo(json.dumps(asdict(record)))
                sys.stdout.flush()
            else:
                _show_where(screen, record)
        stopping.wait()
    finally:
        engine.stop()


def _stop_on_signals() -> threading.Event:
    stopping = threading.Event()

    def stop(_number: int, _frame: Any) -> None:
        if stopping.is_set():
            os._exit(1)  # asked twice: the model servers end by their leash
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    return stopping


def _show_where(screen: Screen, record: EngineRecord) -> None:
    upload = f"tarmac push DIR --name NAME   or   aws s3 cp model.tar.gz s3://{record.bucket}/models/NAME/model.tar.gz"
    rows = {
        "HTTP API": record.url,
        "AWS endpoint": record.aws_endpoint_url,
        "bucket": f"s3://{record.bucket}/models/",
        "upload": upload,
        "token": record.token_file,
        "environment": f'eval "$(tarmac env{_state_hint(record)})"',
        "log": str(StateDir(Path(record.state)).log_path),
    }
    screen.print(Text("Tarmac is up. Ctrl-C stops it.", style="bold green"))
    for name, value in rows.items():
        screen.print(Text.assemble((f"  {name:<13}", "dim"), value), soft_wrap=True)


def _state_hint(record: EngineRecord) -> str:
    default = str(Path(".tarmac").absolute())
    return "" if record.state == default else f" --state {shlex.quote(record.state)}"


@click.command()
@state_option
@json_option
def env(state: Path) -> None:
    """Print the exports that point the AWS CLI, any AWS SDK and this command line at the engine."""
    # What is exported already must not decide: a second engine's state directory names the second engine.
    address = find_address(state, environ={})
    variables = {
        "AWS_ENDPOINT_URL": address.aws_endpoint_url,
        "AWS_ACCESS_KEY_ID": LOCAL_ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": LOCAL_SECRET_KEY,
        "AWS_DEFAULT_REGION": address.region,
        "AWS_REGION": address.region,
        "TARMAC_URL": address.url,
        "TARMAC_TOKEN": address.token,
        "TARMAC_BUCKET": address.bucket,
    }
    if is_json():
        print_json(variables)
        return
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    # Either would send the AWS CLI past the endpoint above, to the real AWS or to a profile's account.
    click.echo("unset AWS_PROFILE AWS_SESSION_TOKEN AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")


@click.command()
@state_option
@json_option
def token(state: Path) -> None:
    """Print the bearer token that opens the API."""
    found = StateDir(state).read_token()
    if found is None:
        raise CommandFailed(f"there is no token in {state} yet", fix="start an engine there: tarmac up")
    if is_json():
        print_json({"token": found})
    else:
        out().print(found, soft_wrap=True)


@click.command()
@click.option("--keep", is_flag=True, help="Keep the state directory, to look at afterwards.")
@json_option
def demo(keep: bool) -> None:
    """See the whole life of a model in under a minute: drop, answer, sleep, wake, delete."""
    from tarmac.demo import run_demo

    timeline = run_demo(keep=keep, as_json=is_json())
    if is_json():
        print_json(timeline.to_json())
    raise click.exceptions.Exit(0 if timeline.is_passed else 1)
