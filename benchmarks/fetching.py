"""Reading an archive from S3: what limits the door there; the embedded AWS on loopback, in a process of its own.

    python -m benchmarks.fetching [--size MB] [--dtype F32|BF16] [--rounds N] [--keep DIR]

The door reads by several ranged requests at once. Beside it: the same requests with nobody reading what they bring, one
connection read the same way, and the door on a file. Loopback has no distance, and server and client share the machine,
so every case runs once more with each connection held to 90 MB/s, about what S3 gives one: that is where several at
once tell. Medians are compared; nothing is promised in numbers but that the network, not one connection, is the limit.
"""

import subprocess
import sys
from pathlib import Path

from benchmarks.embedded import embedded_url
from benchmarks.figures import Figure, present
from benchmarks.rounds import interleaved, parser
from benchmarks.weights import DTYPES, into_cache, make_archive, shelf
from tarmac.local.clients import local_client

CONNECTION_MB_PER_S = 90
_BUCKET, _KEY = "bucket", "models/cat/model.tar.gz"
_PROGRAM = """
import sys, time
from datetime import UTC, datetime
from chalicelib.aws.ranges import RangeReader
from chalicelib.door import DoorRules, inspect
from chalicelib.state import Drop
from tarmac.local.clients import local_client

url, bucket, key, path, how, is_judged, pace = sys.argv[1:]
client = local_client("s3", url)
size_bytes = client.head_object(Bucket=bucket, Key=key)["ContentLength"]
now = datetime.now(UTC)
rules = DoorRules(region="us-east-1", instance_type="ml.m5.large", idle_after_s=900.0, idle_floor_s=900.0)
per_byte_s = 1 / float(pace) / 1e6 if float(pace) else 0.0

def wait(began_s, count):
    time.sleep(max(0.0, began_s + count * per_byte_s - time.perf_counter()))

def fetch(start, end):
    began_s = time.perf_counter()
    content = client.get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}")["Body"].read()
    wait(began_s, len(content))
    return content

class OneConnection:
    def __init__(self):
        self._body = client.get_object(Bucket=bucket, Key=key)["Body"]
    def read(self, size=-1):
        began_s = time.perf_counter()
        content = self._body.read(size)
        wait(began_s, len(content))
        return content
    def close(self):
        self._body.close()

began_s = time.perf_counter()
streams = {"ranges": lambda: RangeReader(fetch, size_bytes), "one": OneConnection, "file": lambda: open(path, "rb")}
stream = streams[how]()
if is_judged == "judged":
    assert inspect(Drop("cat", key, "e", size_bytes, now), stream, None, rules=rules, now=now).is_accepted
else:
    while stream.read(1 << 20):
        pass
stream.close()
print(time.perf_counter() - began_s)
"""
CASES = {
    "the door": ("ranges", "judged"),
    "the same ranges, unread": ("ranges", "unread"),
    "one connection, unread": ("one", "unread"),
    "the door on a file": ("file", "judged"),
}


def measure(dtype: str, archive: Path, url: str, *, rounds: int) -> list[Figure]:
    """Read one archive in each way, in turn, at loopback's pace and at S3's."""
    packed_mb = archive.stat().st_size / 1e6
    figures = []
    for pace, at in ((0, "loopback"), (CONNECTION_MB_PER_S, f"{CONNECTION_MB_PER_S} MB/s each")):

        def run(how: str, is_judged: str, pace: int = pace) -> float:
            command = [sys.executable, "-c", _PROGRAM, url, _BUCKET, _KEY, str(archive), how, is_judged, str(pace)]
            return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

        timers = {name: (lambda case=case: run(*case)) for name, case in CASES.items()}
        taken = interleaved(f"fetch {dtype}, {at}", timers, rounds=rounds)
        speeds = {name: packed_mb / each.median_s for name, each in taken.items()}
        ours = speeds.pop("the door")
        figures += [
            Figure(case=f"read {dtype} from S3, {at}", ours=ours, peer=speed, peer_name=name, unit="MB/s")
            for name, speed in speeds.items()
        ]
    return figures


def main() -> None:
    """Measure and present."""
    chosen = parser(__doc__, rounds=3).parse_args()
    figures: list[Figure] = []
    with shelf(chosen.keep) as folder, embedded_url() as url:
        s3 = local_client("s3", url)
        s3.create_bucket(Bucket=_BUCKET)
        for dtype in chosen.dtype or DTYPES:
            archive = make_archive(folder, dtype, chosen.size * 1_000_000)
            into_cache(archive)
            s3.upload_file(str(archive), _BUCKET, _KEY)
            figures += measure(dtype, archive, url, rounds=chosen.rounds)
        s3.close()
    present("fetching", f"Reading an archive of {chosen.size:,} MB of weights from S3 (MB of packed bytes)", figures)


if __name__ == "__main__":
    main()
