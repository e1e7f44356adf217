"""The four hooks of SageMaker's inference toolkits, for every task. Called by Hugging Face's and scikit-learn's.

`context` is the Hugging Face toolkit's own, optional and without use here. `serve.py` puts the same parts together by
itself, to answer requests in batches.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tarmac_inference import answers, faults, hosts, payloads, registry  # type: ignore[import-not-found]  # found beside this file


def model_fn(model_dir: str, context: Any = None) -> Any:  # noqa: ARG001
    """Load the model in *model_dir* for the task that HF_TASK or its files name."""
    return registry.load_task(Path(model_dir))


def input_fn(input_data: bytes | bytearray | str, content_type: str, context: Any = None) -> Any:  # noqa: ARG001
    """Decode a request body by its content type. Raises CallerFault where the server tells it to the caller."""
    return hosts.attempt(lambda: payloads.decode(input_data, content_type, takes_sheets=True))


def predict_fn(data: Any, model: Any, context: Any = None) -> Any:  # noqa: ARG001
    """Answer one payload. Raises CallerFault, as `input_fn` does, when it makes no sense."""
    if isinstance(data, faults.Fault):
        return data
    # A model that has loaded without torch is not made to wait for it, nor to have it.
    no_gradients = sys.modules["torch"].inference_mode if "torch" in sys.modules else nullcontext
    with no_gradients():
        return hosts.attempt(lambda: model.run(data))


def output_fn(prediction: Any, accept: str, context: Any = None) -> Any:  # noqa: ARG001
    """Encode the answer in the content type that is accepted."""
    if isinstance(prediction, faults.Fault):
        return hosts.respond(prediction)
    return hosts.respond(hosts.attempt(lambda: answers.encode(prediction, accept)))
