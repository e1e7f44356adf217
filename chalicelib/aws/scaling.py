"""How many instances an endpoint has, moved by Application Auto Scaling. Implements ports.Scaling.

Source: SageMaker's developer guide, "Automatic scaling of Amazon SageMaker AI models".
"""

from collections.abc import Callable
from typing import Any

from chalicelib.aws.failures import translated
from chalicelib.errors import NotFound
from chalicelib.names import VARIANT_NAME
from chalicelib.reports import Autoscale

POLICY_NAME = "tarmac-calls"
_METRIC = "SageMakerVariantInvocationsPerInstance"


class ApplicationAutoScaling:
    """One scalable target and one policy an endpoint. AWS makes two CloudWatch alarms of each policy."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client

    def find(self, endpoint: str) -> Autoscale | None:
        """See ports.Scaling."""
        with translated():
            targets = self._client().describe_scalable_targets(
                ServiceNamespace="sagemaker",
                ResourceIds=[resource_id(endpoint)],
                ScalableDimension="sagemaker:variant:DesiredInstanceCount",
            )["ScalableTargets"]
            if not targets:
                return None
            policies = self._client().describe_scaling_policies(
                ServiceNamespace="sagemaker", ResourceId=resource_id(endpoint), PolicyNames=[POLICY_NAME]
            )["ScalingPolicies"]
        wanted = policies[0]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] if policies else 0
        # A target without its policy is no scaling yet: it differs from every wish, and is made whole.
        return Autoscale(targets[0]["MinCapacity"], targets[0]["MaxCapacity"], int(wanted))

    def ensure(self, endpoint: str, wished: Autoscale) -> None:
        """See ports.Scaling."""
        with translated():
            self._client().register_scalable_target(
                **_address(endpoint), MinCapacity=wished.min, MaxCapacity=wished.max
            )
            self._client().put_scaling_policy(
                **_address(endpoint),
                PolicyName=POLICY_NAME,
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration={
                    "TargetValue": float(wished.invocations_per_instance),
                    "PredefinedMetricSpecification": {"PredefinedMetricType": _METRIC},
                },
            )

    def remove(self, endpoint: str) -> None:
        """See ports.Scaling."""
        try:
            with translated():
                # Its policies and their alarms go with it.
                self._client().deregister_scalable_target(**_address(endpoint))
        except NotFound:
            return


def resource_id(endpoint: str) -> str:
    """How Application Auto Scaling calls the one variant of an endpoint."""
    return f"endpoint/{endpoint}/variant/{VARIANT_NAME}"


def _address(endpoint: str) -> dict[str, str]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": resource_id(endpoint),
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
