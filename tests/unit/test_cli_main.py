"""The command line's table of commands: each is where it says, and none brings what it does not need."""

import subprocess
import sys

import click
import pytest

from tarmac.cli.main import commands

CONTEXT = click.Context(commands)


@pytest.mark.parametrize("name", commands.list_commands(CONTEXT))
def test_every_command_is_where_the_table_says(name: str) -> None:
    command = commands.get_command(CONTEXT, name)

    assert command is not None
    assert command.name == name
    assert command.get_short_help_str()


def test_a_question_does_not_wait_for_the_door_to_be_imported() -> None:
    # A fresh process: here everything is imported already.
    code = (
        "import sys; from tarmac.cli.main import commands; commands.main(['ls', '--help'], standalone_mode=False);"
        "print([name for name in ('chalicelib.door', 'boto3', 'chalice') if name in sys.modules])"
    )

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.splitlines()[-1] == "[]"
