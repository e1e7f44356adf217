"""text-generation: texts and conversations, continued. Called by `registry`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .encoders import text_length
from .faults import CallerFault
from .loading import load_model, load_tokenizer
from .payloads import Payload
from .sampling import DEFAULT_NEW_TOKENS, Parameters, generate, generate_options
from .tasks import Job, Task, as_text, kind_of

Message = tuple[str, str]


@dataclass(frozen=True)
class Prompt:
    """One input: a text, or a conversation rendered by the model's chat template."""

    ids: tuple[int, ...]
    text: str
    messages: tuple[Message, ...] = ()


class TextGeneration(Task):
    """A causal language model."""

    name = "text-generation"
    parameters_type = Parameters
    batch_items = 32

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.context = text_length(tokenizer, model.config)
        self.pad = next(
            (
                one
                for one in (tokenizer.pad_token_id, tokenizer.eos_token_id, model.config.eos_token_id)
                if isinstance(one, int)
            ),
            0,
        )

    @classmethod
    def load(cls, model_dir: Path) -> Task:
        """Load weights and tokenizer."""
        model = load_model(model_dir, suffixes=("ForCausalLM", "LMHeadModel"), auto_class="AutoModelForCausalLM")
        return cls(model, load_tokenizer(model_dir))

    def parse(self, payload: Payload) -> Job:
        """Check a payload; a list of messages is one input."""
        inputs = self.take_inputs(payload)
        if isinstance(inputs, dict) and "messages" in inputs:
            inputs = inputs["messages"]
        is_conversation = isinstance(inputs, list) and bool(inputs) and isinstance(inputs[0], dict)
        return super().parse({**payload, "inputs": [inputs] if is_conversation else inputs})

    def parse_item(self, value: Any, *, field: str) -> Prompt:
        """A string, or a list of {"role", "content"}."""
        if isinstance(value, list):
            messages = tuple(_message(one, field=f"{field}[{index}]") for index, one in enumerate(value))
            prompt = self._prompt(self._render_chat(messages, field=field), messages, field=field)
        else:
            prompt = self._prompt(as_text(value, field=field), (), field=field)
        return prompt

    def sample(self) -> Payload:
        """Two tokens."""
        return {"inputs": ["ready", "are you ready?"], "parameters": {"max_new_tokens": 2}}

    def answer(self, items: Sequence[Prompt], parameters: Parameters) -> list[list[str]]:
        """Continue each prompt: texts, one for each of its copies."""
        budgets = [self.budget(prompt, parameters) for prompt in items]
        answers: list[list[str]] = [[] for _ in items]
        for budget in set(budgets):
            places = [place for place, one in enumerate(budgets) if one == budget]
            # A seed must give the same answer whoever else asks at the same time.
            groups = [[place] for place in places] if parameters.seed is not None else [places]
            for group in groups:
                texts = self._generate([items[place] for place in group], budget, parameters)
                for place, copies in zip(group, texts, strict=True):
                    answers[place] = copies
        return answers

    def render(self, job: Job, answers: Sequence[Sequence[str]]) -> Any:
        """[{"generated_text"}] for each input: with the prompt, or with the conversation, unless that is not wanted."""
        is_full = job.parameters.return_full_text is not False
        entries = [
            [{"generated_text": _whole(prompt, text) if is_full else text} for text in copies]
            for prompt, copies in zip(job.items, answers, strict=True)
        ]
        return entries if job.is_list and not _is_one_conversation(job) else entries[0]

    def _render_chat(self, messages: tuple[Message, ...], *, field: str) -> str:
        import jinja2

        if not messages:
            raise CallerFault("it has no message", field=field)
        if not getattr(self.tokenizer, "chat_template", None):
            raise CallerFault("the model has no chat template; send a string", field=field)
        conversation = [{"role": role, "content": content} for role, content in messages]
        try:
            return str(self.tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True))
        except jinja2.TemplateError as error:
            raise CallerFault(f"the model's chat template refuses it: {error}", field=field) from None

    def _prompt(self, text: str, messages: tuple[Message, ...], *, field: str) -> Prompt:
        # A chat template writes the special tokens itself.
        ids = tuple(self.tokenizer(text, add_special_tokens=not messages)["input_ids"])
        if len(ids) >= self.context:
            raise CallerFault(
                f"it has {len(ids)} tokens; the model reads {self.context}, the answer included", field=field
            )
        if not ids:
            raise CallerFault("it is empty, and the model has no token to begin with", field=field)
        return Prompt(ids=ids, text=text, messages=messages)

    def budget(self, prompt: Prompt, parameters: Parameters) -> int:
        """How many tokens may be added: no more than the model's context has room for."""
        wished = parameters.max_new_tokens or DEFAULT_NEW_TOKENS
        if parameters.max_new_tokens is None and parameters.max_length is not None:
            wished = max(1, parameters.max_length - len(prompt.ids))
        return min(wished, self.context - len(prompt.ids))

    def _generate(self, prompts: Sequence[Prompt], budget: int, parameters: Parameters) -> list[list[str]]:
        import torch

        if parameters.seed is not None:
            torch.manual_seed(parameters.seed)
        ids, mask = _left_padded([prompt.ids for prompt in prompts], self.pad)
        output = generate(
            self.model,
            {"input_ids": ids, "attention_mask": mask},
            {"max_new_tokens": budget, "pad_token_id": self.pad, **generate_options(parameters, self.tokenizer)},
        )
        added = output[:, ids.shape[1] :].tolist()
        copies = parameters.copies
        return [
            [self.text(prompt, tokens, parameters.stops) for tokens in added[place * copies : (place + 1) * copies]]
            for place, prompt in enumerate(prompts)
        ]

    def text(self, prompt: Prompt, tokens: list[int], stops: Sequence[str]) -> str:
        """Decode what was added. With the prompt's end before it: some tokenizers drop a text's first space."""
        end = list(prompt.ids[-8:])
        before = self.tokenizer.decode(end, skip_special_tokens=True)
        text = str(self.tokenizer.decode(end + tokens, skip_special_tokens=True))[len(before) :]
        cuts = [place for stop in stops if (place := text.find(stop)) >= 0]
        return text[: min(cuts)] if cuts else text


def _message(value: Any, *, field: str) -> Message:
    if not isinstance(value, dict):
        raise CallerFault(f'it must be {{"role": ..., "content": ...}}, not {kind_of(value)}', field=field)
    return as_text(value.get("role"), field=f"{field}.role"), as_text(value.get("content"), field=f"{field}.content")


def _whole(prompt: Prompt, text: str) -> Any:
    if not prompt.messages:
        return prompt.text + text
    said = [{"role": role, "content": content} for role, content in prompt.messages]
    return [*said, {"role": "assistant", "content": text}]


def _is_one_conversation(job: Job) -> bool:
    return len(job.items) == 1 and bool(job.items[0].messages)


def _left_padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[Any, Any]:
    """Line rows up at their ends, where generation goes on: int64[batch, tokens] and its mask."""
    import torch

    width = max(map(len, rows))
    ids = [[pad] * (width - len(row)) + list(row) for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids), torch.tensor(mask)
