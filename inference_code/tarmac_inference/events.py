"""Structured logs: one JSON object a line on standard output, never a payload. Called by the server."""

import json
import sys
import time
from typing import Any


def log(event: str, **facts: Any) -> None:
    """Write one event with its facts."""
    moment = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"
    sys.stdout.write(json.dumps({"time": stamp, "event": event, **facts}, default=str) + "\n")
    sys.stdout.flush()
