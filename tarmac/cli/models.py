"""Commands about models that are there: ls, status, plan, sweep, sleep, wake, rollback, rm."""

import json
from collections.abc import Mapping
from typing import Any

import click
from rich.text import Text

from tarmac.cli.engine import CommandFailed, Engine, aws_refusals, model_path
from tarmac.cli.options import engine_option, json_option, wait_options
from tarmac.cli.reports import checks_table, ranking_table
from tarmac.cli.screen import ago, duration, is_json, out, price, print_json, state_text, table
from tarmac.cli.waiting import View, follow


@click.command()
@engine_option
@json_option
def ls(engine: Engine) -> None:
    """List the models: state, release, instance, price, last use."""
    rows = engine.models()
    if is_json():
        print_json({"models": rows})
    elif not rows:
        out().print("no models yet; drop one with: tarmac push DIR --name NAME")
    else:
        headings = ("MODEL", "STATE", "RELEASE", "INSTANCE", "$/H", "USED", "SLEEPS", "WHY")
        out().print(table(headings, (_row(row) for row in rows)))


def _row(row: View) -> list[str | Text]:
    is_billed = row["endpoint"] and row["mode"] != "serverless"
    return [
        row["model"],
        state_text(row["state"]),
        row["release"] or row["dropped_release"] or "-",
        _machines(row),
        price(row["price_per_hour_usd"]) if is_billed else "0",
        ago(row["used_at"]),
        ago(row["sleeps_at"]),
        row["why"],
    ]


def _machines(view: View) -> str:
    """What a model runs on, in a few words."""
    if view["mode"] == "serverless":
        return f"serverless {view['memory_mb']} MB"
    scale, count = view["autoscale"], view["instance_count"] or 1
    if view["instance_type"] is None:
        return "-"
    many = f"{scale['min']}-{scale['max']} x " if scale else f"{count} x " if count > 1 else ""
    return f"{many}{view['instance_type']}{' async' if view['mode'] == 'async' else ''}"


@click.command()
@click.argument("name")
@engine_option
@json_option
def status(name: str, engine: Engine) -> None:
    """Show everything about one model: state, why, release, checks with their fixes, and the plan."""
    view = engine.model(name)
    if is_json():
        print_json(view)
        return
    screen = out()
    screen.print(Text.assemble((name, "bold"), "  ", state_text(view["state"]), f"  {view['why']}"))
    screen.print(table(("", ""), _facts(view)), "")
    report = view["report"]
    if report is not None and report["checks"]:
        screen.print(checks_table(report["checks"]), "")
    if report is not None and report["plan"] is not None:
        for sentence in report["plan"]["why"]:
            screen.print(f"  {sentence}")
        if report["plan"].get("ranking"):
            screen.print("", ranking_table(report["plan"]["ranking"]))


def _facts(view: View) -> list[tuple[str, str]]:
    endpoint = view["endpoint"]
    facts = [("release", view["release"] or "-")]
    if view["dropped_release"] != view["release"]:
        facts.append(("dropped release", view["dropped_release"] or "-"))
    facts.append(("endpoint", f"{endpoint['name']} {endpoint['status']}" if endpoint else "none: nothing is billed"))
    if view["mode"] is None:  # nothing of this model can run: the checks below say why
        facts.append(("dropped", ago(view["dropped_at"])))
        return _with_failure(facts, endpoint)
    when = "of computing, 0 while nobody calls" if view["mode"] == "serverless" else "while awake"
    if (named := view["hub_model"]) is not None:
        facts.append(("Hub model", f"{named['id']} at {named['revision']}"))
    facts += [
        ("instance", _machines(view)),
        ("price", f"{price(view['price_per_hour_usd'])} an hour {when}"),
        ("dropped", ago(view["dropped_at"])),
        ("used", ago(view["used_at"])),
        ("sleeps", f"{ago(view['sleeps_at'])}, after {duration(view['idle_after_s'])} without a call"),
        ("starts took", ", ".join(f"{seconds:.1f} s" for seconds in view["starts_s"]) or "-"),
        ("ask it", f"tarmac invoke {view['model']} TEXT   or   POST {view['invoke_path']}"),
    ]
    return _with_failure(facts, endpoint)


