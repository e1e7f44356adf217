"""zero-shot-classification: labels of the caller's own, by a model trained to infer. Called by `registry`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .classification import logits_of_pairs
from .encoders import Encoder, EncoderTask
from .faults import CallerFault, LoadError
from .parameters import parse_parameters
from .payloads import Payload
from .tasks import Job, Task, as_text, listed

MAX_LABELS = 200


@dataclass(frozen=True)
class Parameters:
    """What a caller may ask for."""

    candidate_labels: str | tuple[str, ...] = ()
    hypothesis_template: str = "This example is {}."
    multi_label: bool = False


class ZeroShot(EncoderTask):
    """A natural-language-inference classifier."""

    name = "zero-shot-classification"
    parameters_type = Parameters
    suffixes = ("ForSequenceClassification",)
    auto_class = "AutoModelForSequenceClassification"
    batch_items = 16

    @classmethod
    def load(cls, model_dir: Path) -> Task:
        """Load the model. Raises LoadError when it has no label for entailment."""
        task = cls(Encoder.load(model_dir, suffixes=cls.suffixes, auto_class=cls.auto_class))
        if not any(label.lower().startswith("entail") for label in task.encoder.model.config.id2label.values()):
            raise LoadError(
                "zero-shot-classification needs a model with an entailment label; config.json's id2label has none"
            )
        return task

    def parse(self, payload: Payload) -> Job:
        """Check a payload; the labels may stand beside the inputs or inside them."""
        inputs = self.take_inputs(payload)
        raw = payload.get("parameters") or {}
        if isinstance(inputs, dict) and isinstance(raw, dict) and "sequences" in inputs:
            raw = {**raw, **{name: value for name, value in inputs.items() if name != "sequences"}}
            inputs = inputs["sequences"]
        sequences, is_list = listed(inputs)
        items = tuple(
            as_text(value, field=f"inputs[{index}]" if is_list else "inputs") for index, value in enumerate(sequences)
        )
        return Job(items=items, parameters=_with_labels(parse_parameters(raw, Parameters)), is_list=is_list)

    def parse_item(self, value: Any, *, field: str) -> str:
        """A string."""
        return as_text(value, field=field)

    def sample(self) -> Payload:
        """One sequence and two labels."""
        return {"inputs": "I am ready.", "parameters": {"candidate_labels": ["ready", "asleep"]}}

    def answer(self, items: Sequence[str], parameters: Parameters) -> list[dict[str, Any]]:
        """Score every label for every sequence, best first."""
        labels = parameters.candidate_labels
        hypotheses = [parameters.hypothesis_template.replace("{}", label) for label in labels]
        pairs = [(text, hypothesis) for text in items for hypothesis in hypotheses]
        logits = logits_of_pairs(self.encoder, pairs).reshape(len(items), len(labels), -1)
        scores = self._scores(logits, is_multi=parameters.multi_label or len(labels) == 1)
        return [_ranked(text, labels, row) for text, row in zip(items, scores.tolist(), strict=True)]

    def _scores(self, logits: Any, *, is_multi: bool) -> Any:
        """Entailment against contradiction for each label by itself, or entailment among the labels."""
        entailment, contradiction = self._label_indices()
        if is_multi:
            return logits[..., [contradiction, entailment]].softmax(-1)[..., 1]
        return logits[..., entailment].softmax(-1)

    def _label_indices(self) -> tuple[int, int]:
        """Where entailment is, and what stands for its opposite: the other end of the list."""
        labels = self.encoder.model.config.id2label
        entailment = next(index for index, label in labels.items() if label.lower().startswith("entail"))
        return entailment, -1 if entailment == 0 else 0


def _with_labels(parameters: Parameters) -> Parameters:
    """Split and check the labels, so that jobs with the same ones share a batch."""
    raw = parameters.candidate_labels
    labels = tuple(one.strip() for one in (raw.split(",") if isinstance(raw, str) else raw) if one.strip())
    if not labels:
        raise CallerFault("it must name at least one label", field="parameters.candidate_labels")
    if len(labels) > MAX_LABELS:
        raise CallerFault(
            f"{len(labels)} labels are too many; {MAX_LABELS} is the most", field="parameters.candidate_labels"
        )
    if "{}" not in parameters.hypothesis_template:
        raise CallerFault("it must have {} where the label goes", field="parameters.hypothesis_template")
    for label in (*labels, parameters.hypothesis_template):
        as_text(label, field="parameters.candidate_labels")
    return replace(parameters, candidate_labels=labels)


def _ranked(text: str, labels: Sequence[str], scores: Sequence[float]) -> dict[str, Any]:
    order = sorted(range(len(labels)), key=lambda index: -scores[index])
    return {"sequence": text, "labels": [labels[i] for i in order], "scores": [scores[i] for i in order]}
