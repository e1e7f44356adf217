"""Holds `code/requirements.txt` against itself and the container that was chosen. Called by `inspection`, last of all.

The serving toolkits run `pip install -r` at start and end the container when it fails. What the image has already, pip
finds without a network; anything else it cannot fetch from where there is none.
Source: sagemaker-huggingface-inference-toolkit 2.6.0, mms_model_server.py; sagemaker-containers, _modules.py.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping
from itertools import combinations

from chalicelib.door.contents import Contents
from chalicelib.door.kinds import Findings, declarer, shown
from chalicelib.door.requirement_lines import (
    REQUIREMENTS_MAX,
    Requirement,
    contradiction,
    decode,
    holds,
    is_excluded,
    nested_files,
    normal,
    read_requirements,
)
from chalicelib.reports import ServingPlan, Severity

_declare = declarer("Code")
NOT_TEXT = _declare(
    "requirements-not-text",
    Severity.ERROR,
    "`code/requirements.txt` is not text that pip could read: UTF-8, or UTF-16 with its byte order mark.",
    "Save it as UTF-8.",
)
NONSENSE = _declare(
    "requirements-syntax",
    Severity.ERROR,
    "A line of `code/requirements.txt` is no requirement, so pip refuses the file, and the container ends with it.",
    "Mend that line: a name, and perhaps versions, as in `numpy>=1.26,<3`.",
)
CLASH = _declare(
    "requirements-clash",
    Severity.ERROR,
    "Two lines of `code/requirements.txt` ask for the same package in versions that exclude each other: pip refuses.",
    "Keep one of the two lines.",
)
FILE_MISSING = _declare(
    "requirements-file-missing",
    Severity.ERROR,
    "`code/requirements.txt` names a file that is not where pip looks for it: pip fails, and the container with it.",
    "Add the file, or take the line out.",
)
CONTRADICT = _declare(
    "requirements-contradict",
    Severity.ERROR,
    "`code/requirements.txt` asks for another version of what the container is made of, and there is no network to"
    " fetch it from: pip fails, and the container with it.",
    "Leave the line out; the message names the container's own version.",
)
OFFLINE = _declare(
    "requirements-offline",
    Severity.WARNING,
    "`code/requirements.txt` asks for packages, and the container has no network to fetch them from.",
    "Bring them along: `pip download --only-binary :all: --dest code/wheels --requirement code/requirements.txt`, and"
    " add the line `--find-links /opt/ml/model/code/wheels`.",
)

PATH = "code/requirements.txt"
_MODEL_FOLDER = "/opt/ml/model/"
_TAGS = (
    re.compile(r"/huggingface-pytorch-inference:(?P<torch>[\d.]+)-transformers(?P<transformers>[\d.]+)-"),
    re.compile(r"/pytorch-inference:(?P<torch>[\d.]+)-"),
    re.compile(r"/tensorflow-inference:(?P<tensorflow>[\d.]+)-"),
    re.compile(r"/sagemaker-scikit-learn:(?P<scikit_learn>[\d.]+)-"),
    re.compile(r"/sagemaker-xgboost:(?P<xgboost>[\d.]+)-"),
)
_PYTHON_TAG = re.compile(r"-py3(\d{1,2})(-|$)")
_WHEEL = re.compile(r"(?P<name>[A-Za-z0-9_.]+)-[0-9][^-]*(-[^-]+){3,4}\.whl")
_FIND_LINKS = re.compile(r"^\s*(--find-links|-f|\./\S+\.whl|\S+/\S+\.whl)", re.MULTILINE)
_OF_TRANSFORMERS = ("huggingface-hub", "numpy", "packaging", "pyyaml", "regex", "safetensors", "tokenizers", "tqdm")
"""What transformers itself needs, and so is there in some version."""
_PATHLIKE, _NO_PATH, _EXTRAS = re.compile(r"/|^\.|\.whl$"), re.compile(r"://|[$@]"), re.compile(r"\[[^\]]*\]$")
_STARTED_IN_CODE = frozenset({"sklearn", "xgboost"})
"""Containers in which pip is started in code/. Source: sagemaker-containers 2.8.6, _modules.py (install)."""
_SHOWN_MAX = 3
_ALIKE_MAX = 10
"""Lines about one package that are held against each other."""


def check_requirements(contents: Contents, plan: ServingPlan | None, findings: Findings) -> None:
    """Check the file's text, and what it asks for; *plan* is None where none could be made."""
    raw = contents.kept.get(PATH)
    if raw is None:
        return
    text = decode(raw)
    if text is None:
        findings.add(NOT_TEXT, "the file is neither UTF-8 text nor UTF-16 with a byte order mark", path=PATH)
        return
    image_uri = plan.image_uri if plan is not None else ""
    asked = _asked_for(text, image_uri)
    _check_text(asked, findings)
    lost = _check_files(text, asked, contents, plan.container if plan is not None else None, findings)
    asked = [each for each in asked if each.line not in lost and not each.is_nonsense]
    if plan is None or plan.is_isolated:
        _check_offline(text, asked, versions_in(image_uri), contents, findings)