def _with_failure(facts: list[tuple[str, str]], endpoint: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if endpoint and endpoint["failure_reason"]:
        facts.insert(1, ("failure", endpoint["failure_reason"]))
    return facts


@click.command()
@click.argument("name", required=False)
@engine_option
@json_option
def plan(name: str | None, engine: Engine) -> None:
    """Say what the next look would do, without doing it: for one model, or for all."""
    names = [name] if name else [row["model"] for row in engine.models()]
    views = {each: engine.model(each) for each in names}
    plans = {each: view["plan"] for each, view in views.items()}
    rankings = {each: _ranking(view) for each, view in views.items()}
    if is_json():
        print_json({"plans": plans, "rankings": rankings})
        return
    for each, actions in plans.items():
        if not actions:
            out().print(f"{each}: nothing to do")
        for action in actions:
            # The bounds of EnsureScaling are a few numbers; a plan, a drop or a mark would fill the screen.
            mode = {"mode": action["plan"]["mode"]} if action.get("plan") else {}
            shown = {**action, **(action.get("wished") or {}), **mode}
            rest = {key: value for key, value in shown.items() if key != "action" and type(value) in (str, int)}
            out().print(f"{each}: {action['action']} {' '.join(f'{k}={v}' for k, v in rest.items())}", soft_wrap=True)
        if name and rankings[each]:
            out().print("", ranking_table(rankings[each]))


def _ranking(view: View) -> list[dict[str, Any]]:
    """Where the dropped release runs, and why nowhere else; empty when it was refused."""
    planned = (view["report"] or {}).get("plan") or {}
    ranking: list[dict[str, Any]] = planned.get("ranking") or []
    return ranking


@click.command()
@engine_option
@json_option
def sweep(engine: Engine) -> None:
    """Look at every model now: heal what events have missed, put idle ones to sleep."""
    function = engine.address.sweep_function
    answer = aws_refusals(
        lambda: engine.aws("lambda").invoke(FunctionName=function, Payload=b"{}"), what="the sweep did not run"
    )
    payload = answer["Payload"].read()
    raw = json.loads(payload or b"null")
    if answer.get("FunctionError"):
        reason = raw.get("errorMessage") if isinstance(raw, dict) else None
        raise CommandFailed(f"the sweep failed: {reason or payload.decode(errors='replace')}", code="sweep_failed")
    if is_json() or not isinstance(raw, dict):
        print_json(raw)
        return
    looked, slept = raw.get("looked") or [], raw.get("slept") or []
    out().print(f"looked at {len(looked)}, put {len(slept)} to sleep{': ' + ', '.join(slept) if slept else ''}")
    for title in ("kept", "failed"):
        for each, why in (raw.get(title) or {}).items():
            out().print(f"{title} {each}: {why}", soft_wrap=True)


@click.command()
@click.argument("name")
@wait_options
@engine_option
@json_option
def sleep(name: str, wait: bool, timeout_s: float, engine: Engine) -> None:
    """Put a model to sleep: its endpoint goes, and nothing is billed until somebody asks it again."""
    asked = engine.call("POST", model_path(name, "sleep"))
    _report(engine, asked, wait_for="asleep", wait=wait, timeout_s=timeout_s)


@click.command()
@click.argument("name")
@wait_options
@engine_option
@json_option
def wake(name: str, wait: bool, timeout_s: float, engine: Engine) -> None:
    """Wake a model, or try one again that failed to start."""
    asked = engine.call("POST", model_path(name, "wake"))
    _report(engine, asked, wait_for="ready", wait=wait, timeout_s=timeout_s)


@click.command()
@click.argument("name")
@click.argument("release", required=False)
@wait_options
@engine_option
@json_option
def rollback(name: str, release: str | None, wait: bool, timeout_s: float, engine: Engine) -> None:
    """Go back to an earlier release, or to the one before: it runs until something is dropped again."""
    body = json.dumps({"release": release} if release else {}).encode()
    asked = engine.call("POST", model_path(name, "rollback"), body=body)
    view = asked
    if wait:
        view = follow(engine, name, _runs(asked["release"]), timeout_s=timeout_s) or asked
    if is_json():
        print_json({"model": name, "release": asked["release"], "state": view["state"]})
    else:
        shown = Text.assemble((name, "bold"), f"  release {asked['release']}  ", state_text(view["state"]))
        out().print(shown)


def _runs(release: str) -> Any:
    """Make a test of "this release answers, or would when woken"."""

    def is_done(view: View | None) -> bool:
        if view is None:
            raise CommandFailed("the model was deleted meanwhile", code="model_not_found")
        row = next((each for each in view["releases"] if each["release"] == release), None)
        if row is None or not row["is_target"]:
            raise CommandFailed(f"{view['model']}: {view['why']}", code="model_failed")
        return bool(view["state"] == "asleep" or (view["state"] == "ready" and view["release"] == release))

    return is_done


def _report(engine: Engine, asked: View, *, wait_for: str, wait: bool, timeout_s: float) -> None:
    view = asked
    if wait:
        view = follow(engine, asked["model"], _is(wait_for), timeout_s=timeout_s) or asked
    if is_json():
        print_json({"model": view["model"], "state": view["state"]})
    else:
        out().print(Text.assemble((view["model"], "bold"), "  ", state_text(view["state"])))


def _is(state: str) -> Any:
    def is_done(view: View | None) -> bool:
        if view is None:
            raise CommandFailed("the model was deleted meanwhile", code="model_not_found")
        if view["state"] in ("failed", "refused", "blocked") and state == "ready":
            raise CommandFailed(f"{view['model']} {view['state']}: {view['why']}", code=f"model_{view['state']}")
        if state == "asleep" and view["state"] == "ready" and view["asleep_at"] is None:
            # Its mark was taken away again: somebody asked the model, and a use outweighs the wish to sleep.
            raise CommandFailed(
                f"{view['model']} stays awake: somebody asked it at that moment",
                fix=f"ask again: tarmac sleep {view['model']}",
                code="model_stirred",
            )
        return bool(view["state"] == state)

    return is_done


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@wait_options
@engine_option
@json_option
def rm(name: str, yes: bool, wait: bool, timeout_s: float, engine: Engine) -> None:
    """Delete a model's drop: its endpoint, configuration, model and releases go with it."""
    engine.model(name)
    if not yes:
        click.confirm(f"delete {name}, its endpoint and its releases?", abort=True, err=True)
    asked = engine.call("DELETE", model_path(name))
    if wait:
        follow(engine, name, lambda view: view is None, timeout_s=timeout_s)
        asked["state"] = "deleted"
    if is_json():
        print_json(asked)
    else:
        out().print(Text.assemble((name, "bold"), "  ", state_text(asked["state"])))
