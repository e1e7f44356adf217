"""Writes chalicelib/door/dimension_table.py from the installed transformers: `python -m tarmac.tables.dimensions`.

A composite model (LLaVA, say) writes of its language model only what differs from transformers' defaults, so what is
not in its config.json has to be known. The table holds the defaults of every model type that generates text.
"""

from collections.abc import Mapping
from pathlib import Path

from chalicelib.door.shapes import DIMENSIONS_READ

TABLE = Path(__file__).parents[2] / "chalicelib" / "door" / "dimension_table.py"


def collect() -> dict[str, dict[str, int]]:
    """Ask transformers for the defaults of each configuration class, by model type."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    )

    found = {}
    for model_type in sorted({*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, *MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES}):
        try:
            written = CONFIG_MAPPING[model_type]().to_dict()
        except Exception:  # noqa: BLE001, S112  # a few classes have no defaults that they accept themselves
            continue
        numbers = {name: written[name] for name in DIMENSIONS_READ if type(written.get(name)) is int}
        if numbers:
            found[model_type] = numbers
    return found


def render(dimensions: Mapping[str, Mapping[str, int]]) -> str:
    """Render the table's module."""
    import transformers

    source = f"transformers {transformers.__version__}"
    rows = (
        f'    "{model_type}": "{" ".join(f"{name}={value}" for name, value in numbers.items())}",'
        for model_type, numbers in dimensions.items()
    )
    return "\n".join(
        [
            '"""What transformers takes for dimensions that config.json leaves out, by model type. Called by `shapes`.',
            "",
            f"Written by `python -m tarmac.tables.dimensions` from {source}; edit nothing here.",
            '"""',
            "",
            "# ruff: noqa: E501",
            "# fmt: off",
            "DEFAULTS = {",
            *rows,
            "}",
            "",
        ]
    )


def main() -> None:
    """Write the table."""
    TABLE.write_text(render(collect()))
    print(f"{TABLE.name} written")  # noqa: T201  # a command says what it did


if __name__ == "__main__":
    main()
