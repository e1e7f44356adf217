"""The layers of BERT and its kin as one function over tensors, compiled by torch. Called by `unpadded`.

Called one by one from Python, a tiny model's sixty operations each wait for the interpreter, which under load is busy
with requests. Compiled, a pass is one call that does without the interpreter, and the two go on side by side.
"""

import warnings
from collections.abc import Callable
from typing import Any, List, Optional, Tuple  # noqa: UP035  # the names that torch's compiler knows

import torch
from torch import Tensor


def through_layers(  # noqa: PLR0917  # compiled functions are called by position
    ids: Tensor,
    positions: Tensor,
    kinds: Optional[Tensor],  # noqa: UP045
    lengths: Tensor,
    table: List[Tensor],  # noqa: UP006
    layers: List[Tensor],  # noqa: UP006
    heads: int,
    epsilon: float,
    activation: str,
) -> Tensor:
    """Give float32[tokens, hidden]: texts one after the other, without anything between them.

    Args:
        ids: int64[tokens].
        positions: The same, each token's place in its text as the model numbers places.
        kinds: The same, which text of a pair; None where all are the first.
        lengths: int64[texts], the tokens of each.
        table: Embeddings of words and of positions, their norm's weight and bias, and of kinds where there are any.
        layers: Twelve for each, one layer after the other: weight and bias of queries, keys and values together, of
            the output, of a norm, of two products, of a norm.
        heads: Of attention.
        epsilon: Of the norms.
        activation: gelu, gelu_new or relu.
    """
    size = table[0].size(1)
    longest, texts = int(lengths.max()), lengths.size(0)
    # Attention's kernel takes what a text has beyond a multiple of 16 tokens one by one.
    is_even = longest * texts == ids.size(0) and (texts == 1 or longest % 16 == 0)
    places: List[Tensor] = []  # noqa: UP006
    unseen: List[Tensor] = []  # noqa: UP006
    back = lengths
    if not is_even:
        places, unseen, back = side_by_side(lengths, longest, ids.size(0))
    tokens = torch.nn.functional.embedding(ids, table[0]) + torch.nn.functional.embedding(positions, table[1])
    if len(table) > 4:
        tokens = tokens + (table[4][0] if kinds is None else torch.nn.functional.embedding(kinds, table[4]))
    tokens = torch.nn.functional.layer_norm(tokens, [size], table[2], table[3], epsilon)
    for start in range(0, len(layers), 12):
        mixed = torch.nn.functional.linear(tokens, layers[start], layers[start + 1])
        if is_even:
            seen = attended(mixed.view(texts, longest, 3, heads, size // heads), None)
        else:
            parts: List[Tensor] = []  # noqa: UP006
            for place, mask in zip(places, unseen):  # noqa: B905  # torch's compiler knows no strict
                block = mixed.index_select(0, place).view(mask.size(0), mask.size(3), 3, heads, size // heads)
                parts.append(attended(block, mask))
            seen = (parts[0] if len(parts) == 1 else torch.cat(parts)).index_select(0, back)
        seen = torch.nn.functional.linear(seen, layers[start + 2], layers[start + 3]) + tokens
        tokens = torch.nn.functional.layer_norm(seen, [size], layers[start + 4], layers[start + 5], epsilon)
        inner = torch.nn.functional.linear(tokens, layers[start + 6], layers[start + 7])
        if activation == "relu":
            inner = torch.nn.functional.relu(inner)
        else:
            inner = torch.nn.functional.gelu(inner, approximate="tanh" if activation == "gelu_new" else "none")
        inner = torch.nn.functional.linear(inner, layers[start + 8], layers[start + 9]) + tokens
        tokens = torch.nn.functional.layer_norm(inner, [size], layers[start + 10], layers[start + 11], epsilon)
    return tokens


def side_by_side(lengths: Tensor, longest: int, tokens: int) -> Tuple[List[Tensor], List[Tensor], Tensor]:  # noqa: UP006
    """Group texts of similar lengths into blocks, as attention wants them: one wide block would be mostly padding.

    Returns:
        For each block, int64[texts * width]: where each of its places finds its token. Padding finds the first, unseen.
        For each block, float32[texts, 1, 1, width]: 0, or the lowest number for padding.
        int64[tokens]: where each token is in the blocks, one after the other.
    """
    places: List[Tensor] = []  # noqa: UP006
    unseen: List[Tensor] = []  # noqa: UP006
    starts = lengths.cumsum(0) - lengths
    back = torch.zeros(tokens, dtype=torch.int64)
    above, most, passed = 0, 16, 0
    while above < longest:
        members = ((lengths > above) & (lengths <= most)).nonzero().flatten()
        # A block of few texts costs more than their padding in a wider one.
        if members.size(0) >= 8 or most >= longest:
            own = lengths.index_select(0, members)
            width = (int(own.max()) + 15) // 16 * 16
            columns = torch.arange(width)
            is_kept = columns < own.unsqueeze(1)
            source = starts.index_select(0, members).unsqueeze(1) + columns
            kept = is_kept.flatten().nonzero().flatten()
            back.index_copy_(0, source.flatten().index_select(0, kept), kept + passed)
            places.append((source * is_kept).flatten())
            lowest = -3.4028234663852886e38
            unseen.append(torch.full(is_kept.size(), lowest).masked_fill(is_kept, 0.0).view(-1, 1, 1, width))
            passed += members.size(0) * width
            above = most
        most *= 2
    return places, unseen, back


def attended(mixed: Tensor, unseen: Optional[Tensor]) -> Tensor:  # noqa: UP045
    """Let each token see its text: float32[texts, width, 3, heads, size] to float32[texts * width, heads * size]."""
    three = mixed.permute(2, 0, 3, 1, 4)
    seen = torch.nn.functional.scaled_dot_product_attention(three[0], three[1], three[2], attn_mask=unseen)
    return seen.transpose(1, 2).reshape(mixed.size(0) * mixed.size(1), mixed.size(3) * mixed.size(4))


def classified(  # noqa: PLR0917  # as above
    ids: Tensor,
    lengths: Tensor,
    first_position: int,
    head: List[Tensor],  # noqa: UP006
    squashed: str,
    table: List[Tensor],  # noqa: UP006
    layers: List[Tensor],  # noqa: UP006
    heads: int,
    epsilon: float,
    activation: str,
) -> Tensor:
    """Give float32[texts, labels]: what a sequence classifier's head makes of each text's first token.

    Args:
        ids: int64[tokens].
        lengths: int64[texts], none of them 0.
        first_position: Where positions begin.
        head: Weight and bias of its two products.
        squashed: What is between the two: tanh or relu.
        table: This and the others as `through_layers` has them.
        layers: See there.
        heads: See there.
        epsilon: See there.
        activation: See there.
    """
    starts = lengths.cumsum(0) - lengths
    positions = torch.arange(ids.size(0)) - starts.repeat_interleave(lengths) + first_position
    tokens = through_layers(ids, positions, None, lengths, table, layers, heads, epsilon, activation)
    first = torch.nn.functional.linear(tokens.index_select(0, starts), head[0], head[1])
    first = torch.relu(first) if squashed == "relu" else torch.tanh(first)
    return torch.nn.functional.linear(first, head[2], head[3])


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function of this module, compiled where this torch and this Python can."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would have torch.compile used, which needs a C++ compiler at run time
        try:
            made = torch.jit.script(function)
        except Exception:  # noqa: BLE001  # a torch without it: it runs uncompiled, and says the same
            return function

    def run(*arguments: Any) -> Any:
        # As it stands: to study each new shape for what could be better would hold up requests, and finds nothing.
        with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]  # exported in fact
            return made(*arguments)

    return run
