"""The part of `tarmac doctor` that goes to AWS: `tarmac doctor --stage S`. Called by doctor."""

from dataclasses import asdict

import click
from rich.text import Text

from tarmac.cli.deploy import say
from tarmac.cli.screen import is_json, out, print_json, table
from tarmac.stack.accounts import Account
from tarmac.stack.errors import NoSuchStack
from tarmac.stack.examination import Examination, redrive
from tarmac.stack.findings import Finding, Health
from tarmac.stack.stacks import Stack
from tarmac.stack.stages import Stage

STYLES = {Health.OK: "green", Health.WARNING: "yellow", Health.ERROR: "red"}


def examine_stage(account: Account, stage: Stage, *, is_redrive: bool) -> None:
    """Look a deployed stage over, and print what was found; exit 1 where something does not work.

    Raises:
        NoSuchStack: Dead letters are to be sent again, and there is no stage.
    """
    stack = Stack(account.clients("cloudformation"), stage.stack_name)
    if is_redrive:
        if stack.find() is None:
            raise NoSuchStack(f"there is no stack {stack.name}", fix=f"tarmac deploy --stage {stage.name}")
        say(f"{redrive(account, stack)} dead letters go back to the queue")
    findings = list(Examination(account, stack).findings())
    if is_json():
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        out().print(table(("", "", ""), [_row(finding) for finding in findings]))
    if any(finding.health is Health.ERROR for finding in findings):
        raise click.exceptions.Exit(1)


def _row(finding: Finding) -> tuple[Text | str, ...]:
    fix = f"\nfix: {finding.fix}" if finding.fix else ""
    return Text(finding.health, style=STYLES[finding.health]), finding.name, finding.message + fix
