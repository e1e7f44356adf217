"""The tree of errors: each leaf can be told from each other, by programs and by people."""

import inspect
import re
from collections.abc import Iterator

import pytest

from chalicelib import errors
from chalicelib.errors import AwsError, InvalidSetting, ModelRejected, NotReadyError, TarmacError


def _children(node: type[TarmacError]) -> list[type[TarmacError]]:
    # The command line's rooms have errors of their own, which are here when their tests run in the same process.
    return [child for child in node.__subclasses__() if child.__module__ == TarmacError.__module__]


def _tree(node: type[TarmacError], depth: int = 0) -> Iterator[tuple[int, type[TarmacError]]]:
    yield depth, node
    for child in _children(node):
        yield from _tree(child, depth + 1)


LEAVES = [node for _, node in _tree(TarmacError) if not _children(node)]


def test_the_tree_drawn_is_the_tree_there_is() -> None:
    """In the same order, at the same depth, with the same status where one is drawn."""
    lines = inspect.cleandoc(errors.__doc__ or "").splitlines()[1:]
    matches = [match for line in lines if (match := re.match(r"([│├└─ ]*)([A-Z]\w+)", line))]

    drawn = [(len(match[1]) // 4, match[2]) for match in matches]
    assert drawn == [(depth, node.__name__) for depth, node in _tree(TarmacError)]


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_the_status_drawn_is_the_status_there_is(leaf: type[TarmacError]) -> None:
    """Where the drawing tells one."""
    match = re.search(rf"─ {leaf.__name__} +(\d{{3}})\b", errors.__doc__ or "")

    assert match is None or int(match[1]) == leaf.status


def test_every_leaf_has_a_code_of_its_own() -> None:
    """`bad_request` is also that of its parent, which nobody raises."""
    codes = [leaf.code for leaf in LEAVES]

    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_every_leaf_has_a_status_and_says_what_it_is(leaf: type[TarmacError]) -> None:
    """4xx exactly for what the caller can mend, waits out, or asked of a model that does not start."""
    assert 400 <= leaf.status < 600
    assert leaf.__doc__


def test_waiting_is_told_by_who_knows_how_long() -> None:
    """Not-ready errors may be repeated as they are."""
    error = errors.ModelAsleep("asleep", retry_after_s=3)

    assert error.is_retryable
    assert (error.message, error.fix, error.retry_after_s) == ("asleep", None, 3)
    assert all(leaf.is_retryable for leaf in LEAVES if issubclass(leaf, NotReadyError))


def test_aws_errors_that_pass_are_retryable_and_the_others_are_not() -> None:
    """The queue decides by it."""
    retryable = {leaf.__name__ for leaf in LEAVES if issubclass(leaf, AwsError) and leaf.is_retryable}

    assert retryable == {"InProgress", "Changed", "Throttled", "Unavailable"}


def test_a_model_s_own_status_comes_through() -> None:
    """418 stays 418."""
    assert ModelRejected("no", status=418).status == 418


def test_a_bad_setting_names_its_variable() -> None:
    """In the message, the fix and the attribute."""
    error = InvalidSetting("TARMAC_X", "is not set")

    assert error.name == "TARMAC_X"
    assert error.message.startswith("TARMAC_X")
    assert "TARMAC_X" in (error.fix or "")
