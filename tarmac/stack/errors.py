"""What can go wrong on the way to AWS. Raised by every module of this room; the command line prints message and fix."""

from chalicelib.errors import TarmacError


class StackError(TarmacError):
    """Base of this room's errors; each message is one line, each fix the next step."""

    code = "stack"


class PackagingFailed(StackError):
    """The checkout cannot be turned into a bundle and a template."""

    code = "packaging_failed"


class NoAccess(StackError):
    """AWS does not know who asks, or does not let them."""

    code = "no_access"


class WrongRegion(StackError):
    """There is no region, or not the one that was meant."""

    code = "wrong_region"


class NotDeployable(StackError):
    """The stack is in a state from which CloudFormation takes no update."""

    code = "not_deployable"


class DeploymentFailed(StackError):
    """CloudFormation gave up; the message names the resource and its reason."""

    code = "deployment_failed"


class NoSuchStack(StackError):
    """Nothing is deployed under that stage's name."""

    code = "no_such_stack"
