"""The stack machine that a pickle is a program for, following without obeying. Called by `opcodes`.

Of every value it keeps only what decides the names of globals and how many raw bytes joblib put between the opcodes;
all else is OTHER. Whatever cannot be followed exactly is Unfollowed, never guessed: what the door cannot follow it does
not let in.

Source: Python's pickletools (opcodes and their arguments), pickle.Unpickler; joblib.numpy_pickle.NumpyArrayWrapper.
"""

import math
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib.door.tapes import Tape
from chalicelib.door.values import (
    MARK,
    OTHER,
    WRAPPER,
    WRAPPER_FIELDS,
    Dtype,
    Fields,
    Global,
    Unfollowed,
    Wrapper,
    item_bytes,
)

KEPT_TEXT_BYTES = 128
"""Longer strings are not kept: no module or class has such a name."""
STACK_MAX = 1 << 16
MEMO_MAX = 1 << 16
NESTED_MAX = 4
OPCODES_MAX = 32_000_000
GLOBALS_MAX = 1_000
KEYS_MAX = 1 << 19
STORAGES_MAX = 1 << 14
UNPACKED_RATIO_MAX = 20


STOP = ord(".")
Table = Sequence["Callable[[Machine], object] | None"]
"""What each opcode does, by its byte; None for a byte that is no opcode."""
_STORAGE_MODULES = frozenset({"torch", "torch.storage"})
_STORAGE_ITEM_BYTES = {
    "UntypedStorage": 1, "ByteStorage": 1, "CharStorage": 1, "BoolStorage": 1, "ShortStorage": 2, "HalfStorage": 2,
    "BFloat16Storage": 2, "IntStorage": 4, "FloatStorage": 4, "LongStorage": 8, "DoubleStorage": 8,
    "ComplexFloatStorage": 8, "ComplexDoubleStorage": 16,
}  # fmt: skip
_RECONSTRUCTORS = frozenset({Global("copyreg", "_reconstructor"), Global("copy_reg", "_reconstructor")})
_DTYPE = Global("numpy", "dtype")


@dataclass
class Budget:
    """What all pickles of an archive may cost together: a few bytes must not keep us for hours.

    Attributes:
        opcodes_left: How many they may still have.
        keys_left: How many keys of dicts may still be remembered.
        unpacked_left_bytes: What they may still unpack to beyond UNPACKED_RATIO_MAX times what they are packed in.
    """

    opcodes_left: int = OPCODES_MAX
    keys_left: int = KEYS_MAX
    unpacked_left_bytes: int = 256 << 20

    def unpack(self, *, packed_bytes: int, unpacked_bytes: int) -> None:
        """Account for what was unpacked. Raises Unfollowed when it is too much."""
        self.unpacked_left_bytes += UNPACKED_RATIO_MAX * packed_bytes - unpacked_bytes
        if self.unpacked_left_bytes < 0:
            raise Unfollowed("it unpacks to far more than any model would")


@dataclass
class Found:
    """What was met on the way, in all pickles of a file and in those nested in them.

    Attributes:
        imports: The globals that they name.
        keys: Hashes of every dict's keys, as this process makes them: the names of tensors are among them. None when
            there are too many, or one of them is not known.
        storages: How many bytes each torch storage behind them has, by key, as far as they say it plainly.
    """

    imports: set[Global] = field(default_factory=set)
    keys: "array[int] | None" = field(default_factory=lambda: array("q"))
    storages: dict[str, int] = field(default_factory=dict)


@dataclass
class Machine:
    """Follows one pickle on a tape. *found* gathers what is met, in pickles nested in it too."""

    tape: Tape
    budget: Budget
    table: Table
    found: Found = field(default_factory=Found)
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
        self.found.imports.add(reference)
        self._recall(module, name)
        if len(self.found.imports) > GLOBALS_MAX:
            raise Unfollowed(f"it imports more than {GLOBALS_MAX:,} names")
        self.push(reference)

    def note_key(self, key: Any) -> None:
        """Remember a dict's key; numbers and the like name nothing."""
        keys = self.found.keys
        if keys is None:
            return
        self.budget.keys_left -= 1
        if key is OTHER or self.budget.keys_left < 0:
            self.found.keys = None
        elif isinstance(key, str):
            keys.append(hash(key))

    def build(self) -> None:
        """BUILD; after an array's wrapper, pass over the array that joblib wrote behind it."""
        state, target = self.pop(), self.top()
        if isinstance(target, Dtype):
            target.build(state)
        elif isinstance(target, Wrapper):
            if not isinstance(state, Fields) or state.is_unclear:
                raise Unfollowed("an array's state is not written plainly")
            target.known = {**(target.known or {}), **(state.known or {})}
            self._pass_array(target.known)
            self.stack[-1] = OTHER

    def _pass_array(self, known: dict[str, Any]) -> None:
        dtype, shape = known.get("dtype"), known.get("shape")
        code = dtype.code if isinstance(dtype, Dtype) else None
        if code is None or not isinstance(shape, tuple) or not all(_is_count(n) for n in shape):
            raise Unfollowed("an array's type or shape is not written plainly")
        if code.lstrip("|<>=") in ("O", "O8"):
            if self.depth >= NESTED_MAX:
                raise Unfollowed(f"pickles are nested more than {NESTED_MAX} deep")
            Machine(self.tape, self.budget, self.table, self.found, depth=self.depth + 1).run()
            return
        if known.get("numpy_array_alignment_bytes") is not None:
            self.tape.skip(self.tape.byte())
        self.tape.skip(math.prod(shape) * item_bytes(code))

    def refer(self) -> None:
        """BINPERSID: a torch storage that is kept outside the pickle, whose size is noted.

        Source: torch.serialization._save, `persistent_id`: ("storage", type, key, location, items).
        """
        match self.pop():
            case ("storage", Global(module, name), str(key), str(), int(count)) if _is_count(count):
                item_bytes = _STORAGE_ITEM_BYTES.get(name) if module in _STORAGE_MODULES else None
                if item_bytes is not None and len(self.found.storages) < STORAGES_MAX:
                    self.found.storages[key] = count * item_bytes
        self.push(OTHER)

    def reduce(self) -> None:
        """REDUCE, with what is known of the two calls that matter. Raises Unfollowed."""
        arguments, function = self.pop(), self.pop()
        self.check_callee(function)
        first = arguments[0] if isinstance(arguments, tuple) and arguments else None
        if function == _DTYPE and isinstance(first, str):
            self.push(Dtype(first))
        elif function == WRAPPER or (function in _RECONSTRUCTORS and first == WRAPPER):
            self.push(Wrapper())
        else:
            self.push(OTHER)

    def check_callee(self, function: Any) -> None:
        """See that what is called was imported: the list of names says nothing of objects that the pickle has made."""
        if not isinstance(function, Global):
            raise Unfollowed(f"it calls something at {self.tape.at:,} that it has not imported")


def _is_always_kept(value: Any) -> bool:
    return isinstance(value, Global | Dtype) or (isinstance(value, str) and value in WRAPPER_FIELDS)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 48
