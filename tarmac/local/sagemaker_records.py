"""What the embedded SageMaker remembers: models, configurations, endpoints, as requests came and as answers go out.

Filled and changed by sagemaker.py only. Each record survives JSON, and has what moto's tag and search code reads
(`arn`, `tags`, `response_object`), so that those see ours as they see moto's own.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

ACCOUNT = "123456789012"
"""The embedded AWS is one account, moto's own, and whatever region is asked for, it is the same place."""

RawTags = list[dict[str, str]]


def now_s() -> float:
    """Epoch seconds, in whole milliseconds as SageMaker gives them."""
    return int(time.time() * 1000) / 1000


def aware(at_s: float) -> datetime:
    """Aware UTC, exact to the millisecond."""
    return datetime.fromtimestamp(round(at_s * 1000) // 1000, UTC).replace(microsecond=round(at_s * 1000) % 1000 * 1000)


def arn(region: str, kind: str, name: str) -> str:
    """The ARN of a SageMaker resource: the name in lower case, as AWS gives it."""
    return f"arn:aws:sagemaker:{region}:{ACCOUNT}:{kind}/{name.lower()}"


def merged_tags(tags: RawTags, added: Sequence[Mapping[str, str]]) -> RawTags:
    """Add tags, each in place of one with the same key."""
    by_key = {tag["Key"]: tag["Value"] for tag in [*tags, *added]}
    return [{"Key": key, "Value": value} for key, value in by_key.items()]


@dataclass
class Resource:
    """One named thing of SageMaker's. *raw* is the request that made it, without its tags; times in epoch seconds."""

    name: str
    arn: str
    raw: dict[str, Any]
    tags: RawTags = field(default_factory=list)
    created_at_s: float = field(default_factory=now_s)

    def to_json(self) -> dict[str, Any]:
        """For the journal."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """From the journal."""
        return cls(**raw)

    @property
    def response_object(self) -> dict[str, Any]:
        """What Describe answers."""
        raise NotImplementedError

    def gen_response_object(self) -> dict[str, Any]:
        """What Search answers: under the name that moto calls."""
        return self.response_object | {"Tags": self.tags}


class ModelRecord(Resource):
    """A SageMaker model."""

    @property
    def response_object(self) -> dict[str, Any]:
        """What DescribeModel answers."""
        return {
            "EnableNetworkIsolation": False,
            **self.raw,
            "ModelArn": self.arn,
            "CreationTime": aware(self.created_at_s),
        }

    def summary(self) -> dict[str, Any]:
        """One row of ListModels."""
        return {"ModelName": self.name, "ModelArn": self.arn, "CreationTime": aware(self.created_at_s)}


class ConfigRecord(Resource):
    """An endpoint configuration."""

    @property
    def response_object(self) -> dict[str, Any]:
        """What DescribeEndpointConfig answers."""
        return {**self.raw, "EndpointConfigArn": self.arn, "CreationTime": aware(self.created_at_s)}

    def summary(self) -> dict[str, Any]:
        """One row of ListEndpointConfigs."""
        return {
            "EndpointConfigName": self.name,
            "EndpointConfigArn": self.arn,
            "CreationTime": aware(self.created_at_s),
        }


@dataclass(frozen=True)
class Serving:
    """What a configuration says is to run: resolved once, so that deleting records later does not stop a restart."""

    config_name: str
    raw_variant: dict[str, Any]
    raw_container: dict[str, Any]
    is_isolated: bool
    raw_async_config: dict[str, Any] | None = None
    raw_data_capture_config: dict[str, Any] | None = None

    @property
    def variant_name(self) -> str:
        """The name of the one production variant."""
        return str(self.raw_variant["VariantName"])

    @property
    def archive_uri(self) -> str | None:
        """The s3:// address of model.tar.gz; None when the container brings its own model."""
        source = self.raw_container.get("ModelDataSource", {}).get("S3DataSource", {})
        uri: str | None = self.raw_container.get("ModelDataUrl") or source.get("S3Uri")
        return uri

    @property
    def is_serverless(self) -> bool:
        """Whether the variant has memory by the second in place of instances."""
        return "ServerlessConfig" in self.raw_variant

    @property
    def max_concurrency(self) -> int | None:
        """Requests at once of a serverless variant; None for any other."""
        raw = self.raw_variant.get("ServerlessConfig")
        return None if raw is None else int(raw["MaxConcurrency"])

    @property
    def is_async(self) -> bool:
        """Whether requests wait in a queue, and answers are written to S3."""
        return bool(self.raw_async_config)

    @property
    def async_concurrency(self) -> int:
        """Requests at once that its queue sends; where the configuration does not say, as many as a few."""
        return int((self.raw_async_config or {}).get("ClientConfig", {}).get("MaxConcurrentInvocationsPerInstance", 4))

    @property
    def drain_s(self) -> float:
        """For how long requests in hand may go on after an update: longer than an invocation may take."""
        return 3605.0 if self.is_async else 65.0

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that the model asks for."""
        return dict(self.raw_container.get("Environment") or {})

    def variant_summary(self, *, is_running: bool) -> dict[str, Any]:
        """How DescribeEndpoint shows the variant: nothing current before the first start has succeeded."""
        shown: dict[str, Any] = {"VariantName": self.variant_name}
        weight = self.raw_variant.get("InitialVariantWeight", 1.0)
        shown |= {"CurrentWeight": weight, "DesiredWeight": weight}
        if serverless := self.raw_variant.get("ServerlessConfig"):
            return shown | {"CurrentServerlessConfig": serverless, "DesiredServerlessConfig": serverless}
        count = self.raw_variant.get("InitialInstanceCount", 1)
        return shown | {"CurrentInstanceCount": count if is_running else 0, "DesiredInstanceCount": count}


@dataclass
class EndpointRecord(Resource):
    """An endpoint: *raw* is the last CreateEndpoint or UpdateEndpoint; the serving is that which answers, or will."""

    serving: Serving = field(kw_only=True)
    pending: Serving | None = field(default=None, kw_only=True)
    status: str = field(default="Creating", kw_only=True)
    modified_at_s: float = field(default_factory=now_s, kw_only=True)
    failure_reason: str | None = field(default=None, kw_only=True)
    generation: int = field(default=0, kw_only=True)
    """Counts the deployments: each has a directory and a server of its own."""

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """From the journal."""
        pending = raw["pending"] and Serving(**raw["pending"])
        return cls(**raw | {"serving": Serving(**raw["serving"]), "pending": pending})

    def move(self, status: str, *, failure_reason: str | None = None) -> None:
        """Enter *status* now; an older failure reason goes."""
        self.status = status
        self.failure_reason = failure_reason
        # Two changes within a millisecond must still be told apart by whoever watches LastModifiedTime.
        self.modified_at_s = max(now_s(), round(self.modified_at_s + 0.001, 3))

    @property
    def response_object(self) -> dict[str, Any]:
        """What DescribeEndpoint answers."""
        shown: dict[str, Any] = {
            "EndpointName": self.name,
            "EndpointArn": self.arn,
            "EndpointConfigName": self.serving.config_name,
            "EndpointStatus": self.status,
            "CreationTime": aware(self.created_at_s),
            "LastModifiedTime": aware(self.modified_at_s),
        }
        if self.status != "Failed":
            is_running = self.status not in {"Creating", "Deleting"}
            shown["ProductionVariants"] = [self.serving.variant_summary(is_running=is_running)]
        optional = {
            "FailureReason": self.failure_reason,
            "LastDeploymentConfig": self.raw.get("DeploymentConfig"),
            "AsyncInferenceConfig": self.serving.raw_async_config,
            "DataCaptureConfig": self._data_capture(),
            "PendingDeploymentSummary": self._pending_summary(),
        }
        return shown | {key: value for key, value in optional.items() if value}

    def summary(self) -> dict[str, Any]:
        """One row of ListEndpoints."""
        keys = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
        return {key: self.response_object[key] for key in keys}

    def event_detail(self) -> dict[str, Any]:
        """The detail of `SageMaker Endpoint State Change`: statuses IN_CAPITALS, times in epoch milliseconds."""
        return {
            "EndpointName": self.name,
            "EndpointArn": self.arn,
            "EndpointConfigName": self.serving.config_name,
            "ProductionVariants": [self.serving.variant_summary(is_running=self.status == "InService")],
            "EndpointStatus": re.sub(r"(?<!^)([A-Z])", r"_\1", self.status).upper(),
            "CreationTime": round(self.created_at_s * 1000),
            "LastModifiedTime": round(self.modified_at_s * 1000),
            "Tags": {tag["Key"]: tag["Value"] for tag in self.tags},
        }

    def _data_capture(self) -> dict[str, Any] | None:
        asked = self.serving.raw_data_capture_config
        if not asked:
            return None
        return {
            "EnableCapture": asked.get("EnableCapture", False),
            "CaptureStatus": "Stopped",
            "CurrentSamplingPercentage": asked["InitialSamplingPercentage"],
            "DestinationS3Uri": asked["DestinationS3Uri"],
            "KmsKeyId": asked.get("KmsKeyId", ""),
        }

    def _pending_summary(self) -> dict[str, Any] | None:
        if self.pending is None:
            return None
        variant = self.pending.variant_summary(is_running=False)
        if "InstanceType" in self.pending.raw_variant:
            variant["InstanceType"] = self.pending.raw_variant["InstanceType"]
        return {
            "EndpointConfigName": self.pending.config_name,
            "ProductionVariants": [variant],
            "StartTime": aware(self.modified_at_s),
        }
