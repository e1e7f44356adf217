"""Packing and pushing in one go, beside uploading an archive that was ready.

    python -m benchmarks.pushing [--size MB] [--dtype F32|BF16] [--rounds N] [--keep DIR]

All go to the same embedded S3, in a process of its own, in parts of 8 MiB, four at once: pushed as they are packed; the
ready archive pushed the same way; and the ready archive by boto3's `upload_file`, so that nobody thinks the first two
slow. Medians are compared. Promised: at most 1.15 times as long as the upload alone.

Twice: over a line of 1 Gbit/s (each part waits for its turn on it), and over loopback. On loopback S3 itself works on
this machine's processors, so what is measured there is how much of them is left to pack with.

And once as whole commands, each in a process of its own, over loopback: `tarmac push DIR` beside `tarmac push ARCHIVE`,
either with its check first, and beside `aws s3 cp ARCHIVE`, which checks nothing.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from benchmarks.embedded import embedded_s3
from benchmarks.figures import Figure, present
from benchmarks.rounds import Taken, interleaved, parser, timed
from benchmarks.weights import DTYPES, into_cache, make_archive, make_model, shelf
from tarmac.packer import pack
from tarmac.pushing import Push

TIMES_MAX = 1.15
GIGABIT_BYTES_PER_S = 125e6
_BUCKET = "bucket"


class Line:
    """A line on which parts go one after the other, each as long as its bytes take."""

    def __init__(self, bytes_per_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._lock = threading.Lock()
        self._free_at_s = 0.0

    def wait(self, request: Any, **_: Any) -> None:
        """Wait until the request's body has had its time on the line. botocore calls it before it sends."""
        count = int(request.headers["Content-Length"])
        with self._lock:
            self._free_at_s = max(self._free_at_s, time.perf_counter()) + count / self._bytes_per_s
            wait_s = self._free_at_s - time.perf_counter()
        time.sleep(max(0.0, wait_s))


@contextlib.contextmanager
def over(s3: Any, line: Line | None) -> Iterator[None]:
    """Let every part that a client sends go over a line; over loopback alone when there is none."""
    event = "before-send.s3.UploadPart"
    if line is not None:
        s3.meta.events.register(event, line.wait)
    try:
        yield
    finally:
        if line is not None:
            s3.meta.events.unregister(event, line.wait)


def measure(label: str, s3: Any, folder: Path, archive: Path, rounds: int) -> dict[str, Taken]:
    """Send the same bytes three ways, in turn."""

    def push_ready() -> None:
        push = Push(s3, _BUCKET, "ready")
        with archive.open("rb") as source:
            shutil.copyfileobj(source, push, 1 << 20)
        push.finish()

    def pack_and_push() -> None:
        push = Push(s3, _BUCKET, "packed")
        pack(folder, cast("BinaryIO", push))
        push.finish()

    def upload_ready() -> None:
        s3.upload_file(str(archive), _BUCKET, "uploaded")

    into_cache(archive, *folder.iterdir())
    cases = {"pack and push": pack_and_push, "push, ready": push_ready, "boto3 upload_file, ready": upload_ready}
    timers = {name: (lambda work=work: timed(work)) for name, work in cases.items()}
    return interleaved(f"push {label}", timers, rounds=rounds)


def measure_commands(label: str, url: str, folder: Path, archive: Path, rounds: int) -> dict[str, Taken]:
    """Send the same bytes by three commands, in turn."""
    bin_dir = Path(sys.executable).parent
    environ = os.environ | {
        "TARMAC_URL": url,  # nothing is asked of it: the commands do not wait for the model
        "TARMAC_TOKEN": "unused",
        "TARMAC_BUCKET": _BUCKET,
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "unused",
        "AWS_SECRET_ACCESS_KEY": "unused",
        "AWS_DEFAULT_REGION": "us-east-1",
    }

    def run(program: str, *arguments: str | Path) -> float:
        command = [str(bin_dir / program), *map(str, arguments)]
        return timed(lambda: subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL))

    into_cache(archive, *folder.iterdir())
    to = f"s3://{_BUCKET}/models/model/model.tar.gz"
    cases = {
        "tarmac push DIR": lambda: run("tarmac", "push", folder, "--name", "model"),
        "tarmac push ARCHIVE": lambda: run("tarmac", "push", archive, "--name", "model"),
        "aws s3 cp ARCHIVE": lambda: run("aws", "s3", "cp", "--quiet", archive, to),
    }
    return interleaved(label, cases, rounds=rounds)


def figures_of(label: str, seconds: dict[str, float]) -> list[Figure]:
    """Compare packing and pushing with the uploads."""
    ours, *peers = seconds
    return [
        Figure(
            case=label, ours=seconds[ours], peer=seconds[peer], peer_name=peer, unit="s",
            at_most=TIMES_MAX if peer == peers[0] else None,
        )
        for peer in peers
    ]  # fmt: skip


def main() -> None:
    """Measure and present."""
    chosen = parser(__doc__, rounds=3).parse_args()
    figures: list[Figure] = []
    with shelf(chosen.keep) as scratch, embedded_s3(_BUCKET) as s3:
        for dtype in chosen.dtype or DTYPES:
            size_bytes = chosen.size * 1_000_000
            folder = make_model(scratch / f"{dtype}-{size_bytes}", dtype, size_bytes)
            archive = make_archive(scratch, dtype, size_bytes)
            for way, line in (("1 Gbit/s", Line(GIGABIT_BYTES_PER_S)), ("loopback", None)):
                label = f"{dtype}, {way}"
                with over(s3, line):
                    taken = measure(label, s3, folder, archive, chosen.rounds)
                figures += figures_of(f"pack and push {label}", {name: each.median_s for name, each in taken.items()})
            label = f"the command, {dtype}, loopback"
            taken = measure_commands(label, s3.meta.endpoint_url, folder, archive, chosen.rounds)
            figures += figures_of(label, {name: each.median_s for name, each in taken.items()})
    present("pushing", f"Packing and pushing {chosen.size:,} MB of weights", figures)


if __name__ == "__main__":
    main()
