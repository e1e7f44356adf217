"""scikit-learn models of every family: what the door lets in under its default trust, the model server answers with."""

import io
import pickle
from typing import Any

import joblib
import pytest

from chalicelib.door.allowed import is_allowed
from chalicelib.door.machines import Budget
from chalicelib.door.pickles import Scanned, scan
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
