"""What may be inside an archive, by the level of trust that deploy.toml gives it. Called by `inspection`."""

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from chalicelib.door.allowed import is_allowed, is_dangerous
from chalicelib.door.contents import LFS_POINTER, Contents
from chalicelib.door.kinds import Findings, declarer
from chalicelib.door.pickles import Scanned, is_called_pickle
from chalicelib.door.weights import PICKLES, is_leftover, twin_pickles, weight_files
from chalicelib.reports import Severity

_declare = declarer("Trust")
PICKLED = _declare(
    "weights-pickled",
    Severity.WARNING,
    "Weights or models are stored as Python pickles, which can run any code when loaded.",
    "Save as safetensors: `model.save_pretrained(FOLDER, safe_serialization=True)`.",
)
PICKLE_GLOBAL = _declare(
    "pickle-import-not-allowed",
    Severity.ERROR,
    "A pickle imports something that is not on the list of what weights and estimators need.",
    'Save weights as safetensors; or read what it imports, and if you trust it write trust = "trusted".',
)
PICKLE_UNREAD = _declare(
    "pickle-not-followed",
    Severity.ERROR,
    "A pickle is damaged, or does what cannot be followed without running it, so nobody can say what it imports.",
    'Save it again, weights as safetensors; or if you trust it write trust = "trusted".',
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

_ESTIMATOR = re.compile(r"\.(joblib|pkl|pickle)$")
_GUARD_ESTIMATORS = "Let only those upload here whose code you would run: an estimator has no format that carries none."
_STRICT_ENDINGS = frozenset({
    ".bpe", ".codes", ".csv", ".jinja", ".json", ".jsonl", ".md", ".merges", ".model", ".onnx", ".onnx_data",
    ".safetensors", ".spm", ".tiktoken", ".txt", ".yaml", ".yml",
})  # fmt: skip
_NO_MORE_THAN_SCAN = "Save it as safetensors; this stage gives no drop more trust than `scan`."
_NO_MORE_THAN_STRICT = "Leave it out, or save weights as safetensors; this stage takes `strict` drops only."
_STRICT_NAMES = frozenset({"LICENSE", "NOTICE", "README", ".gitattributes"})


def check_trust(
    contents: Contents, config: Mapping[str, Any], trust: str, findings: Findings, *, ceiling: str = "trusted"
) -> None:
    """Hold the archive against its level of trust: strict, scan or trusted; *ceiling* is the most the stage gives."""
    if trust == "trusted" or findings.has(LFS_POINTER):
        return
    if trust == "strict":
        _check_strict(contents, config, findings, fix=_NO_MORE_THAN_STRICT if ceiling == "strict" else None)
        return
    # Nobody is told to write what the stage would refuse.
    fix = None if ceiling == "trusted" else _NO_MORE_THAN_SCAN
    for path, scanned in contents.pickles.items():
        _check_pickle(path, scanned, findings, fix=fix)
    unused = twin_pickles(contents)
    for path in weight_files(contents):
        made, found = contents.makers.get(path), contents.pickles.get(path)
        # XGBoost calls its own format .bin too, and so do others what is none.
        is_pickle = made.form == "pickle" if made is not None else found is None or is_called_pickle(path, found)
        if PICKLES.search(path) and path not in unused and is_pickle:
            fix = _GUARD_ESTIMATORS if _ESTIMATOR.search(path) else None
            message = "the file is a Python pickle, which can run any code when it is loaded"
            findings.add(PICKLED, message, path=path, fix=fix)
    if "auto_map" in config:
        findings.add(REMOTE_CODE, "auto_map asks for code of its own, which will not be run", path="config.json")


def _check_pickle(path: str, scanned: Scanned, findings: Findings, *, fix: str | None) -> None:
    wrong = sorted(
        (one for one in scanned.imports if not is_allowed(one)), key=lambda one: (not is_dangerous(one), str(one))
    )
    if is_leftover(path):
        # Nobody loads what training left behind, and its own classes are in it; what is plainly an attack is refused.
        wrong = [one for one in wrong if is_dangerous(one)]
    if wrong:
        names = ", ".join(f"{one.module}.{one.name}" for one in wrong[:3])
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        why = "which can run any code" if is_dangerous(wrong[0]) else "which is not on the list of what models need"
        findings.add(PICKLE_GLOBAL, f"the pickle imports {names}{more}, {why}", path=path, fix=fix)
    elif scanned.fault is not None and not is_leftover(path) and is_called_pickle(path, scanned):
        findings.add(PICKLE_UNREAD, f"the pickle cannot be followed: {scanned.fault}", path=path, fix=fix)


def _check_strict(contents: Contents, config: Mapping[str, Any], findings: Findings, *, fix: str | None) -> None:
    for path in contents.files:
        name = posixpath.basename(path)
        ending = posixpath.splitext(name)[1].lower()
        if path.startswith("code/") or (ending not in _STRICT_ENDINGS and name not in _STRICT_NAMES):
            findings.add(STRICT, "strict trust does not allow this file", path=path, fix=fix)
    for path, scanned in contents.pickles.items():
        if scanned.is_marked and not findings.has(STRICT):
            findings.add(
                STRICT, "strict trust does not allow pickles and zips, whatever they are called", path=path, fix=fix
            )
    if "auto_map" in config:
        findings.add(STRICT, "strict trust does not allow auto_map, which asks for code", path="config.json", fix=fix)