def required_names(contents: Contents, image_uri: str) -> frozenset[str] | None:
    """Name the packages that the file asks for, in pip's form; None where it may ask for any.

    Args:
        contents: The archive's.
        image_uri: Of the image in which it is installed.
    """
    text = decode(contents.kept.get(PATH, b""))
    if text is None or any(True for _ in nested_files(text)):
        return None
    asked = _asked_for(text, image_uri)
    if len(asked) == REQUIREMENTS_MAX:
        return None
    named: set[str] = set()
    for each in asked:
        wheel = _WHEEL.fullmatch(posixpath.basename(each.text))
        address = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*@", each.text)
        name = each.name or (wheel["name"] if wheel else address[1] if address else "")
        named.add(normal(name))
    return frozenset(named)


def versions_in(image_uri: str) -> Mapping[str, str]:
    """Read from an image's tag which packages it has, and in which versions; of some only two parts are told."""
    for tag in _TAGS:
        if match := tag.search(image_uri):
            return {name.replace("_", "-"): version for name, version in match.groupdict().items()}
    return {}


def _asked_for(text: str, image_uri: str) -> list[Requirement]:
    """Give what the container will be asked for; what is only for other systems is left out."""
    match = _PYTHON_TAG.search(image_uri)
    python_version = f"3.{match[1]}" if match is not None else None
    return [each for each in read_requirements(text) if holds(each.marker, python_version) is not False]


def _check_text(asked: list[Requirement], findings: Findings) -> None:
    by_name: dict[str, list[Requirement]] = {}
    for each in asked:
        if each.is_nonsense:
            findings.add(NONSENSE, f"line {each.line}: {shown(each.text)} is no requirement", path=PATH)
        if each.name is not None and not each.marker and each.clauses:
            by_name.setdefault(each.name, []).append(each)
    for alike in by_name.values():
        clash = next((pair for pair in combinations(alike[:_ALIKE_MAX], 2) if contradiction(*pair)), None)
        if clash is not None:
            one, other = clash
            message = f"lines {one.line} and {other.line} exclude each other: {shown(one.text)}, {shown(other.text)}"
            findings.add(CLASH, message, path=PATH)


def _check_files(
    text: str, asked: Iterable[Requirement], contents: Contents, container: str | None, findings: Findings
) -> set[int]:
    """See that the files which the lines name are there; give the numbers of those where they are not."""
    lost = set()
    for line, path in nested_files(text):
        place = _place(path) if "://" not in path and "$" not in path else None
        if place is not None and place not in contents.files:
            findings.add(FILE_MISSING, f"line {line}: {shown(path)} is not in the archive's code/", path=PATH)
            lost.add(line)
    for each in asked:
        if (path_fix := _lost_path(each.text, contents, container)) is not None:
            message, fix = path_fix
            findings.add(FILE_MISSING, f"line {each.line}: {message}", path=PATH, fix=fix)
            lost.add(each.line)
    return lost


