"""Which task a model directory is for, and its loader. Called by `inference.py` and by `serving`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from .faults import LoadError
from .foreign import foreign_model
from .loading import read_config
from .pickles import FILE_NAMES, find_pickle
from .tasks import Task

LOADERS: dict[str, str] = {
    "text-classification": "classification:TextClassification",
    "token-classification": "tokens:TokenClassification",
    "fill-mask": "masks:FillMask",
    "question-answering": "questions:QuestionAnswering",
    "zero-shot-classification": "zeroshot:ZeroShot",
    "feature-extraction": "embeddings:FeatureExtraction",
    "sentence-similarity": "embeddings:SentenceSimilarity",
    "text-ranking": "ranking:TextRanking",
    "text-generation": "generation:TextGeneration",
    "text2text-generation": "rewriting:Rewriting",
    "summarization": "rewriting:Rewriting",
    "translation": "rewriting:Rewriting",
    "image-classification": "images:ImageClassification",
    "object-detection": "detection:ObjectDetection",
    "image-to-text": "captions:ImageToText",
    "automatic-speech-recognition": "speech:SpeechRecognition",
    "audio-classification": "listening:AudioClassification",
    "table-question-answering": "tables:TableQuestionAnswering",
    "sklearn": "pickles:Estimator",
}
"""Task to module:class. Only the module of the task at hand is imported."""

ALIASES = {
    "sentiment-analysis": "text-classification",
    "ner": "token-classification",
    "zero-shot": "zero-shot-classification",
    "embeddings": "feature-extraction",
    "sentence-embeddings": "feature-extraction",
    "reranking": "text-ranking",
    "text-reranking": "text-ranking",
    "image-captioning": "image-to-text",
    "asr": "automatic-speech-recognition",
    "chat": "text-generation",
    "conversational": "text-generation",
}

SUFFIXES = (
    ("TapasForQuestionAnswering", "table-question-answering"),
    ("GitForCausalLM", "image-to-text"),
    ("VisionEncoderDecoderModel", "image-to-text"),
    ("BlipForConditionalGeneration", "image-to-text"),
    ("WhisperForConditionalGeneration", "automatic-speech-recognition"),
    ("Speech2TextForConditionalGeneration", "automatic-speech-recognition"),
    ("SpeechEncoderDecoderModel", "automatic-speech-recognition"),
    ("ForCTC", "automatic-speech-recognition"),
    ("ForAudioClassification", "audio-classification"),
    ("ForObjectDetection", "object-detection"),
    ("ForQuestionAnswering", "question-answering"),
    ("ForTokenClassification", "token-classification"),
    ("ForSequenceClassification", "text-classification"),
    ("ForMaskedLM", "fill-mask"),
    ("ForImageClassification", "image-classification"),
    ("ForCausalLM", "text-generation"),
    ("LMHeadModel", "text-generation"),
    ("MTModel", "translation"),
)
"""Ending of an architecture's name to task; the first that fits."""

TEXT_REWRITERS = (
    "T5",
    "MT5",
    "UMT5",
    "LongT5",
    "Bart",
    "MBart",
    "Pegasus",
    "M2M100",
    "BlenderbotSmall",
    "Blenderbot",
    "LED",
    "ProphetNet",
)
"""Whose ForConditionalGeneration turns text into text; those of other models read images or sound."""

LISTENERS = ("Data2VecAudio", "Hubert", "SEW", "SEWD", "UniSpeech", "UniSpeechSat", "Wav2Vec2", "WavLM")
"""Whose ForSequenceClassification hears sound; those of other models read text."""

TEXT_ENCODERS = (
    "Albert", "Bert", "Camembert", "Deberta", "DebertaV2", "DistilBert", "Electra", "MPNet", "ModernBert", "NomicBert",
    "Roberta", "XLMRoberta",
)  # fmt: skip
"""Whose bare Model turns text into vectors."""


def wished_task() -> str | None:
    """The task that HF_TASK names, as it is written there."""
    return os.environ.get("HF_TASK") or None


def find_task(model_dir: Path) -> str:
    """Name the task: HF_TASK, or what the files of the model can do. Raises LoadError."""
    wished = wished_task()
    if wished is not None:
        task = ALIASES.get(wished, "translation" if re.fullmatch(r"translation_\w+_to_\w+", wished) else wished)
        if task not in LOADERS:
            raise LoadError(
                f"HF_TASK is {wished!r}, which is not served without a code/inference.py; it can be {_known()}"
            )
        return task
    has_config = (model_dir / "config.json").is_file()
    pickled = None if has_config else find_pickle(model_dir)
    if pickled is not None and pickled.name in FILE_NAMES:
        return "sklearn"
    if not has_config and (words := foreign_model(model_dir)) is not None:
        raise LoadError(words)
    if pickled is not None:
        return "sklearn"
    return _task_of_config(model_dir)


def _task_of_config(model_dir: Path) -> str:
    architectures = [str(name) for name in read_config(model_dir).get("architectures") or []]
    tasks = [task for name in architectures if (task := _task_of(name)) is not None]
    if not tasks:
        listing = ", ".join(architectures) or "none"
        raise LoadError(
            f"config.json's architectures ({listing}) do not say which task the model is for; "
            f"set HF_TASK to one of {_known()}"
        )
    if tasks[0] not in LOADERS:
        raise LoadError(f"the model is for {tasks[0]}, which is not served without a code/inference.py")
    return tasks[0]


def _task_of(architecture: str) -> str | None:
    if architecture.removesuffix("ForConditionalGeneration") in TEXT_REWRITERS:
        return "text2text-generation"
    if architecture.removesuffix("ForSequenceClassification") in LISTENERS:
        return "audio-classification"
    for suffix, task in SUFFIXES:
        if architecture.endswith(suffix):
            return task
    # BertModel and its kin: an encoder without a head gives vectors. ViTModel would too, but not of text.
    return "feature-extraction" if architecture.removesuffix("Model") in TEXT_ENCODERS else None


def _known() -> str:
    return ", ".join(sorted(LOADERS))


def load_task(model_dir: Path) -> Task:
    """Load the model for its task. Raises LoadError."""
    module, name = LOADERS[find_task(model_dir)].split(":")
    loader: Callable[[Path], Task] = getattr(import_module(f".{module}", __package__), name).load
    return loader(model_dir)
