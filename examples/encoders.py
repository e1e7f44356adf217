"""Tiny BERT models with random weights, one for each head. Called by `variants`."""

import json
from pathlib import Path
from typing import Any

from examples.saving import save
from examples.sentences import labelled_sentences
from examples.vocabularies import MAX_LENGTH, word_piece_tokenizer

ENTITY_LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
INFERENCE_LABELS = ("contradiction", "neutral", "entailment")


def tokenizer() -> Any:
    """The tokenizer that all of these share."""
    return word_piece_tokenizer((text for text, _ in labelled_sentences(count=700, seed=0)), size=400)


def bert(head: str, directory: Path, *, labels: tuple[str, ...] | None = None) -> None:
    """Save a BERT whose transformers class is `Bert` + *head*, with random weights of seed 0."""
    import torch
    import transformers

    torch.manual_seed(0)
    words = tokenizer()
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=MAX_LENGTH,
        initializer_range=0.3,  # ten times the usual: answers of random weights should differ from each other
        pad_token_id=words.pad_token_id,
    )
    if labels is not None:
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: index for index, label in enumerate(labels)}
    save(getattr(transformers, f"Bert{head}")(config), words, directory)


def entities(directory: Path) -> None:
    """A token classifier."""
    bert("ForTokenClassification", directory, labels=ENTITY_LABELS)


def reader(directory: Path) -> None:
    """A question answerer."""
    bert("ForQuestionAnswering", directory)


def masked(directory: Path) -> None:
    """A masked language model."""
    bert("ForMaskedLM", directory)


def inferrer(directory: Path) -> None:
    """A natural-language-inference classifier, for zero-shot labels."""
    bert("ForSequenceClassification", directory, labels=INFERENCE_LABELS)


def ranker(directory: Path) -> None:
    """A cross-encoder with one output."""
    bert("ForSequenceClassification", directory, labels=("LABEL_0",))


def encoder(directory: Path) -> None:
    """A bare encoder."""
    bert("Model", directory)


def sentence_encoder(directory: Path) -> None:
    """An encoder with the folder layout of sentence-transformers: mean pooling, length one."""
    encoder(directory)
    as_sentence_encoder(directory, width=32)


def as_sentence_encoder(directory: Path, *, width: int) -> None:
    """Write beside an encoder how sentence-transformers is to pool its vectors of *width* numbers."""
    modules = ("Transformer", "Pooling", "Normalize")
    raw_modules = [
        {"idx": index, "name": str(index), "path": f"{index}_{kind}" if index else "", "type": f"models.{kind}"}
        for index, kind in enumerate(modules)
    ]
    (directory / "modules.json").write_text(json.dumps(raw_modules), encoding="utf-8")
    (directory / "1_Pooling").mkdir(exist_ok=True)
    raw_pooling = {"word_embedding_dimension": width, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    (directory / "1_Pooling" / "config.json").write_text(json.dumps(raw_pooling), encoding="utf-8")
