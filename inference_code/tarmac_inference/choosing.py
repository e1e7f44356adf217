"""How the next token of a text is chosen: the likeliest, or by lot. Called by `decoding` and `continuous`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .faults import CallerFault
from .sampling import Parameters, generate_options

_UNDERSTOOD = frozenset(
    {
        "bos_token_id", "do_sample", "early_stopping", "eos_token_id", "length_penalty", "max_length",
        "max_new_tokens", "min_length", "min_new_tokens", "no_repeat_ngram_size", "num_beams", "num_return_sequences",
        "output_attentions", "output_hidden_states", "pad_token_id", "repetition_penalty", "temperature", "top_k",
        "top_p", "transformers_version", "typical_p", "use_cache", "_from_model_config",
    }
)  # fmt: skip
"""What may stand in a generation_config.json for `Choice` to say all of it."""

_TOP_K = 50
"""What transformers takes when neither caller nor model says. Source: its GenerationConfig, 4.51 and 5.23."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How one text chooses its tokens; texts of equal choices are chosen for together."""

    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    typical_p: float = 1.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    min_new_tokens: int = 0
    min_length: int = 0
    end_ids: tuple[int, ...] = ()

    @property
    def looks_back(self) -> bool:
        """Whether what has been written changes what comes next, the model apart."""
        return bool(
            self.repetition_penalty != 1.0 or self.no_repeat_ngram_size or self.min_new_tokens or self.min_length
        )


class Text(Protocol):
    """What is being written."""

    prompt: Sequence[int]
    added: list[int]
    choice: Choice
    generator: Any


def read_choice(parameters: Parameters, model: Any) -> Choice | None:
    """Say what the caller and the model's generation_config.json wish; None where only `generate` can do it.

    Raises:
        CallerFault: A wish that no probability fulfils.
    """
    config = model.generation_config
    unusual = {name for name, value in config.to_diff_dict().items() if value is not None} - _UNDERSTOOD
    wishes = generate_options(parameters, None)

    def wish(name: str, default: Any) -> Any:
        value = wishes.get(name, getattr(config, name, None))
        return default if value is None else value

    if unusual or wish("num_beams", 1) > 1 or model.config.is_encoder_decoder:
        return None
    if parameters.typical_p == 0:
        raise CallerFault("it must be above 0", field="parameters.typical_p")
    end = config.eos_token_id
    sampled: dict[str, Any] = {}
    if wish("do_sample", False):
        sampled = {
            "do_sample": True,
            "temperature": float(wish("temperature", 1.0)),
            "top_k": int(wish("top_k", _TOP_K)),
            "top_p": float(wish("top_p", 1.0)),
            "typical_p": float(wish("typical_p", 1.0)),
        }
    return Choice(
        repetition_penalty=float(wish("repetition_penalty", 1.0)),
        no_repeat_ngram_size=int(wish("no_repeat_ngram_size", 0)),
        min_new_tokens=int(wish("min_new_tokens", 0)),
        min_length=int(wish("min_length", 0)),
        end_ids=() if end is None else (end,) if isinstance(end, int) else tuple(end),
        **sampled,
    )


def choose(logits: Any, texts: Sequence[Text]) -> list[int]:
    """Choose the next token of each text from float[texts, vocabulary]."""
    greedy = logits.argmax(-1).tolist()
    special = [row for row, text in enumerate(texts) if text.choice.do_sample or text.choice.looks_back]
    by_choice: dict[Choice, list[int]] = {}
    for row in special:
        by_choice.setdefault(texts[row].choice, []).append(row)
    for choice, rows in by_choice.items():
        scores = logits[rows].float()
        if choice.looks_back:
            for place, row in enumerate(rows):
                scores[place] = _after_looking_back(scores[place], texts[row])
        chosen = _by_lot(scores, choice, [texts[row] for row in rows]) if choice.do_sample else scores.argmax(-1)
        for row, token in zip(rows, chosen.tolist(), strict=True):
            greedy[row] = token
    return list(greedy)


def _after_looking_back(scores: Any, text: Text) -> Any:
    import torch
    from transformers.generation import logits_process

    choice = text.choice
    written = torch.tensor([[*text.prompt, *text.added]], device=scores.device)
    row = scores[None]
    if choice.repetition_penalty != 1.0:
        row = logits_process.RepetitionPenaltyLogitsProcessor(choice.repetition_penalty)(written, row)
    if choice.no_repeat_ngram_size:
        row = logits_process.NoRepeatNGramLogitsProcessor(choice.no_repeat_ngram_size)(written, row)
    is_short = len(text.added) < choice.min_new_tokens or written.shape[1] < choice.min_length
    if is_short and choice.end_ids:
        row[0, list(choice.end_ids)] = -torch.inf
    return row[0]


def _by_lot(scores: Any, choice: Choice, texts: Sequence[Text]) -> Any:
    """Draw for each text; from its own generator where it has one, so that a seed does not depend on the company."""
    import torch
    from transformers.generation import logits_process

    warpers: list[Any] = []
    if choice.temperature != 1.0:
        warpers.append(logits_process.TemperatureLogitsWarper(choice.temperature))
    if choice.top_k:
        warpers.append(logits_process.TopKLogitsWarper(choice.top_k))
    if choice.top_p < 1.0:
        warpers.append(logits_process.TopPLogitsWarper(choice.top_p))
    if choice.typical_p < 1.0:
        warpers.append(logits_process.TypicalLogitsWarper(choice.typical_p))
    for warper in warpers:
        scores = warper(None, scores)
    odds = scores.softmax(-1)
    draws = [torch.multinomial(row, 1, generator=text.generator) for row, text in zip(odds, texts, strict=True)]
    return torch.cat(draws)
