"""Attention caches of several texts as one: joined, thinned out and padded. Called by `decoding`.

transformers 4.51 keeps two lists of tensors, 5.x a list of layers; both grow through `update`, and that is all that is
used of them here. Before 5, some architectures, GPT-2 among them, take plain tuples instead.
"""

from collections.abc import Sequence
from typing import Any, Literal

Style = Literal["object", "tuples"]
STYLES: tuple[Style, ...] = ("object", "tuples")

Layers = list[tuple[Any, Any]]
"""Keys and values of each layer: float[rows, heads, tokens, size]."""


def new_cache(style: Style) -> Any:
    """Make an empty cache that keeps every token, also for models that look back over a window only."""
    if style == "tuples":
        return None
    from transformers import DynamicCache

    return DynamicCache()


def layers_of(cache: Any) -> Layers:
    """Take the tensors out of a cache."""
    if isinstance(cache, tuple):
        return [(layer[0], layer[1]) for layer in cache]
    if hasattr(cache, "layers"):
        return [(layer.keys, layer.values) for layer in cache.layers]
    return list(zip(cache.key_cache, cache.value_cache, strict=True))


def cache_of(layers: Layers, style: Style) -> Any:
    """Put tensors into a new cache."""
    if style == "tuples":
        return tuple(layers)
    cache = new_cache(style)
    for index, (keys, values) in enumerate(layers):
        cache.update(keys, values, index)
    return cache


def is_plain(cache: Any, *, rows: int, tokens: int) -> bool:
    """Whether every layer keeps all tokens of all rows in the usual shape, so that rows can come and go."""
    try:
        tensors = [one for pair in layers_of(cache) for one in pair]
    except (AttributeError, ValueError, TypeError, IndexError):
        return False
    return bool(tensors) and all(
        getattr(one, "ndim", 0) == 4 and one.shape[0] == rows and one.shape[2] == tokens for one in tensors
    )


def joined(first: Layers, second: Layers) -> Layers:
    """Put the rows of *second* under those of *first*, all lined up at their ends."""
    import torch

    tokens = max(first[0][0].shape[2], second[0][0].shape[2])
    return [
        (
            torch.cat([_widened(keys, tokens), _widened(more_keys, tokens)]),
            torch.cat([_widened(values, tokens), _widened(more_values, tokens)]),
        )
        for (keys, values), (more_keys, more_values) in zip(first, second, strict=True)
    ]


def _widened(tensor: Any, tokens: int) -> Any:
    import torch

    return torch.nn.functional.pad(tensor, (0, 0, tokens - tensor.shape[2], 0))


def kept(layers: Layers, rows: Sequence[int], *, without_first: int) -> Layers:
    """Keep some rows, and leave out so many of the first tokens, which are padding in all of them."""
    import torch

    wanted = torch.tensor(rows, device=layers[0][0].device)
    return [
        (
            keys[:, :, without_first:].index_select(0, wanted),
            values[:, :, without_first:].index_select(0, wanted),
        )
        for keys, values in layers
    ]
