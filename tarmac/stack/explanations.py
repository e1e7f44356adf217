"""The one table from what AWS and CloudFormation say to one clear line and the next step. Called by all of this room.

Sources: botocore.exceptions; CloudFormation's, Lambda's, S3's and API Gateway's messages as users of those services
report them. None was provoked on a real account; docs/stack.md says so.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore import exceptions as botocore

from tarmac.stack.errors import NoAccess, StackError, WrongRegion

NAME_A_REGION = "export AWS_REGION=eu-west-1, say; deploy, destroy and doctor also take --region"
SIGN_IN = "sign in (aws sso login, or aws configure), or name a profile: --profile NAME"


@dataclass(frozen=True)
class Row:
    """What is said, as a regular expression searched for; and what it means, with the groups of the match."""

    said: str
    fact: str
    fix: str

    def read(self, text: str) -> tuple[str, str] | None:
        """The fact and the next step, when this row speaks of *text*."""
        match = re.search(self.said, text, re.IGNORECASE | re.DOTALL)
        if match is None:
            return None
        groups = {name: value or "" for name, value in match.groupdict().items()}
        return self.fact.format_map(groups), self.fix.format_map(groups)


REASONS: tuple[Row, ...] = (
    # Why CloudFormation could not make or change a resource.
    Row(
        r"not authorized to perform: iam:PassRole on resource: (?P<role>\S+)",
        "these credentials may not pass the role {role}",
        "deploy with credentials that may iam:PassRole on it, or have an administrator deploy",
    ),
    Row(
        r"not authorized to perform: (?P<action>[\w-]+:\w+)( on resource: (?P<resource>\S+))?",
        "these credentials may not {action} {resource}",
        "deploy with credentials that may; docs/stack.md lists what a deployment needs",
    ),
    Row(
        r"UnreservedConcurrentExecution",
        "the account's Lambda concurrency is too low to reserve one for the sweep",
        "ask for more: aws service-quotas request-service-quota-increase --service-code lambda "
        "--quota-code L-B99A9384 --desired-value 1000",
    ),
    Row(
        r"CloudWatch Logs role ARN must be set in account settings",
        "this region of the account has no role with which API Gateway writes logs",
        "deploy again with --set ApiAccessLogs=with-own-role",
    ),
    Row(
        r"(?P<bucket>[a-z0-9.-]{3,63}) already exists.*s3|s3.*(?P<other>BucketAlreadyExists|BucketAlreadyOwnedByYou)"
        r"|requested bucket name is not available",
        "the bucket's name is taken, here or in somebody else's account",
        "choose another with --set BucketName=NAME, or leave it out and let CloudFormation choose",
    ),
    Row(
        r"already exists",
        "something of that name is there already, perhaps left by an earlier stack",
        "delete it, or deploy under another stage's name",
    ),
    Row(
        r"is (\d+|at or above)? ?.*(limit|quota)|LimitExceeded|quota",
        "a quota of the account is used up",
        "see the resource's quota in the Service Quotas console, and ask for more",
    ),
)

REFUSALS: tuple[Row, ...] = (
    # How AWS refuses a call, by error code and message.
    Row(
        r"ExpiredToken|RequestExpired|token included in the request is expired|TokenRefreshRequired",
        "the credentials have expired",
        SIGN_IN,
    ),
    Row(
        r"InvalidClientTokenId|UnrecognizedClient|InvalidAccessKeyId|AuthFailure",
        "AWS does not know these credentials in this region",
        SIGN_IN + "; a region that is not enabled for the account says the same",
    ),
    Row(
        r"SignatureDoesNotMatch|RequestTimeTooSkewed",
        "AWS does not accept the signature",
        "check the secret key, and that this machine's clock is right",
    ),
)


def explain_reason(reason: str) -> tuple[str, str | None]:
    """Turn a stack event's reason into a fact and the next step; the reason as it is where the table knows none."""
    for row in REASONS:
        read = row.read(reason)
        if read is not None:
            return read
    return reason, None


@contextmanager
def explained() -> Iterator[None]:
    """Turn what botocore raises inside into one line and the next step.

    Raises:
        StackError: NoAccess, WrongRegion, or plain for the rest; always `from` the original.
    """
    try:
        yield
    except (botocore.NoCredentialsError, botocore.PartialCredentialsError, botocore.CredentialRetrievalError) as exc:
        raise NoAccess("there are no AWS credentials here", fix=SIGN_IN) from exc
    except (botocore.SSOTokenLoadError, botocore.UnauthorizedSSOTokenError, botocore.TokenRetrievalError) as exc:
        raise NoAccess("the sign-in has expired", fix=SIGN_IN) from exc
    except botocore.ProfileNotFound as exc:
        raise NoAccess(str(exc), fix="aws configure list-profiles shows those that are there") from exc
    except (botocore.NoRegionError, botocore.InvalidRegionError) as exc:
        raise WrongRegion("no region is set", fix=NAME_A_REGION) from exc
    except botocore.UnknownRegionError as exc:
        name = exc.kwargs["region_name"]
        raise WrongRegion(f"AWS has no region {name!r}", fix="spell it like eu-west-1: --region or AWS_REGION") from exc
    except (botocore.EndpointConnectionError, botocore.ConnectTimeoutError) as exc:
        raise WrongRegion(
            f"AWS cannot be reached: {exc}", fix="check the network, and that the region is spelled right"
        ) from exc
    except botocore.ClientError as exc:
        raise _refused(exc) from exc
    except botocore.BotoCoreError as exc:
        raise StackError(str(exc)) from exc


def _refused(exc: botocore.ClientError) -> StackError:
    raw = exc.response.get("Error", {})
    said = f"{raw.get('Code', '')}: {raw.get('Message', '')}"
    for row in REFUSALS:
        read = row.read(said)
        if read is not None:
            return NoAccess(read[0], fix=read[1])
    if "AccessDenied" in said or "UnauthorizedOperation" in said:
        fact, fix = explain_reason(said)
        return NoAccess(fact, fix=fix)
    return StackError(f"{exc.operation_name}: {raw.get('Message') or said}")
