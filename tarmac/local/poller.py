"""Lambda's event source mapping, locally: takes messages off the queue and hands them to the app. Started by up."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from chalice.local import LambdaContext

from chalicelib.hints import models_in
from chalicelib.telemetry import logger

WORKERS = 3
BATCH_SIZE = 10
PENDING_MAX = 100
WAIT_S = 1
"""How long one receive waits: also about the longest that a stop takes."""
BACK_OFF_MAX_S = 30

Handler = Callable[[dict[str, Any], Any], Any]
RawMessage = dict[str, Any]


def _group(body: str, app: str) -> str:
    """Name what must not be looked at twice at a time: the model, or one common group for what names none."""
    try:
        models = models_in(body, app=app)
    except ValueError:
        return ""
    return models[0] if models else ""


class Poller:
    """Three workers; messages about one model go to one worker at a time, in one batch where there are several."""

    def __init__(
        self,
        sqs: Any,
        queue_url: str,
        handler: Handler,
        *,
        app: str,
        queue_arn: str = "arn:aws:sqs:us-east-1:123456789012:tarmac",
        on_message: Callable[[str], None] | None = None,
    ) -> None:
        """Poll *queue_url* from `start` to `stop`.

        Args:
            sqs: A boto3 SQS client.
            queue_url: The queue.
            handler: The app's queue door, called as Lambda calls it.
            app: The prefix of the app's endpoint names.
            queue_arn: What the events say where they come from.
            on_message: Told of each message's body before the handler; must be quick.
        """
        self._sqs = sqs
        self._queue_url = queue_url
        self._handler = handler
        self._app = app
        self._queue_arn = queue_arn
        self._on_message = on_message
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._pending: OrderedDict[str, list[RawMessage]] = OrderedDict()
        self._busy: set[str] = set()
        self._threads = [threading.Thread(target=self._receive, name="poller", daemon=True)]
        self._threads += [
            threading.Thread(target=self._work, name=f"look-{number}", daemon=True) for number in range(WORKERS)
        ]

    def start(self) -> None:
        """Begin to poll."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 3) -> None:
        """Stop taking messages; what is in hand gets *timeout_s* to end, and else comes back by its visibility."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _receive(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                if sum(map(len, self._pending.values())) >= PENDING_MAX:
                    self._changed.wait(0.2)
                    continue
            try:
                answer = self._sqs.receive_message(
                    QueueUrl=self._queue_url,
                    MaxNumberOfMessages=BATCH_SIZE,
                    WaitTimeSeconds=WAIT_S,
                    AttributeNames=["All"],
                    MessageAttributeNames=["All"],
                )
            except Exception:  # noqa: BLE001  # whatever the queue says, the poller must outlive it
                if not self._stopping.wait(0.5):
                    logger.warning("the queue cannot be read", exc_info=True)
                continue
            for message in answer.get("Messages", ()):
                self._take(message)

    def _take(self, message: RawMessage) -> None:
        if self._on_message is not None:
            self._on_message(message["Body"])
        model = _group(message["Body"], self._app)
        with self._changed:
            self._pending.setdefault(model, []).append(message)
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                while (model := self._next_model()) is None and not self._stopping.is_set():
                    self._changed.wait(1)
                if model is None or self._stopping.is_set():
                    return
                waiting = self._pending.pop(model)
                batch, rest = waiting[:BATCH_SIZE], waiting[BATCH_SIZE:]
                if rest:
                    self._pending[model] = rest
                self._busy.add(model)
            try:
                self._hand_over(batch)
            finally:
                with self._changed:
                    self._busy.discard(model)
                    self._changed.notify_all()

    def _next_model(self) -> str | None:
        return next((model for model in self._pending if model not in self._busy), None)

    def _hand_over(self, batch: list[RawMessage]) -> None:
        event = {"Records": [self._record(message) for message in batch]}
        context = LambdaContext("tarmac-look", 512, max_runtime_ms=900_000)
        try:
            failed = _failed_ids(self._handler(event, context), [message["MessageId"] for message in batch])
        except Exception:  # noqa: BLE001  # as in Lambda: an invocation that raises gives its whole batch back
            logger.exception("the look failed; its messages go back to the queue", extra={"event": "look-failed"})
            failed = {message["MessageId"] for message in batch}
        try:
            self._settle(batch, failed)
        except Exception:  # noqa: BLE001  # the message comes again by its visibility time-out, and a look is idempotent
            if not self._stopping.is_set():
                logger.warning("the queue cannot be written", exc_info=True)

    def _settle(self, batch: list[RawMessage], failed: set[str]) -> None:
        done = [message for message in batch if message["MessageId"] not in failed]
        if done:
            entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(done)]
            self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)
        for message in batch:
            if message["MessageId"] in failed:
                # Lambda leaves it to the visibility time-out, minutes long on AWS; a person at a laptop waits seconds.
                received = int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1"))
                self._sqs.change_message_visibility(
                    QueueUrl=self._queue_url,
                    ReceiptHandle=message["ReceiptHandle"],
                    VisibilityTimeout=min(2 ** (received - 1), BACK_OFF_MAX_S),
                )

    def _record(self, message: RawMessage) -> dict[str, Any]:
        """Source: AWS Lambda's example of an Amazon SQS standard queue event."""
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": _event_attributes(message.get("MessageAttributes", {})),
            "md5OfBody": message.get("MD5OfBody", ""),
            "eventSource": "aws:sqs",
            "eventSourceARN": self._queue_arn,
            "awsRegion": self._queue_arn.split(":")[3],
        }


def _event_attributes(raw: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        name: {"stringValue": value.get("StringValue"), "dataType": value.get("DataType")}
        for name, value in raw.items()
    }


def _failed_ids(result: Any, ids: list[str]) -> set[str]:
    """Read a partial batch answer as Lambda does: an identifier it does not know fails the whole batch."""
    failures = result.get("batchItemFailures") if isinstance(result, dict) else None
    failed = {item.get("itemIdentifier") for item in failures or ()}
    known = set(ids)
    return known if failed - known else failed
