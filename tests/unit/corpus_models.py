"""Archives by what lies in them and where: layout, weights and configuration. Joined by corpus_cases."""

import random
from functools import partial

from tests.unit.corpus import (
    ESTIMATOR,
    INFERENCE,
    PICKLE,
    Case,
    archive,
    bert,
    bert_and,
    bert_shards,
    bert_without,
    case,
    config,
    lfs_pointer,
    mixture_of_experts,
    pickled_shards,
    safetensors,
    safetensors_of,
    shards,
    with_weights,
    zip_file,
)

CASES: dict[str, Case] = {
    # Layout.
    "one folder too deep": case(
        lambda: archive({f"my model/{name}": body for name, body in bert().items()}), "one-folder-too-deep"
    ),
    "two folders too deep": case(
        lambda: archive({f"a/b/{name}": body for name, body in bert().items()}), "one-folder-too-deep"
    ),
    "too deep with strays": case(
        lambda: archive({"README.md": b"", **{f"m/{name}": body for name, body in bert().items()}}),
        "one-folder-too-deep",
    ),
    "only another archive": case(
        lambda: archive({"model.zip": zip_file()}), "nothing-to-serve", "archive-nested"
    ),
    "two models": case(
        lambda: archive({f"{folder}/{name}": body for folder in "ab" for name, body in bert().items()}),
        "nothing-to-serve",
    ),
    "nothing to serve": case(lambda: archive({"notes.txt": b"hi"}), "nothing-to-serve"),
    "code at the root": case(
        lambda: archive({"inference.py": INFERENCE}), "nothing-to-serve", "code-misplaced"
    ),
    "weights alone": case(lambda: archive({"model.safetensors": safetensors()}), "nothing-to-serve"),
    "adapter alone": case(
        lambda: archive({"adapter_config.json": b"{}", "adapter_model.safetensors": safetensors()}), "adapter-only"
    ),
    "sklearn without code": case(lambda: archive({"model.joblib": ESTIMATOR}), "weights-pickled"),
    "sklearn by a name of its own": case(lambda: archive({"churn.pkl": ESTIMATOR}), "weights-pickled"),
    "sklearn twice": case(
        lambda: archive({"a.joblib": ESTIMATOR, "b.joblib": ESTIMATOR}), "code-missing", "weights-pickled"
    ),
    "sklearn with a folder code and no handler": case(
        lambda: archive({"model.joblib": ESTIMATOR, "code/notes.txt": b""}), "code-missing", "weights-pickled"
    ),
    "sklearn that is strict": case(
        lambda: archive({"model.joblib": ESTIMATOR}), "trust-strict", toml='trust = "strict"'
    ),
    "sklearn that is trusted": case(lambda: archive({"model.joblib": ESTIMATOR}), toml='trust = "trusted"'),
    "a pickle of no estimator": case(lambda: archive({"model.joblib": PICKLE}), "code-missing", "weights-pickled"),
    "sklearn": case(lambda: archive({"model.joblib": PICKLE, "code/inference.py": INFERENCE}), "weights-pickled"),
    "torchscript": case(lambda: archive({"model.pth": PICKLE, "code/inference.py": INFERENCE}), "weights-pickled"),
    "tensorflow": case(lambda: archive({"1/saved_model.pb": b"x"})),
    "tensorflow without a number": case(lambda: archive({"saved_model.pb": b"x"}), "saved-model-not-numbered"),
    "xgboost": case(lambda: archive({"xgboost-model": b'{"learner":{},"version":[3,2,0]}'})),
    "xgboost's wrapper": case(
        lambda: archive({"model.pkl": b"\x80\x02cxgboost.sklearn\nXGBClassifier\n."}),
        "weights-pickled", "xgboost-wrapper-pickled",
    ),
    "onnx": case(lambda: archive({"model.onnx": b"x"}), "container-not-available"),
    "a type that nobody knows": case(
        lambda: bert_and(**{"config.json": config(model_type="brandnew")}), "architecture-unknown"
    ),
    "a type whose pipeline has gone": case(
        lambda: bert_and(**{
            "config.json": config("T5GemmaForConditionalGeneration", model_type="t5gemma"),
            "preprocessor_config.json": b"{}",
        }),
        "pipeline-removed", toml='task = "visual-question-answering"',
    ),
    "toml tei without a fast tokenizer": case(
        lambda: archive({
            "config.json": config("BertModel", model_type="bert"),
            "model.safetensors": safetensors(), "vocab.txt": b"a",
        }),
        "container-needs-file", toml='container = "tei"',
    ),
    "xgboost beside a README": case(
        lambda: archive({"model.ubj": b"{L\0\0\0\0\0\0\0\x07learner", "README.md": b"#"}), "xgboost-stray-file"
    ),
    # Weights.
    "weights missing": case(lambda: bert_without("model.safetensors"), "weights-missing"),
    "weights of flax": case(
        lambda: archive({"config.json": config(), "tokenizer.json": b"", "flax_model.msgpack": b"x"}), "weights-format"
    ),
    "weights of tensorflow": case(
        lambda: archive({"config.json": config(), "tokenizer.json": b"{}", "tf_model.h5": b"x"}), "weights-format"
    ),
    "git and an environment": case(
        lambda: bert_and(**{".git/objects/pack/x.pack": bytes(1 << 20), "venv/x.py": b"1"}), "tool-leavings"
    ),
    "cache of the hub": case(lambda: bert_and(**{".cache/huggingface/x.lock": b""})),
    "optimizer of fsdp": case(lambda: bert_and(**{"optimizer_0/__0_0.distcp": bytes(9)}), "training-leftovers"),
    "weights empty": case(lambda: archive({"config.json": config(), "tokenizer.json": b"", "model.bin": b""}),
                          "weights-empty", "weights-pickled"),
    "weights cut": case(lambda: bert_and(**{"model.safetensors": safetensors()[:-1]}), "safetensors-damaged"),
    "weights not safetensors": case(lambda: bert_and(**{"model.safetensors": b"x" * 99}), "safetensors-damaged"),
    "weights shorter than a header": case(lambda: bert_and(**{"model.safetensors": b"x"}), "safetensors-damaged"),
    **{f"safetensors {name}": case(partial(with_weights, raw), "safetensors-damaged")
       for name, raw in {
           "with a hole": safetensors_of({"a": ("U8", [2], 4, 6)}),
           "overlapping": safetensors_of({"a": ("U8", [4], 0, 4), "b": ("U8", [4], 2, 6)}),
           "that say one thing twice": safetensors_of({"a": ("U8", [2], 0, 2)}, b', "a": {}'),
           "with no tensor": safetensors_of({"a": ("U8", [2], 0, 2)}, b', "b": 1'),
           "with half a character": safetensors_of({"a": ("U8", [2], 0, 2)}, b', "__metadata__": {"a": "\\ud800"}'),
           "with numbers in the metadata": safetensors_of({"a": ("U8", [2], 0, 2)}, b', "__metadata__": {"a": 1}'),
           "with no number": safetensors_of({"a": ("U8", [2], 0, 2)}, b', "__metadata__": {"a": NaN}'),
           "larger than any file": safetensors_of({"a": ("U8", [1 << 40, 1 << 40, 0], 0, 0)}),
       }.items()},
    "safetensors with a tensor called data_offsets": case(
        lambda: with_weights(safetensors_of({"data_offsets": ("U8", [2], 0, 2), "a": ("U8", [0], 2, 2)}))
    ),
    "lfs pointer": case(lfs_pointer, "lfs-pointer"),
    "shard missing": case(lambda: shards(1, 3), "weights-shard-missing"),
    "shard missing by the index alone": case(
        lambda: shards(1, 2, 3, weight_map={"w1": "model-00001-of-00003.safetensors", "w4": "other.safetensors"}),
        "weights-shard-missing", "weights-not-in-index",
    ),
    "index not json": case(lambda: bert_shards(b"{"), "weights-index-wrong"),
    "index without a map": case(lambda: bert_shards(b"{}"), "weights-index-wrong"),
    "index with a wrong file": case(
        lambda: shards(1, 2, total=2, weight_map=dict.fromkeys(("w1", "w2"), "model-00001-of-00002.safetensors")),
        "weights-index-wrong", "weights-not-in-index", "weights-total-size",
    ),
    "index of other tensors": case(
        lambda: shards(1, total=1, weight_map={"v": "model-00001-of-00001.safetensors"}),
        "weights-index-wrong", "weights-not-in-index",
    ),
    "index of another size": case(lambda: shards(1, 2, 3, metadata={"total_size": 100}), "weights-total-size"),
    "index of an odd size": case(lambda: shards(1, 2, 3, metadata={"total_size": "1"}), "weights-total-size"),
    "index without a size": case(lambda: shards(1, 2, 3, metadata={})),
    "index of 32,000 tensors": case(lambda: mixture_of_experts(4, 8_000)),
    "index of 32,000 tensors, one of them elsewhere": case(
        lambda: mixture_of_experts(
            4, 8_000,
            **{"model.layers.1.mlp.experts.7.down_proj.weight_scale_inv": "model-00001-of-00004.safetensors"},
        ),
        "weights-index-wrong", "weights-not-in-index",
    ),
    "index too large to read": case(lambda: bert_shards(random.Random(5).randbytes(5 << 19))),
    "pickled shards": case(lambda: pickled_shards(w1=1, w2=1, w3=2), "weights-pickled"),
    "pickled shards, a tensor elsewhere": case(
        lambda: pickled_shards(w1=1, w2=2, w3=2), "weights-index-wrong", "weights-pickled"
    ),
    "pickled shards, a tensor that none has": case(
        lambda: pickled_shards(w1=1, w4=2), "weights-index-wrong", "weights-pickled"
    ),
    "pickled shards with names that are not known": case(
        lambda: pickled_shards(w1=1, w4=2, **{"w" * 200: 2}), "weights-pickled"
    ),
    "index of pickles": case(
        lambda: archive({"config.json": config(), "tokenizer.json": b"{}", "pytorch_model-00001-of-00001.bin": PICKLE,
                         "pytorch_model.bin.index.json": b'{"weight_map": {"a": "x.bin"}}'}),
        "weights-shard-missing", "weights-not-in-index", "weights-pickled",
    ),
    "index beside undivided weights": case(lambda: bert_and(**{"model.safetensors.index.json": b"{"})),
    "index missing": case(lambda: shards(1, 2, 3, index=False), "weights-index-missing"),
    "two formats": case(lambda: bert_and(**{"pytorch_model.bin": PICKLE}), "weights-twice"),
    "checkpoints": case(
        lambda: bert_and(**{"checkpoint-500/optimizer.pt": PICKLE, "training_args.bin": PICKLE}), "training-leftovers"
    ),
    "only a checkpoint": case(
        lambda: archive({f"checkpoint-1/{name}" if "model" in name else name: body for name, body in bert().items()}),
        "weights-missing", "training-leftovers",
    ),
    # Configuration.
    "config not json": case(lambda: bert_and(**{"config.json": b"{'a': 1}"}), "config-not-json"),
    "config with a mark": case(
        lambda: bert_and(**{"config.json": b"\xef\xbb\xbf{}"}), "config-not-json"
    ),
    "config latin-1": case(lambda: bert_and(**{"config.json": b'{"a": "\xe9"}'}), "config-not-json"),
    "config a list": case(lambda: bert_and(**{"config.json": b"[]"}), "config-not-object"),
    "config nested": case(lambda: bert_and(**{"config.json": b"[" * 100_000}), "config-not-json"),
    "config huge": case(lambda: bert_and(**{"config.json": b" " * (1 << 21)}), "code-not-read", "task-unknown"),
    "tokenizer config": case(lambda: bert_and(**{"tokenizer_config.json": b"{"}), "config-not-json"),
    "tokenizer missing": case(lambda: bert_without("tokenizer.json"), "tokenizer-missing"),
    "processor missing": case(
        lambda: bert_and(**{"config.json": config("ViTForImageClassification")}), "processor-missing"
    ),
    "remote code": case(lambda: bert_and(**{"config.json": config(auto_map={})}), "config-remote-code"),
    "task unknown": case(lambda: bert_and(**{"config.json": config("Odd")}), "task-unknown"),
}  # fmt: skip
