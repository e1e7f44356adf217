"""The guard: nothing of this process reaches another machine, whatever the person's environment says."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tarmac.local.guard import is_local_host, sanitise
from tests.local.aws_worlds import ROOT

HOSTILE = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "FwoGZXIvYXdzEXAMPLE",
    "AWS_PROFILE": "production",
    "AWS_DEFAULT_PROFILE": "production",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_ENDPOINT_URL_S3": "https://s3.eu-west-1.amazonaws.com",
    "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": "https://runtime.sagemaker.eu-west-1.amazonaws.com",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
    "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/production",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/v2/credentials",
    "AWS_CA_BUNDLE": "/no/such/bundle.pem",
    "AWS_REGION": "eu-west-1",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "HTTPS_PROXY": "http://192.0.2.1:3128",
    "HTTP_PROXY": "http://192.0.2.1:3128",
    "http_proxy": "http://192.0.2.1:3128",
}
PROFILE = """[default]
aws_access_key_id = AKIAI44QH8DHBEXAMPLE
aws_secret_access_key = je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY
region = eu-west-1
endpoint_url = https://example.com
[profile production]
region = eu-west-1
credential_process = /bin/false
"""

# Every connection that is tried is written down by an audit hook that stands before the guard's own.
WATCHER = """
import json, os, sys
tried = []
def watch(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        tried.append(str(args[1][0]) if isinstance(args[1], tuple) else "unix")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        tried.append(str(args[0]))
sys.addaudithook(watch)
"""

WHOLE_ENGINE = (
    WATCHER
    + """
from pathlib import Path
from tarmac.local import guard
guard.sanitise(os.environ)
guard.forbid_remote_sockets()
from tarmac.local.embedded import EmbeddedAws
from tarmac.local.stack import ensure_stack
aws = EmbeddedAws(Path(sys.argv[1]))
aws.start()
guard.sanitise(os.environ, endpoint_url=aws.url)
stack = ensure_stack(aws.url)
import boto3
session = boto3.Session()
s3 = session.client("s3")
s3.put_object(Bucket=stack.bucket, Key="models/a/model.tar.gz", Body=b"x" * 100)
events = session.client("sqs").receive_message(QueueUrl=stack.queue_url)["Messages"]
endpoints = session.client("sagemaker").list_endpoints()["Endpoints"]
identity = session.client("sts").get_caller_identity()["Account"]
aws.stop()
print(json.dumps({"tried": sorted(set(tried)), "events": len(events), "endpoints": endpoints, "account": identity,
                  "key": session.get_credentials().access_key, "region": session.region_name}))
"""
)

REFUSALS = (
    WATCHER
    + """
import asyncio, http.client, socket
from tarmac.local import guard
guard.forbid_remote_sockets()
guard.forbid_remote_sockets()

def outcome(call):
    try:
        call()
    except guard.RemoteConnectionRefused as exc:
        return "refused: " + str(exc)
    except OSError as exc:
        return type(exc).__name__
    except Exception as exc:
        return f"refused: {exc}" if "is not this machine" in str(exc) else repr(exc)
    return "went"

def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", ("192.0.2.1", 53))

def raw():
    with socket.socket() as one:
        one.connect(("192.0.2.1", 443))

def six():
    with socket.socket(socket.AF_INET6) as one:
        one.connect(("2001:db8::1", 443))

def boto():
    import boto3
    boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b").list_buckets()

def connect_async():
    async def go():
        await asyncio.open_connection("192.0.2.1", 443)
    asyncio.run(go())

listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
left, right = socket.socketpair()
def local():
    for host in ("127.0.0.1", "localhost", "127.0.0.2"):
        try:
            socket.create_connection((host, port), timeout=2).close()
        except ConnectionRefusedError:
            pass
    left.sendall(b"x")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", ("127.0.0.1", port))
def unix():
    with socket.socket(socket.AF_UNIX) as one:
        one.connect("/no/such/socket")
print(json.dumps({
    "raw": outcome(raw), "udp": outcome(udp), "six": outcome(six), "boto": outcome(boto),
    "async": outcome(connect_async),
    "name": outcome(lambda: socket.getaddrinfo("s3.amazonaws.com", 443)),
    "old name": outcome(lambda: socket.gethostbyname("s3.amazonaws.com")),
    "metadata": outcome(lambda: http.client.HTTPConnection("169.254.169.254", timeout=1).request("GET", "/")),
    "local": outcome(local), "unix": outcome(unix),
}))
"""
)


def run(code: str, *arguments: str, home: Path) -> Any:
    (home / ".aws").mkdir(exist_ok=True)
    for name in ("config", "credentials"):
        (home / ".aws" / name).write_text(PROFILE)
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), **HOSTILE}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_a_hostile_environment_leads_nowhere_but_here(tmp_path: Path) -> None:
    seen = run(WHOLE_ENGINE, str(tmp_path / "state"), home=tmp_path)

    assert [host for host in seen["tried"] if not is_local_host(host)] == []
    assert "127.0.0.1" in seen["tried"]
    assert (seen["events"], seen["endpoints"]) == (1, [])
    assert (seen["account"], seen["key"], seen["region"]) == ("123456789012", "tarmac", "us-east-1")


def test_without_the_guard_the_same_environment_leads_out(tmp_path: Path) -> None:
    # The proof that the test above can fail: the watcher sees the proxy, which stands for the real AWS, being tried.
    code = (
        WATCHER
        + """
import boto3
from botocore.config import Config
os.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
del os.environ["AWS_PROFILE"], os.environ["AWS_DEFAULT_PROFILE"], os.environ["AWS_CA_BUNDLE"]
class Stop(Exception): pass
def stop(event, args):
    if event == "socket.connect":
        raise Stop
sys.addaudithook(stop)
client = boto3.client("s3", endpoint_url=None, config=Config(connect_timeout=1, retries={"total_max_attempts": 1}))
try:
    client.list_buckets()
except Exception:
    pass
print(json.dumps({"tried": tried, "endpoint": client.meta.endpoint_url}))
"""
    )

    seen = run(code, home=tmp_path)

    assert "amazonaws.com" in seen["endpoint"]
    assert "192.0.2.1" in seen["tried"]


def test_every_way_out_is_refused_with_a_reason(tmp_path: Path) -> None:
    seen = run(REFUSALS, home=tmp_path)

    assert {name for name, outcome in seen.items() if outcome.startswith("refused: ")} == {
        "raw",
        "udp",
        "six",
        "boto",
        "async",
        "name",
        "old name",
        "metadata",
    }
    assert "192.0.2.1 is not this machine" in seen["raw"]
    assert (seen["local"], seen["unix"]) == ("went", "FileNotFoundError")


def test_nothing_of_the_persons_aws_is_left() -> None:
    environ = {**HOSTILE, "PATH": "/bin", "NO_PROXY": "example.org", "BOTO_CONFIG": "/x", "MOTO_PORT": "1"}

    same = sanitise(environ, endpoint_url="http://127.0.0.1:4566")

    assert same is environ
    assert {name for name in environ if name.startswith("AWS_")} == {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_ENDPOINT_URL",
    }
    assert environ["AWS_CONFIG_FILE"] == environ["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert environ["NO_PROXY"] == environ["no_proxy"] == "example.org,127.0.0.1,localhost,::1"
    assert not {"BOTO_CONFIG", "MOTO_PORT"} & environ.keys()
    assert environ["PATH"] == "/bin"
    assert not set(HOSTILE.values()) & {value for name, value in environ.items() if name.startswith("AWS_")} - {"true"}


def test_sanitising_twice_changes_nothing() -> None:
    environ: dict[str, str] = {}
    once = dict(sanitise(environ))

    twice = sanitise(environ)

    assert twice == once


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("bucket.localhost", True),
        ("", True),
        (None, True),
        (b"localhost", True),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("169.254.169.254", False),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("s3.amazonaws.com", False),
        (b"\xff", False),
    ],
)
def test_local_is_loopback_and_nothing_else(host: object, is_local: bool) -> None:
    assert is_local_host(host) is is_local
