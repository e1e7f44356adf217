"""What the CloudFormation stack makes on AWS, made through the AWS port itself. Called by `up` at every start."""

import json
from dataclasses import dataclass
from typing import Any

from tarmac.local.clients import LOCAL_REGION, local_client

DEFAULT_BUCKET = "tarmac-local"
QUEUE = "tarmac-looks"
DEAD_LETTERS = "tarmac-looks-dead"
RECEIVES_MAX = 5
"""How often a message is tried before it goes to the dead letters."""
WATCHED_KEYS = ("models/*/model.tar.gz", "models/*.tar.gz", "models/*/deploy.toml", "models/*/code/*")
_ACCOUNT = "123456789012"
_ROLE_ARN = f"arn:aws:iam::{_ACCOUNT}:role/tarmac-local-sagemaker"
_VISIBILITY_S = 120
_DEAD_LETTERS_KEPT_S = 14 * 86400


@dataclass(frozen=True)
class LocalStack:
    """Where the parts are."""

    bucket: str
    queue_url: str
    dead_letter_queue_url: str
    role_arn: str


def ensure_stack(aws_url: str, *, bucket: str = DEFAULT_BUCKET, region: str = LOCAL_REGION) -> LocalStack:
    """Make bucket, queues and rules where they are missing. Done again, it changes nothing.

    Args:
        aws_url: The embedded AWS.
        bucket: The one bucket.
        region: Where everything is said to be.
    """
    queue_url, dead_letter_queue_url, queue_arn = _ensure_queues(local_client("sqs", aws_url, region=region))
    _ensure_rules(local_client("events", aws_url, region=region), bucket=bucket, queue_arn=queue_arn)
    # The bucket last: from the moment that it tells of its objects, somebody listens.
    _ensure_bucket(local_client("s3", aws_url, region=region), bucket, region)
    return LocalStack(bucket, queue_url, dead_letter_queue_url, _ROLE_ARN)


def _ensure_bucket(s3: Any, bucket: str, region: str) -> None:
    if bucket not in {found["Name"] for found in s3.list_buckets().get("Buckets", ())}:
        elsewhere = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **elsewhere)
    if "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket=bucket):
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )


def _ensure_queues(sqs: Any) -> tuple[str, str, str]:
    def arn(url: str) -> str:
        found: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return found

    kept = {"MessageRetentionPeriod": str(_DEAD_LETTERS_KEPT_S)}
    dead_url: str = sqs.create_queue(QueueName=DEAD_LETTERS, Attributes=kept)["QueueUrl"]
    redrive = {"deadLetterTargetArn": arn(dead_url), "maxReceiveCount": RECEIVES_MAX}
    attributes = {"VisibilityTimeout": str(_VISIBILITY_S), "RedrivePolicy": json.dumps(redrive)}
    queue_url: str = sqs.create_queue(QueueName=QUEUE, Attributes=attributes)["QueueUrl"]
    return queue_url, dead_url, arn(queue_url)


def _ensure_rules(events: Any, *, bucket: str, queue_arn: str) -> None:
    patterns = {
        "tarmac-drops": {
            "source": ["aws.s3"],
            "detail-type": ["Object Created", "Object Deleted"],
            "detail": {
                "bucket": {"name": [bucket]},
                "object": {"key": [{"wildcard": key} for key in WATCHED_KEYS]},
            },
        },
        "tarmac-endpoints": {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Endpoint State Change"]},
    }
    for name, pattern in patterns.items():
        events.put_rule(Name=name, EventPattern=json.dumps(pattern), State="ENABLED")
        events.put_targets(Rule=name, Targets=[{"Id": "looks", "Arn": queue_arn}])
