"""The embedded AWS in a process of its own, so that a benchmark's own process is the client alone.

Called by the benchmarks that push and graft.
"""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from tarmac.local.clients import local_client

_PROGRAM = """
import sys
from pathlib import Path
from tarmac.local.embedded import EmbeddedAws
aws = EmbeddedAws(Path(sys.argv[1]))
aws.start()
print(aws.url, flush=True)
sys.stdin.read()
aws.stop()
"""


@contextlib.contextmanager
def embedded_url() -> Iterator[str]:
    """Run the embedded AWS with a state directory of its own; give its address."""
    with tempfile.TemporaryDirectory(prefix="tarmac-bench-") as state:
        command = [sys.executable, "-c", _PROGRAM, state]
        # It ends when its standard input does, so it outlives nobody.
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            url = process.stdout.readline().strip() if process.stdout else ""
            if not url:
                raise RuntimeError("the embedded AWS did not start")
            try:
                yield url
            finally:
                process.communicate(timeout=30)


@contextlib.contextmanager
def embedded_s3(bucket: str) -> Iterator[Any]:
    """Run the embedded AWS with a bucket in it; give an S3 client."""
    with embedded_url() as url:
        client = local_client("s3", url)
        try:
            client.create_bucket(Bucket=bucket)
            yield client
        finally:
            client.close()
