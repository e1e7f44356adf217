"""Reads deploy.toml against its schema, and says of each wrong line what was meant. Called by `inspection`."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.door.kinds import Findings, declarer, shown
from chalicelib.door.schema import (
    DEFAULT_INVOCATIONS_PER_INSTANCE,
    DEFAULT_TRUST,
    KEYS,
    KEYS_BY_TABLE,
    TABLES,
    AboveCeiling,
    BadValue,
    Key,
    NotAllowedEnv,
    Rules,
    TooShort,
    parse_env,
)
from chalicelib.reports import Autoscale, HubModel, Severity

_declare = declarer("deploy.toml")
PATH = "deploy.toml"
TOO_LARGE = _declare("toml-too-large", Severity.ERROR, "The file is over 64 KiB.", "Keep only the keys you need.")
NOT_UTF8 = _declare(
    "toml-not-utf8", Severity.ERROR, "The file is not UTF-8.", "Save it as UTF-8; PowerShell's `>` writes UTF-16."
)
NOT_TOML = _declare(
    "toml-syntax", Severity.ERROR, "The file is not TOML; the message gives line and column.", "Mend the line."
)
UNKNOWN_KEY = _declare(
    "toml-unknown-key",
    Severity.ERROR,
    "A key or table is not one that deploy.toml has, or stands in the wrong table.",
    "Remove it; every key is listed in docs/deploy-toml.md.",
)
WRONG_TYPE = _declare("toml-wrong-type", Severity.ERROR, "A value is of the wrong type.", "See docs/deploy-toml.md.")
BAD_VALUE = _declare("toml-bad-value", Severity.ERROR, "A value is not one the key allows.", "See docs/deploy-toml.md.")
BELOW_FLOOR = _declare(
    "idle-after-below-floor",
    Severity.ERROR,
    "`idle_after` is shorter than the shortest time in which an endpoint's idleness can be seen here.",
    "Raise idle_after, or leave the key out.",
)
TRUST_ABOVE_STAGE = _declare(
    "trust-above-stage",
    Severity.ERROR,
    "`trust` asks for more than this stage gives to any drop; the message names the stage's level.",
    "Ask for the stage's level, or a stricter one; or have whoever runs the stage raise its parameter Trust.",
)
ENV_NOT_ALLOWED = _declare(
    "env-not-allowed",
    Severity.ERROR,
    "`[env]` sets a variable that is not on the allow-list.",
    "Remove it; docs/deploy-toml.md lists what may be set.",
)

_MAX_BYTES = 64 << 10
_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")
_ALMOST = re.compile(r"(?P<key>[A-Za-z_]{1,40})\s*[=:]\s*(?P<value>[\"']?[A-Za-z0-9./_-]{1,80}[\"']?)")
_BARE = re.compile(r"-?\d+(\.\d+)?|true|false")
_TYPE_WORDS = {str: "a string", int: "a whole number", float: "a number", bool: "true or false", dict: "a table"}


@dataclass(frozen=True)
class Wishes:
    """What a person asked for. None: not asked for, Tarmac decides.

    Attributes:
        idle_after_s: Seconds; None for never. Only meaningful with *has_idle_after*.
        env: Sorted pairs, every name allowed.
        mode: One of schema.MODES.
        memory_mb, max_concurrency: Of a serverless endpoint.
        hub_model: What stands in the place of an archive.
    """

    task: str | None = None
    instance_type: str | None = None
    instance_count: int = 1
    max_hourly_cost: float | None = None
    idle_after_s: float | None = None
    has_idle_after: bool = False
    container: str | None = None
    trust: str = DEFAULT_TRUST
    env: tuple[tuple[str, str], ...] = ()
    mode: str | None = None
    memory_mb: int | None = None
    max_concurrency: int | None = None
    autoscale: Autoscale | None = None
    hub_model: HubModel | None = None


def read_wishes(raw: bytes | None, rules: Rules, findings: Findings) -> Wishes:
    """Read deploy.toml; what is wrong with it goes to *findings*, and only what is right is in the answer."""
    if raw is None:
        return Wishes(trust=rules.default_trust)
    text = _decode(raw, findings)
    parsed = _parse(text, findings) if text is not None else None
    if text is None or parsed is None:
        return Wishes(trust=rules.default_trust)
    return _Reading(text, parsed, rules, findings).wishes()


def _decode(raw: bytes, findings: Findings) -> str | None:
    if len(raw) > _MAX_BYTES:
        findings.add(TOO_LARGE, f"deploy.toml has more than {_MAX_BYTES:,} bytes", path=PATH)
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        findings.add(NOT_UTF8, f"line {line}: deploy.toml is not UTF-8", path=PATH)
        return None


def _parse(text: str, findings: Findings) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        place, reason = _PLACE.search(str(exc)), _PLACE.sub("", str(exc)).replace("(at end of document)", "").strip()
        where = f"line {place[1]}, column {place[2]}" if place else f"line {text.count(chr(10)) + 1}, at the end"
        fix = _meant(text, int(place[1])) if place else None
        findings.add(NOT_TOML, f"{where}: {shown(reason)}", path=PATH, fix=fix)
    except (ValueError, RecursionError) as exc:
        # A number of thousands of digits, a date that does not exist, a thousand brackets: TOML, but none we can hold.
        findings.add(NOT_TOML, f"deploy.toml cannot be read: {shown(str(exc))}", path=PATH)
    return None


def _meant(text: str, line_number: int) -> str | None:
    """Guess what a line that is no TOML was meant to be: text without quotes, or YAML's colon."""
    lines = text.split("\n")
    match = _ALMOST.fullmatch(lines[line_number - 1].strip()) if line_number <= len(lines) else None
    if match is None:
        return None
    value = match["value"].strip("\"'")
    return f"Did you mean `{match['key']} = " + (f"{value}`?" if _BARE.fullmatch(value) else f'"{value}"`?')


