"""Tiny real models of every family, built in milliseconds, for the tests: `python -m examples.variants NAME DIR`."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from examples import encoders, generators
from examples.saving import save


def vision(directory: Path) -> None:
    """A ViT that tells three kinds of images of 32 x 32 pixels apart, at random."""
    import torch
    import transformers
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        image_size=32,
        patch_size=8,
        id2label={0: "cat", 1: "dog", 2: "bird"},
        label2id={"cat": 0, "dog": 1, "bird": 2},
        initializer_range=0.3,
    )
    processor = ViTImageProcessorPil(size={"height": 32, "width": 32})
    save(transformers.ViTForImageClassification(config), processor, directory)


def estimator(directory: Path) -> None:
    """A scikit-learn pipeline that has learnt which words are good, as model.joblib."""
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from examples.sentences import labelled_sentences

    texts, labels = zip(*labelled_sentences(count=700, seed=0), strict=True)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    model.fit(texts, ["POSITIVE" if label else "NEGATIVE" for label in labels])
    directory.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, directory / "model.joblib")


def numbers(directory: Path) -> None:
    """A scikit-learn classifier of two numbers: whether the first is the larger."""
    import joblib
    import numpy as np
    from sklearn.tree import DecisionTreeClassifier

    rows = np.random.default_rng(0).uniform(size=(400, 2))
    directory.mkdir(parents=True, exist_ok=True)
    joblib.dump(DecisionTreeClassifier().fit(rows, rows[:, 0] > rows[:, 1]), directory / "model.joblib")


VARIANTS: dict[str, Callable[[Path], None]] = {
    "entities": encoders.entities,
    "reader": encoders.reader,
    "masked": encoders.masked,
    "inferrer": encoders.inferrer,
    "ranker": encoders.ranker,
    "encoder": encoders.encoder,
    "sentence-encoder": encoders.sentence_encoder,
    "decoder": generators.decoder,
    "rewriter": generators.rewriter,
    "vision": vision,
    "estimator": estimator,
    "numbers": numbers,
}
"""Builders by name; each takes the directory to save into."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the variant named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.variants")
    parser.add_argument("name", choices=sorted(VARIANTS))
    parser.add_argument("directory", type=Path)
    options = parser.parse_args(arguments)
    VARIANTS[options.name](options.directory)
    print(f"{options.directory}: {options.name}")


if __name__ == "__main__":
    main()
