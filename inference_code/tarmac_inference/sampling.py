"""What callers may ask of a model that generates, and how it is said to transformers. Called by `generation`."""

from dataclasses import dataclass
from typing import Any

from .faults import CallerFault
from .parameters import bounded

DEFAULT_NEW_TOKENS = 256
"""As transformers' own pipelines have it."""


@dataclass(frozen=True)
class Parameters:
    """What a caller may ask for; None stands for what the model's generation_config.json says."""

    max_new_tokens: int | None = bounded(None, least=1, most=32_768)
    max_length: int | None = bounded(None, least=1, most=131_072)
    min_new_tokens: int | None = bounded(None, least=0, most=32_768)
    min_length: int | None = bounded(None, least=0, most=131_072)
    do_sample: bool | None = None
    temperature: float | None = bounded(None, least=0, most=100)
    top_k: int | None = bounded(None, least=0, most=1_000_000)
    top_p: float | None = bounded(None, least=0, most=1)
    typical_p: float | None = bounded(None, least=0, most=1)
    repetition_penalty: float | None = bounded(None, least=0.01, most=100)
    length_penalty: float | None = bounded(None, least=-100, most=100)
    no_repeat_ngram_size: int | None = bounded(None, least=0, most=1000)
    num_beams: int | None = bounded(None, least=1, most=16)
    num_return_sequences: int | None = bounded(None, least=1, most=16)
    early_stopping: bool | None = None
    return_full_text: bool | None = None
    seed: int | None = bounded(None, least=0, most=2**63 - 1)
    stop: str | tuple[str, ...] | None = None
    stop_sequences: tuple[str, ...] | None = None
    details: bool | None = None
    src_lang: str | None = None
    tgt_lang: str | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts at which generation ends."""
        one = (self.stop,) if isinstance(self.stop, str) else self.stop or ()
        return tuple(text for text in (*one, *(self.stop_sequences or ())) if text)

    @property
    def copies(self) -> int:
        """Answers to each input."""
        return self.num_return_sequences or 1


_PASSED_ON = (
    "min_new_tokens",
    "min_length",
    "typical_p",
    "repetition_penalty",
    "length_penalty",
    "no_repeat_ngram_size",
    "num_beams",
    "num_return_sequences",
    "early_stopping",
)


_COLDEST = 0.01
"""Temperatures below it make logits too large for their type, and mean the likeliest token anyway."""


def generate(model: Any, tensors: dict[str, Any], options: dict[str, Any]) -> Any:
    """Call `generate`: int64[batch * copies, tokens].

    Raises:
        CallerFault: The options contradict each other: transformers says so with a ValueError, before it computes.
    """
    try:
        return model.generate(**{name: tensor.to(model.device) for name, tensor in tensors.items()}, **options)
    except ValueError as error:
        raise CallerFault(str(error).splitlines()[0], field="parameters") from error


def generate_options(parameters: Parameters, tokenizer: Any) -> dict[str, Any]:
    """Say it as keywords of `generate`, the lengths apart.

    A temperature of zero means the likeliest token always, as in most other APIs; asking for several different answers,
    or for any of the knobs of sampling, means sampling.
    """
    options: dict[str, Any] = {name: value for name in _PASSED_ON if (value := getattr(parameters, name)) is not None}
    wishes = {
        name: value for name in ("temperature", "top_k", "top_p") if (value := getattr(parameters, name)) is not None
    }
    if parameters.stops:
        options |= {"stop_strings": list(parameters.stops), "tokenizer": tokenizer}
    is_cold = parameters.temperature is not None and parameters.temperature < _COLDEST
    is_greedy = is_cold or parameters.top_k == 1 or parameters.do_sample is False
    if is_greedy:
        options["do_sample"] = False
        return options
    is_beam = (parameters.num_beams or 1) > 1
    if parameters.do_sample or wishes or (parameters.copies > 1 and not is_beam):
        options["do_sample"] = True
        options.update(wishes)
    return options
