"""Fuzzes the reader of deploy.toml: `python -m tests.fuzz.fuzz_door_toml --seconds 60`."""

import re
from typing import Any

from tests.fuzz.harness import INPUT_MAX_BYTES, Broken, Reader
from tests.fuzz.running import instrumented, main

with instrumented(__name__):
    from chalicelib.door.kinds import Findings
    from chalicelib.door.schema import KEYS, TABLES, Rules
    from chalicelib.door.wishes import Wishes, read_wishes
    from chalicelib.reports import Severity

from tests.unit.corpus_cases import CASES

RULES = Rules(idle_floor_s=900.0, trust_ceiling="scan")
_LINE = re.compile(r"line (\d+)")


def read(data: bytes) -> Any:
    """Read a deploy.toml."""
    findings = Findings()
    wishes = read_wishes(data, RULES, findings)
    checks = findings.checks()
    if not isinstance(wishes, Wishes):
        raise Broken("no wishes came back")
    lines = data.count(b"\n") + data.count(b"\r") + 1
    for one in checks:
        if one.severity is Severity.ERROR and "more of the same kind" not in one.message and not one.fix:
            raise Broken(f"{one.id} does not say what to do")
        if (named := _LINE.match(one.message)) is not None and not 1 <= int(named[1]) <= lines:
            raise Broken(f"{one.id} names a line that is not there")
    return wishes, checks


def seeds() -> list[bytes]:
    """Every deploy.toml of the corpus, and one line for each key."""
    raw = [case.raw_toml for case in CASES.values() if case.raw_toml is not None]
    lines = [f"[{key.table}]\n{key.name} = {key.example}\n" if key.table else f"{key.name} = {key.example}\n"
             for key in KEYS]  # fmt: skip
    return [data for data in (*raw, *(line.encode() for line in lines)) if 0 < len(data) <= INPUT_MAX_BYTES]


TOKENS = (
    *(key.name.encode() for key in KEYS), *(f"[{table}]\n".encode() for table in TABLES), b" = ", b'"', b"'''", b"[[",
    b"]]", b"{", b"}", b"\n", b"\r\n", b"\\u0000", b"\\ud800", b"1_000", b"0x", b"1e999", b"-inf", b"nan",
    b"2026-01-01T00:00:00Z", b"00:00:00", b"true", b"#", b"\xef\xbb\xbf", b"\x00", b"\xff",
)  # fmt: skip

READER = Reader("toml", read, seeds, TOKENS)

if __name__ == "__main__":
    main(READER)
