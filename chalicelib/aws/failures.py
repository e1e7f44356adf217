"""The one table from AWS's errors to ours. Every adapter call goes through `translated`.

SageMaker's errors are mostly untyped ValidationExceptions, so a row is (operation, code, how the message begins).
Sources: botocore's service models; the message prefixes as collected in docs/decisions/0007-error-table.md.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError, NoCredentialsError
from botocore.exceptions import ConnectionError as BotoConnectionError

from chalicelib.errors import (
    AccessDenied,
    AlreadyExists,
    AwsError,
    Changed,
    InProgress,
    InvalidCall,
    NotFound,
    QuotaExceeded,
    Throttled,
    Unavailable,
)


@dataclass(frozen=True)
class Row:
    """One kind of refusal; None matches anything, patterns are anchored at the start."""

    error: type[AwsError]
    code: str
    message: str | None = None
    operation: str | None = None

    def matches(self, operation: str, code: str, message: str) -> bool:
        """Tell whether this row speaks of that refusal."""
        return (
            re.fullmatch(self.code, code) is not None
            and (self.operation is None or re.fullmatch(self.operation, operation) is not None)
            and (self.message is None or re.match(self.message, message, re.IGNORECASE) is not None)
        )


TABLE: tuple[Row, ...] = (
    # SageMaker's control plane.
    Row(NotFound, "ValidationException", r"Could not find (endpoint|model)\b"),
    Row(
        AlreadyExists,
        "ValidationException",
        r"Cannot create already existing (endpoint|endpoint configuration|model)\b",
    ),
    Row(InProgress, "ValidationException", r"Cannot update in-progress endpoint\b"),
    Row(QuotaExceeded, "ResourceLimitExceeded"),
    # SageMaker's data plane: says ValidationError where the control plane says ValidationException.
    Row(NotFound, "ValidationError", r"Endpoint \S+ of account \d{12} not found", "InvokeEndpoint(Async)?"),
    Row(Unavailable, "ModelNotReadyException|ServiceUnavailable", None, "InvokeEndpoint(Async)?"),
    Row(Unavailable, "ValidationError", r"Inference Component has no capacity", "InvokeEndpoint"),
    # S3.
    Row(NotFound, "NoSuchKey|NoSuchBucket|NoSuchVersion|404|NotFound"),
    Row(Changed, "PreconditionFailed|412|ConditionalRequestConflict"),
    # SQS.
    Row(NotFound, r"AWS\.SimpleQueueService\.NonExistentQueue|QueueDoesNotExist"),
    # Application Auto Scaling.
    Row(NotFound, "ObjectNotFoundException"),
    Row(NotFound, "ValidationException", r"No scalable target found", "DeregisterScalableTarget"),
    # EventBridge Scheduler.
    Row(NotFound, "ResourceNotFoundException", None, "(Create|Update|Get|Delete)Schedule"),
    Row(AlreadyExists, "ConflictException", None, "CreateSchedule"),
    # Everywhere.
    Row(Throttled, "Throttling|ThrottlingException|TooManyRequestsException|RequestLimitExceeded|SlowDown|429"),
    Row(Throttled, "RequestThrottled"),
    Row(AccessDenied, "AccessDenied|AccessDeniedException|UnauthorizedOperation|403|NotAuthorized"),
    Row(AccessDenied, "ExpiredToken|ExpiredTokenException|InvalidClientTokenId|UnrecognizedClientException"),
    Row(
        Unavailable, "InternalFailure|InternalError|InternalServerError|ServiceUnavailable|ServiceUnavailableException"
    ),
    Row(Unavailable, "RequestTimeout|InternalServiceFault|InternalDependencyException|5\\d\\d"),
    Row(InvalidCall, "ValidationException|ValidationError|InvalidArgument|InvalidParameter.*|MalformedXML|400"),
)


def classify(operation: str, code: str, message: str) -> type[AwsError]:
    """Find the leaf for an AWS refusal; plain AwsError for one that the table does not know."""
    return next((row.error for row in TABLE if row.matches(operation, code, message)), AwsError)


@contextmanager
def translated() -> Iterator[None]:
    """Turn whatever botocore raises inside into a leaf of AwsError.

    Raises:
        AwsError: Always `from` the original.
    """
    try:
        yield
    except ClientError as exc:
        raw = exc.response.get("Error", {})
        code, message = str(raw.get("Code", "")), str(raw.get("Message") or "no message")
        leaf = classify(exc.operation_name, code, message)
        raise leaf(f"{exc.operation_name}: {message} ({code})") from exc
    except (BotoConnectionError, HTTPClientError, IncompleteReadError) as exc:
        raise Unavailable(f"AWS could not be reached: {exc}") from exc
    except NoCredentialsError as exc:
        raise AccessDenied(str(exc)) from exc
    except BotoCoreError as exc:
        raise AwsError(str(exc)) from exc
