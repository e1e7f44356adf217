"""What each container can serve, and what it must find in the archive for that. Called by `chooser`; pure.

Source: vLLM's and TEI's own loaders (text-embeddings-inference 1.8.2, backends/candle/src/lib.rs, router/src/lib.rs);
sagemaker-xgboost-container, algorithm_mode/serve_utils.py; sagemaker-tensorflow-serving-container, tfs_utils.py;
sagemaker-scikit-learn-container, handler_service.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.door.kinds import Findings, declarer, shown
from chalicelib.door.layouts import Framework
from chalicelib.door.models import Model
from chalicelib.door.tasks import architecture_of
from chalicelib.door.weights import weight_files
from chalicelib.door.wishes import PATH
from chalicelib.reports import Severity

_declare = declarer("The plan")
CANNOT_SERVE = _declare(
    "container-cannot-serve",
    Severity.ERROR,
    "The container in deploy.toml does not serve such a model or task.",
    "Leave `container` out: it is told from the archive. Or name one that serves the model.",
)
NEEDS_FILE = _declare(
    "container-needs-file",
    Severity.ERROR,
    "The container needs a file that the archive has not got; it would not start.",
    "Add the file that the message names, and pack again.",
)
CODE_NOT_RUN = _declare(
    "code-not-run",
    Severity.WARNING,
    "The archive brings `code/`, and the container in deploy.toml serves the model by itself: nothing runs that code.",
    'Leave `code/` out; or write container = "huggingface", which runs it.',
)

_TRANSFORMERS = frozenset({Framework.TRANSFORMERS, Framework.SENTENCE_TRANSFORMERS})
_EMBEDDING = frozenset({"feature-extraction", "sentence-similarity"})
_CLASSIFYING = frozenset({"text-classification", "text-ranking"})
_SERVED: dict[str, tuple[frozenset[Framework], frozenset[str] | None]] = {
    "huggingface": (_TRANSFORMERS | {Framework.DIFFUSERS, Framework.ADAPTER}, None),
    "sklearn": (frozenset({Framework.SKLEARN}), None),
    "pytorch": (frozenset({Framework.PYTORCH}), None),
    "vllm": (frozenset({Framework.TRANSFORMERS}), frozenset({"image-text-to-text", "text-generation"})),
    "tei": (_TRANSFORMERS, _EMBEDDING | _CLASSIFYING),
    "tensorflow": (frozenset({Framework.TENSORFLOW}), None),
    "xgboost": (frozenset({Framework.XGBOOST, Framework.SKLEARN}), None),
}
"""What a container serves without code: frameworks, and tasks (None: whatever the model does)."""
_RUNS_NO_CODE = frozenset({"vllm", "tei"})
_FETCHING = frozenset({"huggingface", "tei", "vllm"})

_BERTS = frozenset({"bert", "camembert", "roberta", "xlm-roberta"})
_TEI_CLASSIFIERS = _BERTS | {"gte", "modernbert", "new"}
_TEI_GPU_ONLY = frozenset({"mistral", "qwen2"})
_TEI = _TEI_CLASSIFIERS | _TEI_GPU_ONLY | {"distilbert", "gemma3_text", "mpnet", "nomic_bert", "qwen3"}
_LOADED_BY_VLLM = (".safetensors", ".bin", ".pt")


@dataclass(frozen=True)
class Misfit:
    """Why a container does not serve a model: the sentence that follows its name, and the fix; None: the kind's own."""

    problem: str
    fix: str | None = None


def misfit(container: str, model: Model, task: str | None) -> Misfit | None:
    """Say why a container cannot serve a model; None when it can, as far as the archive tells."""
    if container not in _SERVED or (model.has_code and container not in _RUNS_NO_CODE):
        return None
    if model.repo is not None and container not in _FETCHING:
        # What `plans` says of it is nearer to the point: it cannot fetch a model.
        return None
    frameworks, tasks = _SERVED[container]
    if model.framework not in frameworks:
        return Misfit(f"cannot serve {_article(model.framework)} model")
    if tasks is not None and task not in tasks:
        listed = ", ".join(sorted(tasks))
        if task is None:
            return Misfit(f"serves {listed}, and nothing says what the model does", 'Write task = "…" in deploy.toml.')
        return Misfit(f"cannot serve {task}; it serves {listed}")
    return _MORE[container](model, task) if container in _MORE else None


def check_suits(container: str, model: Model, task: str | None, findings: Findings) -> bool:
    """Hold a container against the model; what speaks against it goes to *findings*. True when nothing does."""
    found = misfit(container, model, task)
    if found is not None:
        findings.add(CANNOT_SERVE, f"container {container} {found.problem}", path=PATH, fix=found.fix)
        return False
    if container in _RUNS_NO_CODE and any(path.startswith("code/") for path in model.contents.files):
        findings.add(CODE_NOT_RUN, f"container {container} does not run code/", path="code/")
    missing = missing_file(container, model, task)
    if missing is not None:
        path, fix = missing
        findings.add(NEEDS_FILE, f"container {container} needs {path}", path=path, fix=fix)
    return missing is None


def missing_file(container: str, model: Model, task: str | None) -> tuple[str, str] | None:
    """Name a file that the container wants and the archive has not got, with the fix; None when all are there."""
    files = model.contents.files
    if container != "tei":
        return None
    if "tokenizer.json" not in files:
        return (
            "tokenizer.json",
            "Save a fast tokenizer: `AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)`.",
        )
    pooling = "1_Pooling/config.json"
    if task in _EMBEDDING and pooling not in files and "bert" not in _model_type(model).lower():
        return pooling, "Save the encoder with sentence-transformers, which writes how its vectors are pooled."
    return None


def _tei_misfit(model: Model, task: str | None) -> Misfit | None:
    model_type = _model_type(model)
    if model_type not in _TEI:
        return Misfit(f"does not know the model type {shown(model_type) or 'of a config.json without one'}")
    if task in _CLASSIFYING:
        if model_type not in _TEI_CLASSIFIERS:
            return Misfit(f"has no classifier for the model type {model_type}")
        if not all(isinstance(model.config.get(name), dict) for name in ("id2label", "label2id")):
            return Misfit("needs id2label and label2id in config.json", "Add both to config.json.")
    return None


def _vllm_misfit(model: Model, _: str | None) -> Misfit | None:
    weights = weight_files(model.contents)
    if weights and not any(path.endswith(_LOADED_BY_VLLM) for path in weights):
        return Misfit("loads safetensors and PyTorch's own files, and the archive has neither")
    if str(architecture_of(model.config) or "").endswith(("ForSequenceClassification", "ForTokenClassification")):
        return Misfit(f"cannot generate text with {shown(architecture_of(model.config) or '')}")
    return None


_MORE: dict[str, Callable[[Model, str | None], Misfit | None]] = {"tei": _tei_misfit, "vllm": _vllm_misfit}


def needs_gpu(container: str, model: Model) -> bool:
    """Tell whether the container's image for CPUs cannot load this very model, although it has one."""
    return container == "tei" and _model_type(model) in _TEI_GPU_ONLY


def _model_type(model: Model) -> str:
    model_type = model.config.get("model_type")
    return model_type if isinstance(model_type, str) else ""


def _article(framework: Framework) -> str:
    return f"{'an' if framework.value[0] in 'aeiox' else 'a'} {framework}"
