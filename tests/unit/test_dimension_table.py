"""What a composite model leaves out of its config.json is what transformers takes by default."""

import json
from pathlib import Path
from typing import Any

import pytest
import transformers

from chalicelib.door.dimension_table import DEFAULTS
from chalicelib.door.shapes import Shape, read_shape
from tarmac.tables.dimensions import TABLE, collect, render


def shape_of(config: Any, folder: Path) -> Shape | None:
    """What the door reads of a configuration as `save_pretrained` writes it."""
    config.save_pretrained(folder)
    return read_shape(json.loads((folder / "config.json").read_text()))


def test_the_table_is_what_transformers_says() -> None:
    assert TABLE.read_text() == render(collect()), "run `python -m tarmac.tables.dimensions`"


@pytest.mark.parametrize(
    ("composite", "inner"),
    [
        (transformers.LlavaConfig(text_config=transformers.LlamaConfig()), transformers.LlamaConfig()),
        (
            transformers.LlavaConfig(text_config=transformers.LlamaConfig(num_hidden_layers=40, hidden_size=5120)),
            transformers.LlamaConfig(num_hidden_layers=40, hidden_size=5120),
        ),
        (transformers.PaliGemmaConfig(text_config=transformers.GemmaConfig()), transformers.GemmaConfig()),
        (transformers.Blip2Config(text_config=transformers.OPTConfig()), transformers.OPTConfig()),
        (transformers.LlavaNextConfig(text_config=transformers.MistralConfig()), transformers.MistralConfig()),
    ],
    ids=["llava", "llava of 13 billion", "paligemma", "blip-2", "llava-next"],
)
def test_a_composite_has_the_dimensions_of_its_language_model(composite: Any, inner: Any, tmp_path: Path) -> None:
    found = shape_of(composite, tmp_path / "composite")

    # Alone, a model writes all of its own.
    alone = shape_of(inner, tmp_path / "inner")
    assert found is not None
    assert alone is not None
    assert (found.layers, found.hidden, found.heads) == (alone.layers, alone.hidden, alone.heads)
    assert (found.kv_heads, found.head_dim, found.max_tokens) == (alone.kv_heads, alone.head_dim, alone.max_tokens)


def test_what_is_written_goes_before_the_default() -> None:
    config = {"text_config": {"model_type": "llama", "num_hidden_layers": 2, "num_key_value_heads": 4}}

    found = read_shape(config)

    assert found is not None
    assert (found.layers, found.kv_heads, found.hidden) == (2, 4, 4096)


@pytest.mark.parametrize("model_type", ["of-tomorrow", None, 7, ["llama"], {}])
def test_a_type_that_is_not_known_has_no_defaults(model_type: object) -> None:
    assert read_shape({"text_config": {"model_type": model_type}}) is None


def test_every_row_can_be_read() -> None:
    for row in DEFAULTS.values():
        assert all(int(each.partition("=")[2]) >= 0 for each in row.split())
