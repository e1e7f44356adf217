"""The dimensions of a transformer, as its config.json tells them: what memory beyond the weights follows from.

Called by `sizing`; pure. A configuration is the drop's own word: every number is bounded before it is used.

Source: the configuration classes of transformers; the names differ from family to family.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_INNER = ("text_config", "llm_config", "language_config", "decoder", "generator_config")
_HIDDEN = ("hidden_size", "n_embd", "d_model", "dim", "embed_dim")
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers")
_HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads", "decoder_attention_heads")
_KV_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv")
_HEAD_DIM = ("head_dim", "d_kv")
_LATENT, _ROPE = ("kv_lora_rank",), ("qk_rope_head_dim",)
_TOKENS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_sequence_length", "seq_length")
_EXPERTS = ("num_local_experts", "n_routed_experts", "num_experts", "moe_num_experts")
_ACTIVE_EXPERTS = ("num_experts_per_tok", "num_experts_per_token", "moe_top_k", "num_selected_experts")
_GENERATORS = (
    "ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "ForImageTextToText", "ForSpeechSeq2Seq", "MTModel",
    "EncoderDecoderModel",
)  # fmt: skip
_MOST = {
    _LAYERS: 2_000,
    _HEADS: 4_096,
    _KV_HEADS: 4_096,
    _HEAD_DIM: 16_384,
    _HIDDEN: 1 << 20,
    _TOKENS: 1 << 27,
    _LATENT: 1 << 16,
    _ROPE: 1 << 16,
}
DIMENSIONS_READ = tuple(name for names in _MOST for name in names)
"""Every key that is read here as a number."""
DEFAULT_TOKENS = 2_048
"""Of a model that names no longest input: relative positions, or none."""


@dataclass(frozen=True)
class Quantization:
    """How the weights were made smaller.

    Attributes:
        method: As the configuration calls it: gptq, awq, bitsandbytes, fp8, mxfp4...
        bits: Of one weight, on average; None when it does not say.
    """

    method: str
    bits: int | None


@dataclass(frozen=True)
class Shape:
    """The dimensions of one transformer.

    Attributes:
        kv_heads: Heads that keep keys and values; fewer than *heads* with grouped queries.
        latent_dim: What one layer keeps of a token where keys and values are stored compressed (DeepSeek's MLA);
            None where they are stored as they are.
        max_tokens: The longest input and answer together.
        window: Tokens that a sliding-window layer looks back on; None where all layers look at everything.
        is_generator: Whether it writes token by token, and so keeps keys and values of all it has read and written.
        has_encoder: Whether a generator also keeps keys and values of an encoder's output.
        experts: How many experts a mixture has, and how many of them one token uses; (1, 1) without.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    max_tokens: int
    latent_dim: int | None = None
    window: int | None = None
    is_generator: bool = False
    has_encoder: bool = False
    experts: tuple[int, int] = (1, 1)

    def kv_bytes_per_token(self, itemsize: int) -> int:
        """What one token in the cache takes over all layers, with numbers of *itemsize* bytes; 0 for an encoder."""
        if not self.is_generator:
            return 0
        if self.latent_dim is not None:
            return self.layers * self.latent_dim * itemsize
        attentions = 2 if self.has_encoder else 1
        return 2 * attentions * self.layers * self.kv_heads * self.head_dim * itemsize


def read_shape(config: Mapping[str, Any]) -> Shape | None:
    """Read the dimensions from a config.json; None where it does not tell enough."""
    inner = _language_model(config)
    layers, hidden, heads = (_first(inner, names) for names in (_LAYERS, _HIDDEN, _HEADS))
    if layers is None or hidden is None or heads is None:
        return None
    names = config.get("architectures")
    name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""
    latent, rope = (_first(inner, names) for names in (_LATENT, _ROPE))
    window = inner.get("sliding_window") if inner.get("use_sliding_window", True) else None
    return Shape(
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=min(heads, _kv_heads(inner, heads)),
        head_dim=_first(inner, _HEAD_DIM) or max(1, hidden // heads),
        max_tokens=_first(inner, _TOKENS) or DEFAULT_TOKENS,
        latent_dim=latent + rope if latent is not None and rope is not None else None,
        window=window if _is_count(window, 1 << 27) and _is_all_windows(inner) else None,
        is_generator=name.endswith(_GENERATORS),
        has_encoder=bool(config.get("is_encoder_decoder")),
        experts=_experts(inner),
    )


def read_quantization(config: Mapping[str, Any]) -> Quantization | None:
    """Read from a config.json how the weights were made smaller; None where they were not."""
    return _quantization(config) or _quantization(_language_model(config))


def _language_model(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a composite model's configuration that speaks of its language model.

    It holds only what differs from transformers' defaults, which are filled in.
    """
    for name in _INNER:
        inner = config.get(name)
        whole = {**_defaults(inner.get("model_type")), **inner} if isinstance(inner, dict) else {}
        if _first(whole, _LAYERS) is not None:
            return whole
    return config


def _defaults(model_type: Any) -> Mapping[str, int]:
    # Imported when a composite model is measured: most starts of a Lambda function never need it.
    from chalicelib.door.dimension_table import DEFAULTS

    row = DEFAULTS.get(model_type, "") if isinstance(model_type, str) else ""
    return {name: int(value) for name, _, value in (each.partition("=") for each in row.split())}


def _first(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((config[name] for name in names if _is_count(config.get(name), _MOST[names])), None)


def _is_count(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most


def _kv_heads(config: Mapping[str, Any], heads: int) -> int:
    if config.get("multi_query") is True and config.get("new_decoder_architecture") is not True:
        return 1
    return _first(config, _KV_HEADS) or heads


def _is_all_windows(config: Mapping[str, Any]) -> bool:
    """Whether every layer slides: where some look at everything, those decide."""
    kinds = config.get("layer_types")
    if isinstance(kinds, list):
        return all(kind == "sliding_attention" for kind in kinds)
    return config.get("sliding_window_pattern") is None and config.get("max_window_layers") is None


def _experts(config: Mapping[str, Any]) -> tuple[int, int]:
    total, active = (_count_of(config, names) for names in (_EXPERTS, _ACTIVE_EXPERTS))
    return (total, min(active, total)) if total and active else (1, 1)


def _count_of(config: Mapping[str, Any], names: Iterable[str]) -> int | None:
    return next((config[name] for name in names if _is_count(config.get(name), 1 << 16)), None)


def _quantization(config: Mapping[str, Any]) -> Quantization | None:
    raw = config.get("quantization_config")
    if not isinstance(raw, dict):
        return None
    method = raw.get("quant_method")
    if not isinstance(method, str) or not method.isprintable():
        method = "bitsandbytes" if raw.get("load_in_4bit") or raw.get("load_in_8bit") else "unknown"
    bits = raw.get("bits")
    if raw.get("load_in_4bit") or raw.get("_load_in_4bit"):
        bits = 4
    return Quantization(method[:40], bits if _is_count(bits, 64) else None)
