"""Reads from an event which model it is about, and nothing else: every event only says 'look at this model'. Pure."""

import json
from typing import Any

from chalicelib.names import DROPS_PREFIX, ModelName, model_of_drop_key, model_of_endpoint


def models_in(body: str, *, app: str, drops_prefix: str = DROPS_PREFIX) -> tuple[ModelName, ...]:
    """Tell which models a queue message is about; none when it is about nothing of ours.

    Args:
        body: An EventBridge event (S3 object, SageMaker endpoint) or {"model": name}, as JSON.
        app: The app's prefix of endpoint names.
        drops_prefix: Where people drop.

    Raises:
        ValueError: The body is no JSON object: nobody who may send here writes such a thing.
    """
    raw = json.loads(body)
    if not isinstance(raw, dict):
        raise ValueError("the message is no JSON object")  # noqa: TRY004  # the caller treats both alike
    if isinstance(raw.get("model"), str):
        return (ModelName(raw["model"]),)
    detail = raw.get("detail")
    model = _model_in(detail, app, drops_prefix) if isinstance(detail, dict) else None
    return (model,) if model is not None else ()


def _model_in(detail: dict[str, Any], app: str, drops_prefix: str) -> ModelName | None:
    s3_object = detail.get("object")
    if isinstance(s3_object, dict) and isinstance(s3_object.get("key"), str):
        return model_of_drop_key(s3_object["key"], prefix=drops_prefix)
    # Names are matched in lower case: the event's own ARN is lower-cased, and so are all our names.
    name = detail.get("EndpointName")
    return model_of_endpoint(app, name.lower()) if isinstance(name, str) else None
