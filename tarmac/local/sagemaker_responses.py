"""SageMaker's control plane on the wire: moto's responses, with what moto leaves out or gets wrong put right.

Put in moto's place by `install`. Each answer that differs from moto's has a test in test_moto_gaps_sagemaker.py.
"""

from contextlib import ExitStack
from typing import Any, ClassVar

import moto.sagemaker.models as moto_models
import moto.sagemaker.responses as moto_responses
import moto.sagemaker.urls as moto_urls
from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import AWSValidationException

from tarmac.local.sagemaker import SageMakerEngine
from tarmac.local.sagemaker_constraints import check
from tarmac.local.sagemaker_listings import page_of
from tarmac.local.sagemaker_records import ACCOUNT, RawTags, Resource
from tarmac.local.swaps import swap, swap_urls

_SCALED_DIMENSION = "sagemaker:variant:DesiredInstanceCount"


class EngineBackend(moto_models.SageMakerModelBackend):
    """moto's backend with our models, configurations and endpoints in it, for Search and the tagging API."""

    engine: ClassVar[SageMakerEngine]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        catalogue = self.engine.catalogue
        ours = {"_models": catalogue.models, "endpoint_configs": catalogue.configs, "endpoints": catalogue.endpoints}
        vars(self).update(ours)


class EngineResponse(moto_responses.SageMakerResponse):
    """One request to the control plane. Operations that are not here are moto's own."""

    engine: ClassVar[SageMakerEngine]

    @property
    def sagemaker_backend(self) -> moto_models.SageMakerModelBackend:
        """The one backend there is: a client of any region sees the same endpoints."""
        return moto_models.sagemaker_backends[ACCOUNT][self.engine.catalogue.region]

    def _request(self, operation: str) -> dict[str, Any]:
        raw_request = {key: value for key, value in self.params.items() if value is not None}
        check(operation, raw_request)
        return raw_request

    def create_model(self) -> ActionResult:
        """CreateModel."""
        return ActionResult({"ModelArn": self.engine.catalogue.create_model(self._request("CreateModel")).arn})

    def describe_model(self) -> ActionResult:
        """DescribeModel."""
        return ActionResult(self.engine.catalogue.model(self._request("DescribeModel")["ModelName"]).response_object)

    def delete_model(self) -> ActionResult:
        """DeleteModel."""
        self.engine.catalogue.remove(self.engine.catalogue.model(self._request("DeleteModel")["ModelName"]))
        return EmptyResult()

    def list_models(self) -> ActionResult:
        """ListModels."""
        return self._list("ListModels", "Models", self.engine.catalogue.models)

    def create_endpoint_config(self) -> ActionResult:
        """CreateEndpointConfig."""
        record = self.engine.catalogue.create_config(self._request("CreateEndpointConfig"))
        return ActionResult({"EndpointConfigArn": record.arn})

    def describe_endpoint_config(self) -> ActionResult:
        """DescribeEndpointConfig."""
        name = self._request("DescribeEndpointConfig")["EndpointConfigName"]
        return ActionResult(self.engine.catalogue.config(name).response_object)

    def delete_endpoint_config(self) -> ActionResult:
        """DeleteEndpointConfig."""
        name = self._request("DeleteEndpointConfig")["EndpointConfigName"]
        self.engine.catalogue.remove(self.engine.catalogue.config(name))
        return EmptyResult()

    def list_endpoint_configs(self) -> ActionResult:
        """ListEndpointConfigs."""
        return self._list("ListEndpointConfigs", "EndpointConfigs", self.engine.catalogue.configs)

    def create_endpoint(self) -> ActionResult:
        """CreateEndpoint."""
        return ActionResult({"EndpointArn": self.engine.create_endpoint(self._request("CreateEndpoint")).arn})

    def update_endpoint(self) -> ActionResult:
        """UpdateEndpoint."""
        return ActionResult({"EndpointArn": self.engine.update_endpoint(self._request("UpdateEndpoint")).arn})

    def update_endpoint_weights_and_capacities(self) -> ActionResult:
        """UpdateEndpointWeightsAndCapacities."""
        raw_request = self._request("UpdateEndpointWeightsAndCapacities")
        return ActionResult({"EndpointArn": self.engine.set_weights_and_capacities(raw_request).arn})

    def describe_endpoint(self) -> ActionResult:
        """DescribeEndpoint."""
        return ActionResult(self.engine.describe_endpoint(self._request("DescribeEndpoint")["EndpointName"]))

    def delete_endpoint(self) -> ActionResult:
        """DeleteEndpoint."""
        name = self._request("DeleteEndpoint")["EndpointName"]
        self.engine.delete_endpoint(name)
        # AWS deregisters on the way what Application Auto Scaling holds of it.
        targets = applicationautoscaling_backends[ACCOUNT][self.region].targets.get(_SCALED_DIMENSION, {})
        for resource_id in [each for each in targets if each.startswith(f"endpoint/{name}/")]:
            del targets[resource_id]
        return EmptyResult()

    def list_endpoints(self) -> ActionResult:
        """ListEndpoints."""
        return self._list("ListEndpoints", "Endpoints", self.engine.catalogue.endpoints)

    def list_tags(self) -> ActionResult:
        """ListTags."""
        raw_request = self._request("ListTags")
        record = self._tagged(raw_request["ResourceArn"])
        if record is None:
            return super().list_tags()
        return ActionResult({"Tags": record.tags})

    def add_tags(self) -> ActionResult:
        """AddTags."""
        raw_request = self._request("AddTags")
        record = self._tagged(raw_request["ResourceArn"])
        if record is None:
            return super().add_tags()
        return ActionResult({"Tags": self._add_tags(record, raw_request["Tags"])})

    def delete_tags(self) -> ActionResult:
        """DeleteTags."""
        raw_request = self._request("DeleteTags")
        record = self._tagged(raw_request["ResourceArn"])
        if record is None:
            return super().delete_tags()
        self.engine.catalogue.delete_tags(record, raw_request["TagKeys"])
        return EmptyResult()

    def _add_tags(self, record: Resource, tags: RawTags) -> RawTags:
        self.engine.catalogue.add_tags(record, tags)
        return record.tags

    def _tagged(self, resource_arn: str) -> Resource | None:
        record = self.engine.catalogue.tagged(resource_arn)
        if record is None and self._moto_resource(resource_arn) is None:
            raise AWSValidationException(f'Could not find resource "{resource_arn}".')
        return record

    def _moto_resource(self, resource_arn: str) -> object:
        try:
            return self.sagemaker_backend._get_resource_from_arn(resource_arn)  # noqa: SLF001  # no other way to ask
        except (AttributeError, ValueError):  # what moto does with an ARN of a kind it does not know
            return None

    def _list(self, operation: str, key: str, table: dict[str, Any]) -> ActionResult:
        raw_request = self._request(operation)
        with self.engine.catalogue.lock:
            page, token = page_of(table.values(), raw_request)
            return ActionResult({key: [record.summary() for record in page], "NextToken": token})


def install(stack: ExitStack, engine: SageMakerEngine) -> None:
    """Put *engine* behind moto's SageMaker until *stack* closes, for every server made from now on in this process."""

    # moto finds a service's addresses through the module that a backend's class says it is from.
    class Backend(EngineBackend):
        __module__ = moto_models.__name__

    class Response(EngineResponse):
        __module__ = moto_responses.__name__

    Backend.engine = Response.engine = engine
    moto_models.sagemaker_backends.clear()
    stack.callback(moto_models.sagemaker_backends.clear)
    swap(stack, moto_models.sagemaker_backends, "backend", Backend)
    swap_urls(stack, moto_urls, Response.dispatch)
