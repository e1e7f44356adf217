"""The queue's door: messages in, a look at each model they speak of, and which messages to keep. Called by app.py."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalicelib.errors import TarmacError
from chalicelib.hints import models_in
from chalicelib.names import DROPS_PREFIX, ModelName
from chalicelib.telemetry import count, logger


def look_at_each(
    records: Sequence[Mapping[str, Any]],
    look: Callable[[ModelName], object],
    *,
    app: str,
    drops_prefix: str = DROPS_PREFIX,
) -> dict[str, list[dict[str, str]]]:
    """Look once at every model that a batch speaks of.

    Args:
        records: SQS records as Lambda gets them.
        look: Brings one model nearer to what it should be.
        app: The app's prefix of endpoint names.
        drops_prefix: Where people drop.

    Returns:
        SQS's partial answer: the messages that are to come again, because waiting may help.
    """
    messages: dict[ModelName, list[str]] = {}
    for record in records:
        for model in _models_of(record, app, drops_prefix):
            messages.setdefault(model, []).append(str(record["messageId"]))
    again: list[str] = []
    for model, message_ids in messages.items():
        if not _is_done(model, look):
            again += message_ids
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in dict.fromkeys(again)]}


def _models_of(record: Mapping[str, Any], app: str, drops_prefix: str) -> tuple[ModelName, ...]:
    try:
        return models_in(str(record["body"]), app=app, drops_prefix=drops_prefix)
    except ValueError as exc:
        # It will never be readable: keeping it would only block the queue.
        count("UnreadableMessages")
        logger.error("unreadable message", extra={"event": "unreadable", "reason": str(exc)})
        return ()


def _is_done(model: ModelName, look: Callable[[ModelName], object]) -> bool:
    """Look at one model; False when it has to come again. One model's failure never stops another's."""
    try:
        look(model)
    except TarmacError as exc:
        logger.warning(
            "the look failed", extra={"event": "look-failed", "model": model, "reason": exc.message, "code": exc.code}
        )
        count("LookErrors")
        return not exc.is_retryable
    except Exception:  # noqa: BLE001  # whatever one model brings about, the others are still looked at
        logger.exception("a defect of Tarmac's", extra={"event": "defect", "model": model})
        count("Defects")
        return False
    return True
