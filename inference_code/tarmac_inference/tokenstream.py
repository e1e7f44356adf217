"""A text as server-sent events, a token each, in the shape of text-generation servers. Called by `continuous`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .answers import to_json
from .backends import Emit
from .faults import CallerFault
from .generation import Prompt
from .sampling import Parameters, generate_options
from .spelling import Spelling

if TYPE_CHECKING:
    from .generation import TextGeneration


@dataclass(frozen=True, kw_only=True)
class End:
    """How a text ended: "length", "eos_token" or "stop_sequence"."""

    text: str
    reason: str
    tokens: int


def token_event(
    index: int, token: int, text: str, *, logprob: float | None, is_special: bool, end: End | None
) -> bytes:
    """Write one token as an event; the last one carries the whole text."""
    details = None if end is None else {"finish_reason": end.reason, "generated_tokens": end.tokens}
    return _event(
        {
            "index": index,
            "token": {"id": token, "text": text, "logprob": logprob, "special": is_special},
            "generated_text": None if end is None else end.text,
            "details": details,
        }
    )


def error_event(message: str) -> bytes:
    """Write the event of a stream that breaks off."""
    return _event({"error": message, "error_type": "generation"})


def _event(content: dict[str, Any]) -> bytes:
    return b"data:" + to_json(content).encode(errors="replace") + b"\n\n"


class _Enough(Exception):
    """All is said, or nobody reads any more: the only way out of `generate`."""


def stream_generate(task: "TextGeneration", prompt: Prompt, parameters: Parameters, emit: Emit) -> None:
    """Run transformers' `generate` for one prompt and emit each token as it comes."""
    import torch
    from transformers.generation.streamers import BaseStreamer

    spelling = Spelling(task.tokenizer, prompt.ids, parameters.stops)
    budget = task.budget(prompt, parameters)
    end_ids = task.model.generation_config.eos_token_id
    added: list[int] = []

    class Streamer(BaseStreamer):
        has_prompt = False

        def put(self, value: Any) -> None:
            if not self.has_prompt:
                self.has_prompt = True
                return
            token = int(value.flatten()[-1])
            added.append(token)
            text = spelling.add(token)
            is_end = token == end_ids or (isinstance(end_ids, list) and token in end_ids)
            end = None
            if is_end or spelling.is_stopped or len(added) == budget:
                text += spelling.finish()
                reason = "stop_sequence" if spelling.is_stopped else "eos_token" if is_end else "length"
                end = End(text=task.text(prompt, added, parameters.stops), reason=reason, tokens=len(added))
            is_special = token in task.tokenizer.all_special_ids
            event = token_event(len(added), token, text, logprob=None, is_special=is_special, end=end)
            if not emit(event) or end is not None:
                raise _Enough

        def end(self) -> None: ...

    if parameters.seed is not None:
        torch.manual_seed(parameters.seed)
    options = {**generate_options(parameters, task.tokenizer), "max_new_tokens": budget, "pad_token_id": task.pad}
    ids = torch.tensor([list(prompt.ids)], device=task.model.device)
    try:
        task.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), streamer=Streamer(), **options)
    except _Enough:
        return
    except ValueError as error:  # how transformers says that options contradict each other, before it computes
        raise CallerFault(str(error).splitlines()[0], field="parameters") from error
