"""The smoke test: code/smoke.json's requests, asked of a loaded model before it is called ready. Called by `serving`.

A release that fails it never answers /ping, and the process ends with the reason: whoever starts it, SageMaker or the
embedded AWS, then calls the endpoint failed.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .answers import to_json
from .backends import Backend, Outcome, as_fault
from .events import log
from .faults import Fault, LoadError
from .media import JSON

FILE = "code/smoke.json"
_TEST_KEYS = frozenset({"request", "request_file", "content_type", "accept", "expect"})
_EXPECT_KEYS = frozenset({"status", "answer", "tolerance", "within_s"})
_SHOWN_CHARACTERS = 80
_ANYTHING = object()


@dataclass(frozen=True, kw_only=True)
class Smoke:
    """One request, and what must come back.

    Attributes:
        place: Where it stands, for messages.
        answer: What the answer must hold; _ANYTHING where nothing is said of it.
        tolerance: How far a number may be off.
        within_s: Seconds the answer may take; None for as long as it likes.
    """

    place: str
    body: bytes
    content_type: str
    accept: str | None
    status: int = 200
    answer: Any = _ANYTHING
    tolerance: float = 0.01
    within_s: float | None = None


def read_smokes(model_dir: Path) -> tuple[Smoke, ...]:
    """Read code/smoke.json: one test, or a list of them. Raises LoadError, naming the place that makes no sense."""
    path = model_dir / FILE
    if not path.is_file():
        return ()
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LoadError(f"{FILE} cannot be read: {error}") from None
    tests = raw if isinstance(raw, list) else [raw]
    return tuple(
        _parse(test, path.parent, place=f"{FILE}[{index}]" if isinstance(raw, list) else FILE)
        for index, test in enumerate(tests)
    )


def _parse(raw: Any, directory: Path, *, place: str) -> Smoke:
    _check_keys(raw, _TEST_KEYS, place=place)
    expect = raw.get("expect", {})
    _check_keys(expect, _EXPECT_KEYS, place=f"{place}: expect")
    if ("request" in raw) == ("request_file" in raw):
        raise LoadError(f'{place} must have either "request" or "request_file"')
    body = to_json(raw["request"]).encode() if "request" in raw else _file(directory, raw["request_file"], place=place)
    accept, content_type = raw.get("accept"), raw.get("content_type", JSON)
    if not isinstance(content_type, str) or not isinstance(accept, str | None):
        raise LoadError(f"{place}: content_type and accept must be strings")
    numbers = {name: expect[name] for name in ("status", "tolerance", "within_s") if name in expect}
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise LoadError(f"{place}: expect.{name} must be a number")
    answer = expect.get("answer", _ANYTHING)
    return Smoke(place=place, body=body, content_type=content_type, accept=accept, answer=answer, **numbers)


def _check_keys(raw: Any, known: frozenset[str], *, place: str) -> None:
    if not isinstance(raw, dict):
        raise LoadError(f"{place} must be an object")
    if unknown := raw.keys() - known:
        raise LoadError(f"{place} has {min(unknown)!r}; it can have {', '.join(sorted(known))}")


def _file(directory: Path, name: Any, *, place: str) -> bytes:
    if not isinstance(name, str) or not (directory / name).resolve().is_relative_to(directory.resolve()):
        raise LoadError(f"{place}: request_file must be the name of a file under code/")
    try:
        return (directory / name).read_bytes()
    except OSError as error:
        raise LoadError(f"{place}: request_file cannot be read: {error}") from None


def run(backend: Backend, smokes: Sequence[Smoke]) -> None:
    """Ask each, and check what comes back; on the inference thread. Raises LoadError with the first difference."""
    for smoke in smokes:
        began_s = time.monotonic()
        outcome = _ask(backend, smoke)
        took_s = time.monotonic() - began_s
        difference = _difference(smoke, outcome, took_s)
        if difference is not None:
            raise LoadError(f"the smoke test failed: {smoke.place}: {difference}")
        log("smoke", place=smoke.place, took_ms=round(took_s * 1000, 2))


def _ask(backend: Backend, smoke: Smoke) -> Outcome:
    try:
        request = backend.prepare(smoke.body, smoke.content_type, smoke.accept)
        outcome = backend.answer([request])[0]
        while outcome is None:
            outcome = next((one for other, one in backend.step() if other is request), None)
    except Exception as error:  # noqa: BLE001  # whatever it raises is what the test finds
        return as_fault(error)
    return outcome


def _difference(smoke: Smoke, outcome: Outcome, took_s: float) -> str | None:
    status = outcome.status if isinstance(outcome, Fault) else 500 if isinstance(outcome, BaseException) else 200
    if status != smoke.status:
        told = f" ({outcome})" if isinstance(outcome, BaseException) else ""
        return f"the status is {status}{told}, not {smoke.status:g}"
    if smoke.within_s is not None and took_s > smoke.within_s:
        return f"the answer took {took_s:.2f} s, more than {smoke.within_s:g} s"
    if smoke.answer is _ANYTHING:
        return None
    content = {"error": str(outcome)} if isinstance(outcome, BaseException) else _content(*outcome)
    return difference(content, smoke.answer, tolerance=smoke.tolerance, place="answer")


def _content(body: bytes, content_type: str) -> Any:
    """JSON is compared by what it says, anything else as text."""
    if content_type.startswith(JSON):
        return json.loads(body)
    return body.decode(errors="replace")


def difference(actual: Any, expected: Any, *, tolerance: float, place: str) -> str | None:
    """Say where an answer is not what was expected; None when it is.

    An object must have the keys that are named, and may have more; a list must be as long; numbers may be off by the
    tolerance.
    """
    if isinstance(expected, dict) and isinstance(actual, dict):
        missing = next((name for name in expected if name not in actual), None)
        if missing is not None:
            return f"{place} has no {missing!r}"
        pairs = [(f"{place}.{name}", actual[name], value) for name, value in expected.items()]
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(actual) != len(expected):
            return f"{place} has {len(actual)} items, not {len(expected)}"
        pairs = [
            (f"{place}[{index}]", one, other) for index, (one, other) in enumerate(zip(actual, expected, strict=True))
        ]
    else:
        is_close = _is_number(actual) and _is_number(expected) and abs(actual - expected) <= tolerance
        is_same = is_close or (actual == expected and isinstance(actual, bool) == isinstance(expected, bool))
        return None if is_same else f"{place} is {_shown(actual)}, not {_shown(expected)}"
    found = (difference(one, other, tolerance=tolerance, place=where) for where, one, other in pairs)
    return next((one for one in found if one is not None), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = to_json(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
