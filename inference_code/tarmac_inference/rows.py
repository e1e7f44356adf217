"""Rows for scikit-learn: from what callers send to what an estimator was fitted to. Called by `pickles`.

A row is a list of cells, or an object of named ones; a cell is a number, a string, true, false, or null for a gap.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .faults import CallerFault, UnsupportedMedia
from .payloads import BODY, Sheet
from .tasks import as_text, kind_of

TEXTS, RECORDS, MIXED, NOTHING = "texts", "records", "mixed", "nothing"
_NUMBERS, _CELLS = "numbers", "cells"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_GAPS = frozenset({"", "nan", "NaN", "NA", "null"})


@dataclass(frozen=True)
class Columns:
    """What an estimator was fitted to.

    Attributes:
        width: How many columns; None where it has not counted them: it reads texts, or named values.
        names: Their names, where it was fitted to a DataFrame.
    """

    width: int | None
    names: tuple[str, ...] | None

    @classmethod
    def of(cls, estimator: Any) -> Columns:
        """Read them from a fitted estimator."""
        width, names = getattr(estimator, "n_features_in_", None), getattr(estimator, "feature_names_in_", None)
        return cls(None if width is None else int(width), None if names is None else tuple(map(str, names)))

    def listed(self, inputs: Any) -> tuple[list[Any], bool]:
        """Give the rows in a payload's inputs as a list, and whether they came as one. Raises CallerFault."""
        if isinstance(inputs, Sheet):
            return self._rows_of_sheet(inputs.lines), True
        if hasattr(inputs, "tolist"):
            inputs = inputs.tolist()
        if isinstance(inputs, dict) and isinstance(inputs.get("data"), dict):
            return _rows_of_columns(inputs["data"]), True
        if not isinstance(inputs, list):
            return [inputs], False
        is_row = bool(inputs) and not isinstance(inputs[0], (list, dict))
        # A list of strings is several texts to a model that reads texts, and one row to a model of columns.
        if is_row and (self.width is not None or not isinstance(inputs[0], str)):
            return [inputs], False
        return inputs, True

    def read(self, row: Any, *, field: str) -> Any:
        """Check one row, and bring its cells into the estimator's order. Raises CallerFault, naming the field."""
        if isinstance(row, dict):
            return self._named(row, field=field)
        if isinstance(row, bytes):
            raise UnsupportedMedia("the model reads JSON, CSV, npy and plain text", field="Content-Type")
        if isinstance(row, str) and self.width is None:
            return as_text(row, field=field)
        if not isinstance(row, list):
            wanted = "a list or an object of values" if self.width is not None else "a text or a list of values"
            raise CallerFault(f"it must be {wanted}, not {kind_of(row)}", field=field)
        if self.width is not None and len(row) != self.width:
            raise CallerFault(f"it has {_counted(len(row))}; the model reads {self.width}", field=field)
        return [_cell(cell, field=f"{field}[{index}]") for index, cell in enumerate(row)]

    def kind(self, rows: Sequence[Any]) -> str:
        """What may be answered together: texts, named values, numbers or other cells, each of one width."""
        kinds = {_kind(row) for row in rows}
        if kinds == {(_NUMBERS, self.width), (_CELLS, self.width)}:
            return f"{_CELLS} {self.width}"
        if len(kinds) != 1:
            return MIXED if kinds else NOTHING
        kind, width = kinds.pop()
        return kind if width is None else f"{kind} {width}"

    def together(self, rows: Sequence[Any], kind: str) -> Any:
        """Make what the estimator is called with: a list, float64 or object[rows, columns], or a DataFrame."""
        if kind in (TEXTS, RECORDS):
            return list(rows)
        if self.names is not None:
            import pandas as pd

            return pd.DataFrame(list(rows), columns=list(self.names))
        import numpy as np

        return np.asarray(rows, dtype=np.float64 if kind.startswith(_NUMBERS) else object)

    def _named(self, row: dict[str, Any], *, field: str) -> Any:
        cells = {name: _cell(cell, field=f"{field}.{name}") for name, cell in row.items()}
        if self.names is None and self.width is None:
            return cells
        if self.names is None:
            raise CallerFault(
                f"the model was not fitted to named columns; send a list of {self.width} values", field=field
            )
        if missing := next((name for name in self.names if name not in cells), None):
            raise CallerFault(f"the model reads {', '.join(self.names)}; {missing} is missing", field=field)
        return [cells[name] for name in self.names]

    def _rows_of_sheet(self, lines: list[list[str]]) -> list[Any]:
        """Read a CSV: with a header that has the model's columns in any order, with another, or without one."""
        if self.width is None:
            wide = next((line for line in lines if len(line) != 1), None)
            if wide is not None:
                raise CallerFault(f"the model reads texts, one a line; a line has {_counted(len(wide))}", field=BODY)
            return [line[0] for line in lines]
        header = [name.strip() for name in lines[0]]
        if self.names is not None and set(self.names) <= set(header):
            places = [header.index(name) for name in self.names]
            rows = [[line[place] if place < len(line) else "" for place in places] for line in lines[1:]]
        else:
            rows = lines[1:] if _is_header(lines) else lines
        width = min(map(len, rows), default=0)
        are_numbers = [all(_is_numeric(row[place]) for row in rows) for place in range(width)]
        return [
            [_of_text(cell, place < width and are_numbers[place]) for place, cell in enumerate(row)] for row in rows
        ]


def _rows_of_columns(data: dict[str, Any]) -> list[Any]:
    """Turn columns by name, as the Hub's inference API takes tables, into named rows. Raises CallerFault."""
    for name, column in data.items():
        if not isinstance(column, list):
            raise CallerFault(f"it must be a list of values, not {kind_of(column)}", field=f"inputs.data.{name}")
    lengths = {len(column) for column in data.values()}
    if len(lengths) > 1:
        raise CallerFault("its columns must all be of one length", field="inputs.data")
    return [dict(zip(data, cells)) for cells in zip(*data.values())]


def _cell(value: Any, *, field: str) -> Any:
    """Check a cell; a gap becomes NaN, which is what scikit-learn calls one."""
    if value is None:
        return math.nan
    if isinstance(value, str):
        return as_text(value, field=field)
    if not isinstance(value, (bool, int, float)):
        raise CallerFault(f"it must be a number, a string, true, false or null, not {kind_of(value)}", field=field)
    if abs(value) >= 1e300:
        raise CallerFault("it is too large a number", field=field)
    return value


def _kind(row: Any) -> tuple[str, int | None]:
    if isinstance(row, str):
        return TEXTS, None
    if isinstance(row, dict):
        return RECORDS, None
    return (_CELLS if any(isinstance(cell, (str, bool)) for cell in row) else _NUMBERS), len(row)


def _is_header(lines: list[list[str]]) -> bool:
    """Whether a first line has words alone, and one of them where every other line has a number."""
    first, *rest = lines
    return (
        bool(rest)
        and not any(map(_is_numeric, first))
        and any(all(place < len(line) and _is_numeric(line[place]) for line in rest) for place, _ in enumerate(first))
    )


def _is_numeric(text: str) -> bool:
    return text.strip() in _GAPS or _NUMBER.fullmatch(text.strip()) is not None


def _of_text(text: str, is_number: bool) -> Any:
    if text.strip() in _GAPS:
        return None
    return float(text) if is_number else text


def _counted(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"
