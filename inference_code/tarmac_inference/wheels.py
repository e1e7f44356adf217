"""Builds this folder's wheel with nothing but Python. Called by pip, as pyproject.toml beside it says.

AWS's scikit-learn container installs code/ by `pip install .` before it serves. Without this, pip would fetch
setuptools first, and the container of an isolated model has no network.

Source: PEP 517 (the hook), PEP 427 (wheels); sagemaker-containers 2.8.6, _modules.py.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

_NAME = "tarmac_handler-1.0.0"
_METADATA = "Metadata-Version: 2.1\nName: tarmac-handler\nVersion: 1.0.0\n"
_WHEEL = "Wheel-Version: 1.0\nGenerator: tarmac\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:  # noqa: ARG001
    """Write the wheel of the current folder's modules into *wheel_directory*, and give its name."""
    files = {"inference.py": Path("inference.py").read_text(encoding="utf-8")}
    for path in sorted(Path("tarmac_inference").glob("*.py")):
        files[path.as_posix()] = path.read_text(encoding="utf-8")
    files[f"{_NAME}.dist-info/METADATA"] = _METADATA
    files[f"{_NAME}.dist-info/WHEEL"] = _WHEEL
    # Without hashes, which are optional: pip checks none of what it has built itself.
    record = f"{_NAME}.dist-info/RECORD"
    files[record] = "".join(f"{name},,\n" for name in (*files, record))
    name = f"{_NAME}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory, name), "w", zipfile.ZIP_DEFLATED) as wheel:
        for member, text in files.items():
            wheel.writestr(member, text)
    return name
