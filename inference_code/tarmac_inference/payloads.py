"""Request bodies, by content type, to the payload that tasks read: a dict with "inputs". Called by the handler."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Dict, NoReturn

from .faults import CallerFault, UnsupportedMedia
from .media import CSV, JSON, JSON_LINES_NAMES, NPY, OCTETS, TEXT, MediaType, parse_media_type

Payload = Dict[str, Any]

BODY = "body"
_JSON_TYPE = MediaType(JSON)
_CSV_HEADERS = ("inputs", "question", "context")


@dataclass(frozen=True)
class Sheet:
    """A CSV whose first line names none of what tasks read: every line, for a model that knows its own columns."""

    lines: list[list[str]]


def decode(body: bytes | bytearray | str, content_type: str | None, *, takes_sheets: bool = False) -> Payload:
    """Turn a request body into a payload.

    Args:
        body: As it came; str where a server has decoded it already.
        content_type: The header's value; JSON when there is none.
        takes_sheets: Give a Sheet for a CSV without a known header, instead of refusing it.

    Raises:
        CallerFault: The body is not what its content type says.
        UnsupportedMedia: Nothing here reads that content type.
    """
    media = _JSON_TYPE if not content_type or content_type == JSON else parse_media_type(content_type)
    name = media.name
    if name == JSON or name.endswith("+json"):
        return _from_json(_text(body, media.charset))
    if name in JSON_LINES_NAMES:
        return _from_json_lines(_text(body, media.charset))
    if name == CSV:
        return _from_csv(_text(body, media.charset), takes_sheets=takes_sheets)
    if name == NPY:
        return {"inputs": _array(_bytes(body))}
    if name == TEXT:
        return {"inputs": _text(body, media.charset)}
    if name == OCTETS or name.startswith(("image/", "audio/")):
        return {"inputs": _bytes(body)}
    raise UnsupportedMedia(f"content type {name!r} is not one that this model reads", field="Content-Type")


def text_of(body: bytes, content_type: str) -> str:
    """Decode a body by the charset of its content type. Raises CallerFault."""
    return _text(body, parse_media_type(content_type).charset)


def _bytes(body: bytes | bytearray | str) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body)


def _text(body: bytes | bytearray | str, charset: str) -> str:
    if isinstance(body, str):
        return body
    try:
        return body.decode(charset)
    except LookupError:
        raise CallerFault(f"{charset!r} is not a charset that is known here", field="Content-Type") from None
    except UnicodeError as error:
        raise CallerFault(f"it is not {charset} text ({error})", field=BODY) from None


def _from_json(text: str) -> Payload:
    value = _json_value(text, field=BODY)
    if isinstance(value, dict):
        return value
    return {"inputs": value}


def _json_value(text: str, *, field: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise CallerFault(f"it is not JSON ({error})", field=field) from None
    except RecursionError:
        raise CallerFault("its JSON is nested too deep", field=field) from None
    except ValueError as error:  # an integer of more digits than Python reads
        raise CallerFault(f"its JSON cannot be read ({error})", field=field) from None


def _refuse_constant(name: str) -> NoReturn:
    raise CallerFault(f"{name} is not JSON", field=BODY)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)  # json.loads makes one for every body


def _from_json_lines(text: str) -> Payload:
    values = [_json_value(line, field=f"line {number}") for number, line in _lines(text)]
    inputs = [value["inputs"] if isinstance(value, dict) and "inputs" in value else value for value in values]
    return {"inputs": inputs}


def _lines(text: str) -> list[tuple[int, str]]:
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _from_csv(text: str, *, takes_sheets: bool) -> Payload:
    """Rows under a header that names "inputs", or the fields of a question-answering input; or a sheet."""
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error as error:
        raise CallerFault(f"it is not CSV ({error})", field=BODY) from None
    if takes_sheets and lines and not set(_CSV_HEADERS) & set(lines[0]):
        return {"inputs": Sheet(lines)}
    if len(lines) < 2:
        return {"inputs": []}
    header, rows = lines[0], lines[1:]
    if not set(_CSV_HEADERS) & set(header):
        raise unnamed_columns()
    records = [dict(zip_longest(header, row[: len(header)])) for row in rows]
    if "inputs" in header:
        return {"inputs": [record["inputs"] for record in records]}
    return {"inputs": records}


def unnamed_columns() -> CallerFault:
    """What is wrong with a sheet for a task that reads none."""
    return CallerFault(f"the first line of the CSV must name a column: one of {', '.join(_CSV_HEADERS)}", field=BODY)


def _array(body: bytes) -> Any:
    import numpy as np

    try:
        return np.load(io.BytesIO(body), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise CallerFault(f"it is not an npy array ({error})", field=BODY) from None
