"""An index of sharded weights is read as json.loads reads it, however its bytes fall into pieces."""

import json
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.door.indexes import PACKED_MAX_BYTES, MalformedIndex, name_tensor, pack_index, read_index


def packed(raw: bytes) -> bytes:
    made = pack_index(iter([raw]))
    assert made is not None
    return made


def read(raw: bytes) -> tuple[dict[str, list[int]], object]:
    index = read_index(packed(raw))
    return {name: sorted(hashes) for name, hashes in index.tensors.items()}, index.total_size


def expected(index: dict[str, object]) -> tuple[dict[str, list[int]], object]:
    by_file: dict[str, list[int]] = {}
    for tensor, name in index["weight_map"].items():  # type: ignore[attr-defined]
        by_file.setdefault(name, []).append(hash(tensor))
    metadata = index.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    return {name: sorted(hashes) for name, hashes in by_file.items()}, total


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(
    weights=st.dictionaries(
        st.text(max_size=12), st.sampled_from(["a.safetensors", "b\u00e9.safetensors"]), max_size=8
    ),
    metadata=VALUES,
    more=VALUES,
    indent=st.sampled_from([None, 2]),
    is_ascii=st.booleans(),
)
def test_what_it_says_is_what_json_says(
    weights: dict[str, str], metadata: object, more: object, indent: int | None, is_ascii: bool
) -> None:
    index = {"metadata": metadata, "format": more, "weight_map": weights, "other": more}

    assert read(json.dumps(index, indent=indent, ensure_ascii=is_ascii).encode()) == expected(index)


def test_what_is_larger_than_a_piece_is_read_across_it() -> None:
    weights = {f"{'x' * (n % 90)}\u00e9\U0001f600{n}": f"{n % 7}.safetensors" for n in range(20_000)}
    index = {"metadata": {"total_size": 10**40, "x": ["y" * 200_000]}, "weight_map": weights}

    for is_ascii in (True, False):
        assert read(json.dumps(index, ensure_ascii=is_ascii).encode()) == expected(index)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"[]", b"{", b"{}", b'{"weight_map": []}', b'{"weight_map": {"a": 1}}', b'{"weight_map": {"a": "b"}',
        b'{"weight_map": {"a": "b",}}', b'{"weight_map": {}} x', b'{"weight_map": {"a" "b"}}',
        b'{"weight_map": {1: "b"}}',
        b'{"metadata": {"total_size": }, "weight_map": {}}', b'{"weight_map": {"\xff": "b"}}', b"\xef\xbb\xbf{}",
        b'{"metadata": ' + b"[" * 100_000, b'{"weight_map": {"a": "b\xc3', b'{"metadata": 1}', b"\x00" * 40,
        b'{"metadata": "' + b"x" * (2 << 20) + b'", "weight_map": {}}',
    ],
)  # fmt: skip
def test_what_is_no_index_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedIndex):
        read(raw)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:weight_map 01e.-\\u', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_malformed(raw: bytes) -> None:
    try:
        read(raw)
    except MalformedIndex:
        return
    assert isinstance(json.loads(raw)["weight_map"], dict)


def test_a_tensor_is_named_again_from_its_hash() -> None:
    raw = packed(b'{"weight_map": {"a": "1", "b": "2", "c": "1"}}')

    assert name_tensor(raw, "1", frozenset({hash("b"), hash("c")})) == "c"


def test_noise_does_not_get_small_and_is_not_kept() -> None:
    noise = random.Random(0).randbytes(PACKED_MAX_BYTES + (1 << 19))

    assert pack_index(iter([noise])) is None
    assert len(zlib.compress(noise, 1)) > PACKED_MAX_BYTES
