"""Spoiled requests against live servers: never the server's fault, never its end.

TARMAC_FUZZ_REQUESTS says how many in all; 100000 is the number that a change of the parser should stand.
"""

import asyncio
import base64
import io
import json
import os
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from examples import sentiment
from examples.variants import VARIANTS
from tests.local.fuzzing import Fuzzer, send_all
from tests.local.serving import served

COUNT = int(os.environ.get("TARMAC_FUZZ_REQUESTS", "2000"))


def png() -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((40, 30)).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def wav() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframesraw(bytes(range(256)) * 8)
    return buffer.getvalue()


def as_json(inputs: Any, **parameters: Any) -> tuple[bytes, str]:
    return json.dumps({"inputs": inputs, "parameters": parameters}).encode(), "application/json"


GOOD: dict[str, list[tuple[bytes, str]]] = {
    "sentiment": [as_json(["great", "awful"], top_k=2), (b"inputs\ngreat\n", "text/csv"), (b"great", "text/plain")],
    "reader": [as_json({"question": "who?", "context": "the movie was great"}, top_k=2)],
    "decoder": [
        as_json("the movie", max_new_tokens=2, stop=["a"]),
        as_json([{"role": "user", "content": "hi"}], max_new_tokens=2, do_sample=True, temperature=0.7),
    ],
    "vision": [(png(), "image/png"), as_json(base64.b64encode(png()).decode())],
    "speller": [(wav(), "audio/wav"), as_json({"raw": [0.1, -0.1] * 400, "sampling_rate": 16000})],
    "table-reader": [as_json({"query": "who?", "table": {"who": ["Ada", "Alan"], "age": [36, 41]}})],
}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", GOOD)
def test_nothing_that_can_be_sent_is_the_servers_fault_or_its_end(tmp_path: Path, name: str) -> None:
    build: Callable[[Path], object] = sentiment.build if name == "sentiment" else VARIANTS[name]
    build(tmp_path / "model")
    good = GOOD[name]

    with served(tmp_path / "model") as server:
        port = server.client.base_url.port
        assert port is not None
        findings = asyncio.run(send_all(port, Fuzzer(COUNT, good), count=COUNT // len(GOOD)))
        after = [server.post(*one).status_code for one in good]

    assert findings.faults == []
    assert findings.statuses.total() == COUNT // len(GOOD)
    assert findings.statuses[200] > 0
    assert findings.statuses[400] > 0
    assert after == [200] * len(good)
