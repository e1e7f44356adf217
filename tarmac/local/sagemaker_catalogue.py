"""Models, configurations and endpoints by name, with SageMaker's refusals, in the journal. Called by sagemaker.py."""

import copy
import threading
from typing import Any, TypeVar

from moto.sagemaker.exceptions import AWSValidationException

from tarmac.local.journal import Journal
from tarmac.local.sagemaker_records import (
    ConfigRecord,
    EndpointRecord,
    ModelRecord,
    RawTags,
    Resource,
    Serving,
    arn,
    merged_tags,
)

RawRecord = dict[str, Any]
RecordT = TypeVar("RecordT", bound=Resource)

_KINDS: dict[type[Resource], str] = {
    ModelRecord: "sagemaker-model",
    ConfigRecord: "sagemaker-config",
    EndpointRecord: "sagemaker-endpoint",
}


_SERVERLESS_MEMORY_MB = range(1024, 6145, 1024)


def _check_serverless(variant: RawRecord, model: RawRecord, config: RawRecord) -> None:
    """Refuse what serverless cannot have. Source: SageMaker's developer guide, serverless inference, exclusions.

    The sentences are ours: AWS's own are not written down anywhere.
    """
    named = f"Production variant {variant['VariantName']} has a ServerlessConfig"
    if "InstanceType" in variant or "InitialInstanceCount" in variant:
        raise AWSValidationException(f"{named} and instances; it can have only one of them.")
    if variant["ServerlessConfig"]["MemorySizeInMB"] not in _SERVERLESS_MEMORY_MB:
        raise AWSValidationException(f"{named} whose MemorySizeInMB is not one of 1024, 2048, 3072, 4096, 5120, 6144.")
    if model.get("EnableNetworkIsolation"):
        raise AWSValidationException(f"{named}, and its model has network isolation, which is not supported.")
    if "VpcConfig" in model:
        raise AWSValidationException(f"{named}, and its model has a VPC configuration, which is not supported.")
    if "DataCaptureConfig" in config:
        raise AWSValidationException(f"{named}, for which data capture is not supported.")


def _check_async(config: RawRecord) -> None:
    """Refuse what asynchronous inference cannot have; the sentences are ours."""
    if "AsyncInferenceConfig" not in config:
        return
    if any("ServerlessConfig" in each for each in config["ProductionVariants"]):
        raise AWSValidationException("An AsyncInferenceConfig is not supported with a ServerlessConfig.")
    if not config["AsyncInferenceConfig"]["OutputConfig"].get("S3OutputPath"):
        raise AWSValidationException("The embedded AWS has no bucket of its own: OutputConfig needs an S3OutputPath.")


