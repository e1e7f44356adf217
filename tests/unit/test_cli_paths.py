"""What `check`, `pack` and `push` say of a path that is no archive, or of what no archive can carry."""

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tarmac import packer
from tarmac.cli import packing
from tarmac.cli.main import commands
from tests.unit import corpus

_NOBODY = 65534
ENGINE = {"TARMAC_URL": "http://127.0.0.1:9", "TARMAC_TOKEN": "none"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    root.mkdir()
    for name, body in corpus.bert().items():
        (root / name).write_bytes(body)
    return root


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A directory of one's own, and no more rights than anybody has: to root, no file is closed."""
    assert packer, packing  # imported before the rights to read them may be gone
    own, is_root = Path(tempfile.mkdtemp()), os.geteuid() == 0
    if is_root:
        os.chown(own, _NOBODY, _NOBODY)
        os.seteuid(_NOBODY)
    try:
        yield own
    finally:
        if is_root:
            os.seteuid(0)
        for path in own.rglob("*"):
            path.chmod(0o700)
        shutil.rmtree(own)


def error_of(*arguments: object) -> dict[str, str]:
    """What a command says when it fails."""
    # No engine is asked: what is wrong with a path is found before.
    done = CliRunner(env=ENGINE).invoke(commands, [*map(str, arguments), "--json"])
    assert done.exit_code == 1, done.output
    assert not isinstance(done.exception, OSError), done.exception
    found: dict[str, str] = json.loads(done.stderr)["error"]
    return found


def every_command(path: object) -> Iterator[dict[str, str]]:
    yield error_of("check", path)
    yield error_of("pack", path)
    yield error_of("push", path, "--name", "cat")


def test_a_fifo_a_socket_and_a_device_are_no_files(tmp_path: Path) -> None:
    """None of them is opened: that would wait for ever, or never end."""
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))

        said = {
            path: {error["message"] for error in every_command(path)}
            for path in (str(tmp_path / "fifo"), str(tmp_path / "socket"), "/dev/zero")
        }

    assert said == {
        f"{tmp_path}/fifo": {f"{tmp_path}/fifo is a FIFO, not a regular file"},
        f"{tmp_path}/socket": {f"{tmp_path}/socket is a socket, not a regular file"},
        "/dev/zero": {"/dev/zero is a device, not a regular file"},
    }


