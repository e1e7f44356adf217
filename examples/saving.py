"""How every builder saves its model, and the quiet it works in. Called by every builder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: faster for tiny models, and sums come out in one order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """A bar for a file of 100 kB says nothing."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def save(model: Any, processor: Any, directory: Path) -> None:
    """Write config.json, model.safetensors and the tokenizer's or image processor's files."""
    directory.mkdir(parents=True, exist_ok=True)
    with _no_progress_bars():
        model.save_pretrained(directory)
        processor.save_pretrained(directory)
