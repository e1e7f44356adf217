"""Putting a handler into an archive that lies in S3: the graft beside the SageMaker SDK's `repack_model`.

    python -m benchmarks.grafting [--size MB] [--dtype F32|BF16] [--rounds N] [--keep DIR]

The peer is the SDK's own function (of sagemaker-core, installed once under build/): it downloads, unpacks, packs and
uploads. Both talk to the same embedded AWS on loopback, in turn; the bytes of each are counted at its sockets. The
graft needs what the door found in its one pass over the archive, a pass that the SDK never makes; so two are shown: the
graft alone, of which the promise speaks, and reading, judging and grafting together. Promised: 20 times fewer bytes,
and 10 times as fast.
"""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.embedded import embedded_url
from benchmarks.figures import Figure, present
from benchmarks.rounds import interleaved, parser
from benchmarks.weights import DTYPES, make_archive, shelf
from tarmac.local.clients import LOCAL_ACCESS_KEY, LOCAL_REGION, LOCAL_SECRET_KEY, local_client
from tarmac.tables.sdk import NAME, install

FEWER_MIN, FASTER_MIN = 20.0, 10.0
ROOT = Path(__file__).parents[1]
HANDLER = ROOT / "inference_code"
_KEY = "models/cat/model.tar.gz"
_COUNTED = """
import json, os, socket, sys, time

passed = {"bytes": 0}

class Counted(socket.socket):
    def _count(self, count):
        passed["bytes"] += count or 0
        return count
    def send(self, data, *rest):
        return self._count(super().send(data, *rest))
    def sendall(self, data, *rest):
        super().sendall(data, *rest)
        self._count(memoryview(data).nbytes)
    def recv(self, *rest):
        data = super().recv(*rest)
        self._count(len(data))
        return data
    def recv_into(self, *rest):
        return self._count(super().recv_into(*rest))

socket.socket = Counted
"""
_TOLD = """
print(json.dumps([time.perf_counter() - began, passed["bytes"]]))
"""
REPACK = f"""{_COUNTED}
import boto3
sys.path.append(sys.argv[4])
from sagemaker.core.common_utils import repack_model
from sagemaker.core.helper.session_helper import Session
url, bucket, handler = sys.argv[1:4]
session = Session(boto_session=boto3.Session(), default_bucket=bucket)
began = time.perf_counter()
repack_model("inference.py", handler, [], f"s3://{{bucket}}/{_KEY}", f"s3://{{bucket}}/repacked/model.tar.gz", session)
{_TOLD}"""
_DOOR = f"""{_COUNTED}
from datetime import UTC, datetime
from chalicelib.aws.buckets import Bucket
from chalicelib.aws.drops import S3Drops
from chalicelib.bootstrap import read_handler
from chalicelib.door import DoorRules, examine
from chalicelib.door.grafts import graft
from chalicelib.names import ModelName
from tarmac.local.clients import local_client
client = local_client("s3", sys.argv[1])
bucket = Bucket(lambda: client, sys.argv[2])
drops = S3Drops(bucket)
now = datetime.now(UTC)
rules = DoorRules(region="us-east-1", instance_type="ml.m5.large", idle_after_s=900.0, idle_floor_s=900.0)
began = time.perf_counter()
drop = drops.find(ModelName("cat"))
archive = drops.open_archive(drop)
found = examine(drop, archive, None, rules=rules, now=now)
archive.close()
"""
_GRAFT = """
bucket.join("grafted/model.tar.gz", graft(read_handler(), found.seam), source_key=drop.archive_key,
            etag=drop.archive_etag)
"""
GRAFT_ALONE = _DOOR + 'began, passed["bytes"] = time.perf_counter(), 0' + _GRAFT + _TOLD
JUDGE_AND_GRAFT = _DOOR + _GRAFT + _TOLD
CASES = {f"repack_model of {NAME}": REPACK, "the graft": GRAFT_ALONE, "judge and graft": JUDGE_AND_GRAFT}


def measure(dtype: str, archive: Path, url: str, *, rounds: int) -> list[Figure]:
    """Put the handler in each way, in turn; seconds and bytes of each."""
    bucket, sdk = f"bench-{dtype.lower()}", str(install())
    s3 = local_client("s3", url)
    s3.create_bucket(Bucket=bucket)
    s3.upload_file(str(archive), bucket, _KEY)
    passed: dict[str, int] = {}

    def run(name: str) -> float:
        command = [sys.executable, "-c", CASES[name], url, bucket, str(HANDLER), sdk]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment(url))
        if ran.returncode:
            raise RuntimeError(ran.stderr)
        seconds, passed[name] = json.loads(ran.stdout.strip().splitlines()[-1])
        return float(seconds)

    cases: dict[str, Callable[[], float]] = {name: (lambda name=name: run(name)) for name in CASES}  # type: ignore[misc]
    taken = interleaved(f"graft {dtype}", cases, rounds=rounds)
    for key in ("repacked/model.tar.gz", "grafted/model.tar.gz"):
        check(s3, bucket, key)
    s3.close()
    return figures_of(dtype, {name: each.median_s for name, each in taken.items()}, passed)


def check(s3: Any, bucket: str, key: str) -> None:
    """See that what was made is an archive, with the model and the handler in it. Raises RuntimeError."""
    with tarfile.open(fileobj=s3.get_object(Bucket=bucket, Key=key)["Body"], mode="r|gz") as tar:
        names = {member.name.removeprefix("./").lstrip("/") for member in tar}
    if not {"model.safetensors", "config.json", "code/inference.py"} <= names:
        raise RuntimeError(f"{key} holds {sorted(names)} only")


def figures_of(dtype: str, seconds: dict[str, float], passed: dict[str, int]) -> list[Figure]:
    """Compare the graft, and judging and grafting together, with the SDK."""
    peer, *ours = CASES
    figures = []
    for name in ours:
        is_promised = name == "the graft"
        figures += [
            Figure(
                case=f"{name}, {dtype}: time",
                ours=seconds[name],
                peer=seconds[peer],
                peer_name="the SDK's repack_model",
                unit="s",
                is_inverse=True,
                at_least=FASTER_MIN if is_promised else None,
            ),
            Figure(
                case=f"{name}, {dtype}: bytes",
                ours=passed[name] / 1e6,
                peer=passed[peer] / 1e6,
                peer_name="the SDK's repack_model",
                unit="MB",
                is_inverse=True,
                at_least=FEWER_MIN if is_promised else None,
            ),
        ]
    return figures


def _environment(url: str) -> dict[str, str]:
    """No AWS but the embedded one, whatever the person's own set-up says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": LOCAL_ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": LOCAL_SECRET_KEY,
        "AWS_DEFAULT_REGION": LOCAL_REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def main() -> None:
    """Measure and present."""
    chosen = parser(__doc__, rounds=3).parse_args()
    figures: list[Figure] = []
    with shelf(chosen.keep) as folder, embedded_url() as url:
        for dtype in chosen.dtype or DTYPES:
            archive = make_archive(folder, dtype, chosen.size * 1_000_000)
            figures += measure(dtype, archive, url, rounds=chosen.rounds)
    present("grafting", f"Putting a handler into an archive of {chosen.size:,} MB of weights in S3", figures)


if __name__ == "__main__":
    main()
