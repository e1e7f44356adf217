"""Packs a model's folder into a model.tar.gz: the same folder always gives the same bytes. Called by the command line.

What is in it is as the serving container wants it: paths relative to the folder, links replaced by what they point to,
nothing of git, Python's caches or macOS. Written forward only, without a temporary file.
"""

import errno
import gzip
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from chalicelib.door.streams import Limits
from chalicelib.door.tensors import HEADER_READ_MAX_BYTES, LENGTH_BYTES

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

# ISA-L's fastest that still finds matches: float32 weights at 1,100 MB/s and ratio .9235, where `tar -czf` has 29 MB/s
# and .9248; levels 2 and 3 are no smaller. Measured by benchmarks/packing.py.
_LEVEL = 1
_TAR_END = bytes(2 * tarfile.BLOCKSIZE)
_COPY_BYTES = 1 << 20
_HEAD_BYTES = LENGTH_BYTES + HEADER_READ_MAX_BYTES
_FILE_MODE, _FOLDER_MODE = 0o644, 0o755
_MEMBERS_MAX = Limits().members_max
_KINDS = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_TAKE_OUT = "move it out of the folder, or delete it"


class NotPackable(ValueError):
    """The folder cannot be packed; the message says which file is in the way, and why; *fix* what to do."""

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True)
class Packed:
    """What was packed: regular files and their bytes; and the archive's own size in bytes."""

    file_count: int
    unpacked_bytes: int
    packed_bytes: int


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
    with archive.open("wb") as output:
        try:
            return _pack_into(output, entries)
        except BaseException:
            # /dev/stdout or a FIFO would be the person's own.
            if archive.is_file():
                archive.unlink()
            raise


def pack_stored(directory: Path, output: BinaryIO) -> None:
    """Write a tar of the same files in a gzip file that compresses nothing: for the door in the same machine alone.

    Of safetensors files only the beginning is there, which is what the door reads of them; the rest is a hole, so a
    model of any size is judged at once.

    Raises:
        NotADirectoryError, NotPackable, OSError: As `pack`.
    """
    if not directory.is_dir():
        raise NotADirectoryError(f"{directory} is not a directory")
    with gzip.GzipFile("", "wb", compresslevel=0, fileobj=output, mtime=0) as gzipped:
        writer = cast("BinaryIO", gzipped)
        for entry in _entries(directory, besides=None):
            if entry.name.endswith(".safetensors") and entry.size_bytes > _HEAD_BYTES:
                _write_beginning(writer, entry)
            else:
                _write_member(writer, entry)
        writer.write(_TAR_END)


def unpacked_bytes(directory: Path) -> int:
    """Add up what `pack` would pack, in bytes. Raises NotPackable."""
    return sum(entry.size_bytes for entry in _entries(directory, besides=None))


def is_excluded(name: str) -> bool:
    """Tell whether a file or folder of this name stays out of every archive."""
    return name in EXCLUDED_NAMES or name.startswith(_EXCLUDED_PREFIX) or name.endswith(_EXCLUDED_SUFFIXES)


def kind_of(mode: int) -> str:
    """Say what something is that is neither a file nor a directory, by its *mode* as `os.stat` gives it."""
    return next((words for is_it, words in _KINDS if is_it(mode)), "no file")


def _entries(directory: Path, *, besides: Path | None) -> list[_Entry]:
    own = besides.stat() if besides is not None and besides.exists() else None
    entries: list[_Entry] = []
    for entry in _walk(directory, "", (), own):
        if len(entries) == _MEMBERS_MAX:
            # Links to folders that hold links to folders may come to more than any walk would end.
            fix = "leave out what serving does not need, such as checkpoints, logs and data sets"
            raise NotPackable(f"{directory} holds more than {_MEMBERS_MAX:,} files, the most an archive may", fix=fix)
        entries.append(entry)
    if all(entry.is_folder for entry in entries):
        raise NotPackable(f"{directory} holds no files to pack", fix="name the directory that holds config.json")
    return sorted(entries, key=lambda entry: entry.name.encode("utf-8", "surrogateescape"))


