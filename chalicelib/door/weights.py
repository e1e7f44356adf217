"""Whether the weights are all there, and what is there that serving does not need. Called by `inspection`."""

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from chalicelib.door.contents import Contents
from chalicelib.door.kinds import Findings, declarer, shown
from chalicelib.door.layouts import Framework
from chalicelib.door.pickles import is_called_pickle
from chalicelib.door.shards import check_shards
from chalicelib.reports import ServingPlan, Severity

_declare = declarer("Weights")
MISSING = _declare(
    "weights-missing",
    Severity.ERROR,
    "There is a `config.json` and no weights beside it.",
    "Pack everything that `save_pretrained` wrote, `model.safetensors` included.",
)
FORMAT = _declare(
    "weights-format",
    Severity.ERROR,
    "All weights are TensorFlow's or Flax's; the containers for Hugging Face models no longer load those.",
    "With transformers 4: `AutoModel.from_pretrained(FOLDER, from_tf=True).save_pretrained(NEW)`, or `from_flax=True`.",
)
LEAVINGS = _declare(
    "tool-leavings",
    Severity.WARNING,
    "Folders that other tools keep for themselves (.git, a virtual environment, caches) make the archive larger.",
    "Leave them out: `tar --exclude-vcs --exclude=venv --exclude=.cache --exclude=__pycache__ …`.",
)
MISNAMED = _declare(
    "weights-misnamed",
    Severity.ERROR,
    "There are weights beside config.json, but under no name that transformers loads them from.",
    "Call the file `model.safetensors` (or `pytorch_model.bin`), or save the model again with `save_pretrained`.",
)
EMPTY = _declare(
    "weights-empty", Severity.ERROR, "A file of weights has no bytes.", "Save the model and pack it again."
)
TWICE = _declare(
    "weights-twice",
    Severity.WARNING,
    "The same weights are there in two formats; the archive is twice as large and slow to start as it need be.",
    "Leave out `pytorch_model*.bin` (and `*.h5`, `*.msgpack`) when there is `model.safetensors`.",
)
LEFTOVERS = _declare(
    "training-leftovers",
    Severity.WARNING,
    "Optimizer states, checkpoints or training logs make the archive larger and slower to start.",
    "Leave them out (`tar --exclude='checkpoint-*' --exclude='optimizer.*' …`), or train into another folder.",
)

_WEIGHTS = re.compile(
    r"\.(safetensors|bin|pt|pth|ckpt|h5|msgpack|onnx|onnx_data|gguf|joblib|pkl|pickle|pb|npz|ubj|xgb)$"
)
PICKLES = re.compile(r"\.(bin|pt|pth|ckpt|joblib|pkl|pickle)$")
_LEFTOVER_NAME = re.compile(
    r"(optimizer|scheduler|scaler|rng_state|training_args|global_step|mp_rank_|zero_pp_rank_|random_states)"
    r".*\.(pt|pth|bin|pkl)$|events\.out\.tfevents|trainer_state\.json$"
)
_LEFTOVER_FOLDER = re.compile(r"(^|/)(checkpoint-\d+|global_step\d+|runs|wandb|lightning_logs|optimizer_\d+)/")
_LEAVING_FOLDER = re.compile(r"(^|/)(\.git|\.svn|\.cache|\.venv|venv|node_modules|__pycache__|\.ipynb_checkpoints)/")
_LEAVINGS_MAX_BYTES, _LEAVINGS_MAX_FILES = 1 << 20, 100
_NO_LONGER_LOADED = re.compile(r"\.(h5|msgpack)$")
_LARGE_LEFTOVER_BYTES = 1 << 20
_FOUND = frozenset({
    "adapter_config.json", "model.safetensors", "model.safetensors.index.json", "model_index.json", "modules.json",
    "pytorch_model.bin", "pytorch_model.bin.index.json",
})  # fmt: skip
"""What transformers looks for at the root; an adapter's base, and what other libraries load, lies where they say."""
_SHARD = re.compile(r".*-\d{5}-of-\d{5}\.(safetensors|bin)")


def is_leftover(path: str) -> bool:
    """Tell whether a file belongs to training, not to serving."""
    return bool(_LEFTOVER_NAME.match(posixpath.basename(path)) or _LEFTOVER_FOLDER.search(path))


def weight_files(contents: Contents) -> dict[str, int]:
    """Give path and size in bytes of every file that holds weights for serving."""
    return {
        path: size
        for path, size in contents.files.items()
        if _WEIGHTS.search(path) and not is_leftover(path) and not path.startswith("code/")
    }


def loaded_files(contents: Contents) -> dict[str, int]:
    """The weight files that are loaded: only safetensors where there is a choice of formats."""
    files = weight_files(contents)
    safe = {path: size for path, size in files.items() if path.endswith(".safetensors")}
    return safe or files


