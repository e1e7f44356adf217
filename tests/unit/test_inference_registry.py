"""Which task a model directory is for."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference_code.tarmac_inference.faults import LoadError
from inference_code.tarmac_inference.registry import LOADERS, find_task


@pytest.fixture(autouse=True)
def _no_wish() -> Iterator[None]:
    before = os.environ.pop("HF_TASK", None)
    yield
    os.environ.pop("HF_TASK", None)
    if before is not None:
        os.environ["HF_TASK"] = before


def _model_dir(directory: Path, *architectures: str) -> Path:
    (directory / "config.json").write_text(json.dumps({"architectures": list(architectures)}))
    return directory


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("DistilBertForSequenceClassification", "text-classification"),
        ("RobertaForTokenClassification", "token-classification"),
        ("BertForMaskedLM", "fill-mask"),
        ("BertForQuestionAnswering", "question-answering"),
        ("LlamaForCausalLM", "text-generation"),
        ("GPT2LMHeadModel", "text-generation"),
        ("T5ForConditionalGeneration", "text2text-generation"),
        ("MarianMTModel", "translation"),
        ("BertModel", "feature-extraction"),
        ("ViTForImageClassification", "image-classification"),
        ("DetrForObjectDetection", "object-detection"),
        ("VisionEncoderDecoderModel", "image-to-text"),
        ("WhisperForConditionalGeneration", "automatic-speech-recognition"),
        ("Wav2Vec2ForCTC", "automatic-speech-recognition"),
        ("HubertForSequenceClassification", "audio-classification"),
        ("ASTForAudioClassification", "audio-classification"),
        ("TapasForQuestionAnswering", "table-question-answering"),
    ],
)
def test_the_architecture_says_the_task(tmp_path: Path, architecture: str, task: str) -> None:
    assert find_task(_model_dir(tmp_path, architecture)) == task


@pytest.mark.parametrize(
    ("wish", "task"),
    [
        ("sentiment-analysis", "text-classification"),
        ("ner", "token-classification"),
        ("translation_en_to_fr", "translation"),
    ],
)
def test_hf_task_goes_first_under_any_of_its_names(tmp_path: Path, wish: str, task: str) -> None:
    os.environ["HF_TASK"] = wish

    assert find_task(_model_dir(tmp_path, "BertForMaskedLM")) == task


@pytest.mark.parametrize(
    "architecture",
    ["LlavaForConditionalGeneration", "SamModel", "BarkModel", "ViTModel"],
)
def test_what_is_not_served_is_said(tmp_path: Path, architecture: str) -> None:
    with pytest.raises(LoadError):
        find_task(_model_dir(tmp_path, architecture))


def test_an_unknown_hf_task_lists_the_known_ones(tmp_path: Path) -> None:
    os.environ["HF_TASK"] = "mind-reading"

    with pytest.raises(LoadError, match=r"mind-reading.*text-classification"):
        find_task(tmp_path)


def test_a_joblib_file_is_scikit_learn(tmp_path: Path) -> None:
    (tmp_path / "model.joblib").write_bytes(b"")

    assert find_task(tmp_path) == "sklearn"


def test_a_single_pickle_is_scikit_learn_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "churn.pkl").write_bytes(b"")
    assert find_task(tmp_path) == "sklearn"

    (tmp_path / "second.pkl").write_bytes(b"")
    with pytest.raises(LoadError):
        find_task(tmp_path)


@pytest.mark.parametrize("text", ["[]", "{", "\x00"])
def test_a_config_that_makes_no_sense_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)

    with pytest.raises(LoadError, match=r"config\.json"):
        find_task(tmp_path)


def test_every_loader_is_there() -> None:
    """Modules are imported late, so a wrong name would show only when such a model is served."""
    parts = Path(__file__).parents[2] / "inference_code" / "tarmac_inference"
    for place in LOADERS.values():
        module, name = place.split(":")
        assert f"class {name}(" in (parts / f"{module}.py").read_text()
