"""Upload and download one large object with the real AWS CLI: the embedded AWS against stock moto, in one run.

    python -m benchmarks.upload [--size MB]

Promised: at least half of stock moto's upload speed, and less than 400 MB of memory whatever the size, where stock moto
holds the whole object.
"""

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, present

ROOT = Path(__file__).parents[1]
AWS_CLI = Path(sys.executable).parent / "aws"
MEMORY_TARGET_MB = 400
UPLOAD_MIN = 0.5
_EMBEDDED = """
import sys, threading
from pathlib import Path
from tarmac.local.embedded import EmbeddedAws
aws = EmbeddedAws(Path(sys.argv[1]), port=int(sys.argv[2]))
aws.start()
sys.stdin.read()
aws.stop()
"""


@dataclass(frozen=True)
class Result:
    """One server's figures."""

    name: str
    upload_s: float
    download_s: float
    idle_mb: float
    peak_mb: float


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def memory_mb(pid: int, line: str) -> float:
    """A figure of the process's memory, in MB: VmRSS is now, VmHWM the peak so far."""
    for text in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if text.startswith(f"{line}:"):
            return int(text.split()[1]) / 1024
    raise ValueError(line)


@contextlib.contextmanager
def running(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; begin when it listens."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def aws(port: int, *words: str) -> float:
    """Run the AWS CLI; return the seconds it took."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")} | {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    started_at = time.monotonic()
    subprocess.run([AWS_CLI, *words], env=environ, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started_at


def measure(name: str, command: list[str], port: int, source: Path) -> Result:
    """Upload, download, compare."""
    back = source.with_suffix(".back")
    with running(command, port) as process:
        aws(port, "s3", "mb", "s3://bench")
        idle_mb = memory_mb(process.pid, "VmRSS")
        upload_s = aws(port, "s3", "cp", "--quiet", str(source), "s3://bench/model.tar.gz")
        download_s = aws(port, "s3", "cp", "--quiet", "s3://bench/model.tar.gz", str(back))
        peak_mb = memory_mb(process.pid, "VmHWM")
    subprocess.run(["cmp", source, back], check=True)
    back.unlink()
    return Result(name, upload_s, download_s, idle_mb, peak_mb)


def main() -> None:
    """Measure both and present."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, metavar="MB", help="of the object (2^20 bytes); 512")
    size_mb = parser.parse_args().size
    with tempfile.TemporaryDirectory(prefix="tarmac-bench-") as folder:
        source = Path(folder) / "object.bin"
        with source.open("wb") as file:
            for _ in range(size_mb):
                file.write(os.urandom(1 << 20))
        embedded_port, stock_port = free_port(), free_port()
        embedded = [sys.executable, "-c", _EMBEDDED, str(Path(folder) / "state"), str(embedded_port)]
        stock = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(stock_port)]
        ours = measure("embedded AWS", embedded, embedded_port, source)
        theirs = measure("stock moto", stock, stock_port, source)
    present(
        "upload", f"The AWS CLI and {size_mb:,} MB: the embedded AWS and stock moto", figures_of(ours, theirs, size_mb)
    )


def figures_of(ours: Result, theirs: Result, size_mb: int) -> list[Figure]:
    """Compare speeds, and memory with the promise and with the peer."""
    up = (size_mb / ours.upload_s, size_mb / theirs.upload_s)
    down = (size_mb / ours.download_s, size_mb / theirs.download_s)
    return [
        Figure(case="upload", ours=up[0], peer=up[1], peer_name=theirs.name, unit="MB/s", at_least=UPLOAD_MIN),
        Figure(case="download", ours=down[0], peer=down[1], peer_name=theirs.name, unit="MB/s"),
        Figure(
            case="peak memory", ours=ours.peak_mb, peer=MEMORY_TARGET_MB, peer_name="the promise", unit="MB", at_most=1
        ),
        Figure(case="peak memory", ours=ours.peak_mb, peer=theirs.peak_mb, peer_name=theirs.name, unit="MB"),
    ]


if __name__ == "__main__":
    main()
