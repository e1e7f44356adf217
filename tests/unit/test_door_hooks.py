"""What the door says of a hook's arguments is what a toolkit's call of it comes to."""

import ast
import inspect
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest

from chalicelib.door.hooks import call_problem, read_bindings


def signatures() -> Iterator[str]:
    """Every mixture of up to six parameters by position, some with defaults, and what may stand behind them."""
    behind = ["", "*rest", "*, key", "*, key=1", "*rest, key", "*rest, key=1"]
    for count, ending, kwarg in product(range(7), behind, ["", "**more"]):
        for defaults in range(count + 1):
            names = [f"p{at}" if at < count - defaults else f"p{at}=0" for at in range(count)]
            yield ", ".join([*names, *filter(None, (ending, kwarg))])


def huggingface_calls(hook: Callable[..., Any], wanted: int) -> None:
    """Call a hook with the context when it has one parameter more than it needs, and refuse any other number."""
    count = len(inspect.signature(hook).parameters)
    if count not in (wanted, wanted + 1):
        raise TypeError
    hook(*range(count))


def sklearn_calls(hook: Callable[..., Any], wanted: int) -> None:
    """Call a hook as it is."""
    hook(*range(wanted))


@pytest.mark.parametrize(("call", "passes_context"), [(huggingface_calls, True), (sklearn_calls, False)])
@pytest.mark.parametrize("wanted", [1, 2, 4])
def test_a_problem_is_found_exactly_where_the_call_fails(
    call: Callable[[Callable[..., Any], int], None], wanted: int, *, passes_context: bool
) -> None:
    for signature in signatures():
        source = f"hook = lambda {signature}: None"
        (assignment,) = ast.parse(source).body
        assert isinstance(assignment, ast.Assign)
        assert isinstance(assignment.value, ast.Lambda)
        scope: dict[str, Any] = {}
        exec(source, scope)

        found = call_problem(assignment.value, wanted, passes_context=passes_context)

        try:
            call(scope["hook"], wanted)
        except TypeError:
            assert found is not None, signature
        else:
            assert found is None, (signature, found)


@pytest.mark.parametrize(
    ("source", "certain"),
    [
        ("def f(): pass", {"f"}),
        ("if a:\n    def f(): pass", set()),
        ("with a:\n    def f(): pass", {"f"}),
        ("try:\n    pass\nfinally:\n    def f(): pass", {"f"}),
        ("if __name__ == '__main__':\n    f = 1\nelse:\n    g = 1", {"g"}),
        ("if __name__ != '__main__':\n    f = 1", set()),
        ("f = g = 1\n(h, [i, *j]) = x\nk: int = 1\nl: int", {"f", "g", "h", "i", "j", "k"}),
        ("import a.b\nimport c.d as e\nfrom x import y as z", {"a", "e", "z"}),
        ("f = 1\nf = None", set()),
        ("f = 1\ndel f", set()),
        ("class F:\n    def g(self): pass", {"F"}),
    ],
)
def test_what_is_bound_for_certain(source: str, certain: set[str]) -> None:
    assert read_bindings(ast.parse(source)).certain == certain


@pytest.mark.parametrize(
    "source", ["from x import *", "exec(x)", "globals()['f'] = 1", "setattr(m, 'f', 1)", "def __getattr__(name): ..."]
)
def test_a_module_that_may_bind_more_than_is_seen_says_so(source: str) -> None:
    assert read_bindings(ast.parse(source)).is_open
    assert not read_bindings(ast.parse("def f(): pass")).is_open


def test_names_that_take_each_other_s_place_do_not_double_for_ever() -> None:
    swap = "if a:\n    f = g\nif a:\n    g = f\n"

    bindings = read_bindings(ast.parse("f = lambda: 0\ng = lambda: 0\n" + swap * 500))

    assert sum(map(len, bindings.candidates.values())) < 100
    assert bindings.functions("f") == []
