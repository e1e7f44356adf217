"""A real engine on a real port: the smallest S3, CloudWatch and EventBridge that will do, and a tiny model server."""

import io
import json
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from tarmac.local.async_requests import AsyncRequests
from tarmac.local.clients import local_client
from tarmac.local.deployments import Outlets
from tarmac.local.journal import Journal
from tarmac.local.lambdas import Functions
from tarmac.local.runtime import RuntimeRoute
from tarmac.local.sagemaker import SageMakerEngine
from tarmac.local.sagemaker_responses import install

TINY_SERVER = '''
"""Answers what its model says; can be told to be slow, to fail, to die, to have a child."""
import argparse, ctypes, http.server, json, os, pathlib, socket, struct, subprocess, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--fd", type=int)
listener = socket.socket(fileno=parser.parse_args().fd)
model = pathlib.Path(os.environ["SM_MODEL_DIR"])
words = (model / "words.txt").read_text()
print("loading", words, flush=True)
time.sleep(float(os.environ.get("START_S", "0")))
if "CHILD" in os.environ:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    print("child", child.pid, flush=True)
if "broken" in words:
    for i in range(30): print("line", i, flush=True)
    sys.exit("the weights make no sense")
if "mute" in words:
    time.sleep(120)

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    def log_message(self, *arguments): pass
    is_well = True
    def do_GET(self):
        if not Handler.is_well: time.sleep(60)
        self.answer(200, b"")
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.headers.get("Content-Type")
        if body == b"slow": time.sleep(float(os.environ.get("SLOW_S", "1")))
        if body == b"die": os._exit(9)
        if body == b"sicken": Handler.is_well = False
        if body.startswith(b"status "): return self.answer(int(body.split()[1]), b"as you wished")
        if body == b"env": return self.answer(200, json.dumps(dict(os.environ)).encode())
        if body == b"reach":
            try: socket.create_connection(("192.0.2.1", 80), timeout=0.2)
            except OSError as exc: return self.answer(200, repr(exc).encode())
        if body.startswith(b"reach natively "):
            libc = ctypes.CDLL(None, use_errno=True)
            fd, port = libc.socket(2, 1, 0), int(body.split()[2])
            address = struct.pack("=HHI8x", 2, socket.htons(port), socket.htonl(0x7F000001))
            failed = libc.connect(fd, address, 16)
            libc.close(fd)
            return self.answer(200, (os.strerror(ctypes.get_errno()) if failed else "connected").encode())
        if body == b"own loopback":
            with socket.create_server(("127.0.0.1", 0)) as own, socket.create_connection(own.getsockname()) as back:
                return self.answer(200, repr(back.getpeername() == own.getsockname()).encode())
        if body == b"large": return self.answer(200, b"x" * 7_000_000)
        if body.startswith(b"stream"): return self.stream(body)
        if body == b"who": return self.answer(200, words.encode())
        self.answer(200, body, kind)
    def stream(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for i in range(200 if body == b"stream long" else 3):
                self.wfile.write(b"5\\r\\npart" + str(i % 10).encode() + b"\\r\\n")
                self.wfile.flush()
                time.sleep(float(os.environ.get("PAUSE_S", "0.05")))
        except OSError:
            return print("the caller has gone", flush=True)
        if body == b"stream broken": os._exit(9)
        self.wfile.write(b"0\\r\\n\\r\\n")
    def answer(self, status, body, kind="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", kind or "text/plain")
        self.send_header("Content-Length", str(len(body)))
        if attributes := self.headers.get("X-Amzn-SageMaker-Custom-Attributes"):
            attributes += ",seen;accept=" + str(self.headers.get("Accept"))
            self.send_header("X-Amzn-SageMaker-Custom-Attributes", attributes)
        self.end_headers()
        self.wfile.write(body)

class Server(http.server.ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_name, self.server_port = "localhost", 0

print("serving", flush=True)
Server().serve_forever()
'''

ROLE_ARN = "arn:aws:iam::123456789012:role/tarmac"


def until(claim: Callable[[], Any], *, within_s: float = 15.0) -> Any:
    """Wait for a claim to hold; give what it gave."""
    deadline = time.monotonic() + within_s
    while not (outcome := claim()):
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.02)
    return outcome


def archive(files: dict[str, str]) -> bytes:
    """A model.tar.gz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def packed(directory: Path) -> bytes:
    """A directory as a model.tar.gz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(directory, arcname=".")
    return buffer.getvalue()


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None: ...


