"""Fuzzes the reader of safetensors headers: `python -m tests.fuzz.fuzz_door_safetensors --seconds 60`.

The format's own library is asked the same: what it reads the door must read, and what it refuses the door must refuse.
"""

import json
import math
from typing import Any

import safetensors

from tests.fuzz.harness import Broken, Reader
from tests.fuzz.running import instrumented, main

with instrumented(__name__):
    from chalicelib.door.tensors import (
        BITS,
        LENGTH_BYTES,
        MalformedSafetensors,
        TensorFacts,
        header_bytes,
        parse_tensors,
    )

from tests.unit import corpus

_AS_IT_IS, _AS_A_HEADER, _AS_TENSORS = b"\x00", b"\x01", b"\x02"
_RECIPE_BYTES = 5
_DTYPES = (*BITS, "F128")
_ZEROS_MAX_BYTES = 4096


def read(data: bytes) -> Any:
    """Read a safetensors file: the input's own bytes, or a header of them before as many zeros as they ask for."""
    how, rest = data[:1], data[1:]
    raw = rest if how == _AS_IT_IS else _as_header(rest if how == _AS_A_HEADER else _header_of(rest))
    try:
        length = header_bytes(raw[:LENGTH_BYTES], file_bytes=len(raw))
        found = parse_tensors(raw[LENGTH_BYTES : LENGTH_BYTES + length], file_bytes=len(raw))
    except MalformedSafetensors as exc:
        found, fault = None, str(exc)
    else:
        fault = ""
    _compare(raw, found, fault)
    return found, fault


def _as_header(header: bytes) -> bytes:
    try:
        entries = json.loads(header)
        ends = [entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"]
        size = max([0, *(end for end in ends if isinstance(end, int))])
    except (ValueError, RecursionError, TypeError, KeyError, IndexError, AttributeError):
        size = 16
    return len(header).to_bytes(LENGTH_BYTES, "little") + header + bytes(min(size, _ZEROS_MAX_BYTES))


def _header_of(recipes: bytes) -> bytes:
    """Write a header of one tensor for every five bytes: type, two dimensions, how much its offsets are wrong."""
    header, at = {}, 0
    for start in range(0, len(recipes) - _RECIPE_BYTES + 1, _RECIPE_BYTES):
        kind, rows, columns, early, late = recipes[start : start + _RECIPE_BYTES]
        dtype = _DTYPES[kind % len(_DTYPES)]
        end = at + rows * columns * BITS.get(dtype, 128) // 8
        name = "__metadata__" if early == 255 else f"t{late % 16 if early == 254 else start}"
        header[name] = _tensor(dtype, [rows, columns], at - early % 254 % 8, end + late % 8)
        at = end
    return json.dumps(header).encode()


def _compare(raw: bytes, found: TensorFacts | None, fault: str) -> None:
    if b"-0" in raw or (found and any(dtype not in BITS for dtype, _ in found.parameters)):
        # The library takes a minus zero for a fraction; and it may be older than a type that the door lets pass.
        return
    try:
        tensors = dict(safetensors.deserialize(raw))
    except safetensors.SafetensorError as exc:
        if found is not None and "recursion limit" not in str(exc):
            raise Broken(f"safetensors refuses what the door reads: {exc}") from None
        return
    if found is None:
        if "twice" in fault:
            return  # of two tensors with one name it takes the last, and says nothing
        if raw[LENGTH_BYTES : LENGTH_BYTES + 1] != b"{":
            return  # the format wants a brace there; the library takes blanks before it
        raise Broken(f"safetensors reads what the door refuses: {fault}")
    count = sum(math.prod(tensor["shape"]) for tensor in tensors.values())
    if count != found.parameter_count:
        raise Broken(f"safetensors counts {count} parameters, the door {found.parameter_count}")


def _file(**tensors: Any) -> bytes:
    return _AS_A_HEADER + json.dumps(tensors).encode()


def _tensor(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def seeds() -> list[bytes]:
    """Files whole and cut, and headers of every kind of tensor."""
    return [
        _AS_IT_IS + corpus.safetensors(),
        _AS_IT_IS + corpus.safetensors()[:-1],
        _AS_IT_IS + corpus.safetensors("BF16", 4, 2),
        _AS_IT_IS + b"x",
        _file(),
        _file(a=_tensor("F32", [2, 2], 0, 16), b=_tensor("U8", [], 16, 17)),
        _file(a=_tensor("F16", [0, 7], 0, 0), __metadata__={"format": "pt"}),
        _file(b=_tensor("I64", [1], 4, 12), a=_tensor("F32", [1], 0, 4)),
        _file(a=_tensor("F4", [4], 0, 2), b=_tensor("F6_E2M3", [4], 2, 5), c=_tensor("BOOL", [3], 5, 8)),
        _file(a=_tensor("F32", [1], 0, 4), b=_tensor("F32", [1], 0, 4)),
        _file(a=_tensor("F32", [1], 4, 8)),
        _AS_TENSORS + bytes([4, 2, 3, 0, 0, 8, 1, 1, 0, 0]),
        *(_AS_TENSORS + bytes([kind, 2, 4, 0, 0]) for kind in range(len(_DTYPES))),
    ]


TOKENS = (
    b'"dtype":', b'"shape":', b'"data_offsets":', b'"__metadata__":', b'"F32"', b'"BF16"', b'"F8_E4M3"', b'"I64"',
    b"[0,0]", b"[]", b"{}", b"null", b"true", b"-1", b"1.0", b"1e3", b"18446744073709551615", b"9223372036854775808",
    b"\\u0000", b"\\ud800", b"\xef\xbb\xbf", b" ", b"\x00\x00\x00\x00", b"\xff\xff\xff\xff\xff\xff\xff\xff", b"NaN",
)  # fmt: skip

READER = Reader("safetensors", read, seeds, TOKENS)

if __name__ == "__main__":
    main(READER)
