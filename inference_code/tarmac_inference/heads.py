"""From token ids to logits in one compiled call, for classifiers that skip padding. Called by `encoders`.

The same numbers as the model's own pass, which takes three times as long for a tiny model and a lone text.
"""

from collections.abc import Callable, Sequence
from typing import Any

from .unpadded import Unpadded, base_of, is_close

Rows = Sequence[Sequence[int]]
"""The token ids of each text; none is without tokens."""


def quick_classifier(model: Any, rows: Rows, batch: Any) -> Callable[[Rows], Any] | None:
    """Give a function from token ids to logits, float32[texts, labels], where the model is one that is known here.

    Args:
        model: Any transformers model.
        rows: Texts to try it with.
        batch: The same texts, padded, as the model takes them.

    Returns:
        None where the model is another, or where the function would say something else.
    """
    import torch

    if not type(model).__module__.startswith("transformers.models.") or "forward" in vars(model):
        return None  # its pass may be its own, whatever it says of a few texts
    base = base_of(model)
    quick, parts = base.__dict__.get("forward"), _parts(model, base)
    if not isinstance(quick, Unpadded) or parts is None:
        return None
    classify = _Classifier(quick, *parts)
    with torch.inference_mode():
        try:
            expected, actual = model(**batch).logits, classify(rows)
        except (AttributeError, IndexError, RuntimeError, TypeError):  # its head is not what its names say
            return None
    return classify if expected.shape == actual.shape and is_close(actual, expected) else None


def _parts(model: Any, base: Any) -> tuple[Any, Any, str] | None:
    """Find a head's two products, and what is between them."""
    classifier = getattr(model, "classifier", None)
    if hasattr(model, "pre_classifier"):  # DistilBERT
        return model.pre_classifier, classifier, "relu"
    if classifier is not None and hasattr(classifier, "out_proj"):  # RoBERTa
        return classifier.dense, classifier.out_proj, "tanh"
    if hasattr(classifier, "weight") and getattr(base, "pooler", None) is not None:  # BERT
        return base.pooler.dense, classifier, "tanh"
    return None


class _Classifier:
    def __init__(self, quick: Unpadded, first: Any, second: Any, squashed: str) -> None:
        from .layers import classified, compiled

        self._run = compiled(classified)
        head = [tensor.data for one in (first, second) for tensor in (one.weight, one.bias)]
        self._arguments = (quick.first_position, head, squashed, *quick.weights)

    def __call__(self, rows: Rows) -> Any:
        import torch

        ids, lengths = [one for row in rows for one in row], [len(row) for row in rows]
        return self._run(torch.tensor(ids), torch.tensor(lengths), *self._arguments)
