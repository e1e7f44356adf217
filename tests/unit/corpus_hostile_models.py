"""Configuration that is almost right, weights of odd types and kinds, and what pickles need. For corpus_cases."""

import json
from functools import partial

from tests.unit import hostile_pickles
from tests.unit.corpus import (
    ESTIMATOR,
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
FIND_LINKS = b"--find-links /opt/ml/model/code/wheels\n"


def configured(raw: bytes) -> bytes:
    return bert_and(**{"config.json": raw})


def named(*names: str, body: bytes = safetensors()) -> bytes:
    """A model without the usual file of weights, with these in its place."""
    return archive({"config.json": config(), "tokenizer.json": b"{}", **dict.fromkeys(names, body)})


def importing(*references: tuple[str, str]) -> bytes:
    """A pickle of a tuple of classes, each by module and name."""
    classes = b"".join(
        hostile_pickles.text(module) + hostile_pickles.text(name) + b"\x93" for module, name in references
    )
    return hostile_pickles.framed(b"(" + classes + b"t")


def quantised(method: str, architecture: str = "BertForSequenceClassification", **more: bytes) -> bytes:
    asked = config(architecture, quantization_config={"quant_method": method, "bits": 4})
    return bert_and(**{"config.json": asked, "model.safetensors": safetensors("U8", itemsize=1), **more})


def quantised_with_code(method: str, requirements: bytes, *wheels: str) -> bytes:
    brought = {f"code/wheels/{wheel}": b"" for wheel in wheels}
    code = {"code/inference.py": INFERENCE, "code/requirements.txt": requirements}
    return quantised(method, **code, **brought)


PIPELINE_OF = (("sklearn.pipeline", "Pipeline"), ("sklearn.preprocessing._data", "StandardScaler"))
LIGHTGBM = importing(*PIPELINE_OF, ("lightgbm.sklearn", "LGBMClassifier"), ("lightgbm.basic", "Booster"))
XGBOOST = importing(*PIPELINE_OF, ("xgboost.sklearn", "XGBClassifier"), ("xgboost.core", "Booster"))
CATBOOST = importing(*PIPELINE_OF, ("catboost.core", "CatBoostClassifier"))


def boosted(raw: bytes, **more: bytes) -> bytes:
    return archive({"model.joblib": raw, **more})


def with_requirements(raw: bytes, text: bytes, *wheels: str) -> bytes:
    brought = {f"code/wheels/{wheel}": b"" for wheel in wheels}
    return boosted(raw, **SKLEARN_CODE, **{"code/requirements.txt": text}, **brought)


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
    # Pickles of libraries that the image has not got.
    "lightgbm": hostile(partial(boosted, LIGHTGBM), refused=("library-missing",), warned=("weights-pickled",)),
    "lightgbm with code": hostile(
        partial(boosted, LIGHTGBM, **SKLEARN_CODE), warned=("library-left-to-code", "weights-pickled")
    ),
    "lightgbm with code and a requirement of something else": hostile(
        partial(with_requirements, LIGHTGBM, b"pandas\n"),
        warned=("library-left-to-code", "requirements-offline", "weights-pickled"),
    ),
    "lightgbm with code and its wheel": hostile(
        partial(with_requirements, LIGHTGBM, FIND_LINKS + b"LightGBM>=4\n", "lightgbm-4.6.0-py3-none-any.whl"),
        warned=("weights-pickled",),
    ),
    "lightgbm with code and its wheel by path": hostile(
        partial(with_requirements, LIGHTGBM, b"./wheels/lightgbm-4.6.0-py3-none-any.whl\n",
                "lightgbm-4.6.0-py3-none-any.whl"),
        warned=("weights-pickled",),
    ),
    "lightgbm with code and a wheel that nothing names": hostile(
        partial(with_requirements, LIGHTGBM, FIND_LINKS, "lightgbm-4.6.0-py3-none-any.whl"),
        warned=("library-left-to-code", "weights-pickled"),
    ),
    "lightgbm with code and a requirement for Windows": hostile(
        partial(with_requirements, LIGHTGBM, b'lightgbm; sys_platform == "win32"\n'),
        warned=("library-left-to-code", "weights-pickled"),
    ),
    "lightgbm with code that brings the library": hostile(
        partial(boosted, LIGHTGBM, **SKLEARN_CODE, **{"code/lightgbm/__init__.py": b""}), warned=("weights-pickled",)
    ),
    "lightgbm with code, where any requirement may be": hostile(
        partial(boosted, LIGHTGBM, **SKLEARN_CODE,
                **{"code/requirements.txt": b"-r more.txt\n", "code/more.txt": b"lightgbm"}),
        warned=("weights-pickled",),
    ),
    "lightgbm that training left behind": hostile(
        partial(boosted, ESTIMATOR, **{"checkpoint-1/old.joblib": LIGHTGBM}),
        warned=("training-leftovers", "weights-pickled"),
    ),
    "xgboost inside a pipeline": hostile(
        partial(boosted, XGBOOST), refused=("xgboost-wrapper-pickled",), warned=("weights-pickled",)
    ),
    "xgboost inside a pipeline with code": hostile(
        partial(boosted, XGBOOST, **SKLEARN_CODE), warned=("weights-pickled",)
    ),
    "xgboost inside a pipeline with code in the scikit-learn container": hostile(
        partial(boosted, XGBOOST, **SKLEARN_CODE), warned=("library-left-to-code", "weights-pickled"),
        toml='container = "sklearn"',
    ),
    "catboost": hostile(
        partial(boosted, CATBOOST),
        refused=("library-missing", "pickle-import-not-allowed"), warned=("weights-pickled",),
    ),
    "lightgbm that is trusted, of which nothing is known": hostile(
        partial(boosted, LIGHTGBM), toml='trust = "trusted"'
    ),
    # Quantised weights, and the library that loads them.
    **{
        f"quantised by {method}": hostile(partial(quantised, method), refused=("library-missing",))
        for method in ("bitsandbytes", "gptq", "awq", "compressed-tensors", "hqq", "torchao")
    },
    **{
        f"a generator quantised by {method}": hostile(partial(quantised, method, "LlamaForCausalLM"))
        for method in ("bitsandbytes", "gptq", "awq", "compressed-tensors", "fp8", "mxfp4")
    },
    "a generator quantised as vLLM does not load it": hostile(
        partial(quantised, "hqq", "LlamaForCausalLM"), refused=("library-missing",)
    ),
    "a generator quantised, with a container that cannot load it": hostile(
        partial(quantised, "gptq", "LlamaForCausalLM"),
        refused=("library-missing",), toml='container = "huggingface"',
    ),
    "quantised in a way that is not known": hostile(partial(quantised, "of-tomorrow")),
    "quantised, with code": hostile(
        partial(quantised_with_code, "bitsandbytes", b"\n"), warned=("library-left-to-code",)
    ),
    "quantised, with code and half of what it needs": hostile(
        partial(quantised_with_code, "gptq", FIND_LINKS + b"gptqmodel\n", "gptqmodel-5.0-py3-none-any.whl"),
        warned=("library-left-to-code",),
    ),
    "quantised, with code and its library": hostile(
        partial(quantised_with_code, "hqq", FIND_LINKS + b"hqq\n", "hqq-1.0-py3-none-any.whl")
    ),
    # What other tools call .bin is no pickle, and of no use to transformers.
    "bin of another tool alone": hostile(
        lambda: archive({"config.json": config(), "tokenizer.json": b"{}", "model.bin": b"\x06\0\0\0\x11"}),
        refused=("weights-misnamed",),
    ),
    # Odd types and depths where a library is looked for.
    "config of odd model types": hostile(
        partial(configured, config(model_type=["bert"], backbone_config={"model_type": {"a": 1}}, pretrained_cfg=None))
    ),
    "config of a backbone that is a list": hostile(
        partial(configured, config(backbone_config=[1], use_timm_backbone="yes", text_config={"model_type": [2]}))
    ),
    "tokenizer nested too deeply": hostile(
        lambda: bert_and(**{"tokenizer_config.json": b"[" * 100_000}), refused=("config-not-json",)
    ),
    "tokenizer of odd types": hostile(
        lambda: bert_and(**{"tokenizer_config.json": b'{"tokenizer_class": ["XLMTokenizer"], "mecab_kwargs": 7}'})
    ),
    "Japanese tokenizer of odd types": hostile(
        lambda: bert_and(**{"tokenizer_config.json": b'{"tokenizer_class": "BertJapaneseTokenizer",'
                                                     b' "word_tokenizer_type": ["mecab"], "mecab_kwargs": [7]}'}),
    ),
}  # fmt: skip
