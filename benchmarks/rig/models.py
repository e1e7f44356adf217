"""The models that are measured: `python -m benchmarks.rig.models NAME DIR`, with any transformers.

An archive that transformers 5 saves cannot be read by 4; so where a peer has 4, the model is built there.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.rig.processes import ROOT, run_to_end
from examples import generators, sentiment
from examples.encoders import as_sentence_encoder, tokenizer
from examples.saving import save

HOOKS = '''
"""Sentence embeddings under the toolkit, whose own feature-extraction gives a vector for each token."""

import torch
from transformers import AutoModel, AutoTokenizer


def model_fn(model_dir):
    return AutoTokenizer.from_pretrained(model_dir), AutoModel.from_pretrained(model_dir).eval()


def predict_fn(data, loaded):
    tokenizer, model = loaded
    batch = tokenizer(data["inputs"], padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    pooled = (hidden * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(pooled, dim=-1).tolist()
'''


def classifier(directory: Path) -> None:
    """A BERT of 0.1 million weights that tells good from bad."""
    sentiment.build(directory)


def encoder(directory: Path) -> None:
    """An encoder of all-MiniLM-L6's shape, 22.7 million weights, random ones: as fast as real ones."""
    import torch
    import transformers

    torch.manual_seed(0)
    words = tokenizer()
    config = transformers.BertConfig(
        vocab_size=30_522,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        pad_token_id=words.pad_token_id,
    )
    save(transformers.BertModel(config), words, directory)
    as_sentence_encoder(directory, width=config.hidden_size)


def hooked_encoder(directory: Path) -> None:
    """The same, with a code/inference.py by which the toolkit pools as the other servers do."""
    encoder(directory)
    (directory / "code").mkdir()
    (directory / "code" / "inference.py").write_text(HOOKS, encoding="utf-8")


def writer(directory: Path) -> None:
    """A GPT-2 of 0.1 million weights."""
    generators.decoder(directory)


MODELS: dict[str, Callable[[Path], None]] = {
    "classifier": classifier,
    "encoder": encoder,
    "hooked-encoder": hooked_encoder,
    "writer": writer,
}


def build(name: str, directory: Path, *, python: Path) -> Path:
    """Build a model into DIRECTORY/NAME with another Python, once. Raises RuntimeError with its last words."""
    made = directory / name
    if not made.exists():
        directory.mkdir(parents=True, exist_ok=True)
        run_to_end([str(python), "-m", "benchmarks.rig.models", name, str(made)], cwd=ROOT)
    return made


if __name__ == "__main__":
    MODELS[sys.argv[1]](Path(sys.argv[2]))
