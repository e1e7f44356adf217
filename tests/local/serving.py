"""Live model servers for tests: started on a free loopback port, waited for, asked, ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

SERVE = Path(__file__).parents[2] / "inference_code" / "serve.py"
START_LIMIT_S = 60.0


@dataclass(frozen=True)
class ModelServer:
    """One running serve.py."""

    process: subprocess.Popen[bytes]
    client: httpx.Client
    log: Path

    def ask(self, payload: Any, **headers: str) -> httpx.Response:
        """POST a JSON payload to /invocations."""
        return self.post(json.dumps(payload).encode(), "application/json", **headers)

    def post(self, body: bytes, content_type: str, **headers: str) -> httpx.Response:
        """POST a body to /invocations."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/invocations", content=body, headers={"content-type": content_type, **named})

    def answer(self, inputs: Any, **parameters: Any) -> Any:
        """Ask, and give the answer to an input that must succeed."""
        response = self.ask({"inputs": inputs, "parameters": parameters} if parameters else {"inputs": inputs})
        assert response.status_code == 200, response.text
        return response.json()

    def ping(self) -> int:
        """The status of /ping."""
        return self.client.get("/ping").status_code


def start(model_dir: Path, **environment: str) -> ModelServer:
    """Start serve.py on an inherited socket; returns at once."""
    log = model_dir.parent / f"{model_dir.name}.log"
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, str(SERVE), "--fd", str(listener.fileno())],
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
            env={"PATH": os.environ["PATH"], "SM_MODEL_DIR": str(model_dir), **environment},
        )
    return ModelServer(process, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False), log)


def wait_until_ready(server: ModelServer) -> None:
    """Poll /ping until it answers 200."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and server.process.poll() is None:
        if server.ping() == 200:
            return
        time.sleep(0.02)
    raise AssertionError(f"the model server did not get ready:\n{server.log.read_text()}")


def stop(server: ModelServer) -> int:
    """SIGTERM, and the exit code."""
    server.client.close()
    server.process.send_signal(signal.SIGTERM)
    try:
        return server.process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
        raise


@contextmanager
def served(model_dir: Path, **environment: str) -> Iterator[ModelServer]:
    """Serve *model_dir* while the block runs."""
    server = start(model_dir, **environment)
    try:
        wait_until_ready(server)
        yield server
    finally:
        if server.process.poll() is None:
            stop(server)
        server.client.close()
