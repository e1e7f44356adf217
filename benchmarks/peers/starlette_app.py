"""What one writes first: a transformers pipeline behind Starlette, one request after the other on one torch thread.

`python -m benchmarks.peers.starlette_app MODEL_DIR PORT`: POST /invocations, GET /ping. Run by `servers`.
"""

import sys
import threading

import torch
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from transformers import pipeline


def main(model_dir: str, port: int) -> None:
    """Serve text-generation."""
    torch.set_num_threads(1)
    pipe = pipeline("text-generation", model=model_dir, device="cpu")
    lock = threading.Lock()

    def answer(raw: dict[str, object]) -> object:
        with lock:
            return pipe(raw["inputs"], **raw["parameters"])  # type: ignore[dict-item]

    async def invoke(request: Request) -> JSONResponse:
        return JSONResponse(await run_in_threadpool(answer, await request.json()))

    async def ping(_request: Request) -> JSONResponse:
        return JSONResponse({})

    app = Starlette(routes=[Route("/invocations", invoke, methods=["POST"]), Route("/ping", ping)])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="critical")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
