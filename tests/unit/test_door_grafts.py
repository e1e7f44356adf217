"""A grafted archive is one gzip member that every reader reads alike: our files first, then the original's own."""

import gzip
import hashlib
import io
import random
import shutil
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.bootstrap import HANDLER_FOLDER, read_handler
from chalicelib.door import examine
from chalicelib.door.grafts import HANDLED_TASKS, Seam, crc32_combine, graft, rewrite
from chalicelib.door.tasks import TASKS
from chalicelib.names import ModelName
from chalicelib.state import Span
from tests.unit import corpus
from tests.unit.scenes import CAT, app_over, dropped, redrop
from tests.unit.test_door_corpus import NOW, RULES, drop_of, report_on

FILES = {"code/inference.py": b"def model_fn(model_dir):\n    return 1\n" * 40, "code/lib/empty.py": b""}
NOISE = random.Random(4).randbytes(700_000)


def seam_of(raw: bytes) -> Seam | None:
    return examine(drop_of(raw), io.BytesIO(raw), None, rules=RULES, now=NOW).seam


def grafted(raw: bytes, files: dict[str, bytes] = FILES) -> bytes:
    seam = seam_of(raw)
    assert seam is not None
    return b"".join(p if isinstance(p, bytes) else raw[p.start : p.end] for p in graft(files, seam))


def originals() -> dict[str, bytes]:
    """One archive by each way to write gzip and tar."""
    files = {**corpus.bert(), "model.safetensors": corpus.safetensors(), "noise.bin": NOISE}
    named = io.BytesIO()
    with gzip.GzipFile("model.tar", "wb", fileobj=named, mtime=1) as writer:
        writer.write(corpus.tar(files))
    return {
        "pax": corpus.archive(files),
        "gnu": corpus.archive(files, tarfile.GNU_FORMAT),
        "dot-slash": corpus.archive({f"./{name}": body for name, body in files.items()}),
        "best": gzip.compress(corpus.tar(files), 9),
        "stored": gzip.compress(corpus.tar(files), 0),
        "with a name": named.getvalue(),
        "flushed": flushed(corpus.tar(files)),
    }


def flushed(raw: bytes) -> bytes:
    """As pigz writes it: one member, with empty blocks in between."""
    deflater = zlib.compressobj(wbits=31)
    pieces = [raw[start : start + 100_000] for start in range(0, len(raw), 100_000)]
    return b"".join(deflater.compress(p) + deflater.flush(zlib.Z_SYNC_FLUSH) for p in pieces) + deflater.flush()


ORIGINALS = originals()


def members(raw: bytes, mode: str) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(raw), mode=mode) as tar:  # type: ignore[call-overload]
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}


@pytest.mark.parametrize("name", ORIGINALS)
@pytest.mark.parametrize("mode", ["r:gz", "r|gz"])
def test_python_reads_our_files_first_and_then_the_original_s(name: str, mode: str) -> None:
    raw = grafted(ORIGINALS[name])

    found = members(raw, mode)

    assert list(found)[:2] == list(FILES)
    assert found == {**FILES, **members(ORIGINALS[name], "r:gz")}


@pytest.mark.parametrize("name", ORIGINALS)
def test_gnu_tar_and_gzip_read_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(grafted(ORIGINALS[name]))

    subprocess.run(["gzip", "-t", str(path)], check=True)
    subprocess.run(["tar", "-xzf", str(path), "-C", str(tmp_path)], check=True)

    assert (tmp_path / "code/inference.py").read_bytes() == FILES["code/inference.py"]
    assert (tmp_path / "noise.bin").read_bytes() == NOISE


READER = """
import java.io.*;
import java.security.MessageDigest;
import java.util.zip.GZIPInputStream;

public class Reader {
    public static void main(String[] arguments) throws Exception {
        for (String path : arguments) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            try (InputStream in = new GZIPInputStream(new BufferedInputStream(new FileInputStream(path)))) {
                byte[] buffer = new byte[65536];
                for (int n; (n = in.read(buffer)) > 0; ) digest.update(buffer, 0, n);
            }
            StringBuilder hex = new StringBuilder();
            for (byte b : digest.digest()) hex.append(String.format("%02x", b));
            System.out.println(hex);
        }
    }
}
"""


