"""Virtual environments for the peers, under build/peers, made once. Called by `benchmarks` and `tests.parity`.

Each sees the packages of this environment after its own, so that torch is on the disk once.
"""

import shutil
from pathlib import Path

from tarmac.local.environments import Environments

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "build" / "peers"

TOOLKIT = "sagemaker-huggingface-inference-toolkit==2.6.0"
TOOLKIT_TRANSFORMERS = "4.57.6"
"""The newest of those that the toolkit imports on: from 5 on it misses names of transformers."""
_WISHES = {
    "toolkit": (
        TOOLKIT,
        "multi-model-server==1.1.11",
        f"transformers=={TOOLKIT_TRANSFORMERS}",
        "pandas<3",  # transformers 4's TAPAS takes a row's cells by their places
        "setuptools<81",  # sagemaker-inference imports pkg_resources, which later ones do not have
    ),
    "litserve": ("litserve==0.2.19",),
}


def python_of(name: str) -> Path:
    """Give the Python of a peer's environment, made by the first call. Raises RequirementsUnmet, with pip's reason."""
    code = PLACE / name / "code"
    code.mkdir(parents=True, exist_ok=True)
    (code / "requirements.txt").write_text("\n".join(_WISHES[name]) + "\n", encoding="utf-8")
    return Environments(PLACE / "environments").python_for(code.parent, is_isolated=False, is_stopped=lambda: False)


def packages_of(python: Path) -> Path:
    """Give the folder of an environment's own packages."""
    return next((python.parents[1] / "lib").glob("python3*/site-packages"))


def java() -> str | None:
    """Find Java, which the multi-model-server is written in; None where this machine has none."""
    return shutil.which("java")


def names() -> tuple[str, ...]:
    """List the environments there can be."""
    return tuple(_WISHES)
