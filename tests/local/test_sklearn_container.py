"""The handler in AWS's scikit-learn container: old Pythons import it, pip installs it, it answers as serve.py."""

import ast
import base64
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chalicelib.bootstrap import read_handler
from examples.variants import VARIANTS
from tests.local.serving import served

OLDEST = (3, 8)
"""Of the image 1.0-1; 1.2-1 has 3.9, 1.4-2 and 1.9-0 have 3.12."""
PROGRAM = Path(__file__).with_name("sklearn_container.py")
NEEDED = """
import sys, inference
from tarmac_inference import pickles
print(*(name for name in sys.modules if name.startswith(("inference", "tarmac_inference"))))
assert not {"torch", "transformers", "uvicorn", "numpy"} & set(sys.modules)
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder model/code as the graft makes it."""
    for name, body in read_handler().items():
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return tmp_path / "model" / "code"


def imported(python: str, code: Path) -> list[str]:
    ran = subprocess.run([python, "-W", "error", "-c", NEEDED], cwd=code, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def test_what_it_imports_there_is_syntax_that_the_oldest_python_reads(code: Path) -> None:
    modules = imported(sys.executable, code)

    assert {"inference", "tarmac_inference.pickles", "tarmac_inference.rows"} <= set(modules)
    for name in (*modules, "tarmac_inference.wheels"):
        path = code / name.replace(".", "/")
        source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
        tree = ast.parse(source, feature_version=OLDEST)
        # Annotations are the one thing that is newer, and nothing evaluates them.
        assert "from __future__ import annotations" in source or len(tree.body) == 1


def test_the_older_pythons_that_are_here_import_it(code: Path) -> None:
    for python in ("python3.8", "python3.9", "python3.10"):
        found = shutil.which(python)
        # What pyenv keeps on the path without having the version chosen does not run.
        if found is not None and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            imported(found, code)


def test_pip_installs_it_without_a_network_or_setuptools(code: Path, tmp_path: Path) -> None:
    (code / "setup.py").write_text("raise SystemExit('this is the container\\'s own')")
    command = [sys.executable, "-m", "pip", "install", ".", "--no-index", "--target", str(tmp_path / "site"), "-q"]

    subprocess.run(command, cwd=code, check=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})

    assert "tarmac_inference.pickles" in imported(sys.executable, tmp_path / "site")


def npy(rows: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, rows)
    return buffer.getvalue()


JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
ROWS = [[0.9, 0.1], [0.1, 0.9]]
REQUESTS: dict[str, list[tuple[bytes, str, str]]] = {
    "numbers": [
        (json.dumps({"inputs": ROWS}).encode(), JSON, ""),
        (json.dumps({"instances": ROWS}).encode(), JSON, "*/*"),
        (json.dumps(ROWS).encode(), "application/json; charset=utf-8", ""),
        (json.dumps({"inputs": ROWS, "parameters": {"method": "predict_proba"}}).encode(), JSON, CSV),
        (b"0.9,0.1\n0.1,0.9\n", CSV, ""),
        (npy(np.array(ROWS)), NPY, NPY),
        (b'{"inputs": [[1]]}', JSON, ""),
        (b'{"inputs": [["a", "b"]]}', JSON, ""),
        (b"{", JSON, ""),
        (b"x", "image/png", ""),
        (b"x", "video/mp4", ""),
        (json.dumps(ROWS).encode(), JSON, "image/png"),
    ],
    "estimator": [
        (b'{"inputs": ["a great movie", "an awful movie"]}', JSON, ""),
        (b"a great movie", "text/plain", ""),
        (b"inputs\na great movie\n", CSV, ""),
        (b'a great movie\n"an awful, awful movie"\n', CSV, CSV),
    ],
}


@pytest.mark.parametrize("variant", REQUESTS)
def test_the_container_answers_as_serve_py_does(variant: str, code: Path) -> None:
    model_dir = code.parent
    VARIANTS[variant](model_dir)
    requests = [
        {"body": base64.b64encode(body).decode(), "Content-Type": content_type, "Accept": accept}
        for body, content_type, accept in REQUESTS[variant]
    ]

    ran = subprocess.run(
        [sys.executable, str(PROGRAM), str(model_dir)],
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "TARMAC_TRUST": "scan"},
    )
    with served(model_dir, TARMAC_TRUST="scan") as server:
        ours = [server.post(body, given, accept=wanted or "*/*") for body, given, wanted in REQUESTS[variant]]

    assert ran.returncode == 0, ran.stderr
    replies = json.loads(ran.stdout)
    for (status, content_type, body), response in zip(replies, ours, strict=True):
        assert (status, base64.b64decode(body)) == (response.status_code, response.content)
        assert content_type == response.headers["content-type"].split(";")[0]
    assert {status for status, _, _ in replies} <= {200, 400, 406, 415}


@pytest.mark.parametrize(("trust", "is_served"), [(None, False), ("strict", False), ("scan", True), ("trusted", True)])
def test_only_a_pickle_that_was_judged_is_loaded(code: Path, trust: str | None, is_served: bool) -> None:
    VARIANTS["numbers"](code.parent)
    program = "import sys, inference; inference.model_fn(sys.argv[1])"
    environment = {"PATH": os.environ["PATH"]} | ({"TARMAC_TRUST": trust} if trust else {})

    ran = subprocess.run(
        [sys.executable, "-c", program, str(code.parent)],
        cwd=code,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )

    assert (ran.returncode == 0) == is_served, ran.stderr
    assert is_served or "nobody has judged it" in ran.stderr
