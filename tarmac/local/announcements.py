"""Tells EventBridge of each change of an endpoint, in order, from one thread. Called by sagemaker.py.

Not from the thread that made the change: that one holds the lock, and who listens may ask SageMaker something.
"""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

EventSink = Callable[[str, str, dict[str, Any], list[str]], None]
"""(source, detail type, detail, resources)."""

_SOURCE = "aws.sagemaker"
_DETAIL_TYPE = "SageMaker Endpoint State Change"
_log = logging.getLogger(__name__)


class Announcer:
    """A queue of events and the thread that puts them."""

    def __init__(self, put_event: EventSink) -> None:
        self._put_event = put_event
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sagemaker-events", daemon=True)

    def start(self) -> None:
        """Begin; what was said before now is put first."""
        self._thread.start()

    def stop(self) -> None:
        """Put what is left, then end."""
        if self._thread.ident is not None:
            self._queue.put(None)
            self._thread.join()

    def say(self, detail: dict[str, Any]) -> None:
        """Have one event put, soon."""
        self._queue.put(detail)

    def _run(self) -> None:
        while (detail := self._queue.get()) is not None:
            try:
                self._put_event(_SOURCE, _DETAIL_TYPE, detail, [detail["EndpointArn"]])
            except Exception:  # noqa: BLE001  # one lost event is healed by the sweep, a dead thread is not
                _log.exception("an endpoint's state change could not be announced")