def _lost_path(text: str, contents: Contents, container: str | None) -> tuple[str, str | None] | None:
    """Say why pip will not find what lies at a path, with the fix; None where it will, or *text* is no path."""
    if _NO_PATH.search(text) or not _PATHLIKE.search(text) or (place := _place(_EXTRAS.sub("", text))) is None:
        return None
    is_there = _is_there(place, contents)
    if container == "huggingface" and not text.startswith("/"):
        # Its toolkit starts pip in /, and pip takes paths from where it was started, not from the file they stand in.
        message = f"{shown(text)} is looked for from /, where pip is started, and not from code/"
        if is_there and text.endswith(".whl"):
            folder = shown(posixpath.dirname(place))
            return message, f"Write the package's name alone, and above it `--find-links {_MODEL_FOLDER}{folder}`."
        fix = f"Write `{_MODEL_FOLDER}{shown(place)}`; what lies in code/ itself is found without a line."
        return message, fix if is_there else None
    if not is_there and (text.startswith("/") or container in _STARTED_IN_CODE):
        return f"{shown(text)} is not in the archive's code/", None
    return None


def _is_there(place: str | None, contents: Contents) -> bool:
    """Tell whether a file or a folder lies at this place in the archive."""
    return place in contents.files or any(path.startswith(f"{place}/") for path in contents.files)


def _place(path: str) -> str | None:
    """Say where in the archive a path lies that is meant from code/; None for one that is elsewhere in the image."""
    if path.startswith("/"):
        return posixpath.normpath(path.removeprefix(_MODEL_FOLDER)) if path.startswith(_MODEL_FOLDER) else None
    return posixpath.normpath(posixpath.join("code", path))


def _check_offline(
    text: str, asked: Iterable[Requirement], versions: Mapping[str, str], contents: Contents, findings: Findings
) -> None:
    missing, brought = [], _names_of_wheels(contents)
    if brought and not _FIND_LINKS.search(text):
        wheel = next(iter(brought.values()))
        message = f"{shown(wheel)} is there, and pip looks there only when a line says so"
        findings.add(OFFLINE, message, path=PATH, fix=f"Add `--find-links /opt/ml/model/{posixpath.dirname(wheel)}`.")
    for each in asked:
        if each.name in brought or (each.name is None and _is_there(_place(each.text), contents)):
            continue
        has = versions.get(each.name or "")
        if has is None:
            if each.clauses or each.name not in _OF_TRANSFORMERS or "transformers" not in versions:
                missing.append(each.name or re.split(r"\s@\s", each.text)[0])
        elif not each.marker and is_excluded(each.clauses, has):
            message = f"line {each.line}: {shown(each.text)}, but the container has {each.name} {has}"
            fix = f"Leave the line out, or write {each.name}=={has} and see that the model loads with that."
            findings.add(CONTRADICT, message, path=PATH, fix=fix)
    if missing := list(dict.fromkeys(missing)):
        count = f"{len(missing)} package" + ("s" if len(missing) > 1 else "")
        named = ", ".join(shown(name) for name in missing[:_SHOWN_MAX]) + (", …" if len(missing) > _SHOWN_MAX else "")
        findings.add(OFFLINE, f"{count} ({named}) cannot be fetched: the container has no network", path=PATH)


def _names_of_wheels(contents: Contents) -> Mapping[str, str]:
    """Give the wheels that the archive brings, by the package's name."""
    return {
        normal(match["name"]): path
        for path in sorted(contents.files)
        if path.startswith("code/") and (match := _WHEEL.fullmatch(posixpath.basename(path)))
    }
