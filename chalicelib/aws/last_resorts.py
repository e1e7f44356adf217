"""One-shot schedules that delete endpoints. Implements ports.LastResorts."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib.aws.failures import translated
from chalicelib.errors import AlreadyExists, NotFound


@dataclass(frozen=True)
class SchedulerLastResorts:
    """EventBridge Scheduler deletes by itself: neither our functions nor our queue need to work for it.

    Attributes:
        client: Makes the boto3 client.
        group: The schedules' group.
        role_arn: What the scheduler deletes with.
        after_s: Seconds from the last push to the deletion.
    """

    client: Callable[[], Any]
    group: str
    role_arn: str
    after_s: float

    def ensure(self, endpoint: str, *, now: datetime) -> None:
        """See ports.LastResorts."""
        if self.push(endpoint, now=now):
            return
        try:
            with translated():
                self.client().create_schedule(**self._schedule(endpoint, now))
        except AlreadyExists:
            self.push(endpoint, now=now)

    def push(self, endpoint: str, *, now: datetime) -> bool:
        """See ports.LastResorts."""
        try:
            with translated():
                self.client().update_schedule(**self._schedule(endpoint, now))
        except NotFound:
            return False
        return True

    def _schedule(self, endpoint: str, now: datetime) -> dict[str, Any]:
        """Say it whole: an update replaces everything, what it leaves out falls back to a default."""
        partition = self.role_arn.split(":")[1]
        return {
            "Name": endpoint,
            "GroupName": self.group,
            "ScheduleExpression": f"at({now + timedelta(seconds=self.after_s):%Y-%m-%dT%H:%M:%S})",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {
                "Arn": f"arn:{partition}:scheduler:::aws-sdk:sagemaker:deleteEndpoint",
                "RoleArn": self.role_arn,
                "Input": json.dumps({"EndpointName": endpoint}),
                # An endpoint that is being updated cannot be deleted; a day of retries outlasts any update.
                "RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400},
            },
        }
