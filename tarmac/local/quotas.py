"""Service Quotas of the embedded account, as far as endpoints are concerned. Installed by `embedded`.

A laptop's account limits nothing, so by default it lists nothing; moto knows the quotas of VPCs only.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, ClassVar

import moto.servicequotas.responses as moto_responses
import moto.servicequotas.urls as moto_urls
from moto.core.exceptions import JsonRESTError
from moto.servicequotas.exceptions import NoSuchResource

from tarmac.local.swaps import swap_urls

_PAGE_MAX = 100


class QuotasResponse(moto_responses.ServiceQuotasResponse):
    """One request to Service Quotas. Operations that are not here are moto's own."""

    instances: ClassVar[Mapping[str, int]] = {}

    def list_service_quotas(self) -> str:
        """List the applied quotas of SageMaker, a page at a time."""
        raw = json.loads(self.body)
        if raw.get("ServiceCode") != "sagemaker":
            raise NoSuchResource
        size = min(raw.get("MaxResults") or _PAGE_MAX, _PAGE_MAX)
        first = self._first(raw.get("NextToken"))
        names = sorted(self.instances)
        answer: dict[str, Any] = {"Quotas": [self._quota(name) for name in names[first : first + size]]}
        if first + size < len(names):
            answer["NextToken"] = base64.b64encode(str(first + size).encode()).decode()
        return json.dumps(answer)

    def _first(self, token: str | None) -> int:
        if token is None:
            return 0
        try:
            return int(base64.b64decode(token, validate=True))
        except ValueError as exc:
            raise JsonRESTError("InvalidPaginationTokenException", "Invalid input was provided.") from exc

    def _quota(self, instance_type: str) -> dict[str, Any]:
        name = f"{instance_type} for endpoint usage"
        code = f"L-{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"
        return {
            "ServiceCode": "sagemaker",
            "ServiceName": "Amazon SageMaker",
            "QuotaArn": f"arn:aws:servicequotas:{self.region}:{self.current_account}:sagemaker/{code}",
            "QuotaCode": code,
            "QuotaName": name,
            "Value": float(self.instances[instance_type]),
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
            "QuotaAppliedAtLevel": "ACCOUNT",
        }


def install(stack: ExitStack, instances: Mapping[str, int]) -> None:
    """Answer with so many instances of each type until *stack* closes, for every server made from now on."""

    # moto finds a service's addresses through the module that a class says it is from.
    class Response(QuotasResponse):
        __module__ = moto_responses.__name__

    Response.instances = instances
    swap_urls(stack, moto_urls, Response.dispatch)
