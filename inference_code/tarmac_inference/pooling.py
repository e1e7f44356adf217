"""How a model's token vectors become one vector a text, as its folder says. Called by `embeddings`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .faults import LoadError

Pooling = Literal["none", "mean", "cls", "max", "last"]
POOLING_FLAGS: tuple[tuple[str, Pooling], ...] = (
    ("pooling_mode_mean_tokens", "mean"),
    ("pooling_mode_cls_token", "cls"),
    ("pooling_mode_max_tokens", "max"),
    ("pooling_mode_lasttoken", "last"),
)
"""Names in a sentence-transformers 1_Pooling/config.json."""


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


def unit(vectors: Any) -> Any:
    """Scale each vector to length one."""
    import torch

    return torch.nn.functional.normalize(vectors, dim=-1)
