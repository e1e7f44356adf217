"""What a stage is called in AWS. Pure; used by deploy, destroy and doctor."""

import re
from dataclasses import dataclass

from tarmac.stack.errors import StackError

STAGE_MAX_LENGTH = 9
"""The app's prefix has 12 characters at most, of which `tm-` takes three; see chalicelib.names."""
_STAGE = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Stage:
    """One deployment of Tarmac in an account and region."""

    name: str

    def __post_init__(self) -> None:
        if not _STAGE.fullmatch(self.name) or len(self.name) > STAGE_MAX_LENGTH:
            raise StackError(
                f"{self.name!r} cannot be a stage: a-z and 0-9, {STAGE_MAX_LENGTH} characters at most",
                fix="call it dev, staging or prod",
            )

    @property
    def stack_name(self) -> str:
        """The CloudFormation stack's name."""
        return f"tarmac-{self.name}"

    @property
    def app_name(self) -> str:
        """What the stage's SageMaker resources begin with: two stages never share an endpoint."""
        return f"tm-{self.name}"

    @property
    def tags(self) -> dict[str, str]:
        """What every resource of the stack carries."""
        return {"tarmac:stage": self.name, "tarmac:app": self.app_name}
