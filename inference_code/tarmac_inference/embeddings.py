"""feature-extraction and sentence-similarity: vectors of texts, pooled as the model says. Called by `registry`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from .encoders import Encoder, EncoderTask
from .faults import CallerFault, LoadError
from .payloads import Payload
from .tasks import Job, Task, as_text, kind_of

Pooling = Literal["none", "mean", "cls", "max", "last"]
POOLING_FLAGS: tuple[tuple[str, Pooling], ...] = (
    ("pooling_mode_mean_tokens", "mean"),
    ("pooling_mode_cls_token", "cls"),
    ("pooling_mode_max_tokens", "max"),
    ("pooling_mode_lasttoken", "last"),
)
"""Names in a sentence-transformers 1_Pooling/config.json."""


@dataclass(frozen=True)
class Parameters:
    """What a caller may ask for; None stands for what the model's own configuration says."""

    pooling: Pooling | None = None
    normalize: bool | None = None


@dataclass(frozen=True, kw_only=True)
class SentenceConfig:
    """What a sentence-transformers folder says: how tokens become one vector, and whether it has length one."""

    pooling: Pooling
    normalize: bool

    @classmethod
    def read(cls, model_dir: Path) -> "SentenceConfig | None":
        """Read modules.json and 1_Pooling/config.json; None when there are none. Raises LoadError."""
        pooling_path, modules_path = model_dir / "1_Pooling" / "config.json", model_dir / "modules.json"
        if not pooling_path.is_file() and not modules_path.is_file():
            return None
        raw_pooling = _read_json(pooling_path) if pooling_path.is_file() else {"pooling_mode_mean_tokens": True}
        chosen = [kind for flag, kind in POOLING_FLAGS if raw_pooling.get(flag)]
        if len(chosen) != 1 or raw_pooling.get("pooling_mode_mean_sqrt_len_tokens"):
            raise LoadError("1_Pooling/config.json asks for a pooling that is not mean, cls, max or last token alone")
        modules = _read_json(modules_path) if modules_path.is_file() else []
        kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in modules]
        foreign = [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]
        if foreign:
            raise LoadError(f"modules.json has a {foreign[0]} module, which is not served; bring a code/inference.py")
        return cls(pooling=chosen[0], normalize="Normalize" in kinds)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LoadError(f"{path.name} cannot be read: {error}") from None


class FeatureExtraction(EncoderTask):
    """An encoder."""

    name = "feature-extraction"
    parameters_type = Parameters
    suffixes = ("Model",)
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
            return [[(_unit(one) if normalize else one).tolist()] for one in vectors]
        pooled = pool(hidden, mask, pooling)
        return cast("list[Any]", (_unit(pooled) if normalize else pooled).tolist())


def pool(hidden: Any, mask: Any, pooling: Pooling) -> Any:
    """Make one vector of each row's tokens: float[batch, hidden], without the padding."""
    import torch

    wide = mask.unsqueeze(-1).to(hidden.dtype)
    if pooling == "mean":
        return (hidden * wide).sum(1) / wide.sum(1).clamp(min=1e-9)
    if pooling == "max":
        return hidden.masked_fill(wide == 0, float("-inf")).amax(1)
    places = mask.to(torch.int64) * torch.arange(1, mask.shape[1] + 1)
    chosen = places.argmax(1) if pooling == "last" else mask.argmax(1)
    return hidden[torch.arange(len(hidden)), chosen]


def _unit(vectors: Any) -> Any:
    import torch

    return torch.nn.functional.normalize(vectors, dim=-1)


class SentenceSimilarity(EncoderTask):
    """An encoder that compares one sentence with others."""

    name = "sentence-similarity"
    suffixes = ("Model",)
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
        return list(_unit(pool(hidden, batch["attention_mask"], self._pooling)))

    def render(self, job: Job, answers: Sequence[Any]) -> Any:  # noqa: ARG002  # the answers say it all
        """Cosines of the source with each sentence."""
        source, *others = answers
        return [float(source @ other) for other in others]
