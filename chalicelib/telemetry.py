"""Logs and metrics: Powertools' Logger (JSON) and one EMF line a count. Called by the flows; never sees a payload."""

import json
import sys
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

NAMESPACE = "Tarmac"
SERVICE = "tarmac"

logger = Logger(service=SERVICE)


def _print_line(raw_line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(raw_line, separators=(",", ":")) + "\n")


emit: Callable[[dict[str, Any]], None] = _print_line
"""Where EMF lines go: standard output, which is CloudWatch's door in Lambda; `set_emitter` sends them elsewhere."""


def set_emitter(emitter: Callable[[dict[str, Any]], None]) -> None:
    """Send EMF lines somewhere else than standard output."""
    global emit  # noqa: PLW0603  # one process, one sink: the same shape as logging's own root handler
    emit = emitter


def count(name: str, *, model: str | None = None, value: float = 1) -> None:
    """Count something that happened, in the namespace Tarmac, by model where one is given.

    A provider of its own for each call: Powertools' Metrics shares its sets between threads, and a laptop has many.
    """
    provider = AmazonCloudWatchEMFProvider(metric_set={}, dimension_set={}, namespace=NAMESPACE, service=SERVICE)
    provider.add_metric(name=name, unit=MetricUnit.Count, value=value)
    if model is not None:
        provider.add_dimension(name="model", value=model)
    emit(dict(provider.serialize_metric_set()))
