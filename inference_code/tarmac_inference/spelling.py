"""Tokens to text as they come, without the crumbs of characters that are not whole yet. Called by `continuous`."""

from collections.abc import Sequence
from typing import Any

_BROKEN = "\N{REPLACEMENT CHARACTER}"
_CONTEXT = 8


class Spelling:
    """The text of one answer, piece by piece."""

    def __init__(self, tokenizer: Any, prompt: Sequence[int], stops: Sequence[str]) -> None:
        self.is_stopped = False
        self._tokenizer = tokenizer
        self._stops = stops
        self._ids = list(prompt[-_CONTEXT:])
        self._start = 0
        self._spelt = len(self._ids)
        self._held = ""

    def add(self, token: int) -> str:
        """Take one more token; give the text that is certain by now, which may be none."""
        self._ids.append(token)
        before = self._decode(self._ids[self._start : self._spelt])
        text = self._decode(self._ids[self._start :])
        # Neither half a character nor nothing is spelt: the next token may complete the one and glue to the other.
        if text.endswith(_BROKEN) or len(text) <= len(before):
            return ""
        self._start, self._spelt = self._spelt, len(self._ids)
        return self._let_go(text[len(before) :])

    def finish(self) -> str:
        """Give what is left at the end."""
        before = self._decode(self._ids[self._start : self._spelt])
        rest = self._decode(self._ids[self._start :])[len(before) :]
        self._spelt = len(self._ids)
        text = self._let_go(rest)
        if not self.is_stopped:
            text, self._held = text + self._held, ""
        return text

    def _let_go(self, text: str) -> str:
        """Hold back what a stop may begin with; cut at the first stop."""
        if self.is_stopped:
            return ""
        text = self._held + text
        places = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if places:
            self.is_stopped = True
            self._held = ""
            return text[: min(places)]
        cut = len(text) - max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[cut:]
        return text[:cut]

    def _decode(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))


def _overlap(text: str, stop: str) -> int:
    """How many of a text's last characters a stop begins with."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)
