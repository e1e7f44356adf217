"""What an examination says: one line about one thing, and how to mend it. Made by examination, printed by doctor."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How one finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    health: Health
    message: str
    fix: str | None = None


def fine(name: str, message: str) -> Finding:
    """All is well."""
    return Finding(name, Health.OK, message)


def warning(name: str, message: str, fix: str | None = None) -> Finding:
    """It works, and should still be looked at."""
    return Finding(name, Health.WARNING, message, fix)


def error(name: str, message: str, fix: str | None = None) -> Finding:
    """It does not work."""
    return Finding(name, Health.ERROR, message, fix)
