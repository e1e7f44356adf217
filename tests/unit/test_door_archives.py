"""The tar and gzip readers: what Python's tarfile writes is what they read, in every format; lies are caught."""

import gzip
import io
import random
import tarfile
import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.door import headers
from chalicelib.door.archives import TarReader
from chalicelib.door.contents import read_contents
from chalicelib.door.intakes import Intake
from chalicelib.door.kinds import Findings, Unreadable
from chalicelib.door.streams import Limits, Unpacked
from tests.unit import corpus

PARTS = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=40
)
PATHS = st.lists(PARTS.filter(lambda part: part not in (".", "..")), min_size=1, max_size=5).map("/".join)
TREES = st.dictionaries(PATHS, st.binary(max_size=2000), min_size=1, max_size=6)


LIMITS = Limits()


class Trickle(io.RawIOBase):
    """A stream that gives its bytes in odd little pieces, as a network does."""

    def __init__(self, raw: bytes, seed: int) -> None:
        self._inner, self._random = io.BytesIO(raw), random.Random(seed)

    def read(self, size: int = -1, /) -> bytes:
        return self._inner.read(self._random.randint(1, 700))


def read_back(raw: bytes, *, limits: Limits = LIMITS) -> list[tuple[str, bytes]]:
    reader = TarReader(Unpacked(Intake(io.BytesIO(raw)), limits), limits)
    found = [(member.path, reader.read(member.size_bytes)) for member in reader]
    reader.drain()
    return found


@pytest.mark.parametrize("fmt", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@settings(max_examples=60, deadline=None)
@given(tree=TREES)
def test_what_tarfile_packs_is_read_back_byte_for_byte(fmt: int, tree: dict[str, bytes]) -> None:
    assert read_back(corpus.archive(tree, fmt)) == list(tree.items())


@settings(max_examples=30, deadline=None)
@given(
    tree=st.dictionaries(
        st.from_regex(r"[a-z]{1,90}(/[a-z]{1,90})?", fullmatch=True), st.binary(max_size=99), max_size=4
    )
)
def test_plain_ustar_with_prefixes_is_read_back(tree: dict[str, bytes]) -> None:
    assert read_back(corpus.archive(tree, tarfile.USTAR_FORMAT)) == list(tree.items())


@settings(max_examples=40, deadline=None)
@given(tree=TREES, pieces=st.integers(1, 9), seed=st.integers(0, 99))
def test_gzip_in_many_members_and_odd_pieces_changes_nothing(tree: dict[str, bytes], pieces: int, seed: int) -> None:
    raw_tar = corpus.tar(tree)
    step = -(-len(raw_tar) // pieces)
    raw = b"".join(gzip.compress(raw_tar[at : at + step], 1, mtime=0) for at in range(0, len(raw_tar), step))
    limits = Limits()

    reader = TarReader(Unpacked(Intake(Trickle(raw, seed)), limits), limits)
    found = [(member.path, reader.read(member.size_bytes)) for member in reader]

    assert found == list(tree.items())


def test_a_sparse_file_of_gnu_s_old_format_is_read_with_its_holes() -> None:
    raw = corpus.packed(corpus.gnu_sparse(b"hello", 70_000, b"x") + corpus.END)

    assert read_back(raw) == [("x", bytes(70_000) + b"hello")]


def pax_member(records: dict[str, str], name: bytes, data: bytes) -> bytes:
    raw = b"".join(_record(key, value) for key, value in records.items())
    head = corpus.header_block(b"pax", len(raw), b"x") + corpus.padded(raw)
    return corpus.packed(head + corpus.header_block(name, len(data)) + corpus.padded(data) + corpus.END)


def _record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n"
    length = len(body) + len(str(len(body) + 2))
    return f"{length}{body}".encode()


def test_sparse_files_of_all_pax_formats_are_read_with_their_holes() -> None:
    map_in_data = corpus.padded(b"2\n3\n2\n9\n1\n")
    v1 = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "real", "GNU.sparse.realsize": "12"}
    v01 = {"GNU.sparse.map": "3,2,9,1", "GNU.sparse.numblocks": "2", "GNU.sparse.size": "12", "GNU.sparse.name": "real"}
    expected = [("real", b"\0\0\0ab\0\0\0\0c\0\0")]

    assert read_back(pax_member(v1, b"GNUSparseFile.0/real", map_in_data + b"abc")) == expected
    assert read_back(pax_member(v01, b"GNUSparseFile.0/real", b"abc")) == expected


def test_sizes_over_eight_gib_are_read_in_base_256() -> None:
    size = 9 << 30
    assert headers.parse_number(b"\x80" + size.to_bytes(11, "big")) == size


@pytest.mark.parametrize("field", [b"\xff" * 12, b"\xc0" + b"\0" * 11, b"12x45678901 ", b"9" * 12])
def test_numbers_that_are_none_are_refused(field: bytes) -> None:
    with pytest.raises(headers.MalformedTar):
        headers.parse_number(field)


def test_a_file_larger_than_any_volume_is_refused_by_its_header_alone() -> None:
    block = bytearray(corpus.header_block(b"model.bin", 0))
    block[124:136] = b"\x80" + (1 << 50).to_bytes(11, "big")

    with pytest.raises(Unreadable) as refused:
        read_back(corpus.packed(corpus.with_checksum(block) + corpus.END))

    assert "any instance can hold" in refused.value.message


def test_unpacking_stops_at_the_largest_volume() -> None:
    raw = corpus.archive({"x": bytes(range(256)) * 40})

    with pytest.raises(Unreadable) as refused:
        read_back(raw, limits=Limits(unpacked_max_bytes=4096))

    assert refused.value.kind.id in ("archive-too-large", "tar-damaged")


def test_a_bomb_is_left_at_once() -> None:
    raw = corpus.bomb()
    stream = io.BytesIO(raw + bytes(10 << 20))
    findings = Findings()

    contents = read_contents(stream, findings, Limits(ratio_free_bytes=4 << 20))

    assert [check.id for check in findings.checks()] == ["archive-bomb"]
    assert contents.sha256 is None
    assert stream.tell() <= 2 << 20, "one chunk, and the one read ahead"


def test_an_error_of_the_stream_itself_is_not_the_archive_s_fault() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        read_contents(Broken(), Findings(), Limits())


def test_a_reading_given_up_is_never_waited_for_in_vain() -> None:
    # What was read ahead may be cancelled before its turn, and a cancelled future that its pool never came to is never
    # done for `wait`. Each round takes another course between the two threads.
    for _ in range(2000):
        intake = Intake(io.BytesIO(bytes(100)))
        feeds = intake.feeds()
        next(feeds)
        feeds.close()

        assert is_over(intake.close)


def is_over(act: Callable[[], object]) -> bool:
    """Run it in a thread of its own, and tell whether it came to its end."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(timeout=20)
    return not thread.is_alive()


def test_a_file_without_a_name_is_refused() -> None:
    findings = Findings()

    read_contents(io.BytesIO(corpus.packed(corpus.header_block(b"./", 0) + corpus.END)), findings, Limits())

    assert [check.id for check in findings.checks()] == ["path-empty"]