def check_weights(contents: Contents, framework: Framework | None, findings: Findings, *, has_code: bool) -> None:
    """Check that the weights are whole, and name what weighs the archive down."""
    files = weight_files(contents)
    if framework in (Framework.TRANSFORMERS, Framework.SENTENCE_TRANSFORMERS) and not files and not has_code:
        deeper = "training's checkpoints hold some, but " if any(is_leftover(path) for path in contents.files) else ""
        findings.add(MISSING, f"{deeper}there are no weights beside config.json", path="config.json")
    elif framework is Framework.TRANSFORMERS and files and not has_code and all(map(_NO_LONGER_LOADED.search, files)):
        largest = max(files, key=lambda path: files[path])
        findings.add(FORMAT, "there are no weights but TensorFlow's or Flax's", path=largest)
    for path, size in files.items():
        if not size:
            findings.add(EMPTY, "the file has no bytes", path=path)
    check_shards(contents, files, findings)
    _check_formats(contents, findings)
    _check_leftovers(contents, findings)
    _check_leavings(contents, findings)


def check_names(contents: Contents, config: Mapping[str, Any], plan: ServingPlan | None, findings: Findings) -> None:
    """See that transformers will find the weights, where it is what loads them; *plan* is None where there is none.

    Source: transformers, modeling_utils.py (_get_resolved_checkpoint_files).
    """
    root = contents.root_files
    files = {path: size for path, size in weight_files(contents).items() if "/" not in path}
    is_transformers = plan is not None and plan.container in ("huggingface", "tei") and "config.json" in root
    if not is_transformers or not files or _FOUND & root or findings.has(FORMAT, EMPTY):
        return
    if "code/inference.py" in root | contents.files.keys() or "transformers_weights" in config:
        return
    if any(_SHARD.fullmatch(name) for name in files):
        return  # what is wrong with them, `shards` says
    if plan is not None and plan.container == "tei" and any(name.endswith(".onnx") for name in files):
        return  # its CPU image runs ONNX too, by which names is not known here
    largest = max(files, key=lambda path: files[path])
    fix = None
    if largest.endswith(".safetensors"):
        fix = f"Call it model.safetensors: `mv {shown(largest)} model.safetensors`, and pack again."
    elif largest.endswith((".gguf", ".onnx")) or _is_of_another_tool(largest, contents):
        fix = "Save the model that it was made from, with `save_pretrained`; or load it in `code/inference.py`."
    findings.add(MISNAMED, f"transformers does not look for weights in {shown(largest)}", path=largest, fix=fix)


def _is_of_another_tool(path: str, contents: Contents) -> bool:
    """Tell whether a `.bin` is no pickle, and so none of PyTorch's: CTranslate2, OpenVINO and fastText write such."""
    scanned = contents.pickles.get(path)
    return path.endswith(".bin") and scanned is not None and not is_called_pickle(path, scanned)


def twin_pickles(contents: Contents) -> frozenset[str]:
    """The `pytorch_model*.bin` files that nobody loads, because the same weights are there as safetensors."""
    if not any(name.endswith(".safetensors") for name in contents.root_files):
        return frozenset()
    return frozenset(name for name in contents.root_files if name.startswith("pytorch_model") and PICKLES.search(name))


def _check_formats(contents: Contents, findings: Findings) -> None:
    if twins := sorted(twin_pickles(contents)):
        findings.add(TWICE, "the weights are there as safetensors too, and those are the ones used", path=twins[0])


def _check_leftovers(contents: Contents, findings: Findings) -> None:
    leftovers = {path: size for path, size in contents.files.items() if is_leftover(path)}
    total_bytes = sum(leftovers.values())
    if total_bytes >= _LARGE_LEFTOVER_BYTES or any(_LEFTOVER_FOLDER.search(path) for path in leftovers):
        share = 100 * total_bytes / max(1, sum(contents.files.values()))
        count = "1 file" if len(leftovers) == 1 else f"{len(leftovers):,} files"
        takes = "takes" if len(leftovers) == 1 else "take"
        message = f"{count} of training {takes} {total_bytes:,} bytes, {share:.0f} % of the archive"
        findings.add(LEFTOVERS, message, path=max(leftovers, key=lambda path: leftovers[path]))


def _check_leavings(contents: Contents, findings: Findings) -> None:
    leavings = {path: size for path, size in contents.files.items() if _LEAVING_FOLDER.search(path)}
    total_bytes = sum(leavings.values())
    if total_bytes > _LEAVINGS_MAX_BYTES or len(leavings) > _LEAVINGS_MAX_FILES:
        largest = max(leavings, key=lambda path: leavings[path])
        message = f"{len(leavings):,} files that other tools left take {total_bytes:,} bytes"
        findings.add(LEAVINGS, message, path=largest)
