"""scikit-learn: a model.joblib is a pickle, which runs code, so somebody must have judged it. Called by `registry`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Optional

from .faults import CallerFault, LoadError
from .parameters import parse_parameters
from .payloads import Payload
from .rows import MIXED, NOTHING, Columns
from .shortages import first_line, is_shortage
from .tasks import MAX_ITEMS, Job, Task

FILE_NAMES = ("model.joblib", "model.pkl")
ENDINGS = (".joblib", ".pkl", ".pickle")
_BY_ITSELF = ("predict", "transform", "score_samples")
"""What an estimator is asked where the caller does not say: the first that it has."""


@dataclass(frozen=True)
class Parameters:
    """What a caller may ask for."""

    # Optional, for the annotation is read at run time, where Python 3.8 knows no `|` of types.
    method: Optional[  # noqa: UP045
        Literal["predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "score_samples"]
    ] = None


def find_pickle(model_dir: Path) -> Path | None:
    """The model's file: one of the usual names, or the only one of its kind; None when there is none."""
    usual = next((model_dir / name for name in FILE_NAMES if (model_dir / name).is_file()), None)
    if usual is not None or not model_dir.is_dir():
        return usual
    found = [path for path in model_dir.iterdir() if path.suffix in ENDINGS and path.is_file()]
    return found[0] if len(found) == 1 else None


def has_been_judged() -> bool:
    """Whether the door has followed the pickle and found nothing (TARMAC_TRUST=scan), or somebody vouches for it.

    Where nothing is said, nobody has looked.
    """
    return os.environ.get("TARMAC_TRUST") in ("scan", "trusted")


class Estimator(Task):
    """A scikit-learn estimator or pipeline."""

    name = "sklearn"
    parameters_type = Parameters
    batch_items = 4096
    takes_sheets = True

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self._columns = Columns.of(estimator)
        self._method = next((name for name in _BY_ITSELF if self._has(name)), None)

    @classmethod
    def load(cls, model_dir: Path) -> Task:
        """Load the pickle. Raises LoadError when nobody has looked at it, or it holds no estimator."""
        path = find_pickle(model_dir)
        if path is None:
            raise LoadError(f"there is no {' or '.join(FILE_NAMES)} in {model_dir}")
        if not has_been_judged():
            raise LoadError(
                f"{path.name} is a pickle, which runs code when it is loaded, and nobody has judged it; drop it, and "
                'Tarmac\'s door does; or, if you trust it, release it with trust = "trusted" (TARMAC_TRUST=trusted)'
            )
        estimator = _unpickled(path)
        loaded = cls(estimator)
        if loaded._method is None:
            raise LoadError(
                f"{path.name} holds a {type(estimator).__name__}, which has no {', '.join(_BY_ITSELF)}; save a fitted "
                "estimator or pipeline, or bring a code/inference.py"
            )
        return loaded

    def parse(self, payload: Payload) -> Job:
        """Check a payload: a row, a text, or a list of either, in "inputs" or "instances"."""
        inputs = payload.get("instances", payload.get("inputs"))
        if inputs is None:
            raise CallerFault("it is missing", field="inputs")
        rows, is_list = self._columns.listed(inputs)
        if len(rows) > MAX_ITEMS * 16:
            raise CallerFault(f"{len(rows)} rows are too many for one request", field="inputs")
        items = tuple(
            self.parse_item(row, field=f"inputs[{index}]" if is_list else "inputs") for index, row in enumerate(rows)
        )
        asked = parse_parameters(payload.get("parameters"), Parameters)
        method = asked.method or str(self._method)
        if not self._has(method):
            raise CallerFault(f"the model has no {method}", field="parameters.method")
        return Job(items=items, parameters=(method, self._columns.kind(items)), is_list=is_list)

    def parse_item(self, value: Any, *, field: str) -> Any:
        """A row as wide as the model reads, in its order, or a text."""
        return self._columns.read(value, field=field)

    def sample(self) -> Payload:
        """A row of zeros where the model takes it; nothing where it reads texts or words."""
        zeros: Payload = {"inputs": [[0.0] * (self._columns.width or 0)]}
        try:
            self.run(zeros)
        except CallerFault:
            return {"inputs": []}
        return zeros

    def answer(self, items: Sequence[Any], parameters: tuple[str, str]) -> list[Any]:
        """Predict all rows together."""
        method, kind = parameters
        if kind == NOTHING:
            return []
        if kind == MIXED:
            raise CallerFault("its rows must all be texts, or all be lists of equally many values", field="inputs")
        try:
            predicted = getattr(self._estimator, method)(self._columns.together(items, kind))
        except (ValueError, TypeError, AttributeError, KeyError) as error:  # how estimators refuse rows
            if is_shortage(error):
                raise
            raise CallerFault(f"the model refuses it: {first_line(error)}", field="inputs") from None
        return _listed(predicted)

    def _has(self, method: str) -> bool:
        return callable(getattr(self._estimator, method, None))


def _unpickled(path: Path) -> Any:
    import joblib

    try:
        return joblib.load(path)
    except Exception as error:
        if is_shortage(error):
            raise
        told = f"{path.name} cannot be read: {type(error).__name__}: {first_line(error)}"
        if isinstance(error, (AttributeError, ImportError)):
            told += f" (it was saved by another version of its library; here is scikit-learn {_version()})"
        raise LoadError(told) from error


def _version() -> str:
    try:
        import sklearn
    except ImportError:
        return "not installed"
    return str(sklearn.__version__)


def _listed(predicted: Any) -> list[Any]:
    """Give one answer a row: of arrays, sparse ones, DataFrames, and lists of one array an output."""
    if isinstance(predicted, list):
        return [list(row) for row in zip(*(_listed(output) for output in predicted))]
    for way in ("toarray", "to_numpy"):
        if hasattr(predicted, way):
            return list(getattr(predicted, way)().tolist())
    return list(predicted.tolist())
