"""The part of `tarmac doctor` that goes to AWS: `tarmac doctor --stage S`. Called by doctor."""

from tarmac.cli.deploy import say
from tarmac.cli.findings import show_findings
from tarmac.stack.accounts import Account
from tarmac.stack.errors import NoSuchStack
from tarmac.stack.examination import Examination, redrive
from tarmac.stack.stacks import Stack
from tarmac.stack.stages import Stage


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
    show_findings(list(Examination(account, stack).findings()))