def test_java_reads_it(tmp_path: Path) -> None:
    if shutil.which("javac") is None:
        return  # a machine without Java cannot ask it; the container's server is written in it
    (tmp_path / "Reader.java").write_text(READER)
    paths = []
    for name, raw in ORIGINALS.items():
        paths.append(tmp_path / f"{name}.tar.gz")
        paths[-1].write_bytes(grafted(raw))

    subprocess.run(["javac", "Reader.java"], cwd=tmp_path, check=True)
    ran = subprocess.run(
        ["java", "-Xshare:auto", "-cp", str(tmp_path), "Reader", *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
    )

    expected = [hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest() for path in paths]
    assert ran.stdout.split() == expected


@settings(max_examples=60, deadline=None)
@given(first=st.binary(max_size=500), second=st.binary(max_size=500))
def test_checksums_are_joined_as_if_counted_in_one_go(first: bytes, second: bytes) -> None:
    assert crc32_combine(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (corpus.members_of_gzip(3), "several members"),
        (corpus.archive(corpus.bert()) + bytes(512), "zeros behind"),
    ],
)
def test_what_is_more_than_one_member_has_no_seam_and_is_packed_anew(raw: bytes, why: str) -> None:
    assert seam_of(raw) is None, why

    again = b"".join(rewrite(FILES, io.BytesIO(raw)))

    assert members(again, "r|gz") == {**FILES, **members(raw, "r:gz")}


def test_a_long_header_of_gzip_s_own_is_left_out() -> None:
    raw = bytearray(corpus.archive(corpus.bert()))
    raw[3] = 4
    raw[10:10] = (100).to_bytes(2, "little") + bytes(100)

    assert members(grafted(bytes(raw)), "r|gz").keys() == {*FILES, *corpus.bert()}


def test_the_same_files_give_the_same_bytes() -> None:
    assert graft(FILES, Seam(10, 5, 1, 2)) == graft(dict(reversed(FILES.items())), Seam(10, 5, 1, 2))
    assert isinstance(graft(FILES, Seam(10, 5, 1, 2))[1], Span)


def test_a_grafted_archive_passes_the_door_itself() -> None:
    report = report_on(grafted(corpus.archive(corpus.bert())))

    assert report.is_accepted
    assert report.plan is not None
    assert not report.plan.is_grafted


def test_the_grafted_tasks_are_those_that_the_handler_serves() -> None:
    program = "from tarmac_inference.registry import LOADERS; print(' '.join(LOADERS))"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=HANDLER_FOLDER, capture_output=True, text=True, check=True
    )
    loaders = set(ran.stdout.split())

    # It serves estimators too, which deploy.toml has no word for: their container is not Hugging Face's.
    assert loaders & TASKS == HANDLED_TASKS
    assert loaders - TASKS == {"sklearn"}


def test_a_release_without_code_is_pinned_with_tarmac_s_own() -> None:
    world, app = dropped()
    redrop(world, app, corpus.archive(corpus.bert()))

    desired = app.looker.desired(CAT)
    assert desired.drop is not None
    pinned = world.bucket.objects[f"releases/cat/{desired.drop.release}/model.tar.gz"][0]
    assert members(pinned, "r|gz") == {**read_handler(), **corpus.bert()}
    assert desired.target is not None
    assert desired.target.plan is not None
    assert dict(desired.target.plan.env)["SAGEMAKER_PROGRAM"] == "inference.py"


def test_a_release_of_an_estimator_gets_it_too() -> None:
    world, app = dropped()
    redrop(world, app, corpus.archive({"model.joblib": corpus.ESTIMATOR}))

    pinned = [key for key in world.bucket.keys("releases/") if key.endswith("model.tar.gz")]
    expected = {**read_handler(), "model.joblib": corpus.ESTIMATOR}
    assert expected in [members(world.bucket.objects[key][0], "r|gz") for key in pinned]
    assert {"code/pyproject.toml", "code/tarmac_inference/wheels.py"} <= set(expected)


