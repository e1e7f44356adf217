"""What S3 and SageMaker tell the world: one event a write, through moto's rules to queues. Called by backends.

Stock moto sends two events for one multipart upload, one more for every set of tags, the same sequencer for all, and
none for a delete marker; it fires disabled rules, and rules that have only a schedule.
"""

import json
import logging
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote_plus

from moto.events.models import Rule, events_backends
from moto.s3 import notifications
from moto.utilities.arns import parse_arn

from tarmac.local.s3_keys import DeleteMarker
from tarmac.local.swaps import swap

Event = notifications.S3NotificationEvent
_log = logging.getLogger(__name__)
_EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"

# Source: "Amazon EventBridge event message structure", Amazon S3 user guide.
_REASONS = {
    Event.OBJECT_CREATED_PUT_EVENT: "PutObject",
    Event.OBJECT_CREATED_POST_EVENT: "POST Object",
    Event.OBJECT_CREATED_COPY_EVENT: "CopyObject",
    Event.OBJECT_CREATED_COMPLETE_MULTIPART_UPLOAD_EVENT: "CompleteMultipartUpload",
    Event.OBJECT_REMOVED_DELETE_EVENT: "DeleteObject",
    Event.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT: "DeleteObject",
}
_DELETION_TYPES = {
    Event.OBJECT_REMOVED_DELETE_EVENT: "Permanently Deleted",
    Event.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT: "Delete Marker Created",
}

_sequencer_lock = threading.Lock()
_last_sequencer = 0


def next_sequencer() -> str:
    """A hexadecimal number above every one given before: the order of the writes to one key."""
    global _last_sequencer  # noqa: PLW0603  # one clock for all buckets of the process
    with _sequencer_lock:
        _last_sequencer = max(_last_sequencer + 1, time.time_ns())
        return f"{_last_sequencer:018X}"


def send_event(account_id: str, event_name: Any, bucket: Any, key: Any) -> None:
    """Tell of one write, if the bucket wants it told. Takes the place of moto's function of the same name.

    Called when the object is durable and visible: a consumer that looks at once finds it.
    """
    event = Event(event_name)
    wanted = bucket.notification_configuration
    if wanted is None or event not in _REASONS:
        return
    sequencer = next_sequencer()
    if wanted.event_bridge is not None:
        _send_to_bus(account_id, event, bucket, key, sequencer)
    for notification in wanted.queue:
        if notification.matches(event.value, key.name):
            _send_to_queue(account_id, notification, _record(event, bucket, key, notification.id, sequencer))


def _send_to_bus(account_id: str, event: Any, bucket: Any, key: Any, sequencer: str) -> None:
    raw_object: dict[str, Any] = {"key": key.name}
    if isinstance(key, DeleteMarker):
        raw_object["etag"] = _EMPTY_MD5
    elif event not in _DELETION_TYPES:
        raw_object |= {"size": key.size, "etag": key.etag.strip('"')}
    if key.version_id != "null":
        raw_object["version-id"] = key.version_id
    raw_object["sequencer"] = sequencer
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": raw_object,
        "request-id": uuid.uuid4().hex[:16].upper(),
        "requester": account_id,
        "source-ip-address": "127.0.0.1",
        "reason": _REASONS[event],
    }
    if event in _DELETION_TYPES:
        detail["deletion-type"] = _DELETION_TYPES[event]
    put_event(
        "aws.s3",
        "Object Deleted" if event in _DELETION_TYPES else "Object Created",
        detail,
        [bucket.arn],
        account=account_id,
        region=bucket.region_name,
    )


def _record(event: Any, bucket: Any, key: Any, configuration_id: str, sequencer: str) -> dict[str, Any]:
    """The older form, as sent straight to a queue. Source: "Event message structure", Amazon S3 user guide."""
    raw_object: dict[str, Any] = {"key": quote_plus(key.name, safe="/"), "sequencer": sequencer}
    if event not in _DELETION_TYPES:
        raw_object |= {"size": key.size, "eTag": key.etag.strip('"')}
    if key.version_id != "null":
        raw_object["versionId"] = key.version_id
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region_name,
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
        "eventName": event.value.removeprefix("s3:"),
        "userIdentity": {"principalId": "AWS:local"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": uuid.uuid4().hex[:16].upper()},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration_id,
            "bucket": {"name": bucket.name, "ownerIdentity": {"principalId": "local"}, "arn": bucket.arn},
            "object": raw_object,
        },
    }


def _send_to_queue(account_id: str, notification: Any, record: dict[str, Any]) -> None:
    from moto.sqs.models import sqs_backends

    arn = parse_arn(notification.arn)
    try:
        sqs_backends[account_id][arn.region].send_message(
            queue_name=arn.resource_id, message_body=json.dumps({"Records": [record]})
        )
    except Exception:  # noqa: BLE001  # on AWS the write succeeds too when its notification cannot be delivered
        _log.warning("an S3 notification could not be delivered to %s", notification.arn, exc_info=True)


def put_event(
    source: str,
    detail_type: str,
    detail: Mapping[str, Any],
    resources: Sequence[str] = (),
    *,
    account: str = "123456789012",
    region: str = "us-east-1",
) -> None:
    """Put an event on the default bus: each enabled rule whose pattern matches sends it to its targets.

    Args:
        source: e.g. aws.sagemaker.
        detail_type: e.g. SageMaker Endpoint State Change.
        detail: Must survive JSON.
        resources: ARNs.
        account: The account it happens in.
        region: The region whose bus it is put on.
    """
    event: dict[str, Any] = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        # moto wants seconds here, and writes them as AWS does when it sends the event to a target.
        "time": time.time(),
        "region": region,
        "resources": list(resources),
        "detail": dict(detail),
    }
    bus = events_backends[account][region].event_buses["default"]
    for rule in list(bus.rules.values()):
        if rule.state == "ENABLED" and rule.event_pattern.get_pattern():
            _send_by_rule(rule, event)


def _send_by_rule(rule: Rule, event: dict[str, Any]) -> None:
    is_transformed = any("InputTransformer" in target for target in rule.targets)
    raw = {**event, "ingestion-time": event["time"]} if is_transformed else dict(event)
    try:
        rule.send_to_targets(raw, transform_input=is_transformed)  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001  # one rule's bad target must not keep the event from the other rules
        _log.warning("rule %s could not deliver an event", rule.name, exc_info=True)


def install(stack: ExitStack) -> None:
    """Make moto's S3 send its events this way, until *stack* closes."""
    swap(stack, notifications, "send_event", send_event)
