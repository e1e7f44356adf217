"""The one table from AWS's errors to ours, against every refusal known."""

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from chalicelib.aws.failures import TABLE, classify, translated
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

ARN = "arn:aws:sagemaker:eu-west-1:123456789012"
KNOWN: list[tuple[str, str, str, type[AwsError]]] = [
    ("DescribeEndpoint", "ValidationException", f'Could not find endpoint "{ARN}:endpoint/x".', NotFound),
    ("DeleteEndpoint", "ValidationException", f'Could not find endpoint "{ARN}:endpoint/x".', NotFound),
    ("UpdateEndpoint", "ValidationException", f'Could not find endpoint "{ARN}:endpoint/x".', NotFound),
    ("CreateEndpoint", "ValidationException", 'Could not find endpoint configuration "x".', NotFound),
    ("DeleteEndpointConfig", "ValidationException", 'Could not find endpoint configuration "x".', NotFound),
    ("DeleteModel", "ValidationException", f'Could not find model "{ARN}:model/x".', NotFound),
    (
        "CreateEndpoint",
        "ValidationException",
        f'Cannot create already existing endpoint "{ARN}:endpoint/x".',
        AlreadyExists,
    ),
    (
        "CreateEndpointConfig",
        "ValidationException",
        f'Cannot create already existing endpoint configuration "{ARN}:endpoint-config/x".',
        AlreadyExists,
    ),
    ("CreateModel", "ValidationException", f'Cannot create already existing model "{ARN}:model/x".', AlreadyExists),
    ("UpdateEndpoint", "ValidationException", f'Cannot update in-progress endpoint "{ARN}:endpoint/x".', InProgress),
    ("DeleteEndpoint", "ValidationException", f'Cannot update in-progress endpoint "{ARN}:endpoint/x".', InProgress),
    (
        "CreateEndpoint",
        "ResourceLimitExceeded",
        "The account-level service limit 'ml.g5.xlarge' is 0 Instances",
        QuotaExceeded,
    ),
    ("UpdateEndpoint", "ResourceLimitExceeded", "The account-level service limit is 0 Instances", QuotaExceeded),
    ("CreateModel", "ValidationException", "1 validation error detected: Value 'x' at 'modelName'", InvalidCall),
    ("UpdateEndpoint", "ValidationException", "Request to service failed. Could not find endpoint? No.", InvalidCall),
    ("DeregisterScalableTarget", "ObjectNotFoundException", "No scalable target found for service namespace", NotFound),
    ("DeregisterScalableTarget", "ValidationException", "No scalable target found for service namespace", NotFound),
    ("UpdateSchedule", "ResourceNotFoundException", "Schedule tarmac-cat does not exist.", NotFound),
    ("CreateSchedule", "ConflictException", "Schedule tarmac-cat already exists.", AlreadyExists),
    ("InvokeEndpoint", "ValidationError", "Endpoint tarmac-cat of account 123456789012 not found.", NotFound),
    ("InvokeEndpoint", "ValidationError", "Inference Component has no capacity to process this request.", Unavailable),
    ("InvokeEndpoint", "ValidationError", "1 validation error detected: Value at 'body' failed", InvalidCall),
    ("InvokeEndpoint", "ModelNotReadyException", "Model for variant is not ready.", Unavailable),
    ("InvokeEndpoint", "ThrottlingException", "no message", Throttled),
    ("InvokeEndpoint", "InternalFailure", "", Unavailable),
    ("InvokeEndpoint", "ServiceUnavailable", "", Unavailable),
    ("InvokeEndpoint", "InternalDependencyException", "", Unavailable),
    ("InvokeEndpoint", "530", "", Unavailable),
    ("ListEndpoints", "ThrottlingException", "Rate exceeded", Throttled),
    ("ListTags", "AccessDeniedException", "User is not authorized", AccessDenied),
    ("DescribeEndpoint", "UnrecognizedClientException", "The security token is invalid", AccessDenied),
    ("DescribeEndpoint", "ExpiredTokenException", "The security token has expired", AccessDenied),
    ("GetMetricData", "Throttling", "Rate exceeded", Throttled),
    ("GetMetricData", "InternalServiceFault", "", Unavailable),
    ("HeadObject", "404", "Not Found", NotFound),
    ("HeadObject", "403", "Forbidden", AccessDenied),
    ("HeadObject", "400", "Bad Request", InvalidCall),
    ("GetObject", "NoSuchKey", "The specified key does not exist.", NotFound),
    ("GetObject", "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", Changed),
    ("GetObject", "412", "Precondition Failed", Changed),
    ("DeleteObject", "PreconditionFailed", "At least one of the pre-conditions", Changed),
    ("DeleteObject", "ConditionalRequestConflict", "", Changed),
    ("PutObject", "SlowDown", "Please reduce your request rate.", Throttled),
    ("PutObject", "InternalError", "We encountered an internal error. Please try again.", Unavailable),
    ("PutObject", "503", "", Unavailable),
    ("PutObject", "RequestTimeout", "Your socket connection was not read from in time", Unavailable),
    ("CopyObject", "NoSuchBucket", "The specified bucket does not exist", NotFound),
    ("CopyObject", "AccessDenied", "Access Denied", AccessDenied),
    ("SendMessage", "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist", NotFound),
    ("SendMessage", "QueueDoesNotExist", "", NotFound),
    ("SendMessage", "RequestThrottled", "", Throttled),
    ("GetSchedule", "ResourceNotFoundException", "Schedule tarmac-cat does not exist.", NotFound),
    ("CreateSchedule", "ConflictException", "Schedule tarmac-cat already exists.", AlreadyExists),
    ("Whatever", "SomethingNew", "never seen", AwsError),
]


