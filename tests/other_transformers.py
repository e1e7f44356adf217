"""The model server's tests on another transformers: `python -m tests.other_transformers [VERSION] [ARGUMENT...]`.

The environment is made as one of a release is, of a code/requirements.txt, and kept under build/.
"""

import os
import re
import sys
from pathlib import Path

from tarmac.local.environments import Environments

DEFAULT = "4.51.3"
SUITES = ("test_serve.py", "test_serve_tasks.py", "test_serve_streams.py", "test_serve_hooks.py")
ROOT = Path(__file__).parents[1]


def main(arguments: list[str]) -> None:
    """Make the environment, and become pytest in it."""
    has_version = bool(arguments) and re.fullmatch(r"\d+(\.\d+)*", arguments[0]) is not None
    version, *others = arguments if has_version else [DEFAULT, *arguments]
    build = ROOT / "build" / "other-transformers"
    code = build / version / "code"
    code.mkdir(parents=True, exist_ok=True)
    # Before 5, TAPAS takes a row's cells by their places, which pandas 3 no longer does.
    wishes = [f"transformers=={version}", *(["pandas<3"] if version.startswith("4.") else [])]
    (code / "requirements.txt").write_text("\n".join(wishes) + "\n")
    python = Environments(build / "environments").python_for(code.parent, is_isolated=False, is_stopped=lambda: False)
    suites = [str(ROOT / "tests" / "local" / name) for name in SUITES]
    os.chdir(ROOT)
    # Its own TAPAS pipeline does what pandas 2 warns of.
    quiet = ["-W", "ignore:Series.__getitem__ treating keys:FutureWarning"]
    os.execv(python, [str(python), "-m", "pytest", *quiet, *suites, *others])


if __name__ == "__main__":
    main(sys.argv[1:])
