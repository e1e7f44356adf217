"""What the environment says about serving. Read once, by `serve.py`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from .faults import LoadError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to serve one model.

    Attributes:
        model_dir: The unpacked archive (SM_MODEL_DIR).
        threads: Threads of torch (TARMAC_THREADS, or OMP_NUM_THREADS above 1); None lets the model's size decide.
        processes: Processes that answer for a tiny model (TARMAC_PROCESSES); None for one a processor.
        timeout_s: Seconds a batch may take before its callers are told so (TARMAC_TIMEOUT_S).
        give_up_s: Seconds after which a model that still has not come back ends the process (TARMAC_GIVE_UP_S); twice
            timeout_s unless it is said.
        body_timeout_s: Seconds a caller may take to send a body (TARMAC_BODY_TIMEOUT_S).
        max_waiting: Requests that may wait for the model (TARMAC_MAX_WAITING).
        max_body_bytes: The largest request body (TARMAC_MAX_BODY_BYTES).
        has_request_log: Whether every request is logged, and not only those that fail (TARMAC_LOG_REQUESTS=1).
    """

    model_dir: Path = Path("/opt/ml/model")
    threads: int | None = None
    processes: int | None = None
    timeout_s: float = 60.0
    give_up_s: float = 120.0
    body_timeout_s: float = 60.0
    max_waiting: int = 1000
    max_body_bytes: int = 100 * 1024 * 1024
    has_request_log: bool = False

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the environment. Raises LoadError, naming the variable that makes no sense."""
        timeout_s = _number(environment, "TARMAC_TIMEOUT_S", cls.timeout_s)
        return cls(
            model_dir=Path(environment.get("SM_MODEL_DIR", str(cls.model_dir))),
            threads=_threads(environment),
            processes=_count(environment, "TARMAC_PROCESSES", None),
            timeout_s=timeout_s,
            give_up_s=max(_number(environment, "TARMAC_GIVE_UP_S", 2 * timeout_s), timeout_s),
            body_timeout_s=_number(environment, "TARMAC_BODY_TIMEOUT_S", cls.body_timeout_s),
            max_waiting=_count(environment, "TARMAC_MAX_WAITING", cls.max_waiting),
            max_body_bytes=_count(environment, "TARMAC_MAX_BODY_BYTES", cls.max_body_bytes),
            has_request_log=environment.get("TARMAC_LOG_REQUESTS", "") == "1",
        )


def _threads(environment: Mapping[str, str]) -> int | None:
    """An OMP_NUM_THREADS of 1 is what containers set for everybody: it is no wish."""
    if "TARMAC_THREADS" in environment:
        return _count(environment, "TARMAC_THREADS", 1)
    count = environment.get("OMP_NUM_THREADS", "1")
    return int(count) if count.isdecimal() and int(count) > 1 else None


_DIGITS_MAX = 15
_Default = TypeVar("_Default", int, None)


def _count(environment: Mapping[str, str], name: str, default: _Default) -> int | _Default:
    raw = environment.get(name)
    if raw is None:
        return default
    if not raw.strip().isdecimal() or len(raw) > _DIGITS_MAX or int(raw) < 1:
        raise LoadError(f"{name} is {raw!r}; it must be a whole number above zero")
    return int(raw)


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    raw = environment.get(name)
    if raw is None:
        return default
    try:
        value = float(raw)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise LoadError(f"{name} is {raw!r}; it must be a number above zero")
    return value
