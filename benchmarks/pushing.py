"""Packing and pushing in one go beside uploading an archive that was ready; run `python -m benchmarks.pushing [MB]`.

Both go to the same embedded S3 on loopback, in parts of 8 MiB, four at once. Loopback is faster than any network, so
this is the hard case. Promised: at most 1.15 times as long.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

from benchmarks.packing import make_model, timed
from tarmac.local.clients import local_client
from tarmac.local.embedded import EmbeddedAws
from tarmac.packer import pack
from tarmac.pushing import Push

TIMES_MAX = 1.15
_RUNS = 3


def main() -> int:
    """Print both times; 1 when the promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("megabytes", type=int, nargs="?", default=1000, help="of weights; 1000 unless said")
    size_bytes = parser.parse_args().megabytes * 1_000_000 // 4 * 4
    with tempfile.TemporaryDirectory(prefix="tarmac-bench-") as scratch:
        folder, archive = Path(scratch) / "model", Path(scratch) / "model.tar.gz"
        make_model(folder, "F32", size_bytes)
        pack(folder, archive)
        aws = EmbeddedAws(Path(scratch) / "state")
        aws.start()
        s3 = local_client("s3", aws.url)
        try:
            s3.create_bucket(Bucket="bucket")

            def push_ready() -> None:
                push = Push(s3, "bucket", "ready")
                with archive.open("rb") as source:
                    shutil.copyfileobj(source, push, 1 << 20)
                push.finish()

            def pack_and_push() -> None:
                push = Push(s3, "bucket", "packed")
                pack(folder, cast("BinaryIO", push))
                push.finish()

            ready_s = min(timed(push_ready) for _ in range(_RUNS))
            both_s = min(timed(pack_and_push) for _ in range(_RUNS))
        finally:
            s3.close()
            aws.stop()
    times = both_s / ready_s
    print(f"{size_bytes / 1e6:.0f} MB: pack and push {both_s:.2f} s, upload alone {ready_s:.2f} s: {times:.2f} times")
    print("kept" if times <= TIMES_MAX else f"NOT kept: at most {TIMES_MAX} times")
    return 0 if times <= TIMES_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
