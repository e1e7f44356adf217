"""A real, tiny BERT sentiment classifier, trained from scratch in seconds: `python -m examples.sentiment DIR`."""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.saving import one_thread, save
from examples.sentences import labelled_sentences
from examples.vocabularies import MAX_LENGTH, word_piece_tokenizer

EPOCHS = 6
BATCH_SIZE = 32
LEARNING_RATE = 2e-3
TRAIN_COUNT = 560
HELD_OUT_COUNT = 140
VOCABULARY_SIZE = 400
LABELS = ("NEGATIVE", "POSITIVE")


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """What came out of a build.

    Attributes:
        accuracy: On held-out sentences of the same templates: it proves the mechanism, not generalisation.
        parameters: How many weights the model has.
        seconds: Wall clock, imports included.
    """

    accuracy: float
    parameters: int
    seconds: float


def build(directory: Path, *, seed: int = 0, on_step: Callable[[int, int], None] | None = None) -> BuildReport:
    """Train the classifier and save it as transformers does: config.json, model.safetensors, tokenizer files.

    Args:
        directory: Where to save; created when it is not there.
        seed: Decides weights and order; the same seed gives the same model on the same machine.
        on_step: Told (steps done, steps in all) after every training step.
    """
    started = time.perf_counter()
    import torch

    torch.manual_seed(seed)
    sentences = labelled_sentences(count=TRAIN_COUNT + HELD_OUT_COUNT, seed=seed)
    train, held_out = sentences[:TRAIN_COUNT], sentences[TRAIN_COUNT:]
    tokenizer = word_piece_tokenizer((text for text, _ in train), size=VOCABULARY_SIZE)
    model = _new_model(len(tokenizer))
    with one_thread():
        _train(model, tokenizer, train, on_step or (lambda _done, _total: None))
        accuracy = _accuracy(model, tokenizer, held_out)
    save(model, tokenizer, directory)
    return BuildReport(
        accuracy=accuracy,
        parameters=sum(weights.numel() for weights in model.parameters()),
        seconds=time.perf_counter() - started,
    )


def _new_model(vocabulary_size: int) -> Any:
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=vocabulary_size,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=MAX_LENGTH,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return BertForSequenceClassification(config)


def _train(
    model: Any, tokenizer: Any, sentences: Sequence[tuple[str, int]], on_step: Callable[[int, int], None]
) -> None:
    import torch

    encoded = tokenizer([text for text, _ in sentences], padding=True, return_tensors="pt")
    labels = torch.tensor([label for _, label in sentences])
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    total = EPOCHS * -(-len(sentences) // BATCH_SIZE)
    done = 0
    model.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(sentences)).split(BATCH_SIZE):  # type: ignore[no-untyped-call]
            loss = model(**{name: tensor[rows] for name, tensor in encoded.items()}, labels=labels[rows]).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            done += 1
            on_step(done, total)
    model.eval()


def _accuracy(model: Any, tokenizer: Any, sentences: Sequence[tuple[str, int]]) -> float:
    import torch

    encoded = tokenizer([text for text, _ in sentences], padding=True, return_tensors="pt")
    with torch.inference_mode():
        guesses = model(**encoded).logits.argmax(-1)
    return float((guesses == torch.tensor([label for _, label in sentences])).float().mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Build into the directory named on the command line, with a progress bar when a person watches."""
    parser = argparse.ArgumentParser(prog="python -m examples.sentiment", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("training a sentiment classifier", total=None)
        report = build(
            options.directory,
            seed=options.seed,
            on_step=lambda done, total: progress.update(task, completed=done, total=total),
        )
    print(
        f"{options.directory}: {report.parameters:,} weights, {report.accuracy:.1%} right on held-out sentences,"
        f" built in {report.seconds:.1f} s"
    )


if __name__ == "__main__":
    main()
