"""Content-Type and Accept headers."""

import pytest

from inference_code.tarmac_inference.media import accepted, choose, parse_media_type

OFFERED = ("application/json", "application/jsonlines", "text/csv")


def test_parameters_are_parsed_and_names_are_lower_case() -> None:
    media = parse_media_type('Application/JSON; Charset="UTF-16"; odd')

    assert (media.name, media.charset) == ("application/json", "UTF-16")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/*", "text/csv"),
        ("text/html, */*;q=0.1", "application/json"),
        ("application/json;q=0.1, text/csv;q=0.2", "text/csv"),
        ("application/x-ndjson", "application/jsonlines"),
        ("text/csv;q=0", None),
        ("text/csv;q=much, image/png", None),
        ("application/json;q=0.5,,;", "application/json"),
    ],
)
def test_the_best_that_is_offered_is_chosen(header: str | None, expected: str | None) -> None:
    assert choose(header, OFFERED) == expected


def test_equal_weights_keep_the_callers_order() -> None:
    assert accepted("b/b, a/a, c/c;q=1.0") == ["b/b", "a/a", "c/c"]
