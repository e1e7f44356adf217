"""Holds `code/requirements.txt` against the container that was chosen. Called by `inspection`, last of all.

The serving toolkits run `pip install -r` at start and end the container when it fails. What the image has already, pip
finds without a network; anything else it cannot fetch from where there is none.
Source: sagemaker-huggingface-inference-toolkit 2.6.0, mms_model_server.py; PEP 440 and PEP 508 for the lines.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chalicelib.door.contents import Contents
from chalicelib.door.kinds import Findings, declarer, shown
from chalicelib.reports import ServingPlan, Severity

_declare = declarer("Code")
NOT_TEXT = _declare(
    "requirements-not-text",
    Severity.ERROR,
    "`code/requirements.txt` is not UTF-8 text, so pip cannot read it.",
    "Save it as UTF-8 without a byte order mark; PowerShell's `>` writes UTF-16.",
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
_LINE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*(?P<rest>[^;]*)(;.*)?")
_CLAUSE = re.compile(r"(===|==|~=|!=|<=|>=|<|>)\s*([0-9]{1,9}(?:\.[0-9]{1,9})*)(\.\*)?(?:\+[\w.]+)?\s*")
_CLAUSES = re.compile(r"[<>=!~(]|$")
_TAGS = (
    re.compile(r"/huggingface-pytorch-inference:(?P<torch>[\d.]+)-transformers(?P<transformers>[\d.]+)-"),
    re.compile(r"/pytorch-inference:(?P<torch>[\d.]+)-"),
    re.compile(r"/tensorflow-inference:(?P<tensorflow>[\d.]+)-"),
    re.compile(r"/sagemaker-scikit-learn:(?P<scikit_learn>[\d.]+)-"),
    re.compile(r"/sagemaker-xgboost:(?P<xgboost>[\d.]+)-"),
)
_WHEEL = re.compile(r"(?P<name>[A-Za-z0-9_.]+)-[0-9][^-]*(-[^-]+){3,4}\.whl")
_FIND_LINKS = re.compile(r"^\s*(--find-links|-f|\./\S+\.whl|\S+/\S+\.whl)", re.MULTILINE)
_OF_TRANSFORMERS = ("huggingface-hub", "numpy", "packaging", "pyyaml", "regex", "safetensors", "tokenizers", "tqdm")
"""What transformers itself needs, and so is there in some version."""
_SHOWN_MAX = 3


@dataclass(frozen=True)
class _Wish:
    line: int
    name: str
    rest: str


def check_requirements(contents: Contents, plan: ServingPlan | None, findings: Findings) -> None:
    """Check the file's text, and what it asks for; *plan* is None where none could be made."""
    raw = contents.kept.get(PATH)
    if raw is None:
        return
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        findings.add(NOT_TEXT, "the file is not UTF-8 text", path=PATH)
        return
    if "\0" in text:
        findings.add(NOT_TEXT, "the file holds NUL characters", path=PATH)
    elif plan is None or plan.is_isolated:
        _check_wishes(text, versions_in(plan.image_uri) if plan else {}, contents, findings)


def versions_in(image_uri: str) -> Mapping[str, str]:
    """Read from an image's tag which packages it has, and in which versions; of some only two parts are told."""
    for tag in _TAGS:
        if match := tag.search(image_uri):
            return {name.replace("_", "-"): version for name, version in match.groupdict().items()}
    return {}


def _check_wishes(text: str, versions: Mapping[str, str], contents: Contents, findings: Findings) -> None:
    missing, brought = [], _names_of_wheels(contents)
    if brought and not _FIND_LINKS.search(text):
        wheel = next(iter(brought.values()))
        message = f"{shown(wheel)} is there, and pip looks there only when a line says so"
        findings.add(OFFLINE, message, path=PATH, fix=f"Add `--find-links /opt/ml/model/{posixpath.dirname(wheel)}`.")
    for wish in _wishes(text, contents):
        if wish.name in brought:
            continue
        if (has := versions.get(wish.name)) is not None:
            if is_excluded(wish.rest, has):
                message = f"line {wish.line}: {shown(wish.name + wish.rest)}, but the container has {wish.name} {has}"
                fix = f"Leave the line out, or write {wish.name}=={has} and see that the model loads with that."
                findings.add(CONTRADICT, message, path=PATH, fix=fix)
        elif wish.rest or wish.name not in _OF_TRANSFORMERS or "transformers" not in versions:
            missing.append(wish.name)
    if missing:
        count = f"{len(missing)} package" + ("s" if len(missing) > 1 else "")
        named = ", ".join(shown(name) for name in missing[:_SHOWN_MAX]) + (", …" if len(missing) > _SHOWN_MAX else "")
        findings.add(OFFLINE, f"{count} ({named}) cannot be fetched: the container has no network", path=PATH)


def _names_of_wheels(contents: Contents) -> Mapping[str, str]:
    """Give the wheels that the archive brings, by the package's name."""
    return {
        _normal(match["name"]): path
        for path in sorted(contents.files)
        if path.startswith("code/") and (match := _WHEEL.fullmatch(posixpath.basename(path)))
    }


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _wishes(text: str, contents: Contents) -> Iterator[_Wish]:
    """Yield what has to be there; what lies in the archive itself, and pip's own options, are left out."""
    for number, raw_line in enumerate(text.splitlines(), start=1):
        line = re.split(r"(?:^|\s)#", raw_line)[0].strip().rstrip("\\").strip()
        line = re.sub(r"^(-e|--editable)[\s=]+", "", line)
        if not line or line.startswith("-") or posixpath.normpath(posixpath.join("code", line)) in contents.files:
            continue
        match = _LINE.fullmatch(line)
        if match is None or not _CLAUSES.match(match["rest"]):
            # A URL, a path that is not in the archive, or a name with the URL to fetch it from.
            yield _Wish(number, re.split(r"\s@\s", line)[0], " ")
        else:
            yield _Wish(number, _normal(match["name"]), match["rest"].strip("() "))


def is_excluded(clauses: str, has: str) -> bool:
    """Tell whether version clauses (`>=4.40,<5`) surely exclude a version; what cannot be told is not excluded."""
    return any(
        _excludes(match[1], _numbers(match[2]), _numbers(has), is_prefix=match[3] is not None)
        for clause in clauses.split(",")
        if (match := _CLAUSE.fullmatch(clause.strip()))
    )


def _excludes(operator: str, wanted: list[int], has: list[int], *, is_prefix: bool) -> bool:
    is_partial = len(has) < 3
    if is_prefix or is_partial or operator == "~=":
        size = min(len(wanted) - (operator == "~=" and not is_partial), len(has))
        head, its_head = wanted[:size], has[:size]
    else:
        size = max(len(wanted), len(has))
        head, its_head = (numbers + [0] * (size - len(numbers)) for numbers in (wanted, has))
    if operator in ("==", "===", "~="):
        return its_head != head or (operator == "~=" and not is_partial and has < wanted)
    if operator == "!=":
        return its_head == head and not is_partial
    if operator in (">=", ">"):
        return its_head < head or (operator == ">" and its_head == head and not is_partial)
    is_told = not is_partial or len(wanted) <= len(has)
    return its_head > head or (operator == "<" and its_head == head and is_told)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part]
