"""Whose server calls the four hooks, and how it takes answers and faults. Called by `inference.py`.

The Hugging Face toolkit wants the body alone, and tells the caller what a hook raises. AWS's scikit-learn container is
a Flask application: a body alone would go out as text/html, and whatever a hook raises as a page that says nothing.
There a fault is handed on from hook to hook as if it were the answer, and goes out as a response.

Source: sagemaker-containers 2.8.6 (_functions.py, _transformer.py, _worker.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from .answers import to_json
from .faults import Fault
from .media import JSON


def is_flask() -> bool:
    """Whether AWS's scikit-learn container calls."""
    return "sagemaker_containers" in sys.modules


def attempt(act: Callable[[], Any]) -> Any:
    """Give what *act* gives; under Flask also the fault that it raises."""
    try:
        return act()
    except Fault as fault:
        if not is_flask():
            raise
        return fault


def respond(outcome: Any) -> Any:
    """Give a body with its content type, or a fault, the form in which the server takes it."""
    if not isinstance(outcome, Fault):
        return outcome if is_flask() else outcome[0]
    from werkzeug.wrappers import Response

    return Response(to_json({"error": str(outcome)}), status=outcome.status, mimetype=JSON)
