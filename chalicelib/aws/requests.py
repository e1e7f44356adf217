"""Requests to asynchronous endpoints in S3, under requests/. Implements ports.ParkedRequests."""

from datetime import datetime

from chalicelib.aws.buckets import Bucket
from chalicelib.errors import AnswerTooLarge
from chalicelib.names import ModelName, request_input_key, ticket_key
from chalicelib.state import Answer, Ticket

UNTYPED = "binary/octet-stream"
"""What S3 says of an object whose writer gave no type. Source: S3's API reference, PutObject."""


class S3Requests:
    """What was asked, and what came of it."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def park(self, model: ModelName, token: str, body: bytes, *, content_type: str) -> str:
        """See ports.ParkedRequests."""
        key = request_input_key(model, token)
        self._bucket.write(key, body, content_type=content_type)
        return f"s3://{self._bucket.name}/{key}"

    def write_ticket(self, model: ModelName, token: str, ticket: Ticket) -> None:
        """See ports.ParkedRequests."""
        raw = {
            "output": ticket.output_uri,
            "failure": ticket.failure_uri,
            "accepted_at": ticket.accepted_at.isoformat(),
            "accept": ticket.accept,
        }
        self._bucket.write_json(ticket_key(model, token), raw)

    def read_ticket(self, model: ModelName, token: str) -> Ticket | None:
        """See ports.ParkedRequests."""
        raw = self._bucket.read_json(ticket_key(model, token)) or {}
        try:
            accepted_at = datetime.fromisoformat(raw["accepted_at"])
            return Ticket(str(raw["output"]), raw["failure"], accepted_at, str(raw["accept"]))
        except (KeyError, TypeError, ValueError):
            return None

    def read_answer(self, uri: str, *, max_bytes: int) -> Answer | None:
        """See ports.ParkedRequests."""
        found = self._bucket.read_typed(uri.removeprefix(f"s3://{self._bucket.name}/"), max_bytes=max_bytes)
        if found is None:
            return None
        content, content_type, size_bytes = found
        if content is None:
            raise AnswerTooLarge(
                f"the answer has {size_bytes:,} bytes, more than the {max_bytes:,} that fit through this API",
                fix=f"copy it from S3: aws s3 cp {uri} .",
            )
        return Answer(200, "" if content_type == UNTYPED else content_type, content)
