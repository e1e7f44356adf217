"""An environment for each release's code/requirements.txt, made once for the same wishes. Called by servers.py.

The container installs the file before it starts the model; here it goes into a virtual environment that sees everything
this one has, so that only what is missing, or wished in another version, is installed.
"""

import hashlib
import os
import shutil
import site
import subprocess
import sys
import tempfile
import threading
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

REQUIREMENTS = Path("code") / "requirements.txt"
WHEELS = Path("code") / "wheels"
_DONE = "complete"
_POLL_S = 0.05
_KEPT = 16
_HASH_BLOCK = 1 << 20
_NEVER_PASSED_ON = ("AWS_", "PYTHON", "VIRTUAL_ENV")


class RequirementsUnmet(Exception):
    """What code/requirements.txt asks for cannot be installed; the message says why, and the fix."""


class InstallingStopped(Exception):
    """The installation was called off."""


@dataclass(frozen=True)
class Environments:
    """The environments under one directory of the engine's state. Safe from any thread."""

    directory: Path
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def python_for(self, model_dir: Path, *, is_isolated: bool, is_stopped: Callable[[], bool]) -> Path:
        """Give the Python to run a model with: this one, or that of an environment with what its file asks for.

        Args:
            model_dir: The unpacked archive.
            is_isolated: Then nothing is fetched: only wheels under code/wheels, and only ready-made ones.
            is_stopped: Asked while pip runs.

        Raises:
            RequirementsUnmet, InstallingStopped: See there.
        """
        requirements = model_dir / REQUIREMENTS
        if not requirements.is_file() or not _asks_for_something(requirements):
            return Path(sys.executable)
        key = _key(model_dir)
        environment = self.directory / key
        with self._only_one(key):
            if not (environment / _DONE).exists():
                self._make(environment, model_dir, is_isolated=is_isolated, is_stopped=is_stopped)
            os.utime(environment / _DONE)
        self._forget_old(kept=environment)
        return environment / "bin" / "python"

    @contextmanager
    def _only_one(self, key: str) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            yield

    def _make(self, environment: Path, model_dir: Path, *, is_isolated: bool, is_stopped: Callable[[], bool]) -> None:
        shutil.rmtree(environment, ignore_errors=True)
        environment.mkdir(parents=True)
        try:
            venv.EnvBuilder(symlinks=True, with_pip=False).create(environment)
            _add_own_packages(environment)
            _install(environment, model_dir, is_isolated=is_isolated, is_stopped=is_stopped)
            (environment / _DONE).touch()
        except BaseException:
            shutil.rmtree(environment, ignore_errors=True)
            raise

    def _forget_old(self, *, kept: Path) -> None:
        """Remove the environments that were asked for the longest ago, where there are many. Best effort.

        One that a model still runs in loses nothing that is loaded; its next start makes it again.
        """
        found = [(path / _DONE).stat().st_mtime for path in self.directory.iterdir() if (path / _DONE).exists()]
        if len(found) <= _KEPT:
            return
        oldest_kept = sorted(found, reverse=True)[_KEPT - 1]
        for path in self.directory.iterdir():
            mark = path / _DONE
            if path != kept and mark.exists() and mark.stat().st_mtime < oldest_kept:
                shutil.rmtree(path, ignore_errors=True)


def _asks_for_something(requirements: Path) -> bool:
    lines = requirements.read_text(encoding="utf-8", errors="replace").splitlines()
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


def _key(model_dir: Path) -> str:
    """Name an environment by all that decides what is in it: the file, the wheels, this Python and its packages."""
    digest = hashlib.sha256()
    digest.update(f"{sys.version} {sys.prefix} {sorted(_own_packages())}".encode())
    wheels = sorted((model_dir / WHEELS).iterdir()) if (model_dir / WHEELS).is_dir() else []
    for path in [model_dir / REQUIREMENTS, *(path for path in wheels if path.is_file())]:
        digest.update(f"\0{path.name}\0".encode())
        with path.open("rb") as file:
            while block := file.read(_HASH_BLOCK):
                digest.update(block)
    return digest.hexdigest()[:24]


def _own_packages() -> list[str]:
    """List what is installed here, by the names of its metadata folders, which carry the version."""
    return [path.name for folder in site.getsitepackages() for path in Path(folder).glob("*.dist-info")]


def _add_own_packages(environment: Path) -> None:
    """Let it see this environment's packages, after its own.

    Not --system-site-packages: that shows the packages of the Python that this environment was made from.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folder = environment / "lib" / version / "site-packages"
    (folder / "tarmac-parent.pth").write_text("".join(f"{path}\n" for path in site.getsitepackages()))


def _install(environment: Path, model_dir: Path, *, is_isolated: bool, is_stopped: Callable[[], bool]) -> None:
    python = str(environment / "bin" / "python")
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-input", "--no-color"]
    command += ["--disable-pip-version-check", "--requirement", str(model_dir / REQUIREMENTS)]
    if is_isolated:
        # A source package runs its own code to be built, and that would have the network.
        command += ["--no-index", "--only-binary", ":all:"]
    if (model_dir / WHEELS).is_dir():
        command += ["--find-links", str(model_dir / WHEELS)]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        status = _run(command, model_dir / "code", output.fileno(), is_stopped)
        output.seek(0)
        lines = [line.strip() for line in output if line.strip()]
    if status != 0:
        raise RequirementsUnmet(_reason(lines, is_isolated=is_isolated))


def _run(command: list[str], directory: Path, output_fd: int, is_stopped: Callable[[], bool]) -> int:
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=_surroundings(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=output_fd,
        stderr=output_fd,
    )
    while True:
        try:
            return process.wait(timeout=_POLL_S)
        except subprocess.TimeoutExpired:
            if is_stopped():
                process.kill()
                process.wait()
                raise InstallingStopped from None


def _surroundings(environ: Mapping[str, str]) -> dict[str, str]:
    """Leave pip its own configuration, where a person's index may stand; AWS's credentials are none of its business."""
    return {name: value for name, value in environ.items() if not name.upper().startswith(_NEVER_PASSED_ON)}


def _reason(lines: list[str], *, is_isolated: bool) -> str:
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")] or lines
    told = (errors[-1] if errors else "pip failed without a word").rstrip(".")
    if not is_isolated:
        return f"code/requirements.txt could not be installed: {told}."
    return (
        f"code/requirements.txt could not be installed, and a model without network fetches nothing: {told}. "
        "Bring the wheels along: pip download --only-binary :all: -d code/wheels -r code/requirements.txt"
    )
