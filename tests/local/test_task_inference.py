"""What the door takes an architecture to do, held against transformers' own auto classes: every one of them."""

from collections import defaultdict

import pytest
from transformers.models.auto import modeling_auto

from chalicelib.door.tasks import TASKS, infer_task

TASK_BY_MAPPING = {
    "MODEL": "feature-extraction",
    "MODEL_FOR_AUDIO_CLASSIFICATION": "audio-classification",
    "MODEL_FOR_CAUSAL_LM": "text-generation",
    "MODEL_FOR_CTC": "automatic-speech-recognition",
    "MODEL_FOR_DEPTH_ESTIMATION": "depth-estimation",
    "MODEL_FOR_DOCUMENT_QUESTION_ANSWERING": "document-question-answering",
    "MODEL_FOR_IMAGE": "image-feature-extraction",
    "MODEL_FOR_IMAGE_CLASSIFICATION": "image-classification",
    "MODEL_FOR_IMAGE_SEGMENTATION": "image-segmentation",
    "MODEL_FOR_IMAGE_TEXT_TO_TEXT": "image-text-to-text",
    "MODEL_FOR_IMAGE_TO_IMAGE": "image-to-image",
    "MODEL_FOR_INSTANCE_SEGMENTATION": "image-segmentation",
    "MODEL_FOR_KEYPOINT_MATCHING": "keypoint-matching",
    "MODEL_FOR_MASKED_LM": "fill-mask",
    "MODEL_FOR_MASK_GENERATION": "mask-generation",
    "MODEL_FOR_MULTIMODAL_LM": "any-to-any",
    "MODEL_FOR_MULTIPLE_CHOICE": "multiple-choice",
    "MODEL_FOR_OBJECT_DETECTION": "object-detection",
    "MODEL_FOR_QUESTION_ANSWERING": "question-answering",
    "MODEL_FOR_RNNT": "automatic-speech-recognition",
    "MODEL_FOR_SEMANTIC_SEGMENTATION": "image-segmentation",
    "MODEL_FOR_SEQUENCE_CLASSIFICATION": "text-classification",
    "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM": "text2text-generation",
    "MODEL_FOR_SPEECH_SEQ_2_SEQ": "automatic-speech-recognition",
    "MODEL_FOR_TABLE_QUESTION_ANSWERING": "table-question-answering",
    "MODEL_FOR_TDT": "automatic-speech-recognition",
    "MODEL_FOR_TEXT_ENCODING": "feature-extraction",
    "MODEL_FOR_TEXT_TO_SPECTROGRAM": "text-to-audio",
    "MODEL_FOR_TEXT_TO_WAVEFORM": "text-to-audio",
    "MODEL_FOR_TOKEN_CLASSIFICATION": "token-classification",
    "MODEL_FOR_UNIVERSAL_SEGMENTATION": "image-segmentation",
    "MODEL_FOR_VIDEO_CLASSIFICATION": "video-classification",
    "MODEL_FOR_VISUAL_QUESTION_ANSWERING": "visual-question-answering",
    "MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION": "zero-shot-image-classification",
    "MODEL_FOR_ZERO_SHOT_OBJECT_DETECTION": "zero-shot-object-detection",
}
NO_TASK = {
    "MODEL_FOR_AUDIO_FRAME_CLASSIFICATION", "MODEL_FOR_AUDIO_TOKENIZATION", "MODEL_FOR_AUDIO_XVECTOR",
    "MODEL_FOR_BACKBONE", "MODEL_FOR_CAUSAL_IMAGE_MODELING", "MODEL_FOR_DECISION", "MODEL_FOR_IMAGE_MATTING",
    "MODEL_FOR_KEYPOINT_DETECTION", "MODEL_FOR_MASKED_IMAGE_MODELING", "MODEL_FOR_NEXT_SENTENCE_PREDICTION",
    "MODEL_FOR_NORMAL_ESTIMATION", "MODEL_FOR_POINTMAP_ESTIMATION", "MODEL_FOR_POSE_ESTIMATION", "MODEL_FOR_RETRIEVAL",
    "MODEL_FOR_PRETRAINING", "MODEL_FOR_TABLE_RECOGNITION", "MODEL_FOR_TEXT_RECOGNITION",
    "MODEL_FOR_TIME_SERIES_CLASSIFICATION", "MODEL_FOR_TIME_SERIES_PREDICTION", "MODEL_FOR_TIME_SERIES_REGRESSION",
}  # fmt: skip
"""Mappings that no pipeline and no tag of the hub is for."""

