"""The header of a safetensors file: what types and how many parameters, without the weights. Called by `contents`.

Source: the safetensors format: 8 bytes little-endian header length N (at most 100 MB), N bytes of JSON that map a
tensor's name to {"dtype", "shape", "data_offsets": [begin, end]}, then the data; offsets count from the data's start.
"""

import json
import math
from collections import Counter
from dataclasses import dataclass
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
    """What one file holds: parameters by dtype, and the bytes they take as stored."""

    parameters: tuple[tuple[str, int], ...]
    data_bytes: int

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
    counts: Counter[str] = Counter()
    ends = [0]

    def reduce(pairs: list[tuple[str, Any]]) -> dict[str, Any] | None:
        # Called innermost first: each tensor is counted and dropped at once, so that memory does not grow with them.
        entry = dict(pairs)
        if "data_offsets" not in entry or "dtype" not in entry:
            return entry
        dtype, count, end = _tensor(entry)
        counts[dtype] += count
        ends[0] = max(ends[0], end)
        return None

    try:
        header = json.loads(raw, object_pairs_hook=reduce)
    except MalformedSafetensors:
        raise
    except (ValueError, RecursionError, TypeError) as exc:
        raise MalformedSafetensors("its header is not JSON") from exc
    if not isinstance(header, dict):
        raise MalformedSafetensors("its header is not a JSON object of tensors")
    expected_bytes = LENGTH_BYTES + len(raw) + ends[0]
    if expected_bytes != file_bytes:
        raise MalformedSafetensors(f"its tensors need {expected_bytes:,} bytes and it has {file_bytes:,}")
    return TensorFacts(tuple(sorted(counts.items())), ends[0])


def _tensor(entry: dict[str, Any]) -> tuple[str, int, int]:
    dtype, shape, offsets = entry["dtype"], entry.get("shape"), entry["data_offsets"]
    if not isinstance(dtype, str) or not _is_counts(shape) or not _is_counts(offsets) or len(offsets) != 2:
        raise MalformedSafetensors("a tensor's entry has the wrong shape")
    begin, end = offsets
    count = math.prod(shape)
    if dtype in BITS and (end - begin) * 8 != count * BITS[dtype]:
        raise MalformedSafetensors("a tensor's offsets do not fit its type and shape")
    return dtype, count, end


def _is_counts(value: Any) -> TypeGuard[list[int]]:
    return (
        isinstance(value, list)
        and len(value) <= 32
        and all(isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 1 << 63 for number in value)
    )
