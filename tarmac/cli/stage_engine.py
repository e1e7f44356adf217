"""The commands' way to a deployed stage: what its stack says of it. Used by every command that takes --stage."""

import os
from collections.abc import Mapping

from chalicelib.names import DROPS_PREFIX
from tarmac.cli.engine import Address, CommandFailed
from tarmac.stack.accounts import Account, open_account
from tarmac.stack.embedding import outputs_of
from tarmac.stack.errors import NoSuchStack
from tarmac.stack.stacks import Stack
from tarmac.stack.stages import Stage


def stage_address(name: str, *, environ: Mapping[str, str] = os.environ) -> Address:
    """Find a stage by its stack, in the account that the environment gives access to.

    Its token is nowhere in AWS, only its digest; TARMAC_TOKEN must have it before the API is asked anything.

    Raises:
        StackError: There is no such stage, or no access to its account.
        CommandFailed: Its stack was never finished.
    """
    stage = Stage(name)
    account = open_account()
    return _address(account, stage, token=environ.get("TARMAC_TOKEN", ""))


def _address(account: Account, stage: Stage, *, token: str) -> Address:
    stack = Stack(account.clients("cloudformation"), stage.stack_name)
    state = stack.find()
    if state is None:
        raise NoSuchStack(
            f"there is no stack {stack.name} in {account.region}",
            fix=f"set AWS_REGION to where it is, or make it: tarmac deploy --stage {stage.name}",
        )
    outputs = outputs_of(stack, state) if account.is_embedded else state.outputs
    if "BucketName" not in outputs:
        raise CommandFailed(
            f"the stack {stack.name} is {state.status}, and has no bucket yet",
            fix=f"finish it: tarmac deploy --stage {stage.name}",
        )
    return Address(
        url="" if account.is_embedded else outputs.get("EndpointURL", "").rstrip("/"),
        token=token,
        aws_endpoint_url="",
        bucket=outputs["BucketName"],
        region=account.region,
        state=None,
        stage=stage.name,
        app=state.parameters.get("AppName") or stage.app_name,
        drops_prefix=state.parameters.get("DropsPrefix") or DROPS_PREFIX,
        sweep_function=outputs.get("SweepFunction", ""),
        clients=account.clients,
    )
