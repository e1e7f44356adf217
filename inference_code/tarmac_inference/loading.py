"""Weights and tokenizers from a model directory, safely and with few imports. Called by every task's loader."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .faults import LoadError
from .shortages import first_line, is_shortage


def read_config(model_dir: Path) -> dict[str, Any]:
    """Read config.json. Raises LoadError when it is missing or makes no sense."""
    path = model_dir / "config.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LoadError(f"there is no config.json in {model_dir}") from None
    except (OSError, ValueError) as error:
        raise LoadError(f"config.json cannot be read: {error}") from None
    if not isinstance(raw, dict):
        raise LoadError("config.json is not a JSON object")
    return raw


def is_trusted() -> bool:
    """Whether whoever released the archive vouches for the code inside it (TARMAC_TRUST=trusted)."""
    return os.environ.get("TARMAC_TRUST", "scan") == "trusted"


def device() -> Any:
    """Choose where to compute: the first GPU, else the CPU."""
    import torch

    return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


def load_model(model_dir: Path, *, suffixes: Sequence[str], auto_class: str) -> Any:
    """Load the weights in evaluation mode.

    Args:
        model_dir: With config.json.
        suffixes: Endings of the class names that can do the task. The class that config.json names is used directly
            when it ends so: that imports one model's module, where an Auto class imports the tables of all.
        auto_class: The transformers Auto class to fall back to.
    """
    config = read_config(model_dir)
    named = next((str(name) for name in config.get("architectures") or [] if str(name).endswith(tuple(suffixes))), None)
    if is_trusted() and "auto_map" in config:
        named = None
    with _only_for_training_hidden():
        import transformers

        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        loader = getattr(transformers, named or auto_class, None) or getattr(transformers, auto_class)
    try:
        model = loader.from_pretrained(model_dir, **_safe_options())
    except Exception as error:
        if is_shortage(error):
            raise
        raise LoadError(_why(error, model_dir)) from error
    return model.to(device()).eval()


def _why(error: Exception, model_dir: Path) -> str:
    """Say in terms of the archive what transformers and safetensors say in their own."""
    told = f"{type(error).__name__}: {first_line(error)}"
    if type(error).__name__ == "SafetensorError":
        names = ", ".join(sorted(path.name for path in model_dir.glob("*.safetensors")))
        return f"the weights ({names}) are cut off or no safetensors: {told}"
    if "ignore_mismatched_sizes" in str(error):
        return "the weights have other shapes than config.json says; the log tells which"
    return f"the model cannot be loaded: {told}"


@contextmanager
def _only_for_training_hidden() -> Iterator[None]:
    """Hide what transformers imports for its training losses alone, when it is there: a tenth of the start-up.

    None in sys.modules is Python's own way to say that a module cannot be imported.
    """
    wanted = () if "transformers" in sys.modules else ("scipy", "sklearn", "pandas")
    hidden = [name for name in wanted if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def _safe_options() -> dict[str, Any]:
    """Never the network, never a pickle's code, never a prompt on standard input.

    `weights_only` is transformers' own default for a .bin file; said here so that no default can change under us.
    `trust_remote_code` must be said: left unset, a model with `auto_map` asks on standard input.
    """
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": is_trusted(), "weights_only": True}
    if os.environ.get("TARMAC_TRUST") == "strict":
        options["use_safetensors"] = True
    return options


def load_tokenizer(model_dir: Path) -> Any:
    """Load the tokenizer that the model was saved with."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_dir, local_files_only=True, trust_remote_code=is_trusted())
    # transformers 5 makes one without any words where there are no files, and then every text reads the same.
    if tokenizer.is_fast and set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
        raise LoadError("there are no tokenizer files (tokenizer.json, or the vocabulary) beside the weights")
    return tokenizer


def load_image_processor(model_dir: Path) -> Any:
    """Load the image processor that the model was saved with."""
    from transformers import AutoImageProcessor

    options = {"local_files_only": True, "trust_remote_code": is_trusted()}
    return AutoImageProcessor.from_pretrained(model_dir, **options)  # type: ignore[no-untyped-call]


def load_feature_extractor(model_dir: Path) -> Any:
    """Load what turns sound into what the model hears."""
    from transformers import AutoFeatureExtractor

    options = {"local_files_only": True, "trust_remote_code": is_trusted()}
    return AutoFeatureExtractor.from_pretrained(model_dir, **options)  # type: ignore[no-untyped-call]
