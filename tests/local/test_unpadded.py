"""Texts of different lengths without their padding: the same numbers as the models' own passes."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from examples.saving import one_thread

sys.path.insert(0, str(Path(__file__).parents[2] / "inference_code"))

import torch
import transformers
from tarmac_inference import layers
from tarmac_inference.heads import quick_classifier
from tarmac_inference.unpadded import Unpadded, without_padding

SIZES = {"vocab_size": 60, "pad_token_id": 1, "max_position_embeddings": 40}
BERT_SIZES = {
    **SIZES, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24,
    "initializer_range": 0.5, "type_vocab_size": 2,
}  # fmt: skip
CONFIGS = {
    "bert": transformers.BertConfig(**BERT_SIZES),
    "bert with another activation": transformers.BertConfig(**BERT_SIZES, hidden_act="relu"),
    "roberta": transformers.RobertaConfig(**BERT_SIZES),
    "xlm-roberta": transformers.XLMRobertaConfig(**BERT_SIZES),
    "camembert": transformers.CamembertConfig(**BERT_SIZES),
    "distilbert": transformers.DistilBertConfig(
        **SIZES, dim=16, n_layers=2, n_heads=4, hidden_dim=24, initializer_range=0.5
    ),
}
HEADS = ("AutoModel", "AutoModelForSequenceClassification", "AutoModelForTokenClassification")


@pytest.fixture(autouse=True)
def one_thread_only() -> Iterator[None]:
    """Two that wait for each other are slow where other processes compute, too."""
    with one_thread():
        yield


def model_of(name: str, head: str = "AutoModel") -> Any:
    torch.manual_seed(0)
    return getattr(transformers, head).from_config(CONFIGS[name]).eval()


def base_of(model: Any) -> Any:
    return getattr(model, model.base_model_prefix, model)


def padded(lengths: Sequence[int], *, side: str = "right") -> dict[str, Any]:
    width = max(lengths)
    torch.manual_seed(1)
    ids, mask = torch.ones(len(lengths), width, dtype=torch.int64), torch.zeros(len(lengths), width, dtype=torch.int64)
    for row, length in enumerate(lengths):
        place = slice(0, length) if side == "right" else slice(width - length, width)
        ids[row, place] = torch.randint(2, 60, (length,))
        mask[row, place] = 1
    return {"input_ids": ids, "attention_mask": mask}


def any_batch(texts: Sequence[str]) -> dict[str, Any]:
    return padded([len(text) % 30 + 3 for text in texts])


@pytest.mark.parametrize(
    ("head", "lengths"),
    [
        *(("AutoModel", lengths) for lengths in ((1,), (7,), (5, 5), (30, 1))),
        *((head, (3, 17, 1, 9)) for head in HEADS),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", CONFIGS)
def test_every_token_is_what_the_models_own_pass_makes_of_it(name: str, head: str, lengths: tuple[int, ...]) -> None:
    model, batch = model_of(name, head), padded(lengths)
    with torch.inference_mode():
        expected = model(**batch)[0]

        without_padding(model, any_batch)
        actual = model(**batch)[0]

    assert isinstance(base_of(model).forward, Unpadded)
    if actual.shape[:2] == batch["input_ids"].shape:
        kept = batch["attention_mask"].bool()
        actual, expected = actual[kept], expected[kept]
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-4)


def test_the_two_texts_of_a_pair_stay_apart() -> None:
    model, batch = model_of("bert"), padded((9, 4))
    batch["token_type_ids"] = (torch.arange(9) > 2).to(torch.int64).expand(2, -1) * batch["attention_mask"]
    with torch.inference_mode():
        expected = model(**batch).pooler_output

        without_padding(model, any_batch)
        actual = model(**batch).pooler_output

    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-4)
    with torch.inference_mode():
        assert not torch.allclose(model(**padded((9, 4))).pooler_output, expected, atol=1e-3)


@pytest.mark.parametrize("lengths", [(3,), (16, 16), (3, 17, 1), (*range(1, 40), 16, 32)], ids=len)
def test_compiled_and_uncompiled_are_the_same(lengths: tuple[int, ...]) -> None:
    quick, function = Unpadded(model_of("bert"), CONFIGS["bert"]), layers.compiled(layers.through_layers)
    positions = torch.cat([torch.arange(length) for length in lengths])
    arguments = (positions + 2, positions, None, torch.tensor(lengths), *quick.weights)

    with torch.inference_mode():
        compiled, uncompiled = function(*arguments), layers.through_layers(*arguments)

    assert function is not layers.through_layers
    torch.testing.assert_close(compiled, uncompiled)


def test_many_texts_of_many_lengths_are_each_what_they_are_alone() -> None:
    """Texts of similar lengths share a block of attention; none may see another's."""
    model, lengths = model_of("bert"), (*range(1, 40), 16, 32, 1, 2)
    batch = padded(lengths)
    with torch.inference_mode():
        expected = [
            model(**{name: rows[row : row + 1, :length] for name, rows in batch.items()})[0][0]
            for row, length in enumerate(lengths)
        ]

        without_padding(model, any_batch)
        actual = model(**batch)[0]

    assert isinstance(model.forward, Unpadded)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(actual[row, :length], expected[row], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_classifiers_logits_are_its_own_without_any_padding(name: str) -> None:
    model, lengths = model_of(name, "AutoModelForSequenceClassification"), (3, 17, 1, 9)
    batch = padded(lengths)
    rows = [ids[:length].tolist() for ids, length in zip(batch["input_ids"], lengths, strict=True)]
    with torch.inference_mode():
        expected = model(**batch).logits

        without_padding(model, any_batch)
        classify = quick_classifier(model, rows, batch)

        assert classify is not None
        torch.testing.assert_close(classify(rows), expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(classify(rows[:1]), expected[:1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("head", ["AutoModel", "AutoModelForTokenClassification"])
def test_what_is_no_classifier_of_texts_is_given_no_pass_of_one(head: str) -> None:
    model, batch = model_of("bert", head), padded((3, 5))
    without_padding(model, any_batch)

    assert quick_classifier(model, [[2, 3, 4], [2, 3, 4, 5, 6]], batch) is None


def test_a_classifier_with_a_pass_of_its_own_is_left_alone() -> None:
    """It may say the same of the texts it is tried with, and something else of others."""

    class Own(transformers.BertForSequenceClassification):
        def forward(self, *given: Any, **options: Any) -> Any:
            return super().forward(*given, **options)

    model, batch = Own(CONFIGS["bert"]).eval(), padded((3, 5))
    without_padding(model, any_batch)

    assert quick_classifier(model, [batch["input_ids"][0, :3].tolist(), batch["input_ids"][1].tolist()], batch) is None


def test_a_classifier_with_another_head_is_left_alone() -> None:
    """What stands where BERT has its classifier says something else than one product: it is found out by trying."""
    model, batch = model_of("bert", "AutoModelForSequenceClassification"), padded((3, 5))
    model.classifier.register_forward_hook(lambda module, given, answer: answer * 2)
    without_padding(model, any_batch)
    rows = [batch["input_ids"][0, :3].tolist(), batch["input_ids"][1].tolist()]

    assert quick_classifier(model, rows, batch) is None


def test_what_asks_for_more_than_vectors_is_the_models_own_to_answer() -> None:
    model = model_of("bert")
    without_padding(model, any_batch)

    with torch.inference_mode():
        answer = model(**padded((5, 2)), output_hidden_states=True)

    assert len(answer.hidden_states) == 3


def test_a_text_without_tokens_is_the_models_own_to_answer() -> None:
    model, batch = model_of("bert"), {"input_ids": torch.ones(1, 3, dtype=torch.int64)}
    batch["attention_mask"] = torch.zeros(1, 3, dtype=torch.int64)
    with torch.inference_mode():
        expected = model(**batch).last_hidden_state
        without_padding(model, any_batch)

        actual = model(**batch).last_hidden_state

    torch.testing.assert_close(actual, expected)


def test_a_model_that_pads_otherwise_is_left_alone() -> None:
    """RoBERTa counts positions from the first token on, not from the left edge."""
    model = model_of("roberta")

    without_padding(model, lambda texts: padded([len(text) % 30 + 3 for text in texts], side="left"))

    assert not isinstance(model.forward, Unpadded)


@pytest.mark.parametrize(
    "config",
    [
        transformers.ElectraConfig(vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2),
        transformers.BertConfig(**BERT_SIZES, is_decoder=True),
    ],
    ids=["another family", "a decoder"],
)
def test_other_models_are_left_alone(config: Any) -> None:
    model = transformers.AutoModel.from_config(config).eval()

    without_padding(model, any_batch)

    assert not isinstance(model.forward, Unpadded)


def test_the_weights_are_not_held_twice() -> None:
    model = model_of("bert")
    without_padding(model, any_batch)
    layer = model.encoder.layer[0].attention.self

    places = [one.weight.untyped_storage().data_ptr() for one in (layer.query, layer.key, layer.value)]

    assert len(set(places)) == 1
