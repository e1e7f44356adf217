"""code/smoke.json: what it may say, and how an answer is compared with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from inference_code.tarmac_inference.faults import LoadError
from inference_code.tarmac_inference.smoke import difference, read_smokes


def write(directory: Path, content: Any) -> Path:
    (directory / "code").mkdir()
    (directory / "code" / "smoke.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return directory


def test_without_a_file_there_is_nothing_to_ask(tmp_path: Path) -> None:
    assert read_smokes(tmp_path) == ()


def test_a_request_is_sent_as_json_and_a_file_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, [{"request": {"inputs": "a"}}, {"request_file": "cat.png", "content_type": "image/png"}])
    (tmp_path / "code" / "cat.png").write_bytes(b"\x89PNG")

    spoken, shown = read_smokes(tmp_path)

    assert (spoken.body, spoken.content_type, spoken.status) == (b'{"inputs":"a"}', "application/json", 200)
    assert (shown.body, shown.content_type, shown.place) == (b"\x89PNG", "image/png", "code/smoke.json[1]")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "cannot be read"),
        ([3], "code/smoke.json[0] must be an object"),
        ({"request": 1, "expected": {}}, "'expected'"),
        ({"request": 1, "expect": {"anser": 1}}, "'anser'"),
        ({"request": 1, "expect": {"status": "ok"}}, "expect.status"),
        ({"request": 1, "expect": {"within_s": -1}}, "expect.within_s"),
        ({"expect": {}}, "request_file"),
        ({"request": 1, "request_file": "x"}, "request_file"),
        ({"request_file": "../../etc/passwd"}, "under code/"),
        ({"request_file": "absent.png"}, "cannot be read"),
        ({"request": 1, "content_type": 3}, "content_type"),
    ],
)
def test_what_makes_no_sense_is_named(tmp_path: Path, content: Any, named: str) -> None:
    with pytest.raises(LoadError) as caught:
        read_smokes(write(tmp_path, content))

    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ([{"label": "A", "score": 0.9}], [{"label": "A"}]),
        ({"score": 0.501}, {"score": 0.5}),
        ([], []),
        (True, True),
        ("text", "text"),
        (None, None),
    ],
)
def test_an_answer_that_holds_what_is_expected_passes(actual: Any, expected: Any) -> None:
    assert difference(actual, expected, tolerance=0.01, place="answer") is None


@pytest.mark.parametrize(
    ("actual", "expected", "told"),
    [
        ([{"label": "B"}], [{"label": "A"}], 'answer[0].label is "B", not "A"'),
        ([1, 2], [1], "answer has 2 items, not 1"),
        ({"a": 1}, {"b": 1}, "answer has no 'b'"),
        ({"score": 0.6}, {"score": 0.5}, "answer.score is 0.6, not 0.5"),
        (True, 1, "answer is true, not 1"),
        ([1], {"a": 1}, 'answer is [1], not {"a":1}'),
    ],
)
def test_the_first_difference_is_told_with_its_place(actual: Any, expected: Any, told: str) -> None:
    assert difference(actual, expected, tolerance=0.01, place="answer") == told
