"""The index of sharded weights, kept packed and read as a stream. Called by `contents` and `shards`.

That of a dense model is small; that of a mixture of experts names 100,000 tensors in 10 MB, which as Python's objects
would not fit a small Lambda. Packed it is a twentieth of that, for the names are alike.

Source: transformers' modeling_utils: JSON of `metadata` ({"total_size": bytes}) and `weight_map` (the name of each
tensor to that of its file).
"""

import codecs
import json
import re
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

INDEX_MAX_BYTES = 32 << 20
"""Some 300,000 tensors."""
PACKED_MAX_BYTES = 2 << 20
_PIECE_BYTES = 1 << 16
_VALUE_MAX_CHARACTERS = 1 << 20
_BLANKS = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class MalformedIndex(ValueError):
    """It is not the JSON that an index is."""


@dataclass
class Index:
    """What an index says.

    Attributes:
        tensors: Hashes of the tensors' names, as this process makes them, by the file that they are said to be in.
        total_size: As it stands there; None where it does not.
    """

    tensors: dict[str, "array[int]"] = field(default_factory=dict)
    total_size: Any = None


def pack_index(pieces: Iterator[bytes | memoryview]) -> bytes | None:
    """Pack an index as it passes; None when it does not get small enough."""
    packer, packed = zlib.compressobj(1), bytearray()
    for piece in pieces:
        packed += packer.compress(piece)
        if len(packed) > PACKED_MAX_BYTES:
            return None
    return bytes(packed + packer.flush())


def read_index(packed: bytes) -> Index:
    """Read a packed index. Raises MalformedIndex."""
    index, has_map = Index(), False
    for key, value in _items(packed):
        if key == "weight_map":
            # Said twice, the later holds, as in Python's own reader.
            index.tensors, has_map = {}, True
        elif key == "metadata":
            index.total_size = value.get("total_size") if isinstance(value, dict) else None
        else:
            tensor, name = value
            index.tensors.setdefault(name, array("q")).append(hash(tensor))
    if not has_map:
        raise MalformedIndex
    return index


def name_tensor(packed: bytes, file: str, hashes: frozenset[int]) -> str:
    """Give the name of the first tensor in *file* of which only the hash is known."""
    named = (value for key, value in _items(packed) if not key)
    found: str = next(tensor for tensor, name in named if name == file and hash(tensor) in hashes)
    return found


def _items(packed: bytes) -> Iterator[tuple[str, Any]]:
    """Give what stands in the index, in order: ("metadata", value), ("weight_map", None), ("", (tensor, file))."""
    text = _Text(_unpacked(packed))
    text.take("{")
    while True:
        key = text.string()
        text.take(":")
        if key == "weight_map":
            yield key, None
            yield from (("", pair) for pair in _pairs(text))
        else:
            value = text.value()
            if key == "metadata":
                yield key, value
        if text.take(",}") == "}":
            break
    if text.peek():
        raise MalformedIndex


def _pairs(text: "_Text") -> Iterator[tuple[str, str]]:
    text.take("{")
    if text.peek() == "}":
        text.take("}")
        return
    while True:
        tensor = text.string()
        text.take(":")
        yield tensor, text.string()
        if text.take(",}") == "}":
            return


def _unpacked(packed: bytes) -> Iterator[bytes]:
    unpacker, rest = zlib.decompressobj(), packed
    while rest or not unpacker.eof:
        yield unpacker.decompress(rest, _PIECE_BYTES)
        rest = unpacker.unconsumed_tail


class _Text:
    """JSON read forward, of which no more is in memory than one piece and one value."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._text, self._at = "", 0

    def peek(self) -> str:
        """Pass over blanks, and give the next character; nothing at the end."""
        while True:
            match = _BLANKS.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, wanted: str) -> str:
        """Take the next character, which must be one of those wanted. Raises MalformedIndex."""
        found = self.peek()
        if not found or found not in wanted:
            raise MalformedIndex
        self._at += 1
        return found

    def string(self) -> str:
        """Take a string. Raises MalformedIndex."""
        value = self.value()
        if not isinstance(value, str):
            raise MalformedIndex
        return value

    def value(self) -> Any:
        """Take a value of any kind. Raises MalformedIndex."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except ValueError:
                if len(self._text) - self._at > _VALUE_MAX_CHARACTERS or not self._more():
                    raise MalformedIndex from None
                continue
            except RecursionError:
                raise MalformedIndex from None
            if end < len(self._text):
                self._at = end
                return value
            # A number may go on in the next piece.
            if not self._more():
                self._at = len(self._text)
                return value

    def _more(self) -> bool:
        """Drop what was read, and add a piece. False at the end. Raises MalformedIndex."""
        piece = next(self._pieces, None)
        try:
            text = self._decode(piece or b"", final=piece is None)
        except UnicodeDecodeError:
            raise MalformedIndex from None
        self._text, self._at = self._text[self._at :] + text, 0
        return piece is not None
