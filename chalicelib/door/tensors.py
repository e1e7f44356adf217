"""The header of a safetensors file: what types and how many parameters, without the weights. Called by `contents`.

Source: the safetensors format: 8 bytes little-endian header length N (at most 100 MB), N bytes of JSON that map a
tensor's name to {"dtype", "shape", "data_offsets": [begin, end]}, then the data; offsets count from the data's start.
"""

import json
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TypeGuard

LENGTH_BYTES = 8
HEADER_MAX_BYTES = 100_000_000
HEADER_READ_MAX_BYTES = 4 << 20
"""Some 30,000 tensors in one file. A longer header is legal, but parsing it would not fit a small Lambda."""

BITS = {
    "F64": 64, "I64": 64, "U64": 64, "C64": 64, "F32": 32, "I32": 32, "U32": 32,
    "F16": 16, "BF16": 16, "I16": 16, "U16": 16,
    "I8": 8, "U8": 8, "BOOL": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
}  # fmt: skip


class MalformedSafetensors(ValueError):
    """The file is not what the format allows; the message says what."""


@dataclass(frozen=True)
class TensorFacts:
    """What one file holds: parameters by dtype, and the bytes they take as stored.

    Attributes:
        names: Hashes of the tensors' names, as this process makes them; None where they are not known.
    """

    parameters: tuple[tuple[str, int], ...]
    data_bytes: int
    names: "array[int] | None" = field(default=None, compare=False, repr=False)

    @property
    def parameter_count(self) -> int:
        """Over all dtypes."""
        return sum(count for _, count in self.parameters)


def header_bytes(first: bytes, *, file_bytes: int) -> int:
    """Read the header's length from the first 8 bytes of a file of *file_bytes*. Raises MalformedSafetensors."""
    if len(first) < LENGTH_BYTES:
        raise MalformedSafetensors("it is shorter than its own header's length field")
    length = int.from_bytes(first[:LENGTH_BYTES], "little")
    if length > HEADER_MAX_BYTES:
        raise MalformedSafetensors(f"its header claims {length:,} bytes; the format allows {HEADER_MAX_BYTES:,}")
    if length > file_bytes - LENGTH_BYTES:
        raise MalformedSafetensors(f"its header claims {length:,} bytes and the file has {file_bytes:,}")
    return length


def parse_tensors(raw: bytes, *, file_bytes: int) -> TensorFacts:
    """Parse a header and check it against the file's size.

    Args:
        raw: The header's JSON, whole.
        file_bytes: Of the whole file.

    Raises:
        MalformedSafetensors: It is no such header, or the file is shorter or longer than its tensors.
    """
    tensors = _Tensors()
    try:
        header = json.loads(raw.decode(), object_pairs_hook=tensors.take, parse_constant=_refuse_constant)
    except MalformedSafetensors:
        raise
    except (ValueError, RecursionError) as exc:
        raise MalformedSafetensors("its header is not JSON") from exc
    if raw[:1] != b"{" or not isinstance(header, dict):
        raise MalformedSafetensors("its header is not a JSON object of tensors")
    _check_texts(header)
    if not all(tensor is _COUNTED for tensor in header.values()):
        raise MalformedSafetensors("its header holds something that is not a tensor")
    expected_bytes = LENGTH_BYTES + len(raw) + tensors.end()
    if expected_bytes != file_bytes:
        raise MalformedSafetensors(f"its tensors need {expected_bytes:,} bytes and it has {file_bytes:,}")
    # Hashes, not names: of an archive of many files, the names of all tensors would not fit.
    return TensorFacts(tuple(sorted(tensors.counts.items())), tensors.end(), array("q", map(hash, header)))


_COUNTED = object()


class _Tensors:
    """Counts each tensor as it is parsed and drops it, so that memory does not grow with them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._spans: list[int] = []

    def take(self, pairs: list[tuple[str, Any]]) -> Any:
        """Take a JSON object, innermost first: a tensor's entry, `__metadata__`, or the header itself."""
        entry = dict(pairs)
        if len(entry) < len(pairs):
            raise MalformedSafetensors("its header says one thing twice")
        offsets = entry.get("data_offsets", "")
        if isinstance(offsets, str) or offsets is _COUNTED:
            # Metadata, which is text to text; or the header, which may call a tensor by this very name.
            return entry
        dtype, count, begin, end = _tensor(entry)
        self.counts[dtype] += count
        # One number a tensor: tens of thousands of pairs would not fit.
        self._spans.append(begin << 64 | end)
        return _COUNTED

    def end(self) -> int:
        """Tell where the last tensor ends, in bytes; each must begin where the one before it ends.

        Raises:
            MalformedSafetensors: There is a hole between two of them, or they overlap.
        """
        self._spans.sort()
        at = 0
        for span in self._spans:
            if span >> 64 != at:
                raise MalformedSafetensors("its tensors do not lie one behind the other")
            at = span & (1 << 64) - 1
        return at


def _check_texts(header: dict[str, Any]) -> None:
    """Take the metadata out of a header; see that it and the names are text. Raises MalformedSafetensors."""
    metadata = header.pop("__metadata__", None) or {}
    try:
        # JSON can spell half a character, and no reader of the file takes that.
        "".join([*header, *metadata, *metadata.values()]).encode()
    except (UnicodeEncodeError, TypeError, AttributeError) as exc:
        raise MalformedSafetensors("its header holds a name or metadata that is no text") from exc


def _refuse_constant(name: str) -> None:
    raise MalformedSafetensors(f"its header holds {name}")


def _tensor(entry: dict[str, Any]) -> tuple[str, int, int, int]:
    """Give a tensor's type, how many parameters it has, and where it begins and ends. Raises MalformedSafetensors."""
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry["data_offsets"]
    if not isinstance(dtype, str) or not _is_counts(shape) or not _is_counts(offsets) or len(offsets) != 2:
        raise MalformedSafetensors("a tensor's entry has the wrong shape")
    begin, end = offsets
    count = 1
    for dimension in shape:
        count *= dimension
        if count * BITS.get(dtype, 1) >= 1 << 64:
            raise MalformedSafetensors("a tensor is larger than any file can be")
    if end < begin or (dtype in BITS and (end - begin) * 8 != count * BITS[dtype]):
        raise MalformedSafetensors("a tensor's offsets do not fit its type and shape")
    return dtype, count, begin, end


def _is_counts(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(
        isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 1 << 64 for number in value
    )
