"""scikit-learn models of every family: what the door lets in under its default trust, the model server answers with."""

import io
import json
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from chalicelib.door.allowed import is_allowed
from chalicelib.door.machines import Budget
from chalicelib.door.pickles import Scanned, scan
from inference_code.tarmac_inference.answers import to_json
from inference_code.tarmac_inference.pickles import Estimator
from tarmac.demo_engine import EngineProcess
from tests.local.engines import tarmac
from tests.local.estimators import HONEST, REFUSED


def scanned(raw: bytes) -> Scanned:
    return scan((raw[at : at + 65_536] for at in range(0, len(raw), 65_536)), Budget())


def dumped(model: Any, compress: int = 0) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer, compress=compress)
    return buffer.getvalue()


def refused_names(found: Scanned) -> list[str]:
    return sorted(f"{one.module}.{one.name}" for one in found.imports if not is_allowed(one))


@pytest.mark.filterwarnings("ignore")  # models fitted for milliseconds have not converged
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_model_imports_only_what_is_allowed(name: str) -> None:
    model = HONEST[name].fit()

    for raw in (dumped(model), dumped(model, compress=3), pickle.dumps(model)):
        found = scanned(raw)
        assert (found.fault, refused_names(found)) == (None, [])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REFUSED)
def test_what_could_be_made_to_run_code_is_named_and_kept_out(name: str) -> None:
    known, culprit = REFUSED[name]

    assert any(one.startswith(culprit) for one in refused_names(scanned(dumped(known.fit()))))


def test_a_vocabulary_of_a_hundred_thousand_words_does_not_hide_what_follows_it() -> None:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import SGDClassifier
    from sklearn.pipeline import make_pipeline

    texts = [" ".join(f"w{row}x{word}" for word in range(1000)) for row in range(100)]
    model = make_pipeline(CountVectorizer(), SGDClassifier(max_iter=5, tol=None)).fit(texts, [0, 1] * 50)

    found = scanned(dumped(model))

    assert (found.fault, refused_names(found)) == (None, [])
    assert "sklearn.linear_model._stochastic_gradient" in {one.module for one in found.imports}


def as_sent(rows: Any) -> Any:
    """Rows as a caller writes them in JSON."""
    if isinstance(rows, pd.DataFrame):
        return rows.to_dict("records")
    return rows.tolist() if isinstance(rows, np.ndarray) else rows


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_model_answers_what_it_says_itself(name: str) -> None:
    model, rows = HONEST[name].fit(), HONEST[name].fitted_to[0][:5]
    served = Estimator(model)
    method = next(one for one in ("predict", "transform", "score_samples") if hasattr(model, one))
    expected = getattr(model, method)(rows)
    dense = expected.toarray() if hasattr(expected, "toarray") else np.asarray(expected)

    answers = json.loads(to_json(served.run({"inputs": as_sent(rows)})))
    served.run(served.sample())

    if dense.dtype.kind in "OU":
        assert answers == dense.tolist()
    else:
        np.testing.assert_allclose(np.array(answers, dtype=float), dense.astype(float))


@pytest.mark.filterwarnings("ignore")
def test_a_trained_pipeline_is_packed_dropped_and_answers(tmp_path: Path) -> None:
    """Nothing but `joblib.dump` and two commands: no code, no deploy.toml."""
    model, state = HONEST["columns by name"].fit(), tmp_path / "state"
    (tmp_path / "model").mkdir()
    joblib.dump(model, tmp_path / "model" / "model.joblib")
    engine = EngineProcess(state, idle_after="1h", sweep_every="1s")
    engine.start()
    try:
        pushed = tarmac("push", str(tmp_path / "model"), "--name", "people", "--wait", "--json", "--state", str(state))
        asked = {"inputs": [{"age": 1.5, "colour": "red", "size": "small"}, {"age": -2, "colour": "blue", "size": "x"}]}
        refused = tarmac("invoke", "people", json.dumps(asked), "--state", str(state))
        asked["inputs"][1]["size"] = "large"
        asked["parameters"] = {"method": "predict_proba"}  # type: ignore[assignment]
        answered = tarmac("invoke", "people", json.dumps(asked), "--state", str(state))
    finally:
        engine.kill()

    assert pushed.raw["state"] == "ready", pushed.err
    assert refused.code == 1
    assert "unknown categories ['x']" in refused.err
    rows = pd.DataFrame(asked["inputs"])[["age", "colour", "size"]]
    np.testing.assert_allclose(json.loads(answered.out), model.predict_proba(rows))
