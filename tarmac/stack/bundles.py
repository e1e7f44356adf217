"""Lays out what goes into Lambda: the application and the installed libraries it needs. Called by packaging.

Chalice would download requirements.txt from a package index for every package. The environment that runs the tests has
these very versions installed already, so they are copied from there: what was tested is what is shipped, and packaging
needs no network (docs/decisions/0008-bundle-from-the-environment.md).
"""

import re
import shutil
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from tarmac.stack.errors import PackagingFailed

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"==\s*([^\s;#]+)")
_NEEDED = (
    "app.py", "chalicelib", ".chalice/config.json", "requirements.txt", "infra/resources.yaml", "inference_code",
)  # fmt: skip
_INSTALLERS_NOTES = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})


def lay_out(root: Path, into: Path) -> None:
    """Make a Chalice project of the checkout in which nothing is left to download.

    Args:
        root: The checkout.
        into: A directory that is not there yet.

    Raises:
        PackagingFailed: A file of the application or a library is missing, of another version, or compiled.
    """
    for needed in _NEEDED:
        if not (root / needed).exists():
            raise PackagingFailed(f"{root / needed} is missing", fix="deploy from a whole checkout of Tarmac")
    into.mkdir(parents=True)
    shutil.copy(root / "app.py", into)
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc", "deployments", "deployed")
    shutil.copytree(root / "chalicelib", into / "chalicelib", ignore=unwanted)
    shutil.copytree(root / ".chalice", into / ".chalice", ignore=unwanted)
    # Empty, so that Chalice asks no index; the libraries are in vendor/ already.
    (into / "requirements.txt").write_text("")
    vendor = into / "vendor"
    vendor.mkdir()
    # As data: it runs in the serving container, and is put in front of archives that bring no handler.
    unneeded = shutil.ignore_patterns("__pycache__", "*.pyc", "serve.py", "requirements.txt")
    shutil.copytree(root / "inference_code", vendor / "inference_code", ignore=unneeded)
    for library in libraries((root / "requirements.txt").read_text()):
        _copy(library, vendor)


def libraries(requirements: str) -> list[Distribution]:
    """Find the installed libraries that a requirements.txt names, and those that they need in turn.

    Raises:
        PackagingFailed: One is not installed, or not in the version that is asked for.
    """
    found: dict[str, Distribution] = {}
    for line in requirements.splitlines():
        wanted = line.partition("#")[0].strip()
        if not wanted:
            continue
        version = _VERSION.search(wanted)
        library = _installed(wanted)
        if version is not None and library.version != version[1]:
            raise PackagingFailed(
                f"{wanted} is asked for, {library.version} is installed", fix="install the pinned versions: make setup"
            )
        _collect(library, found)
    return [found[name] for name in sorted(found)]


def _collect(library: Distribution, found: dict[str, Distribution]) -> None:
    name = library.metadata["Name"].lower().replace("_", "-")
    if name in found:
        return
    found[name] = library
    for requirement in library.requires or ():
        # What belongs to an extra is not asked for; any other marker is met by what is installed.
        if "extra ==" not in requirement:
            _collect(_installed(requirement), found)


def _installed(requirement: str) -> Distribution:
    match = _NAME.match(requirement)
    if match is None:
        raise PackagingFailed(f"{requirement!r} in requirements.txt names no library")
    try:
        return distribution(match[0])
    except PackageNotFoundError as exc:
        raise PackagingFailed(f"{match[0]} is not installed", fix="install the pinned versions: make setup") from exc


def _copy(library: Distribution, into: Path) -> None:
    if "Root-Is-Purelib: false" in (library.read_text("WHEEL") or ""):
        raise PackagingFailed(
            f"{library.metadata['Name']} is compiled for this machine, which may not be Lambda's",
            fix="leave it out of requirements.txt, or vendor a wheel that is made for Lambda",
        )
    for relative in _files(library):
        target = into / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(library.locate_file(relative)), target)


def _files(library: Distribution) -> Iterator[str]:
    for path in library.files or ():
        relative = path.as_posix()
        is_outside = relative.startswith(("../", "/"))
        if not is_outside and "__pycache__" not in path.parts and path.name not in _INSTALLERS_NOTES:
            yield relative
