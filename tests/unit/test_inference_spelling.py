"""Tokens to text as they come."""

from collections.abc import Sequence

import pytest

from inference_code.tarmac_inference.spelling import Spelling


class Bytes:
    """A tokenizer whose tokens are the bytes of UTF-8: a character may take four of them."""

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        assert skip_special_tokens
        return bytes(ids).decode(errors="replace")


def spell(text: str, *stops: str, prompt: bytes = b"") -> tuple[list[str], Spelling]:
    spelling = Spelling(Bytes(), list(prompt), stops)
    pieces = []
    for token in text.encode():
        pieces.append(spelling.add(token))
        if spelling.is_stopped:
            return pieces, spelling
    return [*pieces, spelling.finish()], spelling


@pytest.mark.parametrize("text", ["plain", "grün", "a\N{GRINNING FACE}b", "\N{GRINNING FACE}" * 20, ""])
def test_the_pieces_make_the_whole(text: str) -> None:
    pieces, _ = spell(text, prompt="é".encode())

    assert "".join(pieces) == text


def test_half_a_character_is_never_given() -> None:
    pieces, _ = spell("a\N{GRINNING FACE}b")

    assert pieces == ["a", "", "", "", "\N{GRINNING FACE}", "b", ""]


def test_a_text_that_ends_within_a_character_says_so_at_the_end() -> None:
    spelling = Spelling(Bytes(), [], [])
    spelling.add("\N{GRINNING FACE}".encode()[0])

    assert spelling.finish() == "\N{REPLACEMENT CHARACTER}"


def test_what_may_begin_a_stop_is_held_back_and_given_when_it_does_not() -> None:
    pieces, spelling = spell("a STO b", "STOP")

    assert pieces == ["a", " ", "", "", "", "STO ", "b", ""]
    assert not spelling.is_stopped


def test_a_stop_ends_the_text_before_it() -> None:
    pieces, spelling = spell("one STOP two", "STOP", "two")

    assert "".join(pieces) == "one "
    assert spelling.is_stopped
    assert spelling.finish() == ""


def test_a_text_that_ends_within_a_stop_keeps_it() -> None:
    pieces, _ = spell("to be ST", "STOP")

    assert "".join(pieces) == "to be ST"
