"""Whatever the bytes, a report comes back: nothing raises, hangs, or takes more memory than it may."""

import json
import pickle
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.door.allowed import is_allowed
from chalicelib.door.machines import Budget
from chalicelib.door.pickles import scan
from chalicelib.reports import parse_report
from tests.unit import corpus, hostile_pickles
from tests.unit.test_door_corpus import BUILT, report_on

SMALL = [raw for raw in BUILT.values() if 0 < len(raw) < 100_000]


def judge(raw: bytes, raw_toml: bytes | None = None) -> None:
    report = report_on(raw, raw_toml)
    assert parse_report(report.to_json().encode()) == report


@settings(max_examples=150, deadline=None)
@given(raw=st.binary(max_size=3000))
def test_random_bytes_get_a_report(raw: bytes) -> None:
    judge(raw)


@settings(max_examples=150, deadline=None)
@given(raw=st.binary(max_size=3000))
def test_random_bytes_inside_gzip_get_a_report(raw: bytes) -> None:
    judge(corpus.packed(raw))


@settings(max_examples=200, deadline=None)
@given(raw=st.sampled_from(SMALL), share=st.floats(0, 1))
def test_truncations_get_a_report(raw: bytes, share: float) -> None:
    judge(raw[: int(len(raw) * share)])


@settings(max_examples=200, deadline=None)
@given(
    raw=st.sampled_from(SMALL), flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 7)), min_size=1, max_size=4)
)
def test_flipped_bits_in_the_packed_bytes_get_a_report(raw: bytes, flips: list[tuple[float, int]]) -> None:
    judge(flipped(raw, flips))


@settings(max_examples=300, deadline=None)
@given(
    raw=st.sampled_from(SMALL), flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 7)), min_size=1, max_size=4)
)
def test_flipped_bits_in_the_tar_get_a_report(raw: bytes, flips: list[tuple[float, int]]) -> None:
    try:
        raw_tar = zlib.decompress(raw, wbits=31)
    except zlib.error:
        raw_tar = raw
    end = len(raw_tar.rstrip(b"\0")) or 1

    judge(corpus.packed(flipped(raw_tar[:end], flips) + raw_tar[end:]))


@settings(max_examples=150, deadline=None)
@given(
    header=st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["w", "dtype", "shape", "data_offsets", "__metadata__"]), inner, max_size=4
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_safetensors_header_gets_a_report(header: bytes) -> None:
    raw = len(header).to_bytes(8, "little") + header + bytes(16)
    judge(corpus.bert_and(**{"model.safetensors": raw}))


@settings(max_examples=150, deadline=None)
@given(
    raw_toml=st.binary(max_size=300)
    | st.text(max_size=300).map(str.encode)
    | st.lists(
        st.sampled_from(
            ["task", "env", "[", "]", "=", "\n", '"', ".", "1", "idle_after", "{", "}", ",", "true", '"30m"', "HF_TASK"]
        ),
        max_size=30,
    ).map(lambda tokens: " ".join(tokens).encode())
)
def test_any_deploy_toml_gets_a_report(raw_toml: bytes) -> None:
    judge(BUILT["bert"], raw_toml)


