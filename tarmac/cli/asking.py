"""Commands that talk to a model: invoke, logs."""

import json
import mimetypes
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chalicelib.names import endpoint_name
from tarmac.cli.engine import CommandFailed, Engine, aws_refusals, model_path
from tarmac.cli.options import engine_option, json_option
from tarmac.cli.screen import is_json, out, print_json, spinner

if TYPE_CHECKING:
    import httpx

FOLLOW_EVERY_S = 0.5
FIRST_LOOK_S = 0.1


def read_body(body: str, content_type: str | None) -> tuple[bytes, str]:
    """Make the request's body and content type from the command line's argument.

    Args:
        body: Text, `@file`, or `-` for standard input.
        content_type: What the person says it is; None to tell it from the body itself.

    Raises:
        CommandFailed: The file cannot be read.
    """
    if body == "-":
        raw = sys.stdin.buffer.read()
        return raw, content_type or ("application/json" if _is_json_text(raw) else "application/octet-stream")
    if body.startswith("@"):
        path = Path(body[1:])
        if path.is_dir():
            raise CommandFailed(f"{path} is a directory", fix="name a file after the @")
        try:
            raw = path.read_bytes()
        except FileNotFoundError as exc:
            raise CommandFailed(f"there is no file {path}") from exc
        return raw, content_type or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if content_type is not None or _is_json_text(body):
        return body.encode(), content_type or "application/json"
    return json.dumps({"inputs": body}, ensure_ascii=False).encode(), "application/json"


def _is_json_text(text: str | bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@click.command()
@click.argument("name")
@click.argument("body")
@click.option("--content-type", help="Of the body; else told from it.")
@click.option("--accept", default="*/*", show_default=True, help="What the answer should be.")
@click.option(
    "--wait/--no-wait",
    default=True,
    show_default=True,
    help="Wait for a model that sleeps or starts, and for an asynchronous one's answer.",
)
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0), default=600, show_default=True, help="Seconds.")
@click.option("--raw", is_flag=True, help="Write the answer's bytes as they came.")
@engine_option
@json_option
def invoke(
    *,
    name: str,
    body: str,
    content_type: str | None,
    accept: str,
    wait: bool,
    timeout_s: float,
    raw: bool,
    engine: Engine,
) -> None:
    """Ask a model. BODY is text, JSON, @file, or - for standard input; text is sent as {"inputs": TEXT}."""
    content, kind = read_body(body, content_type)
    headers = {"Content-Type": kind, "Accept": accept}
    began_s = time.monotonic()
    attempts = 0
    with spinner(f"asking {name} ...") as tell:
        while True:
            attempts += 1
            answer = engine.send("POST", model_path(name, "invocations"), body=content, headers=headers)
            if answer.status_code < 400:
                break
            problem = engine.failure_of(answer)
            wait_s = problem.retry_after_s
            left_s = timeout_s - (time.monotonic() - began_s)
            if not wait or answer.status_code not in (429, 503) or wait_s is None or wait_s > left_s:
                raise problem
            tell(f"{problem.message} ...")
            time.sleep(wait_s)
        if wait and (path := _parked_at(answer)):
            answer = _await_answer(engine, path, tell, began_s=began_s, timeout_s=timeout_s)
    _show_answer(answer, raw=raw, seconds=time.monotonic() - began_s, attempts=attempts)


def _parked_at(answer: "httpx.Response") -> str | None:
    """Where an asynchronous model's answer will be; None when this is the answer."""
    path = str(answer.headers.get("location", ""))
    return path if answer.status_code == 202 and path.startswith("/requests/") else None


def _await_answer(
    engine: Engine, path: str, tell: Callable[[str], None], *, began_s: float, timeout_s: float
) -> "httpx.Response":
    """Look for an asynchronous model's answer until it is there, the more seldom the longer it takes.

    Raises:
        CommandFailed: The request failed, or takes too long.
    """
    pause_s = FIRST_LOOK_S
    while True:
        answer = engine.send("GET", path)
        told_s = answer.headers.get("retry-after", "")
        if answer.status_code >= 400 and not (answer.status_code in (429, 503) and told_s):
            raise engine.failure_of(answer)
        if answer.status_code < 400 and _parked_at(answer) is None:
            return answer
        elapsed_s = time.monotonic() - began_s
        if elapsed_s + pause_s > timeout_s:
            raise CommandFailed(
                f"the request was taken, and is not answered after {elapsed_s:.0f} s",
                fix=f"its answer will be at GET {path}; or wait longer with --timeout",
                code="timed_out",
            )
        tell(f"waiting for the answer {elapsed_s:.0f} s ...")
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, float(told_s) if told_s.isdigit() else 1.0)


def _show_answer(answer: "httpx.Response", *, raw: bool, seconds: float, attempts: int) -> None:
    kind = answer.headers.get("content-type", "")
    text = _text_of(answer.content)
    if raw:
        sys.stdout.buffer.write(answer.content)
        sys.stdout.buffer.flush()
    elif is_json():
        value = json.loads(text) if text is not None and _is_json_text(text) else text
        raw_view = {"status": answer.status_code, "content_type": kind, "seconds": round(seconds, 3)}
        print_json({**raw_view, "attempts": attempts, "answer": value, "size_bytes": len(answer.content)})
    elif text is None:
        if sys.stdout.isatty():
            fix = "write it to a file: tarmac invoke ... --raw > FILE"
            raise CommandFailed(f"the answer is {len(answer.content):,} bytes of {kind}", fix=fix)
        sys.stdout.buffer.write(answer.content)
    elif _is_json_text(text):
        out().print_json(text, indent=2, ensure_ascii=False)
    else:
        click.echo(text)


def _text_of(content: bytes) -> str | None:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text


@click.command()
@click.argument("name")
@click.option("--follow", "-f", is_flag=True, help="Go on showing lines as they are written, until Ctrl-C.")
@click.option("--lines", "-n", type=click.IntRange(min=1), default=200, show_default=True, help="How many, at most.")
@engine_option
@json_option
def logs(name: str, follow: bool, lines: int, engine: Engine) -> None:
    """Show what a model's server wrote."""
    if engine.find_model(name) is None:
        raise CommandFailed(f"there is no model {name!r}", fix="list what there is with: tarmac ls")
    client = engine.aws("logs")
    group = f"/aws/sagemaker/Endpoints/{endpoint_name(engine.address.app, name)}"
    seen: set[str] = set()
    events = _new_events(client, group, seen)[-lines:]
    if not events and not follow:
        raise CommandFailed(f"{name} has written nothing yet", fix=f"tarmac status {name} tells whether it runs")
    while True:
        for event in events:
            if is_json():
                print_json({"at": event["timestamp"], "stream": event["logStreamName"], "message": event["message"]})
            else:
                click.echo(event["message"].rstrip("\n"))
        if not follow:
            return
        time.sleep(FOLLOW_EVERY_S)
        events = _new_events(client, group, seen)


def _new_events(client: Any, group: str, seen: set[str]) -> list[dict[str, Any]]:
    """Read what was written since the last call, oldest first."""
    events = [event for event in _all_events(client, group) if event["eventId"] not in seen]
    seen.update(event["eventId"] for event in events)
    return sorted(events, key=lambda event: event["timestamp"])


def _all_events(client: Any, group: str) -> Iterator[dict[str, Any]]:
    def read() -> list[dict[str, Any]]:
        try:
            pages = client.get_paginator("filter_log_events").paginate(logGroupName=group)
            return [event for page in pages for event in page["events"]]
        except client.exceptions.ResourceNotFoundException:
            return []

    yield from aws_refusals(read, what="the log cannot be read")
