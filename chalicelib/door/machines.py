"""The stack machine that a pickle is a program for, following without obeying. Called by `opcodes`.

Of every value it keeps only what decides the names of globals
and how many raw bytes joblib put between the opcodes; all else is OTHER. Whatever cannot be followed exactly is
Unfollowed, never guessed: what the door cannot follow it does not let in.

Source: Python's pickletools (opcodes and their arguments), pickle.Unpickler; joblib.numpy_pickle.NumpyArrayWrapper.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib.door.tapes import Tape

KEPT_TEXT_BYTES = 128
"""Longer strings are not kept: no module or class has such a name."""
STACK_MAX = 1 << 16
MEMO_MAX = 1 << 16
NESTED_MAX = 4
OPCODES_MAX = 32_000_000
GLOBALS_MAX = 1_000
UNPACKED_RATIO_MAX = 20


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
        elif key in _ARRAY_FIELDS:
            self.known = {**(self.known or {}), key: value}


@dataclass(slots=True)
class _Dtype:
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
        if not is_plain or size not in (-1, _item_bytes(self.code)):
            self.code = None


@dataclass(slots=True)
class Wrapper(Fields):
    """joblib's NumpyArrayWrapper: the array's raw bytes follow its BUILD."""


STOP = ord(".")
Table = Sequence["Callable[[Machine], object] | None"]
"""What each opcode does, by its byte; None for a byte that is no opcode."""
_ARRAY_FIELDS = frozenset({"shape", "dtype", "numpy_array_alignment_bytes"})
_WRAPPER_FIELDS = _ARRAY_FIELDS | {"subclass", "order", "allow_mmap"}
WRAPPER = Global("joblib.numpy_pickle", "NumpyArrayWrapper")
_RECONSTRUCTORS = frozenset({Global("copyreg", "_reconstructor"), Global("copy_reg", "_reconstructor")})
_DTYPE = Global("numpy", "dtype")


@dataclass
class Budget:
    """What all pickles of an archive may cost together: a few bytes must not keep us for hours.

    Attributes:
        opcodes_left: How many they may still have.
        unpacked_left_bytes: What they may still unpack to beyond UNPACKED_RATIO_MAX times what they are packed in.
    """

    opcodes_left: int = OPCODES_MAX
    unpacked_left_bytes: int = 256 << 20

    def unpack(self, *, packed_bytes: int, unpacked_bytes: int) -> None:
        """Account for what was unpacked. Raises Unfollowed when it is too much."""
        self.unpacked_left_bytes += UNPACKED_RATIO_MAX * packed_bytes - unpacked_bytes
        if self.unpacked_left_bytes < 0:
            raise Unfollowed("it unpacks to far more than any model would")


@dataclass
class Machine:
    """Follows one pickle on a tape. *found* gathers its globals, those of pickles nested in it included."""

    tape: Tape
    budget: Budget
    table: Table
    found: set[Global] = field(default_factory=set)
    depth: int = 0
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    _dropped: int = 0
    _has_far_index: bool = False
    _just_dropped: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=2))

    def run(self) -> Any:
        """Follow the pickle to its STOP, and give what is known of its value.

        Raises:
            Unfollowed: It cannot be followed to its end; *found* holds what was met before.
            EndOfTape: It breaks off.
        """
        byte, table, budget, stack = self.tape.byte, self.table, self.budget, self.stack
        while (opcode := byte()) != STOP:
            budget.opcodes_left -= 1
            if budget.opcodes_left < 0:
                raise Unfollowed(f"the pickles have more than {OPCODES_MAX:,} opcodes")
            act = table[opcode]
            if act is None:
                raise Unfollowed(f"byte {opcode:#04x} at {self.tape.at - 1:,} is no opcode")
            act(self)
            if len(stack) > STACK_MAX:
                raise Unfollowed(f"more than {STACK_MAX:,} values wait on the stack")
        return self.pop()

    def pop(self) -> Any:
        """Take the top of the stack; a mark is none. Raises Unfollowed."""
        if not self.stack or (value := self.stack.pop()) is MARK:
            raise Unfollowed(f"an opcode at {self.tape.at:,} finds nothing on the stack")
        return value

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def pop_mark(self) -> list[Any]:
        """Take all that lies above the last mark, and the mark. Raises Unfollowed."""
        for at in range(len(self.stack) - 1, -1, -1):
            if self.stack[at] is MARK:
                values = self.stack[at + 1 :]
                del self.stack[at:]
                return values
        raise Unfollowed(f"an opcode at {self.tape.at:,} finds no mark")

    def top(self) -> Any:
        """Look at the top of the stack. Raises Unfollowed."""
        value = self.pop()
        self.stack.append(value)
        return value

    def line(self) -> str | None:
        """Read a line; None when it is too long to matter."""
        raw = self.tape.line(KEPT_TEXT_BYTES * 4)
        return None if raw is None else raw.decode("utf-8", "surrogateescape")

    def index(self) -> int:
        """Read a memo index written as text. Raises Unfollowed."""
        raw = self.line() or ""
        if not raw.isascii() or not raw.isdigit() or len(raw) > 20:
            raise Unfollowed("a memo index is not written plainly")
        return int(raw)

    def keep(self, index: int) -> None:
        """Memoize the top of the stack under an index; from MEMO_MAX on only what names and arrays are made of."""
        value = self.top()
        if index < MEMO_MAX or (_is_always_kept(value) and len(self.memo) < 2 * MEMO_MAX):
            self.memo[index] = value
        else:
            self.memo.pop(index, None)
        if index >= MEMO_MAX:
            self._has_far_index = True
            self._just_dropped.clear()

    def keep_next(self) -> None:
        """Memoize the top of the stack under the next index: the number of entries there are. Raises Unfollowed."""
        if self._has_far_index:
            raise Unfollowed("it numbers its memo in two ways at once")
        index = len(self.memo) + self._dropped
        if index < MEMO_MAX:
            self.keep(index)
            return
        value = self.top()
        if _is_always_kept(value) and len(self.memo) < 2 * MEMO_MAX:
            self.memo[index] = value
            return
        self._dropped += 1
        if isinstance(value, str):
            self._just_dropped.append((index, value))

    def _recall(self, *names: str) -> None:
        """Memoize after all what has turned out to be a name; a vocabulary of a million words is not kept for it."""
        for index, value in self._just_dropped:
            if value in names and len(self.memo) < 2 * MEMO_MAX:
                self.memo[index] = value
                self._dropped -= 1
        self._just_dropped.clear()

    def import_global(self, module: Any, name: Any) -> None:
        """Push a global. Raises Unfollowed when its name is not known here."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise Unfollowed("it imports a name that it makes up as it runs")
        reference = Global(module, name)
        self.found.add(reference)
        self._recall(module, name)
        if len(self.found) > GLOBALS_MAX:
            raise Unfollowed(f"it imports more than {GLOBALS_MAX:,} names")
        self.push(reference)

    def build(self) -> None:
        """BUILD; after an array's wrapper, pass over the array that joblib wrote behind it."""
        state, target = self.pop(), self.top()
        if isinstance(target, _Dtype):
            target.build(state)
        elif isinstance(target, Wrapper):
            if not isinstance(state, Fields) or state.is_unclear:
                raise Unfollowed("an array's state is not written plainly")
            target.known = {**(target.known or {}), **(state.known or {})}
            self._pass_array(target.known)
            self.stack[-1] = OTHER

    def _pass_array(self, known: dict[str, Any]) -> None:
        dtype, shape = known.get("dtype"), known.get("shape")
        code = dtype.code if isinstance(dtype, _Dtype) else None
        if code is None or not isinstance(shape, tuple) or not all(_is_count(n) for n in shape):
            raise Unfollowed("an array's type or shape is not written plainly")
        if code.lstrip("|<>=") in ("O", "O8"):
            if self.depth >= NESTED_MAX:
                raise Unfollowed(f"pickles are nested more than {NESTED_MAX} deep")
            Machine(self.tape, self.budget, self.table, self.found, self.depth + 1).run()
            return
        if known.get("numpy_array_alignment_bytes") is not None:
            self.tape.skip(self.tape.byte())
        self.tape.skip(math.prod(shape) * _item_bytes(code))

    def reduce(self) -> None:
        """REDUCE, with what is known of the two calls that matter. Raises Unfollowed."""
        arguments, function = self.pop(), self.pop()
        self.check_callee(function)
        first = arguments[0] if isinstance(arguments, tuple) and arguments else None
        if function == _DTYPE and isinstance(first, str):
            self.push(_Dtype(first))
        elif function == WRAPPER or (function in _RECONSTRUCTORS and first == WRAPPER):
            self.push(Wrapper())
        else:
            self.push(OTHER)

    def check_callee(self, function: Any) -> None:
        """See that what is called was imported: the list of names says nothing of objects that the pickle has made."""
        if not isinstance(function, Global):
            raise Unfollowed(f"it calls something at {self.tape.at:,} that it has not imported")


def _is_always_kept(value: Any) -> bool:
    return isinstance(value, Global | _Dtype) or (isinstance(value, str) and value in _WRAPPER_FIELDS)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 48


def _item_bytes(code: str) -> int:
    kind, digits = code.lstrip("|<>=")[:1], code.lstrip("|<>=")[1:]
    if kind == "O":
        return 8
    if kind not in "biufcSUmMV" or not digits.isascii() or not digits.isdigit() or len(digits) > 9:
        raise Unfollowed(f"an array's items are of a type ({code[:20]}) that is not known here")
    return int(digits) * (4 if kind == "U" else 1)
