"""A model of the Hugging Face Hub, judged by what the Hub says of it: its files are not read, but for the small ones.

Called by `inspection` for a drop without an archive, and by the embedded AWS, which fetches the same files.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.door.contents import JSON_MAX_BYTES, KEPT_NAMES, Contents
from chalicelib.door.kinds import Findings, declarer
from chalicelib.door.tensors import TensorFacts
from chalicelib.door.weights import PICKLES, is_leftover, loaded_files, weight_files
from chalicelib.errors import HubRefused
from chalicelib.ports import Hub
from chalicelib.reports import HubModel, Severity
from chalicelib.state import HubRepo

_declare = declarer("The Hugging Face Hub")
REFUSED = _declare(
    "hub-model-refused",
    Severity.ERROR,
    "The Hub has no such model or revision, or it is private or gated and the stage's HF_TOKEN does not open it.",
    "Check the spelling of hub_model; for a private or gated model have whoever runs the stage set HF_TOKEN.",
)
STRICT = _declare(
    "hub-model-strict",
    Severity.ERROR,
    '`trust = "strict"` and `hub_model` exclude each other: nobody reads the weights, and the container has a network.',
    "Download the model and drop it as an archive, which is read and runs without network; or write "
    'trust = "scan" where the stage allows it.',
)
PICKLED = _declare(
    "hub-model-pickled",
    Severity.ERROR,
    "The repository has its weights only as Python pickles, which can run any code; of a model of the Hub nobody reads"
    " them first.",
    "Name a revision that has safetensors (many have a pull request with them: `@refs/pr/1`); or download it and drop "
    'it as an archive, which is scanned; or, if you trust it, write trust = "trusted".',
)
REMOTE_CODE = _declare(
    "hub-model-remote-code",
    Severity.ERROR,
    "The repository brings Python code of its own (`auto_map`), and would run it.",
    'Choose a model that transformers itself can load; or, if you trust the code at this commit, trust = "trusted".',
)
UNSIZED = _declare(
    "hub-model-unsized",
    Severity.ERROR,
    "The Hub does not say how large the files of the weights are, so no instance can be chosen.",
    "Download the model and drop it as an archive.",
)

_ELSEWHERE = re.compile(
    r"(^|/)(onnx|openvino|coreml|original|gguf|flax|tf|rust|\.git[^/]*)/|\.(h5|msgpack|ot|mlmodel|mlpackage|tflite)$"
)
"""The same weights once more, for frameworks that no container here loads."""
_CANONICAL = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
_FOLDERS_MATTER = frozenset({"modules.json", "model_index.json"})
_PATH = re.compile(r"[^/\\\0]+(/[^/\\\0]+)*")


def served_paths(paths: Iterable[str]) -> frozenset[str]:
    """Tell which files of a repository serving needs: one set of weights, and all that is no weights.

    Repositories keep the same weights for several frameworks and in several precisions side by side.
    """
    known = {path for path in paths if _PATH.fullmatch(path) and ".." not in path.split("/")}
    kept = {path for path in known if not _ELSEWHERE.search(path) and not is_leftover(path)}
    weights = weight_files(Contents(files=dict.fromkeys(kept, 1)))
    is_nested = bool(_FOLDERS_MATTER & kept)
    if any(_CANONICAL.fullmatch(path) for path in kept):
        others = {path for path in weights if "/" not in path and not _CANONICAL.fullmatch(path)}
        # The index of a set that is left out must not send anybody looking for its parts.
        others |= {f"{path.split('-0')[0]}.bin.index.json" for path in others if path.endswith(".bin")}
        kept -= others
    if not is_nested:
        kept -= {path for path in weights if "/" in path}
    return frozenset(kept)


def read_repository(hub: Hub, model: HubModel, findings: Findings) -> tuple[HubRepo, Contents] | None:
    """Ask the Hub; None when it has no such model for us, which *findings* then says.

    Raises:
        HubUnavailable: Nothing is known: neither good nor bad.
    """
    try:
        repo = hub.look_up(model)
        return repo, _contents(hub, repo, findings)
    except HubRefused as exc:
        findings.add(REFUSED, exc.message, path="deploy.toml", fix=exc.fix)
        return None


def _contents(hub: Hub, repo: HubRepo, findings: Findings) -> Contents:
    """Put what the Hub says into the shape of an archive that was read, so that the same checks hold."""
    served = served_paths(file.path for file in repo.files)
    sizes = {file.path: file.size_bytes for file in repo.files if file.path in served}
    contents = Contents(files={path: size if size is not None else 1 for path, size in sizes.items()}, is_whole=True)
    unsized = sorted(path for path in weight_files(contents) if sizes[path] is None)
    if unsized:
        findings.add(UNSIZED, "the Hub does not say how large the weights are", path=unsized[0])
    for path in sorted(KEPT_NAMES & contents.files.keys()):
        contents.kept[path] = hub.read(repo, path, max_bytes=JSON_MAX_BYTES)
    if repo.parameters:
        counts = tuple(sorted(repo.parameters.items()))
        for path in loaded_files(contents):
            if path.endswith(".safetensors"):
                # The Hub counts over all files; the first stands for all, so that the sum is right.
                contents.tensors[path] = TensorFacts(counts, contents.files[path])
                counts = ()
    return contents


def check_repository_trust(contents: Contents, config: Mapping[str, Any], trust: str, findings: Findings) -> None:
    """Hold a repository against its level of trust: what an archive's scan would find out is unknown here."""
    if trust == "trusted":
        return
    if trust == "strict":
        findings.add(STRICT, "strict trust does not allow models of the Hub", path="deploy.toml")
    pickles = sorted(path for path in loaded_files(contents) if PICKLES.search(path))
    if pickles:
        findings.add(PICKLED, f"{posixpath.basename(pickles[0])} is a Python pickle, and there are no safetensors")
    if "auto_map" in config:
        findings.add(REMOTE_CODE, "auto_map asks for code that the repository brings", path="config.json")
