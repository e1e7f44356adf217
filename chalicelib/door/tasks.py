"""From a model's configuration to the task it does, in the Hugging Face hub's words. Called by `plans` and `wishes`.

The serving container's own toolkit knows eleven endings of an architecture's name and fails on every other; this table
is longer, so that the plan can say HF_TASK. Source: transformers' auto classes, and the hub's list of pipeline tags.
"""

from collections.abc import Mapping
from typing import Any

_SEQ2SEQ_TEXT = (
    "Bart", "BigBirdPegasus", "Blenderbot", "BlenderbotSmall", "FSMT", "LED", "LongT5", "M2M100", "MBart", "MT5",
    "Marian", "Mvp", "NllbMoe", "Pegasus", "PegasusX", "PLBart", "ProphetNet", "SwitchTransformers", "T5", "UMT5",
    "XLMProphetNet",
)  # fmt: skip
_SPEECH_ENCODERS = (
    "Data2VecAudio",
    "Hubert",
    "SEW",
    "SEWD",
    "UniSpeech",
    "UniSpeechSat",
    "Wav2Vec2",
    "WavLM",
    "Whisper",
)

# The first ending or beginning that fits decides: the special stands before the general.
_ENDINGS: tuple[tuple[str, str], ...] = (
    ("TapasForQuestionAnswering", "table-question-answering"),
    ("LayoutLMForQuestionAnswering", "document-question-answering"),
    ("LayoutLMv2ForQuestionAnswering", "document-question-answering"),
    ("LayoutLMv3ForQuestionAnswering", "document-question-answering"),
    ("ViltForQuestionAnswering", "visual-question-answering"),
    ("ForQuestionAnswering", "question-answering"),
    ("ForTokenClassification", "token-classification"),
    ("ForSequenceClassification", "text-classification"),
    ("ForMaskedLM", "fill-mask"),
    ("ForPreTraining", "fill-mask"),
    ("ForCausalLM", "text-generation"),
    ("LMHeadModel", "text-generation"),
    ("ForZeroShotImageClassification", "zero-shot-image-classification"),
    ("ForImageClassification", "image-classification"),
    ("ForVideoClassification", "video-classification"),
    ("ForZeroShotObjectDetection", "zero-shot-object-detection"),
    ("OwlViTForObjectDetection", "zero-shot-object-detection"),
    ("Owlv2ForObjectDetection", "zero-shot-object-detection"),
    ("GroundingDinoForObjectDetection", "zero-shot-object-detection"),
    ("ForObjectDetection", "object-detection"),
    ("ForSemanticSegmentation", "image-segmentation"),
    ("ForInstanceSegmentation", "image-segmentation"),
    ("ForUniversalSegmentation", "image-segmentation"),
    ("ForImageSegmentation", "image-segmentation"),
    ("ForDepthEstimation", "depth-estimation"),
    ("ForMaskGeneration", "mask-generation"),
    ("SamModel", "mask-generation"),
    ("ForAudioClassification", "audio-classification"),
    ("ForCTC", "automatic-speech-recognition"),
    ("ForSpeechSeq2Seq", "automatic-speech-recognition"),
    ("ForImageTextToText", "image-text-to-text"),
    ("VisionEncoderDecoderModel", "image-to-text"),
    ("SpeechEncoderDecoderModel", "automatic-speech-recognition"),
    ("EncoderDecoderModel", "text2text-generation"),
    ("MTModel", "text2text-generation"),
    ("T5WithLMHeadModel", "text2text-generation"),
    ("CLIPModel", "zero-shot-image-classification"),
    ("SiglipModel", "zero-shot-image-classification"),
    ("VitsModel", "text-to-audio"),
)

REMOVED_IN_TRANSFORMERS_5 = frozenset(
    {
        "image-to-image",
        "image-to-text",
        "question-answering",
        "summarization",
        "text2text-generation",
        "translation",
        "visual-question-answering",
    }
)
"""Pipelines that transformers 5.0 to 5.3 dropped: the stock container's default handler then fails at start."""

TEXT_TASKS = frozenset(
    {
        "feature-extraction",
        "fill-mask",
        "question-answering",
        "sentence-similarity",
        "summarization",
        "table-question-answering",
        "text-classification",
        "text-generation",
        "text2text-generation",
        "token-classification",
        "translation",
        "zero-shot-classification",
    }
)

TASKS = (
    frozenset(task for _, task in _ENDINGS)
    | TEXT_TASKS
    | REMOVED_IN_TRANSFORMERS_5
    | {
        "image-feature-extraction",
        "text-to-image",
        "text-to-speech",
        "zero-shot-audio-classification",
        "multiple-choice",
    }
)
"""Every task that deploy.toml may name."""


def architecture_of(config: Mapping[str, Any]) -> str | None:
    """Read the architecture's name from a config.json; None where it has none."""
    architectures = config.get("architectures")
    if isinstance(architectures, list) and architectures and isinstance(architectures[0], str):
        return architectures[0]
    return None


def infer_task(architecture: str) -> str | None:
    """Tell which task an architecture does; None when its name does not say."""
    if architecture.endswith("ForConditionalGeneration"):
        return _conditional_generation(architecture.removesuffix("ForConditionalGeneration"))
    if architecture.endswith("ForSequenceClassification") and architecture.startswith(_SPEECH_ENCODERS):
        return "audio-classification"
    for ending, task in _ENDINGS:
        if architecture.endswith(ending):
            return task
    if architecture.startswith(("ViT", "Dinov2", "DINOv3", "Swin", "ConvNext", "Beit", "DeiT")):
        return "image-feature-extraction"
    if architecture.endswith(("Model", "Encoder")):
        return "feature-extraction"
    return None


def _conditional_generation(family: str) -> str:
    if family.startswith(_SPEECH_ENCODERS) or family.startswith("Speech"):
        return "automatic-speech-recognition"
    return "text2text-generation" if family in _SEQ2SEQ_TEXT else "image-text-to-text"
