"""What the door says a model needs beside transformers is what transformers itself asks for: ImportError or none."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.door.dependencies import dependencies
from tests.unit.corpus import archive, safetensors
from tests.unit.test_door_corpus import report_on

DETR = transformers.DetrConfig, transformers.DetrForObjectDetection
MODELS: dict[str, tuple[Any, Any, dict[str, object]]] = {
    "detr": (*DETR, {}),
    "detr, timm by name": (*DETR, {"use_timm_backbone": True}),
    "detr, no timm": (*DETR, {"use_timm_backbone": False}),
    "conditional detr": (transformers.ConditionalDetrConfig, transformers.ConditionalDetrForObjectDetection, {}),
    "deformable detr": (transformers.DeformableDetrConfig, transformers.DeformableDetrForObjectDetection, {}),
    "table transformer": (transformers.TableTransformerConfig, transformers.TableTransformerForObjectDetection, {}),
    "rt-detr": (transformers.RTDetrConfig, transformers.RTDetrForObjectDetection, {}),
    "dinat": (transformers.DinatConfig, transformers.DinatForImageClassification, {}),
    "layoutlmv2": (transformers.LayoutLMv2Config, transformers.LayoutLMv2ForTokenClassification, {}),
    "a timm model": (
        transformers.TimmWrapperConfig, transformers.TimmWrapperForImageClassification, {"architecture": "resnet18"},
    ),
    "dpt": (transformers.DPTConfig, transformers.DPTForDepthEstimation, {}),
    "vit": (transformers.ViTConfig, transformers.ViTForImageClassification, {}),
}  # fmt: skip


def missing_in(config: dict[str, Any], tokenizer: dict[str, Any] | None = None) -> str | None:
    """The door's message of a missing library; None where it has none."""
    files = {"config.json": json.dumps(config).encode(), "model.safetensors": safetensors()}
    files["tokenizer_config.json"] = json.dumps(tokenizer or {}).encode()
    checks = report_on(archive(files)).errors
    return next((check.message for check in checks if check.id == "library-missing"), None)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_needs_what_transformers_asks_for(name: str, tmp_path: Path) -> None:
    config_class, model_class, options = MODELS[name]
    config = config_class(**options)
    config.architectures = [model_class.__name__]
    config.save_pretrained(tmp_path)
    asked = None
    try:
        with torch.device("meta"):
            model_class(config)
    except ImportError as exc:
        asked = str(exc)

    message = missing_in(json.loads((tmp_path / "config.json").read_text()))

    assert (message is None) == (asked is None), asked
    if message is not None:
        library = message.split(" needs ")[1].split(",")[0]
        assert library in str(asked)


def test_a_detr_written_by_transformers_4_says_nothing_of_its_backbone_and_means_timm() -> None:
    plain = {"architectures": ["DetrForObjectDetection"], "model_type": "detr", "backbone": "resnet50"}

    assert "the backbone needs timm" in str(missing_in(plain))
    assert missing_in({**plain, "use_timm_backbone": False}) is None
    assert missing_in({**plain, "backbone_config": {"model_type": "resnet"}}) is None


def test_a_checkpoint_of_timm_itself_needs_timm() -> None:
    raw = {"architecture": "resnet50", "num_classes": 10, "pretrained_cfg": {"input_size": [3, 224, 224]}}

    assert "a model of timm needs timm" in str(missing_in(raw))


BERT = {"architectures": ["BertForMaskedLM"], "model_type": "bert"}
MECAB = {"word_tokenizer_type": "mecab"}


@pytest.mark.parametrize(
    ("name", "options", "libraries"),
    [
        ("BertJapaneseTokenizer", {}, None),
        ("BertJapaneseTokenizer", MECAB, "fugashi and ipadic"),
        ("BertJapaneseTokenizer", {**MECAB, "mecab_kwargs": {"mecab_dic": "unidic_lite"}}, "fugashi and unidic-lite"),
        ("BertJapaneseTokenizer", {**MECAB, "mecab_kwargs": {"mecab_dic": None}}, "fugashi"),
        ("BertJapaneseTokenizer", {"word_tokenizer_type": "sudachi"}, "sudachipy"),
        ("BertJapaneseTokenizer", {"word_tokenizer_type": ["odd"]}, None),
        ("XLMTokenizer", {}, "sacremoses"),
        ("FlaubertTokenizer", {}, "sacremoses"),
        ("BioGptTokenizer", {}, "sacremoses"),
        ("RoFormerTokenizer", {}, "rjieba"),
        ("BertTokenizer", {}, None),
    ],
)
def test_a_tokenizer_needs_what_transformers_asks_for(
    name: str, options: dict[str, Any], libraries: str | None, tmp_path: Path
) -> None:
    message = missing_in(BERT, {"tokenizer_class": name, **options})

    if libraries is None:
        assert message is None
        return
    assert f"the tokenizer {name} needs {libraries}, which" in str(message)
    vocabulary, merges = tmp_path / "vocab", tmp_path / "merges.txt"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<unk>", "<s>", "</s>", "<pad>"]
    is_json = name not in ("BertJapaneseTokenizer", "RoFormerTokenizer")
    vocabulary.write_text(json.dumps({word: at for at, word in enumerate(words)}) if is_json else "\n".join(words))
    merges.write_text("#version: 0.2\n")
    files = [str(vocabulary), str(merges)] if is_json else [str(vocabulary)]
    with pytest.raises(ImportError, match=libraries.split(maxsplit=1)[0]):
        getattr(transformers, name)(*files, **options)


KEYS = [
    "backbone_config", "mecab_dic", "mecab_kwargs", "model_type", "pretrained_cfg", "quant_method",
    "quantization_config", "text_config", "tokenizer_class", "use_timm_backbone", "word_tokenizer_type",
]  # fmt: skip
WORDS = ["BertJapaneseTokenizer", "XLMTokenizer", "awq", "detr", "llama", "mecab", "timm_backbone", "unidic", ""]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)
CONFIGS = st.dictionaries(st.sampled_from(KEYS), VALUES)


@settings(deadline=None)
@given(CONFIGS, CONFIGS, st.booleans())
def test_whatever_a_config_holds_it_is_read(config: Any, tokenizer_config: Any, is_before_5: bool) -> None:
    for each in dependencies(config, tokenizer_config, is_before_5=is_before_5):
        assert each.what
        assert all(isinstance(library, str) for library in each.libraries)
