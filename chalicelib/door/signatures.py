"""What a file looks like from its first bytes, for a refusal that says so. Called by the readers; pure."""

from dataclasses import dataclass

HEAD_BYTES = 1024

_REPACK = "Pack the model's folder with `tar -czf model.tar.gz -C FOLDER .`."


@dataclass(frozen=True)
class Likeness:
    """What it looks like, with its article, and how to make a model.tar.gz of it."""

    what: str
    fix: str = _REPACK


_UNPACK_FIRST = "Unpack it into a folder, then run `tar -czf model.tar.gz -C FOLDER .`."
_FOLDER_FIRST = (
    "Put it into a folder with its config.json and tokenizer files, then run `tar -czf model.tar.gz -C FOLDER .`."
)

_UNKNOWN, _SAFETENSORS = "none of the formats known here", "a safetensors file"
UNTELLING = frozenset({_UNKNOWN, _SAFETENSORS})
"""What says nothing of a file that should be safetensors."""

_MAGIC: tuple[tuple[bytes, Likeness], ...] = (
    (b"PK\x03\x04", Likeness("a zip file (or a PyTorch file, which is one)", _UNPACK_FIRST)),
    (b"PK\x05\x06", Likeness("an empty zip file")),
    (b"\x1f\x8b", Likeness("gzip", "Unpack it once with `gunzip` first: it is packed twice.")),
    (b"BZh", Likeness("bzip2", "Run `bunzip2 -c FILE | gzip > model.tar.gz`.")),
    (b"\xfd7zXZ\x00", Likeness("xz", "Run `xz -dc FILE | gzip > model.tar.gz`.")),
    (b"\x28\xb5\x2f\xfd", Likeness("zstd", "Run `zstd -dc FILE | gzip > model.tar.gz`.")),
    (b"\x04\x22\x4d\x18", Likeness("lz4", "Run `lz4 -dc FILE | gzip > model.tar.gz`.")),
    (b"7z\xbc\xaf\x27\x1c", Likeness("a 7z file", _UNPACK_FIRST)),
    (b"Rar!", Likeness("a RAR file", _UNPACK_FIRST)),
    (b"GGUF", Likeness("a GGUF model", _FOLDER_FIRST)),
    (b"\x89HDF", Likeness("an HDF5 file (Keras or TensorFlow weights)", _FOLDER_FIRST)),
    (
        b"version https://git-lfs",
        Likeness("a Git LFS pointer, not the file itself", "Run `git lfs pull` and pack again."),
    ),
)


def looks_like(head: bytes) -> Likeness:
    """Say what a file with these first bytes (up to HEAD_BYTES of them) looks like."""
    for magic, likeness in _MAGIC:
        if head.startswith(magic):
            return likeness
    if head[257:262] == b"ustar":
        return Likeness("a plain tar file", "Compress it: `gzip model.tar`.")
    if head[:3] == b"\x5d\0\0" and head[5:13] == b"\xff" * 8:
        return Likeness("lzma, xz's older format", "Run `xz -dc --format=lzma FILE | gzip > model.tar.gz`.")
    if head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 1 << 40:
        return Likeness(_SAFETENSORS, _FOLDER_FIRST)
    if head[:1] == b"\x80" and 2 <= head[1:2][0:1].ljust(1, b"\0")[0] <= 5:
        return Likeness("a Python pickle (joblib or PyTorch)", _FOLDER_FIRST)
    return _text(head)


def _text(head: bytes) -> Likeness:
    start = head.lstrip()[:20].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<error")):
        return Likeness(
            "an HTML or XML page, perhaps an error page", "Download the archive again and look at it first."
        )
    if head and not head.strip(b"\0"):
        return Likeness("nothing but zero bytes")
    try:
        # A character may be cut in two at the end of the head.
        text = head[:-3].decode() if len(head) == HEAD_BYTES else head.decode()
    except UnicodeDecodeError:
        return Likeness(_UNKNOWN)
    if any(character < " " and character not in "\t\r\n\f" for character in text):
        return Likeness(_UNKNOWN)
    return Likeness("JSON text" if start[:1] in (b"{", b"[") else "text")
