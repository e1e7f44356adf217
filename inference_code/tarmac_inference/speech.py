"""automatic-speech-recognition: what is said in a sound. Called by `registry`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .faults import CallerFault
from .listening import one_sound
from .loading import load_feature_extractor, load_model, load_tokenizer
from .parameters import bounded
from .payloads import Payload
from .recordings import check_library
from .sampling import generate
from .sounds import as_sound, silence
from .tasks import Task

WINDOW_S = 30.0
"""Longer sounds are heard in windows of so many seconds: what Whisper's own hold."""


@dataclass(frozen=True)
class Parameters:
    """What a caller may ask for; None stands for what the model's configuration says."""

    language: str | None = None
    task: Literal["transcribe", "translate"] | None = None
    max_new_tokens: int | None = bounded(None, least=1, most=4096)
    num_beams: int | None = bounded(None, least=1, most=16)


class SpeechRecognition(Task):
    """A listener that writes: by CTC, a character for each moment, or by generating as Whisper does."""

    name = "automatic-speech-recognition"
    parameters_type = Parameters
    batch_items = 8

    def __init__(self, model: Any, extractor: Any, tokenizer: Any) -> None:
        self.model = model
        self.extractor = extractor
        self.tokenizer = tokenizer
        self._generates = bool(getattr(model.config, "is_encoder_decoder", False))

    @classmethod
    def load(cls, model_dir: Path) -> Task:
        """Load weights, feature extractor and tokenizer."""
        check_library()
        suffixes = ("ForCTC", "ForConditionalGeneration", "SpeechEncoderDecoderModel")
        auto_class = "AutoModelForCTC" if _is_ctc(model_dir) else "AutoModelForSpeechSeq2Seq"
        model = load_model(model_dir, suffixes=suffixes, auto_class=auto_class)
        return cls(model, load_feature_extractor(model_dir), load_tokenizer(model_dir))

    def take_inputs(self, payload: Payload) -> Any:
        """Take the inputs; a list of numbers is one sound, not many."""
        return one_sound(super().take_inputs(payload))

    def parse_item(self, value: Any, *, field: str) -> Any:
        """A recording, or samples."""
        return as_sound(value, rate=self.extractor.sampling_rate, field=field)

    def sample(self) -> Payload:
        """A second of next to nothing, in two tokens."""
        limit = {"max_new_tokens": 2} if self._generates else {}
        return {"inputs": {"raw": silence(self.extractor.sampling_rate)}, "parameters": limit}

    def answer(self, items: Sequence[Any], parameters: Parameters) -> list[dict[str, str]]:
        """Write down each sound."""
        window = int(WINDOW_S * self.extractor.sampling_rate)
        texts: list[list[str]] = [[] for _ in items]
        windows = [
            (place, sound[start : start + window])
            for place, sound in enumerate([item.heard() for item in items])
            for start in range(0, len(sound), window)
        ]
        for start in range(0, len(windows), self.batch_items):
            some = windows[start : start + self.batch_items]
            heard = self._hear([sound for _, sound in some], parameters)
            for (place, _), text in zip(some, heard, strict=True):
                texts[place].append(text.strip())
        return [{"text": " ".join(filter(None, parts))} for parts in texts]

    def _hear(self, sounds: list[Any], parameters: Parameters) -> list[str]:
        if self._generates:
            ids = self._written(self._features(sounds), parameters)
            return list(self.tokenizer.batch_decode(ids, skip_special_tokens=True))
        if parameters != Parameters():
            raise CallerFault("this model takes none", field="parameters")
        # One by one where lengths differ: half of these models were trained without knowing what padding is.
        batches = [sounds] if len({len(sound) for sound in sounds}) == 1 else [[sound] for sound in sounds]
        texts: list[str] = []
        for batch in batches:
            logits = self.model(**self._features(batch)).logits
            texts.extend(self.tokenizer.batch_decode(logits.argmax(-1)))
        return texts

    def _features(self, sounds: list[Any]) -> dict[str, Any]:
        inputs = self.extractor(sounds, sampling_rate=self.extractor.sampling_rate, return_tensors="pt")
        return {name: value.to(self.model.device) for name, value in inputs.items()}

    def _written(self, features: dict[str, Any], parameters: Parameters) -> Any:
        names = ("language", "task", "max_new_tokens", "num_beams")
        options = {name: value for name in names if (value := getattr(parameters, name)) is not None}
        return generate(self.model, features, options)


def _is_ctc(model_dir: Path) -> bool:
    from .loading import read_config

    return any(str(name).endswith("ForCTC") for name in read_config(model_dir).get("architectures") or [])
