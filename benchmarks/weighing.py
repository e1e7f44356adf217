"""Real model servers, started and weighed beside what the sizing formula expects. Called by `benchmarks.sizing`.

Models of random weights, 20 to 500 million parameters, each served by inference_code/serve.py in a process of its own
and asked by 8 callers at once; what is weighed is the most memory the process ever had (VmHWM).
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from chalicelib.door.needs import copy_bytes
from chalicelib.door.sizing import Size, size_of_parameters

SERVE = Path(__file__).parents[1] / "inference_code" / "serve.py"
CALLERS, CALLS, START_LIMIT_S = 8, 8, 180.0
TOKENS = 512
_TEXT = "the cat sat on the mat and was happy "


@dataclass(frozen=True)
class Weighed:
    """One model: what its server took at most, and what was expected of one copy; in bytes."""

    name: str
    weights: int
    measured: int
    expected: float

    @property
    def ratio(self) -> float:
        """Expected over measured: under 1 would be an instance that is too small."""
        return self.expected / self.measured


def _bert(layers: int, hidden: int, heads: int) -> Callable[[Any], Any]:
    def make(words: Any) -> Any:
        import transformers

        config = transformers.BertConfig(
            vocab_size=30522,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=4 * hidden,
            pad_token_id=words.pad_token_id,
        )
        return transformers.BertForSequenceClassification(config)

    return make


def _gpt2(layers: int, hidden: int, heads: int) -> Callable[[Any], Any]:
    def make(words: Any) -> Any:
        import transformers

        config = transformers.GPT2Config(
            vocab_size=50257,
            n_embd=hidden,
            n_layer=layers,
            n_head=heads,
            bos_token_id=words.cls_token_id,
            eos_token_id=None,
            pad_token_id=words.pad_token_id,
        )
        return transformers.GPT2LMHeadModel(config)

    return make


KINDS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "encoder, 110M, float32": (_bert(12, 768, 12), "float32"),
    "encoder, 335M, bfloat16": (_bert(24, 1024, 16), "bfloat16"),
    "generator, 124M, float32": (_gpt2(12, 768, 12), "float32"),
}


def weigh_all() -> list[Weighed]:
    """Build, serve and weigh every kind, and print the table."""
    weighed = []
    for name, (make, dtype) in KINDS.items():
        with tempfile.TemporaryDirectory(prefix="tarmac-weighing-") as scratch:
            size = build(Path(scratch) / "model", make, dtype)
            weighed.append(Weighed(name, size.stored_bytes, weigh(Path(scratch) / "model"), copy_bytes(size)))
    table = Table(title="One copy's memory: expected by the formula, and measured", title_justify="left")
    for column in ("model", "weights", "measured", "expected", "expected / measured"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for row in weighed:
        sizes = (f"{size_bytes / 1e6:,.0f} MB" for size_bytes in (row.weights, row.measured, row.expected))
        table.add_row(row.name, *sizes, f"{row.ratio:.2f}")
    Console(width=max(100, Console().width), highlight=False).print(table)
    return weighed


def build(directory: Path, make: Callable[[Any], Any], dtype: str) -> Size:
    """Save a model of random weights; give its size as the door sees it."""
    import torch

    from examples.encoders import tokenizer
    from examples.saving import save

    torch.manual_seed(0)
    words = tokenizer()
    words.model_max_length = TOKENS
    with torch.no_grad():
        model = make(words).to(getattr(torch, dtype))
        save(model, words, directory)
    config = {**model.config.to_dict(), "architectures": [type(model).__name__]}
    return size_of_parameters({"F32" if dtype == "float32" else "BF16": model.num_parameters()}, config)


def weigh(model_dir: Path) -> int:
    """Serve a model, ask it, and give the most memory its processes ever had, in bytes.

    Raises:
        RuntimeError: It does not start, or does not answer.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener, tempfile.TemporaryFile() as log:
        port = listener.getsockname()[1]
        server = subprocess.Popen(
            [sys.executable, str(SERVE), "--fd", str(listener.fileno())],
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=log,
            env={"PATH": os.environ["PATH"], "SM_MODEL_DIR": str(model_dir)},
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300, trust_env=False) as client:
                _wait(client, server)
                body: dict[str, Any] = {"inputs": _TEXT * 40}
                if _generates(model_dir):
                    body = {"inputs": _TEXT * 6, "parameters": {"max_new_tokens": 16}}
                with ThreadPoolExecutor(CALLERS) as pool:
                    codes = set(pool.map(lambda _: client.post("/invocations", json=body).status_code, range(CALLS)))
            if codes != {200}:
                raise RuntimeError(f"the model server answered {sorted(codes)}")
            return _most_bytes(server.pid)
        finally:
            server.terminate()
            server.wait(timeout=30)


def _generates(model_dir: Path) -> bool:
    return "LMHead" in (model_dir / "config.json").read_text()


def _wait(client: httpx.Client, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if client.get("/ping").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError("the model server did not start")


def _most_bytes(pid: int) -> int:
    import psutil

    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    found = [re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{each.pid}/status").read_text()) for each in family]
    return sum(int(match[1]) * 1024 for match in found if match is not None)
