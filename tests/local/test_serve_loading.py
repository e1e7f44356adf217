"""Models that cannot be loaded: the process ends, and its last line says why in words that help."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from examples import sentiment
from tests.local.serving import SERVE, start


@pytest.fixture(scope="module")
def good_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "good"
    sentiment.build(directory)
    return directory


def without_weights(directory: Path) -> None:
    (directory / "model.safetensors").unlink()


def truncated_weights(directory: Path) -> None:
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def config_that_is_no_json(directory: Path) -> None:
    (directory / "config.json").write_text("{'architectures': ")


def config_of_another_shape(directory: Path) -> None:
    raw = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(raw | {"hidden_size": 128}))


def unknown_architecture(directory: Path) -> None:
    raw = json.loads((directory / "config.json").read_text())
    names = {"model_type": "zeppelin", "architectures": ["ZeppelinForSequenceClassification"]}
    (directory / "config.json").write_text(json.dumps(raw | names))


def task_that_nobody_knows(directory: Path) -> None:
    raw = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(raw | {"architectures": ["ZeppelinForSteering"]}))


def without_tokenizer(directory: Path) -> None:
    for path in directory.glob("*token*"):
        path.unlink()
    (directory / "vocab.txt").unlink(missing_ok=True)


def code(source: str) -> Callable[[Path], None]:
    def write(directory: Path) -> None:
        (directory / "code").mkdir()
        (directory / "code" / "inference.py").write_text(source)

    return write


def corrupt_joblib(directory: Path) -> None:
    for path in list(directory.iterdir()):
        path.unlink()
    (directory / "model.joblib").write_bytes(b"\x80\x04 this is no pickle")


def failing_smoke(directory: Path) -> None:
    (directory / "code").mkdir()
    (directory / "code" / "smoke.json").write_text(
        '{"request": {"inputs": "great"}, "expect": {"answer": [{"label": "NEGATIVE"}]}}'
    )


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (without_weights, "model.safetensors"),
        (truncated_weights, "model.safetensors"),
        (config_that_is_no_json, "config.json cannot be read"),
        (config_of_another_shape, "config.json"),
        (unknown_architecture, "zeppelin"),
        (task_that_nobody_knows, "ZeppelinForSteering"),
        (without_tokenizer, "tokenizer"),
        (code("raise RuntimeError('the licence server is away')"), "the licence server is away"),
        (code("import a_module_that_nobody_has"), "a_module_that_nobody_has"),
        (code("def model_fn(model_dir): return bytearray(1 << 60)"), "not enough memory"),
        (code("import os\ndef model_fn(model_dir): os._exit(3)"), "status 3"),
        (corrupt_joblib, "model.joblib"),
        (failing_smoke, "smoke test failed"),
    ],
)
def test_the_last_line_says_why(good_dir: Path, tmp_path: Path, spoil: Callable[[Path], None], named: str) -> None:
    shutil.copytree(good_dir, tmp_path / "model")
    spoil(tmp_path / "model")

    ended = subprocess.run(
        [sys.executable, str(SERVE), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"], "SM_MODEL_DIR": str(tmp_path / "model"), "TARMAC_TRUST": "trusted"},
    )

    last = ended.stderr.splitlines()[-1]
    assert ended.returncode != 0
    assert last.startswith("model server: cannot start: ")
    assert named in last


def test_a_server_that_is_killed_while_it_loads_says_so(good_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(good_dir, tmp_path / "model")
    code("import os, signal\ndef model_fn(model_dir): os.kill(os.getpid(), signal.SIGKILL)")(tmp_path / "model")

    ended = subprocess.run(
        [sys.executable, str(SERVE), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"], "SM_MODEL_DIR": str(tmp_path / "model")},
    )

    assert ended.returncode == 1
    assert "killed (signal 9), as the kernel does when memory ends" in ended.stderr.splitlines()[-1]


def test_a_port_that_is_taken_is_named(good_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, str(SERVE), "--port", port],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={"PATH": os.environ["PATH"], "SM_MODEL_DIR": str(good_dir)},
        )

    last = ended.stderr.splitlines()[-1]
    assert (ended.returncode, last.lower()) == (
        1,
        f"model server: cannot start: 127.0.0.1:{port}: address already in use",
    )


def test_sigterm_ends_a_server_that_is_still_loading(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    code("import time\ndef model_fn(model_dir): time.sleep(60)")(tmp_path / "model")
    server = start(tmp_path / "model")
    deadline = time.monotonic() + 20
    while server.ping() != 503:
        assert time.monotonic() < deadline

    server.process.send_signal(signal.SIGTERM)

    assert server.process.wait(timeout=10) == 0
    server.client.close()
