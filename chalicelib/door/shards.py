"""Weights in several files: are all there, and does the index say truly what is in which. Called by `weights`.

Source: transformers' modeling_utils: an index is read only where no file of the undivided weights' name is there.
"""

import posixpath
import re
from array import array
from collections import defaultdict
from collections.abc import Mapping, Set

from chalicelib.door.contents import INDEX_NAME, Contents
from chalicelib.door.indexes import Index, MalformedIndex, name_tensor, read_index
from chalicelib.door.kinds import Findings, declarer, shown
from chalicelib.reports import Severity

_declare = declarer("Weights")
MISSING = _declare(
    "weights-shard-missing",
    Severity.ERROR,
    "The weights come in several files and not all of them are there.",
    "Pack all files of the set.",
)
INDEX_MISSING = _declare(
    "weights-index-missing",
    Severity.ERROR,
    "The weights come in several files and the index that says what is in which is not there.",
    "Pack `model.safetensors.index.json` (or `pytorch_model.bin.index.json`) too.",
)
INDEX_WRONG = _declare(
    "weights-index-wrong",
    Severity.ERROR,
    "The index of the weights' files is malformed, or says that a tensor is in a file that does not hold it.",
    "Save the model again with `save_pretrained` into an empty folder, which writes index and files together.",
)
UNLISTED = _declare(
    "weights-not-in-index",
    Severity.WARNING,
    "A file of weights, or a tensor in one, is not in the index, so nothing will load it.",
    "Leave the file out, or save the model again into an empty folder: files of two savings may be mixed here.",
)
SIZE_ODD = _declare(
    "weights-total-size",
    Severity.WARNING,
    "The index's `total_size` is far from what its files hold: they may be of another saving than the index.",
    "Save the model again with `save_pretrained` into an empty folder.",
)

_SHARD = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<total>\d{5})\.(?P<ending>safetensors|bin)")
_TOTAL_MAX_RATIO = 1.1


def check_shards(contents: Contents, files: Mapping[str, int], findings: Findings) -> None:
    """Check the numbers in the weights' names, and what the index says; *files* are those that hold weights."""
    _check_numbers(contents, files, findings)
    for path in sorted(contents.root_files):
        # Where the undivided file is there, or any safetensors, the other index is not read.
        is_used = path.removesuffix(".index.json") not in contents.files
        if path.endswith(".bin.index.json"):
            is_used &= not any(name.endswith(".safetensors") for name in contents.root_files)
        if INDEX_NAME.fullmatch(path) and is_used:
            _check_index(path, contents, findings)


def _check_numbers(contents: Contents, files: Mapping[str, int], findings: Findings) -> None:
    sets: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    for path in files:
        if match := _SHARD.fullmatch(path):
            sets[match["stem"], match["ending"], match["total"]].add(int(match["number"]))
    for (stem, ending, total), numbers in sets.items():
        missing = int(total) - sum(1 <= number <= int(total) for number in numbers)
        if missing:
            first = next(number for number in range(1, len(numbers) + 2) if number not in numbers)
            message = f"{missing:,} of {int(total):,} files of weights are missing"
            findings.add(MISSING, message, path=f"{stem}-{first:05d}-of-{total}.{ending}")
        index = f"{stem}.{ending}.index.json"
        if int(total) > 1 and index not in contents.files:
            findings.add(INDEX_MISSING, f"{posixpath.basename(index)} is missing", path=index)


def _check_index(path: str, contents: Contents, findings: Findings) -> None:
    packed = contents.indexes.get(path)
    if packed is None:
        return
    try:
        index = read_index(packed)
    except MalformedIndex:
        findings.add(INDEX_WRONG, "the index is not JSON with a weight_map of tensors to files", path=path)
        return
    named = index.tensors.keys()
    missing = sorted(name for name in named if name not in contents.files)
    if missing and not findings.has(MISSING):
        message = f"the index names {len(missing):,} files of {len(named):,} that are not there"
        findings.add(MISSING, message, path=missing[0])
    _check_unlisted_files(path, named, contents, findings)
    if missing or any(_names_of(name, contents) is None for name in named):
        return
    _check_tensors(path, index, contents, findings)
    if all(name in contents.tensors for name in named):
        _check_total(path, index, contents, findings)


def _names_of(name: str, contents: Contents) -> "array[int] | None":
    """Give the hashes of a file's tensors' names; of a pickle, of which they are keys, those of all its keys."""
    if name in contents.tensors:
        return contents.tensors[name].names
    return contents.pickles[name].keys if name in contents.pickles else None


def _check_unlisted_files(path: str, named: Set[str], contents: Contents, findings: Findings) -> None:
    stem, ending = path.removesuffix(".index.json").rsplit(".", 1)
    for name in sorted(contents.root_files - named):
        match = _SHARD.fullmatch(name)
        if match and (match["stem"], match["ending"]) == (stem, ending):
            findings.add(UNLISTED, "the index does not name this file, so nothing will load it", path=name)


def _check_tensors(path: str, index: Index, contents: Contents, findings: Findings) -> None:
    for name, listed in index.tensors.items():
        hashes, held = frozenset(listed), frozenset(_names_of(name, contents) or ())
        if absent := hashes - held:
            tensor = name_tensor(contents.indexes[path], name, absent)
            more = f" and {len(absent) - 1:,} more" if len(absent) > 1 else ""
            message = f"the index says that {shown(tensor)}{more} is in {shown(name)}, and it is not"
            findings.add(INDEX_WRONG, message, path=path)
        if name in contents.tensors and (more_there := len(held - hashes)):
            message = f"{more_there:,} tensors of this file are not in the index, so nothing will load them"
            findings.add(UNLISTED, message, path=name)


def _check_total(path: str, index: Index, contents: Contents, findings: Findings) -> None:
    total, held = index.total_size, sum(contents.tensors[name].data_bytes for name in index.tensors)
    if total is None or not held:
        return
    is_number = isinstance(total, int | float) and not isinstance(total, bool)
    if not is_number or not held / _TOTAL_MAX_RATIO <= total <= held * _TOTAL_MAX_RATIO:
        said = f"{total:,.0f}" if is_number and 0 <= total < 1e18 else "something odd"
        findings.add(SIZE_ODD, f"the index says {said} bytes of tensors and its files hold {held:,}", path=path)
