"""The whole corpus: every archive by name, with the checks that it must get. For test_door_corpus and the fuzzers."""

from tests.unit import (
    corpus_archives,
    corpus_code,
    corpus_hostile_code,
    corpus_hostile_models,
    corpus_hostile_tars,
    corpus_models,
    corpus_wishes,
)
from tests.unit.corpus import Case

_PARTS = (
    corpus_archives,
    corpus_models,
    corpus_code,
    corpus_wishes,
    corpus_hostile_tars,
    corpus_hostile_models,
    corpus_hostile_code,
)
CASES: dict[str, Case] = {name: case for part in _PARTS for name, case in part.CASES.items()}
assert len(CASES) == sum(len(part.CASES) for part in _PARTS), "two cases have the same name"
