"""Fuzzes what follows pickles: `python -m tests.fuzz.fuzz_door_pickles --seconds 60`.

Python's own unpickler is asked the same, with every import answered by a class that does nothing: whatever name it asks
for, the door must have found, or have said that it cannot follow.
"""

import io
import pickle
import zipfile
import zlib
from typing import Any, ClassVar

from tests.fuzz.harness import INPUT_MAX_BYTES, Broken, Reader
from tests.fuzz.running import instrumented, main

with instrumented(__name__):
    from chalicelib.door.allowed import is_allowed, is_dangerous
    from chalicelib.door.machines import Budget
    from chalicelib.door.opcodes import _ACTS
    from chalicelib.door.pickles import Scanned, scan
    from chalicelib.door.values import WRAPPER, Global

from tests.unit import hostile_pickles

_PIECE_BYTES = 37
_OPCODES_MAX = 100_000
_LENGTH_MAX = 1 << 20


def read(data: bytes) -> Any:
    """Read a file as the door reads one called a pickle, in one piece and in many."""
    scanned = scan(iter([data]), Budget(_OPCODES_MAX))
    pieces = [data[at : at + _PIECE_BYTES] for at in range(0, len(data), _PIECE_BYTES)]
    again = scan(iter(pieces), Budget(_OPCODES_MAX))
    # Of a damaged one that is packed, more may be seen before the damage when it comes in small pieces.
    if (again.fault is None) != (scanned.fault is None) or (scanned.fault is None and again != scanned):
        raise Broken("in pieces it is another file")
    for one in scanned.imports:
        is_allowed(one)
        is_dangerous(one)
    if scanned.fault is None and WRAPPER not in scanned.imports:
        _compare(data, scanned)
    return scanned


def _compare(data: bytes, scanned: Scanned) -> None:
    for raw in _pickles_in(data):
        imported = _Recorder.imports_of(raw)
        if missed := imported - scanned.imports:
            raise Broken(f"Python imports {sorted(map(str, missed))}, and the door found {scanned.imports}")


def _pickles_in(data: bytes) -> list[bytes]:
    if not data.startswith(b"PK"):
        return [data]
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [archive.read(name) for name in archive.namelist() if name.endswith(".pkl")]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError):
        return []


class _Inert:
    """Whatever is imported, made of it or asked of it: nothing happens."""

    def __new__(cls, *_: Any, **__: Any) -> "_Inert":
        return super().__new__(cls)

    def __call__(self, *_: Any) -> "_Inert":
        return self

    def __setstate__(self, _: Any) -> None:
        pass

    def __setitem__(self, *_: Any) -> None:
        pass

    def append(self, _: Any) -> None:
        pass

    extend = add = update = append


class _Recorder(pickle._Unpickler):  # type: ignore[name-defined, misc]
    """Python's unpickler, noting what it would import. Not the one in C, whose memo can be asked for 64 GB."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)  # type: ignore[attr-defined]

    def __init__(self, raw: bytes) -> None:
        super().__init__(io.BytesIO(raw))
        self.imported: set[Global] = set()

    @classmethod
    def imports_of(cls, raw: bytes) -> set[Global]:
        recorder = cls(raw)
        try:
            recorder.load()
        except Exception:  # noqa: BLE001  # it stops where it stops; what it has imported by then counts
            return recorder.imported
        return recorder.imported

    def find_class(self, module: str, name: str) -> type[_Inert]:
        self.imported.add(Global(module, name))
        return _Inert

    def persistent_load(self, _: Any) -> _Inert:
        return _Inert()

    def get_extension(self, _: int) -> None:
        raise pickle.UnpicklingError

    def load_bytearray8(self) -> None:
        size = int.from_bytes(self.read(8), "little")
        self.append(bytearray(self.read(min(size, _LENGTH_MAX))))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


def seeds() -> list[bytes]:
    """The hostile, the broken and the honest pickles of the corpus."""
    made = [
        *hostile_pickles.IMPORTS.values(), *hostile_pickles.NOT_FOLLOWED.values(), *hostile_pickles.HONEST.values(),
    ]  # fmt: skip
    return [data for data in made if 0 < len(data) <= INPUT_MAX_BYTES // 4]


TOKENS = (
    *_ACTS, b".", b"cos\nsystem\n", b"cbuiltins\neval\n", b"\x80\x04", b"\x80\x02", b"\x8c\x02os", b"\x8c\x06system",
    b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x07\x08", b"PK\x06\x06", b"PK\x06\x07", b"a/data.pkl", b".pkl",
    hostile_pickles.TORCH_MAGIC, hostile_pickles.ORDERED, b"\x1f\x8b\x08", b"\x78\x9c", b"BZh9", b"\xfd7zXZ\x00",
)  # fmt: skip

READER = Reader("pickles", read, seeds, TOKENS)

if __name__ == "__main__":
    main(READER)
