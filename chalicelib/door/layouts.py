"""Where things lie in the archive: which framework made it, and whether everything serving needs is in its place.

Called by `inspection` once the archive has been read to its end.
"""

import posixpath
import re
import shlex
from enum import StrEnum

from chalicelib.door.contents import Contents
from chalicelib.door.estimators import PICKLE_FILE, handler_problem
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
    "The container on AWS cannot load such a model without `code/inference.py`.",
    "Add `code/inference.py` with `model_fn(model_dir)`; or save a scikit-learn model alone as `model.joblib`.",
)

NOT_NUMBERED = _declare(
    "saved-model-not-numbered",
    Severity.ERROR,
    "TensorFlow Serving loads a SavedModel from a folder whose name is a number, its version; there is none.",
    "Move saved_model.pb, variables/ and assets/ into a folder called `1`, and pack again.",
)
XGBOOST_STRAY = _declare(
    "xgboost-stray-file",
    Severity.ERROR,
    "XGBoost's container loads every file at the archive's root as a model, and this one is none; it would not start.",
    "Leave the file out, or add `code/inference.py` with `model_fn`.",
)
XGBOOST_WRAPPER = _declare(
    "xgboost-wrapper-pickled",
    Severity.ERROR,
    "A pickled XGBClassifier (or other wrapper for scikit-learn) is no booster; XGBoost's container loads only those.",
    'Save the booster: `model.get_booster().save_model("model.ubj")`; or add `code/inference.py` with `model_fn`.',
)

MACHINERY = frozenset({"code", "inference.py", "requirements.txt"})
_CODE_ENTRY = "code/inference.py"
_TORCH_FILE = re.compile(r"[^/]+\.(pt|pth)")
_XGBOOST_FILE = re.compile(r"xgboost-model|[^/]+\.(xgb|ubj)")
_SAVED_MODEL = re.compile(r"(.*/)?\d+/saved_model\.pb")
_NESTED = re.compile(r"\.(tar|tgz|tar\.(gz|bz2|xz|zst)|zip|7z)$", re.IGNORECASE)
_ONE_MODEL = "Drop each model under a name of its own: `tar -czf model.tar.gz -C FOLDER .`, once a folder."
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
        (Framework.XGBOOST, any(_is_xgboost(name, contents) for name in root)),
        (Framework.TENSORFLOW, any(posixpath.basename(path) == "saved_model.pb" for path in contents.files)),
        (Framework.SKLEARN, any(PICKLE_FILE.fullmatch(name) for name in root)),
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
    elif framework is Framework.TENSORFLOW:
        _check_saved_model(contents, findings)
    elif framework is Framework.XGBOOST and not has_code:
        _check_boosters(contents, findings)
    elif framework is Framework.SKLEARN and not has_code and (problem := handler_problem(contents)) is not None:
        findings.add(CODE_MISSING, f"the {framework} container on AWS needs code/inference.py, for {problem}")
    elif framework is Framework.PYTORCH and not has_code and not is_torchscript(contents):
        findings.add(
            CODE_MISSING,
            f"the {framework} container on AWS needs code/inference.py to load the model",
            fix="Add `code/inference.py` with `model_fn(model_dir)` that loads and returns the model.",
        )
    return framework


def _is_xgboost(name: str, contents: Contents) -> bool:
    """Tell whether XGBoost made a file at the root, by its bytes, or where those do not tell by its name."""
    made, scanned = contents.makers.get(name), contents.pickles.get(name)
    if made is not None:
        return made.maker == "xgboost"
    if scanned is not None and any(one.module.split(".")[0] == "xgboost" for one in scanned.imports):
        return True
    return _XGBOOST_FILE.fullmatch(name) is not None


def _check_saved_model(contents: Contents, findings: Findings) -> None:
    graphs = [path for path in contents.files if posixpath.basename(path) == "saved_model.pb"]
    if not any(_SAVED_MODEL.fullmatch(path) for path in graphs):
        findings.add(NOT_NUMBERED, "saved_model.pb does not lie in a folder whose name is a number", path=graphs[0])


def _check_boosters(contents: Contents, findings: Findings) -> None:
    for name in sorted(contents.root_files):
        if not name.startswith(".") and not _is_xgboost(name, contents):
            findings.add(XGBOOST_STRAY, f"{shown(name)} is no model, and would be loaded as one", path=name)
        scanned = contents.pickles.get(name)
        if scanned is not None and any(one.module.startswith("xgboost.sklearn") for one in scanned.imports):
            findings.add(
                XGBOOST_WRAPPER, "the pickle holds XGBoost's wrapper for scikit-learn, not a booster", path=name
            )


def is_torchscript(contents: Contents) -> bool:
    """Tell whether the one model file is TorchScript, which PyTorch's container loads without code."""
    models = [name for name in contents.root_files if _TORCH_FILE.fullmatch(name)]
    scanned = contents.pickles.get(models[0]) if len(models) == 1 else None
    # TorchScript's own classes live in a module of that name, and in no other kind of file.
    return scanned is not None and any(one.module.split(".")[0] == "__torch__" for one in scanned.imports)


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


def _alike(contents: Contents) -> tuple[str, str] | None:
    """Find a file that would be the model's but for its case; give its path and the right one."""
    meant = {*_MARKERS, _CODE_ENTRY}
    return next(((path, path.lower()) for path in sorted(contents.files) if path.lower() in meant), None)


def _explain_nothing(contents: Contents, findings: Findings) -> None:
    folder = deep_folder(contents)
    if folder is not None:
        command = f"tar -czf model.tar.gz -C {shlex.quote(shown(folder))} ."
        message = f"everything lies inside the folder {shown(folder)}; the container looks at the archive's root"
        findings.add(TOO_DEEP, message, path=folder, fix=f"Pack from inside the folder: `{command}`.")
        return
    message = "the archive's root has no config.json, no code/inference.py and no model file known here"
    models = sorted({posixpath.dirname(path) for path in contents.files if posixpath.basename(path) in _MARKERS})
    nested = [path for path in sorted(contents.files) if _NESTED.search(path)]
    if len(models) > 1 and "" not in models:
        listed = " and ".join(shown(folder) for folder in models[:2]) + (" and others" if len(models) > 2 else "")
        findings.add(NOTHING_TO_SERVE, f"{message}: there are models in {listed}", fix=_ONE_MODEL)
        return
    if nested and not models:
        fix = f"Unpack {shown(nested[0])} into a folder, then pack that: `tar -czf model.tar.gz -C FOLDER .`."
        findings.add(NOTHING_TO_SERVE, f"{message}, only another archive, which nothing will unpack", fix=fix)
        return
    if (alike := _alike(contents)) is not None:
        written, meant = alike
        message = f"{message}: names are case-sensitive, and there is {shown(written)}"
        findings.add(
            NOTHING_TO_SERVE, message, path=written, fix=f"Rename {shown(written)} to {meant}, and pack again."
        )
    elif "inference.py" in contents.files:
        findings.add(NOTHING_TO_SERVE, message, fix="Move inference.py into a folder called `code` and pack again.")
    elif any(name.endswith((".keras", ".h5", ".hdf5")) for name in contents.root_files):
        findings.add(NOTHING_TO_SERVE, message, fix='Save it for serving: `model.export("FOLDER/1")`, and pack FOLDER.')
    elif any(name.endswith(".safetensors") for name in contents.root_files):
        findings.add(
            NOTHING_TO_SERVE, message, fix="Add the model's config.json: `model.save_pretrained(FOLDER)` writes it."
        )
    else:
        findings.add(NOTHING_TO_SERVE, message)