@pytest.mark.parametrize(("operation", "code", "message", "expected"), KNOWN)
def test_every_known_refusal_is_classified(operation: str, code: str, message: str, expected: type[AwsError]) -> None:
    """By operation, code and how the message begins."""
    assert classify(operation, code, message) is expected


def test_a_message_counts_only_from_its_start() -> None:
    """A refusal that quotes another is none of it."""
    assert classify("UpdateEndpoint", "ValidationException", "It says: Could not find endpoint") is InvalidCall


def test_not_found_in_the_data_plane_is_so_for_invocations_only() -> None:
    """The same words from another operation are not known."""
    assert classify("DescribeX", "ValidationError", "Endpoint x of account 123456789012 not found") is InvalidCall


def test_every_leaf_can_be_reached_through_the_table() -> None:
    """Otherwise it would be there for nothing."""
    assert {row.error for row in TABLE} == set(AwsError.__subclasses__())


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.error.__name__} {row.code[:30]} {row.message or ''}"[:60])
def test_every_row_of_the_table_is_shown_by_an_example(row: object) -> None:
    """And no row is hidden behind another."""
    first = [next((r for r in TABLE if r.matches(*refusal[:3])), None) for refusal in [*KNOWN, *MORE]]

    assert row in first


MORE = [
    ("X", "ServiceUnavailable", "", Unavailable),
]


def test_a_client_error_becomes_a_leaf_that_remembers_it() -> None:
    """`from` the original, with operation, words and code."""
    original = ClientError({"Error": {"Code": "SlowDown", "Message": "slower"}}, "PutObject")

    with pytest.raises(Throttled, match=r"PutObject: slower \(SlowDown\)") as caught, translated():
        raise original

    assert caught.value.__cause__ is original


def test_a_message_of_null_is_no_defect() -> None:
    """SageMaker's throttling comes so."""
    with pytest.raises(Throttled), translated():
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": None}}, "InvokeEndpoint")


@pytest.mark.parametrize(
    "original",
    [
        EndpointConnectionError(endpoint_url="http://x"),
        ConnectTimeoutError(endpoint_url="http://x"),
        ReadTimeoutError(endpoint_url="http://x"),
    ],
)
def test_no_answer_is_unavailable(original: Exception) -> None:
    """Worth another try."""
    with pytest.raises(Unavailable), translated():
        raise original


def test_other_faults_of_the_client_are_plain_aws_errors() -> None:
    """Trying again does not help."""
    with pytest.raises(AwsError) as caught, translated():
        raise ParamValidationError(report="bad")

    assert type(caught.value) is AwsError


def test_no_credentials_are_access_denied() -> None:
    """Whoever set it up can mend it."""
    with pytest.raises(AccessDenied), translated():
        raise NoCredentialsError


def test_our_own_errors_pass_through() -> None:
    """And so does a defect."""
    with pytest.raises(ZeroDivisionError), translated():
        raise ZeroDivisionError
