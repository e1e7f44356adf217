"""Where the application's log lines and metric lines go on a laptop: one bounded file of JSON lines. Set up by up."""

import json
import logging
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from chalicelib import telemetry

FILE_MAX_BYTES = 8 * 1024 * 1024
FILES_KEPT = 3


class _Listener(logging.Handler):
    """Shows each record to a callable."""

    def __init__(self, on_record: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._on_record = on_record

    def emit(self, record: logging.LogRecord) -> None:
        self._on_record(record)


class _JsonLines(RotatingFileHandler):
    """A bounded file that also takes lines which are JSON already."""

    def format(self, record: logging.LogRecord) -> str:
        ready: str | None = getattr(record, "json_line", None)
        return ready or super().format(record)


class AppLog:
    """Takes the application's log away from standard output, into a file, from `open` to `close`."""

    def __init__(self, path: Path, *, on_record: Callable[[logging.LogRecord], None]) -> None:
        self._path = path
        self._listener = _Listener(on_record)
        self._file: _JsonLines | None = None
        self._raw = logging.getLogger(telemetry.SERVICE)
        self._previous: list[logging.Handler] = []

    def open(self) -> None:
        """Send log records, EMF lines, and every library's warnings to the file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = _JsonLines(self._path, maxBytes=FILE_MAX_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
        # Powertools finds its formatter, which carries the request's keys, through the first handler: keep it first.
        self._file.setFormatter(telemetry.logger.registered_formatter)
        self._previous = self._raw.handlers[:]
        self._raw.handlers[:] = [self._file, self._listener]
        self._raw.propagate = False
        logging.getLogger().addHandler(self._file)
        telemetry.set_emitter(self._write_metric)

    def close(self) -> None:
        """Close the file; what is logged later goes where it went before."""
        if self._file is None:
            return
        logging.getLogger().removeHandler(self._file)
        self._raw.handlers[:] = self._previous
        telemetry.set_emitter(_drop)
        self._file.close()
        self._file = None

    def _write_metric(self, raw_line: dict[str, Any]) -> None:
        if self._file is not None:
            text = json.dumps(raw_line, separators=(",", ":"))
            self._file.handle(logging.makeLogRecord({"json_line": text}))


def _drop(_raw_line: dict[str, Any]) -> None:
    """After the file is closed a count has nowhere to go; standard output belongs to the command line."""
