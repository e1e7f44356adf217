"""Archives made by others' tools, of real models: the door finds nothing wrong with them, and plans as it should.

GNU tar and Python must be there; bsdtar, pigz and bgzip are used where they are. What those write is made by code in
tests/unit/test_door_foreign.py, so that nothing goes untested where they are not.
"""

import gzip
import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from chalicelib.door.contents import read_contents
from chalicelib.door.kinds import Findings
from chalicelib.door.streams import Limits
from chalicelib.reports import Report
from examples.variants import VARIANTS
from tests.unit.test_door_corpus import report_on
from tests.unit.test_door_foreign import problems

Pack = Callable[[Path], bytes]
"""From a folder to a model.tar.gz."""

LONG_PATH = "/".join(["a" * 60, "b" * 60, "\u00e9" * 40 + ".txt"])
HOLE_BYTES = 1 << 20


@cache
def gnu_tar() -> str:
    """GNU tar's name here; it is called gtar where the system's own is another."""
    for name in ("gtar", "tar"):
        if (
            shutil.which(name)
            and b"GNU tar" in subprocess.run([name, "--version"], capture_output=True, check=True).stdout
        ):
            return name
    raise AssertionError("there is no GNU tar: install it (`apt install tar`, `brew install gnu-tar`)")


def piped(*commands: list[str]) -> Pack:
    """Pack by a pipeline of commands in which FOLDER stands for the folder."""

    def pack(folder: Path) -> bytes:
        data = b""
        for command in commands:
            words = [word.replace("FOLDER", str(folder)).replace("GNUTAR", gnu_tar()) for word in command]
            data = subprocess.run(words, input=data, capture_output=True, check=True, timeout=600).stdout
        return data

    return pack


def by_python(fmt: int) -> Pack:
    def pack(folder: Path) -> bytes:
        path = folder.parent / f"{folder.name}.tar.gz"
        with tarfile.open(path, "w:gz", format=fmt) as archive:
            archive.add(folder, arcname=".")
        return path.read_bytes()

    return pack


def repacked_as_the_sdk_does(folder: Path) -> bytes:
    """With code/ inside, and everything added under the root: the members are called /config.json less its slash."""
    path = folder.parent / "repacked.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, arcname="/")
    return path.read_bytes()


GNU = ["GNUTAR", "-C", "FOLDER", "-cf", "-"]
PACKERS: dict[str, Pack] = {
    **{f"GNU tar, {fmt}": piped([*GNU, "-z", f"--format={fmt}", "."]) for fmt in ("gnu", "oldgnu", "posix")},
    "GNU tar, sparse": piped([*GNU, "-z", "-S", "--format=gnu", "."]),
    **{
        f"GNU tar, sparse, PAX {version}": piped(
            [*GNU, "-z", "-S", "--format=posix", f"--sparse-version={version}", "."]
        )
        for version in ("0.0", "0.1", "1.0")
    },
    "GNU tar, times to the nanosecond": piped([*GNU, "-z", "--format=posix", "--xattrs", "."]),
    "GNU tar, a large blocking factor": piped([*GNU, "-z", "-b", "2048", "."]),
    "GNU tar, fastest": piped([*GNU, "."], ["gzip", "-1", "-n"]),
    "GNU tar, best": piped([*GNU, "."], ["gzip", "-9"]),
    "Python, PAX": by_python(tarfile.PAX_FORMAT),
    "Python, GNU": by_python(tarfile.GNU_FORMAT),
    "the SageMaker SDK": repacked_as_the_sdk_does,
}
if shutil.which("bsdtar"):
    PACKERS |= {
        f"bsdtar, {fmt}": piped(["bsdtar", "--format", fmt, "-czf", "-", "-C", "FOLDER", "."])
        for fmt in ("pax", "gnutar")
    }
if shutil.which("pigz"):
    PACKERS |= {
        "pigz": piped([*GNU, "."], ["pigz", "-p", "3", "-b", "128"]),
        "pigz, independent": piped([*GNU, "."], ["pigz", "-p", "3", "-i", "-b", "128"]),
        "pigz, zopfli": piped([*GNU, "."], ["pigz", "-11", "-b", "2048"]),
    }
