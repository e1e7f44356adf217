"""Which version of a container can load a model: by what made it, and what each image has. Called by `chooser`.

Source: facts run with the libraries themselves. XGBoost 3.2.0 reads what 1.7.6 wrote as JSON or UBJSON and refuses its
older binary format; scikit-learn promises nothing across versions. What transformers 5 dropped: `tasks`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.door.architectures import is_listed, knows_architecture, knows_model_type
from chalicelib.door.configs import NOT_JSON, NOT_OBJECT
from chalicelib.door.contents import Contents
from chalicelib.door.grafts import HANDLED_TASKS
from chalicelib.door.images import Edition, Image, table_words
from chalicelib.door.kinds import Findings, declarer, shown
from chalicelib.door.layouts import Framework
from chalicelib.door.models import Model
from chalicelib.door.tasks import REMOVED_IN_TRANSFORMERS_5, architecture_of
from chalicelib.door.wishes import Wishes
from chalicelib.reports import Severity

_declare = declarer("The plan")
NO_TASK = _declare(
    "task-unknown",
    Severity.WARNING,
    "Neither `config.json` nor `deploy.toml` says what the model does; the container's default handler will not start.",
    'Write task = "text-classification" (or what it does) in deploy.toml, or add `code/inference.py`.',
)
UNKNOWN_TYPE = _declare(
    "architecture-unknown",
    Severity.ERROR,
    "No image of the container has a transformers that knows the model's type; it would not load.",
    "Bring the model's own code (`auto_map`) and a newer transformers as wheels under `code/`, as the message says.",
)
UNKNOWN_TYPE_WITH_CODE = _declare(
    "architecture-left-to-code",
    Severity.WARNING,
    "No image of the container has a transformers that knows the model's type; the archive's own code must load it.",
    "See that `code/inference.py` brings what it imports.",
)
PIPELINE_REMOVED = _declare(
    "pipeline-removed",
    Severity.ERROR,
    "The only image whose transformers knows the model's type has no pipeline for the task any more.",
    "Add `code/inference.py` with `model_fn` and `predict_fn`.",
)
NEWER_TRANSFORMERS = _declare(
    "transformers-newer",
    Severity.INFO,
    "The model was saved with a newer transformers than the container has; it may not know every setting.",
    "Save it with the container's version, or test it first.",
)
UNKNOWN_CLASS = _declare(
    "architecture-not-listed",
    Severity.WARNING,
    "The container's transformers knows the model's type, but not the class that config.json names.",
    "Save the model with one of transformers' own classes, or load it in `code/inference.py`.",
)
OTHER_LIBRARY = _declare(
    "library-version",
    Severity.WARNING,
    "A pickle was written by another version of its library than the container has, which promises nothing.",
    "Train with the container's version; or save in a format that lasts (XGBoost's `model.ubj`).",
)

_OWN_TRANSFORMERS = re.compile(rb"^\s*(?:[\w./-]*/)?transformers\b", re.MULTILINE)


@dataclass(frozen=True)
class Subject:
    """What a version is chosen for: the model, what a person wished for, and what the model does."""

    model: Model
    wishes: Wishes
    task: str | None


def choose_edition(
    container: str,
    subject: Subject,
    found: Sequence[Edition],
    findings: Findings,
    *,
    elsewhere: str | None = None,
) -> Edition | None:
    """Choose the version of a container, the newest that can load the model.

    Args:
        container: Its name.
        subject: What it is chosen for.
        found: What the region has of it, newest first; at least one.
        findings: Told why where the answer is None, and of what may go wrong.
        elsewhere: The fix, where another container knows what this one does not.
    """
    if container in ("sklearn", "xgboost"):
        return _by_library(container, subject.model.contents, found, findings)
    if found[0].transformers is None:
        return found[0]
    return _by_transformers(subject, found, findings, elsewhere)


def knows_type(model: Model, edition: Edition) -> bool:
    """Tell whether a version's transformers knows the model's type; True where nothing says otherwise."""
    return edition.transformers is None or _knows(model, edition.transformers)


def check_versions(model: Model, image: Image, task: str | None, findings: Findings) -> None:
    """Hold what the model was saved with against what the image has."""
    if image.transformers is None:
        return
    is_unread = not model.config and findings.has(NOT_JSON, NOT_OBJECT)
    if task is None and not model.has_code and not is_unread:
        findings.add(NO_TASK, "nothing says what the model does", path="config.json")
    saved_with = model.config.get("transformers_version")
    if isinstance(saved_with, str) and _numbers(saved_with) > _numbers(image.transformers):
        message = f"saved with transformers {shown(saved_with)}; the container has {image.transformers}"
        findings.add(NEWER_TRANSFORMERS, message, path="config.json")
    architecture = architecture_of(model.config) if model.framework is Framework.TRANSFORMERS else None
    has_own = "auto_map" in model.config or model.has_code
    if architecture is None or task is None or has_own or not is_listed(image.transformers):
        return
    if not knows_architecture(image.transformers, architecture) and _knows(model, image.transformers):
        message = f"transformers {image.transformers} has no auto class for {shown(architecture)}"
        findings.add(UNKNOWN_CLASS, message, path="config.json")


def _by_transformers(
    subject: Subject, found: Sequence[Edition], findings: Findings, elsewhere: str | None
) -> Edition | None:
    model, task = subject.model, subject.task
    able = [edition for edition in found if knows_type(model, edition)]
    if not able:
        return found[0] if _code_loads_it(subject, found, findings, elsewhere) else None
    # Transformers 5 has dropped some pipelines, and the default handler then fails at start.
    if task not in REMOVED_IN_TRANSFORMERS_5 or model.has_code:
        return able[0]
    older = [edition for edition in able if edition.transformers is not None and _numbers(edition.transformers) < (5,)]
    if older or task in HANDLED_TASKS:
        return (older or able)[0]
    message = f"transformers {able[0].transformers} knows {shown(_type(model))}, but has no pipeline for {task}"
    findings.add(PIPELINE_REMOVED, message, path="config.json")
    return None


def _code_loads_it(subject: Subject, found: Sequence[Edition], findings: Findings, elsewhere: str | None) -> bool:
    """Tell whether code that comes with the model can make up for a type that no image knows."""
    model, have = subject.model, ", ".join(edition.transformers or "" for edition in found)
    unknown = f"no image has a transformers that knows model_type {shown(_type(model))}"
    message = f"{unknown}: they have {have} ({table_words()})"
    if "auto_map" in model.config and subject.wishes.trust == "trusted":
        return True
    if model.has_code:
        findings.add(UNKNOWN_TYPE_WITH_CODE, message, path="config.json")
        return True
    fix = (
        "Add code/inference.py, and bring a transformers that knows the model: its wheels under code/wheels, and in"
        " code/requirements.txt the lines `--find-links /opt/ml/model/code/wheels` and `transformers==VERSION`."
    )
    if "auto_map" in model.config:
        fix = 'Write trust = "trusted", so that the code that auto_map names is run.'
    findings.add(UNKNOWN_TYPE, message, path="config.json", fix=elsewhere or fix)
    return False


def _knows(model: Model, transformers: str) -> bool:
    """Tell whether a transformers knows the model's type; True where nothing says otherwise."""
    if model.framework not in (Framework.TRANSFORMERS, Framework.SENTENCE_TRANSFORMERS):
        return True
    model_type = _type(model)
    if _OWN_TRANSFORMERS.search(model.contents.kept.get("code/requirements.txt", b"")) is not None:
        return True
    return not model_type or not is_listed(transformers) or knows_model_type(transformers, model_type)


