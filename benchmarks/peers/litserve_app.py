"""The sentence encoder as one writes it for LitServe, with batching. Run in LitServe's own environment by `litserve`.

`python -m benchmarks.peers.litserve_app MODEL_DIR PORT --batch N --workers N --threads N`: POST /predict, GET /health.
"""

import argparse
from typing import Any

import litserve


class SentenceEncoder(litserve.LitAPI):  # type: ignore[misc]  # its environment is not the type checker's
    """Mean of the token vectors, at length one; a batch is one forward pass."""

    def __init__(self, model_dir: str, *, threads: int, batch: int) -> None:
        super().__init__(max_batch_size=batch, batch_timeout=0.001 if batch > 1 else 0.0)
        self._model_dir = model_dir
        self._threads = threads

    def setup(self, device: str) -> None:
        """Load, once in each worker."""
        import torch
        from transformers import AutoModel, AutoTokenizer

        torch.set_num_threads(self._threads)
        self._tokenizer = AutoTokenizer.from_pretrained(self._model_dir)
        self._model = AutoModel.from_pretrained(self._model_dir).to(device).eval()

    def decode_request(self, request: dict[str, Any]) -> str:
        """Take the text out."""
        return str(request["inputs"])

    def predict(self, texts: str | list[str]) -> list[list[float]]:
        """Encode a batch; without batching, one text."""
        import torch

        asked = [texts] if isinstance(texts, str) else texts
        batch = self._tokenizer(asked, padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            hidden = self._model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        vectors: list[list[float]] = torch.nn.functional.normalize(pooled, dim=-1).tolist()
        return vectors

    def encode_response(self, vector: list[float]) -> list[float]:
        """Give the vector as JSON."""
        return vector


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model_dir")
    parser.add_argument("port", type=int)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    chosen = parser.parse_args()
    api = SentenceEncoder(chosen.model_dir, threads=chosen.threads, batch=chosen.batch)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=chosen.workers, timeout=60)
    server.run(host="127.0.0.1", port=chosen.port, num_api_servers=1, log_level="error", generate_client_file=False)


if __name__ == "__main__":
    main()
