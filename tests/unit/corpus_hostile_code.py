"""Handlers and requirements as people write them, right and wrong. For corpus_cases.

What a toolkit does with each was read in its source; see chalicelib/door/hooks.py and requirement_lines.py.
"""

from collections.abc import Mapping
from functools import partial

from tests.unit.corpus import ESTIMATOR, INFERENCE, Case, archive, bert_and, hostile, requiring

LOADS = "def model_fn(model_dir): return 1\n"
PREDICTS = "def predict_fn(data, model): return data\n"


def handler(source: str | bytes) -> bytes:
    """A model that the container loads by itself, with this handler."""
    return bert_and(**{"code/inference.py": source.encode() if isinstance(source, str) else source})


def estimator(source: str) -> bytes:
    """A model that only the handler loads."""
    return archive({"model.joblib": ESTIMATOR, "code/inference.py": source.encode()})


def required(raw: bytes, **more: bytes) -> bytes:
    return bert_and(**{"code/inference.py": INFERENCE, "code/requirements.txt": raw, **more})


def estimator_requiring(raw: bytes, more: Mapping[str, bytes]) -> bytes:
    return archive({"model.joblib": ESTIMATOR, "code/inference.py": INFERENCE, "code/requirements.txt": raw, **more})


HOOKS_THAT_DO = {
    "lambda": "model_fn = lambda model_dir: 1\npredict_fn = lambda data, model: data\n",
    "with context": "def model_fn(model_dir, context=None): return 1\n" + PREDICTS,
    "with *args": "def model_fn(*args): return 1\ndef predict_fn(*args, **kwargs): return 1\n",
    "with *args behind": "def model_fn(model_dir, *rest): return 1\n",
    "under if and else": f"import os\nif os.environ.get('X'):\n    {LOADS}else:\n    {LOADS}",
    "under if, one of them wrong": f"import os\nif os.name:\n    def model_fn(): return 1\nelse:\n    {LOADS}",
    "under if, the other wrong": f"import os\nif os.name:\n    {LOADS}else:\n    def model_fn(): return 1\n",
    "under try and except": f"try:\n    from fast import model_fn\nexcept ImportError:\n    {LOADS}",
    "under match": f"import os\nmatch os.name:\n    case 'nt': pass\n    case _:\n        {LOADS}",
    "in a loop": f"for name in 'a':\n    {LOADS}",
    "imported": "from handlers import model_fn, predict_fn\n",
    "by another name": f"def load(model_dir): return 1\nmodel_fn = load\n{PREDICTS}",
    "two at once": "import handlers\nmodel_fn, predict_fn = handlers.both\n",
    "both, one of them None": "predict_fn = None\n" + LOADS + "def transform_fn(m, d, c, a): return 1\n",
    "both, one of them deleted": LOADS + PREDICTS + "del predict_fn\ndef transform_fn(m, d, c, a): return 1\n",
    "written again": f"def model_fn(): return 1\n{LOADS}",
    "decorated": f"import functools\n@functools.cache\n{LOADS}",
    "made by exec": f"exec({LOADS!r})\n",
    "in a thousand branches": "if x: pass\n" + "elif x: pass\n" * 1_000 + f"else:\n    {LOADS}",
}
HOOKS_THAT_DO_NOT = {
    "lambda of too few": ("predict_fn = lambda data: 1\n", "code-hook-arguments"),
    "of too few": (f"def model_fn(): return 1\n{PREDICTS}", "code-hook-arguments"),
    "of too many": ("def predict_fn(data, model, context, more): return 1\n", "code-hook-arguments"),
    "by keyword alone": ("def model_fn(*, model_dir): return 1\n", "code-hook-arguments"),
    "with an option by keyword": ("def predict_fn(data, model, *, top_k=5): return 1\n", "code-hook-arguments"),
    "with **kwargs": ("def model_fn(model_dir, **kwargs): return 1\n", "code-hook-arguments"),
    "of *args alone where four are wanted": ("def transform_fn(*args): return 1\n", "code-hook-arguments"),
    "under if, both wrong": (
        "import os\nif os.name:\n    def model_fn(): return 1\nelse:\n    def model_fn(): return 2\n",
        "code-hook-arguments",
    ),
    "both": (LOADS + PREDICTS + "def transform_fn(m, d, c, a): return 1\n", "code-hooks-clash"),
    "async": ("async def predict_fn(data, model): return 1\n", "code-hook-async"),
    "that does not parse": ("def model_fn(d:\n", "code-syntax"),
    "with a NUL": ("x\0y", "code-syntax"),
    "with mixed tabs": ("def model_fn(d):\n\treturn 1\n        return 2\n", "code-syntax"),
    "in UTF-16": (LOADS.encode("utf-16"), "code-syntax"),
    "in latin-1": ("name = 'caf\xe9'\n".encode("latin-1"), "code-syntax"),
    "in more branches than Python compiles": (
        "if x: pass\n" + "elif x: pass\n" * 3_500 + f"else:\n    {LOADS}",
        "code-syntax",
    ),
    "in a coding that there is not": (b"# coding: klingon\n", "code-syntax"),
}
NO_HOOKS = {
    "in a class": "class Handler:\n    def model_fn(self, d): return 1\n    def predict_fn(self, d, m): return 1\n",
    "in a function": f"def main():\n    {LOADS}",
    "for the command line": f"if __name__ == '__main__':\n    {LOADS}",
    "with other names": "def load_model(d): return 1\ndef predict(d): return 1\n",
}
REQUIREMENTS_THAT_DO = {
    "with a mark and CRLF": b"\xef\xbb\xbftorch>=2.0\r\n\r\ntransformers>=4.0\r\n",
    "in UTF-16 with its mark": "torch>=2.0\r\n".encode("utf-16"),
    "with markers that are not for the container": (
        b'torch==1.0; python_version < "3.9"\nflask; sys_platform == "win32"\nx; os_name == "nt" and extra == "y"\n'
    ),
    "with an extra and a marker that holds": b'transformers[torch]>=4.0; python_version >= "3.9"\n# c\n\n',
    "over two lines": b"torch \\\n  >=2.0\n",
    "with odd spaces": b"torch >= 2.0 , < 3   # as tested\ntransformers (>=4)\n",
}