class Rig:
    """One engine over one directory. `start` and `stop` may follow each other more than once."""

    def __init__(self, directory: Path, *, serve_path: Path | None = None, **engine_options: Any) -> None:
        self.directory = directory
        self.engine_options = engine_options
        self.events: list[dict[str, Any]] = []
        self.metrics: list[tuple[str, str, dict[str, str], float]] = []
        self.content_types: dict[str, str] = {}
        self.log_lines: list[tuple[str, str, str]] = []
        tiny_path = directory / "serve.py"
        tiny_path.write_text(TINY_SERVER)
        self.serve_path = serve_path or tiny_path
        self.invocation_timeout_s = 60.0

    def start(self) -> None:
        self.functions = Functions()
        self.journal = Journal(self.directory / "journal.db")
        outlets = Outlets(self.path_of, self._record, self._append, self._put_event, self._store)
        self.engine = SageMakerEngine(
            journal=self.journal,
            servers_dir=self.directory / "servers",
            serve_path=self.serve_path,
            outlets=outlets,
            **self.engine_options,
        )
        self.swaps = ExitStack()
        install(self.swaps, self.engine)
        self.engine.start()
        self.requests = AsyncRequests(self.engine, self.journal, interval_s=0.2)
        self.requests.start()
        runtime = RuntimeRoute(self.engine, self.requests, timeout_s=self.invocation_timeout_s)
        moto = DomainDispatcherApplication(create_backend_app)

        def application(environ: dict[str, Any], start_response: Any) -> Any:
            for route in (runtime, self.functions):
                if (answer := route(environ, start_response)) is not None:
                    return answer
            return moto(environ, start_response)

        self.server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.sagemaker = self.client("sagemaker")
        self.runtime = self.client("sagemaker-runtime")

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        self.functions.stop()
        self.requests.stop()
        self.engine.stop()
        self.requests.join()
        self.swaps.close()
        self.journal.close()

    def client(self, service: str, region: str = "us-east-1") -> Any:
        return local_client(service, self.url, region=region)

    def path_of(self, bucket: str, key: str) -> Path:
        path = self.directory / "s3" / bucket / key
        if not path.is_file():
            raise KeyError(key)
        return path

    def drop(self, key: str, content: bytes) -> str:
        path = self.directory / "s3" / "bucket" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return f"s3://bucket/{key}"

    def create_config(self, name: str, words: str = "hello", *, isolated: bool = True, **environment: str) -> None:
        """A model and a configuration under the same name."""
        self.create_config_of(name, archive({"words.txt": words}), isolated=isolated, **environment)

    def create_config_of(self, name: str, content: bytes, *, isolated: bool = True, **environment: str) -> None:
        """The same, of any archive."""
        uri = self.drop(f"{name}.tar.gz", content)
        self.sagemaker.create_model(
            ModelName=name,
            PrimaryContainer={"Image": "image", "ModelDataUrl": uri, "Environment": environment},
            ExecutionRoleArn=ROLE_ARN,
            EnableNetworkIsolation=isolated,
        )
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": name,
            "InstanceType": "ml.g5.xlarge",
            "InitialInstanceCount": 1,
        }
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])

    def create(self, name: str, words: str = "hello", **options: Any) -> None:
        """Everything for an endpoint, under the same name; does not wait."""
        self.create_config(name, words, **options)
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    def status(self, name: str) -> str | None:
        try:
            return str(self.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"])
        except self.sagemaker.exceptions.ClientError:
            return None

    def await_status(self, name: str, status: str | None, *, within_s: float = 15.0) -> None:
        until(lambda: self.status(name) == status, within_s=within_s)

    def invoke(self, name: str, body: bytes = b"hi", **options: Any) -> bytes:
        content = self.runtime.invoke_endpoint(EndpointName=name, Body=body, **options)["Body"].read()
        return bytes(content)

    def pid(self, name: str) -> int:
        """The process id of the endpoint's model server."""
        pids = [one.pid for endpoint, _, one in self.engine.running() if endpoint == name]
        assert pids[0] is not None
        return pids[0]

    def statuses_told(self, name: str) -> list[str]:
        return [one["detail"]["EndpointStatus"] for one in list(self.events) if one["detail"]["EndpointName"] == name]

    def _record(self, namespace: str, name: str, dimensions: dict[str, str], value: float) -> None:
        self.metrics.append((namespace, name, dimensions, value))

    def _store(self, bucket: str, key: str, content: bytes, content_type: str) -> None:
        path = self.directory / "s3" / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        self.content_types[f"s3://{bucket}/{key}"] = content_type
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_bytes(content)
        unfinished.rename(path)

    def _append(self, group: str, stream: str, lines: list[str]) -> None:
        self.log_lines.extend((group, stream, line) for line in lines)

    def _put_event(self, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
        event = {"source": source, "detail-type": detail_type, "detail": detail, "resources": resources}
        self.events.append(json.loads(json.dumps(event)))


@contextmanager
def running_rig(directory: Path, **engine_options: Any) -> Iterator[Rig]:
    rig = Rig(directory, **engine_options)
    rig.start()
    try:
        yield rig
    finally:
        rig.stop()
