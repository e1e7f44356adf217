"""One pass over an archive: what is in it, with the few small files that later checks read. Called by `inspection`."""

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from chalicelib.door import members
from chalicelib.door.archives import NO_END, Member, TarReader
from chalicelib.door.grafts import Seam, find_seam
from chalicelib.door.indexes import INDEX_MAX_BYTES, pack_index
from chalicelib.door.intakes import Intake
from chalicelib.door.kinds import Findings, Unreadable, declarer, shown
from chalicelib.door.machines import Budget
from chalicelib.door.makers import HEAD_BYTES as MAKER_HEAD_BYTES
from chalicelib.door.makers import Made, watch_for
from chalicelib.door.pickles import HEAD_BYTES, PICKLE_NAMES, Scanned, begins_as_pickle, is_packed, scan
from chalicelib.door.signatures import HEAD_BYTES as SIGNATURE_BYTES
from chalicelib.door.signatures import UNTELLING, looks_like
from chalicelib.door.streams import Inflater, Limits, Unpacked, fastest_inflater
from chalicelib.door.tensors import (
    BITS,
    HEADER_READ_MAX_BYTES,
    LENGTH_BYTES,
    MalformedSafetensors,
    TensorFacts,
    header_bytes,
    parse_tensors,
)
from chalicelib.ports import ByteStream
from chalicelib.reports import Severity

_declare = declarer("Weights")
SAFETENSORS_DAMAGED = _declare(
    "safetensors-damaged",
    Severity.ERROR,
    "A safetensors file's header is malformed, or does not fit the file's size: it was cut, or changed.",
    "Save the model again with `save_pretrained` and pack it again.",
)
SAFETENSORS_UNREAD = _declare(
    "safetensors-not-read",
    Severity.WARNING,
    "A safetensors header is larger than the door reads; only the file's size is known.",
    None,
)
DTYPE = _declare(
    "safetensors-dtype",
    Severity.WARNING,
    "A safetensors file has tensors of a type that the format does not list; the library refuses the whole file.",
    "Save them as a type that it lists: 4-bit weights, say, two in a `U8`, as quantisers pack them.",
)
LFS_POINTER = _declare(
    "lfs-pointer",
    Severity.ERROR,
    "A file is a Git LFS pointer, a few lines of text that stand for the real file.",
    "Run `git lfs pull` in the model's folder and pack it again.",
)
NOT_KEPT = declarer("Code")(
    "code-not-read",
    Severity.WARNING,
    "A file that the door would have read is too large, or there are too many of them; it goes unchecked.",
    "Keep large data out of configuration files and `code/`.",
)
INDEX_UNREAD = _declare(
    "weights-index-not-read",
    Severity.INFO,
    "The index of the weights' files is larger than the door reads, so what it says is not checked.",
    None,
)
NO_FILES = declarer("Layout")(
    "no-files",
    Severity.ERROR,
    "The archive holds no file at all.",
    "Pack the model's folder with `tar -czf model.tar.gz -C FOLDER .`.",
)

JSON_MAX_BYTES = 1 << 20
_SOURCE_MAX_BYTES = 256 << 10
_KEPT_MAX_BYTES = 8 << 20
KEPT_NAMES = frozenset(
    {
        "adapter_config.json",
        "config.json",
        "model_index.json",
        "modules.json",
        "preprocessor_config.json",
        "tokenizer_config.json",
        "requirements.txt",
    }
)
INDEX_NAME = re.compile(r"[^/]+\.(safetensors|bin)\.index\.json")
"""Of sharded weights, at the root."""
_LFS_MAGIC = b"version https://git-lfs.github.com/spec/"
_LFS_MAX_BYTES = 1024


@dataclass
class Contents:
    """What one pass found. Paths are normalised: no `./` in front, no doubled or trailing slashes.

    Attributes:
        files: Size once extracted, in bytes, by path; macOS leavings excluded.
        kept: The whole bytes of the small files that later checks read.
        indexes: Of sharded weights, packed.
        tensors: What each readable safetensors file holds.
        pickles: What each pickle would import; empty where the archive is trusted.
        makers: What made the files that scikit-learn, XGBoost and TensorFlow write, as far as their bytes tell.
        is_whole: The archive was read to its end.
        seam: Where other members can be put in front without packing it again; None when they cannot.
        sha256: Of the packed bytes, in hex; None unless they were read to the end.
    """

    files: dict[str, int] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict)
    indexes: dict[str, bytes] = field(default_factory=dict)
    tensors: dict[str, TensorFacts] = field(default_factory=dict)
    pickles: dict[str, Scanned] = field(default_factory=dict)
    makers: dict[str, Made] = field(default_factory=dict)
    is_whole: bool = False
    seam: Seam | None = None
    sha256: str | None = None
    packed_bytes: int = 0

    def add(self, path: str, body: bytes, findings: Findings) -> None:
        """Take in a file that came beside the archive, whole."""
        self.files[path] = len(body)
        if PICKLE_NAMES.search(path) is not None or begins_as_pickle(body):
            self.pickles[path] = scan(iter([body]), Budget())
        if _is_kept(path):
            if len(body) > _SOURCE_MAX_BYTES:
                findings.add(NOT_KEPT, f"the file has {len(body):,} bytes; it was not read", path=path)
            else:
                self.kept[path] = body

    @property
    def root_files(self) -> frozenset[str]:
        """Names of the files at the archive's root."""
        return frozenset(path for path in self.files if "/" not in path)


