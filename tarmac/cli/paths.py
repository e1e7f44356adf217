"""What lies at a path that a person gave: a file or a directory, or why it is neither. Called by `packing`."""

import errno
import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tarmac.cli.engine import CommandFailed

_READABLE = "let yourself read it: chmod -R u+rX {}"
_SHOWN_MAX_CHARACTERS = 80


def is_directory(path: Path) -> bool:
    """Tell whether a directory lies at *path*; False for a regular file.

    Raises:
        CommandFailed: Nothing lies there, or something that is neither; the message says what.
    """
    try:
        found = path.stat()
    except OSError as exc:
        raise _unreachable(path, exc) from exc
    if stat.S_ISDIR(found.st_mode):
        return True
    if not stat.S_ISREG(found.st_mode):
        from tarmac.packer import kind_of

        # Reading one may wait for ever, never end, or take away what another program waits for.
        fix = f"write what comes out of it into a file first: cat {shlex.quote(str(path))} > model.tar.gz"
        raise CommandFailed(
            f"{path} is {kind_of(found.st_mode)}, not a regular file",
            fix=fix if stat.S_ISFIFO(found.st_mode) else "name a model.tar.gz, or the directory to pack",
            code="not_a_file",
        )
    return False


@contextmanager
def reading(path: Path, *, into: Path | None = None) -> Iterator[None]:
    """Say what is in the way when *path*, or something in it, cannot be read, or packed *into* another.

    Raises:
        CommandFailed: It cannot.
    """
    from tarmac.packer import NotPackable

    try:
        yield
    except NotPackable as exc:
        raise CommandFailed(str(exc), fix=exc.fix, code="not_packable") from exc
    except PermissionError as exc:
        where = exc.filename or path
        if into is not None and where == str(into):
            fix = f"write it elsewhere: tarmac pack {shlex.quote(str(path))} -o OTHER.tar.gz"
            raise CommandFailed(f"{where} may not be written by you", fix=fix, code="not_writable") from exc
        fix = _READABLE.format(shlex.quote(str(path)))
        raise CommandFailed(f"{where} may not be read by you", fix=fix, code="not_readable") from exc


def _unreachable(path: Path, exc: OSError) -> CommandFailed:
    if exc.errno == errno.ENAMETOOLONG:
        name = str(path)
        shown = name if len(name) <= _SHOWN_MAX_CHARACTERS else f"{name[:_SHOWN_MAX_CHARACTERS]}…"
        message = f"{shown} is {len(os.fsencode(name)):,} bytes long, more than a path or a part of one may have"
        return CommandFailed(message, fix="name a file or a directory that exists")
    if exc.errno == errno.ELOOP:
        return CommandFailed(f"{path} is a link that leads back to itself", fix="name the file itself")
    if isinstance(exc, PermissionError):
        fix = f"let yourself into the directories above it: chmod u+x {shlex.quote(str(path.absolute().parent))}"
        return CommandFailed(f"{path} cannot be reached: a directory above it is closed to you", fix=fix)
    if isinstance(exc, NotADirectoryError):
        return CommandFailed(f"there is no file {path}: a part of that path is a file, not a directory")
    if path.is_symlink():
        message = f"{path} is a link that leads nowhere: {path.readlink()} is not there"
        return CommandFailed(message, fix="name the file itself, or bring back what the link points to")
    if isinstance(exc, FileNotFoundError):
        return CommandFailed(f"there is no file {path}", fix="check its name; relative paths begin at this directory")
    return CommandFailed(f"{path} cannot be read: {exc.strerror or exc}")
