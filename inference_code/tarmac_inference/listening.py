"""audio-classification: what a sound is. Called by `registry`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .classification import default_function, scored
from .loading import load_feature_extractor, load_model
from .parameters import bounded
from .payloads import Payload
from .recordings import check_library
from .sounds import as_sound, silence
from .tasks import Task


@dataclass(frozen=True)
class Parameters:
    """What a caller may ask for."""

    top_k: int | None = bounded(5, least=1, most=100_000)
    function_to_apply: Literal["softmax", "sigmoid", "none"] | None = None


class AudioClassification(Task):
    """A classifier of sounds."""

    name = "audio-classification"
    parameters_type = Parameters
    batch_items = 8

    def __init__(self, model: Any, extractor: Any) -> None:
        self.model = model
        self.extractor = extractor

    @classmethod
    def load(cls, model_dir: Path) -> Task:
        """Load weights and feature extractor."""
        check_library()
        suffixes = ("ForSequenceClassification", "ForAudioClassification")
        model = load_model(model_dir, suffixes=suffixes, auto_class="AutoModelForAudioClassification")
        return cls(model, load_feature_extractor(model_dir))

    def take_inputs(self, payload: Payload) -> Any:
        """Take the inputs; a list of numbers is one sound, not many."""
        return one_sound(super().take_inputs(payload))

    def parse_item(self, value: Any, *, field: str) -> Any:
        """A recording, or samples."""
        return as_sound(value, rate=self.extractor.sampling_rate, field=field)

    def sample(self) -> Payload:
        """A second of next to nothing."""
        return {"inputs": {"raw": silence(self.extractor.sampling_rate)}}

    def answer(self, items: Sequence[Any], parameters: Parameters) -> list[list[dict[str, Any]]]:
        """Score labels for each sound, best first; sounds of one length together, so that none hears padding."""
        answers: list[list[dict[str, Any]]] = [[] for _ in items]
        sounds = [item.heard() for item in items]
        for length in {len(sound) for sound in sounds}:
            places = [place for place, sound in enumerate(sounds) if len(sound) == length]
            scores = self._scores([sounds[place] for place in places], parameters)
            for place, row in zip(places, scores, strict=True):
                answers[place] = self._ranked(row, parameters.top_k)
        return answers

    def _scores(self, sounds: list[Any], parameters: Parameters) -> list[list[float]]:
        rate = self.extractor.sampling_rate
        inputs = self.extractor(sounds, sampling_rate=rate, return_tensors="pt")
        logits = self.model(**{name: value.to(self.model.device) for name, value in inputs.items()}).logits.float()
        rows: list[list[float]] = scored(
            logits, parameters.function_to_apply or default_function(self.model.config)
        ).tolist()
        return rows

    def _ranked(self, row: list[float], top_k: int | None) -> list[dict[str, Any]]:
        names = self.model.config.id2label
        order = sorted(range(len(row)), key=row.__getitem__, reverse=True)[:top_k]
        return [{"score": row[index], "label": names[index]} for index in order]


def one_sound(inputs: Any) -> Any:
    """Wrap a list of numbers, which is one sound and not a list of inputs."""
    if hasattr(inputs, "dtype") or (isinstance(inputs, list) and inputs and isinstance(inputs[0], int | float)):
        return {"raw": inputs}
    return inputs