class _Reading:
    """One deploy.toml on its way from parsed TOML to `Wishes`."""

    def __init__(self, text: str, parsed: dict[str, Any], rules: Rules, findings: Findings) -> None:
        self._text = text
        self._parsed = parsed
        self._rules = rules
        self._findings = findings
        self._values: dict[tuple[str, str], Any] = {}

    def wishes(self) -> Wishes:
        for name, value in self._parsed.items():
            if name in TABLES:
                self._read_table(name, value)
            elif (key := KEYS_BY_TABLE[""].get(name)) is None:
                self._unknown("", name)
            else:
                self._read(key, value)
        self._check_together()
        return self._collect()

    def _read_table(self, table: str, value: Any) -> None:
        if not isinstance(value, dict):
            message = f"{table} is a table: it begins with a line [{table}]"
            self._add(WRONG_TYPE, "", table, message)
        elif table == "env":
            self._read_env(value)
        else:
            for name, item in value.items():
                if (key := KEYS_BY_TABLE[table].get(name)) is None:
                    self._unknown(table, name)
                else:
                    self._read(key, item)

    def _read(self, key: Key, value: Any) -> None:
        label = key.label
        if isinstance(value, bool) or not isinstance(value, key.types):
            wanted, got = key.type_words, _TYPE_WORDS.get(type(value), f"a {type(value).__name__}")
            message = f"{label} is {wanted}, not {got}"
            self._add(
                WRONG_TYPE, key.table, key.name, message, fix=f"Write it like this: `{key.name} = {key.example}`."
            )
            return
        try:
            self._values[key.table, key.name] = key.parse(value, self._rules)
        except TooShort as exc:
            self._add(BELOW_FLOOR, key.table, key.name, f"{label} {exc}", fix=exc.fix)
        except AboveCeiling as exc:
            self._add(TRUST_ABOVE_STAGE, key.table, key.name, f"{label} {exc}", fix=exc.fix)
        except BadValue as exc:
            self._add(BAD_VALUE, key.table, key.name, f"{label} {exc}", fix=exc.fix)

    def _read_env(self, table: Mapping[str, Any]) -> None:
        for name, value in table.items():
            try:
                self._values["env", name] = parse_env(name, value)
            except NotAllowedEnv as exc:
                self._add(ENV_NOT_ALLOWED, "env", name, f"[env] {shown(name)} {exc}", fix=exc.fix)
            except BadValue as exc:
                kind = BAD_VALUE if isinstance(value, str) else WRONG_TYPE
                self._add(kind, "env", name, f"[env] {shown(name)} {exc}", fix=exc.fix)

    def _check_together(self) -> None:
        task, env_task = self._values.get(("", "task")), self._values.get(("env", "HF_TASK"))
        if task and env_task and task != env_task:
            self._add(
                BAD_VALUE, "env", "HF_TASK", f"task says {task} and [env] HF_TASK says {env_task}", fix="Keep one."
            )
        lowest, highest = self._values.get(("autoscale", "min"), 1), self._values.get(("autoscale", "max"))
        if highest is not None and highest < lowest:
            self._add(BAD_VALUE, "autoscale", "max", f"[autoscale] max is {highest}, below min, which is {lowest}")
        table = self._parsed.get("autoscale")
        if (
            isinstance(table, dict)
            and set(table) < {"min", "invocations_per_instance"} | {"max"}
            and "max" not in table
        ):
            message = "[autoscale] names no max, so nothing would bound what it may cost"
            self._add(BAD_VALUE, "", "autoscale", message, fix="Write max = 4, or how many instances it may be.")

    def _unknown(self, table: str, name: str) -> None:
        home = next((key.table for key in KEYS if key.name == name), None)
        here = f"[{table}]" if table else "the top of the file"
        if home is not None:
            place = f"under a line [{home}]" if home else "at the top of the file, above the first [table]"
            fix, message = f"Move it: {name} stands {place}.", f"{name} does not belong to {here}"
        else:
            known = list(KEYS_BY_TABLE[table]) + ([] if table else list(TABLES))
            near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
            message = f"{shown(name)} is not a key of {here}"
            fix = f"Did you mean {near[0]}?" if near else f"Known there: {', '.join(known)}."
        self._add(UNKNOWN_KEY, table, name, message, fix=fix)

    def _add(self, kind: Any, table: str, name: str, message: str, *, fix: str | None = None) -> None:
        line = line_of(self._text, table, name)
        self._findings.add(kind, f"line {line}: {message}" if line else message, path=PATH, fix=fix)

    def _collect(self) -> Wishes:
        def root(name: str) -> Any:
            return self._values.get(("", name))

        env = {name: value for (table, name), value in self._values.items() if table == "env"}
        return Wishes(
            task=root("task") or env.get("HF_TASK"),
            instance_type=root("instance_type"),
            instance_count=root("instance_count") or 1,
            max_hourly_cost=root("max_hourly_cost"),
            idle_after_s=root("idle_after"),
            has_idle_after=("", "idle_after") in self._values,
            container=root("container"),
            trust=root("trust") or self._rules.default_trust,
            env=tuple(sorted(env.items())),
            mode=root("mode"),
            memory_mb=self._values.get(("serverless", "memory_mb")),
            max_concurrency=self._values.get(("serverless", "max_concurrency")),
            autoscale=self._autoscale(),
            hub_model=root("hub_model"),
        )

    def _autoscale(self) -> Autoscale | None:
        most = self._values.get(("autoscale", "max"))
        if most is None:
            return None
        calls = self._values.get(("autoscale", "invocations_per_instance"), DEFAULT_INVOCATIONS_PER_INSTANCE)
        return Autoscale(self._values.get(("autoscale", "min"), 1), most, calls)


def line_of(text: str, table: str, name: str) -> int | None:
    """Find the line, from 1, on which *name* is set in *table* ("" for the top); None where it is not plain to see."""
    here, quoted = "", re.escape(name)
    wanted = re.compile(rf"\s*(\[+\s*)?[\"']?{quoted}[\"']?\s*[=.\]]")
    inner = re.compile(rf"\s*{re.escape(table)}\s*(=.*\b|\.\s*){quoted}\b") if table else None
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*([^\]]*?)\s*\]", line)
        is_match = wanted.match(line) or (inner is not None and inner.match(line))
        if header and not table and header[1].strip("\"'") == name:
            return number
        if header:
            here = header[1].strip("\"'")
        elif is_match and (here == table or (inner is not None and inner.match(line))):
            return number
    return None