def test_a_release_of_several_gzip_members_gets_it_too() -> None:
    world, app = dropped()
    redrop(world, app, corpus.members_of_gzip(4))

    pinned = [key for key in world.bucket.keys("releases/") if key.endswith("model.tar.gz")]
    assert {**read_handler(), **corpus.bert()} in [members(world.bucket.objects[key][0], "r|gz") for key in pinned]


@pytest.mark.parametrize(
    "files",
    [
        {**corpus.bert(), "code/inference.py": corpus.INFERENCE},
        {**corpus.bert(), "code/notes.txt": b""},
        {**corpus.bert(), "config.json": corpus.config("DPTForDepthEstimation"), "preprocessor_config.json": b"{}"},
        {"code/inference.py": corpus.INFERENCE},
    ],
)
def test_code_of_its_own_and_tasks_that_the_handler_does_not_serve_are_left_alone(files: dict[str, bytes]) -> None:
    world, app = dropped()
    redrop(world, app, corpus.archive(files))

    desired = app.looker.desired(ModelName(CAT))
    assert desired.drop is not None
    pinned = world.bucket.objects[f"releases/cat/{desired.drop.release}/model.tar.gz"][0]
    assert pinned == corpus.archive(files)
    assert app_over(world).looker.look(CAT) is not None


HANDLER = corpus.INFERENCE


def test_a_code_folder_beside_the_archive_makes_a_release_with_it_in_front() -> None:
    world, app = dropped()
    redrop(world, app, corpus.archive(corpus.bert()))
    before = app.looker.desired(CAT).target

    world.clock.advance(5)
    world.bucket.put("models/cat/code/inference.py", HANDLER)
    app.looker.look(CAT)

    after = app.looker.desired(CAT).target
    assert before is not None
    assert after is not None
    assert after.release != before.release
    pinned = world.bucket.objects[f"releases/cat/{after.release}/model.tar.gz"][0]
    assert members(pinned, "r|gz") == {"code/inference.py": HANDLER, **corpus.bert()}


def test_a_changed_code_folder_is_another_release_though_the_archive_is_the_same() -> None:
    world, app = dropped()
    world.bucket.put("models/cat/code/inference.py", HANDLER)
    redrop(world, app, corpus.archive(corpus.bert()))
    first = app.looker.desired(CAT).target

    world.bucket.put("models/cat/code/inference.py", HANDLER + b"# changed\n")
    app.looker.look(CAT)

    second = app.looker.desired(CAT)
    assert first is not None
    assert second.report is not None
    assert second.report.same_as is None
    assert second.report.release != first.release


@pytest.mark.parametrize(
    ("archived", "beside", "expected"),
    [
        ({"code/inference.py": HANDLER}, {"code/inference.py": HANDLER}, "code-twice"),
        ({}, {"code/inference.py": b"def model_fn(:"}, "code-syntax"),
        ({}, {"code/data.bin": bytes(9 << 20)}, "code-too-large"),
        ({}, {"code/../../etc/passwd": b""}, "path-climbs"),
        ({}, {"code/model.pkl": b"cos\nsystem\n."}, "pickle-import-not-allowed"),
    ],
)
def test_a_code_folder_is_judged_as_if_it_lay_in_the_archive(
    archived: dict[str, bytes], beside: dict[str, bytes], expected: str
) -> None:
    world, app = dropped()
    for path, body in beside.items():
        world.bucket.put(f"models/cat/{path}", body)

    redrop(world, app, corpus.archive({**corpus.bert(), **archived}))

    report = app.looker.desired(CAT).report
    assert report is not None
    assert expected in [check.id for check in report.checks]
    assert not report.is_accepted


def test_the_code_folder_goes_with_the_model() -> None:
    world, app = dropped()
    world.bucket.put("models/cat/code/inference.py", HANDLER)

    app.commands.remove("cat")

    assert world.bucket.keys("models/") == []
