"""EventBridge's schedule, locally: calls the app's sweep again and again, never twice at a time. Started by up."""

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from chalice.local import LambdaContext

from chalicelib.telemetry import logger
from tarmac.local.clients import LOCAL_REGION, LOCAL_SWEEP_FUNCTION

Handler = Callable[[dict[str, Any], Any], Any]


def scheduled_event(now: datetime, *, region: str = LOCAL_REGION) -> dict[str, Any]:
    """Make what EventBridge sends a scheduled function. Source: EventBridge's example of a scheduled event."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [f"arn:aws:events:{region}:123456789012:rule/tarmac-sweep"],
        "detail": {},
    }


class Schedule:
    """Sweeps at once when started, then every *every_s* seconds, and whenever somebody asks."""

    def __init__(self, sweep: Handler, every_s: float) -> None:
        self._sweep = sweep
        self._every_s = every_s
        self._one_at_a_time = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweep", daemon=True)

    def start(self) -> None:
        """Begin with a sweep: it heals whatever happened while nobody ran."""
        self._thread.start()

    def stop(self, timeout_s: float = 3) -> None:
        """Plan no further sweep; one that runs gets *timeout_s* to end."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def invoke(self, event: dict[str, Any] | None = None, context: Any = None) -> Any:
        """Sweep now, after any sweep that is running, and give back what the app answers."""
        with self._one_at_a_time:
            return self._sweep(
                event or scheduled_event(datetime.now(UTC)),
                context or LambdaContext(LOCAL_SWEEP_FUNCTION, 512, max_runtime_ms=900_000),
            )

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.invoke()
            except Exception:  # noqa: BLE001  # the next sweep may do better
                if not self._stopping.is_set():
                    logger.exception("the sweep failed", extra={"event": "sweep-failed"})
            self._stopping.wait(self._every_s)
