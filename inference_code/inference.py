"""The four hooks of the Hugging Face inference toolkit, for every task. Called by the toolkit.

`context` is the toolkit's own, optional and without use here. `serve.py` puts the same parts together by itself, to
answer requests in batches.
"""

from pathlib import Path
from typing import Any

from tarmac_inference import answers, payloads, registry  # type: ignore[import-not-found]  # found beside this file


def model_fn(model_dir: str, context: Any = None) -> Any:  # noqa: ARG001
    """Load the model in *model_dir* for the task that HF_TASK or its config.json names."""
    return registry.load_task(Path(model_dir))


def input_fn(input_data: bytes | bytearray | str, content_type: str, context: Any = None) -> Any:  # noqa: ARG001
    """Decode a request body by its content type. Raises CallerFault."""
    return payloads.decode(input_data, content_type)


def predict_fn(data: Any, model: Any, context: Any = None) -> Any:  # noqa: ARG001
    """Answer one payload. Raises CallerFault when it makes no sense."""
    import torch

    with torch.inference_mode():
        return model.run(data)


def output_fn(prediction: Any, accept: str, context: Any = None) -> Any:  # noqa: ARG001
    """Encode the answer in the content type that is accepted."""
    return answers.encode(prediction, accept)[0]
