"""Measures the bundle: size, cold import of each function, memory; beside a bare boto3 handler and `import sagemaker`.

    python -m benchmarks.bundle [--sagemaker PYTHON | --install-sagemaker]

Each figure is the best of several fresh processes that see only the bundle and, as in Lambda, boto3 beside it.
PYTHON is an interpreter with the SageMaker SDK in it. --install-sagemaker, as `make bench` says, makes one in a virtual
environment under build/, once: it is large (hundreds of MB), and nothing else of Tarmac needs it.
"""

import argparse
import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv as builder
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, present
from tarmac.stack.packaging import package

TAKES = 7
IMPORT_MAX, ZIP_MAX_MB, MEMORY_MAX_MB = 1.3, 5, 80
SAGEMAKER = "sagemaker==2.257.7"
"""The newest of those whose `import sagemaker` imports the SDK; from 3 on it is a namespace that imports nothing."""
SAGEMAKER_VENV = Path(__file__).parents[1] / "build" / SAGEMAKER.replace("==", "-")
INSTALLING_MAX_S = 900
IMPORT_APP = "import app\n"
BARE_HANDLER = """
import boto3
import json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps({"ok": True})}
"""
BARE_HANDLER_WITH_CLIENT = BARE_HANDLER + "boto3.client('sagemaker-runtime', region_name='us-east-1')\n"
IMPORT_SAGEMAKER = "import sagemaker\n"
_REQUEST = """
event = {
    "resource": "/models", "path": "/models", "httpMethod": "GET",
    "headers": {"Accept": "*/*", "Authorization": "Bearer x"},
    "multiValueHeaders": {"Accept": ["*/*"], "Authorization": ["Bearer x"]}, "queryStringParameters": None,
    "multiValueQueryStringParameters": None, "pathParameters": None, "stageVariables": None,
    "requestContext": {"requestId": "r", "resourcePath": "/models", "httpMethod": "GET", "identity": {}},
    "body": None, "isBase64Encoded": False,
}
answer = app.app(event, None)
assert answer["statusCode"] == 503, answer  # no AWS is there: what counts is that the clients were made and used
"""
FIRST_REQUEST = IMPORT_APP + _REQUEST
FUNCTIONS = {
    "api": IMPORT_APP,
    "look": IMPORT_APP,
    "sweep": IMPORT_APP,
    "api, application built": IMPORT_APP + "app.application()\n",
    "api, first request (AWS unreachable)": FIRST_REQUEST,
}
"""All three functions import the same module; what differs is what they make at their first event."""

_MEASURE = """
import sys, time
sys.path[:0] = {paths!r}
before = time.perf_counter()
exec({program!r}, globals())
took_s = time.perf_counter() - before
import json, re
# Not ru_maxrss: that remembers the process that forked this one, too.
peak_kb = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
print("\\n" + json.dumps([took_s * 1000, peak_kb / 1024, sorted(sys.modules)]))
"""
_ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "y",
    "AWS_EC2_METADATA_DISABLED": "true",
    # Nobody listens on port 9: a call is made, refused at once, and reaches nothing outside.
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_MAX_ATTEMPTS": "1",
    "TARMAC_BUCKET": "b",
    "TARMAC_QUEUE_URL": "http://127.0.0.1:9/1/q",
    "TARMAC_ROLE_ARN": "arn:aws:iam::123456789012:role/r",
    "TARMAC_TOKEN_SHA256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",  # of "x"
}


@dataclass(frozen=True)
class ColdStart:
    """One fresh process."""

    import_ms: float
    memory_mb: float
    modules: frozenset[str]


def cold_start(bundle: Path, program: str, *, python: str = sys.executable) -> ColdStart:
    """Run a program in a process that sees the standard library, the bundle, and boto3 as Lambda's runtime has it."""
    with tempfile.TemporaryDirectory(prefix="tarmac-boto3-") as beside:
        for name in ("boto3", "botocore", "s3transfer", "dateutil", "urllib3", "six.py"):
            (Path(beside) / name).symlink_to(Path(sysconfig.get_path("purelib")) / name)
        return _run(_MEASURE.format(paths=[str(bundle), beside], program=program), ["-I", "-S"], python)


