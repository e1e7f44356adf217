"""A user's own code/inference.py, honoured as the Hugging Face container's toolkit honours it. Called by `serve.py`.

The legal sets: model_fn alone or with any others; predict_fn, input_fn and output_fn in any combination, or
transform_fn in their place. Each may take one more argument, `context`. What is not defined is Tarmac's own.
"""

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from . import answers, payloads
from .backends import AtOnce, Outcome, Request, as_fault
from .contexts import ARGUMENTS, Context, takes_context
from .faults import CallerFault, Fault, LoadError
from .media import ANY, JSON, accepted, parse_media_type

_TEXT_TYPES = (JSON, "text/csv")
"""Bodies of these types reach a hook as str, as they do under the toolkit; all others as bytes."""


def load_hooks(model_dir: Path) -> "HookBackend | None":
    """Load code/inference.py and the model through it; None when the archive has none, or has Tarmac's own.

    Raises:
        LoadError: It cannot be imported, or its hooks are no legal set.
    """
    code_dir = model_dir / "code"
    path = code_dir / os.environ.get("SAGEMAKER_PROGRAM", "inference.py")
    if not path.is_file():
        return None
    own = Path(__file__).parent.parent / "inference.py"
    if own.is_file() and path.read_bytes() == own.read_bytes():
        return None
    sys.path.insert(0, str(code_dir))
    return HookBackend(_import(path), model_dir)


def _import(path: Path) -> ModuleType:
    """Import by path: another inference.py, Tarmac's own, may be nearer on sys.path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise LoadError(f"code/{path.name} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


class HookBackend(AtOnce):
    """Answers through a user's hooks, one request at a time: what a hook does with two at once, nobody knows."""

    batch_items = 1

    def __init__(self, module: ModuleType, model_dir: Path) -> None:
        self._context = Context({"model_dir": str(model_dir), "gpu_id": os.environ.get("CUDA_VISIBLE_DEVICES")})
        self._hooks = {name: getattr(module, name) for name in ARGUMENTS if callable(getattr(module, name, None))}
        if "transform_fn" in self._hooks and self._hooks.keys() & {"input_fn", "predict_fn", "output_fn"}:
            raise LoadError("code/inference.py has transform_fn together with input_fn, predict_fn or output_fn")
        self._takes_context = {name: takes_context(name, hook) for name, hook in self._hooks.items()}
        self._model = self._load(model_dir)

    def prepare(self, body: bytes, content_type: str | None, accept: str | None) -> Request:
        """Pass the request on as it came: the hooks read it."""
        return Request(work=(body, content_type or JSON), key=None, size=1, accept=accept)

    def warm_up(self) -> None:
        """Loading is all that can be tried: nobody but the hooks' author knows what they take."""

    def answer(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """Run the hooks for each request."""
        return [self._attempt(request) for request in requests]

    def _attempt(self, request: Request) -> Outcome:
        try:
            return self._transform(request)
        except Exception as error:  # noqa: BLE001  # whatever user code raises is its caller's to hear
            return _as_fault(error)

    def _transform(self, request: Request) -> tuple[bytes, str]:
        body, raw_content_type = request.work
        content_type = _without_charset(raw_content_type)
        accept = _best_accept(request.accept)
        self._context.request_headers = {"content-type": raw_content_type, "accept": request.accept or ANY}
        self._context.response_content_type = None
        data = payloads.text_of(body, raw_content_type) if content_type in _TEXT_TYPES else body
        if "transform_fn" in self._hooks:
            result = self._call("transform_fn", self._model, data, content_type, accept)
        else:
            result = self._in_steps(data, content_type, accept)
        if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], str):
            return _as_bytes(result[0]), result[1]
        return _as_bytes(result), self._context.response_content_type or accept

    def _in_steps(self, data: Any, content_type: str, accept: str) -> Any:
        payload = self._read(data, content_type) if "input_fn" in self._hooks else payloads.decode(data, content_type)
        if "predict_fn" in self._hooks:
            prediction = self._call("predict_fn", payload, self._model)
        else:
            prediction = _predict(payload, self._model)
        if "output_fn" in self._hooks:
            return self._call("output_fn", prediction, accept)
        return answers.encode(prediction, accept)

    def _read(self, data: Any, content_type: str) -> Any:
        """Call input_fn; what it finds wrong with a body is the caller's fault."""
        try:
            return self._call("input_fn", data, content_type)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise _as_fault(error, otherwise=CallerFault) from error

    def _load(self, model_dir: Path) -> Any:
        if "model_fn" in self._hooks:
            return self._call("model_fn", str(model_dir))
        from .registry import load_task

        return load_task(model_dir)

    def _call(self, name: str, *arguments: Any) -> Any:
        extra = (self._context,) if self._takes_context.get(name) else ()
        return self._hooks[name](*arguments, *extra)


def _predict(payload: Any, model: Any) -> Any:
    """Call a model as the toolkit does: with "inputs", and "parameters" as keywords."""
    from .tasks import Task

    if isinstance(model, Task):
        return model.run(payload)
    inputs: Any = payload
    parameters: dict[str, Any] = {}
    if isinstance(payload, dict):
        inputs = payload.get("inputs", payload)
        parameters = payload.get("parameters") or {}
    return model(inputs, **parameters)


def _without_charset(content_type: str) -> str:
    """A hook compares with "application/json", so a charset must go; other parameters (a boundary) must stay."""
    media = parse_media_type(content_type)
    return media.name if media.parameters.keys() <= {"charset"} else content_type


def _best_accept(header: str | None) -> str:
    best = next(iter(accepted(header or ANY)), ANY)
    return JSON if best in (ANY, "*", "application/*") else best


def _as_bytes(result: Any) -> bytes:
    if isinstance(result, str):
        return result.encode()
    if isinstance(result, bytes | bytearray | memoryview):
        return bytes(result)
    return answers.to_json(result).encode()


def _as_fault(error: Exception, *, otherwise: type[Fault] | None = None) -> Fault:
    """Keep the status that user code put on its error; without one it is the model's fault, or *otherwise*."""
    status = next(
        (code for name in ("status_code", "status", "code") if isinstance(code := getattr(error, name, None), int)), 0
    )
    if not isinstance(error, Fault) and 400 <= status < 600:
        fault = Fault(str(error))
        fault.status = status
        return fault
    return (
        otherwise(f"{type(error).__name__}: {error}") if otherwise and not isinstance(error, Fault) else as_fault(error)
    )
