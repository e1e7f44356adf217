"""Public models from 1 MB to 140 GB, by parameters, dtype and dimensions. Called by the sizing benchmark and its test.

Source: each model's config.json and the number of parameters that its model card states; those in 4 bits are shared out
so that they add up to the published files. For the scikit-learn and XGBoost models, files of that size. Archives of
weights hardly compress: see RATIOS.
"""

from dataclasses import dataclass, field
from typing import Any

RATIOS = {"F32": 0.92, "F16": 0.90, "BF16": 0.77, "I8": 0.85, "I32": 0.95, "F8_E4M3": 0.85}
"""Packed over unpacked, as gzip leaves weights: measured on normal ones, F32 .923 and BF16 .77."""


@dataclass(frozen=True)
class PublicModel:
    """One model.

    Attributes:
        parameters: By dtype.
        other_mb: Size of the file, for models that are not safetensors; 0 otherwise.
    """

    name: str
    parameters: dict[str, int]
    config: dict[str, Any] = field(default_factory=dict)
    other_mb: float = 0.0

    @property
    def stored_bytes(self) -> int:
        """Of the weights."""
        sizes = {"F32": 4, "F16": 2, "BF16": 2, "I8": 1, "I32": 4, "F8_E4M3": 1}
        return sum(count * sizes[dtype] for dtype, count in self.parameters.items()) + int(self.other_mb * 1e6)

    @property
    def packed_bytes(self) -> int:
        """Of the model.tar.gz."""
        if self.other_mb:
            return int(self.other_mb * 0.4e6)
        dtype = max(self.parameters, key=lambda name: self.parameters[name])
        return int(self.stored_bytes * RATIOS[dtype])

    @property
    def is_generator(self) -> bool:
        """Whether it writes text."""
        return any("Causal" in name or "LMHead" in name for name in self.config.get("architectures", ()))


def _encoder(layers: int, hidden: int, heads: int, tokens: int = 512, name: str = "BertModel") -> dict[str, Any]:
    return {
        "architectures": [name],
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "max_position_embeddings": tokens,
    }


def _decoder(layers: int, hidden: int, heads: int, kv_heads: int, tokens: int, **more: Any) -> dict[str, Any]:
    return {**_encoder(layers, hidden, heads, tokens, "LlamaForCausalLM"), "num_key_value_heads": kv_heads, **more}


def _t5(layers: int, hidden: int, heads: int, d_kv: int = 64) -> dict[str, Any]:
    return {
        "architectures": ["T5ForConditionalGeneration"],
        "is_encoder_decoder": True,
        "num_layers": layers,
        "d_model": hidden,
        "num_heads": heads,
        "d_kv": d_kv,
        "n_positions": 512,
    }


