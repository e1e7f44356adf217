"""Judges each member by its name and type, before anything looks inside. Called by `contents` for every member.

SageMaker refuses an archive with any link when it creates the model, so no link is allowed here at all.
Source: Amazon SageMaker developer guide, "Troubleshoot deployment" (model artifacts with symlinks).
"""

import re
import unicodedata

from chalicelib.door import headers
from chalicelib.door.archives import Member
from chalicelib.door.kinds import Findings, declarer, shown
from chalicelib.reports import Severity

_declare = declarer("Names and types of members")
_RELATIVE = "Pack with relative paths from inside the model's folder: `tar -czf model.tar.gz -C FOLDER .`."
CLIMBS = _declare("path-climbs", Severity.ERROR, "A path has a `..` part and would land outside the folder.", _RELATIVE)
ABSOLUTE = _declare(
    "path-absolute",
    Severity.ERROR,
    "A path begins with `/` or a drive letter and would land outside the folder.",
    _RELATIVE,
)
BACKSLASH = _declare(
    "path-backslash",
    Severity.ERROR,
    "A path has a backslash: packed on Windows by a tool that does not know tar's separator is `/`.",
    "Pack with the `tar` that comes with Windows, or with `tarmac pack`.",
)
CONTROL = _declare(
    "path-control-character",
    Severity.ERROR,
    "A path has a control character, a NUL, or a character that turns the writing direction.",
    "Rename the file.",
)
NOT_UTF8 = _declare("path-not-utf8", Severity.WARNING, "A path is not UTF-8.", "Rename the file with plain characters.")
TOO_DEEP = _declare("path-too-deep", Severity.ERROR, "A path has more than 16 parts.", "Move the file up.")
TOO_LONG = _declare(
    "path-too-long", Severity.ERROR, "A path is over 1,024 bytes long, or one part of it over 255.", "Rename the file."
)
EMPTY_PATH = _declare("path-empty", Severity.ERROR, "A file has no name.", "Pack the archive again.")
TWICE = _declare(
    "path-duplicate",
    Severity.ERROR,
    "Two members have the same path: which one wins depends on who reads.",
    "Pack into a new archive instead of appending to an old one.",
)
ALIKE = _declare(
    "path-alike",
    Severity.WARNING,
    "Two paths differ only in case, or only in how they spell an accent. On AWS both files are there; where a disk does"
    " not tell them apart (macOS, Windows) one takes the other's place.",
    "Rename one of them, or leave it out.",
)
CONFLICT = _declare(
    "path-conflict", Severity.ERROR, "One member is a file where another needs a folder.", "Rename one of them."
)
AMBIGUOUS = _declare(
    "path-ambiguous",
    Severity.ERROR,
    "A member's GNU and PAX headers name it differently, or a file is called as folders are: what comes out depends on"
    " who reads.",
    "Pack the archive again.",
)
LINK = _declare(
    "link",
    Severity.ERROR,
    "A member is a symbolic or hard link; SageMaker refuses archives with links.",
    "Pack the files themselves: `tar -czhf model.tar.gz --hard-dereference -C FOLDER .`.",
)
SPECIAL = _declare(
    "special-file", Severity.ERROR, "A member is a device or FIFO; no model needs one.", "Leave it out of the archive."
)
UNSUPPORTED = _declare(
    "member-type",
    Severity.ERROR,
    "A member is of a type that readers disagree about (multi-volume, vendor extensions).",
    "Pack the archive again with GNU tar, bsdtar, Python's tarfile or `tarmac pack`.",
)
NESTED = _declare(
    "archive-nested",
    Severity.WARNING,
    "An archive lies inside the archive; nothing will unpack it, and nothing here looked inside.",
    "Unpack it into the model's folder, or leave it out.",
)
MACOS = _declare(
    "macos-leavings",
    Severity.WARNING,
    "macOS added `._*`, `.DS_Store` or `__MACOSX` entries of its own.",
    "Pack with `COPYFILE_DISABLE=1 tar -czf model.tar.gz -C FOLDER .`, or with `tarmac pack`.",
)

PATH_MAX_BYTES = 1024
PART_MAX_BYTES = 255
DEPTH_MAX = 16
_DRIVE = re.compile(r"[A-Za-z]:")
_NESTED = re.compile(r"\.(tar|tgz|tbz2?|txz|zip|7z|rar|gz|bz2|xz|zst)$", re.IGNORECASE)
_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_VOLUME_LABEL = "V"


def normalise(path: str) -> str:
    """Bring a path to its plain form: no `.` parts, no doubled, leading or trailing slashes."""
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def is_macos_leaving(path: str) -> bool:
    """Tell whether macOS, not the person, put this here."""
    parts = path.split("/")
    return parts[0] == "__MACOSX" or parts[-1].startswith("._") or parts[-1] == ".DS_Store"