_PREDICTS_WORDS = "pre-training predicts masked words, among other things, and that head serves"
_CONVERSES = "it converses about sound, for which transformers has no pipeline of its own"
_TRANSCRIBES = "it transcribes, whatever else transformers files it under"
_PART = "a part of another model, or a head that no pipeline reads"
EXCEPTIONS: dict[str, tuple[str | None, str]] = {
    **{
        f"{family}ForPreTraining": ("fill-mask", _PREDICTS_WORDS)
        for family in ("Albert", "Bert", "BigBird", "Ernie", "FNet", "MegatronBert", "MobileBert", "RoCBert")
    },
    "AudioFlamingo3ForConditionalGeneration": ("audio-text-to-text", _CONVERSES),
    "ClvpModelForConditionalGeneration": ("text-to-audio", "it chooses among spoken candidates for a text"),
    "DiaForConditionalGeneration": ("text-to-audio", "it speaks; transformers files it with those that listen"),
    "GlmAsrForConditionalGeneration": ("automatic-speech-recognition", _TRANSCRIBES),
    "GlmImageVQVAE": (None, _PART),
    "HGNetV2Backbone": (None, _PART),
    "HunYuanVLVisionTransformer": (None, _PART),
    "Idefics3VisionTransformer": (None, _PART),
    "MgpstrForSceneTextRecognition": (None, _PART),
    "Mistral4ForCausalLM": ("text-generation", "its name says what it does without images"),
    "MossTranscribeDiarizeForConditionalGeneration": ("automatic-speech-recognition", _TRANSCRIBES),
    "MusicFlamingoForConditionalGeneration": ("audio-text-to-text", _CONVERSES),
    "Nemotron3_5TranscribeForConditionalGeneration": ("automatic-speech-recognition", _TRANSCRIBES),
    "Pop2PianoForConditionalGeneration": ("text-to-audio", "it plays; transformers files it with those that listen"),
    "Qwen2AudioForConditionalGeneration": ("audio-text-to-text", _CONVERSES),
    "SmolVLMVisionTransformer": (None, _PART),
    "TimmBackbone": (None, _PART),
    "VisionEncoderDecoderModel": ("image-to-text", "it captions, and does not converse"),
}
"""Where the answer is another than transformers' filing, with the reason."""


def tasks_by_architecture() -> dict[str, set[str]]:
    """Every architecture of the auto classes, with the tasks of the mappings that it stands in."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, mapping in vars(modeling_auto).items():
        if not name.startswith("MODEL_") or not name.endswith("_NAMES"):
            continue
        kind = name.removesuffix("_NAMES").removesuffix("_MAPPING")
        assert kind in TASK_BY_MAPPING or kind in NO_TASK, f"transformers has a new mapping: {name}"
        for each in mapping.values():
            for architecture in (each,) if isinstance(each, str) else each:
                found[architecture] |= {TASK_BY_MAPPING[kind]} if kind in TASK_BY_MAPPING else set()
    return found


KNOWN = tasks_by_architecture()


def test_all_of_transformers_is_walked() -> None:
    assert len(KNOWN) > 1500
    assert set(TASK_BY_MAPPING.values()) <= TASKS


def test_every_architecture_gets_a_task_that_transformers_files_it_under() -> None:
    wrong = {
        name: (infer_task(name), tasks)
        for name, tasks in KNOWN.items()
        if name not in EXCEPTIONS and infer_task(name) not in (tasks or {None})
    }

    assert wrong == {}


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_an_exception_is_one_and_answers_as_it_says(name: str) -> None:
    task, reason = EXCEPTIONS[name]

    assert infer_task(name) == task
    assert task not in (KNOWN[name] or {None})
    assert reason