AWQ = {"quantization_config": {"quant_method": "awq", "bits": 4}}
MODELS = (
    PublicModel("sklearn, TF-IDF and logistic regression", {}, other_mb=1.0),
    PublicModel("xgboost, 500 trees", {}, other_mb=6.0),
    PublicModel("prajjwal1/bert-tiny", {"F32": 4_386_178}, _encoder(2, 128, 2)),
    PublicModel("sklearn, random forest", {}, other_mb=120.0),
    PublicModel("sentence-transformers/all-MiniLM-L6-v2", {"F32": 22_713_728}, _encoder(6, 384, 12)),
    PublicModel("google/vit-base-patch16-224", {"F32": 86_567_656}, _encoder(12, 768, 12, 197, "ViTModel")),
    PublicModel("distilbert-base-uncased-finetuned-sst-2", {"F32": 66_955_010}, _encoder(6, 768, 12)),
    PublicModel("BAAI/bge-base-en-v1.5", {"F32": 109_482_240}, _encoder(12, 768, 12)),
    PublicModel("distilgpt2", {"F32": 81_912_576}, _decoder(6, 768, 12, 12, 1024)),
    PublicModel("openai-community/gpt2", {"F32": 124_439_808}, _decoder(12, 768, 12, 12, 1024)),
    PublicModel("FacebookAI/roberta-large-mnli", {"F32": 355_362_819}, _encoder(24, 1024, 16, 514)),
    PublicModel("google/flan-t5-base", {"F32": 247_577_856}, _t5(12, 768, 12)),
    PublicModel("openai/whisper-small", {"F32": 241_734_912}, _t5(12, 768, 12)),
    PublicModel("BAAI/bge-m3", {"F32": 567_754_752}, _encoder(24, 1024, 16, 8194)),
    PublicModel("Qwen/Qwen2.5-0.5B-Instruct", {"BF16": 494_032_768}, _decoder(24, 896, 14, 2, 32768)),
    PublicModel("google/flan-t5-large", {"F32": 783_150_080}, _t5(24, 1024, 16)),
    PublicModel("openai-community/gpt2-xl", {"F32": 1_557_611_200}, _decoder(48, 1600, 25, 25, 1024)),
    PublicModel("TinyLlama/TinyLlama-1.1B-Chat-v1.0", {"BF16": 1_100_048_384}, _decoder(22, 2048, 32, 4, 2048)),
    PublicModel("openai/whisper-large-v3", {"F16": 1_543_490_560}, _t5(32, 1280, 20)),
    PublicModel("google/flan-t5-xl", {"F32": 2_849_757_184}, _t5(24, 2048, 32)),
    PublicModel("microsoft/phi-2", {"F16": 2_779_683_840}, _decoder(32, 2560, 32, 32, 2048)),
    PublicModel("meta-llama/Llama-3.2-3B-Instruct", {"BF16": 3_212_749_824}, _decoder(28, 3072, 24, 8, 131072)),
    PublicModel("Qwen/Qwen2.5-7B-Instruct-AWQ", {"I32": 830_000_000, "F16": 1_150_000_000},
                _decoder(28, 3584, 28, 4, 32768, **AWQ)),
    PublicModel("mistralai/Mistral-7B-Instruct-v0.3", {"BF16": 7_248_023_552}, _decoder(32, 4096, 32, 8, 32768)),
    PublicModel("Qwen/Qwen2.5-7B-Instruct", {"BF16": 7_615_616_512}, _decoder(28, 3584, 28, 4, 32768)),
    PublicModel("meta-llama/Llama-3.1-8B-Instruct", {"BF16": 8_030_261_248}, _decoder(32, 4096, 32, 8, 131072)),
    PublicModel("meta-llama/Llama-2-13b-chat-hf", {"F16": 13_015_864_320}, _decoder(40, 5120, 40, 40, 4096)),
    PublicModel("Qwen/Qwen2.5-14B-Instruct", {"BF16": 14_770_033_664}, _decoder(48, 5120, 40, 8, 32768)),
    PublicModel("EleutherAI/gpt-neox-20b", {"F16": 20_554_568_208}, _decoder(44, 6144, 64, 64, 2048)),
    PublicModel("google/flan-ul2", {"F32": 19_459_481_600}, _t5(32, 4096, 16, 256)),
    PublicModel("Qwen/Qwen2.5-32B-Instruct", {"BF16": 32_763_876_352}, _decoder(64, 5120, 40, 8, 32768)),
    PublicModel("meta-llama/Llama-3.1-70B-Instruct, AWQ in 4 bits", {"I32": 8_800_000_000, "F16": 2_400_000_000},
                _decoder(80, 8192, 64, 8, 131072, **AWQ)),
    PublicModel("mistralai/Mixtral-8x7B-Instruct-v0.1", {"BF16": 46_702_792_704},
                _decoder(32, 4096, 32, 8, 32768, num_local_experts=8, num_experts_per_tok=2)),
    PublicModel("meta-llama/Llama-3.1-70B-Instruct", {"BF16": 70_553_706_496}, _decoder(80, 8192, 64, 8, 131072)),
)  # fmt: skip
