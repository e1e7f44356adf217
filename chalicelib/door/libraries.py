"""Whether the container has the libraries that a pickle's objects come from. Called by `inspection`, with the plan.

The classes are in the pickle only by name: loading it imports them, and fails where there is no such module. No image
here installs anything by itself; it runs `pip install` on `code/requirements.txt`.
Source: sagemaker-scikit-learn-container, requirements.txt; sagemaker-xgboost-container, requirements.txt; AWS's Deep
Learning Containers, the Dockerfiles of huggingface/pytorch/inference.
"""

import posixpath
from collections.abc import Iterator

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
    "A pickle holds a LightGBM, XGBoost or CatBoost model, which the container's image cannot load: it has no such"
    " library, and Tarmac's own handler brings none.",
    "Add `code/inference.py` with `model_fn`, a `code/requirements.txt` that names the library, and its wheels.",
)
LEFT_TO_CODE = _declare(
    "library-left-to-code",
    Severity.WARNING,
    "A pickle holds a LightGBM, XGBoost or CatBoost model, the container's image has no such library, and"
    " `code/requirements.txt` does not name it: unless the archive's code does without, the endpoint fails at start.",
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
        wheels = f"`pip download --only-binary :all: --dest code/wheels {module}`"
        lines = f"the lines `--find-links /opt/ml/model/code/wheels` and `{module}` to code/requirements.txt"
        if has_code:
            findings.add(LEFT_TO_CODE, what, path=path, fix=f"Run {wheels}, and add {lines}.")
        else:
            fix = f"Add code/inference.py with model_fn(model_dir) that loads it; run {wheels}, and add {lines}."
            findings.add(MISSING, what, path=path, fix=fix)


def _needed(contents: Contents) -> Iterator[tuple[str, str]]:
    """Yield each of the libraries that a pickle imports, with the pickle's path."""
    for path, scanned in contents.pickles.items():
        if PICKLE_FILE.fullmatch(posixpath.basename(path)) is None or is_leftover(path):
            continue
        for one in scanned.imports:
            module = one.module.partition(".")[0]
            if module in LIBRARIES:
                yield module, path
