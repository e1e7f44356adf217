"""Why an endpoint does not answer, in SageMaker's words and in restJson's shape. Raised by runtime.py."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tarmac.local.connections import AnswerLost, ReplyTooSlow, ServerGone
from tarmac.local.sagemaker import EndpointMissing, Target, TooManyAtOnce
from tarmac.local.sagemaker_records import ACCOUNT

_ORIGINAL_MESSAGE_MAX_CHARACTERS = 16_384


class Refusal(Exception):
    """An error in restJson's shape, as botocore reads it."""

    def __init__(self, status: int, code: str, message: str, **members: Any) -> None:
        super().__init__(message)
        self._status = status
        self._code = code
        self._body = {"Message": message, "message": message, **members}

    def answer(self) -> tuple[str, list[tuple[str, str]], bytes]:
        """Status line, headers, body."""
        headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", self._code)]
        return f"{self._status} {self._code}", headers, json.dumps(self._body).encode()


def too_slow(error: ReplyTooSlow, target: Target) -> Refusal:
    """The model has not answered in time."""
    # SageMaker gives this one the status 0, and these first words are those that its clients look for.
    words = f"Your invocation timed out while waiting for a response from container primary: {error}."
    return model_error(0, words, target)


def lost(name: str, error: AnswerLost, target: Target) -> Refusal:
    """The model server went away with the request."""
    # SageMaker's words and status for a container that dies in the middle of a request.
    # Source: https://github.com/aws/amazon-sagemaker-examples/issues/2815
    words = (
        f"Amazon SageMaker could not get a response from the {name} endpoint. This can occur when CPU or memory "
        f"utilization is high. The model server went away: {error}."
    )
    return model_error(0, words, target)


@contextmanager
def said_plainly(name: str) -> Iterator[None]:
    """Say in SageMaker's words why an endpoint cannot be asked."""
    try:
        yield
    except EndpointMissing:
        message = f"Endpoint {name} of account {ACCOUNT} not found."
        raise Refusal(400, "ValidationError", message) from None
    except TooManyAtOnce:
        raise Refusal(400, "ThrottlingException", f"The endpoint {name} has no more concurrency.") from None
    except ServerGone as exc:
        message = f"The model server of endpoint {name} does not answer and is being started again: {exc}"
        raise Refusal(503, "ServiceUnavailable", message) from exc


def model_error(status: int, words: str, target: Target) -> Refusal:
    """What the model itself said; *status* 0 where it said nothing."""
    side = "client" if 400 <= status < 500 else "server"
    words = words[:_ORIGINAL_MESSAGE_MAX_CHARACTERS]
    message = (
        f'Received {side} error ({status}) from primary with message "{words}". '
        f"The container's log is at {target.log_stream_arn}."
    )
    return Refusal(
        424,
        "ModelError",
        message,
        OriginalStatusCode=status,
        OriginalMessage=words,
        LogStreamArn=target.log_stream_arn,
    )
