"""The kinds of check the door knows, and where what it finds is gathered. Every module of the door declares its own."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.reports import Check, Severity

FOUND_MAX_PER_KIND = 20
"""A hostile archive may hold the same fault ten thousand times; people read the first few."""
_PATH_MAX_CHARACTERS = 200
_TEXT_MAX_CHARACTERS = 400
_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}

KINDS: dict[str, "Kind"] = {}
"""Every declared kind by id: what docs/checks.md is generated from."""


@dataclass(frozen=True)
class Kind:
    """One kind of check.

    Attributes:
        id: Stable, kebab-case.
        subject: The heading under which docs/checks.md lists it.
        when: One sentence for docs/checks.md: what makes it appear.
        fix: One sentence: what to do, unless the place where it is found knows better; None: nothing to do.
    """

    id: str
    severity: Severity
    subject: str
    when: str
    fix: str | None = None


class Unreadable(Exception):
    """The archive cannot be read any further. Raised by the readers, turned into a check by `contents`."""

    def __init__(self, kind: Kind, message: str, *, path: str | None = None, fix: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.path = path
        self.fix = fix


def declare(kind_id: str, severity: Severity, subject: str, when: str, fix: str | None = None) -> Kind:
    """Declare a kind of check.

    Raises:
        ValueError: The id is taken.
    """
    if kind_id in KINDS:
        raise ValueError(f"two kinds of check are called {kind_id}")
    KINDS[kind_id] = Kind(kind_id, severity, subject, when, fix)
    return KINDS[kind_id]


def declarer(subject: str) -> Callable[[str, Severity, str, str | None], Kind]:
    """Make a `declare` for one subject."""

    def declare_here(kind_id: str, severity: Severity, when: str, fix: str | None) -> Kind:
        return declare(kind_id, severity, subject, when, fix)

    return declare_here


def shown(path: str) -> str:
    """Render a member's path so that a terminal, a log line and JSON can all hold it.

    Control characters and bytes that are no UTF-8 are escaped: a report must never carry what it warns of.
    """
    return _printable(path, _PATH_MAX_CHARACTERS)


def _printable(text: str, max_characters: int) -> str:
    cut = text[: max_characters + 1]
    if not cut.isprintable():
        cut = "".join(
            character
            if character.isprintable()
            else character.encode("unicode_escape", "backslashreplace").decode("ascii")
            for character in cut
        )
    return cut if len(cut) <= max_characters else cut[: max_characters - 1] + "…"


class Findings:
    """What the door has found so far."""

    def __init__(self) -> None:
        self._checks: list[Check] = []
        self._counts: Counter[str] = Counter()

    def add(self, kind: Kind, message: str, *, path: str | None = None, fix: str | None = None) -> None:
        """Write down one finding; beyond the first few of its kind, only that there are more."""
        self._counts[kind.id] += 1
        if self._counts[kind.id] <= FOUND_MAX_PER_KIND:
            where = None if path is None else shown(path)
            # Messages quote names, keys and lines of the drop: none may smuggle what a terminal or JSON cannot hold.
            message, fix = _printable(message, _TEXT_MAX_CHARACTERS), fix or kind.fix
            fix = None if fix is None else _printable(fix, _TEXT_MAX_CHARACTERS)
            self._checks.append(Check(kind.id, kind.severity, message, where, fix))

    def has(self, *kinds: Kind) -> bool:
        """Tell whether any of these kinds has been found."""
        return any(self._counts[kind.id] for kind in kinds)

    @property
    def is_refusal(self) -> bool:
        """Whether anything found so far refuses the drop."""
        return any(check.severity is Severity.ERROR for check in self._checks)

    def checks(self) -> tuple[Check, ...]:
        """Everything found: errors first, in the order found."""
        more = [
            Check(
                kind_id, KINDS[kind_id].severity, f"{count - FOUND_MAX_PER_KIND} more of the same kind are not listed"
            )
            for kind_id, count in self._counts.items()
            if count > FOUND_MAX_PER_KIND
        ]
        return tuple(sorted([*self._checks, *more], key=lambda check: _ORDER[check.severity]))
