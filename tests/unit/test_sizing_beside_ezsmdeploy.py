"""Tarmac's choice of an instance beside ezsmdeploy's: never dearer, never without an answer, never too small."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.peers.ezsmdeploy import NothingFound, choose
from benchmarks.sizing import Row, compare, is_kept
from chalicelib.door.needs import copy_bytes
from chalicelib.door.sizing import size_of_parameters
from tests.sizing_models import MODELS, PublicModel

MEASURED = {
    # Most memory (MB) of inference_code/serve.py with transformers 5.23, 2026-11-20. The first three under requests of
    # 512 tokens by 8 callers at once, the next with 64 tokens; the
    # first generator asked for 16 tokens by 8 callers at once, the other by one.
    "encoder, 53M, F32": (698, {"F32": 41_374_210}, ("BertModel", 8, 512, 8, 512)),
    "encoder, 110M, F32": (987, {"F32": 109_483_778}, ("BertModel", 12, 768, 12, 512)),
    "encoder, 335M, BF16": (1159, {"BF16": 335_143_938}, ("BertModel", 24, 1024, 16, 512)),
    "encoder, 335M, F32": (1672, {"F32": 335_143_938}, ("BertModel", 24, 1024, 16, 512)),
    "generator, 124M, F32": (1222, {"F32": 124_439_808}, ("GPT2LMHeadModel", 12, 768, 12, 1024)),
    "generator, 355M, BF16": (1132, {"BF16": 354_823_168}, ("GPT2LMHeadModel", 24, 1024, 16, 1024)),
}


def holds_what_is_promised(row: Row) -> None:
    assert row.ours is not None, row.why
    assert row.our_weights_fit, f"{row.model.name} on {row.ours}"
    if row.is_comparable:
        assert row.our_price is not None
        assert row.peer_price is not None
        assert row.our_price <= row.peer_price


def test_the_table_is_long_and_wide_enough() -> None:
    sizes = [model.stored_bytes for model in MODELS]

    assert len(MODELS) >= 30
    assert min(sizes) <= 1_000_000
    assert max(sizes) >= 140_000_000_000


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_public_model_has_an_instance_that_holds_it_and_is_not_dearer(model: PublicModel) -> None:
    holds_what_is_promised(compare(model))


def test_the_benchmark_notices_a_promise_that_is_broken() -> None:
    row = compare(MODELS[0])

    assert is_kept([row])
    assert not is_kept([replace(row, our_price=10.0)])
    assert not is_kept([replace(row, ours=None)])
    assert not is_kept([replace(row, our_weights_fit=False)])


@settings(deadline=None)
@given(st.floats(0.1, 600_000))
def test_whatever_a_file_weighs_the_promises_hold(megabytes: float) -> None:
    holds_what_is_promised(compare(PublicModel("a file", {}, other_mb=megabytes / 2)))


@settings(deadline=None)
@given(
    st.integers(1_000, 70_000_000_000),
    st.sampled_from(["F32", "F16", "BF16", "I8"]),
    st.sampled_from([model.config for model in MODELS if model.config and "quantization_config" not in model.config]),
)
def test_whatever_a_model_is_made_of_the_promises_hold(count: int, dtype: str, config: dict[str, object]) -> None:
    holds_what_is_promised(compare(PublicModel("a model", {dtype: count}, dict(config))))


def test_the_peer_chooses_as_it_was_found_to() -> None:
    assert choose(1_900_000_000) == "ml.m5.xlarge"
    assert choose(3_900_000_000) == "ml.r5d.xlarge"
    with pytest.raises(NothingFound):
        choose(4_000_000_000)
    assert choose(100_000_000, budget=1.0) == "ml.c4.xlarge"  # a budget makes its answer dearer


@pytest.mark.parametrize("name", MEASURED)
def test_the_formula_is_never_under_what_was_measured_and_not_far_over_it(name: str) -> None:
    megabytes, parameters, (architecture, layers, hidden, heads, tokens) = MEASURED[name]
    config = {
        "architectures": [architecture],
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "max_position_embeddings": tokens,
    }

    ratio = copy_bytes(size_of_parameters(parameters, config)) / (megabytes * 1e6)

    assert 1.0 <= ratio <= 2.25, ratio
