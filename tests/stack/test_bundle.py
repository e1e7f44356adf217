"""The bundle as Lambda gets it: small, quick to import, and whole without anything of this machine's."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from benchmarks.bundle import BARE_HANDLER, FIRST_REQUEST, IMPORT_APP, cold_start, install_sagemaker, unpacked_bytes
from tarmac.stack.packaging import package

ZIP_BYTES_MAX = 5_000_000
MEMORY_AFTER_A_REQUEST_MAX_MB = 80


@pytest.fixture(scope="module")
def unzipped(packaged, tmp_path_factory) -> Path:
    into = tmp_path_factory.mktemp("bundle")
    with zipfile.ZipFile(packaged.package.bundle) as bundle:
        bundle.extractall(into)
    return into


def test_the_same_checkout_gives_the_same_bundle(packaged, tmp_path):
    again = package(tmp_path / "again")

    assert again.bundle.read_bytes() == packaged.package.bundle.read_bytes()


def test_packaging_needs_no_network(tmp_path):
    program = (
        "import socket, pathlib, sys\n"
        "def refuse(*_): raise SystemExit('packaging opened a connection')\n"
        "socket.socket.connect = refuse\n"
        "from tarmac.stack.packaging import package\n"
        "print(package(pathlib.Path(sys.argv[1])).bundle)\n"
    )
    # Whatever pip would be asked for in a child process, it has no index to ask.
    nowhere = {"PIP_NO_INDEX": "1", "PIP_INDEX_URL": "http://127.0.0.1:9", "PATH": "/usr/bin:/bin"}

    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], env=nowhere, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr


def test_the_zip_is_small(packaged, unzipped, record_property):
    size = packaged.package.bundle.stat().st_size
    record_property("zip_bytes", size)
    print(f"zip {size / 1e6:.2f} MB, unzipped {unpacked_bytes(packaged.package.bundle) / 1e6:.2f} MB")

    assert size < ZIP_BYTES_MAX


def test_nothing_of_the_laptop_is_in_the_bundle(unzipped):
    tops = {path.name.partition("-")[0].removesuffix(".py") for path in unzipped.iterdir()}

    libraries = {"chalice", "aws_lambda_powertools", "jmespath", "typing_extensions"}
    assert tops == {"app", "chalicelib", "inference_code", *libraries}
    assert not [path for path in unzipped.rglob("*") if path.suffix in {".so", ".pyc"}]


def test_the_app_imports_from_the_bundle_alone(unzipped):
    start = cold_start(unzipped, IMPORT_APP)

    print(f"import of app: {start.import_ms:.0f} ms, {start.memory_mb:.0f} MB")
    assert start.modules >= {"app", "chalicelib.settings", "chalice", "aws_lambda_powertools"}
    # Neither the laptop's rooms nor boto3: its clients are made when the first request needs them.
    assert not start.modules & {"tarmac", "moto", "torch", "sagemaker", "boto3", "botocore.session", "pydantic"}


def test_the_import_is_not_slower_than_a_bare_boto3_handler_s(unzipped):
    ours = min(cold_start(unzipped, IMPORT_APP).import_ms for _ in range(5))
    bare = min(cold_start(unzipped, BARE_HANDLER).import_ms for _ in range(5))

    print(f"import of app {ours:.0f} ms, of a bare boto3 handler {bare:.0f} ms: {ours / bare:.2f}x")
    assert ours < 1.3 * bare


def test_memory_stays_low_after_the_first_request(unzipped):
    start = cold_start(unzipped, FIRST_REQUEST)

    print(f"memory after the first request: {start.memory_mb:.0f} MB")
    assert start.memory_mb < MEMORY_AFTER_A_REQUEST_MAX_MB


def test_an_archive_is_grafted_from_the_bundle(unzipped, tmp_path):
    """Where no checkout is, and as Lambda would: the handler is there as data."""
    program = (
        "import sys, tarfile, io\n"
        f"sys.path.insert(0, {str(unzipped)!r})\n"
        "from chalicelib.bootstrap import read_handler\n"
        "from chalicelib.door.grafts import make_scion\n"
        "files = read_handler()\n"
        "scion = make_scion(files)\n"
        "print(len(files), len(scion.packed), 'code/inference.py' in files)\n"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True, env={}
    )

    count, packed_bytes, has_entry = ran.stdout.split()
    assert int(count) > 10
    assert int(packed_bytes) < 1 << 20
    assert has_entry == "True"


def test_where_the_sdk_cannot_be_installed_the_benchmark_says_so_in_one_line(tmp_path, monkeypatch):
    for name, value in {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
    }.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(RuntimeError, match="No matching distribution found for sagemaker"):
        install_sagemaker(tmp_path / "sdk")

    assert not (tmp_path / "sdk" / "complete").exists()


def test_the_sdk_is_installed_once(tmp_path):
    (tmp_path / "complete").touch()

    assert install_sagemaker(tmp_path) == str(tmp_path / "bin" / "python")
