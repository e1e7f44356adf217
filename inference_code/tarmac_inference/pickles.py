"""scikit-learn: a model.joblib is a pickle, which runs code, so it must be trusted. Called by `registry`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .faults import CallerFault, LoadError
from .loading import is_trusted
from .parameters import parse_parameters
from .payloads import Payload
from .shortages import first_line, is_shortage
from .tasks import MAX_ITEMS, Job, Task, as_text, kind_of

FILE_NAMES = ("model.joblib", "model.pkl")


@dataclass(frozen=True)
class Parameters:
    """What a caller may ask for."""

    method: Literal["predict", "predict_proba", "decision_function", "transform"] = "predict"


def find_pickle(model_dir: Path) -> Path | None:
    """The model's file; None when there is none."""
    return next((model_dir / name for name in FILE_NAMES if (model_dir / name).is_file()), None)


class Estimator(Task):
    """A scikit-learn estimator or pipeline."""

    name = "sklearn"
    parameters_type = Parameters
    batch_items = 4096

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        features = getattr(estimator, "n_features_in_", None)
        self._width = int(features) if features is not None else None

    @classmethod
    def load(cls, model_dir: Path) -> Task:
        """Load the pickle. Raises LoadError when the release is not trusted."""
        path = find_pickle(model_dir)
        if path is None:
            raise LoadError(f"there is no {' or '.join(FILE_NAMES)} in {model_dir}")
        if not is_trusted():
            raise LoadError(
                f'{path.name} is a pickle, which runs code when it is loaded; release it with trust = "trusted", '
                "or bring a code/inference.py"
            )
        import joblib

        try:
            estimator = joblib.load(path)
        except Exception as error:
            if is_shortage(error):
                raise
            raise LoadError(f"{path.name} cannot be read: {type(error).__name__}: {first_line(error)}") from error
        return cls(estimator)

    def parse(self, payload: Payload) -> Job:
        """Check a payload: a row of numbers, or a text, or a list of either."""
        inputs = payload.get("instances", payload.get("inputs"))
        if inputs is not None and hasattr(inputs, "tolist"):
            inputs = inputs.tolist()
        if inputs is None:
            raise CallerFault("it is missing", field="inputs")
        is_one = not isinstance(inputs, list) or (bool(inputs) and _is_number(inputs[0]))
        rows = [inputs] if is_one else inputs
        if len(rows) > MAX_ITEMS * 16:
            raise CallerFault(f"{len(rows)} rows are too many for one request", field="inputs")
        items = tuple(
            self.parse_item(row, field="inputs" if is_one else f"inputs[{index}]") for index, row in enumerate(rows)
        )
        parameters = parse_parameters(payload.get("parameters"), Parameters)
        if not callable(getattr(self._estimator, parameters.method, None)):
            raise CallerFault(f"the model has no {parameters.method}", field="parameters.method")
        return Job(items=items, parameters=(parameters, _kind(items)), is_list=not is_one)

    def parse_item(self, value: Any, *, field: str) -> Any:
        """A row of numbers as wide as the model reads, or a text."""
        if isinstance(value, str):
            if self._width is not None:
                raise CallerFault(f"it must be a list of {self._width} numbers, not a string", field=field)
            return as_text(value, field=field)
        if not isinstance(value, list):
            raise CallerFault(f"it must be a list of numbers or a string, not {kind_of(value)}", field=field)
        for index, number in enumerate(value):
            if not _is_number(number):
                raise CallerFault(f"it must be a number, not {kind_of(number)}", field=f"{field}[{index}]")
        if self._width is not None and len(value) != self._width:
            raise CallerFault(f"it has {len(value)} numbers; the model reads {self._width}", field=field)
        return value

    def sample(self) -> Payload:
        """A row of zeros where the model says its width, else nothing."""
        return {"inputs": [[0.0] * self._width] if self._width is not None else []}

    def answer(self, items: Sequence[Any], parameters: tuple[Parameters, str]) -> list[Any]:
        """Predict all rows together."""
        method, kind = parameters[0].method, parameters[1]
        if kind == "mixed":
            raise CallerFault("its rows must all be texts, or all be lists of equally many numbers", field="inputs")
        import numpy as np

        rows: Any = list(items) if kind == "text" else np.asarray(items, dtype=np.float64)
        try:
            predicted = getattr(self._estimator, method)(rows)
        except (ValueError, TypeError, AttributeError) as error:  # how estimators say that rows are not what they know
            raise CallerFault(f"the model refuses it: {error}", field="inputs") from None
        dense = predicted.toarray() if hasattr(predicted, "toarray") else predicted
        return list(dense.tolist())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _kind(items: Sequence[Any]) -> str:
    """What may share a batch: texts, or rows of one width."""
    kinds = {"text" if isinstance(item, str) else f"row {len(item)}" for item in items}
    return kinds.pop() if len(kinds) == 1 else "mixed" if kinds else "none"
