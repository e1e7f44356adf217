"""Where things lie in the archive: which framework made it, and whether everything serving needs is in its place.

Called by `inspection` once the archive has been read to its end.
"""

import posixpath
import re
import shlex
from enum import StrEnum

from chalicelib.door.contents import Contents
from chalicelib.door.kinds import Findings, declarer, shown
from chalicelib.reports import Severity

_declare = declarer("Layout")
TOO_DEEP = _declare(
    "one-folder-too-deep",
    Severity.ERROR,
    "Everything lies inside a folder, and the container looks at the archive's root.",
    "Pack from inside that folder: `tar -czf model.tar.gz -C FOLDER .`.",
)
NOTHING_TO_SERVE = _declare(
    "nothing-to-serve",
    Severity.ERROR,
    "The root has no `config.json`, no `code/inference.py` and no file of a framework known here.",
    "Pack what `save_pretrained` wrote, or add `code/inference.py` with `model_fn` and `predict_fn`.",
)
ADAPTER_ONLY = _declare(
    "adapter-only",
    Severity.ERROR,
    "The archive holds a PEFT adapter without its base model, and the container has no network to fetch that from.",
    "Merge it: `PeftModel.from_pretrained(base, adapter).merge_and_unload().save_pretrained(FOLDER)`.",
)
CODE_MISSING = _declare(
    "code-missing",
    Severity.WARNING,
    "This framework's container on AWS cannot load a model without `code/inference.py`.",
    "Add `code/inference.py` with `model_fn(model_dir)` that loads and returns the model.",
)

MACHINERY = frozenset({"code", "inference.py", "requirements.txt"})
_CODE_ENTRY = "code/inference.py"
_TORCH_FILE = re.compile(r"[^/]+\.(pt|pth)")
_PICKLE_FILE = re.compile(r"[^/]+\.(joblib|pkl|pickle)")
_MARKERS = frozenset({"config.json", "model_index.json", "adapter_config.json"})


class Framework(StrEnum):
    """What made the archive, as far as its files tell."""

    TRANSFORMERS = "transformers"
    SENTENCE_TRANSFORMERS = "sentence-transformers"
    DIFFUSERS = "diffusers"
    ADAPTER = "peft"
    SKLEARN = "scikit-learn"
    PYTORCH = "pytorch"
    ONNX = "onnx"
    TENSORFLOW = "tensorflow"
    XGBOOST = "xgboost"
    GGUF = "gguf"
    CODE = "code"


def recognise(contents: Contents) -> Framework | None:
    """Tell what made the archive from the names at its root; None when nothing there can be served."""
    root = contents.root_files
    if "model_index.json" in root:
        return Framework.DIFFUSERS
    if "modules.json" in root:
        return Framework.SENTENCE_TRANSFORMERS
    if "config.json" in root:
        return Framework.TRANSFORMERS
    if "adapter_config.json" in root:
        return Framework.ADAPTER
    for framework, is_there in (
        (Framework.XGBOOST, any(name == "xgboost-model" or name.endswith((".xgb", ".ubj")) for name in root)),
        (Framework.TENSORFLOW, any(posixpath.basename(path) == "saved_model.pb" for path in contents.files)),
        (Framework.SKLEARN, any(_PICKLE_FILE.fullmatch(name) for name in root)),
        (Framework.PYTORCH, any(_TORCH_FILE.fullmatch(name) for name in root)),
        (Framework.ONNX, any(name.endswith(".onnx") for name in root)),
        (Framework.GGUF, any(name.endswith(".gguf") for name in root)),
        (Framework.CODE, _CODE_ENTRY in contents.files),
    ):
        if is_there:
            return framework
    return None


def check_layout(contents: Contents, findings: Findings) -> Framework | None:
    """Recognise the archive, or say why it cannot be served as it lies."""
    framework = recognise(contents)
    has_code = _CODE_ENTRY in contents.files
    if framework is None:
        _explain_nothing(contents, findings)
    elif framework is Framework.ADAPTER and not has_code:
        findings.add(ADAPTER_ONLY, "the archive holds an adapter without its base model", path="adapter_config.json")
    elif framework in (Framework.SKLEARN, Framework.PYTORCH) and not has_code:
        findings.add(CODE_MISSING, f"the {framework} container on AWS needs code/inference.py to load the model")
    return framework


def deep_folder(contents: Contents) -> str | None:
    """Name the folder that everything lies in, when packing from inside it would mend the archive; else None."""
    paths = [path for path in contents.files if path not in MACHINERY]
    if not paths:
        return None
    folder = posixpath.commonpath([posixpath.dirname(path) or "." for path in paths])
    if folder in (".", ""):
        # Some files stray at the root; it is still one folder too deep when exactly one folder has a model in it.
        folders = {posixpath.dirname(path) for path in paths if posixpath.basename(path) in _MARKERS}
        return folders.pop() if len(folders) == 1 and "" not in folders else None
    while folder:
        inner = Contents(files={posixpath.relpath(path, folder): size for path, size in contents.files.items()})
        if recognise(inner) is not None:
            return folder
        folder = posixpath.dirname(folder)
    return None


def _explain_nothing(contents: Contents, findings: Findings) -> None:
    folder = deep_folder(contents)
    if folder is not None:
        command = f"tar -czf model.tar.gz -C {shlex.quote(shown(folder))} ."
        message = f"everything lies inside the folder {shown(folder)}; the container looks at the archive's root"
        findings.add(TOO_DEEP, message, path=folder, fix=f"Pack from inside the folder: `{command}`.")
        return
    message = "the archive's root has no config.json, no code/inference.py and no model file known here"
    if "inference.py" in contents.files:
        findings.add(NOTHING_TO_SERVE, message, fix="Move inference.py into a folder called `code` and pack again.")
    elif any(name.endswith(".safetensors") for name in contents.root_files):
        findings.add(
            NOTHING_TO_SERVE, message, fix="Add the model's config.json: `model.save_pretrained(FOLDER)` writes it."
        )
    else:
        findings.add(NOTHING_TO_SERVE, message)
