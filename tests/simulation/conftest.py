"""Silence: thousands of histories would write hundreds of thousands of log lines."""

import logging
from collections.abc import Iterator

import pytest

from chalicelib import telemetry


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    emit = telemetry.emit
    telemetry.set_emitter(lambda raw_line: None)
    telemetry.logger.setLevel(logging.CRITICAL)
    yield
    telemetry.logger.setLevel(logging.INFO)
    telemetry.set_emitter(emit)
