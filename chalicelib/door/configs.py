"""Reads config.json and its companions. Called by `inspection`; what it gives back is what the plan is made from."""

import codecs
import json
import re
from collections.abc import Mapping
from typing import Any

from chalicelib.door.contents import NOT_KEPT, Contents
from chalicelib.door.kinds import Findings, declarer, shown
from chalicelib.door.layouts import Framework
from chalicelib.reports import Severity

_declare = declarer("Configuration")
NOT_JSON = _declare(
    "config-not-json",
    Severity.ERROR,
    "A configuration file is not JSON; the message gives the line.",
    "Mend that line (JSON has no comments, and no comma behind the last item), or save the model again.",
)
NOT_OBJECT = _declare(
    "config-not-object", Severity.ERROR, "A configuration file is JSON, but not an object.", "Save the model again."
)
ARCHITECTURES = _declare(
    "config-architectures",
    Severity.WARNING,
    "`architectures` in config.json is no list of names: transformers takes it, other readers of the file may not.",
    'Write it as a list, `"architectures": ["BertForSequenceClassification"]`, or save the model again.',
)
COMPONENT_MISSING = _declare(
    "diffusers-component-missing",
    Severity.ERROR,
    "model_index.json names a part of the pipeline whose folder is not in the archive; diffusers would not load it.",
    "Pack everything that the pipeline's `save_pretrained` wrote, its folders included.",
)
TOKENIZER_MISSING = _declare(
    "tokenizer-missing",
    Severity.WARNING,
    "A text model has no tokenizer beside it.",
    "Call `tokenizer.save_pretrained(FOLDER)` on the same folder as the model, and pack again.",
)
PROCESSOR_MISSING = _declare(
    "processor-missing",
    Severity.WARNING,
    "A vision or audio model has no preprocessor configuration beside it.",
    "Call `processor.save_pretrained(FOLDER)` on the same folder as the model, and pack again.",
)

_AS_UTF8 = "Save it as UTF-8 without a byte order mark; PowerShell's `>` and Windows' editors write others."
_SAVE_AGAIN = "Save the model again."
_KINDS = {bool: "a boolean", dict: "an object", float: "a number", int: "a number", list: "a list", str: "a string"}
"""What JSON calls Python's types."""
_JSON_NAMES = (
    "config.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
    "model_index.json",
    "adapter_config.json",
)
_TOKENIZER = re.compile(
    r"(tokenizer\.json|vocab\.(txt|json)|spiece\.model|source\.spm|sentencepiece(\.bpe)?\.model|tokenizer\.model"
    r"|bpe\.codes|tokenization_\w+\.py|.*\.tiktoken|tekken\.json)"
)
_PROCESSORS = frozenset({"preprocessor_config.json", "processor_config.json", "image_processor_config.json"})


def read_configs(contents: Contents, findings: Findings) -> Mapping[str, Mapping[str, Any]]:
    """Parse every configuration file kept; give what each holds, by name. What cannot be read is left out, and told."""
    configs: dict[str, Mapping[str, Any]] = {}
    for name in _JSON_NAMES:
        raw = contents.kept.get(name)
        if raw is not None and (parsed := _parse(name, raw, findings)) is not None:
            configs[name] = parsed
    if "config.json" in configs:
        _check_architectures(configs["config.json"], findings)
    if "model_index.json" in configs and "code/inference.py" not in contents.files:
        _check_components(configs["model_index.json"], contents, findings)
    return configs


def _check_architectures(config: Mapping[str, Any], findings: Findings) -> None:
    named = config.get("architectures")
    if named is None or (isinstance(named, list) and all(isinstance(one, str) for one in named)):
        return
    fix = f'Write it as a list: `"architectures": ["{shown(named)}"]`.' if isinstance(named, str) else None
    message = f"architectures is {_KINDS.get(type(named), 'something else')}, not a list of names"
    findings.add(ARCHITECTURES, message, path="config.json", fix=fix)


def _check_components(index: Mapping[str, Any], contents: Contents, findings: Findings) -> None:
    """Look for the folder of each part: `"unet": ["diffusers", "UNet2DConditionModel"]`; [null, null] has none."""
    folders = {path.partition("/")[0] for path in contents.files if "/" in path}
    for name, value in index.items():
        is_part = isinstance(value, list) and len(value) == 2 and all(isinstance(one, str) for one in value)
        if is_part and not name.startswith("_") and name not in folders:
            message = f"model_index.json names {shown(name)}, and there is no folder {shown(name)}/"
            findings.add(COMPONENT_MISSING, message, path="model_index.json")


def check_companions(contents: Contents, framework: Framework | None, *, is_text: bool, findings: Findings) -> None:
    """Check that what turns a caller's input into tensors came along with the model."""
    if framework is not Framework.TRANSFORMERS or findings.has(NOT_KEPT):
        return
    root = contents.root_files
    if is_text and not any(_TOKENIZER.fullmatch(name) for name in root):
        findings.add(TOKENIZER_MISSING, "the archive has no tokenizer (tokenizer.json, vocab.txt, spiece.model, …)")
    if not is_text and not _PROCESSORS & root:
        findings.add(PROCESSOR_MISSING, "the archive has no preprocessor_config.json")


def _parse(name: str, raw: bytes, findings: Findings) -> Mapping[str, Any] | None:
    try:
        parsed = json.loads(raw.decode())
    except json.JSONDecodeError as exc:
        message = f"{name} is not JSON: {exc.msg} (line {exc.lineno}, column {exc.colno})"
        if raw.startswith(codecs.BOM_UTF8):
            findings.add(NOT_JSON, f"{name} begins with a byte order mark", path=name, fix=_AS_UTF8)
        else:
            findings.add(NOT_JSON, message, path=name)
    except UnicodeDecodeError:
        findings.add(NOT_JSON, f"{name} is not UTF-8 text", path=name, fix=_AS_UTF8)
    except RecursionError:
        findings.add(NOT_JSON, f"{name} is nested too deeply to be read", path=name, fix=_SAVE_AGAIN)
    except ValueError as exc:
        findings.add(NOT_JSON, f"{name} is not JSON that can be read ({exc})", path=name)
    else:
        if isinstance(parsed, dict):
            return parsed
        findings.add(NOT_OBJECT, f"{name} holds {_KINDS.get(type(parsed), 'null')}, not an object", path=name)
    return None
