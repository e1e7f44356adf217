"""code/requirements.txt: installed for the release that asks, once, and without network where there is none."""

import base64
import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tarmac.local.environments import Environments, InstallingStopped, RequirementsUnmet
from tests.local.sagemaker_rig import Rig, packed, running_rig
from tests.local.serving import SERVE

INFERENCE = """
import numpy
import pebble

def model_fn(model_dir):
    return pebble.SIZE

def predict_fn(data, model):
    return model
"""


def wheel(version: str, size: int) -> tuple[str, bytes]:
    """A wheel of one module."""
    info = f"pebble-{version}.dist-info"
    files = {
        "pebble.py": f"SIZE = {size}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: pebble\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(text)}\n"
        for name, text in files.items()
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(name, text)
    return f"pebble-{version}-py3-none-any.whl", buffer.getvalue()


def model(directory: Path, requirements: str, *, version: str | None = None, size: int = 1) -> Path:
    (directory / "code").mkdir(parents=True)
    (directory / "code" / "inference.py").write_text(INFERENCE)
    (directory / "code" / "requirements.txt").write_text(requirements)
    if version is not None:
        name, content = wheel(version, size)
        (directory / "code" / "wheels").mkdir()
        (directory / "code" / "wheels" / name).write_bytes(content)
    return directory


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_rig(tmp_path / "engine", serve_path=SERVE) as running:
        yield running


@pytest.fixture(autouse=True)
def engine_dir(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()


def start(rig: Rig, name: str, directory: Path) -> None:
    rig.create_config_of(name, packed(directory))
    rig.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)


def test_two_releases_have_each_the_version_they_ask_for(rig: Rig, tmp_path: Path) -> None:
    start(rig, "one", model(tmp_path / "one", "pebble==1.0\nnumpy\n", version="1.0", size=10))
    start(rig, "two", model(tmp_path / "two", "pebble>=2\n", version="2.0", size=20))
    for name in ("one", "two"):
        rig.await_status(name, "InService", within_s=60)

    sizes = [json.loads(rig.invoke(name, b"{}")) for name in ("one", "two")]

    assert sizes == [10, 20]
    assert "pebble" not in sys.modules


def test_what_no_wheel_is_there_for_fails_the_endpoint_and_names_the_fix(rig: Rig, tmp_path: Path) -> None:
    start(rig, "bare", model(tmp_path / "bare", "pebble==1.0\n"))

    rig.await_status("bare", "Failed", within_s=60)

    reason = rig.sagemaker.describe_endpoint(EndpointName="bare")["FailureReason"]
    assert reason.startswith("code/requirements.txt could not be installed")
    assert "pebble==1.0" in reason
    assert "-d code/wheels" in reason


def never() -> bool:
    return False


def test_the_same_wishes_are_installed_once(tmp_path: Path) -> None:
    environments = Environments(tmp_path / "environments")
    first = model(tmp_path / "first", "pebble\n", version="1.0")
    again = model(tmp_path / "again", "pebble\n", version="1.0")
    other = model(tmp_path / "other", "pebble\n", version="2.0")

    pythons = [environments.python_for(one, is_isolated=True, is_stopped=never) for one in (first, first, again, other)]

    assert pythons[0] == pythons[1] == pythons[2] != pythons[3]
    assert len(list((tmp_path / "environments").iterdir())) == 2


@pytest.mark.parametrize("requirements", ["", "# nothing\n\n"])
def test_whoever_asks_for_nothing_gets_this_python(tmp_path: Path, requirements: str) -> None:
    directory = model(tmp_path / "model", requirements)

    python = Environments(tmp_path / "none").python_for(directory, is_isolated=True, is_stopped=never)

    assert python == Path(sys.executable)


def test_what_is_here_already_needs_no_wheel(tmp_path: Path) -> None:
    directory = model(tmp_path / "model", "numpy>=1\nhttpx\n")

    python = Environments(tmp_path / "some").python_for(directory, is_isolated=True, is_stopped=never)

    assert python != Path(sys.executable)


def test_an_installation_that_fails_or_is_called_off_leaves_nothing(tmp_path: Path) -> None:
    environments = Environments(tmp_path / "environments")
    hopeless = model(tmp_path / "hopeless", "no-such-package-anywhere\n")

    with pytest.raises(RequirementsUnmet):
        environments.python_for(hopeless, is_isolated=True, is_stopped=never)
    with pytest.raises(InstallingStopped):
        environments.python_for(hopeless, is_isolated=True, is_stopped=lambda: True)

    assert list((tmp_path / "environments").iterdir()) == []
