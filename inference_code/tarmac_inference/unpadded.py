"""BERT and its kin over texts of different lengths, without computing what pads them. Called by `encoders`.

A batch is as long as its longest text, and where lengths differ more than half of it may be padding. Here only the
attention sees the padded shape; everything else, which is nearly all of the work, runs over the tokens that there are.
Answers are the model's own, up to the order in which sums are made.
"""

from collections.abc import Callable, Sequence
from typing import Any

_CLOSE = 1e-4
"""How far two ways to compute the same may be apart, relative to the largest number in it."""

_OFFSET = ("roberta", "xlm-roberta", "camembert")
"""These number positions from padding_idx + 1 on."""

_ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_new", "gelu_pytorch_tanh": "gelu_new", "relu": "relu"}


def base_of(model: Any) -> Any:
    """Give what is below a model's head; the model itself where it has none."""
    return getattr(model, getattr(model, "base_model_prefix", ""), model)


def without_padding(model: Any, tokenize: Callable[[Sequence[str]], Any]) -> None:
    """Have a model skip padding, where it is one that can and then says the same.

    Args:
        model: Any transformers model; others than BERT, RoBERTa, DistilBERT and those made like them stay as they are.
        tokenize: Gives a padded batch of texts.
    """
    import torch

    base = base_of(model)
    if not _can_skip(model):
        return
    batch = tokenize(["ready", "are you ready? yes, we are: let it begin", "it begins"])
    kept = batch["attention_mask"].bool()
    with torch.inference_mode():
        try:
            expected = base(**batch).last_hidden_state[kept]
            quick = Unpadded(base, model.config)
            actual = quick(**batch).last_hidden_state[kept]
        except (AttributeError, IndexError, RuntimeError, TypeError):  # its layers are not what its name says
            return
    if is_close(actual, expected):
        base.forward = quick


def is_close(actual: Any, expected: Any) -> bool:
    """Tell whether two ways to compute came to the same."""
    return bool((actual - expected).abs().max() <= _CLOSE * expected.abs().max())


def _can_skip(model: Any) -> bool:
    import torch

    config = model.config
    return bool(
        config.model_type in _READERS
        and model.device.type == "cpu"
        and model.dtype == torch.float32
        and not getattr(config, "is_decoder", False)
        and getattr(config, "position_embedding_type", "absolute") == "absolute"
        and _activation(config) in _ACTIVATIONS
    )


def _activation(config: Any) -> Any:
    return config.activation if config.model_type == "distilbert" else config.hidden_act


class Unpadded:
    """The forward pass of a base model, in place of its own."""

    def __init__(self, base: Any, config: Any) -> None:
        from .layers import compiled, through_layers

        table = base.embeddings
        layers = base.transformer.layer if hasattr(base, "transformer") else base.encoder.layer
        self._plain = base.forward
        self._pooler = getattr(base, "pooler", None)
        self._run = compiled(through_layers)
        self.first_position = config.pad_token_id + 1 if config.model_type in _OFFSET else 0
        words = [one.data for one in (
            table.word_embeddings.weight, table.position_embeddings.weight, table.LayerNorm.weight,
            table.LayerNorm.bias, *(table.token_type_embeddings.parameters() if _has_kinds(table) else ()),
        )]  # fmt: skip
        self.weights = (
            words,
            [tensor for layer in layers for tensor in _READERS[config.model_type](layer)],
            config.num_attention_heads,
            float(table.LayerNorm.eps),
            _ACTIVATIONS[_activation(config)],
        )
        """The last arguments of the functions in `layers`."""

    def __call__(self, input_ids: Any = None, attention_mask: Any = None, **others: Any) -> Any:
        """Give what the model's own pass gives; where more is asked for than that, have it do so."""
        from transformers.modeling_outputs import BaseModelOutputWithPoolingAndCrossAttentions

        kinds = others.pop("token_type_ids", None)
        wishes = [name for name, wish in others.items() if name != "return_dict" and wish not in (None, False)]
        is_plain = input_ids is not None and attention_mask is not None and others.get("return_dict") is not False
        if wishes or not is_plain or not bool(attention_mask.any()):
            given = {"token_type_ids": kinds} if kinds is not None else {}
            return self._plain(input_ids=input_ids, attention_mask=attention_mask, **given, **others)
        hidden = self._through(input_ids, attention_mask, kinds)
        pooled = None if self._pooler is None else self._pooler(hidden)
        return BaseModelOutputWithPoolingAndCrossAttentions(last_hidden_state=hidden, pooler_output=pooled)

    def _through(self, ids: Any, mask: Any, kinds: Any) -> Any:
        """Take the tokens out of the padded shape, and put them back; what is on padding then means nothing."""
        import torch

        rows, width = ids.shape
        kept = mask.flatten().nonzero().flatten()
        positions = kept % width + self.first_position
        kinds = None if kinds is None else kinds.flatten()[kept]
        tokens = self._run(ids.flatten()[kept], positions, kinds, mask.ne(0).sum(1), *self.weights)
        if len(kept) < rows * width:
            places = torch.zeros(rows * width, dtype=torch.int64).index_copy_(0, kept, torch.arange(len(kept)))
            tokens = tokens.index_select(0, places)
        return tokens.view(rows, width, -1)


def _has_kinds(table: Any) -> bool:
    return hasattr(table, "token_type_embeddings")


def _of_bert(layer: Any) -> list[Any]:
    own, after = layer.attention.self, layer.attention.output
    rest = (after.dense, after.LayerNorm, layer.intermediate.dense, layer.output.dense, layer.output.LayerNorm)
    return _tensors((own.query, own.key, own.value), rest)


def _of_distilbert(layer: Any) -> list[Any]:
    own = layer.attention
    rest = (own.out_lin, layer.sa_layer_norm, layer.ffn.lin1, layer.ffn.lin2, layer.output_layer_norm)
    return _tensors((own.q_lin, own.k_lin, own.v_lin), rest)


def _tensors(three: Sequence[Any], rest: Sequence[Any]) -> list[Any]:
    """Put queries, keys and values into one product, whose memory the three then share."""
    import torch

    with torch.inference_mode(mode=False), torch.no_grad():
        weight, bias = torch.cat([one.weight for one in three]), torch.cat([one.bias for one in three])
        size = len(three[0].weight)
        for place, one in enumerate(three):
            one.weight.data = weight[place * size : (place + 1) * size]
            one.bias.data = bias[place * size : (place + 1) * size]
    return [weight, bias, *(tensor.data for one in rest for tensor in (one.weight, one.bias))]


_READERS: dict[str, Callable[[Any], list[Any]]] = {
    "bert": _of_bert,
    **dict.fromkeys(_OFFSET, _of_bert),
    "distilbert": _of_distilbert,
}
