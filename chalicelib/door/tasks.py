"""From a model's configuration to the task it does, in the Hugging Face hub's words. Called by `plans` and `wishes`.

The serving container's own toolkit knows eleven endings of an architecture's name and fails on every other; this table
is longer, so that the plan can say HF_TASK. Source: transformers' auto classes, and the hub's list of pipeline tags;
tests/local/test_task_inference.py holds it against every architecture that transformers has a head for.
"""

from collections.abc import Mapping
from typing import Any

_SEQ2SEQ_TEXT = (
    "Bart", "BigBirdPegasus", "Blenderbot", "BlenderbotSmall", "FSMT", "LED", "LongT5", "M2M100", "MBart", "MT5",
    "Marian", "Mvp", "NllbMoe", "Pegasus", "PegasusX", "PLBart", "ProphetNet", "SwitchTransformers", "T5", "T5Gemma",
    "UMT5", "XLMProphetNet",
)  # fmt: skip
_HEARING = (
    "Canary", "CohereAsr", "Data2VecAudio", "FunAsrNano", "GlmAsr", "GraniteSpeech", "Hubert", "KyutaiSpeechToText",
    "Moonshine", "MossTranscribe", "Nemotron3_5Transcribe", "Qwen3ASR", "SEW", "SEWD", "Speech", "UniSpeech",
    "UniSpeechSat", "VibeVoiceAsr", "Voxtral", "Wav2Vec2", "WavLM", "Whisper",
)  # fmt: skip
"""Beginnings of those that turn sound into text."""
_TALKING = ("AudioFlamingo3", "MusicFlamingo", "Qwen2Audio")
"""Beginnings of those that converse about sound."""
_SOUNDING = (
    "Csm", "Dia", "GradiumPhononTTS", "HiggsAudioV2", "Musicgen", "PocketTTS", "Pop2Piano", "VibeVoiceFor",
)  # fmt: skip
"""Beginnings of those whose answer is sound."""
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
_SEEING = (
    "Beit", "ConvNext", "DINOv3", "DeiT", "Dinov2", "Llama4Vision", "MllamaVision", "Swin", "ViT",
)  # fmt: skip

# What is named exactly so, where the ending would mislead.
_NAMED = {
    "BertGenerationDecoder": "text-generation",
    "Blip2ForImageTextRetrieval": "zero-shot-image-classification",
    "BlipForQuestionAnswering": "visual-question-answering",
    "ClvpModelForConditionalGeneration": "text-to-audio",
    "DiffusionGemmaForBlockDiffusion": "image-text-to-text",
    "EvollaForProteinText2Text": "image-text-to-text",
    "FSMTModel": "feature-extraction",
    "FastSpeech2ConformerWithHifiGan": "text-to-audio",
    "FlaubertWithLMHeadModel": "fill-mask",
    "Mistral4ForCausalLM": "text-generation",
    "NemotronH_Omni_Reasoning_V3": "image-text-to-text",
    "Qwen2_5OmniForConditionalGeneration": "any-to-any",
    "Qwen3OmniMoeForConditionalGeneration": "any-to-any",
    "ReformerModelWithLMHead": "text-generation",
    "XCLIPModel": "feature-extraction",
    "XLMWithLMHeadModel": "fill-mask",
}

