"""Tiny real models of every family, built in milliseconds, for the tests: `python -m examples.variants NAME DIR`."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from examples import encoders, generators, senses


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
    "vision": senses.vision,
    "detector": senses.detector,
    "captioner": senses.captioner,
    "hearer": senses.hearer,
    "speller": senses.speller,
    "whisperer": senses.whisperer,
    "table-reader": senses.table_reader,
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
