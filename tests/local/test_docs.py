"""What the README and the docs show is run: shell blocks in one shell on a real engine, Python and TOML as they are."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from engines import echo_archive, tarmac, until

from tarmac.demo_engine import ROOT, EngineProcess

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)#:]+)(?:#[^)]*)?\)")


def blocks(page: Path, kind: str) -> list[str]:
    """The fenced blocks of a kind on a page."""
    return [match["body"] for match in FENCE.finditer(page.read_text()) if match["kind"] == kind]


def commands(block: str) -> list[str]:
    """The lines a person types, with their continuations."""
    typed: list[str] = []
    is_going_on = False
    for line in block.splitlines():
        if is_going_on:
            typed[-1] += "\n" + line
        elif line.startswith("$ "):
            typed.append(line.removeprefix("$ "))
        else:
            continue
        is_going_on = line.endswith("\\")
    return typed


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with an engine whose state is .tarmac, as a newcomer has it."""
    folder = tmp_path_factory.mktemp("newcomer")
    engine = EngineProcess(folder / ".tarmac", idle_after="15m", sweep_every="2s")
    engine.start()
    yield folder
    engine.kill()


def shell(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a newcomer would, with .venv activated and no AWS of their own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TARMAC_"))}
    path = f"{Path(sys.executable).parent}:{clean['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**clean, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_readmes_story_happens(place: Path) -> None:
    """The block that shows what it looks like: both questions are answered, and the drop is gone at the end."""
    block = next(block for block in blocks(ROOT / "README.md", "console") if "s3 cp" in block)

    ran = shell(place, "\n".join(commands(block)))

    assert ran.returncode == 0, ran.stderr
    assert "POSITIVE" in ran.stdout
    assert "NEGATIVE" in ran.stdout


def test_every_command_of_the_readme_exists_with_its_options() -> None:
    """make targets are in the Makefile; commands and options are in the help."""
    text = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"make ([a-z]+)\b", "\n".join(blocks(ROOT / "README.md", "console"))))
    makefile = (ROOT / "Makefile").read_text()
    assert targets
    assert all(f"\n{target}:" in makefile for target in targets)

    listed = tarmac("--help").out
    named = set(re.findall(r"`tarmac ([a-z]+)", text)) | set(re.findall(r"^\$ tarmac ([a-z]+)", text, re.MULTILINE))
    assert named
    assert [name for name in sorted(named) if f"\n  {name} " not in listed] == []

    up = next(
        line for block in blocks(ROOT / "README.md", "console") for line in commands(block) if "tarmac up" in line
    )
    shown = tarmac("up", "--help").out
    assert all(option in shown for option in re.findall(r"--[a-z-]+", up))


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "toml")], ids=lambda page: page.name)
def test_every_deploy_toml_shown_is_one_the_door_accepts(page: Path, tmp_path: Path) -> None:
    """Checked by the door itself, beside a good archive."""
    archive = echo_archive(tmp_path)

    for number, block in enumerate(blocks(page, "toml")):
        toml = tmp_path / f"{number}.toml"
        toml.write_text(block)
        ran = tarmac("check", str(archive), "--toml", str(toml), "--json")
        assert ran.code == 0, ran.out + ran.err


def test_the_pages_client_waits_for_a_model_that_is_not_ready(place: Path, tmp_path: Path) -> None:
    """The Python of docs/http-api.md, against a model dropped a moment ago."""
    (block,) = blocks(ROOT / "docs" / "http-api.md", "python")
    archive = echo_archive(tmp_path)
    state = str(place / ".tarmac")
    assert tarmac("push", str(archive), "--name", "page", "--state", state).code == 0
    found = until(lambda: tarmac("env", "--json", "--state", state)).raw
    os.environ.update({name: found[name] for name in ("TARMAC_URL", "TARMAC_TOKEN")})
    namespace: dict[str, object] = {"time": time, "httpx": httpx, "os": os}

    try:
        exec(compile(block, "http-api.md", "exec"), namespace)
        answer = namespace["ask"]("page", "hello")  # type: ignore[operator]  # the page defines it
    finally:
        for name in ("TARMAC_URL", "TARMAC_TOKEN"):
            os.environ.pop(name)

    assert answer.json() == {"echo": "hello"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Files that a page points to are there."""
    targets = [match["target"] for match in LINK.finditer(page.read_text())]

    assert [target for target in targets if not (page.parent / target).exists()] == []
