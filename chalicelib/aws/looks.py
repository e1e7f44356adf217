"""The queue in front of the looker. Implements ports.Looks."""

import json
from collections.abc import Callable
from typing import Any

from chalicelib.aws.failures import translated
from chalicelib.names import ModelName


class SqsLooks:
    """Asks for looks by a message that says no more than which model."""

    def __init__(self, client: Callable[[], Any], queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def ask(self, model: ModelName) -> None:
        """See ports.Looks."""
        with translated():
            self._client().send_message(QueueUrl=self._queue_url, MessageBody=json.dumps({"model": model}))
