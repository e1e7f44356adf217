"""Which model types and architectures the transformers of an image knows. Called by `versions`; pure.

Source: `architecture_table`, generated from transformers' own wheels.
"""

from collections.abc import Mapping


def is_listed(version: str) -> bool:
    """Tell whether the table knows this version of transformers."""
    return version in _table()[0]


def knows_model_type(version: str, model_type: str) -> bool:
    """Tell whether a version's AutoConfig knows a config.json's model_type. *version* must be listed."""
    letter = _letter(version)
    return any(letter in key and model_type in names.split() for key, names in _table()[1].items())


def knows_architecture(version: str, architecture: str) -> bool:
    """Tell whether any of a version's auto classes loads an architecture. *version* must be listed."""
    letter = _letter(version)
    for key, stems in _table()[2].items():
        letters, _, end = key.partition(":")
        if letter in letters and architecture.endswith(end) and architecture.removesuffix(end) in stems.split():
            return True
    return False


def _letter(version: str) -> str:
    return chr(ord("a") + _table()[0].index(version))


def _table() -> tuple[tuple[str, ...], Mapping[str, str], Mapping[str, str]]:
    # Imported when a plan is made: 30 kB of names that most starts of a Lambda function never need.
    from chalicelib.door import architecture_table as table

    return table.VERSIONS, table.MODEL_TYPES, table.ARCHITECTURES
