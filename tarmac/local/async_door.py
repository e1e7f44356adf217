"""InvokeEndpointAsync on the wire: what a request must be, and what is said of one taken. Called by runtime.py.

Source: botocore's service model, sagemaker-runtime/2017-05-13, InvokeEndpointAsync.
"""

import base64
import json
import re
import time
import uuid
from collections.abc import Mapping
from typing import Any

from tarmac.local.async_requests import AsyncRequest, AsyncRequests
from tarmac.local.runtime_refusals import Refusal
from tarmac.local.sagemaker_records import EndpointRecord

INLINE_MAX_BYTES = 128_000
"""Of a body that comes with the request instead of lying in S3. Source: the same model, AsyncBodyBlob."""
_PREFIX = "HTTP_X_AMZN_SAGEMAKER_"
_CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_INPUT_LOCATION = re.compile(r"s3://[^/]+/.+")
_DEFAULT_TTL_S, _DEFAULT_TIMEOUT_S = 21_600, 900

Reply = tuple[str, list[tuple[str, str]], bytes]


def accept(requests: AsyncRequests, endpoint: EndpointRecord, environ: Mapping[str, Any], body: bytes) -> Reply:
    """Put a request into its endpoint's queue.

    Args:
        requests: Takes it.
        endpoint: Where it is to be asked.
        environ: The WSGI request.
        body: Its body, read.

    Raises:
        Refusal: The endpoint is none for it, or the request is not as it must be.
    """
    raw_config = endpoint.serving.raw_async_config
    if not raw_config:
        # The sentence is ours: AWS's own is not written down anywhere.
        raise _invalid(f"Endpoint {endpoint.name} has no AsyncInferenceConfig: it takes InvokeEndpoint only.")
    input_uri = environ.get(f"{_PREFIX}INPUTLOCATION")
    _check_input(input_uri, body)
    inference_id = environ.get(f"{_PREFIX}INFERENCE_ID") or str(uuid.uuid4())
    output_uri, failure_uri = _places(raw_config["OutputConfig"], environ)
    request = AsyncRequest(
        key=f"{time.time_ns():020d}-{uuid.uuid4().hex}",
        inference_id=inference_id,
        endpoint_name=endpoint.name,
        endpoint_created_at_s=endpoint.created_at_s,
        variant_name=endpoint.serving.variant_name,
        headers=_forwarded(environ),
        output_uri=output_uri,
        failure_uri=failure_uri,
        accepted_at_s=time.time(),
        ttl_s=_seconds(environ, "REQUESTTTLSECONDS", 60, 21_600, _DEFAULT_TTL_S),
        timeout_s=_seconds(environ, "INVOCATIONTIMEOUTSECONDS", 1, 3600, _DEFAULT_TIMEOUT_S),
        input_uri=input_uri,
        inline=None if input_uri else base64.b64encode(body).decode(),
    )
    requests.accept(request)
    headers = [("Content-Type", "application/json"), ("X-Amzn-SageMaker-OutputLocation", output_uri)]
    if failure_uri is not None:
        headers.append(("X-Amzn-SageMaker-FailureLocation", failure_uri))
    return "202 Accepted", headers, json.dumps({"InferenceId": inference_id}).encode()


def _check_input(input_uri: str | None, body: bytes) -> None:
    if bool(input_uri) == bool(body):
        raise _invalid("Exactly one of InputLocation and Body must be given.")
    if input_uri and not _INPUT_LOCATION.fullmatch(input_uri):
        raise _invalid(f"InputLocation {input_uri} is no object in S3, where alone the embedded AWS reads.")
    if len(body) > INLINE_MAX_BYTES:
        raise Refusal(413, "ValidationError", f"HTTP content length exceeded {INLINE_MAX_BYTES} bytes.")


def _places(raw_output: Mapping[str, Any], environ: Mapping[str, Any]) -> tuple[str, str | None]:
    """Where the answer will be, and where a failure would."""
    file = str(uuid.uuid4())
    extension = environ.get(f"{_PREFIX}S3OUTPUTPATHEXTENSION", "").strip("/")
    folder = "/".join(filter(None, (raw_output["S3OutputPath"].rstrip("/"), extension)))
    failures = raw_output.get("S3FailurePath")
    output = f"{folder}/{environ.get(f'{_PREFIX}FILENAME') or f'{file}.out'}"
    return output, f"{failures.rstrip('/')}/{file}-error.out" if failures else None


def _forwarded(environ: Mapping[str, Any]) -> dict[str, str]:
    headers = {
        "Content-Type": environ.get(f"{_PREFIX}CONTENT_TYPE"),
        "Accept": environ.get(f"{_PREFIX}ACCEPT"),
        _CUSTOM_ATTRIBUTES: environ.get(f"{_PREFIX}CUSTOM_ATTRIBUTES"),
    }
    return {name: value for name, value in headers.items() if value}


def _seconds(environ: Mapping[str, Any], name: str, low: int, high: int, default: int) -> int:
    raw = environ.get(f"{_PREFIX}{name}") or str(default)
    if not raw.isdigit() or not low <= int(raw) <= high:
        raise _invalid(f"{name} is {raw}; it may be {low} to {high}.")
    return int(raw)


def _invalid(message: str) -> Refusal:
    return Refusal(400, "ValidationError", message)
