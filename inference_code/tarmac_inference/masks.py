"""fill-mask: the likeliest tokens in place of each mask. Called by `registry`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .encoders import EncoderTask
from .faults import CallerFault
from .parameters import bounded
from .payloads import Payload
from .tasks import as_text


@dataclass(frozen=True)
class Parameters:
    """What a caller may ask for."""

    top_k: int = bounded(5, least=1, most=1000)
    targets: str | tuple[str, ...] | None = None


class FillMask(EncoderTask):
    """A masked language model."""

    name = "fill-mask"
    parameters_type = Parameters
    suffixes = ("ForMaskedLM",)
    auto_class = "AutoModelForMaskedLM"

    def parse_item(self, value: Any, *, field: str) -> str:
        """A string with at least one mask."""
        mask = self.encoder.tokenizer.mask_token
        text = as_text(value, field=field)
        if mask not in text:
            raise CallerFault(f"it has no {mask} in it", field=field)
        return text

    def sample(self) -> Payload:
        """One mask."""
        return {"inputs": f"are you {self.encoder.tokenizer.mask_token}?"}

    def answer(self, items: Sequence[str], parameters: Parameters) -> list[Any]:
        """Fill each mask of each text: a list of fillings for a text with one mask, else one list a mask."""
        batch = self.encoder.tokenize(items)
        logits = self.encoder.forward(batch).logits.float().cpu()
        targets = self._target_ids(parameters.targets)
        return [
            self._fillings(ids, rows, parameters, targets) for ids, rows in zip(batch["input_ids"], logits, strict=True)
        ]

    def _target_ids(self, targets: str | tuple[str, ...] | None) -> list[int] | None:
        """Ids of the only fillings that are wanted; a word of several tokens stands for its first one."""
        if targets is None:
            return None
        tokenizer = self.encoder.tokenizer
        vocabulary = tokenizer.get_vocab()
        ids: list[int] = []
        for target in (targets,) if isinstance(targets, str) else targets:
            pieces = (
                [vocabulary[target]]
                if target in vocabulary
                else tokenizer(target, add_special_tokens=False)["input_ids"]
            )
            ids.extend(pieces[:1])
        if not ids:
            raise CallerFault("it has no word that the model knows", field="parameters.targets")
        return list(dict.fromkeys(ids))

    def _fillings(self, ids: Any, logits: Any, parameters: Parameters, targets: list[int] | None) -> Any:
        masks = (ids == self.encoder.tokenizer.mask_token_id).nonzero().flatten().tolist()
        if not masks:
            raise CallerFault("its mask lies beyond what the model reads", field="inputs")
        filled = [self._fill(ids, position, logits[position], parameters.top_k, targets) for position in masks]
        return filled[0] if len(filled) == 1 else filled

    def _fill(
        self, ids: Any, position: int, logits: Any, top_k: int, targets: list[int] | None
    ) -> list[dict[str, Any]]:
        import torch

        tokenizer = self.encoder.tokenizer
        probabilities = logits.softmax(-1)
        candidates = torch.tensor(targets) if targets is not None else torch.arange(len(probabilities))
        scores, order = probabilities[candidates].topk(min(top_k, len(candidates)))
        fillings = []
        for score, token in zip(scores.tolist(), candidates[order].tolist(), strict=True):
            filled = ids.clone()
            filled[position] = token
            kept = filled[filled != tokenizer.pad_token_id]
            fillings.append(
                {
                    "score": score,
                    "token": token,
                    "token_str": tokenizer.decode([token]),
                    "sequence": tokenizer.decode(kept, skip_special_tokens=_count(ids, tokenizer.mask_token_id) == 1),
                }
            )
        return fillings


def _count(ids: Any, token: int) -> int:
    return int((ids == token).sum())
