"""`tarmac doctor`: looks for what keeps Tarmac from working here, and says how to mend it."""

import importlib
import os
import shutil
import socket
import stat
import sys
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import click

from chalicelib.errors import TarmacError
from chalicelib.names import DROPS_PREFIX, model_of_drop_key
from tarmac.cli.engine import Engine, aws_refusals, find_address
from tarmac.cli.findings import show_findings
from tarmac.cli.options import json_option, state_option
from tarmac.cli.stage_doctor import examine_stage
from tarmac.cli.stage_options import account_options, as_stage
from tarmac.local.state_dir import StateDir
from tarmac.stack.accounts import open_account
from tarmac.stack.findings import Finding, Health
from tarmac.stack.stages import Stage

DEPENDENCIES = ("boto3", "chalice", "moto", "httpx", "psutil", "uvicorn", "torch", "transformers")
FREE_BYTES_WANTED = 2_000_000_000
CLOCK_SKEW_MAX_S = 5.0
HOSTILE = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_CONFIG_FILE")


@click.command()
@state_option
@click.option("--stage", callback=as_stage, help="Look over this stage in AWS instead of this machine.")
@account_options
@click.option("--redrive", is_flag=True, help="With --stage: send its dead letters to the queue again.")
@json_option
def doctor(*, state: Path, stage: Stage | None, profile: str | None, region: str | None, redrive: bool) -> None:
    """Check what Tarmac needs here: Python, libraries, disk, ports, the engine, the environment. Or a stage in AWS."""
    if stage is not None:
        examine_stage(open_account(profile=profile, region=region), stage, is_redrive=redrive)
        return
    if redrive:
        raise click.UsageError("--redrive needs --stage")
    show_findings([finding for examine in (_machine, _state, _engine, _environment) for finding in examine(state)])


def _machine(state: Path) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):  # noqa: UP036  # that is what is being looked at
        yield Finding("python", Health.ERROR, f"this is Python {version}", "install Python 3.11 or newer")
    else:
        yield Finding("python", Health.OK, version)
    missing = [name for name in DEPENDENCIES if not _is_importable(name)]
    if missing:
        yield Finding("libraries", Health.ERROR, f"cannot import {', '.join(missing)}", "run: make setup")
    else:
        yield Finding("libraries", Health.OK, "all can be imported")
    there = next(path for path in (state.absolute(), *state.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    health = Health.OK if free >= FREE_BYTES_WANTED else Health.WARNING
    fix = None if health is Health.OK else "make room, or put the state on a larger disk with --state"
    yield Finding("disk", health, f"{free / 1e9:.1f} GB free at {there}", fix)


def _is_importable(name: str) -> bool:
    try:
        importlib.import_module(name)
    except Exception:  # noqa: BLE001  # a broken library may raise anything while it is imported
        return False
    return True


def _state(state: Path) -> Iterator[Finding]:
    state_dir = StateDir(state)
    if not state_dir.path.exists():
        yield Finding("state", Health.OK, f"{state_dir.path} is not there yet; tarmac up makes it")
        return
    if not os.access(state_dir.path, os.W_OK | os.X_OK):
        yield Finding("state", Health.ERROR, f"{state_dir.path} cannot be written", "change its owner, or use --state")
        return
    yield Finding("state", Health.OK, str(state_dir.path))
    if state_dir.token_path.exists():
        mode = stat.S_IMODE(state_dir.token_path.stat().st_mode)
        if mode & 0o077:
            problem = f"others can read {state_dir.token_path} (mode {mode:04o})"
            yield Finding("token", Health.ERROR, problem, f"chmod 600 {state_dir.token_path}")
        else:
            yield Finding("token", Health.OK, f"only you can read it (mode {mode:04o})")


def _engine(state: Path) -> Iterator[Finding]:
    state_dir = StateDir(state)
    if "TARMAC_URL" not in os.environ and not state_dir.is_locked():
        if state_dir.engine_path.exists():
            yield Finding("engine", Health.WARNING, "it was killed", "tarmac up brings everything back")
        else:
            yield Finding("engine", Health.OK, "none runs; tarmac up starts it")
        yield from (_port(number, option) for number, option in ((8000, "--port"), (4566, "--aws-port")))
        return
    try:
        engine = Engine(find_address(state))
        began_s = time.time()
        answer = engine.send("GET", "/health")
        engine.models()
    except TarmacError as exc:
        yield Finding("engine", Health.ERROR, exc.message, exc.fix)
        return
    yield Finding("engine", Health.OK, f"answers at {engine.address.url}, and knows the token")
    if date := answer.headers.get("date"):
        yield _clock(parsedate_to_datetime(date).timestamp() - began_s)
    try:
        yield from _strays(engine)
    except TarmacError as exc:
        yield Finding("aws", Health.ERROR, exc.message, exc.fix)


def _clock(skew_s: float) -> Finding:
    # The header has whole seconds only, so up to one of them is rounding.
    if abs(skew_s) <= CLOCK_SKEW_MAX_S:
        return Finding("clock", Health.OK, "the engine's and this one agree")
    return Finding("clock", Health.WARNING, f"the engine's differs by {skew_s:.0f} s", "set both by NTP")


def _port(number: int, option: str) -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            problem = f"somebody else uses port {number}"
            return Finding("ports", Health.WARNING, problem, f"start tarmac up with another {option}")
    return Finding("ports", Health.OK, f"{number} is free")


def _strays(engine: Engine) -> Iterator[Finding]:
    """Find what lies under models/ and is no drop: a misspelt archive deploys nothing, and nobody says so."""

    def keys() -> list[str]:
        pages = engine.aws("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=engine.address.bucket, Prefix=DROPS_PREFIX)
        return [row["Key"] for page in found for row in page.get("Contents", ())]

    stray = [key for key in aws_refusals(keys, what="the bucket cannot be listed") if model_of_drop_key(key) is None]
    for key in stray[:20]:
        fix = f"name it {DROPS_PREFIX}<name>/model.tar.gz, or delete it"
        yield Finding("drops", Health.WARNING, f"{key} is no drop: nothing happens with it", fix)
    if not stray:
        yield Finding("drops", Health.OK, "everything under models/ is a drop")


def _environment(_state: Path) -> Iterator[Finding]:
    hostile = [name for name in HOSTILE if os.environ.get(name)]
    for name in hostile:
        problem = f"{name} is set: the AWS CLI and SDKs may go to the real AWS, whatever AWS_ENDPOINT_URL says"
        yield Finding("environment", Health.WARNING, problem, f"unset {name} (Tarmac itself ignores it)")
    key = os.environ.get("AWS_ACCESS_KEY_ID", "")
    if key.startswith(("AKIA", "ASIA")):
        fix = 'eval "$(tarmac env)" in the shell that talks to the engine'
        yield Finding("environment", Health.WARNING, "AWS_ACCESS_KEY_ID is a real-looking key", fix)
    elif not hostile:
        yield Finding("environment", Health.OK, "nothing leads to the real AWS by mistake")
