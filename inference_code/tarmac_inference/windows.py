"""Texts longer than a model reads, in windows that overlap. Called by `tokens` and `questions`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .encoders import Encoder

WINDOW_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Window:
    """One window over one text.

    Attributes:
        item: Which text.
        first: How many tokens of the text lie before the window's first token.
        ids: Token ids, padding included.
        offsets: Characters of each token.
        kept: Positions in the window to take answers from: no special tokens, and each token of the text in one window
            only, the one in which more text surrounds it.
    """

    item: int
    first: int
    ids: Sequence[int]
    offsets: Sequence[tuple[int, int]]
    kept: Sequence[int]


def windows_of(encoder: Encoder, texts: Sequence[str]) -> Iterator[tuple[Window, Any]]:
    """Run a token classifier over all windows of all texts.

    Yields:
        Each window with its logits: float[tokens, labels].
    """
    overlap = encoder.max_length // 4
    batch = encoder.tokenize(
        texts,
        stride=overlap,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
    )
    items = batch["overflow_to_sample_mapping"].tolist()
    for start in range(0, len(items), WINDOW_BATCH):
        rows = slice(start, start + WINDOW_BATCH)
        logits = encoder.forward(
            {name: batch[name][rows] for name in encoder.tokenizer.model_input_names if name in batch}
        )
        for row in range(*rows.indices(len(items))):
            yield _window(batch, items, row, overlap), logits.logits[row - start].cpu()


def _window(batch: Any, items: Sequence[int], row: int, overlap: int) -> Window:
    special = batch["special_tokens_mask"][row].tolist()
    text_positions = [position for position, flag in enumerate(special) if not flag]
    number = row - items.index(items[row])
    is_last = row + 1 == len(items) or items[row + 1] != items[row]
    head = overlap // 2 if number else 0
    tail = overlap - overlap // 2 if not is_last else 0
    return Window(
        item=items[row],
        first=number * (len(text_positions) - overlap) if not is_last else _first_of_last(batch, items, row, overlap),
        ids=batch["input_ids"][row].tolist(),
        offsets=[(start, end) for start, end in batch["offset_mapping"][row].tolist()],
        kept=text_positions[head : len(text_positions) - tail],
    )


def _first_of_last(batch: Any, items: Sequence[int], row: int, overlap: int) -> int:
    """The last window may be shorter; those before it are all as long as the first."""
    number = row - items.index(items[row])
    full: int = batch["special_tokens_mask"][row - number].tolist().count(0)
    return number * (full - overlap)