def _by_library(container: str, contents: Contents, found: Sequence[Edition], findings: Findings) -> Edition:
    library = "scikit-learn" if container == "sklearn" else "xgboost"
    made = {path: one for path, one in contents.makers.items() if one.maker == library}
    if any(one.form == "binary" for one in made.values()):
        # Gone from XGBoost 3.1 on; the oldest image reads it for certain.
        return found[-1]
    pickled = {path: one.version for path, one in made.items() if one.form == "pickle" and one.version is not None}
    if not pickled:
        return found[0]
    path, version = max(pickled.items(), key=lambda item: _numbers(item[1] or ""))
    saved = _numbers(version or "")
    not_older = [edition for edition in found if _numbers(edition.version) >= saved]
    chosen = not_older[-1] if not_older else found[0]
    if _numbers(chosen.version) != saved:
        message = f"pickled by {library} {version}; the nearest image has {chosen.version}"
        findings.add(OTHER_LIBRARY, message, path=path)
    return chosen


def _type(model: Model) -> str:
    model_type = model.config.get("model_type")
    return model_type if isinstance(model_type, str) else ""


def _numbers(version: str) -> tuple[int, ...]:
    """The first two numbers of a version: what decides what is known, and what a pickle fits."""
    numbers = [part for part in re.split(r"[.-]", version)[:2] if part.isascii() and part.isdigit() and len(part) < 6]
    return tuple(int(number) for number in numbers)