if shutil.which("bgzip"):
    PACKERS["bgzip"] = piped([*GNU, "."], ["bgzip", "-c"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder with a handler, a long name, an empty folder and a file with a hole."""
    made = tmp_path_factory.mktemp("foreign") / "model"
    VARIANTS["sentence-encoder"](made)
    (made / "code").mkdir()
    (made / "code" / "inference.py").write_text("def model_fn(model_dir):\n    return model_dir\n")
    (made / "empty").mkdir()
    (made / LONG_PATH).parent.mkdir(parents=True)
    (made / LONG_PATH).write_text("long")
    with (made / "hole.txt").open("wb") as file:
        file.write(b"before")
        file.seek(HOLE_BYTES)
        file.write(b"after")
    return made


@pytest.mark.parametrize("name", PACKERS)
def test_others_tools_archives_are_read_to_the_last_file(folder: Path, name: str) -> None:
    raw = PACKERS[name](folder)

    report = report_on(raw)

    assert raw[:2] == b"\x1f\x8b"
    assert problems(report) == []
    assert report.plan is not None
    assert report.plan.task == "feature-extraction"
    assert sorted(files_of(raw)) == sorted(
        (str(path.relative_to(folder)), path.stat().st_size) for path in folder.rglob("*") if path.is_file()
    )


def files_of(raw: bytes) -> list[tuple[str, int]]:
    """What the door saw."""
    return list(read_contents(io.BytesIO(raw), Findings(), Limits()).files.items())


def test_a_name_that_ustar_cannot_hold_is_left_out_by_tar_itself(folder: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(folder, plain, ignore=shutil.ignore_patterns("a*"))

    for fmt in ("ustar", "v7"):
        report = report_on(piped([*GNU, "-z", f"--format={fmt}", "."])(plain))
        assert problems(report) == []
        assert report.is_accepted


TASKS = {
    "entities": "token-classification", "reader": "question-answering", "masked": "fill-mask",
    "inferrer": "text-classification", "encoder": "feature-extraction", "sentence-encoder": "feature-extraction",
    "decoder": "text-generation", "rewriter": "text2text-generation", "vision": "image-classification",
    "detector": "object-detection", "captioner": "image-to-text", "hearer": "audio-classification",
    "speller": "automatic-speech-recognition", "whisperer": "automatic-speech-recognition",
    "table-reader": "table-question-answering", "ranker": "text-classification",
}  # fmt: skip
"""What each family is for, where its configuration says so."""
ESTIMATORS = ("estimator", "numbers")


def test_every_family_that_the_examples_build_is_here() -> None:
    assert set(TASKS) | set(ESTIMATORS) == set(VARIANTS)


@pytest.mark.parametrize("name", TASKS)
def test_what_save_pretrained_writes_is_accepted_without_a_word(tmp_path: Path, name: str) -> None:
    VARIANTS[name](tmp_path / "model")

    report = report_on(PACKERS["GNU tar, gnu"](tmp_path / "model"))

    assert problems(report) == []
    assert report.plan is not None
    assert report.plan.task == TASKS[name]
    assert report.plan.is_grafted


@pytest.mark.parametrize("name", ESTIMATORS)
def test_what_scikit_learn_writes_is_accepted_and_its_pickle_named(tmp_path: Path, name: str) -> None:
    VARIANTS[name](tmp_path / "model")

    report = report_on(PACKERS["Python, PAX"](tmp_path / "model"))

    assert report.is_accepted
    assert problems(report) == ["weights-pickled"]
    assert report.plan is not None
    assert report.plan.is_grafted
    assert container_of(report) == "sklearn"


def container_of(report: Report) -> str | None:
    return report.plan.container if report.plan is not None else None


def test_archives_of_one_gzip_member_and_of_many_hold_the_same_model(folder: Path) -> None:
    one = PACKERS["GNU tar, gnu"](folder)
    raw_tar = gzip.decompress(one)
    many = b"".join(gzip.compress(raw_tar[at : at + 65_280], mtime=0) for at in range(0, len(raw_tar), 65_280))

    assert files_of(one) == files_of(many)
    assert problems(report_on(many)) == []