class Catalogue:
    """What there is. Names are compared without case, as SageMaker's control plane does; hold *lock* around changes."""

    def __init__(self, journal: Journal, region: str) -> None:
        self.region = region
        self.lock = threading.RLock()
        self.models: dict[str, ModelRecord] = {}
        self.configs: dict[str, ConfigRecord] = {}
        self.endpoints: dict[str, EndpointRecord] = {}
        self._journal = journal

    def load(self) -> None:
        """Read everything back from the journal."""
        with self.lock:
            for kind, table in self._tables().items():
                table.clear()
                table.update({key: kind.from_json(raw) for key, raw in self._journal.items(_KINDS[kind])})

    def save(self, record: Resource) -> None:
        """Write a record down, new or changed."""
        with self.lock:
            self._tables()[type(record)][record.name.lower()] = record
            self._journal.put(_KINDS[type(record)], record.name.lower(), record.to_json())

    def remove(self, record: Resource) -> None:
        """Forget a record."""
        with self.lock:
            self._tables()[type(record)].pop(record.name.lower(), None)
            self._journal.delete(_KINDS[type(record)], record.name.lower())

    def create_model(self, raw_request: dict[str, Any]) -> ModelRecord:
        """Raises AWSValidationException when the name is taken."""
        raw = dict(raw_request)
        tags = raw.pop("Tags", [])
        with self.lock:
            name = self._free_name("model", "model", raw["ModelName"], self.models)
            record = ModelRecord(name, arn(self.region, "model", name), raw, tags)
            self.save(record)
            return record

    def create_config(self, raw_request: dict[str, Any]) -> ConfigRecord:
        """Raises AWSValidationException when the name is taken or a variant's model is not there."""
        raw = dict(raw_request)
        tags = raw.pop("Tags", [])
        with self.lock:
            name = self._free_name("endpoint configuration", "endpoint-config", raw["EndpointConfigName"], self.configs)
            for variant in raw["ProductionVariants"]:
                if "ModelName" in variant:
                    model = self.model(variant["ModelName"])
                    if "ServerlessConfig" in variant:
                        _check_serverless(variant, model.raw, raw)
                if not {"InstanceType", "InstancePools", "ServerlessConfig"} & variant.keys():
                    raise AWSValidationException(
                        f"Production variant {variant['VariantName']} needs an InstanceType or a ServerlessConfig."
                    )
            _check_async(raw)
            record = ConfigRecord(name, arn(self.region, "endpoint-config", name), raw, tags)
            self.save(record)
            return record

    def free_endpoint_name(self, name: str) -> str:
        """Raises AWSValidationException when the name is taken, by an endpoint that is being deleted too."""
        return self._free_name("endpoint", "endpoint", name, self.endpoints)

    def model(self, name: str) -> ModelRecord:
        """Raises AWSValidationException when there is none."""
        return self._found("model", "model", name, self.models)

    def config(self, name: str) -> ConfigRecord:
        """Raises AWSValidationException when there is none."""
        return self._found("endpoint configuration", "endpoint-config", name, self.configs)

    def endpoint(self, name: str) -> EndpointRecord:
        """Raises AWSValidationException when there is none."""
        return self._found("endpoint", "endpoint", name, self.endpoints)

    def resolve(self, config_name: str) -> Serving:
        """Say what a configuration makes run.

        Raises:
            AWSValidationException: The configuration or its model is not there; or it asks for what a laptop has not:
                several variants, several containers, inference components.
        """
        config = self.config(config_name)
        variants = config.raw["ProductionVariants"]
        if len(variants) != 1 or "ModelName" not in variants[0]:
            raise AWSValidationException(
                "The embedded AWS runs endpoints with exactly one variant, which names a model."
            )
        model = self.model(variants[0]["ModelName"])
        containers = (
            [model.raw["PrimaryContainer"]] if "PrimaryContainer" in model.raw else model.raw.get("Containers", [])
        )
        if len(containers) != 1:
            raise AWSValidationException("The embedded AWS runs models with exactly one container.")
        return Serving(
            config_name=config.name,
            raw_variant=copy.deepcopy(
                variants[0]
            ),  # weights and counts change with the endpoint, not with its configuration
            raw_container=containers[0],
            is_isolated=bool(model.raw.get("EnableNetworkIsolation")),
            raw_async_config=config.raw.get("AsyncInferenceConfig"),
            raw_data_capture_config=config.raw.get("DataCaptureConfig"),
        )

    def resolve_update(self, endpoint: EndpointRecord, raw_request: RawRecord) -> Serving:
        """Say what an update makes run.

        Raises:
            AWSValidationException: As `resolve`; or it would make a serverless endpoint of one with instances, or move
                one between realtime and asynchronous, which SageMaker does not promise.
        """
        pending, before = self.resolve(raw_request["EndpointConfigName"]), endpoint.serving
        if pending.is_serverless and not before.is_serverless:
            raise AWSValidationException(
                f'Cannot update endpoint "{endpoint.arn}" from instances to a serverless configuration.'
            )
        if pending.is_async != before.is_async:
            raise AWSValidationException(
                f'Cannot update endpoint "{endpoint.arn}" between realtime and asynchronous configurations.'
            )
        if raw_request.get("RetainAllVariantProperties") and not pending.is_serverless and not before.is_serverless:
            pending.raw_variant["InitialInstanceCount"] = before.raw_variant.get("InitialInstanceCount", 1)
        return pending

    def tagged(self, resource_arn: str) -> Resource | None:
        """The record of an ARN; None when the ARN is of another kind of resource.

        Raises:
            AWSValidationException: It is one of these kinds and there is none.
        """
        kind, _, name = resource_arn.rpartition(":")[2].partition("/")
        finders = {"model": self.model, "endpoint-config": self.config, "endpoint": self.endpoint}
        return finders[kind](name) if kind in finders else None

    def add_tags(self, record: Resource, tags: RawTags) -> None:
        """Add or replace tags."""
        with self.lock:
            record.tags = merged_tags(record.tags, tags)
            self.save(record)

    def delete_tags(self, record: Resource, keys: list[str]) -> None:
        """Remove tags; done for those that are not there."""
        with self.lock:
            record.tags = [tag for tag in record.tags if tag["Key"] not in keys]
            self.save(record)

    def _tables(self) -> dict[type[Resource], dict[str, Any]]:
        return {ModelRecord: self.models, ConfigRecord: self.configs, EndpointRecord: self.endpoints}

    def _free_name(self, words: str, kind: str, name: str, table: dict[str, Any]) -> str:
        if name.lower() in table:
            raise AWSValidationException(f'Cannot create already existing {words} "{arn(self.region, kind, name)}".')
        return name

    def _found(self, words: str, kind: str, name: str, table: dict[str, RecordT]) -> RecordT:
        try:
            return table[name.lower()]
        except KeyError:
            raise AWSValidationException(f'Could not find {words} "{arn(self.region, kind, name)}".') from None
