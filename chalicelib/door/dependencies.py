"""Whether the Hugging Face image has the libraries that transformers wants for this very model. Called by `inspection`.

Most models need transformers and torch alone. Some quantisations, backbones and tokenizers are loaded by a library of
their own, and where that is not installed transformers raises ImportError: the endpoint fails at start.
Source: transformers 5.23 and 4.51, quantizers/*.py and the modules of the models and tokenizers named here; AWS's
Deep Learning Containers, huggingface/pytorch/inference/docker/2.6, whose images have accelerate, diffusers, peft,
sentencepiece, librosa and Pillow beside transformers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.door.kinds import Findings, shown
from chalicelib.door.libraries import LEFT_TO_CODE, MISSING, how_to_bring
from chalicelib.door.models import Model
from chalicelib.door.quantizers import BEFORE_5, LIBRARIES
from chalicelib.door.requirement_lines import normal
from chalicelib.door.requirements import required_names
from chalicelib.door.shapes import read_quantization
from chalicelib.reports import ServingPlan

_MODEL_TYPES: dict[str, tuple[str, ...]] = {
    "dinat": ("natten",),
    "layoutlmv2": ("detectron2",),
    "timm_backbone": ("timm",),
    "timm_wrapper": ("timm",),
}
_TIMM_UNLESS_TOLD = frozenset({"conditional_detr", "deformable_detr", "detr", "omdet-turbo", "table-transformer"})
"""Their backbone is one of timm's unless config.json says otherwise."""
_TOKENIZERS: dict[str, tuple[str, ...]] = {
    "BioGptTokenizer": ("sacremoses",),
    "CpmAntTokenizer": ("rjieba",),
    "FSMTTokenizer": ("sacremoses",),
    "FlaubertTokenizer": ("sacremoses",),
    "RoFormerTokenizer": ("rjieba",),
    "XLMTokenizer": ("sacremoses",),
}
_JAPANESE = {"jumanpp": ("rhoknp",), "sudachi": ("sudachipy",)}
_MECAB_DICTIONARIES = {"ipadic": "ipadic", "unidic": "unidic", "unidic_lite": "unidic-lite"}
_UNQUANTISED = "Save the model as it was before it was quantised. Or: "


@dataclass(frozen=True)
class Dependency:
    """Libraries that loading a model needs.

    Attributes:
        what: Needs them; begins a sentence.
        libraries: As pip calls them.
        path: Of the file that says so.
        is_on_torch: They stand on torch, whose wheel has gigabytes.
        other_way: What else can be done than to bring them: stands before that in the fix.
    """

    what: str
    libraries: tuple[str, ...]
    path: str = "config.json"
    is_on_torch: bool = True
    other_way: str = ""


def check_dependencies(
    model: Model, tokenizer_config: Mapping[str, Any], plan: ServingPlan | None, findings: Findings
) -> None:
    """Hold what the model and its tokenizer need against the image; *plan* is None where none could be made."""
    if plan is None or plan.container != "huggingface":
        return
    required = required_names(model.contents, plan.image_uri)
    if required is None:
        return
    is_before_5 = "-transformers4." in plan.image_uri
    for each in dependencies(model.config, tokenizer_config, is_before_5=is_before_5):
        missing = [library for library in each.libraries if normal(library) not in required]
        if not missing:
            continue
        message = f"{each.what} needs {' and '.join(missing)}, which the image of container huggingface has not"
        bring = how_to_bring(missing, is_on_torch=each.is_on_torch)
        if model.has_code:
            findings.add(LEFT_TO_CODE, message, path=each.path, fix=f"Run {bring}")
        else:
            fix = f"{each.other_way}Add code/inference.py with model_fn(model_dir), run {bring}"
            findings.add(MISSING, message, path=each.path, fix=fix)


def dependencies(
    config: Mapping[str, Any], tokenizer_config: Mapping[str, Any], *, is_before_5: bool
) -> Iterator[Dependency]:
    """Yield what transformers wants beside itself to load a model and its tokenizer."""
    quantization = read_quantization(config)
    if quantization is not None and quantization.method in LIBRARIES:
        others = BEFORE_5 if is_before_5 else {}
        libraries = others.get(quantization.method, LIBRARIES[quantization.method])
        yield Dependency(f"the quantisation {shown(quantization.method)}", libraries, other_way=_UNQUANTISED)
    yield from _of_config(config)
    yield from _of_tokenizer(tokenizer_config)


def _of_config(config: Mapping[str, Any]) -> Iterator[Dependency]:
    backbone = config.get("backbone_config")
    outer, inner = _model_type(config), _model_type(backbone) if isinstance(backbone, dict) else None
    for each in (outer, inner):
        if each in _MODEL_TYPES:
            yield Dependency(f"the model type {each}", _MODEL_TYPES[each])
    is_timms_own = "model_type" not in config and "pretrained_cfg" in config
    uses_timm = config.get("use_timm_backbone")
    by_default = outer in _TIMM_UNLESS_TOLD and uses_timm is None and not isinstance(backbone, dict)
    if inner not in _MODEL_TYPES and (is_timms_own or uses_timm is True or by_default):
        yield Dependency("a model of timm" if is_timms_own else "the backbone", ("timm",))


def _model_type(config: Mapping[str, Any]) -> str:
    model_type = config.get("model_type")
    return model_type if isinstance(model_type, str) else ""


def _of_tokenizer(config: Mapping[str, Any]) -> Iterator[Dependency]:
    name = config.get("tokenizer_class")
    if not isinstance(name, str):
        return
    libraries = _japanese(config) if name == "BertJapaneseTokenizer" else _TOKENIZERS.get(name)
    if libraries:
        yield Dependency(f"the tokenizer {name}", libraries, "tokenizer_config.json", is_on_torch=False)


def _japanese(config: Mapping[str, Any]) -> tuple[str, ...] | None:
    words = config.get("word_tokenizer_type")
    if words != "mecab":
        return _JAPANESE.get(words) if isinstance(words, str) else None
    options = config.get("mecab_kwargs")
    dictionary = options.get("mecab_dic", "ipadic") if isinstance(options, dict) else "ipadic"
    package = _MECAB_DICTIONARIES.get(dictionary) if isinstance(dictionary, str) else None
    return ("fugashi", package) if package is not None else ("fugashi",)
