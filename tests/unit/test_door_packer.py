"""The packer: the same folder gives the same bytes, and the door accepts what it packs."""

import io
import os
import tarfile
import threading
from pathlib import Path

import pytest

from tarmac.packer import NotPackable, Packed, _entries, _pack_into, pack, pack_stored
from tests.unit import corpus
from tests.unit.test_door_corpus import report_on


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    for name, body in {**corpus.bert(), "code/inference.py": corpus.INFERENCE, "ünï/é.txt": b"x"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(body)
    return root


def names_in(archive: Path) -> list[str]:
    with tarfile.open(archive, "r|gz") as tar:
        return [member.name for member in tar]


def test_the_same_folder_gives_the_same_bytes_whenever_and_to_whatever(folder: Path, tmp_path: Path) -> None:
    into_path, into_memory = tmp_path / "a.tar.gz", io.BytesIO()

    first = pack(folder, into_path)
    os.utime(folder / "config.json", (1, 1))
    (folder / "config.json").chmod(0o600)
    second = pack(folder, into_memory)

    assert first == second
    assert into_path.read_bytes() == into_memory.getvalue()
    raw = into_memory.getvalue()
    assert first == Packed(5, first.unpacked_bytes, len(raw))


def test_the_door_accepts_what_is_packed(folder: Path, tmp_path: Path) -> None:
    packed = pack(folder, tmp_path / "a.tar.gz")

    report = report_on((tmp_path / "a.tar.gz").read_bytes())

    assert report.is_accepted
    assert report.size_bytes == packed.packed_bytes


def test_leavings_of_tools_stay_out(folder: Path, tmp_path: Path) -> None:
    for name in (".git/config", "code/__pycache__/x.pyc", "._config.json", ".DS_Store", "__MACOSX/x", "x.pyc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")

    pack(folder, tmp_path / "a.tar.gz")

    assert names_in(tmp_path / "a.tar.gz") == [
        "code/inference.py",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "ünï/é.txt",
    ]


def test_links_become_what_they_point_to(folder: Path, tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(b"weights")
    (folder / "extra.txt").symlink_to(blob)
    os.link(blob, folder / "hard.txt")

    pack(folder, tmp_path / "a.tar.gz")

    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        assert all(member.isreg() for member in tar)
        assert tar.extractfile("extra.txt").read() == b"weights"  # type: ignore[union-attr]


def test_an_archive_inside_the_folder_does_not_pack_itself(folder: Path) -> None:
    first = pack(folder, folder / "model.tar.gz")

    second = pack(folder, folder / "model.tar.gz")

    assert first == second


def test_empty_folders_are_kept(folder: Path, tmp_path: Path) -> None:
    (folder / "empty" / "deeper").mkdir(parents=True)

    pack(folder, tmp_path / "a.tar.gz")

    assert "empty/deeper" in names_in(tmp_path / "a.tar.gz")


def test_what_cannot_be_packed_is_named_and_leaves_no_archive(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "pipe")

    with pytest.raises(NotPackable, match="pipe is a FIFO"):
        pack(folder, tmp_path / "a.tar.gz")

    assert not (tmp_path / "a.tar.gz").exists()


def test_loops_and_dead_links_are_named(folder: Path, tmp_path: Path) -> None:
    (folder / "loop").symlink_to(folder)
    with pytest.raises(NotPackable, match="loop"):
        pack(folder, tmp_path / "a.tar.gz")

    (folder / "loop").unlink()
    (folder / "dead").symlink_to("nowhere")
    with pytest.raises(NotPackable, match="dead"):
        pack(folder, tmp_path / "a.tar.gz")


def test_an_empty_folder_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotPackable):
        pack(tmp_path, io.BytesIO())
    with pytest.raises(NotADirectoryError):
        pack(tmp_path / "none", io.BytesIO())


def test_packing_streams_into_a_pipe(folder: Path) -> None:
    reading, writing = os.pipe()
    received: list[bytes] = []

    def drain() -> None:
        with os.fdopen(reading, "rb") as source:
            received.append(source.read())

    thread = threading.Thread(target=drain)
    thread.start()
    with os.fdopen(writing, "wb") as sink:
        pack(folder, sink)
    thread.join(10)

    in_memory = io.BytesIO()
    pack(folder, in_memory)
    assert received == [in_memory.getvalue()]


def test_the_number_of_threads_changes_no_byte(folder: Path) -> None:
    (folder / "noise.bin").write_bytes(os.urandom(3 << 20) + bytes(2 << 20))
    made = []

    for threads in (1, 2, 5):
        output = io.BytesIO()
        _pack_into(output, _entries(folder, besides=None), threads=threads)
        made.append(output.getvalue())

    assert len(set(made)) == 1


def test_the_stored_archive_holds_the_same(folder: Path, tmp_path: Path) -> None:
    with (tmp_path / "stored.tar.gz").open("wb") as output:
        pack_stored(folder, output)
    pack(folder, tmp_path / "packed.tar.gz")

    assert names_in(tmp_path / "stored.tar.gz") == names_in(tmp_path / "packed.tar.gz")
    assert report_on((tmp_path / "stored.tar.gz").read_bytes()).is_accepted


@pytest.mark.parametrize("cut_bytes", [0, 1])
def test_the_stored_archive_gets_the_verdict_of_the_packed_one_without_its_weights(
    folder: Path, tmp_path: Path, cut_bytes: int
) -> None:
    weights = corpus.safetensors(count=4_000_000)
    (folder / "model.safetensors").write_bytes(weights[: len(weights) - cut_bytes])
    stored, packed = io.BytesIO(), io.BytesIO()

    pack_stored(folder, stored)
    pack(folder, packed)

    reports = [report_on(archive.getvalue()) for archive in (stored, packed)]
    assert len(stored.getvalue()) < len(weights) / 2
    assert reports[0].checks == reports[1].checks
    assert reports[0].plan == reports[1].plan
    assert reports[0].is_accepted is not bool(cut_bytes)


def test_a_file_that_shrinks_meanwhile_is_an_error(folder: Path) -> None:
    entries = _entries(folder, besides=None)
    (folder / "config.json").write_bytes(b"")

    with pytest.raises(OSError, match="shorter"):
        _pack_into(io.BytesIO(), entries)
