"""The lines of a requirements.txt, read as pip reads them. Called by `requirements`; pure.

Source: pip, req/req_file.py (byte order marks, continued lines, comments, options) and req/constructors.py (paths);
PEP 440 and PEP 508 for what a requirement says.
"""

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_COMMENT = re.compile(r"(?:^|\s)#.*")
_OPTION = re.compile(r"\s--?[A-Za-z]")
_EDITABLE = re.compile(r"(?:-e|--editable)[\s=]*")
_NESTED = re.compile(r"(?:-r|-c|--requirement|--constraint)[\s=]*(?P<path>\S.*)")
_ELSEWHERE = re.compile(r"[/\\$@]|^\.|\.(whl|zip|tar|tgz|tar\.\w+)$")
"""What is a path or an address: neither a name nor a slip of the pen."""
_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?P<rest>.*)")
_CLAUSE = re.compile(r"(===|==|~=|!=|<=|>=|<|>)\s*([0-9]{1,9}(?:\.[0-9]{1,9})*)(\.\*)?(?:\+[\w.]+)?\s*")
_ANY_CLAUSE = r"(?:===|==|~=|!=|<=|>=|<|>)\s*[\w.*+!-]+\s*"
_CLAUSES = re.compile(rf"(?:{_ANY_CLAUSE}(?:,\s*{_ANY_CLAUSE})*,?\s*)?")
_MARKER = re.compile(
    r"""(?P<name>\w+)\s*(?P<operator>===|==|~=|!=|<=|>=|<|>)\s*(?P<quote>["'])(?P<value>[^"']*)(?P=quote)"""
)
_LINE_MAX_CHARACTERS = 1_000
"""Without options; what is longer is not looked into, for the patterns here would take their time."""
REQUIREMENTS_MAX = 1_000
"""What is looked at of one file; hundreds of packages with thousands of hashes are fewer."""
_LINUX = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "sys_platform": "linux",
}
"""What is true of every container here."""


@dataclass(frozen=True)
class Requirement:
    """What one line asks for.

    Attributes:
        name: Of a package, as pip compares names; None where the line is a path, an address, or nothing pip knows.
        clauses: Its versions, as written (`>=4.40,<5`).
        marker: When it is asked for at all (`python_version < "3.9"`); empty for always.
        text: The line, without comment and options.
    """

    line: int
    text: str
    name: str | None
    clauses: str = ""
    marker: str = ""
    is_nonsense: bool = False
    """Whether pip would refuse the whole file for this line."""


def decode(raw: bytes) -> str | None:
    """Decode the file as pip does in a container, whose locale is UTF-8; None where pip could not."""
    mark, encoding = next((each for each in _MARKS if raw.startswith(each[0])), (b"", "utf-8"))
    try:
        text = raw[len(mark) :].decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def read_requirements(text: str) -> Iterator[Requirement]:
    """Yield what each line asks for, up to REQUIREMENTS_MAX; pip's own options ask for nothing."""
    lines = ((number, _EDITABLE.sub("", line, count=1)) for number, line in _lines(text))
    asking = ((number, line) for number, line in lines if not line.startswith("-"))
    for number, line in islice(asking, REQUIREMENTS_MAX):
        yield _requirement(number, _OPTION.split(line, maxsplit=1)[0].strip())


def nested_files(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and path of each file that is read too (`-r`, `-c`), up to REQUIREMENTS_MAX."""
    found = ((number, match["path"]) for number, line in _lines(text) if (match := _NESTED.fullmatch(line)))
    for number, path in islice(found, REQUIREMENTS_MAX):
        yield number, path.strip("\"'")


def normal(name: str) -> str:
    """Bring a package's name to the form in which pip compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number and text of each line, continued ones joined, without comments and blank ones."""
    held, first = "", 0
    for number, line in enumerate(_physical_lines(text), start=1):
        first = first or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            held += line[:-1]
            continue
        whole = _COMMENT.sub("", held + line).strip()
        if whole:
            yield first, whole
        held, first = "", 0


def _physical_lines(text: str) -> Iterator[str]:
    """Yield what `splitlines` gives, one at a time, and an empty line that ends the last."""
    for line in io.StringIO(text, newline=None):
        yield from line.splitlines()
    yield ""


def _requirement(number: int, line: str) -> Requirement:
    if len(line) > _LINE_MAX_CHARACTERS:
        return Requirement(number, line[:_LINE_MAX_CHARACTERS], None)
    text, _, marker = (part.strip() for part in line.partition(";"))
    if _ELSEWHERE.search(text):
        return Requirement(number, text, None, marker=marker)
    match = _NAMED.fullmatch(text)
    clauses = match["rest"].strip() if match is not None else ""
    if clauses.startswith("(") and clauses.endswith(")"):
        clauses = clauses[1:-1].strip()
    if match is None or not _CLAUSES.fullmatch(clauses):
        return Requirement(number, text, None, marker=marker, is_nonsense=True)
    return Requirement(number, text, normal(match["name"]), clauses, marker)


def holds(marker: str, python_version: str | None) -> bool | None:
    """Tell whether a marker is true in the container, whose *python_version* is `3.12`, say; None: cannot be told."""
    if not marker:
        return True
    if "(" in marker:
        return None
    answers = [_all_hold(part, python_version) for part in re.split(r"\bor\b", marker)]
    return True if True in answers else None if None in answers else False


def _all_hold(marker: str, python_version: str | None) -> bool | None:
    answers = [_holds(part.strip(), python_version) for part in re.split(r"\band\b", marker)]
    return False if False in answers else None if None in answers else True


def _holds(comparison: str, python_version: str | None) -> bool | None:
    match = _MARKER.fullmatch(comparison)
    if match is None:
        return None
    name, operator, value = match["name"], match["operator"], match["value"]
    if name == "python_version":
        clause = f"{operator}{value}"
        if python_version is None or not _CLAUSE.fullmatch(clause):
            return None
        return not is_excluded(clause, f"{python_version}.0")
    if name not in _LINUX or operator not in ("==", "!="):
        return None
    return (_LINUX[name] == value) is (operator == "==")


def contradiction(first: Requirement, second: Requirement) -> bool:
    """Tell whether no version satisfies both, as far as one of them names exactly one."""
    return _pins_apart(first.clauses, second.clauses) or _pins_apart(second.clauses, first.clauses)


def _pins_apart(clauses: str, others: str) -> bool:
    pinned = _CLAUSE.fullmatch(clauses.strip())
    if pinned is None or pinned[1] not in ("==", "===") or pinned[3]:
        return False
    version = pinned[2] + ".0" * (2 - pinned[2].count("."))
    return is_excluded(others, version)


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
