"""Configuration that is almost right, weights of odd types and kinds. For corpus_cases."""

import json

from tests.unit.corpus import (
    INFERENCE,
    Case,
    archive,
    bert,
    bert_and,
    config,
    hostile,
    safetensors,
    safetensors_of,
    with_weights,
)

GGUF = b"GGUF\x03\0\0\0" + bytes(64)
PIPELINE = json.dumps(
    {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.37.1",
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "requires_safety_checker": False,
    }
).encode()
UNET = {"unet/config.json": b"{}", "unet/diffusion_pytorch_model.safetensors": safetensors()}
SCHEDULER = {"scheduler/scheduler_config.json": b"{}"}
SKLEARN_CODE = {"code/inference.py": INFERENCE}


def configured(raw: bytes) -> bytes:
    return bert_and(**{"config.json": raw})


def named(*names: str, body: bytes = safetensors()) -> bytes:
    """A model without the usual file of weights, with these in its place."""
    return archive({"config.json": config(), "tokenizer.json": b"{}", **dict.fromkeys(names, body)})


CASES: dict[str, Case] = {
    # config.json.
    "config with NaN": hostile(
        lambda: configured(b'{"architectures": ["BertForSequenceClassification"], "dropout": NaN, "x": -Infinity}')
    ),
    "config in UTF-8 with a mark": hostile(
        lambda: configured(b"\xef\xbb\xbf" + config()), refused=("config-not-json",)
    ),
    "config in UTF-16": hostile(
        lambda: configured(config().decode().encode("utf-16")), refused=("config-not-json",)
    ),
    "config that is a list": hostile(lambda: configured(b"[1, 2]"), refused=("config-not-object",)),
    "config that is null": hostile(lambda: configured(b"null"), refused=("config-not-object",)),
    "config with a hundred thousand brackets": hostile(
        lambda: configured(b'{"a":' + b"[" * 100_000), refused=("config-not-json",)
    ),
    "config with architectures in one string": hostile(
        lambda: configured(b'{"architectures": "BertForSequenceClassification", "model_type": "bert"}'),
        warned=("config-architectures",),
    ),
    "config with a number for architectures": hostile(
        lambda: configured(b'{"architectures": 7}'), warned=("config-architectures", "task-unknown")
    ),
    "config with architectures of null": hostile(
        lambda: configured(b'{"architectures": null}'), warned=("task-unknown",)
    ),
    "config that says one thing twice": hostile(
        lambda: configured(b'{"architectures": ["A"], "architectures": ["BertForSequenceClassification"]}')
    ),
    # Weights of odd types.
    "weights of 8-bit floats": hostile(lambda: with_weights(safetensors_of({"w": ("F8_E4M3", [64], 0, 64)}))),
    "weights of 4-bit integers": hostile(
        lambda: with_weights(safetensors_of({"w": ("I4", [64], 0, 32)})), warned=("safetensors-dtype",)
    ),
    "weights of 4-bit floats": hostile(lambda: with_weights(safetensors_of({"w": ("F4", [64], 0, 32)}))),
    "weights of a type with a control character": hostile(
        lambda: with_weights(safetensors_of({"w": ("\x1b[31m", [64], 0, 32)})), warned=("safetensors-dtype",)
    ),
    # Weights under other names.
    "weights by another name": hostile(lambda: named("weights.safetensors"), refused=("weights-misnamed",)),
    "weights by a name in another case": hostile(lambda: named("Model.safetensors"), refused=("weights-misnamed",)),
    "weights for llama.cpp beside a config": hostile(
        lambda: named("model-q4.gguf", body=GGUF), refused=("weights-misnamed",)
    ),
    "weights by another name, which vLLM finds": hostile(
        lambda: archive({
            "config.json": config("LlamaForCausalLM", model_type="llama"),
            "tokenizer.json": b"{}", "weights.safetensors": safetensors(),
        }),
        toml='container = "vllm"\ntask = "text-generation"',
    ),
    "weights by another name, which code loads": hostile(
        lambda: archive({"config.json": config(), "w.safetensors": safetensors(), **SKLEARN_CODE})
    ),
    "weights by another name, which the config names": hostile(
        lambda: archive({
            "config.json": config(transformers_weights="w.safetensors"), "tokenizer.json": b"{}",
            "w.safetensors": safetensors(),
        })
    ),
    "config by a name in another case": hostile(
        lambda: archive({"Config.json": config(), "model.safetensors": safetensors()}), refused=("nothing-to-serve",)
    ),
    # Other kinds of model.
    "gguf alone": hostile(lambda: archive({"model.gguf": GGUF}), refused=("container-not-available",)),
    "gguf with code": hostile(lambda: archive({"model.gguf": GGUF, **SKLEARN_CODE})),
    "diffusers": hostile(lambda: archive({"model_index.json": PIPELINE, **UNET, **SCHEDULER})),
    "diffusers without its scheduler": hostile(
        lambda: archive({"model_index.json": PIPELINE, **UNET}), refused=("diffusers-component-missing",)
    ),
    "diffusers without its scheduler, with code": hostile(
        lambda: archive({"model_index.json": PIPELINE, **UNET, **SKLEARN_CODE})
    ),
    "diffusers with an index that is a list": hostile(
        lambda: archive({"model_index.json": b"[]", **UNET}), refused=("config-not-object",)
    ),
    "adapter of PEFT alone": hostile(
        lambda: archive({
            "adapter_config.json": b'{"peft_type": "LORA", "base_model_name_or_path": "gpt2"}',
            "adapter_model.safetensors": safetensors(),
        }),
        refused=("adapter-only",),
    ),
    "adapter of PEFT with its base": hostile(
        lambda: archive({**bert(), "adapter_config.json": b"{}", "adapter_model.safetensors": safetensors()})
    ),
}  # fmt: skip
