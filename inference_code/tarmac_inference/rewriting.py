"""text2text-generation, summarization and translation: one text in, another out. Called by `registry`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .encoders import text_length
from .faults import CallerFault
from .loading import load_model, load_tokenizer
from .payloads import Payload
from .registry import wished_task
from .sampling import DEFAULT_NEW_TOKENS, Parameters, generate, generate_options
from .tasks import Job, Task, as_text

ANSWER_NAMES = {
    "text2text-generation": "generated_text",
    "summarization": "summary_text",
    "translation": "translation_text",
}


class Rewriting(Task):
    """An encoder-decoder model."""

    name = "text2text-generation"
    parameters_type = Parameters
    batch_items = 32

    def __init__(self, model: Any, tokenizer: Any, task: str) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self._answer_name = ANSWER_NAMES["translation" if task.startswith("translation") else task]
        specific = (getattr(model.config, "task_specific_params", None) or {}).get(task) or {}
        self._prefix = str(specific.get("prefix") or getattr(model.config, "prefix", None) or "")
        self._defaults = {name: value for name, value in specific.items() if name in ("num_beams", "length_penalty")}
        self._max_length = specific.get("max_length")
        self._reads = text_length(tokenizer, model.config)

    @classmethod
    def load(cls, model_dir: Path) -> Task:
        """Load weights and tokenizer."""
        suffixes = ("ForConditionalGeneration", "MTModel")
        model = load_model(model_dir, suffixes=suffixes, auto_class="AutoModelForSeq2SeqLM")
        return cls(model, load_tokenizer(model_dir), wished_task() or "text2text-generation")

    def parse_item(self, value: Any, *, field: str) -> str:
        """A string."""
        return as_text(value, field=field)

    def sample(self) -> Payload:
        """Two tokens."""
        return {"inputs": ["ready", "are you ready?"], "parameters": {"max_new_tokens": 2}}

    def answer(self, items: Sequence[str], parameters: Parameters) -> list[list[str]]:
        """Rewrite each text: texts, one for each of its copies."""
        if parameters.seed is not None:
            return [self._generate([item], parameters)[0] for item in items]
        return self._generate(items, parameters)

    def render(self, job: Job, answers: Sequence[Sequence[str]]) -> Any:
        """A flat list of objects, as pipelines answer; a list of lists where each input has several answers."""
        entries = [[{self._answer_name: text} for text in copies] for copies in answers]
        if not job.is_list:
            return entries[0]
        return [copies[0] for copies in entries] if job.parameters.copies == 1 else entries

    def _generate(self, texts: Sequence[str], parameters: Parameters) -> list[list[str]]:
        import torch

        if parameters.seed is not None:
            torch.manual_seed(parameters.seed)
        batch = self._tokenize(texts, parameters)
        # Tokenizers saved from BERT's kin add token_type_ids, which no encoder-decoder takes.
        tensors = {name: batch[name] for name in ("input_ids", "attention_mask")}
        length = parameters.max_new_tokens or parameters.max_length or self._max_length or DEFAULT_NEW_TOKENS
        options = {**self._defaults, **generate_options(parameters, self.tokenizer), **self._target(parameters)}
        output = generate(self.model, tensors, {"max_new_tokens": length, **options})
        texts_out = self.tokenizer.batch_decode(output, skip_special_tokens=True)
        copies = parameters.copies
        return [texts_out[place : place + copies] for place in range(0, len(texts_out), copies)]

    def _tokenize(self, texts: Sequence[str], parameters: Parameters) -> Any:
        if parameters.src_lang is not None:
            self._language_id(parameters.src_lang, field="parameters.src_lang")
            self.tokenizer.src_lang = parameters.src_lang
        return self.tokenizer(
            [self._prefix + text for text in texts],
            padding=True,
            truncation=True,
            max_length=self._reads,
            return_tensors="pt",
        )

    def _target(self, parameters: Parameters) -> dict[str, Any]:
        """Models of many languages are told the language of the answer by its first token."""
        wished = parameters.tgt_lang
        if wished is None:
            return {}
        return {"forced_bos_token_id": self._language_id(wished, field="parameters.tgt_lang")}

    def _language_id(self, language: str, *, field: str) -> int:
        codes = getattr(self.tokenizer, "lang_code_to_id", None) or {}
        known = codes.get(language, self.tokenizer.convert_tokens_to_ids(language))
        if not isinstance(known, int) or known == self.tokenizer.unk_token_id:
            raise CallerFault("it is not a language that the model knows", field=field)
        return known
