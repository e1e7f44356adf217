"""The toolkit's own handler on several archives, in one process each; run by the toolkit's Python, not by pytest.

Reads from standard input a JSON list of {"model_dir", "environment", "requests": [{"body" (base64), "content_type",
"accept"}]}; writes one of {"failure"} or {"answers": [{"status", "content_type", "body" (base64)}]} for each. The
toolkit is imported once, and each archive has a fork of its own, because it keeps the task in os.environ.
"""

import base64
import io
import json
import os
import sys
from typing import Any

from mms.context import Context, RequestProcessor
from mms.metrics.metrics_store import MetricsStore
from mms.service import PredictionException
from sagemaker_huggingface_inference_toolkit.handler_service import HuggingFaceHandlerService


def answer_all(archive: dict[str, Any]) -> dict[str, Any]:
    """Load one archive, and answer its requests one after the other."""
    import torch

    torch.set_num_threads(1)
    os.environ.update(archive["environment"])
    context = Context("model", archive["model_dir"], {}, 1, None, "1.1.11")
    handler = HuggingFaceHandlerService()
    try:
        handler.initialize(context)
    except Exception as error:  # noqa: BLE001  # what it fails with is what is asked
        return {"failure": f"{type(error).__name__}: {error}"}
    return {"answers": [_answer(handler, context, request) for request in archive["requests"]]}


def _answer(handler: Any, context: Any, request: dict[str, str]) -> dict[str, Any]:
    headers = {"Content-Type": request["content_type"], "Accept": request["accept"]}
    context.request_processor = [RequestProcessor({name: value for name, value in headers.items() if value})]
    context.request_ids = {0: "request"}
    context.metrics = MetricsStore(context.request_ids, "model")
    try:
        (body,) = handler.handle([{"body": bytearray(base64.b64decode(request["body"]))}], context)
    except PredictionException as error:
        return {"status": error.error_code, "content_type": "", "body": _encoded(str(error.message))}
    return {"status": 200, "content_type": context.get_response_content_type(0), "body": _encoded(body)}


def _encoded(body: str | bytes) -> str:
    return base64.b64encode(body.encode() if isinstance(body, str) else bytes(body)).decode()


def _in_a_fork(archive: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with io.FileIO(writing, "w") as pipe:
            pipe.write(json.dumps(answer_all(archive)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        raw = pipe.read()
    os.waitpid(child, 0)
    found: dict[str, Any] = json.loads(raw)
    return found


if __name__ == "__main__":
    results = [_in_a_fork(one) for one in json.load(sys.stdin)]
    print("\n" + json.dumps(results))
