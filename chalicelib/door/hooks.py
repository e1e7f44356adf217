"""Which names a handler binds at its top level, and whether the toolkits could call them. Called by `sources`; pure.

Source: sagemaker-huggingface-inference-toolkit 2.6.0, handler_service.py (validate_and_initialize_user_module,
function_extra_arg), and sagemaker-inference-toolkit, transformer.py (_run_handler_function): every parameter counts as
one, `*args` and those with defaults too, and one more than a hook needs is given the context. sagemaker-containers
2.8.6, _transformer.py, which the scikit-learn image runs, and sagemaker-inference 1.5.5, which XGBoost's does: plain
calls.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

ARGUMENTS = {"model_fn": 1, "input_fn": 2, "predict_fn": 2, "output_fn": 2, "transform_fn": 4}
"""How many arguments each hook takes, without the optional `context`."""
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_CANDIDATES_MAX = 16
_BINDING_UNSEEN = frozenset({"__getattr__", "exec", "globals", "locals", "setattr", "vars"})
"""What may bind a name without its being written anywhere."""


@dataclass
class Bindings:
    """What the names at a module's top level may stand for once it has been imported.

    Attributes:
        candidates: By name, each definition that may be the last; None for one that is not a function seen here.
        certain: The names that are bound whatever the module's conditions turn out to be.
        is_open: Names may be bound that are not seen here: by a star import, `exec`, `globals()`.
    """

    candidates: dict[str, list[Function | None]] = field(default_factory=dict)
    certain: set[str] = field(default_factory=set)
    is_open: bool = False

    @property
    def names(self) -> frozenset[str]:
        """Every name that may be bound."""
        return frozenset(self.candidates)

    def functions(self, name: str) -> list[Function]:
        """Every function that may stand behind a name; none where something may that is not seen here."""
        found = self.candidates.get(name, [])
        return [one for one in found if one is not None] if None not in found else []

    def bind(self, name: str, found: list[Function | None], *, is_certain: bool) -> None:
        """Bind a name, for certain or perhaps."""
        found = found if is_certain else [*self.candidates.get(name, []), *found]
        # Two names that take each other's place in turn would double what both may be.
        self.candidates[name] = found if len(found) <= _CANDIDATES_MAX else [None]
        if is_certain:
            self.certain.add(name)

    def unbind(self, name: str) -> None:
        """Forget a name."""
        self.candidates.pop(name, None)
        self.certain.discard(name)


def read_bindings(tree: ast.Module) -> Bindings:
    """Follow a module's statements in order, into every branch; what stands in classes and functions binds nothing."""
    bindings, waiting = Bindings(), [(node, True) for node in reversed(tree.body)]
    # A stack of its own: a chain of `elif` nests deeper than calls may.
    while waiting:
        node, is_certain = waiting.pop()
        if isinstance(node, ast.If | ast.Try | ast.TryStar | ast.With | ast.For | ast.While | ast.Match):
            inside = [(child, is_certain and is_run) for child, is_run in _children(node)]
            waiting += reversed(inside)
        else:
            _bind(node, bindings, is_certain=is_certain)
    names = (getattr(node, "id", getattr(node, "name", None)) for node in ast.walk(tree))
    bindings.is_open = bindings.is_open or any(name in _BINDING_UNSEEN for name in names if isinstance(name, str))
    return bindings


def _children(node: ast.stmt) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield the statements inside one, each with whether it is run for certain."""
    if isinstance(node, ast.If) and _is_main_guard(node.test):
        yield from ((child, True) for child in node.orelse)
        return
    for part in ("body", "handlers", "cases", "orelse", "finalbody"):
        is_run = part == "finalbody" or (part == "body" and isinstance(node, ast.With))
        for child in getattr(node, part, []):
            if isinstance(child, ast.ExceptHandler | ast.match_case):
                yield from ((inner, False) for inner in child.body)
            else:
                yield child, is_run


def _is_main_guard(test: ast.expr) -> bool:
    """Tell `__name__ == "__main__"`, which is never true of a module that is imported."""
    if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Eq):
        return False
    return any(isinstance(side, ast.Name) and side.id == "__name__" for side in (test.left, *test.comparators))


def _bind(node: ast.stmt, bindings: Bindings, *, is_certain: bool) -> None:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        # A decorator may change how many arguments it takes.
        bindings.bind(node.name, [None if node.decorator_list else node], is_certain=is_certain)
    elif isinstance(node, ast.ClassDef):
        bindings.bind(node.name, [None], is_certain=is_certain)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            bindings.is_open = bindings.is_open or alias.name == "*"
            bindings.bind((alias.asname or alias.name).partition(".")[0], [None], is_certain=is_certain)
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            is_one = isinstance(target, ast.Name)
            found: list[Function | None] = _value(node.value, bindings) if is_one else [None]
            for part in ast.walk(target):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    _assign(part.id, found, bindings, is_certain=is_certain)
    elif isinstance(node, ast.Delete) and is_certain:
        for gone in node.targets:
            bindings.unbind(gone.id if isinstance(gone, ast.Name) else "")


def _assign(name: str, found: list[Function | None], bindings: Bindings, *, is_certain: bool) -> None:
    if found:
        bindings.bind(name, found, is_certain=is_certain)
    elif is_certain:
        # To the toolkits, None is as good as no hook.
        bindings.unbind(name)


def _value(value: ast.expr, bindings: Bindings) -> list[Function | None]:
    """Tell what a value may be; nothing for None."""
    if isinstance(value, ast.Lambda):
        return [value]
    if isinstance(value, ast.Constant) and value.value is None:
        return []
    if isinstance(value, ast.Name) and value.id in bindings.candidates:
        return list(bindings.candidates[value.id])
    return [None]


def call_problem(function: Function, wanted: int, *, passes_context: bool) -> str | None:
    """Say why a toolkit's call of a hook fails; None when it does not.

    Args:
        function: The hook.
        wanted: How many arguments it is called with.
        passes_context: Whether the context is given to hooks that take one argument more.
    """
    arguments = function.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    extras = (arguments.vararg is not None) + (arguments.kwarg is not None)
    count = positional + len(arguments.kwonlyargs) + extras
    if passes_context and count not in (wanted, wanted + 1):
        return f"takes {count}; the toolkit calls it with {wanted}, or {wanted + 1} with context"
    given = count if passes_context else wanted
    unset = [one.arg for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if not default]
    if unset:
        return f"wants {unset[0]} by its name, and the toolkit calls it by position alone"
    if given > positional and arguments.vararg is None:
        why = "; a parameter behind `*` or `**` counts too, and gets the context" if passes_context else ""
        return f"takes {positional} by position; the toolkit calls it with {given}{why}"
    if given < required:
        return f"wants {required}; the toolkit calls it with {given}"
    return None
