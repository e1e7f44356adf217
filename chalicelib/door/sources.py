"""Reads `code/`: parsed, never run. Called by `inspection` once the archive has been read.

The rules on hooks are those of the serving toolkits, which find out only when the endpoint starts, or even later.
Source: sagemaker-huggingface-inference-toolkit 2.6.0, handler_service.py (validate_and_initialize_user_module,
function_extra_arg): every parameter counts as one, `*args` and those with defaults too.
"""

import ast
import posixpath
import re
import sys
import threading
import warnings

from chalicelib.door.contents import NOT_KEPT, Contents
from chalicelib.door.kinds import Findings, declarer, shown
from chalicelib.reports import Severity

_declare = declarer("Code")
SYNTAX = _declare(
    "code-syntax",
    Severity.ERROR,
    "A Python file under `code/` does not parse; the message gives the line.",
    "Try `python -m py_compile code/inference.py` before packing.",
)
NEWER_SYNTAX = _declare(
    "code-newer-syntax",
    Severity.WARNING,
    "A Python file does not parse here, perhaps because it is written for a newer Python than Tarmac itself runs on.",
    "See that the file parses with the container's Python, 3.12.",
)
HOOKS_CLASH = _declare(
    "code-hooks-clash",
    Severity.ERROR,
    "`transform_fn` stands beside `input_fn`, `predict_fn` or `output_fn`; the toolkit refuses that at start.",
    "Keep either `transform_fn` alone or the other three.",
)
HOOK_ARGUMENTS = _declare(
    "code-hook-arguments",
    Severity.ERROR,
    "A hook takes a number of arguments that the toolkit does not call it with.",
    "Use model_fn(model_dir), input_fn(data, content_type), predict_fn(data, model), output_fn(prediction, accept) or"
    " transform_fn(model, data, content_type, accept), each with `context` as an optional last argument.",
)
HOOK_ASYNC = _declare(
    "code-hook-async",
    Severity.ERROR,
    "A hook is `async def`: the toolkit calls it without awaiting, and gets a coroutine where it expects the answer.",
    "Write it as a plain `def`; `asyncio.run` inside it runs what is asynchronous.",
)
NO_HOOKS = _declare(
    "code-without-hooks",
    Severity.WARNING,
    "`code/inference.py` defines none of the functions that the toolkit calls.",
    "Define `model_fn`, `predict_fn` or another hook, or leave `code/` out.",
)
MISPLACED = _declare(
    "code-misplaced",
    Severity.WARNING,
    "A handler or `requirements.txt` lies where the container does not look for it, or is of a kind it does not run.",
    "Move it into `code/`; a handler is called `code/inference.py`.",
)
ENTRY = "code/inference.py"
ARGUMENTS = {"model_fn": 1, "input_fn": 2, "predict_fn": 2, "output_fn": 2, "transform_fn": 4}
"""How many arguments each hook takes, without the optional `context`."""
_OTHER_HOOKS = frozenset({"handler", "input_handler", "output_handler"})
"""What TensorFlow Serving's container calls. Source: sagemaker-tensorflow-serving-container, python_service.py."""

_NEWER = re.compile(r"\bf[\"']|^\s*type\s+\w|^\s*(async\s+)?(def|class)\s+\w+\s*\[", re.IGNORECASE)
_WORDS = re.compile(rb"\w+|[(\[{.]")
_WORDS_MAX = (
    16_000  # each may cost a kilobyte and a half of syntax tree; the longest real inference.py has a quarter of them
)
_warnings_lock = threading.Lock()


def check_sources(contents: Contents, findings: Findings) -> frozenset[str]:
    """Check everything under `code/`; give the names that `code/inference.py` defines at its top level."""
    defined: frozenset[str] = frozenset()
    for path, raw in contents.kept.items():
        if path.endswith(".py") and (tree := _parse(path, raw, findings)) is not None and path == ENTRY:
            defined = _check_hooks(tree, findings)
    for name in ("inference.py", "requirements.txt"):
        if name in contents.files and f"code/{name}" not in contents.files:
            findings.add(MISPLACED, f"{name} lies at the archive's root and will be ignored", path=name)
    if ENTRY not in contents.files:
        _check_strays(contents, findings)
    return defined


