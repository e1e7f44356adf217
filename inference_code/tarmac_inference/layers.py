"""The layers of BERT and its kin as one function over tensors, compiled by torch. Called by `unpadded`.

Called one by one from Python, a tiny model's sixty operations each wait for the interpreter, which under load is busy
with requests. Compiled, a pass is one call that does without the interpreter, and the two go on side by side.
"""

import warnings
from collections.abc import Callable
from typing import Any, List, Optional  # noqa: UP035  # the names that torch's compiler knows

import torch
from torch import Tensor


def through_layers(  # noqa: PLR0917  # compiled functions are called by position
    ids: Tensor,
    mask: Tensor,
    kinds: Optional[Tensor],  # noqa: UP045
    table: List[Tensor],  # noqa: UP006
    layers: List[Tensor],  # noqa: UP006
    heads: int,
    first_position: int,
    epsilon: float,
    activation: str,
) -> Tensor:
    """Give float32[batch, tokens, hidden]; what stands where padding is means nothing.

    Args:
        ids: int64[batch, tokens].
        mask: The same, 1 for a token and 0 for padding.
        kinds: The same, which text of a pair; None where all are the first.
        table: Embeddings of words and of positions, their norm's weight and bias, and of kinds where there are any.
        layers: Twelve for each, one layer after the other: weight and bias of queries, keys and values together, of
            the output, of a norm, of two products, of a norm.
        heads: Of attention.
        first_position: Where positions begin.
        epsilon: Of the norms.
        activation: gelu, gelu_new or relu.
    """
    rows, width = ids.size(0), ids.size(1)
    size = table[0].size(1)
    # Attention's kernel takes what a text has beyond a multiple of 16 tokens one by one.
    wide = (width + 15) // 16 * 16
    is_kept = mask != 0
    kept = torch.nn.functional.pad(is_kept, [0, wide - width]).flatten().nonzero().flatten()
    count = kept.size(0)
    is_padded = count < rows * width or (rows > 1 and wide != width)
    places = kept
    unseen: Optional[Tensor] = None  # noqa: UP045
    if is_padded:
        # Where each place of the padded shape finds its token; padding finds the first, and is masked.
        places = torch.zeros(rows * wide, dtype=torch.int64).index_copy_(0, kept, torch.arange(count))
        lowest = -3.4028234663852886e38
        unseen = torch.full([rows * wide], lowest).index_fill_(0, kept, 0.0).view(rows, 1, 1, wide)
    else:
        wide = width
    tokens = torch.nn.functional.embedding(ids[is_kept], table[0])
    tokens = tokens + torch.nn.functional.embedding(kept % wide + first_position, table[1])
    if len(table) > 4:
        tokens = tokens + (table[4][0] if kinds is None else torch.nn.functional.embedding(kinds[is_kept], table[4]))
    tokens = torch.nn.functional.layer_norm(tokens, [size], table[2], table[3], epsilon)
    for start in range(0, len(layers), 12):
        mixed = torch.nn.functional.linear(tokens, layers[start], layers[start + 1])
        if is_padded:
            mixed = mixed.index_select(0, places)
        three = mixed.view(rows, wide, 3, heads, size // heads).permute(2, 0, 3, 1, 4)
        seen = torch.nn.functional.scaled_dot_product_attention(three[0], three[1], three[2], attn_mask=unseen)
        seen = seen.transpose(1, 2).reshape(rows * wide, size)
        if is_padded:
            seen = seen.index_select(0, kept)
        seen = torch.nn.functional.linear(seen, layers[start + 2], layers[start + 3]) + tokens
        tokens = torch.nn.functional.layer_norm(seen, [size], layers[start + 4], layers[start + 5], epsilon)
        inner = torch.nn.functional.linear(tokens, layers[start + 6], layers[start + 7])
        if activation == "relu":
            inner = torch.nn.functional.relu(inner)
        else:
            inner = torch.nn.functional.gelu(inner, approximate="tanh" if activation == "gelu_new" else "none")
        inner = torch.nn.functional.linear(inner, layers[start + 8], layers[start + 9]) + tokens
        tokens = torch.nn.functional.layer_norm(inner, [size], layers[start + 10], layers[start + 11], epsilon)
    if is_padded:
        tokens = tokens.index_select(0, places)
    return tokens.view(rows, wide, size)[:, :width]


def compiled() -> Callable[..., Any]:
    """Give the function, compiled where this torch and this Python can."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would have torch.compile used, which needs a C++ compiler at run time
        try:
            made = torch.jit.script(through_layers)
        except Exception:  # noqa: BLE001  # a torch without it: it runs uncompiled, and says the same
            return through_layers

    def run(*arguments: Any) -> Any:
        # As it stands: to study each new shape for what could be better would hold up requests, and finds nothing.
        with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]  # exported in fact
            return made(*arguments)

    return run
