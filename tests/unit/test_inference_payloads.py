"""Bodies in and out, by content type."""

import pytest

from inference_code.tarmac_inference.answers import encode
from inference_code.tarmac_inference.faults import CallerFault, ModelFault, NotAcceptable, UnsupportedMedia
from inference_code.tarmac_inference.payloads import decode


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b'{"inputs": 1, "parameters": {}}', None, {"inputs": 1, "parameters": {}}),
        (b"[1, 2]", "application/json", {"inputs": [1, 2]}),
        ('{"a": 1}', "application/vnd.tarmac+json", {"a": 1}),
        ("grün".encode("latin-1"), "text/plain; charset=latin-1", {"inputs": "grün"}),
        (b'inputs\r\n"a, b"\r\nc\r\n', "text/csv", {"inputs": ["a, b", "c"]}),
        (b"question,context\nwho?,me\n", "text/csv", {"inputs": [{"question": "who?", "context": "me"}]}),
        (b"inputs\n", "text/csv", {"inputs": []}),
        (b'{"inputs": "a"}\n"b"\n\n', "application/jsonlines", {"inputs": ["a", "b"]}),
        (b"\x00\x01", "image/png", {"inputs": b"\x00\x01"}),
        (bytearray(b"\x00"), "application/octet-stream", {"inputs": b"\x00"}),
    ],
)
def test_a_body_becomes_a_payload(body: bytes, content_type: str | None, expected: object) -> None:
    assert decode(body, content_type) == expected


@pytest.mark.parametrize(
    ("body", "content_type", "named"),
    [
        (b"{", "application/json", "body"),
        (b"\xff", "application/json", "body"),
        (b"NaN", "application/json", "NaN"),
        (b"-Infinity", "application/json", "-Infinity"),
        (b"{}", "application/json; charset=none", "Content-Type"),
        (b'"a"\n{', "application/jsonlines", "line 2"),
        (b'inputs\n"open', "text/csv", "body"),
        (b"a,b\n1,2\n", "text/csv", "column"),
    ],
)
def test_a_body_that_is_not_what_it_says_names_where(body: bytes, content_type: str, named: str) -> None:
    with pytest.raises(CallerFault, match=named):
        decode(body, content_type)


def test_an_unknown_content_type_is_415() -> None:
    with pytest.raises(UnsupportedMedia) as raised:
        decode(b"", "video/mp4")

    assert raised.value.status == 415


@pytest.mark.parametrize(
    ("answer", "accept", "expected"),
    [
        ([{"label": "ü", "score": 0.5}], None, ('[{"label":"ü","score":0.5}]'.encode(), "application/json")),
        ([{"a": 1}, {"a": 2}], "application/jsonlines", (b'{"a":1}\n{"a":2}\n', "application/jsonlines")),
        ([{"a": 1}, {"b": [2]}], "text/csv", (b"a,b\r\n1,\r\n,[2]\r\n", "text/csv")),
        ([[{"a": 1}], [{"a": 2}]], "text/csv", (b"a\r\n1\r\n2\r\n", "text/csv")),
        ([0.5, "x"], "text/csv", (b"answer\r\n0.5\r\nx\r\n", "text/csv")),
    ],
)
def test_an_answer_becomes_what_is_accepted(answer: object, accept: str | None, expected: tuple[bytes, str]) -> None:
    assert encode(answer, accept) == expected


def test_an_answer_that_is_not_finite_is_the_models_fault() -> None:
    with pytest.raises(ModelFault, match="not finite"):
        encode([float("nan")], None)


def test_an_answer_that_is_no_array_is_no_npy() -> None:
    with pytest.raises(NotAcceptable):
        encode([{"label": "a"}], "application/x-npy")
