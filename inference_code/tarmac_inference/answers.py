"""Answers, to the content type that the caller accepts. Called by the handler."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from .faults import ModelFault, NotAcceptable
from .media import CSV, JSON, JSON_LINES, NPY, choose

OFFERED = (JSON, JSON_LINES, CSV, NPY)


def encode(answer: Any, accept: str | None) -> tuple[bytes, str]:
    """Turn an answer into a body and its content type.

    Raises:
        NotAcceptable: The answer has none of the accepted content types.
        ModelFault: The answer holds what JSON cannot say (NaN, infinity).
    """
    chosen = choose(accept, OFFERED)
    if chosen == JSON:
        return to_json(answer).encode(), JSON
    if chosen == JSON_LINES:
        return "".join(to_json(row) + "\n" for row in _rows(answer)).encode(), JSON_LINES
    if chosen == CSV:
        return _to_csv(answer).encode(), CSV
    if chosen == NPY:
        return _to_npy(answer), NPY
    raise NotAcceptable(f"an answer can be {', '.join(OFFERED)}, none of which is accepted", field="Accept")


def to_json(answer: Any) -> str:
    """Write an answer as compact JSON; arrays and tensors become lists."""
    try:
        return _ENCODER.encode(answer)
    except ValueError:
        raise ModelFault("the model's answer holds a number that is not finite") from None


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise ModelFault(f"the model's answer holds a {type(value).__name__}, which JSON cannot say")


# json.dumps makes one for every answer
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)


def _rows(answer: Any) -> list[Any]:
    return answer if isinstance(answer, list) else [answer]


def _to_csv(answer: Any) -> str:
    rows = [row if isinstance(row, dict) else {"answer": row} for row in _flattened(answer)]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: to_json(cell) if isinstance(cell, (list, dict)) else cell for name, cell in row.items()})
    return text.getvalue()


def _flattened(answer: Any) -> list[Any]:
    """Several answers for one input become rows one after another."""
    flat: list[Any] = []
    for row in _rows(answer):
        flat.extend(row) if isinstance(row, list) and row and isinstance(row[0], dict) else flat.append(row)
    return flat


def _to_npy(answer: Any) -> bytes:
    import numpy as np

    try:
        array = np.asarray(answer)
    except ValueError:
        raise NotAcceptable("this answer is no array, so it cannot be npy", field="Accept") from None
    if array.dtype == object:
        raise NotAcceptable("this answer is no array of numbers or text, so it cannot be npy", field="Accept")
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