def _walk(folder: Path, prefix: str, above: tuple[os.stat_result, ...], own: os.stat_result | None) -> Iterator[_Entry]:
    here = folder.stat()
    if any(os.path.samestat(here, each) for each in above):
        fix = "delete the link: the folder is packed already"
        raise NotPackable(f"{folder} is a link to a folder that holds it", fix=fix)
    is_empty = True
    for path in folder.iterdir():
        if is_excluded(path.name):
            continue
        is_empty = False
        name = f"{prefix}{path.name}"
        found = _look(path)
        if stat.S_ISDIR(found.st_mode):
            yield from _walk(path, f"{name}/", (*above, here), own)
        elif not stat.S_ISREG(found.st_mode):
            raise NotPackable(f"{path} is {kind_of(found.st_mode)}, which no archive can carry", fix=_TAKE_OUT)
        elif own is None or not os.path.samestat(found, own):
            yield _Entry(name, path, found.st_size)
    if is_empty and prefix:
        yield _Entry(prefix.rstrip("/"), folder, 0, is_folder=True)


def _look(path: Path) -> os.stat_result:
    """Look at what *path* leads to."""
    try:
        return path.stat()
    except PermissionError:
        raise
    except FileNotFoundError as exc:
        fix = "delete the link, or bring back what it points to"
        raise NotPackable(f"{path} is a link that leads nowhere", fix=fix) from exc
    except OSError as exc:
        reason = (
            "is a link that leads back to itself" if exc.errno == errno.ELOOP else f"cannot be read: {exc.strerror}"
        )
        raise NotPackable(f"{path} {reason}", fix=_TAKE_OUT) from exc


def _pack_into(output: BinaryIO, entries: list[_Entry], *, threads: int | None = None) -> Packed:
    counted = _Counted(output)
    with _gzip_writer(counted, threads or _default_threads()) as writer:
        for entry in entries:
            _write_member(writer, entry)
        writer.write(_TAR_END)
    files = [entry for entry in entries if not entry.is_folder]
    unpacked_bytes = sum(entry.size_bytes for entry in files)
    return Packed(len(files), unpacked_bytes, counted.packed_bytes)


def _gzip_writer(output: "_Counted", threads: int) -> BinaryIO:
    """The one place that chooses how to compress: ISA-L, in threads. The number of threads changes no byte.

    Blocks of 1 MiB are deflated each by itself, with the 32 KiB before it as a dictionary, into one gzip member whose
    header holds no time and no name.
    """
    from isal import igzip_threaded

    writer: Any = igzip_threaded.open  # it has no type hints
    return cast("BinaryIO", writer(output, "wb", compresslevel=_LEVEL, threads=threads, block_size=_COPY_BYTES))


def _default_threads() -> int:
    """One for every core: reading and writing take a tenth of one."""
    return max(1, min(8, os.cpu_count() or 1))


def _write_member(writer: BinaryIO, entry: _Entry) -> None:
    info = tarfile.TarInfo(entry.name)
    info.type, info.mode = (tarfile.DIRTYPE, _FOLDER_MODE) if entry.is_folder else (tarfile.REGTYPE, _FILE_MODE)
    info.size = entry.size_bytes
    _write_header(writer, info)
    if not entry.is_folder:
        _write_bytes(writer, entry, entry.size_bytes)


def _write_beginning(writer: BinaryIO, entry: _Entry) -> None:
    """Write a member with a hole from _HEAD_BYTES on, in PAX's sparse format 1.0: a map, a block long, then the data.

    Source: GNU tar's manual, "Storing Sparse Files".
    """
    extents = (0, _HEAD_BYTES, entry.size_bytes, 0)
    mapped = "".join(f"{number}\n" for number in (len(extents) // 2, *extents)).encode()
    info = tarfile.TarInfo(entry.name)
    info.mode, info.size = _FILE_MODE, tarfile.BLOCKSIZE + _HEAD_BYTES
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": entry.name,
        "GNU.sparse.realsize": str(entry.size_bytes),
    }
    _write_header(writer, info)
    writer.write(mapped.ljust(tarfile.BLOCKSIZE, b"\0"))
    _write_bytes(writer, entry, _HEAD_BYTES)


def _write_header(writer: BinaryIO, info: tarfile.TarInfo) -> None:
    # Everything but name, type, mode and size is left at tarfile's zeros: times and owners would change the bytes.
    writer.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))


def _write_bytes(writer: BinaryIO, entry: _Entry, count: int) -> None:
    missing = count
    with entry.path.open("rb", buffering=0) as source:
        while missing and (data := source.read(min(missing, _COPY_BYTES))):
            writer.write(data)
            missing -= len(data)
    if missing:
        raise OSError(f"{entry.path} became shorter while it was packed")
    writer.write(bytes(-count % tarfile.BLOCKSIZE))


class _Counted(io.RawIOBase):
    """Counts what is written, on its way."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self.packed_bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._output.write(data)
        self.packed_bytes += len(data)
        return len(data)
