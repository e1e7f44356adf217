"""The demo, whole: it says that it passed only when each step truly happened, in time, and leaves nothing behind."""

import json
import subprocess
import sys
from pathlib import Path

import psutil

from tarmac.demo_engine import ROOT
from tests.local.engines import tarmac


def test_the_demo_passes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))

    ran = tarmac("demo", "--json", env={"TMPDIR": str(tmp_path)})

    figures = {figure["name"]: figure for figure in ran.raw["figures"]}
    assert len(ran.raw["steps"]) == 7, ran.out
    assert set(figures) == {"drop to ready", "wake", "total"}
    # How fast it is depends on what else runs here; what the demo says of that must be true.
    assert all(figure["kept"] == (figure["took_s"] <= figure["at_most_s"]) for figure in figures.values())
    assert ran.raw["passed"] == all(figure["kept"] for figure in figures.values())
    assert ran.code == (0 if ran.raw["passed"] else 1)
    assert list(tmp_path.glob("tarmac-demo-*")) == []
    assert set(psutil.Process().children(recursive=True)) <= before


def test_a_demo_that_cannot_work_says_why_and_fails(tmp_path: Path) -> None:
    # Nothing can be built where torch cannot be imported.
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')\n")

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.argv[1:] = ['demo', '--json']; from tarmac.cli.main import main; main()",
        ],
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": f"{tmp_path}:{ROOT}",
            "HOME": str(tmp_path),
            "TMPDIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    timeline = json.loads(done.stdout)
    assert done.returncode == 1
    assert not timeline["passed"]
    assert "could not be built" in timeline["failure"]
