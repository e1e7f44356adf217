"""What may be inside an archive, by the level of trust that deploy.toml gives it. Called by `inspection`."""

import posixpath
from collections.abc import Mapping
from typing import Any

from chalicelib.door.contents import LFS_POINTER, Contents
from chalicelib.door.kinds import Findings, declarer
from chalicelib.door.weights import PICKLES, twin_pickles, weight_files
from chalicelib.reports import Severity

_declare = declarer("Trust")
PICKLED = _declare(
    "weights-pickled",
    Severity.WARNING,
    "Weights or models are stored as Python pickles, which can run any code when loaded.",
    "Save as safetensors: `model.save_pretrained(FOLDER, safe_serialization=True)`.",
)
REMOTE_CODE = _declare(
    "config-remote-code",
    Severity.WARNING,
    "`auto_map` asks for Python code that comes with the model; the standard container does not run it.",
    "Save the model with a class that transformers itself has, or load it in `code/inference.py`.",
)
STRICT = _declare(
    "trust-strict",
    Severity.ERROR,
    '`trust = "strict"` allows safetensors, ONNX and text only, and the archive holds something else.',
    'Leave it out, save weights as safetensors, or write trust = "scan".',
)

_STRICT_ENDINGS = frozenset({
    ".bpe", ".codes", ".csv", ".jinja", ".json", ".jsonl", ".md", ".merges", ".model", ".onnx", ".onnx_data",
    ".safetensors", ".spm", ".tiktoken", ".txt", ".yaml", ".yml",
})  # fmt: skip
_STRICT_NAMES = frozenset({"LICENSE", "NOTICE", "README", ".gitattributes"})


def check_trust(contents: Contents, config: Mapping[str, Any], trust: str, findings: Findings) -> None:
    """Hold the archive against its level of trust: strict, scan or trusted."""
    if trust == "trusted" or findings.has(LFS_POINTER):
        return
    if trust == "strict":
        _check_strict(contents, config, findings)
        return
    unused = twin_pickles(contents)
    for path in weight_files(contents):
        if PICKLES.search(path) and path not in unused:
            findings.add(PICKLED, "the file is a Python pickle, which can run any code when it is loaded", path=path)
    if "auto_map" in config:
        findings.add(REMOTE_CODE, "auto_map asks for code of its own, which will not be run", path="config.json")


def _check_strict(contents: Contents, config: Mapping[str, Any], findings: Findings) -> None:
    for path in contents.files:
        name = posixpath.basename(path)
        ending = posixpath.splitext(name)[1].lower()
        if path.startswith("code/") or (ending not in _STRICT_ENDINGS and name not in _STRICT_NAMES):
            findings.add(STRICT, "strict trust does not allow this file", path=path)
    if "auto_map" in config:
        findings.add(STRICT, "strict trust does not allow auto_map, which asks for code", path="config.json")
