"""Structured logs: one JSON object a line on standard output, never a payload. Called by the server."""

import json
import sys
import time
import traceback
from typing import Any


def log(event: str, **facts: Any) -> None:
    """Write one event with its facts."""
    moment = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"
    sys.stdout.write(json.dumps({"time": stamp, "event": event, **facts}, default=str) + "\n")
    sys.stdout.flush()


def places(error: BaseException | None) -> dict[str, Any]:
    """Say what kind of error it was and where it came from; its message stays out, for it may quote the payload."""
    if error is None:
        return {}
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return {"error": type(error).__name__, "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]}
