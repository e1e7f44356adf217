"""Measures what each running variant uses and reports it to CloudWatch. Called by sagemaker.py."""

import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from tarmac.local.servers import ModelServer

_NAMESPACE = "/aws/sagemaker/Endpoints"

MetricSink = Callable[[str, str, dict[str, str], float], None]
"""(namespace, name, dimensions, value): one datum, now."""


class CpuMeter:
    """CPUUtilization of every server that answers, in percent of one core, at a fixed interval and at each start."""

    def __init__(
        self, running: Callable[[], Iterable[tuple[str, str, ModelServer]]], *, interval_s: float, record: MetricSink
    ) -> None:
        """Measure what *running* gives: (endpoint name, variant name, server)."""
        self._running = running
        self._interval_s = interval_s
        self._record = record
        self._seen: dict[int, tuple[float, float]] = {}
        self._wake = threading.Event()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="cpu-meter", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop and wait for the thread."""
        self._is_stopped = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def measure_soon(self) -> None:
        """Measure now: a variant that has just come into service must not be unseen until the next interval."""
        self._wake.set()

    def _run(self) -> None:
        while not self._is_stopped:
            self._wake.wait(self._interval_s)
            self._wake.clear()
            if not self._is_stopped:
                self._measure()

    def _measure(self) -> None:
        seen: dict[int, tuple[float, float]] = {}
        for endpoint_name, variant_name, server in self._running():
            pid, busy_s, at = server.pid, server.busy_s(), time.monotonic()
            if pid is None or busy_s is None:
                continue
            seen[pid] = (at, busy_s)
            last_at, last_busy_s = self._seen.get(pid, (at - self._interval_s, busy_s))
            # A child that has ended takes its seconds with it: never below nothing.
            percent = 100 * max(busy_s - last_busy_s, 0.0) / max(at - last_at, 0.001)
            dimensions = {"EndpointName": endpoint_name, "VariantName": variant_name}
            with suppress(Exception):  # CloudWatch in trouble must not blind us to the other variants
                self._record(_NAMESPACE, "CPUUtilization", dimensions, min(percent, 100.0 * (os.cpu_count() or 1)))
        self._seen = seen
