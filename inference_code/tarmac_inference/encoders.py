"""A tokenizer and a model that reads text in one forward pass. Called by every task that does not generate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .heads import Rows, quick_classifier
from .loading import load_model, load_tokenizer
from .tasks import Task
from .unpadded import without_padding

_NO_LIMIT = 1_000_000
"""Tokenizers that know no limit say a number of thirty digits."""

_LONG = 600
"""Words of a text that is tried: too long for most models."""


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """A loaded text model.

    Attributes:
        tokenizer: A transformers tokenizer.
        model: In evaluation mode, on its device.
        max_length: Tokens; longer texts are cut.
        is_plain: Whether the tokenizers library alone says the same of a text as transformers' wrapper around it.
        classify: From token ids to logits without padding, where the model is a classifier that can.
    """

    tokenizer: Any
    model: Any
    max_length: int
    is_plain: bool = False
    classify: Callable[[Rows], Any] | None = None

    @classmethod
    def load(cls, model_dir: Path, *, suffixes: Sequence[str], auto_class: str) -> "Encoder":
        """Load weights and tokenizer from *model_dir*."""
        model = load_model(model_dir, suffixes=suffixes, auto_class=auto_class)
        tokenizer = load_tokenizer(model_dir)
        if tokenizer.pad_token is None:  # GPT-2 and its kin: what pads is masked, so that any token will do
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
        if getattr(model.config, "pad_token_id", None) is None:
            model.config.pad_token_id = tokenizer.pad_token_id
        encoder = cls(tokenizer=tokenizer, model=model, max_length=text_length(tokenizer, model.config))
        encoder = replace(encoder, is_plain=encoder.finds_plain())
        without_padding(model, encoder.tokenize)
        return replace(encoder, classify=encoder.finds_classifier())

    def tokenize(self, texts: Sequence[str], pairs: Sequence[str] | None = None, **options: Any) -> Any:
        """Turn texts (or pairs of texts) into one padded batch: int64[batch, tokens] each."""
        if pairs is None and not options and self.is_plain:
            return self._tokenize_plainly(texts)
        return self.tokenizer(
            list(texts),
            list(pairs) if pairs is not None else None,
            padding=True,
            truncation=options.pop("truncation", True),
            max_length=self.max_length,
            return_tensors="pt",
            **options,
        )

    def finds_plain(self) -> bool:
        """Try both ways to read a batch of texts, one of them too long. Left padding needs transformers' own."""
        if not self.tokenizer.is_fast or self.tokenizer.padding_side != "right":
            return False
        import torch

        texts = self._samples()
        expected = self.tokenize(texts)
        try:
            actual = self._tokenize_plainly(texts)
        except Exception:  # noqa: BLE001  # a tokenizer that is made otherwise is read as transformers reads it
            return False
        return all(
            name in actual and torch.equal(expected[name], actual[name]) for name in self.tokenizer.model_input_names
        )

    def finds_classifier(self) -> Callable[[Rows], Any] | None:
        """Try whether the model's head can do without padding, too."""
        if not self.is_plain:
            return None
        texts = self._samples()[:2]  # the long one would keep a large model from its start for seconds
        return quick_classifier(self.model, self._rows(texts), self.tokenize(texts))

    def logits(self, texts: Sequence[str]) -> Any:
        """Classify texts: float32[batch, labels]."""
        if self.classify is not None and all(rows := self._rows(texts)):
            return self.classify(rows)
        return self.forward(self.tokenize(texts)).logits.float()

    def _samples(self) -> list[str]:
        return ["ready", "Are you ready? Yes, we are: 1 2 3.", "it begins, " * min(self.max_length, _LONG)]

    def _rows(self, texts: Sequence[str]) -> Rows:
        """Turn each text into its token ids with the tokenizers library alone."""
        quick = self.tokenizer.backend_tokenizer
        quick.no_padding()
        quick.enable_truncation(self.max_length, direction=self.tokenizer.truncation_side)
        return [one.ids for one in quick.encode_batch_fast(list(texts))]

    def _tokenize_plainly(self, texts: Sequence[str]) -> dict[str, Any]:
        """Do with the tokenizers library what transformers' wrapper around it takes three times as long for."""
        import torch

        whole, rows = self.tokenizer, self._rows(texts)
        width = max(map(len, rows))
        padding = [whole.pad_token_id] * width
        padded = [number for row in rows for number in (*row, *padding[len(row) :])]
        ids = torch.tensor(padded, dtype=torch.int64)
        lengths = torch.tensor([[len(row)] for row in rows])
        batch = {"input_ids": ids.view(len(rows), width)}
        batch["attention_mask"] = (torch.arange(width) < lengths).to(torch.int64)
        if "token_type_ids" in whole.model_input_names:
            batch["token_type_ids"] = torch.zeros_like(batch["input_ids"])
        return batch

    def forward(self, batch: Any) -> Any:
        """Run the model over a batch; names that the model does not take are left out."""
        device = self.model.device  # is searched for anew each time
        tensors = {name: batch[name].to(device) for name in self.tokenizer.model_input_names if name in batch}
        return self.model(**tensors)


def text_length(tokenizer: Any, config: Any) -> int:
    """Find how many tokens a model reads: the tokenizer's limit, or else the positions of the model."""
    limits = [tokenizer.model_max_length]
    positions = getattr(config, "max_position_embeddings", None)
    if positions:
        # RoBERTa and its kin number positions from padding_idx + 1 on, so two of them hold no token.
        has_offset = config.model_type in ("roberta", "xlm-roberta", "camembert", "longformer", "mpnet", "xmod")
        limits.append(positions - 2 if has_offset else positions)
    known = [limit for limit in limits if limit and limit < _NO_LIMIT]
    return int(min(known, default=512))


class EncoderTask(Task):
    """A task over an `Encoder`."""

    suffixes: tuple[str, ...]
    auto_class: str

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.model = encoder.model

    @classmethod
    def load(cls, model_dir: Path) -> Task:
        """Load the model of this task from *model_dir*."""
        return cls(Encoder.load(model_dir, suffixes=cls.suffixes, auto_class=cls.auto_class))
