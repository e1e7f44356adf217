"""Models that only SageMaker's own containers load, and the words that say so. Called by `registry`."""

from __future__ import annotations

import re
from pathlib import Path

_BOOSTER_NAME = re.compile(r"xgboost-model|.+\.(ubj|xgb)")
_BOOSTER_HEADS = (b'{"learner"', b"{L\0\0\0\0\0\0\0\x07learner", b"binf\0")
_HEAD_BYTES = 32


def foreign_model(model_dir: Path) -> str | None:
    """Say whose model it is and what can be done; None when it is none of these."""
    if any(model_dir.glob("**/saved_model.pb")):
        return _words("a TensorFlow SavedModel", "TensorFlow", "tensorflow")
    if any(_is_booster(path) for path in sorted(model_dir.iterdir()) if path.is_file()):
        return _words("an XGBoost model", "XGBoost", "xgboost")
    return None


def _is_booster(path: Path) -> bool:
    if _BOOSTER_NAME.fullmatch(path.name):
        return True
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES).startswith(_BOOSTER_HEADS)


def _words(what: str, container: str, package: str) -> str:
    return (
        f"this is {what}, which SageMaker's {container} container loads on AWS and this model server does not; to "
        f"serve it here too, add a code/inference.py with model_fn, and {package} to code/requirements.txt"
    )
