"""Pickle's opcodes, each as what it does to the machine, and `follow`, which runs one pickle. Called by `pickles`.

Source: Python's pickletools (opcodes and their arguments) and pickle.Unpickler.
"""

import codecs
from collections.abc import Callable
from typing import Any

from chalicelib.door.machines import KEPT_TEXT_BYTES, Budget, Found, Machine, Table
from chalicelib.door.tapes import Tape
from chalicelib.door.values import MARK, OTHER, WRAPPER, Fields, Global, Unfollowed, Wrapper

_INTEGER_MAX_BYTES = 16


def follow(tape: Tape, budget: Budget, found: Found) -> Any:
    """Follow one pickle to its STOP, and give what is known of its value; *found* gathers what is met.

    Raises:
        Unfollowed: It cannot be followed to its end; *found* holds what was met before.
        EndOfTape: It breaks off.
    """
    return Machine(tape, budget, _TABLE, found).run()


def _new_object(machine: Machine, arguments: int) -> None:
    for _ in range(arguments):
        machine.pop()
    cls = machine.pop()
    machine.check_callee(cls)
    machine.push(Wrapper() if cls == WRAPPER else OTHER)


def _ext(_: Machine) -> None:
    raise Unfollowed("it imports by an extension code, whose name another program has registered")


def _text(decode: Callable[[bytes], str], raw: bytes) -> Any:
    try:
        return decode(raw)
    except (ValueError, UnicodeError):
        return OTHER


def _counted(size_bytes: int, decode: Callable[[bytes], str] | None) -> Callable[[Machine], None]:
    def act(machine: Machine) -> None:
        size = machine.tape.number(size_bytes)
        if decode is None or size > KEPT_TEXT_BYTES:
            machine.tape.skip(size)
            machine.push(OTHER)
        else:
            machine.push(_text(decode, machine.tape.take(size)))

    return act


def _quoted(raw: bytes) -> str:
    body = raw.strip()
    if len(body) < 2 or body[:1] != body[-1:] or body[:1] not in (b'"', b"'"):
        raise ValueError
    unescaped: bytes = codecs.escape_decode(body[1:-1])[0]
    return unescaped.decode("ascii")


def _text_line(decode: Callable[[bytes], str] | None) -> Callable[[Machine], None]:
    def act(machine: Machine) -> None:
        raw = machine.tape.line(KEPT_TEXT_BYTES * 4)
        machine.push(OTHER if raw is None or decode is None else _text(decode, raw))

    return act


def _integer(size_bytes: int, *, is_signed: bool = False) -> Callable[[Machine], None]:
    def act(machine: Machine) -> None:
        machine.push(int.from_bytes(machine.tape.take(size_bytes), "little", signed=is_signed))

    return act


def _long(size_bytes: int) -> Callable[[Machine], None]:
    def act(machine: Machine) -> None:
        size = machine.tape.number(size_bytes)
        if size > _INTEGER_MAX_BYTES:
            machine.tape.skip(size)
            machine.push(OTHER)
        else:
            machine.push(int.from_bytes(machine.tape.take(size), "little", signed=True))

    return act


def _integer_line(machine: Machine) -> None:
    raw = (machine.line() or "").strip().rstrip("L")
    machine.push(int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 20 else OTHER)


def _tuple(machine: Machine, values: list[Any]) -> None:
    is_kept = len(values) <= 32
    # Tuples in tuples are not kept: nothing that matters is in them, and they could be made endlessly deep.
    machine.push(tuple(v if isinstance(v, int | str | Global) else OTHER for v in values) if is_kept else OTHER)


def _set_items(machine: Machine, pairs: list[Any]) -> None:
    target = machine.top()
    for key in pairs[::2]:
        machine.note_key(key)
    if isinstance(target, Fields):
        for key, value in zip(pairs[::2], pairs[1::2], strict=False):
            target.put(key, value)


def _pop_any(machine: Machine) -> None:
    if not machine.stack:
        raise Unfollowed("the stack is empty")
    machine.stack.pop()


def _with_marked(act: Callable[[Machine, list[Any]], object]) -> Callable[[Machine], None]:
    return lambda machine: _ignored(act(machine, machine.pop_mark()))


def _ignored(_: object) -> None:
    return None


def _instance(machine: Machine) -> None:
    module, name = machine.line(), machine.line()
    machine.pop_mark()
    machine.import_global(module, name)
    _new_object(machine, 0)