def _run(program: str, flags: Sequence[str], python: str) -> ColdStart:
    ran = subprocess.run([python, *flags, "-c", program], env=_ENVIRONMENT, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise RuntimeError(ran.stderr.strip())
    took_ms, memory_mb, modules = json.loads(ran.stdout.strip().splitlines()[-1])
    return ColdStart(took_ms, memory_mb, frozenset(modules))


def unpacked_bytes(bundle: Path) -> int:
    """What the zip becomes on Lambda's disk."""
    with zipfile.ZipFile(bundle) as opened:
        return sum(info.file_size for info in opened.infolist())


def best(starts: Sequence[ColdStart]) -> ColdStart:
    """The quickest: what is slower was this machine's doing."""
    return min(starts, key=lambda start: start.import_ms)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sagemaker", metavar="PYTHON", help="an interpreter that has the SageMaker SDK")
    parser.add_argument("--install-sagemaker", action="store_true", help="make such an interpreter under build/")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tarmac-bench-") as scratch:
        made = package(Path(scratch) / "out")
        unzipped = Path(scratch) / "bundle"
        with zipfile.ZipFile(made.bundle) as bundle:
            bundle.extractall(unzipped)
        zip_mb, plain_mb = made.bundle.stat().st_size / 1e6, unpacked_bytes(made.bundle) / 1e6
        print(f"bundle: {zip_mb:.2f} MB zipped, {plain_mb:.2f} MB unzipped")
        _print_row("python alone", best([cold_start(unzipped, "pass") for _ in range(TAKES)]))
        bare = best([cold_start(unzipped, BARE_HANDLER) for _ in range(TAKES)])
        _print_row("bare boto3 handler", bare)
        with_client = best([cold_start(unzipped, BARE_HANDLER_WITH_CLIENT) for _ in range(TAKES)])
        _print_row("bare boto3 handler with one client", with_client)
        starts = {}
        for name, program in FUNCTIONS.items():
            start = starts[name] = best([cold_start(unzipped, program) for _ in range(TAKES)])
            _print_row(name, start, f"{start.import_ms / bare.import_ms:.2f}x the bare handler")
        print(f"{'import sagemaker':<36}{_sagemaker(chosen.sagemaker, is_to_install=chosen.install_sagemaker)}")
    present("bundle", "The Lambda bundle", figures_of(zip_mb, starts, bare))


def figures_of(zip_mb: float, starts: Mapping[str, ColdStart], bare: ColdStart) -> list[Figure]:
    """Compare imports with the bare handler's, size and memory with what is promised."""
    imports = [
        Figure(
            case=f"import, {name}", ours=start.import_ms, peer=bare.import_ms, peer_name="bare boto3 handler",
            unit="ms", at_most=None if "," in name else IMPORT_MAX,
        )
        for name, start in starts.items()
    ]  # fmt: skip
    first = list(starts.values())[-1]
    sizes = {"zipped": (zip_mb, ZIP_MAX_MB), "memory after the first request": (first.memory_mb, MEMORY_MAX_MB)}
    return imports + [
        Figure(case=case, ours=ours, peer=most, peer_name="the promise", unit="MB", at_most=1)
        for case, (ours, most) in sizes.items()
    ]


def install_sagemaker(venv: Path = SAGEMAKER_VENV) -> str:
    """Make a virtual environment with the SageMaker SDK, or find the one that an earlier run made; return its Python.

    Raises:
        RuntimeError: It cannot be installed; the message is pip's last line.
    """
    python, done = venv / "bin" / "python", venv / "complete"
    if done.exists():
        return str(python)
    shutil.rmtree(venv, ignore_errors=True)
    print(f"installing {SAGEMAKER} under {venv} ...", flush=True)
    builder.EnvBuilder(with_pip=True, symlinks=True).create(venv)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    try:
        ran = subprocess.run([*pip, SAGEMAKER], capture_output=True, text=True, check=False, timeout=INSTALLING_MAX_S)
    except subprocess.TimeoutExpired as exc:
        raise RuntimeError(f"pip was not done after {INSTALLING_MAX_S} s") from exc
    if ran.returncode != 0:
        said = [line for line in ran.stderr.splitlines() if line.startswith("ERROR")] or ["no reason given"]
        raise RuntimeError(said[-1])
    done.touch()
    return str(python)


def _sagemaker(python: str | None, *, is_to_install: bool) -> str:
    if python is None and is_to_install:
        try:
            python = install_sagemaker()
        except RuntimeError as exc:
            return f"not measured: {SAGEMAKER} cannot be installed here ({exc})"
    try:
        starts = [
            _run(_MEASURE.format(paths=[], program=IMPORT_SAGEMAKER), [], python or sys.executable) for _ in range(3)
        ]
    except RuntimeError as exc:
        if "ModuleNotFoundError" in str(exc) and "'sagemaker'" in str(exc):
            return "not installed here; --install-sagemaker, or an interpreter that has it: --sagemaker PYTHON"
        raise
    start = best(starts)
    return f"{start.import_ms:7.0f} ms {start.memory_mb:5.0f} MB"


def _print_row(name: str, start: ColdStart, note: str = "") -> None:
    print(f"{name:<36}{start.import_ms:7.0f} ms {start.memory_mb:5.0f} MB  {note}")


if __name__ == "__main__":
    main()
