"""Texts that are written together, one token each a step; they join and leave at any step. Called by `continuous`."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .caches import STYLES, Layers, Style, cache_of, is_plain, joined, kept, layers_of, new_cache
from .choosing import Choice, choose
from .faults import ModelFault

_TOLERANCE = 0.03
"""How far a logarithm from a batch may be from that of one text alone, relatively: sums come in other orders."""

_SPARE = 64
"""Columns of the mask made in advance."""


@dataclass(eq=False, slots=True, kw_only=True)
class Draft:
    """One text that is being written.

    Attributes:
        prompt: Token ids to begin with.
        budget: Tokens to add at most.
        generator: Where its lots come from; None for the process's own.
        added: Token ids written so far.
        logprob: Natural logarithm of the last token's probability, where *wants_logprob*.
    """

    prompt: Sequence[int]
    budget: int
    choice: Choice
    generator: Any = None
    wants_logprob: bool = False
    added: list[int] = field(default_factory=list)
    logprob: float = 0.0

    @property
    def has_ended(self) -> bool:
        """Whether the model said so, or nothing is left of the budget."""
        return len(self.added) >= self.budget or (bool(self.added) and self.added[-1] in self.choice.end_ids)


class Decoder:
    """The drafts that share forward passes, and their attention cache. One thread uses it."""

    def __init__(self, model: Any, pad: int, style: Style) -> None:
        self.drafts: list[Draft] = []
        self._model = model
        self._pad = pad
        self._style = style
        self._cache: Any = None
        self._pads: list[int] = []
        self._mask: Any = None
        self._width = 0
        accepted = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in accepted
        self._prefill_options = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}

    def join(self, drafts: Sequence[Draft]) -> None:
        """Read new drafts, together, and write the next token of each; when it raises, nothing has changed."""
        import torch

        width = max(len(draft.prompt) + len(draft.added) for draft in drafts)
        pads = [width - len(draft.prompt) - len(draft.added) for draft in drafts]
        device = self._model.device
        ids = [[self._pad] * pad + [*draft.prompt, *draft.added] for pad, draft in zip(pads, drafts, strict=True)]
        mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in pads], device=device)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        empty = new_cache(self._style)
        logits, cache = self._forward(torch.tensor(ids, device=device), mask, positions, empty, **self._prefill_options)
        chosen = self._chosen(logits, drafts)
        self._merge(layers_of(cache), drafts, pads)
        _write(drafts, chosen)

    def step(self) -> None:
        """Write one more token of every draft; when it raises, this decoder is of no more use, but the drafts are."""
        import torch

        device = self._model.device
        ids = torch.tensor([[draft.added[-1]] for draft in self.drafts], device=device)
        positions = torch.tensor([[len(draft.prompt) + len(draft.added) - 1] for draft in self.drafts], device=device)
        self._width += 1
        if self._mask is None or self._mask.shape[1] < self._width:
            self._mask = self._new_mask()
        logits, self._cache = self._forward(ids, self._mask[:, : self._width], positions, self._cache)
        _write(self.drafts, self._chosen(logits, self.drafts))

    def leave(self, gone: Sequence[Draft]) -> None:
        """Let drafts go, and with them the padding that only they made necessary."""
        gone_ids = set(map(id, gone))
        rows = [row for row, draft in enumerate(self.drafts) if id(draft) not in gone_ids]
        if len(rows) == len(self.drafts):
            return
        self.drafts = [self.drafts[row] for row in rows]
        self._mask = None
        if not rows:
            self._cache, self._pads, self._width = None, [], 0
            return
        spare = min(self._pads[row] for row in rows)
        self._pads = [self._pads[row] - spare for row in rows]
        self._width -= spare
        self._cache = cache_of(kept(layers_of(self._cache), rows, without_first=spare), self._style)

    def _forward(self, ids: Any, mask: Any, positions: Any, cache: Any, **options: Any) -> tuple[Any, Any]:
        """Run the model: float[rows, vocabulary] for the last token of each row, and the cache with it."""
        if self._takes_positions:
            options["position_ids"] = positions
        output = self._model(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **options)
        return output.logits[:, -1], output.past_key_values

    def _chosen(self, logits: Any, drafts: Sequence[Draft]) -> list[tuple[int, float]]:
        """The next token of each draft, with the logarithm of its probability where that is wanted."""
        tokens = choose(logits, drafts)
        logprobs = [0.0] * len(drafts)
        wanting = [row for row, draft in enumerate(drafts) if draft.wants_logprob]
        if wanting:
            rows = logits[wanting].float().log_softmax(-1)
            for place, row in enumerate(wanting):
                logprobs[row] = float(rows[place, tokens[row]])
        return list(zip(tokens, logprobs, strict=True))

    def _merge(self, layers: Layers, drafts: Sequence[Draft], pads: Sequence[int]) -> None:
        width = layers[0][0].shape[2]
        if self.drafts:
            layers = joined(layers_of(self._cache), layers)
        widest = layers[0][0].shape[2]
        cache = cache_of(layers, self._style)  # the last that can raise
        self._pads = [pad + widest - self._width for pad in self._pads] + [pad + widest - width for pad in pads]
        self._width = widest
        self._cache = cache
        self.drafts = [*self.drafts, *drafts]
        self._mask = None

    def _new_mask(self) -> Any:
        import torch

        mask = torch.ones((len(self._pads), self._width + _SPARE), dtype=torch.long)
        for row, pad in enumerate(self._pads):
            mask[row, :pad] = 0
        return mask.to(self._model.device)


def _write(drafts: Sequence[Draft], chosen: Sequence[tuple[int, float]]) -> None:
    for draft, (token, logprob) in zip(drafts, chosen, strict=True):
        draft.added.append(token)
        draft.logprob = logprob


def check_numbers(model: Any, prompt: Sequence[int]) -> None:
    """Raise ModelFault where the model's probabilities are no numbers: it would write, but nonsense."""
    import torch

    logits = model(input_ids=torch.tensor([prompt], device=model.device)).logits[0, -1]
    if not bool(logits.isfinite().any()) or bool(logits.isnan().any()):
        raise ModelFault("the model's probabilities are not finite numbers")


