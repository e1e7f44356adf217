"""Reads `code/`: parsed, never run. Called by `inspection` once the archive has been read.

The rules on hooks are those of the serving toolkits, which find out only when the endpoint starts, or even later.
"""

import ast
import posixpath
import re
import sys
import threading
import warnings

from chalicelib.door.contents import NOT_KEPT, Contents
from chalicelib.door.hooks import ARGUMENTS, Bindings, call_problem, read_bindings
from chalicelib.door.kinds import Findings, declarer, shown
from chalicelib.door.layouts import Framework, is_torchscript
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
NO_MODEL_FN = _declare(
    "code-without-model-fn",
    Severity.ERROR,
    "`code/inference.py` has no `model_fn`, and the container cannot load such a model by itself.",
    "Define `model_fn(model_dir)` at the top level of the file: it loads the model and returns it.",
)
MISPLACED = _declare(
    "code-misplaced",
    Severity.WARNING,
    "A handler or `requirements.txt` lies where the container does not look for it, or is of a kind it does not run.",
    "Move it into `code/`; a handler is called `code/inference.py`.",
)
ENTRY = "code/inference.py"
_OTHER_HOOKS = frozenset({"handler", "input_handler", "output_handler"})
"""What TensorFlow Serving's container calls. Source: sagemaker-tensorflow-serving-container, python_service.py."""

_PLAIN_CALLERS = frozenset({"sklearn", "xgboost"})
"""Containers whose toolkits know no context."""
_LOADED_ALONE = frozenset(
    {
        Framework.TRANSFORMERS,
        Framework.SENTENCE_TRANSFORMERS,
        Framework.DIFFUSERS,
        Framework.ADAPTER,
        Framework.TENSORFLOW,
    }
)
"""What a container loads, or may, beside code that does not say how."""
_WITHOUT_CONTEXT = (
    "Use model_fn(model_dir), input_fn(data, content_type), predict_fn(data, model), output_fn(prediction, accept) or"
    " transform_fn(model, data, content_type, accept): this container's toolkit knows no context."
)
_AS_UTF8 = "Save the file as UTF-8; PowerShell's `>` writes UTF-16."
_NEWER = re.compile(r"\bf[\"']|^\s*type\s+\w|^\s*(async\s+)?(def|class)\s+\w+\s*\[", re.IGNORECASE)
_MARKS = re.compile(rb"\w+|[(\[{.*:+~-]|\"+|'+")
"""What a node of the syntax tree may stand for: words, and the marks that make nodes without any word."""
_MARKS_MAX = 15_000
"""Each may cost a kilobyte and a half of syntax tree; the longest real inference.py has a quarter of them."""
_warnings_lock = threading.Lock()


def check_sources(
    contents: Contents, findings: Findings, *, framework: Framework | None = None, container: str | None = None
) -> None:
    """Check everything under `code/`.

    Args:
        contents: The archive's.
        findings: Where what is wrong goes.
        framework: What made the archive; None when nothing that is known here.
        container: What deploy.toml names; None where it names none.
    """
    for path, raw in contents.kept.items():
        if path == ENTRY:
            _check_entry(raw, contents, findings, framework=framework, container=container)
        elif path.endswith(".py"):
            _parse(path, raw, findings)
    for name in ("inference.py", "requirements.txt"):
        if name in contents.files and f"code/{name}" not in contents.files:
            findings.add(MISPLACED, f"{name} lies at the archive's root and will be ignored", path=name)
    if ENTRY not in contents.files:
        _check_strays(contents, findings)


def _check_entry(
    raw: bytes, contents: Contents, findings: Findings, *, framework: Framework | None, container: str | None
) -> None:
    """Check the handler. Its tree, a hundred times as large as the file, is gone before the next file is parsed."""
    tree = _parse(ENTRY, raw, findings)
    if tree is None:
        return
    bindings = read_bindings(tree)
    caller = container or {Framework.SKLEARN: "sklearn", Framework.XGBOOST: "xgboost"}.get(framework or Framework.CODE)
    _check_hooks(bindings, findings, passes_context=caller not in _PLAIN_CALLERS)
    is_own_image = container is not None and "/" in container
    _check_loading(bindings, None if is_own_image else framework, contents, findings)


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
    if sum(1 for _ in _MARKS.finditer(raw)) > _MARKS_MAX:
        findings.add(NOT_KEPT, f"the file has more than {_MARKS_MAX:,} words and marks; it was not parsed", path=path)
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
            is_text = "\0" not in raw.decode("latin-1") and "codec can't decode" not in str(exc.msg)
            fix = None if is_text else _AS_UTF8
            findings.add(SYNTAX, f"the file does not parse ({line}{exc.msg})", path=path, fix=fix)
    except (ValueError, RecursionError, MemoryError, LookupError) as exc:
        findings.add(SYNTAX, f"the file does not parse ({type(exc).__name__}: {exc})", path=path)
    return None


def _check_hooks(bindings: Bindings, findings: Findings, *, passes_context: bool) -> None:
    for name, wanted in ARGUMENTS.items():
        functions = bindings.functions(name)
        # Of several that a condition chooses from, any may be the right one.
        problems = [call_problem(one, wanted, passes_context=passes_context) for one in functions]
        if problems and problems[-1] is not None and None not in problems:
            message = f"line {functions[-1].lineno}: {name} {problems[-1]}"
            findings.add(HOOK_ARGUMENTS, message, path=ENTRY, fix=None if passes_context else _WITHOUT_CONTEXT)
        if functions and all(isinstance(one, ast.AsyncFunctionDef) for one in functions):
            message = f"line {functions[-1].lineno}: {name} is async, and nobody awaits it"
            findings.add(HOOK_ASYNC, message, path=ENTRY)
    others = sorted(bindings.certain & {"input_fn", "predict_fn", "output_fn"})
    if "transform_fn" in bindings.certain and others:
        findings.add(HOOKS_CLASH, f"transform_fn stands beside {', '.join(others)}", path=ENTRY)


def _check_loading(bindings: Bindings, framework: Framework | None, contents: Contents, findings: Findings) -> None:
    """See that there is a hook at all, and one that loads the model where nothing else does; None: that is unknown."""
    names = bindings.names
    if bindings.is_open or "model_fn" in names or names & _OTHER_HOOKS:
        return
    # Of a trusted archive's pickles nothing is known.
    may_be_torchscript = framework is Framework.PYTORCH and (not contents.pickles or is_torchscript(contents))
    if framework is not None and framework not in _LOADED_ALONE and not may_be_torchscript:
        what = "such an archive" if framework is Framework.CODE else f"{framework}'s files"
        message = f"the file defines no model_fn, and without one no container loads {what}"
        findings.add(NO_MODEL_FN, message, path=ENTRY)
    elif not names & ARGUMENTS.keys():
        findings.add(NO_HOOKS, "the file defines none of the toolkit's hooks", path=ENTRY)