def test_what_is_no_file_comes_with_a_fix(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a fifo")

    assert error_of("check", tmp_path / "a fifo")["fix"].startswith(
        f"write what comes out of it into a file first: cat '{tmp_path}"
    )
    assert "directory" in error_of("check", "/dev/null")["fix"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dangling", "is a link that leads nowhere: nowhere is not there"),
        ("loop", "is a link that leads back to itself"),
        ("n" * 300, "bytes long, more than a path or a part of one may have"),
        ("p/" * 3000, "bytes long, more than a path or a part of one may have"),
        ("file/below", "a part of that path is a file, not a directory"),
        ("none", "there is no file"),
    ],
)
def test_a_path_that_leads_nowhere_is_told_apart(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_bytes(b"")

    for error in every_command(tmp_path / name):
        assert words in error["message"]
        assert len(error["message"]) < 300


def test_a_file_that_may_not_be_read_is_named_with_the_fix(as_nobody: Path) -> None:
    archive = as_nobody / "model.tar.gz"
    archive.write_bytes(corpus.archive(corpus.bert()))
    archive.chmod(0)

    error = error_of("check", archive)

    assert error["message"] == f"{archive} may not be read by you"
    assert error["fix"] == f"let yourself read it: chmod -R u+rX {archive}"


def test_a_file_in_a_folder_that_may_not_be_read_is_named_with_the_fix(as_nobody: Path) -> None:
    (as_nobody / "config.json").write_bytes(b"{}")
    (as_nobody / "closed.txt").write_bytes(b"x")
    (as_nobody / "closed.txt").chmod(0)

    for command in ("check", "pack"):
        error = error_of(command, as_nobody)

        assert error["message"] == f"{as_nobody}/closed.txt may not be read by you"
        assert error["fix"] == f"let yourself read it: chmod -R u+rX {as_nobody}"


def test_a_folder_that_may_not_be_read_is_named_with_the_fix(as_nobody: Path) -> None:
    (as_nobody / "model" / "code").mkdir(parents=True)
    (as_nobody / "model" / "config.json").write_bytes(b"{}")
    (as_nobody / "model" / "code").chmod(0)

    for command in ("check", "pack"):
        error = error_of(command, as_nobody / "model")

        assert error["message"] == f"{as_nobody}/model/code may not be read by you"
        assert error["fix"].startswith("let yourself read it: chmod")


def test_a_path_below_a_closed_folder_says_so(as_nobody: Path) -> None:
    (as_nobody / "closed").mkdir(mode=0)

    for error in every_command(as_nobody / "closed" / "model.tar.gz"):
        assert "a directory above it is closed to you" in error["message"]
        assert "chmod u+x" in error["fix"]


def test_an_output_that_may_not_be_written_is_named_and_stays(as_nobody: Path) -> None:
    (as_nobody / "model").mkdir()
    (as_nobody / "model" / "config.json").write_bytes(b"{}")
    output = as_nobody / "precious.tar.gz"
    output.write_bytes(b"precious")
    output.chmod(0o400)

    error = error_of("pack", as_nobody / "model", "-o", output)

    assert error["message"] == f"{output} may not be written by you"
    assert "-o OTHER.tar.gz" in error["fix"]
    assert output.read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fifo", "fifo is a FIFO, which no archive can carry"),
        ("socket", "socket is a socket, which no archive can carry"),
        ("device", "device is a device, which no archive can carry"),
        ("dangling", "dangling is a link that leads nowhere"),
        ("itself", "itself is a link that leads back to itself"),
        ("above", "above/model is a link to a folder that holds it"),
    ],
)
def test_what_no_archive_can_carry_is_named_with_the_fix(folder: Path, name: str, words: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        make = {
            "fifo": lambda: os.mkfifo(folder / "fifo"),
            "socket": lambda: listener.bind(str(folder / "socket")),
            "device": lambda: (folder / "device").symlink_to("/dev/zero"),
            "dangling": lambda: (folder / "dangling").symlink_to("nowhere"),
            "itself": lambda: (folder / "itself").symlink_to("itself"),
            "above": lambda: (folder / "above").symlink_to(".."),
        }
        make[name]()

        for command in ("check", "pack"):
            error = error_of(command, folder)

            assert error["code"] == "not_packable"
            assert error["message"].endswith(words)
            assert error["fix"]


def test_links_to_folders_that_link_to_folders_come_to_an_end(folder: Path) -> None:
    """Twenty-four folders of two links each would be sixteen million files."""
    (folder / "0").mkdir()
    (folder / "0" / "x").write_bytes(b"x")
    for number in range(1, 24):
        (folder / str(number)).mkdir()
        for side in "ab":
            (folder / str(number) / side).symlink_to(folder / str(number - 1))

    error = error_of("pack", folder)

    assert "holds more than 10,000 files" in error["message"]
    assert "leave out" in error["fix"]


def test_links_out_of_the_folder_are_packed_as_what_they_point_to(folder: Path, tmp_path: Path) -> None:
    """As the Hub's cache keeps its snapshots."""
    (tmp_path / "blob").write_bytes(b"[PAD]\n")
    (folder / "vocab.txt").symlink_to(tmp_path / "blob")

    done = CliRunner().invoke(commands, ["check", str(folder), "--json"])

    assert json.loads(done.stdout)["plan"] is not None


def test_a_device_that_was_written_to_is_never_deleted(folder: Path) -> None:
    """Even where packing fails."""
    (folder / "large.bin").write_bytes(os.urandom(1 << 20))

    done = CliRunner().invoke(commands, ["pack", str(folder), "-o", "/dev/full", "--json"])

    assert done.exit_code == 1
    assert Path("/dev/full").is_char_device()
