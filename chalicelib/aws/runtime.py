"""SageMaker's data plane. Implements ports.Runtime."""

import re
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from chalicelib.aws.failures import translated
from chalicelib.errors import BodyTooLarge, InvalidCall, ModelBroke, ModelBusy, ModelRejected, ModelTimedOut, Throttled
from chalicelib.requests import REQUEST_TIMEOUT_S, REQUEST_TTL_S
from chalicelib.state import Answer

_QUOTED = re.compile(r'with message "(?P<said>.*)"', re.DOTALL)


class SageMakerRuntime:
    """Invokes endpoints. Its client must not retry: a retry would run the inference twice."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client

    def invoke(self, endpoint: str, body: bytes, *, content_type: str, accept: str) -> Answer:
        """See ports.Runtime."""
        try:
            with translated():
                raw = self._invoke(endpoint, body, content_type=content_type, accept=accept)
                return Answer(
                    status=raw["ResponseMetadata"]["HTTPStatusCode"],
                    content_type=raw.get("ContentType") or "application/octet-stream",
                    body=raw["Body"].read(),
                )
        except Throttled as exc:
            raise ModelBusy("SageMaker throttles this endpoint", retry_after_s=1) from exc
        except InvalidCall as exc:
            if any(words in exc.message.lower() for words in ("413", "too large", "content length exceeded")):
                raise BodyTooLarge("the body is larger than SageMaker takes", fix="send less at a time") from exc
            raise

    def invoke_async(self, endpoint: str, input_uri: str, *, content_type: str, accept: str) -> tuple[str, str | None]:
        """See ports.Runtime."""
        try:
            with translated():
                raw = self._client().invoke_endpoint_async(
                    EndpointName=endpoint,
                    InputLocation=input_uri,
                    ContentType=content_type,
                    Accept=accept,
                    RequestTTLSeconds=REQUEST_TTL_S,
                    InvocationTimeoutSeconds=REQUEST_TIMEOUT_S,
                )
                return raw["OutputLocation"], raw.get("FailureLocation") or None
        except Throttled as exc:
            raise ModelBusy("SageMaker throttles this endpoint", retry_after_s=1) from exc

    def _invoke(self, endpoint: str, body: bytes, *, content_type: str, accept: str) -> Any:
        try:
            return self._client().invoke_endpoint(
                EndpointName=endpoint, Body=body, ContentType=content_type, Accept=accept
            )
        except ReadTimeoutError as exc:
            raise ModelTimedOut(
                "the model did not answer in time", fix="send less at a time, or use a faster instance type"
            ) from exc
        except ClientError as exc:
            if exc.response.get("Error", {}).get("Code") == "ModelError":
                raise _model_error(exc.response) from exc
            raise


def _model_error(raw: dict[str, Any]) -> ModelRejected | ModelBroke | ModelTimedOut:
    """Read what the container said. LogStreamArn stays here: it tells the account."""
    status = int(raw.get("OriginalStatusCode") or raw.get("Error", {}).get("OriginalStatusCode") or 500)
    said = raw.get("OriginalMessage") or _said(raw.get("Error", {}).get("Message", ""))
    if 400 <= status < 500:
        return ModelRejected(f"the model refuses the request: {said}", status=status)
    if status == 504:
        return ModelTimedOut(f"the model did not answer in time: {said}")
    return ModelBroke(f"the model answered {status}: {said}", fix="read its log: tarmac logs <name>")


def _said(message: str) -> str:
    match = _QUOTED.search(message)
    return match["said"] if match else message
