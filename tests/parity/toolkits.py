"""The toolkit's answers in the tests: its environment, archives for it, its own handler in-process.

The archives are built by the transformers that the toolkit has: what 5 saves 4 cannot read, while 5 reads what 4 saves.
"""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.environments import python_of
from tests.parity.cases import Case

ROOT = Path(__file__).parents[2]
_BUILD = """
import sys
from pathlib import Path
from examples.variants import VARIANTS
for name in sys.argv[2:]:
    VARIANTS[name](Path(sys.argv[1]) / name)
"""


@dataclass(frozen=True)
class Reply:
    """One answer: of the handler, of MMS, or of our server. A status of 0 stands for an archive that does not load."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def build_archives(root: Path, variants: Iterable[str]) -> None:
    """Build each variant into ROOT/plain/NAME, and with our code/inference.py into ROOT/ours/NAME."""
    names = sorted(set(variants))
    command = [str(python_of("toolkit")), "-c", _BUILD, str(root / "plain"), *names]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=_surroundings(ROOT))
    for name in names:
        shutil.copytree(root / "plain" / name, root / "ours" / name)
        code = root / "ours" / name / "code"
        shutil.copytree(ROOT / "inference_code", code, ignore=shutil.ignore_patterns("__pycache__"))


def handled(kind: Path, cases: Sequence[Case]) -> dict[Case, Reply]:
    """Have the toolkit's own handler answer, each archive of *kind* (plain or ours) in a process of its own."""
    archives = list(dict.fromkeys(case.archive for case in cases))
    asked = [
        {
            "model_dir": str(kind / variant),
            "environment": {"HF_TASK": task} if task else {},
            "requests": [
                {"body": base64.b64encode(case.body).decode(), "content_type": case.content_type, "accept": ""}
                for case in cases
                if case.archive == (variant, task)
            ],
        }
        for variant, task in archives
    ]
    ran = subprocess.run(
        [str(python_of("toolkit")), "-m", "tests.parity.toolkit_program"],
        input=json.dumps(asked).encode(),
        cwd=ROOT,
        check=False,
        capture_output=True,
        env=_surroundings(ROOT),
    )
    assert ran.returncode == 0, ran.stderr.decode()[-3000:]
    replies: dict[Case, Reply] = {}
    for (variant, task), result in zip(archives, json.loads(ran.stdout.splitlines()[-1]), strict=True):
        mine = [case for case in cases if case.archive == (variant, task)]
        if "failure" in result:
            replies.update(dict.fromkeys(mine, Reply(0, result["failure"].encode())))
            continue
        for case, answer in zip(mine, result["answers"], strict=True):
            replies[case] = Reply(answer["status"], base64.b64decode(answer["body"]))
    return replies


def _surroundings(root: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(root),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": "1",
    }


def assert_same(actual: Any, expected: Any, where: str = "answer") -> None:
    """Equal in keys, their order and the order of lists; numbers to 1e-4."""
    if isinstance(expected, dict):
        assert isinstance(actual, dict), where
        assert list(actual) == list(expected), where
        for key, value in expected.items():
            assert_same(actual[key], value, f"{where}.{key}")
    elif isinstance(expected, list):
        assert isinstance(actual, list), where
        assert len(actual) == len(expected), where
        for index, (one, other) in enumerate(zip(actual, expected, strict=True)):
            assert_same(one, other, f"{where}[{index}]")
    elif isinstance(expected, float) and isinstance(actual, int | float):
        assert abs(actual - expected) <= 1e-4, f"{where}: {actual} is not {expected}"
    else:
        assert actual == expected, where
