"""Prints what an examination found, of this machine or of a stage. Called by doctor and stage_doctor."""

from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.text import Text

from tarmac.cli.screen import is_json, out, print_json, table
from tarmac.stack.findings import Finding, Health

STYLES = {Health.OK: "green", Health.WARNING: "yellow", Health.ERROR: "red"}


def show_findings(findings: Sequence[Finding]) -> None:
    """Print findings as a table, or as JSON.

    Raises:
        click.exceptions.Exit: With 1, when one of them is an error.
    """
    if is_json():
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        out().print(table(("", "", ""), [_row(finding) for finding in findings]))
    if any(finding.health is Health.ERROR for finding in findings):
        raise click.exceptions.Exit(1)


def _row(finding: Finding) -> tuple[Text | str, ...]:
    fix = f"\nfix: {finding.fix}" if finding.fix else ""
    return Text(finding.health, style=STYLES[finding.health]), finding.name, finding.message + fix
