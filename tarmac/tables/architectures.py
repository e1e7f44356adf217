"""Writes chalicelib/door/architecture_table.py from transformers' own wheels: `python -m tarmac.tables.architectures`.

For each transformers that an image of image_table has, the table holds the model types and architectures that its auto
classes know. A wheel is downloaded and its mappings are evaluated; transformers is neither installed nor imported, as
three of its versions would want three versions of everything else. A test holds this way of reading against an import.
"""

import ast
import subprocess
import sys
import textwrap
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.door.image_table import IMAGES

TABLE = Path(__file__).parents[2] / "chalicelib" / "door" / "architecture_table.py"
WHEELS = Path(__file__).parents[2] / "build" / "wheels"
_AUTO = "transformers/models/auto/"
_SOURCES = ("auto_mappings.py", "configuration_auto.py", "modeling_auto.py")
_MAX_S = 300
_PLAIN = (
    ast.Call, ast.Name, ast.Attribute, ast.Subscript, ast.List, ast.Tuple, ast.Dict, ast.Constant, ast.keyword,
    ast.expr_context,
)  # fmt: skip
_ENDINGS_FROM = ("For", "Model", "LMHead", "Encoder", "Decoder", "Backbone", "With")


class WheelUnavailable(RuntimeError):
    """A wheel cannot be downloaded; the message says why."""


@dataclass(frozen=True)
class Known:
    """What one version of transformers knows."""

    model_types: frozenset[str]
    architectures: frozenset[str]


def versions() -> tuple[str, ...]:
    """The versions of transformers in the images planned with, oldest first."""
    found = {transformers for _, _, transformers, *_ in IMAGES if transformers}
    return tuple(sorted(found, key=lambda version: [int(number) for number in version.split(".")]))


def wheel_of(version: str, folder: Path = WHEELS) -> Path:
    """Download a version's wheel, or find what an earlier run downloaded. Raises WheelUnavailable."""
    wheel = folder / f"transformers-{version}-py3-none-any.whl"
    if wheel.exists():
        return wheel
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]
    command = [*pip, "--only-binary", ":all:", "--dest", str(folder), f"transformers=={version}"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_MAX_S)
    except subprocess.TimeoutExpired as exc:
        raise WheelUnavailable(f"transformers {version} was not downloaded in {_MAX_S} s") from exc
    if not wheel.exists():
        raise WheelUnavailable(f"transformers {version} cannot be downloaded: {ran.stderr.strip()[-300:]}")
    return wheel


def read_wheel(wheel: Path) -> Known:
    """Read what a wheel's auto classes know."""
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        return read_sources(opened.read(_AUTO + name).decode() for name in _SOURCES if _AUTO + name in names)


def read_sources(sources: Iterable[str]) -> Known:
    """Evaluate the mappings in the auto classes' sources, in order: dictionaries of names, and nothing else of them."""
    namespace: dict[str, Any] = {"OrderedDict": OrderedDict, "str": str, "__builtins__": {}}
    for source in sources:
        for statement in ast.parse(source).body:
            if _is_mapping(statement):
                exec(compile(ast.Module([statement], []), "<mappings>", "exec"), namespace)  # noqa: S102  # see above
    mappings = {
        name: value for name, value in namespace.items() if isinstance(value, Mapping) and name.endswith("_NAMES")
    }
    models = {name: value for name, value in mappings.items() if name.startswith("MODEL_")}
    architectures = {one for value in models.values() for names in value.values() for one in _each(names)}
    return Known(frozenset(mappings["CONFIG_MAPPING_NAMES"]), frozenset(architectures))


def _is_mapping(statement: ast.stmt) -> bool:
    """Whether a statement makes or adds to a dictionary called *_NAMES from literals and other such dictionaries."""
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        value = statement.value
        if isinstance(statement, ast.AnnAssign):
            statement.annotation = ast.Constant(None)
        is_named = all(isinstance(target, ast.Name) and target.id.endswith("_NAMES") for target in targets)
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        function, value = statement.value.func, statement.value
        is_named = (
            isinstance(function, ast.Attribute)
            and function.attr == "update"
            and isinstance(function.value, ast.Name)
            and function.value.id.endswith("_NAMES")
        )
    else:
        return False
    return is_named and value is not None and all(isinstance(node, _PLAIN) for node in ast.walk(value))


def _each(names: str | tuple[str, ...] | list[str]) -> Iterable[str]:
    return [names] if isinstance(names, str) else names


def render(known: Mapping[str, Known]) -> str:
    """Render the table's module, from the versions oldest first."""
    lines = [
        '"""Which model types and architectures each image\'s transformers knows. Called by `architectures`.',
        "",
        "Written by `python -m tarmac.tables.architectures`, from transformers' wheels; edit nothing here.",
        '"""',
        "",
        "# fmt: off",
        f"VERSIONS = {list(known)!r}".replace("[", "(").replace("]", ")").replace("'", '"'),
        "MODEL_TYPES = {",
        *_blocks({version: one.model_types for version, one in known.items()}, ends={}),
        "}",
        '"""Names by the versions that know them, of which each has its letter: a for the first."""',
        "ARCHITECTURES = {",
        *_blocks({version: one.architectures for version, one in known.items()}, ends=_endings(known.values())),
        "}",
        '"""The same: by versions, and by how the names end."""',
        "",
    ]
    return "\n".join(lines)


def _endings(known: Iterable[Known]) -> dict[str, str]:
    """Give each architecture's ending: what stands from its first word of a head on."""
    ends = {}
    for name in {name for one in known for name in one.architectures}:
        places = [name.find(word, 1) for word in _ENDINGS_FROM if name.find(word, 1) > 0]
        ends[name] = name[min(places) :] if places else ""
    return ends


def _blocks(names: Mapping[str, frozenset[str]], *, ends: Mapping[str, str]) -> list[str]:
    grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in sorted(frozenset().union(*names.values())):
        letters = "".join(chr(ord("a") + place) for place, known in enumerate(names.values()) if name in known)
        end = ends.get(name, "")
        grouped[letters, end].append(name.removesuffix(end) if end else name)
    lines = []
    for (letters, end), stems in sorted(grouped.items()):
        wrapped = textwrap.wrap(" ".join(stems), 100, break_on_hyphens=False, break_long_words=False)
        key = f'"{letters}:{end}"' if ends else f'"{letters}"'
        if len(key) + len(wrapped[0]) < 100 and len(wrapped) == 1:
            lines.append(f'    {key}: "{wrapped[0]}",')
        else:
            lines += [
                f"    {key}: (",
                *(f'        "{line} "' for line in wrapped[:-1]),
                f'        "{wrapped[-1]}"',
                "    ),",
            ]
    return lines


def collect() -> dict[str, Known]:
    """Read every version's wheel. Raises WheelUnavailable."""
    return {version: read_wheel(wheel_of(version)) for version in versions()}


def main() -> None:
    """Write the table."""
    TABLE.write_text(render(collect()))
    print(f"{TABLE.name} written from transformers {', '.join(versions())}")  # noqa: T201  # a command says what it did


if __name__ == "__main__":
    main()