CASES: dict[str, Case] = {
    **{f"hooks {name}": hostile(partial(handler, source)) for name, source in HOOKS_THAT_DO.items()},
    **{f"hooks {name}": hostile(partial(handler, source), refused=(check_id,))
       for name, (source, check_id) in HOOKS_THAT_DO_NOT.items()},
    **{f"hooks {name}": hostile(partial(handler, source), warned=("code-without-hooks",))
       for name, source in NO_HOOKS.items()},
    "hooks behind a comment in latin-1, which Python takes": hostile(
        lambda: handler(f"# caf\xe9\n{LOADS}".encode("latin-1"))
    ),
    "hooks in latin-1 that says so": hostile(
        lambda: handler(f"# coding: latin-1\nname = 'caf\xe9'\n{LOADS}".encode("latin-1"))
    ),
    # Where nothing but the handler loads the model.
    **{f"hooks {name}, for an estimator": hostile(
           partial(estimator, source), refused=("code-without-model-fn",), warned=("weights-pickled",))
       for name, source in NO_HOOKS.items()},
    "hooks without model_fn, for an estimator": hostile(
        lambda: estimator(PREDICTS), refused=("code-without-model-fn",), warned=("weights-pickled",)
    ),
    "hooks without model_fn, alone": hostile(
        lambda: archive({"code/inference.py": PREDICTS.encode()}), refused=("code-without-model-fn",)
    ),
    "hooks without model_fn, for weights of torch": hostile(
        lambda: archive({"model.pth": b"\x80\x04N.", "code/inference.py": PREDICTS.encode()}),
        refused=("code-without-model-fn",), warned=("weights-pickled",),
    ),
    "hooks without model_fn, for a model that the container loads": hostile(lambda: handler(PREDICTS)),
    "hooks imported with a star, for an estimator": hostile(
        lambda: estimator("from handlers import *\n"), warned=("weights-pickled",)
    ),
    "hooks with options, for an estimator": hostile(
        lambda: estimator(LOADS + "def predict_fn(data, model, threshold=0.5, *, verbose=False): return 1\n"),
        warned=("weights-pickled",),
    ),
    "hooks that want the context, for an estimator": hostile(
        lambda: estimator("def model_fn(model_dir, context): return 1\n"),
        refused=("code-hook-arguments",), warned=("weights-pickled",),
    ),
    # code/requirements.txt.
    **{f"requirements {name}": hostile(partial(requiring, raw)) for name, raw in REQUIREMENTS_THAT_DO.items()},
    "requirements of an older torch in UTF-8 with a mark": hostile(
        lambda: requiring(b"\xef\xbb\xbftorch==1.0\r\n"), refused=("requirements-contradict",)
    ),
    "requirements of binary rubbish": hostile(
        lambda: requiring(bytes(range(256))), refused=("requirements-not-text",)
    ),
    "requirements with NULs": hostile(lambda: requiring(b"torch\0\n"), refused=("requirements-not-text",)),
    "requirements in UTF-16 without its mark": hostile(
        lambda: requiring("torch\n".encode("utf-16-le")), refused=("requirements-not-text",)
    ),
    "requirements in latin-1": hostile(
        lambda: requiring("torch  # caf\xe9\n".encode("latin-1")), refused=("requirements-not-text",)
    ),
    "requirements with hashes": hostile(
        lambda: requiring(b"flask==3.0.0 --hash=sha256:00 \\\n    --hash=sha256:11\n"), warned=("requirements-offline",)
    ),
    "requirements that contradict each other": hostile(
        lambda: requiring(b"flask==1.0.0\nflask==2.0.0\n"), refused=("requirements-clash",),
        warned=("requirements-offline",),
    ),
    "requirements that contradict each other and the container": hostile(
        lambda: requiring(b"transformers==3.0.0\ntransformers==4.0.0\n"),
        refused=("requirements-clash", "requirements-contradict"),
    ),
    "requirements twice, which agree": hostile(
        lambda: requiring(b"flask==2.0\nFlask>=1.0\nflask==2.0.*\n"), warned=("requirements-offline",)
    ),
    "requirements for two Pythons": hostile(
        lambda: requiring(b'flask==1.0; python_version < "3.9"\nflask==2.0; python_version >= "3.9"\n'),
        warned=("requirements-offline",),
    ),
    "requirements with a slip of the pen": hostile(
        lambda: requiring(b"torch=>2.0\n"), refused=("requirements-syntax",)
    ),
    "requirements that are Python": hostile(
        lambda: requiring(b"import torch\n"), refused=("requirements-syntax",)
    ),
    "requirements in another file": hostile(lambda: required(b"-r more.txt\n", **{"code/more.txt": b"torch\n"})),
    "requirements in another file that is not there": hostile(
        lambda: required(b"torch\n-r more.txt\n"), refused=("requirements-file-missing",)
    ),
    "requirements with constraints that are not there": hostile(
        lambda: required(b"torch\n--constraint=/opt/ml/model/code/limits.txt\n"),
        refused=("requirements-file-missing",),
    ),
    "requirements from git": hostile(
        lambda: required(b"git+https://example.com/x/y\n"), warned=("requirements-offline",)
    ),
    "requirements of the folder itself": hostile(lambda: required(b"-e .\n"), refused=("requirements-file-missing",)),
    "requirements of the folder itself, for an estimator": hostile(
        lambda: estimator_requiring(b"-e .\n", {"code/setup.py": b""}), warned=("weights-pickled",)
    ),
    "requirements with the path of a wheel": hostile(
        lambda: required(b"./wheels/a-1.0-py3-none-any.whl\n", **{"code/wheels/a-1.0-py3-none-any.whl": b""}),
        refused=("requirements-file-missing",),
    ),
    "requirements with the whole path of a wheel": hostile(
        lambda: required(
            b"/opt/ml/model/code/wheels/a-1.0-py3-none-any.whl\n", **{"code/wheels/a-1.0-py3-none-any.whl": b""}
        ),
    ),
    "requirements with the path of a wheel that is not there": hostile(
        lambda: estimator_requiring(b"./wheels/a-1.0-py3-none-any.whl\n", {}),
        refused=("requirements-file-missing",), warned=("weights-pickled",),
    ),
    "requirements with a path in the image": hostile(
        lambda: required(b"/opt/conda/pkgs/a-1.0-py3-none-any.whl\n"), warned=("requirements-offline",)
    ),
}  # fmt: skip
