"""What is known of the values that a pickle makes: names, and joblib's arrays. Used by `machines` and `opcodes`.

Source: joblib.numpy_pickle.NumpyArrayWrapper; numpy.dtype.__setstate__.
"""

from dataclasses import dataclass
from typing import Any, Final


class Unfollowed(Exception):
    """The pickle is malformed, or uses what cannot be followed; the message says what."""


@dataclass(frozen=True, slots=True)
class Global:
    """A name that the pickle would import."""

    module: str
    name: str


class _Other:
    """A value of no further interest."""


OTHER: Final = _Other()
MARK: Final = _Other()


@dataclass(slots=True)
class Fields:
    """A dict, or an object's state: only what joblib says of an array."""

    known: dict[str, Any] | None = None
    is_unclear: bool = False

    def put(self, key: Any, value: Any) -> None:
        """Note an item."""
        if not isinstance(key, str):
            # Perhaps a string that the memo had no room for.
            self.is_unclear = True
        elif key in ARRAY_FIELDS:
            self.known = {**(self.known or {}), key: value}


@dataclass(slots=True)
class Dtype:
    """A numpy.dtype made of *code* alone; None once its state says something else."""

    code: str | None

    def build(self, state: Any) -> None:
        """Take the state that pickle adds, which may say another size of item than the code does."""
        if self.code is None or not isinstance(state, tuple) or len(state) not in (8, 9):
            self.code = None
            return
        size, flags = state[5], state[7]
        has_objects = self.code.lstrip("|<>=")[:1] == "O"
        # numpy believes the flags it is given: bit 0 says that items are Python objects.
        is_plain = isinstance(flags, int) and bool(flags & 1) == has_objects
        if not is_plain or size not in (-1, item_bytes(self.code)):
            self.code = None


@dataclass(slots=True)
class Wrapper(Fields):
    """joblib's NumpyArrayWrapper: the array's raw bytes follow its BUILD."""


ARRAY_FIELDS = frozenset({"shape", "dtype", "numpy_array_alignment_bytes"})
WRAPPER_FIELDS = ARRAY_FIELDS | {"subclass", "order", "allow_mmap"}
WRAPPER = Global("joblib.numpy_pickle", "NumpyArrayWrapper")


def item_bytes(code: str) -> int:
    """Tell how many bytes an array's item takes by its type. Raises Unfollowed where that is not known."""
    kind, digits = code.lstrip("|<>=")[:1], code.lstrip("|<>=")[1:]
    if kind == "O":
        return 8
    if kind not in "biufcSUmMV" or not digits.isascii() or not digits.isdigit() or len(digits) > 9:
        raise Unfollowed(f"an array's items are of a type ({code[:20]}) that is not known here")
    return int(digits) * (4 if kind == "U" else 1)
