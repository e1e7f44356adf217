"""`tarmac destroy`: takes a stage down, and lists what stays."""

import click

from tarmac.cli.deploy import say, show
from tarmac.cli.options import json_option
from tarmac.cli.screen import is_json, out, print_json
from tarmac.cli.stage_options import account_options, stage_option
from tarmac.stack.accounts import open_account
from tarmac.stack.destruction import Destruction, Kept
from tarmac.stack.stacks import Stack
from tarmac.stack.stages import Stage


@click.command()
@stage_option
@account_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def destroy(stage: Stage, profile: str | None, region: str | None, yes: bool) -> None:
    """Delete a stage: its endpoints first, then its stack. Your models stay in their bucket."""
    account = open_account(profile=profile, region=region)
    stack = Stack(account.clients("cloudformation"), stage.stack_name)
    state = stack.find()
    app = state.parameters.get("AppName", stage.app_name) if state is not None else stage.app_name
    if not yes:
        question = f"Delete {stack.name} in account {account.account_id}, {account.region}, with its running models?"
        click.confirm(question, abort=True)
    kept = Destruction(account, stack, app, say).run(show)
    if is_json():
        print_json({"stage": stage.name, "kept": [vars(one) for one in kept]})
        return
    out().print(f"{stack.name} is gone. What stays:")
    for one in kept:
        show_kept(one)


def show_kept(kept: Kept) -> None:
    """Print one thing that stays, why, and how to remove it."""
    screen = out()
    screen.print(f"  {kept.what}: {kept.name}", markup=False)
    screen.print(f"    {kept.why}; {kept.how_to_remove}", markup=False)