def _object(machine: Machine, values: list[Any]) -> None:
    if not values:
        raise Unfollowed("OBJ without a class")
    machine.check_callee(values[0])
    machine.push(Wrapper() if values[0] == WRAPPER else OTHER)


def _global(machine: Machine) -> None:
    machine.import_global(machine.line(), machine.line())


def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.import_global(module, name)


def _append(machine: Machine) -> None:
    machine.pop()
    machine.top()


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    _set_items(machine, [key, value])


def _fields_of(machine: Machine, pairs: list[Any]) -> None:
    machine.push(Fields())
    _set_items(machine, pairs)


def _pops_and_pushes(pops: int, value: Any) -> Callable[[Machine], None]:
    def act(machine: Machine) -> None:
        for _ in range(pops):
            machine.pop()
        machine.push(value)

    return act


def _skips(size: int, *, pushes: bool) -> Callable[[Machine], None]:
    def act(machine: Machine) -> None:
        machine.tape.skip(size)
        if pushes:
            machine.push(OTHER)

    return act


def _utf8(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


_ACTS: dict[bytes, Callable[[Machine], Any]] = {
    b"(": lambda m: m.push(MARK),
    b"0": _pop_any,
    b"1": lambda m: m.pop_mark(),
    b"2": lambda m: m.push(m.top()),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"F": _text_line(None),
    b"G": _skips(8, pushes=True),
    b"I": _integer_line,
    b"L": _integer_line,
    b"J": _integer(4, is_signed=True),
    b"K": _integer(1),
    b"M": _integer(2),
    b"\x8a": _long(1),
    b"\x8b": _long(4),
    b"S": _text_line(_quoted),
    b"V": _text_line(lambda raw: raw.decode("raw-unicode-escape")),
    b"T": _counted(4, lambda raw: raw.decode("ascii")),
    b"U": _counted(1, lambda raw: raw.decode("ascii")),
    b"B": _counted(4, None),
    b"C": _counted(1, None),
    b"\x8e": _counted(8, None),
    b"\x96": _counted(8, None),
    b"X": _counted(4, _utf8),
    b"\x8c": _counted(1, _utf8),
    b"\x8d": _counted(8, _utf8),
    b"\x97": lambda m: m.push(OTHER),
    b"\x98": lambda m: m.top(),
    b"]": lambda m: m.push(OTHER),
    b"l": _with_marked(lambda m, _: m.push(OTHER)),
    b"a": _append,
    b"e": _with_marked(lambda m, _: m.top()),
    b")": lambda m: m.push(()),
    b"t": _with_marked(_tuple),
    b"\x85": lambda m: _tuple(m, [m.pop()]),
    b"\x86": lambda m: _tuple(m, [m.pop(), m.pop()][::-1]),
    b"\x87": lambda m: _tuple(m, [m.pop(), m.pop(), m.pop()][::-1]),
    b"}": lambda m: m.push(Fields()),
    b"d": _with_marked(_fields_of),
    b"s": _set_item,
    b"u": _with_marked(_set_items),
    b"\x8f": lambda m: m.push(OTHER),
    b"\x90": _with_marked(lambda m, _: m.top()),
    b"\x91": _with_marked(lambda m, _: m.push(OTHER)),
    b"p": lambda m: m.keep(m.index()),
    b"q": lambda m: m.keep(m.tape.byte()),
    b"r": lambda m: m.keep(m.tape.number(4)),
    b"\x94": lambda m: m.keep_next(),
    b"g": lambda m: m.push(m.memo.get(m.index(), OTHER)),
    b"h": lambda m: m.push(m.memo.get(m.tape.byte(), OTHER)),
    b"j": lambda m: m.push(m.memo.get(m.tape.number(4), OTHER)),
    b"c": _global,
    b"\x93": _stack_global,
    b"i": _instance,
    b"o": _with_marked(_object),
    b"R": lambda m: m.reduce(),
    b"b": lambda m: m.build(),
    b"\x81": lambda m: _new_object(m, 1),
    b"\x92": lambda m: _new_object(m, 2),
    b"\x82": _ext,
    b"\x83": _ext,
    b"\x84": _ext,
    b"P": _text_line(None),
    b"Q": lambda m: m.refer(),
    b"\x80": _skips(1, pushes=False),
    b"\x95": _skips(8, pushes=False),
}
_TABLE: Table = tuple(_ACTS.get(bytes([code])) for code in range(256))
