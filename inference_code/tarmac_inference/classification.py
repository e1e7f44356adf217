"""text-classification: one label, or several with their scores, for a text or a pair of texts. Called by `registry`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .encoders import Encoder, EncoderTask
from .faults import CallerFault
from .parameters import bounded
from .payloads import Payload
from .tasks import Job, as_text, kind_of

Pair = tuple[str, str | None]

_UNSET = -1
"""top_k as nobody can send it: then one input gets its best label alone, as a pipeline answers."""


@dataclass(frozen=True)
class Parameters:
    """What a caller may ask for."""

    top_k: int | None = bounded(_UNSET, least=1, most=100_000)
    return_all_scores: bool | None = None
    function_to_apply: Literal["softmax", "sigmoid", "none", "default"] | None = None


class TextClassification(EncoderTask):
    """A sequence classifier."""

    name = "text-classification"
    parameters_type = Parameters
    suffixes = ("ForSequenceClassification",)
    auto_class = "AutoModelForSequenceClassification"

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        config = encoder.model.config
        self._labels = [config.id2label[index] for index in range(config.num_labels)]

    def parse_item(self, value: Any, *, field: str) -> Pair:
        """A string, or {"text", "text_pair"}."""
        return as_pair(value, field=field)

    def sample(self) -> Payload:
        """Two lengths at once, as a batch brings them."""
        return {"inputs": ["ready", "are you ready?"]}

    def answer(self, items: Sequence[Pair], parameters: Parameters) -> list[list[dict[str, Any]]]:
        """Score every label, best first."""
        scores = scored(logits_of_pairs(self.encoder, items), self._function(parameters)).tolist()
        return [self._ranked(row, parameters) for row in scores]

    def render(self, job: Job, answers: Sequence[Any]) -> Any:
        """A pipeline's shape: without top_k each input has one answer, with it a list of them."""
        if _wants_best_only(job.parameters):
            return answers[0][0] if job.is_object else [ranked[0] for ranked in answers]
        return list(answers) if job.is_list else answers[0]

    def _ranked(self, row: list[float], parameters: Parameters) -> list[dict[str, Any]]:
        if _wants_best_only(parameters):
            best = max(range(len(row)), key=row.__getitem__)
            return [{"label": self._labels[best], "score": row[best]}]
        top_k = None if parameters.top_k == _UNSET else parameters.top_k
        order = sorted(range(len(row)), key=row.__getitem__, reverse=True)[:top_k]
        return [{"label": self._labels[index], "score": row[index]} for index in order]

    def _function(self, parameters: Parameters) -> str:
        if parameters.function_to_apply not in (None, "default"):
            return str(parameters.function_to_apply)
        return default_function(self.encoder.model.config)


def _wants_best_only(parameters: Parameters) -> bool:
    return parameters.top_k == _UNSET and not parameters.return_all_scores


def default_function(config: Any) -> str:
    """Choose what turns logits into scores, as the model's configuration says."""
    configured = getattr(config, "function_to_apply", None)
    if configured:
        return str(configured)
    problem = getattr(config, "problem_type", None)
    if problem == "regression":
        return "none"
    return "sigmoid" if problem == "multi_label_classification" or config.num_labels == 1 else "softmax"


def as_pair(value: Any, *, field: str) -> Pair:
    """Check one text or pair of texts. Raises CallerFault."""
    if isinstance(value, dict):
        unknown = value.keys() - {"text", "text_pair"}
        if unknown or "text" not in value:
            raise CallerFault('it must be {"text": ..., "text_pair": ...}, with text_pair optional', field=field)
        pair = value.get("text_pair")
        second = None if pair is None else as_text(pair, field=f"{field}.text_pair")
        return as_text(value["text"], field=f"{field}.text"), second
    if not isinstance(value, str):
        raise CallerFault(f"it must be a string or a list of strings, not {kind_of(value)}", field=field)
    return as_text(value, field=field), None


def logits_of_pairs(encoder: Encoder, items: Sequence[Pair]) -> Any:
    """Run texts and pairs together: float32[batch, labels]."""
    import torch

    singles = [index for index, (_, second) in enumerate(items) if second is None]
    if len(singles) == len(items):
        return encoder.logits([text for text, _ in items])
    pairs = [index for index, (_, second) in enumerate(items) if second is not None]
    paired = encoder.tokenize([items[index][0] for index in pairs], [str(items[index][1]) for index in pairs])
    parts = [encoder.forward(paired).logits.float()]
    if singles:
        parts.append(encoder.logits([items[index][0] for index in singles]))
    together = torch.cat(parts)
    places = torch.tensor([*pairs, *singles], device=together.device)
    return together[places.argsort()]


def scored(logits: Any, function: str) -> Any:
    """Turn logits into scores, by one of the names that pipelines give the functions."""
    if function == "softmax":
        return logits.softmax(-1)
    return logits.sigmoid() if function == "sigmoid" else logits