def _check_strays(contents: Contents, findings: Findings) -> None:
    """Name what its author may take for the handler, where there is none."""
    for path in sorted(contents.files):
        folder, name = posixpath.split(path)
        if folder.count("/") < 2 and folder and name.lower() in ("inference.py", "inference.ipynb"):
            findings.add(MISPLACED, f"{name} lies in {shown(folder)}/, and only {ENTRY} is run", path=path)
        elif path == "handler.py":
            message = "handler.py is for Hugging Face's Inference Endpoints; SageMaker does not run it"
            fix = "Write code/inference.py: model_fn(model_dir) makes the handler, predict_fn(data, model) calls it."
            findings.add(MISPLACED, message, path=path, fix=fix)


def _parse(path: str, raw: bytes, findings: Findings) -> ast.Module | None:
    if sum(1 for _ in _WORDS.finditer(raw)) > _WORDS_MAX:
        findings.add(NOT_KEPT, f"the file has more than {_WORDS_MAX:,} words; it was not parsed", path=path)
        return None
    try:
        # What the parser warns of (an odd escape, say) is no reason to refuse, even where warnings are errors.
        with _warnings_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(raw)
    except SyntaxError as exc:
        line = f"line {exc.lineno}: " if exc.lineno else ""
        if sys.version_info < (3, 12) and _NEWER.search(exc.text or ""):
            findings.add(NEWER_SYNTAX, f"the file does not parse with an older Python ({line}{exc.msg})", path=path)
        else:
            findings.add(SYNTAX, f"the file does not parse ({line}{exc.msg})", path=path)
    except (ValueError, RecursionError, MemoryError, LookupError) as exc:
        findings.add(SYNTAX, f"the file does not parse ({type(exc).__name__}: {exc})", path=path)
    return None


def _check_hooks(tree: ast.Module, findings: Findings) -> frozenset[str]:
    functions, defined = _top_level(tree)
    for name, wanted in ARGUMENTS.items():
        if name in functions and (count := _argument_count(functions[name])) not in (wanted, wanted + 1):
            line = functions[name].lineno
            message = (
                f"line {line}: {name} takes {count}; the toolkit calls it with {wanted}, or {wanted + 1} with context"
            )
            findings.add(HOOK_ARGUMENTS, message, path=ENTRY)
        if isinstance(functions.get(name), ast.AsyncFunctionDef):
            findings.add(
                HOOK_ASYNC, f"line {functions[name].lineno}: {name} is async, and nobody awaits it", path=ENTRY
            )
    others = sorted(defined & {"input_fn", "predict_fn", "output_fn"})
    if "transform_fn" in defined and others:
        findings.add(HOOKS_CLASH, f"transform_fn stands beside {', '.join(others)}", path=ENTRY)
    if not defined & (ARGUMENTS.keys() | _OTHER_HOOKS) and "*" not in defined:
        findings.add(NO_HOOKS, "the file defines none of the toolkit's hooks", path=ENTRY)
    return defined


def _top_level(tree: ast.Module) -> tuple[dict[str, ast.FunctionDef | ast.AsyncFunctionDef], frozenset[str]]:
    """Give the functions defined at the top level and every name bound there; "*" for a star import."""
    functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
    defined: set[str] = set()
    waiting: list[ast.stmt] = list(reversed(tree.body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # A decorator may change how many arguments it takes.
            functions.pop(node.name, None)
            if not node.decorator_list:
                functions[node.name] = node
            defined.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            defined |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {target.id for target in targets if isinstance(target, ast.Name)}
            defined |= names
            for name in names:
                functions.pop(name, None)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            for part in ("finalbody", "handlers", "orelse", "body"):
                for child in getattr(node, part, []):
                    waiting += child.body if isinstance(child, ast.ExceptHandler) else [child]
    return functions, frozenset(defined)


def _argument_count(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    listed = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
    return listed + (arguments.vararg is not None) + (arguments.kwarg is not None)
