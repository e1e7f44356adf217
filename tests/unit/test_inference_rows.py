"""Rows for estimators: every form in which callers send them, and what is wrong with the others."""

import math
from typing import Any

import pytest

from inference_code.tarmac_inference.faults import CallerFault, UnsupportedMedia
from inference_code.tarmac_inference.payloads import decode
from inference_code.tarmac_inference.pickles import Estimator


class Echo:
    """An estimator that predicts what it is given."""

    def __init__(self, width: int | None = None, names: list[str] | None = None) -> None:
        if width is not None:
            self.n_features_in_ = width
        if names is not None:
            self.n_features_in_, self.feature_names_in_ = len(names), names

    def predict(self, rows: Any) -> Any:
        return rows if hasattr(rows, "tolist") else Listed(rows)

    def transform(self, rows: Any) -> Any:
        raise AssertionError("predict comes first")


class Listed:
    def __init__(self, rows: Any) -> None:
        self._rows = rows.to_numpy().tolist() if hasattr(rows, "to_numpy") else rows

    def tolist(self) -> Any:
        return self._rows


def answers(payload: Any, *, width: int | None = None, names: list[str] | None = None) -> Any:
    return Estimator(Echo(width, names)).run(payload)


def csv(text: str, *, width: int | None = None, names: list[str] | None = None) -> Any:
    return answers(decode(text.encode(), "text/csv", takes_sheets=True), width=width, names=names)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ([1, 2], [1.0, 2.0]),
        ([[1, 2], [3, 4.5]], [[1.0, 2.0], [3.0, 4.5]]),
        ([], []),
        (["red", 2], ["red", 2]),
        ([["red", 2], [True, 3]], [["red", 2], [True, 3]]),
        ([[1, 2], ["red", 2]], [[1, 2], ["red", 2]]),
    ],
)
def test_a_row_gives_an_answer_and_rows_a_list_of_them(inputs: Any, expected: Any) -> None:
    assert answers({"inputs": inputs}, width=2) == expected
    assert answers({"instances": inputs}, width=2) == expected


def test_null_is_a_gap_which_is_nan() -> None:
    (row,) = answers({"inputs": [[None, 1]]}, width=2)

    assert math.isnan(row[0])


def test_named_values_come_in_the_model_s_order() -> None:
    expected = [[1, "red"], [2, "blue"]]
    records = [{"colour": "red", "age": 1}, {"age": 2, "colour": "blue", "id": 7}]

    assert answers({"inputs": records}, names=["age", "colour"]) == expected
    assert answers({"inputs": records[0]}, names=["age", "colour"]) == expected[0]
    columns = {"data": {"colour": ["red", "blue"], "age": [1, 2]}}
    assert answers({"inputs": columns}, names=["age", "colour"]) == expected


def test_a_model_that_has_counted_no_columns_reads_texts_numbers_or_named_values() -> None:
    assert answers({"inputs": ["a", "b"]}) == ["a", "b"]
    assert answers({"inputs": "a"}) == "a"
    assert answers({"inputs": [1, 2]}) == [1.0, 2.0]
    assert answers({"inputs": [{"a": 1}, {"b": "x"}]}) == [{"a": 1}, {"b": "x"}]


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("1,2\n3,4\n", None, [[1.0, 2.0], [3.0, 4.0]]),
        ("length,width\n1,2\n", None, [[1.0, 2.0]]),
        ("1,red\n2,blue\n", None, [[1.0, "red"], [2.0, "blue"]]),
        ("colour,id,age\nred,9,1\nblue,8,2\n", ["age", "colour"], [[1.0, "red"], [2.0, "blue"]]),
        ("1,red\n2,blue\n", ["age", "colour"], [[1.0, "red"], [2.0, "blue"]]),
        ("01,1\n1e3,-.5\n", None, [[1.0, 1.0], [1000.0, -0.5]]),
        ("x1,1\n01,2\n", None, [["x1", 1.0], ["01", 2.0]]),
    ],
)
def test_csv_has_a_header_or_none(text: str, names: list[str] | None, expected: Any) -> None:
    assert csv(text, width=2, names=names) == expected


def test_csv_for_a_model_of_texts_is_a_text_a_line() -> None:
    assert csv('good\n"bad, too"\n') == ["good", "bad, too"]
    assert csv("inputs\ngood\n") == ["good"]
    with pytest.raises(CallerFault, match="one a line"):
        csv("a,b\n")


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "inputs"),
        ({"inputs": [[1]]}, r"inputs\[0\]"),
        ({"inputs": [[1, [2]]]}, r"inputs\[0\]\[1\]"),
        ({"inputs": [[1, 1e301]]}, r"inputs\[0\]\[1\]"),
        ({"inputs": "red"}, "inputs"),
        ({"inputs": 3}, "inputs"),
        ({"inputs": {"age": 1}}, "inputs"),
        ({"inputs": {"data": {"age": 1}}}, r"inputs\.data\.age"),
        ({"inputs": {"data": {"age": [1], "b": []}}}, r"inputs\.data"),
        ({"inputs": [[1, 2]], "parameters": {"method": "fit"}}, r"parameters\.method"),
        ({"inputs": [[1, 2]], "parameters": {"method": "predict_proba"}}, r"parameters\.method"),
    ],
)
def test_what_makes_no_sense_names_its_field(payload: Any, field: str) -> None:
    with pytest.raises(CallerFault, match=field) as told:
        answers(payload, width=2)
    assert told.value.status == 400


def test_a_missing_column_is_named() -> None:
    with pytest.raises(CallerFault, match="colour is missing"):
        answers({"inputs": [{"age": 1}]}, names=["age", "colour"])


def test_an_image_is_no_row() -> None:
    with pytest.raises(UnsupportedMedia):
        answers({"inputs": b"\x89PNG"}, width=2)


def test_rows_of_different_kinds_are_no_batch() -> None:
    with pytest.raises(CallerFault, match="all be texts"):
        answers({"inputs": ["a", [1]]})