def read_contents(
    archive: ByteStream,
    findings: Findings,
    limits: Limits,
    *,
    scans_pickles: bool = True,
    new_inflater: Callable[[], Inflater] = fastest_inflater,
) -> Contents:
    """Read *archive* to its end, or to where it cannot be read any further.

    Everything wrong with the stream, the tar and the members' names goes to *findings*. Pickles are followed on the
    way, unless told not to.

    Raises:
        OSError, AwsError: Whatever reading the stream itself raises.
    """
    contents, intake = Contents(), Intake(archive)
    unpacked = Unpacked(intake, limits, new_inflater)
    reader = TarReader(unpacked, limits)
    names = members.Names(findings)
    budget = Budget() if scans_pickles else None
    try:
        for member in reader:
            path = names.accept(member)
            if path is not None:
                _read_member(reader, member, path, contents, findings)
                _read_pieces(reader, member, path, contents, budget)
        if not reader.is_ended:
            findings.add(NO_END, "the tar does not end with two zero blocks")
        reader.drain()
        contents.is_whole = True
        contents.seam = find_seam(intake, unpacked.unpacked_bytes)
    except Unreadable as exc:
        findings.add(exc.kind, exc.message, path=exc.path, fix=exc.fix)
    finally:
        intake.close()
    names.finish()
    contents.sha256, contents.packed_bytes = intake.sha256, intake.packed_bytes
    if contents.is_whole and not contents.files and not findings.is_refusal:
        if names.are_only_macos_leavings:
            findings.add(NO_FILES, "the archive holds nothing but what macOS leaves behind")
        else:
            findings.add(NO_FILES, "the archive holds no files")
    return contents


def _read_member(reader: TarReader, member: Member, path: str, contents: Contents, findings: Findings) -> None:
    contents.files[path] = member.size_bytes
    if reader.read(len(_LFS_MAGIC)) == _LFS_MAGIC and member.size_bytes <= _LFS_MAX_BYTES:
        findings.add(LFS_POINTER, f"{posixpath.basename(path)} is a Git LFS pointer, not the file itself", path=path)
    elif path.endswith(".safetensors"):
        _read_tensors(reader, member, path, contents, findings)
    elif INDEX_NAME.fullmatch(path):
        _read_index(reader, member, path, contents, findings)
    elif _is_kept(path):
        most_bytes = _SOURCE_MAX_BYTES if path.endswith(".py") else JSON_MAX_BYTES
        if member.size_bytes > min(most_bytes, _KEPT_MAX_BYTES - _kept_bytes(contents)):
            findings.add(NOT_KEPT, f"the file has {member.size_bytes:,} bytes; it was not read", path=path)
        else:
            contents.kept[path] = reader.read(member.size_bytes)


def _kept_bytes(contents: Contents) -> int:
    return sum(map(len, (*contents.kept.values(), *contents.indexes.values())))


def _read_index(reader: TarReader, member: Member, path: str, contents: Contents, findings: Findings) -> None:
    packed = pack_index(reader.pieces()) if member.size_bytes <= INDEX_MAX_BYTES else None
    if packed is None or len(packed) > _KEPT_MAX_BYTES - _kept_bytes(contents):
        findings.add(INDEX_UNREAD, f"the file has {member.size_bytes:,} bytes; it was not read", path=path)
    else:
        contents.indexes[path] = packed


def _read_pieces(reader: TarReader, member: Member, path: str, contents: Contents, budget: Budget | None) -> None:
    """Follow a pickle, and see what made a file, in one pass over its bytes."""
    head = reader.read(MAKER_HEAD_BYTES)
    watch = watch_for(path, head) if member.size_bytes and path not in contents.kept else None
    if budget is not None and _may_be_pickle(reader, member, path):
        # Of a compressed file what it unpacks to tells who made it.
        within = watch.through if watch is not None and is_packed(head) else None
        pieces = reader.pieces() if watch is None or within is not None else watch.through(reader.pieces())
        contents.pickles[path] = scan(pieces, budget, unpacked_through=within)
    elif watch is not None:
        watch.drain(reader.pieces())
    if watch is not None and watch.made is not None:
        contents.makers[path] = watch.made


def _may_be_pickle(reader: TarReader, member: Member, path: str) -> bool:
    if not member.size_bytes or path.endswith(".safetensors"):
        return False
    return PICKLE_NAMES.search(path) is not None or begins_as_pickle(reader.read(HEAD_BYTES))


def _is_kept(path: str) -> bool:
    folder, name = posixpath.split(path)
    return (folder in ("", "code") and name in KEPT_NAMES) or (path.startswith("code/") and name.endswith(".py"))


def _read_tensors(reader: TarReader, member: Member, path: str, contents: Contents, findings: Findings) -> None:
    try:
        length = header_bytes(reader.read(LENGTH_BYTES), file_bytes=member.size_bytes)
        if length > HEADER_READ_MAX_BYTES:
            findings.add(SAFETENSORS_UNREAD, f"the header has {length:,} bytes; it was not read", path=path)
            return
        raw = reader.read(LENGTH_BYTES + length)[LENGTH_BYTES:]
        facts = contents.tensors[path] = parse_tensors(raw, file_bytes=member.size_bytes)
        if unknown := sorted(dtype for dtype, _ in facts.parameters if dtype not in BITS):
            message = f"there are tensors of type {shown(unknown[0])}, which safetensors does not know"
            findings.add(DTYPE, message, path=path)
    except MalformedSafetensors as exc:
        likeness = looks_like(reader.read(SIGNATURE_BYTES)).what
        problem = f"damaged: {exc}" if likeness in UNTELLING else f"no safetensors file: it looks like {likeness}"
        findings.add(SAFETENSORS_DAMAGED, f"{posixpath.basename(path)} is {problem}", path=path)