class Names:
    """Remembers every path of one archive, so that no two are the same."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        # Hashes, not paths: ten thousand hostile paths with all their parents would not fit in memory.
        self._files: set[int] = set()
        self._folders: set[int] = set()
        self._folded: set[int] = set()
        self._macos: list[str] = []

    def accept(self, member: Member) -> str | None:
        """Judge a member; give the normalised path of a file worth looking into, None for anything else."""
        length = len(member.path.encode("utf-8", "surrogateescape"))
        if length > PATH_MAX_BYTES:
            # Nothing else is worth saying of a path that may be a quarter of a megabyte long.
            message = f"the path is {length:,} bytes long; {PATH_MAX_BYTES:,} is the most"
            self._findings.add(TOO_LONG, message, path=member.path)
            return None
        path = normalise(member.path)
        if member.type == headers.DIRECTORY and not path:
            # `./`, and the root itself as the SageMaker SDK packs it: all readers make it the folder they unpack into.
            return None
        self._judge_path(member.path)
        if member.is_renamed_twice:
            self._findings.add(AMBIGUOUS, "two headers name this member differently", path=member.path)
        if member.type == headers.DIRECTORY:
            self._judge_place(path, is_file=False)
            return None
        if member.type == _VOLUME_LABEL:
            return None
        if not self._judge_type(member):
            return None
        if not path:
            self._findings.add(EMPTY_PATH, "a file has no name")
            return None
        if member.path.endswith("/"):
            self._findings.add(AMBIGUOUS, "a file's name ends with a slash, as a folder's does", path=member.path)
        self._judge_place(path, is_file=True)
        if is_macos_leaving(path):
            self._macos.append(path)
            return None
        if _NESTED.search(path):
            self._findings.add(NESTED, f"{shown(path)} is an archive inside the archive", path=path)
        return path

    @property
    def are_only_macos_leavings(self) -> bool:
        """Whether every file so far was macOS's own."""
        return bool(self._macos) and len(self._macos) == len(self._files)

    def finish(self) -> None:
        """Say once what would be tiresome to read for every file."""
        if self._macos:
            count = len(self._macos)
            entries = "entry" if count == 1 else "entries"
            self._findings.add(MACOS, f"{count:,} {entries} left by macOS will be unpacked too", path=self._macos[0])

    def _judge_type(self, member: Member) -> bool:
        if member.type in headers.LINKS:
            self._findings.add(LINK, f"the member is {headers.LINKS[member.type]}", path=member.path)
        elif member.type in headers.SPECIAL:
            self._findings.add(SPECIAL, f"the member is {headers.SPECIAL[member.type]}", path=member.path)
        elif member.type != "0":
            self._findings.add(UNSUPPORTED, f"the member's type is {shown(member.type)!r}", path=member.path)
        else:
            return True
        return False

    def _judge_path(self, path: str) -> None:
        """Look at a path of at most PATH_MAX_BYTES characters."""
        add = self._findings.add
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts:
            add(CLIMBS, "the path climbs out of the archive with `..`", path=path)
        if path.startswith("/") or _DRIVE.match(path):
            add(ABSOLUTE, "the path is absolute", path=path)
        if "\\" in path:
            add(BACKSLASH, "the path has a backslash", path=path)
        if not path.isprintable():
            if any(unicodedata.category(character) == "Cc" or character in _DIRECTION_MARKS for character in path):
                add(CONTROL, "the path has a control character", path=path)
            if any("\udc80" <= character <= "\udcff" for character in path):
                add(NOT_UTF8, "the path is not UTF-8", path=path)
        if any(len(part.encode("utf-8", "surrogateescape")) > PART_MAX_BYTES for part in parts):
            add(TOO_LONG, f"a part of the path is over {PART_MAX_BYTES} bytes long", path=path)
        if len(parts) > DEPTH_MAX:
            add(TOO_DEEP, f"the path has {len(parts)} parts; {DEPTH_MAX} is the most", path=path)

    def _judge_place(self, path: str, *, is_file: bool) -> None:
        place = hash(path)
        parents = {hash(path[:at]) for at, character in enumerate(path) if character == "/"}
        if is_file:
            folded = hash(unicodedata.normalize("NFC", path).lower())
            if place in self._files:
                self._findings.add(TWICE, "the path is there twice", path=path)
            elif folded in self._folded:
                self._findings.add(ALIKE, "another path differs from this one only in case or accents", path=path)
            self._folded.add(folded)
            if place in self._folders or parents & self._files:
                self._findings.add(CONFLICT, "the path is both a file and a folder", path=path)
            self._files.add(place)
        elif place in self._files or parents & self._files:
            self._findings.add(CONFLICT, "the path is both a file and a folder", path=path)
        else:
            self._folders.add(place)
        if len(parents) < DEPTH_MAX:
            self._folders |= parents
