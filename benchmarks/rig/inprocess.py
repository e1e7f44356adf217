"""The classifier without any server, in this process: what transformers costs. Called by `benchmarks.serving`."""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.rig.callers import Asked

LIMIT_BATCH = 32
_WARM_UP = 20


def pipeline_alone(model_dir: Path, texts: Sequence[str], seconds: float) -> Asked:
    """Transformers' own pipeline, one text after the other, on one thread."""
    import torch
    from transformers import pipeline

    torch.set_num_threads(1)
    pipe = pipeline("text-classification", model=str(model_dir), device="cpu")
    return _loop(lambda index: pipe(texts[index % len(texts)]), 1, seconds)


def batched_forward(model_dir: Path, texts: Sequence[str], seconds: float) -> Asked:
    """Tokenizer and model called directly with whole batches, on one thread."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    model = AutoModelForSequenceClassification.from_pretrained(model_dir).eval()

    def forward(index: int) -> None:
        batch = [texts[(index * LIMIT_BATCH + row) % len(texts)] for row in range(LIMIT_BATCH)]
        with torch.inference_mode():
            model(**tokenizer(batch, padding=True, truncation=True, return_tensors="pt")).logits.softmax(-1).tolist()

    return _loop(forward, LIMIT_BATCH, seconds)


def _loop(call: Callable[[int], object], items: int, seconds: float) -> Asked:
    for index in range(_WARM_UP):
        call(index)
    took: list[float] = []
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s:
        started_s = time.perf_counter()
        call(len(took))
        took.append(time.perf_counter() - started_s)
    return Asked(statistics.median(took) * 1000, len(took) * items / sum(took))
