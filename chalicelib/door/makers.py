"""Which library made a file, in which form and version: told from its bytes as they pass. Called by `contents`.

Nothing is parsed and nothing unpickled: the version stands in the file as plain text, after a name that nothing else
bears, and this finds it in constant memory.

Source: scikit-learn's BaseEstimator.__getstate__ (`_sklearn_version`); XGBoost's model schema (`learner`, `version`) as
written by 1.7.6 and 3.2.0; TensorFlow's saved_model.proto and meta_graph.proto (MetaInfoDef.tensorflow_version).
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.door.pickles import is_packed

HEAD_BYTES = 24
_SEAM_BYTES = 128
"""Longer than any of the patterns: kept of one piece, for a match that begins in it and ends in the next."""
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_UBJ = b"{L\0\0\0\0\0\0\0\x07learner"
_XGBOOST_HEADS = (
    (re.compile(rb'\s*\{\s*"learner"'), "json"),
    (re.compile(re.escape(_UBJ)), "ubj"),
    (re.compile(b"binf"), "binary"),
)
_XGBOOST_NAMES = re.compile(r"xgboost-model|.*\.(json|ubj|xgb|bst|bin|model|deprecated)")
_ESTIMATOR_NAMES = re.compile(r".*\.(joblib|pkl|pickle)|xgboost-model")

_SKLEARN_VERSION = re.compile(
    rb"_sklearn_version(?:\x94|q.|r.{4})?(?:\x95.{8})?(?:\x8c.|X.{4})(\d{1,3}\.\d{1,3})(?=\D)", re.DOTALL
)
_XGBOOST_TEXT = re.compile(rb'"version"\s*:\s*\[\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\]')
_XGBOOST_BINARY = re.compile(rb"version\[#L\0{7}\x03i(.)i(.)i(.)", re.DOTALL)
_TENSORFLOW_VERSION = re.compile(rb"\x05serve(?:\x22.[\w-]+)*\x2a(.)(\d[\d.]{2,12})", re.DOTALL)


@dataclass(frozen=True)
class Made:
    """What made a file.

    Attributes:
        maker: scikit-learn, xgboost or tensorflow.
        form: json, ubj, binary (XGBoost's old one), pickle or saved_model.
        version: None where the file does not say; of scikit-learn, its first two numbers.
    """

    maker: str
    form: str
    version: str | None = None


class Watch:
    """Looks at a file's pieces as they pass. Made by `watch_for`."""

    def __init__(self, made: Made | None) -> None:
        self._known = made
        self._sklearn: str | None = None
        self._xgboost: str | None = None
        self._tensorflow: str | None = None
        self._end = b""

    def through(self, pieces: Iterator[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        """Give the pieces on as they are, having looked at each."""
        for piece in pieces:
            self._look(self._end + bytes(piece[:_SEAM_BYTES]))
            self._look(piece)
            self._end = (self._end + bytes(piece[-_SEAM_BYTES:]))[-_SEAM_BYTES:]
            yield piece

    def drain(self, pieces: Iterator[bytes | memoryview]) -> None:
        """Look at every piece."""
        for _ in self.through(pieces):
            pass

    @property
    def made(self) -> Made | None:
        """What is known after the last piece; None when a pickle was made by neither."""
        if self._known is not None:
            version = self._tensorflow if self._known.maker == "tensorflow" else self._xgboost
            return Made(self._known.maker, self._known.form, version)
        if self._xgboost is not None:
            return Made("xgboost", "pickle", self._xgboost)
        return Made("scikit-learn", "pickle", self._sklearn) if self._sklearn is not None else None

    def _look(self, part: bytes | memoryview) -> None:
        if self._known is not None and self._known.maker == "tensorflow":
            self._tensorflow = self._tensorflow or _counted(_TENSORFLOW_VERSION, part)
            return
        if self._known is None and self._sklearn is None:
            self._sklearn = _first(_SKLEARN_VERSION, part)
        if self._xgboost is None:
            self._xgboost = _first(_XGBOOST_TEXT, part) or _codes(_XGBOOST_BINARY, part)


def watch_for(path: str, head: bytes) -> Watch | None:
    """Choose what to look for in a file, by its name and its first HEAD_BYTES bytes; None for nothing."""
    folder, name = posixpath.split(path)
    if name == "saved_model.pb":
        return Watch(Made("tensorflow", "saved_model"))
    if folder:
        return None
    if _XGBOOST_NAMES.fullmatch(name):
        for pattern, form in _XGBOOST_HEADS:
            if pattern.match(head):
                return Watch(Made("xgboost", form))
    is_pickle = _PICKLE.match(head) is not None or is_packed(head)
    return Watch(None) if _ESTIMATOR_NAMES.fullmatch(name) and is_pickle else None


def _first(pattern: re.Pattern[bytes], part: bytes | memoryview) -> str | None:
    match = pattern.search(part)
    return ".".join(group.decode("ascii", "replace") for group in match.groups()) if match else None


def _counted(pattern: re.Pattern[bytes], part: bytes | memoryview) -> str | None:
    """Give a text of which the first group is the length: what follows it in the file may go on like it."""
    match = pattern.search(part)
    size = match[1][0] if match is not None else 0
    return match[2][:size].decode() if match is not None and len(match[2]) >= size else None


def _codes(pattern: re.Pattern[bytes], part: bytes | memoryview) -> str | None:
    match = pattern.search(part)
    return ".".join(str(group[0]) for group in match.groups()) if match else None
