"""text-ranking: texts in the order in which they answer a query, by a cross-encoder. Called by `registry`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .classification import Pair, default_function, logits_of_pairs, scored
from .encoders import EncoderTask
from .faults import CallerFault
from .parameters import bounded, parse_parameters
from .payloads import Payload
from .tasks import Job, as_text, kind_of, listed


@dataclass(frozen=True)
class Parameters:
    """What a caller may ask for."""

    raw_scores: bool = False
    return_text: bool = False
    top_n: int | None = bounded(None, least=1, most=100_000)


class TextRanking(EncoderTask):
    """A cross-encoder with one output, or with a last label that means "fits"."""

    name = "text-ranking"
    parameters_type = Parameters
    suffixes = ("ForSequenceClassification",)
    auto_class = "AutoModelForSequenceClassification"

    def parse(self, payload: Payload) -> Job:
        """Take {"query", "texts"} apart into pairs."""
        inputs = self.take_inputs(payload)
        if not isinstance(inputs, dict):
            raise CallerFault(f'it must be {{"query": ..., "texts": [...]}}, not {kind_of(inputs)}', field="inputs")
        query = as_text(inputs.get("query"), field="inputs.query")
        if not isinstance(inputs.get("texts"), list):
            raise CallerFault(f"it must be a list of strings, not {kind_of(inputs.get('texts'))}", field="inputs.texts")
        texts, _ = listed(inputs["texts"])
        pairs = tuple((query, as_text(text, field=f"inputs.texts[{index}]")) for index, text in enumerate(texts))
        return Job(items=pairs, parameters=parse_parameters(payload.get("parameters"), Parameters), is_list=True)

    def parse_item(self, value: Any, *, field: str) -> Any:
        """A string."""
        return as_text(value, field=field)

    def sample(self) -> Payload:
        """One query, two texts."""
        return {"inputs": {"query": "ready?", "texts": ["the model is ready", "no"]}}

    def answer(self, items: Sequence[Pair], parameters: Parameters) -> list[Any]:
        """How well each text fits its query."""
        logits = logits_of_pairs(self.encoder, items)
        function = "none" if parameters.raw_scores else default_function(self.encoder.model.config)
        scores: list[float] = scored(logits, function)[:, -1].tolist()
        return scores

    def render(self, job: Job, answers: Sequence[Any]) -> Any:
        """Best first, each with its place in the request."""
        order = sorted(range(len(answers)), key=lambda index: -answers[index])[: job.parameters.top_n]
        ranked: list[dict[str, Any]] = [{"index": index, "score": answers[index]} for index in order]
        if job.parameters.return_text:
            for entry in ranked:
                entry["text"] = job.items[entry["index"]][1]
        return ranked
