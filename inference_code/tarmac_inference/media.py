"""Content-Type and Accept headers: parsed and negotiated. Called by `payloads`, `answers` and `hooks`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

JSON = "application/json"
JSON_LINES = "application/jsonlines"
CSV = "text/csv"
NPY = "application/x-npy"
EVENTS = "text/event-stream"
TEXT = "text/plain"
OCTETS = "application/octet-stream"
ANY = "*/*"

JSON_LINES_NAMES = frozenset({JSON_LINES, "application/jsonl", "application/x-jsonlines", "application/x-ndjson"})


@dataclass(frozen=True)
class MediaType:
    """One media type, lower case, with its parameters."""

    name: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def charset(self) -> str:
        """The charset parameter; UTF-8 when there is none."""
        return self.parameters.get("charset", "utf-8")


def parse_media_type(header: str) -> MediaType:
    """Parse one media type with its parameters; whatever makes no sense in it is left out."""
    name, *rest = header.split(";")
    pairs = (part.partition("=") for part in rest)
    parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs if value}
    return MediaType(name.strip().lower(), parameters)


def accepted(header: str) -> list[str]:
    """List the media types of an Accept header, best first; those with q=0 are left out.

    Source: RFC 9110, section 12.5.1.
    """
    weighted = [(_weight(media), media.name) for media in map(parse_media_type, header.split(",")) if media.name]
    ordered = sorted((pair for pair in weighted if pair[0] > 0), key=lambda pair: -pair[0])
    return [name for _, name in ordered]


def _weight(media: MediaType) -> float:
    try:
        return float(media.parameters.get("q", "1"))
    except ValueError:
        return 0.0


def choose(header: str | None, offered: Sequence[str]) -> str | None:
    """Choose the offered media type that an Accept header likes best.

    Args:
        header: As the caller sent it; None or empty stands for anything.
        offered: At least one; the first is the server's own favourite.

    Returns:
        None when nothing offered is accepted.
    """
    if not header or header == ANY:
        return offered[0]
    for wish in accepted(header):
        for name in offered:
            if wish in (ANY, "*", name) or (wish.endswith("/*") and name.startswith(wish[:-1])):
                return name
        if wish in JSON_LINES_NAMES and JSON_LINES in offered:
            return JSON_LINES
    return None
