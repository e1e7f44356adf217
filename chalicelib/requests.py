"""Requests to asynchronous models: taken with 202, and found again by their id. Called by proxy and by the API.

What is asked lies in S3 before SageMaker is told, and the caller hears of an id only when it is written down where the
answer will be: what was accepted is not lost. Source: docs/decisions/0018-async.md
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from chalicelib.errors import ModelBroke, ModelFaultError, ModelRejected, ModelTimedOut, RequestNotFound
from chalicelib.names import ModelName, parse_request_id, request_id
from chalicelib.ports import Clock, ParkedRequests, Runtime
from chalicelib.state import Accepted, Answer, Ticket

REQUEST_TTL_S = 21_600
"""How long a request may wait. SageMaker's most, and its default. Source: botocore's service model."""
REQUEST_TIMEOUT_S = 3_600
"""How long a model may take for one. SageMaker's most; its default is 900."""
GRACE_S = 600.0
ANSWER_MAX_BYTES = 4_500_000
"""What of binary data fits through Lambda's 6 MB, as base64."""
_FAILURE_MAX_BYTES = 64 << 10
_TOLD_MAX_CHARACTERS = 2_000
_SAID = re.compile(r'Received \w+ error \((?P<status>\d+)\) from \S+ with message "(?P<said>.*)"', re.DOTALL)
_ARN = re.compile(r"arn:\S+")


def _new_token() -> str:
    return secrets.token_hex(16)


@dataclass(frozen=True)
class Requests:
    """Takes requests, and finds what came of them."""

    parked: ParkedRequests
    runtime: Runtime
    clock: Clock
    new_token: Callable[[], str] = _new_token

    def accept(self, model: ModelName, endpoint: str, body: bytes, *, content_type: str, accept: str) -> Accepted:
        """Put a request into the queue of a model's endpoint. Raises as ports.Runtime.invoke_async."""
        token = self.new_token()
        uri = self.parked.park(model, token, body, content_type=content_type)
        output_uri, failure_uri = self.runtime.invoke_async(endpoint, uri, content_type=content_type, accept=accept)
        ticket = Ticket(output_uri, failure_uri, self.clock.now(), accept)
        self.parked.write_ticket(model, token, ticket)
        return self._accepted(model, token, ticket)

    def outcome(self, raw_id: str) -> Answer | Accepted:
        """Find what came of a request: its answer, or that there is none yet.

        Raises:
            RequestNotFound: There is no such request, or it is no more.
            ModelRejected, ModelBroke, ModelTimedOut: It failed.
            AnswerTooLarge: The answer does not fit through the API.
        """
        parsed = parse_request_id(raw_id)
        ticket = self.parked.read_ticket(*parsed) if parsed is not None else None
        if parsed is None or ticket is None:
            fix = "use the id that the model's 202 gave; requests and answers are kept for 7 days"
            raise RequestNotFound("there is no such request", fix=fix)
        answer = self.parked.read_answer(ticket.output_uri, max_bytes=ANSWER_MAX_BYTES)
        if answer is not None:
            return Answer(200, answer.content_type or _wanted_type(ticket.accept), answer.body)
        if ticket.failure_uri is not None:
            failure = self.parked.read_answer(ticket.failure_uri, max_bytes=_FAILURE_MAX_BYTES)
            if failure is not None:
                raise _failed(failure.body.decode("utf-8", "replace"))
        longest_s = REQUEST_TTL_S + REQUEST_TIMEOUT_S + GRACE_S
        if self.clock.now() - ticket.accepted_at > timedelta(seconds=longest_s):
            raise ModelTimedOut("the request was not answered in time, and has expired", fix="ask again")
        return self._accepted(*parsed, ticket)

    def _accepted(self, model: ModelName, token: str, ticket: Ticket) -> Accepted:
        age_s = (self.clock.now() - ticket.accepted_at).total_seconds()
        # What has waited for long may be asked about less often.
        return Accepted(request_id(model, token), model, ticket.accepted_at, min(max(1.0, age_s / 10), 30.0))


def _wanted_type(accept: str) -> str:
    return accept if "/" in accept and not set("*,;") & set(accept) else "application/octet-stream"


def _failed(text: str) -> ModelRejected | ModelFaultError:
    """Read what SageMaker wrote in the place of an answer; it may name the account, which stays here."""
    match = _SAID.search(text)
    said = (match["said"] if match else _ARN.sub("...", text))[:_TOLD_MAX_CHARACTERS]
    status = int(match["status"]) if match else 500
    if 400 <= status < 500:
        return ModelRejected(f"the model refuses the request: {said}", status=status)
    if status == 504 or "timed out" in said or "expired" in said:
        return ModelTimedOut(f"the model did not answer in time: {said}")
    return ModelBroke(f"the request failed: {said}", fix="read the model's log: tarmac logs <name>")
