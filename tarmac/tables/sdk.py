"""Asks the SageMaker SDK where its images lie, in an environment of its own under build/. Called by `images` and tests.

The SDK is large and wants older versions of what Tarmac uses, so only the parts that `image_uris` imports are installed
(18 MB), beside the packages that are here already. Its own code gives every answer, in a process of its own.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

VERSION = "2.27.0"
NAME = f"sagemaker-core {VERSION}"
_PACKAGES = (f"sagemaker-core=={VERSION}", "importlib-metadata==6.11.0", "platformdirs==4.14.5", "zipp==4.1.2")
FOLDER = Path(__file__).parents[2] / "build" / NAME.replace(" ", "-")
_INSTALLING_MAX_S = 600
_ASKING_MAX_S = 300
_PROGRAM = """
import functools, json, pathlib, sys
from sagemaker.core import image_uris

# It reads botocore's list of endpoints anew for every question, which takes most of the time.
image_uris.utils._botocore_resolver = functools.cache(image_uris.utils._botocore_resolver)

def regions(node):
    if isinstance(node, dict):
        yield from node.get("registries", ()) if isinstance(node.get("registries"), dict) else ()
        for value in node.values():
            yield from regions(value)

def answer(question):
    try:
        return image_uris.retrieve(**question)
    except ValueError as exc:
        return {"refused": str(exc)}

files = pathlib.Path(image_uris.__file__).parent.glob("image_uri_config/*.json")
known = sorted({region for file in files for region in regions(json.loads(file.read_text()))})
asked = json.load(sys.stdin)
versions = {name: image_uris.list_versions(name, "inference") for name in asked["frameworks"]}
answers = [answer(question) for question in asked["questions"]]
print("\\n" + json.dumps({"regions": known, "versions": versions, "answers": answers}))
"""


class SdkUnavailable(RuntimeError):
    """The SDK cannot be installed or asked; the message says why."""


def install(folder: Path = FOLDER) -> Path:
    """Install the SDK, or find what an earlier run installed; give the folder to import it from.

    Raises:
        SdkUnavailable: pip could not; the message is its last line.
    """
    done = folder / "complete"
    if done.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made aside and moved as a whole: two runs at once, or one that is broken off, leave no half of it.
    with tempfile.TemporaryDirectory(prefix="sdk-", dir=folder.parent) as aside:
        made = Path(aside) / "made"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
        command = [*pip, "--no-deps", "--only-binary", ":all:", "--target", str(made), *_PACKAGES]
        ran = _run(command, timeout_s=_INSTALLING_MAX_S)
        if ran.returncode != 0:
            raise SdkUnavailable(f"{NAME} cannot be installed: {_last_line(ran.stderr)}")
        (made / "complete").touch()
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)
    return folder


def ask(questions: Sequence[Mapping[str, str]], *, frameworks: Sequence[str] = ()) -> dict[str, Any]:
    """Ask the SDK.

    Args:
        questions: Each the arguments of its `image_uris.retrieve`.
        frameworks: Those whose versions are wanted.

    Returns:
        "regions": every region it knows; "versions": by framework; "answers": an image URI, or {"refused": why}, each.

    Raises:
        SdkUnavailable: It cannot be installed, or failed.
    """
    # No credentials, and nothing that could look for any: the questions are answered from the SDK's own files.
    surroundings = {"PATH": os.environ.get("PATH", ""), "HOME": str(FOLDER), "AWS_EC2_METADATA_DISABLED": "true"}
    surroundings |= {"AWS_REGION": "us-east-1", "PYTHONPATH": str(install()), "PYTHONWARNINGS": "ignore"}
    asked = json.dumps({"questions": list(questions), "frameworks": list(frameworks)})
    ran = _run([sys.executable, "-c", _PROGRAM], timeout_s=_ASKING_MAX_S, stdin=asked, environment=surroundings)
    if ran.returncode != 0:
        raise SdkUnavailable(f"{NAME} failed: {_last_line(ran.stderr)}")
    answers: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return answers


def _run(
    command: list[str], *, timeout_s: float, stdin: str | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, input=stdin, env=environment, timeout=timeout_s, capture_output=True, text=True, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise SdkUnavailable(f"{NAME} was not done after {timeout_s:g} s") from exc


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "no reason given")
