"""`tarmac deploy` and `tarmac package`: one command from the checkout to an HTTPS API in AWS."""

import hashlib
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
from rich.text import Text

from tarmac.cli.options import json_option
from tarmac.cli.screen import err, is_json, out, print_json, spinner
from tarmac.cli.stage_options import account_options, stage_option
from tarmac.stack.accounts import Account, open_account
from tarmac.stack.artifacts import Artifacts, default_bucket
from tarmac.stack.deployment import ChangeSet, carry_out, discard, propose, settle
from tarmac.stack.embedding import complete, fit, refuse_update
from tarmac.stack.packaging import Package, published_for
from tarmac.stack.packaging import package as make_package
from tarmac.stack.stacks import Stack, StackEvent, StackState
from tarmac.stack.stages import Stage

TOKEN_BYTES = 32


@click.command()
@stage_option
@account_options
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A parameter of the stack; docs/stack.md.")
@click.option("--new-token", is_flag=True, help="Make a bearer token that opens the API, and print it once.")
@click.option("--artifacts-bucket", metavar="NAME", help="Where bundle and template are uploaded to.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@json_option
def deploy(
    *,
    stage: Stage,
    profile: str | None,
    region: str | None,
    settings: tuple[str, ...],
    new_token: bool,
    artifacts_bucket: str | None,
    dry_run: bool,
) -> None:
    """Bring a stage of Tarmac to AWS, or up to date. Run again after an interruption: it goes on."""
    parameters = read_settings(settings)
    account = open_account(profile=profile, region=region)
    bring(
        account,
        stage,
        parameters=parameters,
        token=secrets.token_urlsafe(TOKEN_BYTES) if new_token else None,
        artifacts_bucket=artifacts_bucket,
        dry_run=dry_run,
    )


def bring(
    account: Account,
    stage: Stage,
    *,
    parameters: dict[str, str],
    token: str | None = None,
    artifacts_bucket: str | None = None,
    dry_run: bool = False,
    make: Callable[..., Package] = make_package,
) -> None:
    """Do what `tarmac deploy` does, in an account that is open already.

    Args:
        account: Where.
        stage: Which.
        parameters: The stack's, as far as they are to change.
        token: A new bearer token to open the API with; only its digest is handed on.
        artifacts_bucket: None for the account's own.
        dry_run: Change nothing but the bucket of artefacts.
        make: Makes the package.
    """
    stack = Stack(account.clients("cloudformation"), stage.stack_name)
    say(f"account {account.account_id}, region {account.region}, stack {stack.name}")
    state = settle(stack, show)
    if account.is_embedded and state is not None and not dry_run:
        raise refuse_update(stack.name, stage=stage.name)
    parameters = dict(parameters)
    if token is not None:
        parameters["TokenSha256"] = with_token(token, parameters, state)
    if state is None:
        parameters.setdefault("AppName", stage.app_name)
    with tempfile.TemporaryDirectory(prefix="tarmac-deploy-") as scratch, spinner("packaging"):
        made = make(Path(scratch), region=account.region)
        artifacts = Artifacts(account, artifacts_bucket or default_bucket(account))
        artifacts.prepare()
        key = artifacts.put_bundle(made.bundle)
        template = made.translated(bucket=artifacts.bucket, key=key, region=account.region)
        before = state.parameters if state is not None else {}
        template = published_for(template, parameters.get("CorsOrigin", before.get("CorsOrigin", "")))
        if account.is_embedded:
            fitted = fit(template)
            template = fitted.template
            say(f"the embedded AWS cannot make {', '.join(fitted.left_out)}: left out, see docs/stack.md")
        url = artifacts.put_template(template)
    with spinner("asking CloudFormation what would change"):
        proposed = propose(stack, state, template=template, template_url=url, parameters=parameters, tags=stage.tags)
    show_changes(proposed)
    if dry_run:
        discard(proposed)
        return
    if proposed.name is not None:
        state = finish(proposed, stage)
        if account.is_embedded:
            state = complete(account, stack, state)
    assert state is not None, "no change to a stack that is not there is impossible"  # noqa: S101  # for the type checker
    show_result(stage, state, token)


def read_settings(settings: tuple[str, ...]) -> dict[str, str]:
    """Read NAME=VALUE pairs.

    Raises:
        click.BadParameter: One has no '='.
    """
    parameters = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise click.BadParameter(f"{setting!r} is not NAME=VALUE", param_hint="--set")
        parameters[name.strip()] = value
    return parameters


def with_token(token: str, parameters: dict[str, str], state: StackState | None) -> str:
    """Add a token's digest to those that open the API already; the token itself never leaves this machine."""
    known = parameters.get("TokenSha256", state.parameters.get("TokenSha256", "") if state else "")
    return " ".join([*known.split(), hashlib.sha256(token.encode()).hexdigest()])


def finish(proposed: ChangeSet, stage: Stage) -> StackState:
    """Carry the change set out; Ctrl-C leaves AWS at work, and says so."""
    try:
        return carry_out(proposed, show)
    except KeyboardInterrupt:
        say(f"AWS goes on without you. Watch it again with: tarmac deploy --stage {stage.name}")
        raise


def say(line: str) -> None:
    """Tell a person what is going on."""
    if not is_json():
        err().print(Text(line, style="dim"))


def show(event: StackEvent) -> None:
    """Print one line of the stack's progress; for programs, one JSON object a line on stderr."""
    if is_json():
        return
    done, failed = event.status.endswith("_COMPLETE"), event.status.endswith("_FAILED")
    style = "red" if failed else "green" if done else "yellow"
    line = Text(f"{event.at:%H:%M:%S} ")
    line.append(f"{event.status:<28}", style=style)
    line.append(f" {event.logical_id} ")
    line.append(event.resource_type, style="dim")
    if failed and event.reason:
        line.append(f"\n         {event.reason}", style="red")
    err().print(line)


def show_changes(proposed: ChangeSet) -> None:
    """Print what is about to be done."""
    if is_json():
        return
    if proposed.name is None:
        say("nothing to change")
        return
    replaced = [change for change in proposed.changes if change.replacement == "True"]
    say(f"{len(proposed.changes)} resources change" + (f", {len(replaced)} are replaced" if replaced else ""))
    for change in proposed.changes:
        if not proposed.is_first:
            say(f"  {change.action:<7} {change.logical_id} {change.resource_type} {change.replacement}")


def show_result(stage: Stage, state: StackState, token: str | None) -> None:
    """Print where everything is, and how to get in."""
    outputs = state.outputs
    closed = not state.parameters.get("TokenSha256")
    if is_json():
        print_json(
            {"stage": stage.name, "status": state.status, "outputs": outputs, "token": token, "is_closed": closed}
        )
        return
    screen = out()
    screen.print(f"URL     {outputs.get('EndpointURL', 'see the outputs of the stack ' + stage.stack_name)}")
    screen.print(
        f"upload  {outputs.get('UploadUri', 'see the outputs of the stack ' + stage.stack_name)}", markup=False
    )
    if token is not None:
        screen.print(f"token   {token}", markup=False)
        screen.print("        shown this once: only its SHA-256 is in AWS")
    elif closed:
        screen.print(f"token   none: the API is closed. Make one: tarmac deploy --stage {stage.name} --new-token")
    else:
        screen.print(f"token   as made before; one more: tarmac deploy --stage {stage.name} --new-token")


@click.command("package")
@click.option(
    "--out", "into", type=click.Path(file_okay=False, path_type=Path), default=Path("build/stack"), show_default=True
)
@json_option
def package(into: Path) -> None:
    """Make the bundle and the template for those who look first; needs no network and no AWS account."""
    with spinner("packaging"):
        made = make_package(into)
    size = made.bundle.stat().st_size
    if is_json():
        print_json({"template": str(into / "sam.yaml"), "bundle": str(made.bundle), "bundle_bytes": size})
        return
    out().print(f"{into / 'sam.yaml'}\n{made.bundle}  {size / 1e6:.2f} MB")
