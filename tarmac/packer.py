"""Packs a model's folder into a model.tar.gz: the same folder always gives the same bytes. Called by the command line.

What is in it is as the serving container wants it: paths relative to the folder, links replaced by what they point to,
nothing of git, Python's caches or macOS. Written forward only, without a temporary file.
"""

import hashlib
import stat
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

EXCLUDED_NAMES = frozenset(
    {
        ".DS_Store",
        ".cache",
        ".git",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".pytest_cache",
        ".venv",
        "__MACOSX",
        "__pycache__",
    }
)
_EXCLUDED_PREFIX = "._"
_EXCLUDED_SUFFIXES = (".pyc", ".pyo")

# What `tar -czf` uses. A lower level gains nothing: 160 MB of float32 weights took zlib 7.2 s at level 1, 7.3 s at 6.
_LEVEL = 6
_COPY_BYTES = 1 << 20
_FILE_MODE, _FOLDER_MODE = 0o644, 0o755


class NotPackable(ValueError):
    """The folder cannot be packed; the message says which file is in the way, and why."""


@dataclass(frozen=True)
class Packed:
    """What was packed: regular files and their bytes; and the archive's own size and SHA-256 (hex)."""

    file_count: int
    unpacked_bytes: int
    packed_bytes: int
    sha256: str


@dataclass(frozen=True)
class _Entry:
    name: str
    path: Path
    size_bytes: int
    is_folder: bool = False


def pack(directory: Path, archive: BinaryIO | Path) -> Packed:
    """Pack everything in *directory* that serving can use.

    Args:
        directory: Becomes the archive's root.
        archive: A path, overwritten and removed again when packing fails; or anything open for writing bytes, which is
            only ever written to and stays open.

    Raises:
        NotADirectoryError: *directory* is none.
        NotPackable: It holds no files, or something that no archive for SageMaker can hold.
        OSError: Reading or writing failed, or a file changed while it was read.
    """
    if not directory.is_dir():
        raise NotADirectoryError(f"{directory} is not a directory")
    if not isinstance(archive, Path):
        return _pack_into(archive, _entries(directory, besides=None))
    # Listed before the archive is made, for it may lie inside the folder.
    entries = _entries(directory, besides=archive)
    try:
        with archive.open("wb") as output:
            return _pack_into(output, entries)
    except BaseException:
        archive.unlink(missing_ok=True)
        raise


def is_excluded(name: str) -> bool:
    """Tell whether a file or folder of this name stays out of every archive."""
    return name in EXCLUDED_NAMES or name.startswith(_EXCLUDED_PREFIX) or name.endswith(_EXCLUDED_SUFFIXES)


def _entries(directory: Path, *, besides: Path | None) -> list[_Entry]:
    own = besides.resolve() if besides is not None else None
    entries = [entry for entry in _walk(directory, "", ()) if entry.path.resolve() != own]
    if all(entry.is_folder for entry in entries):
        raise NotPackable(f"{directory} holds no files to pack")
    return sorted(entries, key=lambda entry: entry.name.encode("utf-8", "surrogateescape"))


def _walk(folder: Path, prefix: str, above: tuple[Path, ...]) -> Iterator[_Entry]:
    real = folder.resolve()
    if real in above:
        raise NotPackable(f"{folder} is a link to a folder that holds it")
    is_empty = True
    for path in folder.iterdir():
        if is_excluded(path.name):
            continue
        is_empty = False
        name = f"{prefix}{path.name}"
        try:
            found = path.stat()
        except FileNotFoundError as exc:
            raise NotPackable(f"{path} is a link that leads nowhere") from exc
        if stat.S_ISDIR(found.st_mode):
            yield from _walk(path, f"{name}/", (*above, real))
        elif stat.S_ISREG(found.st_mode):
            yield _Entry(name, path, found.st_size)
        else:
            raise NotPackable(f"{path} is a device, socket or FIFO")
    if is_empty and prefix:
        yield _Entry(prefix.rstrip("/"), folder, 0, is_folder=True)


def _pack_into(output: BinaryIO, entries: list[_Entry]) -> Packed:
    gzip = _Gzip(output)
    with tarfile.open(fileobj=cast("BinaryIO", gzip), mode="w|", format=tarfile.PAX_FORMAT, bufsize=_COPY_BYTES) as tar:
        for entry in entries:
            # Everything but name, type and size is left at tarfile's zeros: times and owners would change the bytes.
            info = tarfile.TarInfo(entry.name)
            if entry.is_folder:
                info.type, info.mode = tarfile.DIRTYPE, _FOLDER_MODE
                tar.addfile(info)
                continue
            info.size, info.mode = entry.size_bytes, _FILE_MODE
            with entry.path.open("rb") as source:
                tar.addfile(info, source)
    gzip.finish()
    files = [entry for entry in entries if not entry.is_folder]
    unpacked_bytes = sum(entry.size_bytes for entry in files)
    return Packed(len(files), unpacked_bytes, gzip.packed_bytes, gzip.sha256)


class _Gzip:
    """A gzip file being written, whose header holds no time and no name; counts and hashes what it writes."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._sha256 = hashlib.sha256()
        # wbits above 15: zlib writes header and trailer itself, with a zero time. Source: zlib manual, deflateInit2.
        self._deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, wbits=31)
        self.packed_bytes = 0

    @property
    def sha256(self) -> str:
        """Of everything written so far, in hex."""
        return self._sha256.hexdigest()

    def write(self, data: bytes) -> int:
        self._put(self._deflater.compress(data))
        return len(data)

    def finish(self) -> None:
        self._put(self._deflater.flush())

    def _put(self, packed: bytes) -> None:
        if packed:
            self._output.write(packed)
            self._sha256.update(packed)
            self.packed_bytes += len(packed)
