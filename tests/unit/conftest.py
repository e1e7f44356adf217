"""Nothing here prints: EMF lines are collected, log records stay with pytest."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import telemetry


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def counted() -> Iterator[list[dict[str, Any]]]:
    """Every EMF line of the test."""
    lines: list[dict[str, Any]] = []
    emit = telemetry.emit
    telemetry.set_emitter(lines.append)
    yield lines
    telemetry.set_emitter(emit)


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[logging.LogRecord]]:
    """Every log record of the test, in place of the lines on standard output."""
    inner = logging.getLogger(telemetry.SERVICE)
    handlers, collector = inner.handlers, _Records()
    inner.handlers = [collector]
    yield collector.records
    inner.handlers = handlers