def find_style(model: Any, pad: int, prompts: Sequence[Sequence[int]]) -> Style | None:
    """Try whether texts of different lengths that join one after another come out as each would alone.

    Not every architecture can: some keep a state in place of keys and values, some number positions by themselves.

    Returns:
        The style of cache with which they do; None where they do not.
    """
    return next((style for style in STYLES if _comes_out_right(model, pad, prompts, style)), None)


def _comes_out_right(model: Any, pad: int, prompts: Sequence[Sequence[int]], style: Style) -> bool:
    import torch

    decoder = Decoder(model, pad, style)
    try:
        for prompt in prompts:
            ids = torch.tensor([prompt], device=model.device)
            cache = model(input_ids=ids, past_key_values=new_cache(style), use_cache=True).past_key_values
            if not is_plain(cache, rows=1, tokens=len(prompt)):
                return False
            decoder.join([Draft(prompt=prompt, budget=4, choice=Choice(), wants_logprob=True)])
        decoder.step()
        return all(_is_right(model, draft) for draft in decoder.drafts)
    except Exception:  # noqa: BLE001  # whatever an architecture raises here, it says no
        return False


def _is_right(model: Any, draft: Draft) -> bool:
    import torch

    written = torch.tensor([[*draft.prompt, *draft.added[:-1]]], device=model.device)
    alone = model(input_ids=written).logits[0, -1].float().log_softmax(-1)
    expected = float(alone[draft.added[-1]])
    is_near_best = float(alone.max()) - expected <= _TOLERANCE * max(1.0, abs(float(alone.max())))
    return is_near_best and abs(expected - draft.logprob) <= _TOLERANCE * max(1.0, abs(expected))
