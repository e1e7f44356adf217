"""Whether the container has the libraries that a pickle's objects come from. Called by `inspection`, with the plan.

The classes are in the pickle only by name: loading it imports them, and fails where there is no such module. No image
here installs anything by itself; it runs `pip install` on `code/requirements.txt`.
Source: sagemaker-scikit-learn-container, requirements.txt; sagemaker-xgboost-container, requirements.txt; AWS's Deep
Learning Containers, the Dockerfiles of huggingface/pytorch/inference.
"""

import posixpath
from collections.abc import Iterator, Sequence

from chalicelib.door.contents import Contents
from chalicelib.door.estimators import PICKLE_FILE
from chalicelib.door.kinds import Findings, declarer
from chalicelib.door.requirements import required_names
from chalicelib.door.weights import is_leftover
from chalicelib.reports import ServingPlan, Severity

_declare = declarer("The plan")
MISSING = _declare(
    "library-missing",
    Severity.ERROR,
    "The model needs a library that the container's image has not, and Tarmac's own handler brings none: LightGBM,"
    " XGBoost or CatBoost for a pickle, or what transformers wants for quantised weights, a backbone or a tokenizer.",
    "Add `code/inference.py` with `model_fn`, a `code/requirements.txt` that names the library, and its wheels.",
)
LEFT_TO_CODE = _declare(
    "library-left-to-code",
    Severity.WARNING,
    "The model needs a library that the container's image has not, and `code/requirements.txt` does not name it: unless"
    " the archive's code does without, the endpoint fails at start.",
    "Name the library in `code/requirements.txt`, and bring its wheels along.",
)

LIBRARIES = {"catboost": "CatBoost", "lightgbm": "LightGBM", "xgboost": "XGBoost"}
"""By the module that a pickle names, which pip calls the same."""
_BROUGHT_BY: dict[str, frozenset[str]] = {
    "huggingface": frozenset(),
    "pytorch": frozenset(),
    "sklearn": frozenset(),
    "xgboost": frozenset({"xgboost"}),
}
"""Of those libraries, what each container that unpickles anything has."""


def check_libraries(contents: Contents, plan: ServingPlan | None, findings: Findings) -> None:
    """Hold what the archive's pickles are made of against the container; *plan* is None where none could be made."""
    if plan is None or plan.container not in _BROUGHT_BY:
        return
    has_code = "code/inference.py" in contents.files
    required = required_names(contents, plan.image_uri) if has_code else frozenset()
    if required is None:
        return
    brought = _BROUGHT_BY[plan.container] | required
    for module, path in sorted(dict(_needed(contents)).items()):
        if module in brought or any(name.startswith(f"code/{module}/") for name in contents.files):
            continue
        what = (
            f"the pickle holds a model of {LIBRARIES[module]}; the image of container {plan.container} has no {module}"
        )
        bring = how_to_bring([module])
        if has_code:
            findings.add(LEFT_TO_CODE, what, path=path, fix=f"Run {bring}")
        else:
            fix = f"Add code/inference.py with model_fn(model_dir) that loads it; run {bring}"
            findings.add(MISSING, what, path=path, fix=fix)


def how_to_bring(packages: Sequence[str], *, is_on_torch: bool = False) -> str:
    """Say how packages come along in an archive: a command and the lines, behind the word "run".

    What stands *on torch* comes alone: torch is there, and its wheel has gigabytes.
    """
    alone = "--no-deps " if is_on_torch else ""
    command = f"`pip download {alone}--only-binary :all: --dest code/wheels {' '.join(packages)}`"
    lines = " and ".join(f"`{each}`" for each in ("--find-links /opt/ml/model/code/wheels", *packages))
    return f"{command}, and add the lines {lines} to code/requirements.txt."


def _needed(contents: Contents) -> Iterator[tuple[str, str]]:
    """Yield each of the libraries that a pickle imports, with the pickle's path."""
    for path, scanned in contents.pickles.items():
        if PICKLE_FILE.fullmatch(posixpath.basename(path)) is None or is_leftover(path):
            continue
        for one in scanned.imports:
            module = one.module.partition(".")[0]
            if module in LIBRARIES:
                yield module, path
