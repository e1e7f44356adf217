"""feature-extraction and sentence-similarity: vectors of texts, pooled as the model says. Called by `registry`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from .encoders import Encoder, EncoderTask
from .faults import CallerFault
from .payloads import Payload
from .pooling import Pooling, SentenceConfig, pool, unit
from .tasks import Job, Task, as_text, kind_of


@dataclass(frozen=True)
class Parameters:
    """What a caller may ask for; None stands for what the model's own configuration says."""

    pooling: Pooling | None = None
    normalize: bool | None = None


class FeatureExtraction(EncoderTask):
    """An encoder."""

    name = "feature-extraction"
    parameters_type = Parameters
    suffixes = ()  # a bare encoder, whatever head the weights were saved with
    auto_class = "AutoModel"

    def __init__(self, encoder: Encoder, sentences: SentenceConfig | None = None) -> None:
        super().__init__(encoder)
        self._sentences = sentences

    @classmethod
    def load(cls, model_dir: Path) -> Task:
        """Load the encoder, with its pooling where it has one."""
        sentences = SentenceConfig.read(model_dir)
        encoder = Encoder.load(model_dir, suffixes=cls.suffixes, auto_class=cls.auto_class)
        return cls(encoder, sentences)

    def parse_item(self, value: Any, *, field: str) -> str:
        """A string."""
        return as_text(value, field=field)

    def sample(self) -> Payload:
        """Two lengths at once, as a batch brings them."""
        return {"inputs": ["ready", "are you ready?"]}

    def answer(self, items: Sequence[str], parameters: Parameters) -> list[Any]:
        """Vectors: float[hidden] each where they are pooled, else float[1, tokens, hidden]."""
        default = self._sentences
        pooling = parameters.pooling or (default.pooling if default else "none")
        normalize = parameters.normalize if parameters.normalize is not None else bool(default and default.normalize)
        batch = self.encoder.tokenize(items)
        hidden = self.encoder.forward(batch).last_hidden_state.float().cpu()
        mask = batch["attention_mask"]
        if pooling == "none":
            vectors = [row[kept.bool()] for row, kept in zip(hidden, mask, strict=True)]
            return [[(unit(one) if normalize else one).tolist()] for one in vectors]
        pooled = pool(hidden, mask, pooling)
        return cast("list[Any]", (unit(pooled) if normalize else pooled).tolist())


class SentenceSimilarity(EncoderTask):
    """An encoder that compares one sentence with others."""

    name = "sentence-similarity"
    suffixes = ()  # a bare encoder, whatever head the weights were saved with
    auto_class = "AutoModel"

    def __init__(self, encoder: Encoder, sentences: SentenceConfig | None = None) -> None:
        super().__init__(encoder)
        self._pooling: Pooling = sentences.pooling if sentences else "mean"

    @classmethod
    def load(cls, model_dir: Path) -> Task:
        """Load the encoder, with its pooling where it has one, else the mean."""
        sentences = SentenceConfig.read(model_dir)
        return cls(Encoder.load(model_dir, suffixes=cls.suffixes, auto_class=cls.auto_class), sentences)

    def parse(self, payload: Payload) -> Job:
        """Take {"source_sentence", "sentences"} apart into texts, the source first."""
        inputs = self.take_inputs(payload)
        if not isinstance(inputs, dict):
            wanted = '{"source_sentence": ..., "sentences": [...]}'
            raise CallerFault(f"it must be {wanted}, not {kind_of(inputs)}", field="inputs")
        sentences = inputs.get("sentences")
        if not isinstance(sentences, list):
            raise CallerFault(f"it must be a list of strings, not {kind_of(sentences)}", field="inputs.sentences")
        source = as_text(inputs.get("source_sentence"), field="inputs.source_sentence")
        others = [as_text(one, field=f"inputs.sentences[{index}]") for index, one in enumerate(sentences)]
        return Job(items=(source, *others), parameters=None, is_list=True)

    def parse_item(self, value: Any, *, field: str) -> str:
        """A string."""
        return as_text(value, field=field)

    def sample(self) -> Payload:
        """One sentence against one."""
        return {"inputs": {"source_sentence": "are you ready?", "sentences": ["ready"]}}

    def answer(self, items: Sequence[str], parameters: Any) -> list[Any]:  # noqa: ARG002  # it takes none
        """One vector of length one for each text."""
        batch = self.encoder.tokenize(items)
        hidden = self.encoder.forward(batch).last_hidden_state.float().cpu()
        return list(unit(pool(hidden, batch["attention_mask"], self._pooling)))

    def render(self, job: Job, answers: Sequence[Any]) -> Any:  # noqa: ARG002  # the answers say it all
        """Cosines of the source with each sentence."""
        source, *others = answers
        return [float(source @ other) for other in others]