@settings(max_examples=100, deadline=None)
@given(source=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_source_and_any_config_get_a_report(source: bytes) -> None:
    judge(corpus.bert_and(**{"code/inference.py": source, "config.json": source, "code/requirements.txt": source}))


def flipped(raw: bytes, flips: list[tuple[float, int]]) -> bytes:
    changed = bytearray(raw)
    for share, bit in flips if raw else []:
        changed[min(len(changed) - 1, int(len(changed) * share))] ^= 1 << bit
    return bytes(changed)


MEASURE = """
import re, sys
from datetime import UTC, datetime
from chalicelib.door import DoorRules, inspect
from chalicelib.state import Drop

rules = DoorRules(region="eu-west-1", instance_type="ml.m5.large", idle_after_s=900.0, idle_floor_s=900.0)
now = datetime.now(UTC)
with open(sys.argv[1], "rb") as stream:
    report = inspect(Drop("cat", "k", "e", 1, now), stream, None, rules=rules, now=now)
# Not getrusage: its maximum survives exec, so it would tell of the process that started this one.
with open("/proc/self/status") as status:
    peak_kb = int(re.search(r"VmHWM:\\s+(\\d+)", status.read())[1])
print(peak_kb // 1024, ",".join(check.id for check in report.checks))
"""


def heavy_archives() -> dict[str, bytes]:
    entry = b'"%06d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    header = b"{" + b",".join(entry % number for number in range(60_000)) + b"}"
    tensors = len(header).to_bytes(8, "little") + header
    modules = {f"code/m{number}.py": b"{}\n" * 14_999 for number in range(8)}
    chains = {f"code/m{number}.py": (b"-~+" * 30 + b"a\n") * 2_800 for number in range(8)}
    handler = b"".join(b"x%d=lambda:0\n" % number for number in range(3_700))
    folders = "/".join(letter * 200 for letter in "defg")
    return {
        "tensors": corpus.bert_and(**{"model.safetensors": tensors}),
        "modules": corpus.bert_and(**modules),
        "modules of chained signs": corpus.bert_and(**chains),
        "a handler and modules": corpus.bert_and(**{"code/inference.py": handler}, **modules),
        "requirements": corpus.requiring(b"a>=1\n" * 200_000),
        "requirements of spaces": corpus.requiring(b"a" + b" " * 1_000_000 + b"x\n"),
        "requirements in one line": corpus.requiring(b"a\\\n" * 340_000),
        "names": corpus.archive({f"{folders}/{number:06d}": b"" for number in range(5_000)}),
        "members": corpus.many_members(9_999),
        "pickled words": corpus.pickled(pickle.dumps({f"word {n}" * 6: n for n in range(150_000)})),
        "pickled stack": corpus.pickled(b"\x80\x04" + b"".join(b"\x8c\x78%0120d" % n for n in range(65_000)) + b"."),
        "opcodes": corpus.pickled(b"\x80\x04" + b"N0" * 2_000_000 + b"N."),
        "torch": corpus.pickled(
            hostile_pickles.with_descriptors({"a/data.pkl": hostile_pickles.DATA, "a/data/0": bytes(90 << 20)})
        ),
        "bomb": corpus.bomb(300),
        "index": corpus.mixture_of_experts(150, 800),
        "config": corpus.bert_and(**{"config.json": b'{"a":[' + b"[]," * 340_000 + b"[]]}"}),
    }


def test_no_archive_takes_more_than_64_mb(tmp_path: Path) -> None:
    for name, raw in heavy_archives().items():
        path = tmp_path / name
        path.write_bytes(raw)

        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True, timeout=60
        )

        memory_mb, ids = done.stdout.split()
        print(name, memory_mb, ids[:80])
        assert int(memory_mb) < 64, f"{name} took {memory_mb} MB"


PICKLES = [*hostile_pickles.IMPORTS.values(), *hostile_pickles.NOT_FOLLOWED.values(), *hostile_pickles.HONEST.values()]


@settings(max_examples=400, deadline=None)
@given(
    raw=st.sampled_from(PICKLES),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 7)), max_size=4),
    share=st.floats(0.5, 1),
)
def test_any_pickle_gets_a_report(raw: bytes, flips: list[tuple[float, int]], share: float) -> None:
    judge(corpus.pickled(flipped(raw, flips)[: int(len(raw) * share) or 1]))


@pytest.mark.parametrize(
    "raw",
    [
        zlib.compress(hostile_pickles.framed(b"\x8e" + (4 << 20).to_bytes(8, "little") + bytes(4 << 20))),
        hostile_pickles.zipped({"a/data.pkl": hostile_pickles.DATA, "a/data/0": bytes(4 << 20)}, zipfile.ZIP_DEFLATED),
    ],
)
def test_what_all_pickles_of_an_archive_unpack_to_is_bounded(raw: bytes) -> None:
    budget = Budget(unpacked_left_bytes=6 << 20)

    faults = [scan(iter([raw]), budget).fault for _ in range(2)]

    assert faults == [None, "it unpacks to far more than any model would"]


@settings(max_examples=200, deadline=None)
@given(opcodes=st.lists(st.sampled_from([bytes([code]) for code in range(256)]) | st.binary(max_size=5), max_size=80))
def test_any_opcodes_get_a_report(opcodes: list[bytes]) -> None:
    judge(corpus.pickled(b"".join(opcodes) or b"."))


@settings(max_examples=150, deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    ),
    protocol=st.integers(0, 5),
    size=st.integers(1, 9),
)
def test_what_pickle_writes_is_followed_to_its_end(value: object, protocol: int, size: int) -> None:
    raw = pickle.dumps(value, protocol)

    scanned = scan(iter([raw[start : start + size] for start in range(0, len(raw), size)]), Budget())

    assert scanned.fault is None
    assert all(is_allowed(reference) for reference in scanned.imports)
