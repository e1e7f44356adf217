"""SageMaker's control plane. Implements ports.Endpoints."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from chalicelib.aws.failures import translated
from chalicelib.errors import NotFound
from chalicelib.names import VARIANT_NAME, ModelName, ReleaseId, answers_prefix, failures_prefix, is_release_name
from chalicelib.reports import ServingPlan
from chalicelib.state import Endpoint, EndpointStatus, EndpointSummary

_GRAVITON, _INTEL, _GPU = "c6gd m6gd r6gd r7gd", "c5d m5d r5d", "g4dn g5 g6 g6e g7 g7e dl1 trn1 trn1n trn2"
_LARGE_GPU = "p3dn p4d p4de p5 p5e p5en p6-b200 p6-b300 p6e-gb200"
WITH_OWN_DISKS = frozenset(f"{_GRAVITON} {_INTEL} {_GPU} {_LARGE_GPU}".split())
"""Families whose local disks encrypt in hardware, with keys of their own: a configuration that names a KMS key for one
is refused. Source: SageMaker's API reference, CreateEndpointConfig, KmsKeyId; EC2's list of instance store volumes."""
TAG_APP, TAG_MODEL, TAG_RELEASE = "tarmac:app", "tarmac:model", "tarmac:release"


class SageMakerEndpoints:
    """Endpoints and their two free records, by name; everything made here carries our tags."""

    def __init__(
        self,
        client: Callable[[], Any],
        *,
        app: str,
        role_arn: str,
        subnets: Sequence[str] = (),
        security_groups: Sequence[str] = (),
        volume_kms_key_arn: str | None = None,
        hub_environment: Mapping[str, str] | None = None,
        bucket_name: str = "",
    ) -> None:
        """Make every model in *subnets* and *security_groups*, and encrypt its storage, where there are any.

        *hub_environment* is what containers are told that fetch their model from the Hugging Face Hub; answers of
        asynchronous endpoints are written to *bucket_name*.
        """
        self._bucket_name = bucket_name
        self._hub_environment = dict(hub_environment or {})
        self._vpc = {"Subnets": list(subnets), "SecurityGroupIds": list(security_groups)} if subnets else None
        self._client = client
        self._volume_kms_key_arn = volume_kms_key_arn
        self._app = app
        self._role_arn = role_arn

    def find(self, name: str) -> Endpoint | None:
        """See ports.Endpoints."""
        try:
            with translated():
                raw = self._client().describe_endpoint(EndpointName=name)
                tags = self._client().list_tags(ResourceArn=raw["EndpointArn"])["Tags"]
        except NotFound:
            return None
        variants = tuple(variant["VariantName"] for variant in raw.get("ProductionVariants", ()))
        return Endpoint(
            name=raw["EndpointName"],
            status=EndpointStatus(raw["EndpointStatus"]),
            config_name=raw.get("EndpointConfigName", ""),
            created_at=_utc(raw["CreationTime"]),
            modified_at=_utc(raw["LastModifiedTime"]),
            is_owned={"Key": TAG_APP, "Value": self._app} in tags,
            failure_reason=raw.get("FailureReason") or None,
            variants=variants or (VARIANT_NAME,),
            is_serverless=any("CurrentServerlessConfig" in variant for variant in raw.get("ProductionVariants", ())),
            is_async="AsyncInferenceConfig" in raw,
        )

    def list(self) -> tuple[EndpointSummary, ...]:
        """See ports.Endpoints."""
        rows = []
        with translated():
            pages = self._client().get_paginator("list_endpoints")
            for page in pages.paginate(NameContains=f"{self._app}-", PaginationConfig={"PageSize": 100}):
                rows += [
                    EndpointSummary(
                        name=raw["EndpointName"],
                        status=EndpointStatus(raw["EndpointStatus"]),
                        created_at=_utc(raw["CreationTime"]),
                        modified_at=_utc(raw["LastModifiedTime"]),
                    )
                    for raw in page["Endpoints"]
                    # NameContains finds the prefix in the middle of foreign names too.
                    if raw["EndpointName"].startswith(f"{self._app}-")
                ]
        return tuple(rows)

    def list_models(self, model: ModelName) -> frozenset[str]:
        """See ports.Endpoints."""
        rows = self._list_records("list_models", "Models", model)
        return frozenset(raw["ModelName"] for raw in rows if is_release_name(self._app, model, raw["ModelName"]))

    def list_configs(self, model: ModelName) -> Mapping[str, datetime]:
        """See ports.Endpoints."""
        rows = self._list_records("list_endpoint_configs", "EndpointConfigs", model)
        return {
            raw["EndpointConfigName"]: _utc(raw["CreationTime"])
            for raw in rows
            if is_release_name(self._app, model, raw["EndpointConfigName"])
        }

    def create_model(
        self, name: str, *, model: ModelName, release: ReleaseId, plan: ServingPlan, archive_uri: str | None
    ) -> None:
        """See ports.Endpoints."""
        container: dict[str, Any] = {"Image": plan.image_uri, "Environment": dict(plan.env)}
        if archive_uri is not None:
            container["ModelDataUrl"] = archive_uri
        if plan.hub_model is not None:
            # Here and not in the plan: a token has no place in a report.
            container["Environment"] |= self._hub_environment
        with translated():
            self._client().create_model(
                ModelName=name,
                PrimaryContainer=container,
                ExecutionRoleArn=self._role_arn,
                EnableNetworkIsolation=plan.is_isolated,
                # Serverless endpoints take none. Source: SageMaker's developer guide, serverless inference, exclusions.
                **({} if self._vpc is None or plan.is_serverless else {"VpcConfig": self._vpc}),
                Tags=self._tags(model, release),
            )

    def create_config(self, name: str, *, model: ModelName, release: ReleaseId, plan: ServingPlan) -> None:
        """See ports.Endpoints."""
        variant = {"VariantName": VARIANT_NAME, "ModelName": name, "InitialVariantWeight": 1.0, **_machines(plan)}
        with translated():
            self._client().create_endpoint_config(
                EndpointConfigName=name,
                ProductionVariants=[variant],
                **self._volume_key(plan.instance_type),
                **self._queue(model, plan),
                Tags=self._tags(model, release),
            )

    def create(self, name: str, config_name: str, *, model: ModelName, release: ReleaseId) -> None:
        """See ports.Endpoints."""
        with translated():
            self._client().create_endpoint(
                EndpointName=name, EndpointConfigName=config_name, Tags=self._tags(model, release)
            )

    def update(self, name: str, config_name: str, *, keeps_counts: bool = False) -> None:
        """See ports.Endpoints."""
        # Without it an update takes a fleet that has grown back to the configuration's first number.
        kept = {"RetainAllVariantProperties": True} if keeps_counts else {}
        with translated():
            self._client().update_endpoint(EndpointName=name, EndpointConfigName=config_name, **kept)

    def delete(self, name: str) -> None:
        """See ports.Endpoints."""
        _delete(lambda: self._client().delete_endpoint(EndpointName=name))

    def delete_config(self, name: str) -> None:
        """See ports.Endpoints."""
        _delete(lambda: self._client().delete_endpoint_config(EndpointConfigName=name))

    def delete_model(self, name: str) -> None:
        """See ports.Endpoints."""
        _delete(lambda: self._client().delete_model(ModelName=name))

    def _volume_key(self, instance_type: str | None) -> Mapping[str, str]:
        # Serverless has no volume of ours to encrypt.
        if self._volume_kms_key_arn is None or instance_type is None or instance_type.split(".")[1] in WITH_OWN_DISKS:
            return {}
        return {"KmsKeyId": self._volume_kms_key_arn}

    def _queue(self, model: ModelName, plan: ServingPlan) -> Mapping[str, Any]:
        if not plan.is_async:
            return {}
        raw_output = {
            "S3OutputPath": f"s3://{self._bucket_name}/{answers_prefix(model)}",
            "S3FailurePath": f"s3://{self._bucket_name}/{failures_prefix(model)}",
        }
        raw_client = {"MaxConcurrentInvocationsPerInstance": plan.max_concurrency or 1}
        return {"AsyncInferenceConfig": {"OutputConfig": raw_output, "ClientConfig": raw_client}}

    def _list_records(self, operation: str, field: str, model: ModelName) -> Sequence[Mapping[str, Any]]:
        rows = []
        with translated():
            pages = self._client().get_paginator(operation)
            for page in pages.paginate(NameContains=f"{self._app}-{model}-", PaginationConfig={"PageSize": 100}):
                rows += page[field]
        return rows

    def _tags(self, model: ModelName, release: ReleaseId) -> Sequence[Mapping[str, str]]:
        pairs = {TAG_APP: self._app, TAG_MODEL: model, TAG_RELEASE: release}
        return [{"Key": key, "Value": value} for key, value in pairs.items()]


def _machines(plan: ServingPlan) -> Mapping[str, Any]:
    """Say what the variant runs on: instances, or memory by the second."""
    if plan.is_serverless:
        return {"ServerlessConfig": {"MemorySizeInMB": plan.memory_mb, "MaxConcurrency": plan.max_concurrency}}
    machines = {"InitialInstanceCount": plan.instance_count, "InstanceType": plan.instance_type}
    return machines if plan.inference_ami is None else {**machines, "InferenceAmiVersion": plan.inference_ami}


def _delete(call: Callable[[], Any]) -> None:
    try:
        with translated():
            call()
    except NotFound:
        return


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