# The first ending that fits decides: the special stands before the general.
_ENDINGS: tuple[tuple[str, str | None], ...] = (
    ("TapasForQuestionAnswering", "table-question-answering"),
    ("LayoutLMForQuestionAnswering", "document-question-answering"),
    ("LayoutLMv2ForQuestionAnswering", "document-question-answering"),
    ("LayoutLMv3ForQuestionAnswering", "document-question-answering"),
    ("ViltForQuestionAnswering", "visual-question-answering"),
    ("ForQuestionAnswering", "question-answering"),
    ("ForQuestionAnsweringSimple", "question-answering"),
    ("ForTokenClassification", "token-classification"),
    ("ForSequenceClassification", "text-classification"),
    ("ForMultipleChoice", "multiple-choice"),
    ("ForMaskedLM", "fill-mask"),
    ("ForCausalLM", "text-generation"),
    ("LMHeadModel", "text-generation"),
    ("ForZeroShotImageClassification", "zero-shot-image-classification"),
    ("ForImageClassification", "image-classification"),
    ("ForImageClassificationWithTeacher", "image-classification"),
    ("ForImageClassificationConvProcessing", "image-classification"),
    ("ForImageClassificationFourier", "image-classification"),
    ("ForImageClassificationLearned", "image-classification"),
    ("ForVideoClassification", "video-classification"),
    ("ForZeroShotObjectDetection", "zero-shot-object-detection"),
    ("OwlViTForObjectDetection", "zero-shot-object-detection"),
    ("Owlv2ForObjectDetection", "zero-shot-object-detection"),
    ("OmDetTurboForObjectDetection", "zero-shot-object-detection"),
    ("GroundingDinoForObjectDetection", "zero-shot-object-detection"),
    ("ForObjectDetection", "object-detection"),
    ("ForSemanticSegmentation", "image-segmentation"),
    ("ForInstanceSegmentation", "image-segmentation"),
    ("ForUniversalSegmentation", "image-segmentation"),
    ("ForImageSegmentation", "image-segmentation"),
    ("ForSegmentation", "image-segmentation"),
    ("ForImageSuperResolution", "image-to-image"),
    ("ForDepthEstimation", "depth-estimation"),
    ("ForKeypointMatching", "keypoint-matching"),
    ("ForMaskGeneration", "mask-generation"),
    ("SamModel", "mask-generation"),
    ("ForAudioClassification", "audio-classification"),
    ("ForCTC", "automatic-speech-recognition"),
    ("ForRNNT", "automatic-speech-recognition"),
    ("ForTDT", "automatic-speech-recognition"),
    ("ForSpeechSeq2Seq", "automatic-speech-recognition"),
    ("ForSpeechToText", "automatic-speech-recognition"),
    ("ForTextToSpeech", "text-to-audio"),
    ("ForTextToText", "text2text-generation"),
    ("ForImageTextToText", "image-text-to-text"),
    ("ForVisionText2Text", "image-text-to-text"),
    ("VisionEncoderDecoderModel", "image-to-text"),
    ("SpeechEncoderDecoderModel", "automatic-speech-recognition"),
    ("EncoderDecoderModel", "text2text-generation"),
    ("MTModel", "text2text-generation"),
    ("T5WithLMHeadModel", "text2text-generation"),
    ("CLIPModel", "zero-shot-image-classification"),
    ("SiglipModel", "zero-shot-image-classification"),
    ("VitsModel", "text-to-audio"),
    # A head that no task is for: no name of a task would be true of it.
    ("Backbone", None),
    ("ForMaskedImageModeling", None),
)
_PRETRAINED_ON_TEXT = (
    "Albert", "Bert", "BigBird", "Ernie", "FNet", "MegatronBert", "MobileBert", "RoCBert",
)  # fmt: skip
"""Those whose ForPreTraining predicts masked words too; others' compares, or draws."""

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
        "multiple-choice",
        "question-answering",
        "sentence-similarity",
        "summarization",
        "table-question-answering",
        "text-classification",
        "text-generation",
        "text-ranking",
        "text2text-generation",
        "token-classification",
        "translation",
        "zero-shot-classification",
    }
)

TASKS = (
    frozenset(task for _, task in _ENDINGS if task is not None)
    | TEXT_TASKS
    | REMOVED_IN_TRANSFORMERS_5
    | {
        "any-to-any",
        "audio-text-to-text",
        "image-feature-extraction",
        "text-to-image",
        "text-to-speech",
        "zero-shot-audio-classification",
    }
)
"""Every task that deploy.toml may name."""


def architecture_of(config: Mapping[str, Any]) -> str | None:
    """Read the architecture's name from a config.json; None where it has none."""
    architectures = config.get("architectures")
    first = architectures[0] if isinstance(architectures, list) and architectures else architectures
    return first if isinstance(first, str) else None


def infer_task(architecture: str) -> str | None:
    """Tell which task an architecture does; None when its name does not say, or no task is for it."""
    if architecture in _NAMED:
        return _NAMED[architecture]
    if architecture.endswith("ForConditionalGeneration"):
        return _conditional_generation(architecture)
    if architecture.endswith("ForSequenceClassification") and architecture.startswith(_SPEECH_ENCODERS):
        return "audio-classification"
    if architecture.endswith("ForPreTraining"):
        return "fill-mask" if architecture.removesuffix("ForPreTraining") in _PRETRAINED_ON_TEXT else None
    for ending, task in _ENDINGS:
        if architecture.endswith(ending):
            return task
    if architecture.startswith(_SEEING):
        return "image-feature-extraction"
    if architecture.endswith(("Model", "Encoder")):
        return "feature-extraction"
    return None


def _conditional_generation(architecture: str) -> str:
    if architecture.startswith(_SOUNDING):
        return "text-to-audio"
    if architecture.startswith(_TALKING):
        return "audio-text-to-text"
    if architecture.startswith(_HEARING):
        return "automatic-speech-recognition"
    is_text = architecture.removesuffix("ForConditionalGeneration") in _SEQ2SEQ_TEXT
    return "text2text-generation" if is_text else "image-text-to-text"
