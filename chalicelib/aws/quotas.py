"""How many instances of each type the account may run for endpoints. Implements ports.Quotas."""

import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.aws.failures import translated
from chalicelib.errors import AwsError
from chalicelib.ports import Clock
from chalicelib.telemetry import logger

KEPT_S = 3600.0
PAGE = 100
"""ListServiceQuotas's limit. Source: botocore's service model, service-quotas/2019-06-24."""
_NAME = re.compile(r"(ml\.[a-z0-9-]+\.[a-z0-9]+) for endpoint usage")
"""Source: SageMaker's quotas, as Service Quotas names them."""


class ServiceQuotas:
    """Asks Service Quotas at most once an hour, and only when a plan is being made."""

    def __init__(self, client: Callable[[], Any], clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._asked_at_s: float | None = None
        self._known: Mapping[str, int] | None = None

    def endpoint_instances(self) -> Mapping[str, int] | None:
        """See ports.Quotas."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            if self._asked_at_s is None or now_s - self._asked_at_s >= KEPT_S:
                # Set first: what refuses is not asked again at once either.
                self._asked_at_s, self._known = now_s, None
                self._known = self._ask()
            return self._known

    def _ask(self) -> Mapping[str, int] | None:
        known: dict[str, int] = {}
        try:
            with translated():
                pages = self._client().get_paginator("list_service_quotas")
                for page in pages.paginate(ServiceCode="sagemaker", PaginationConfig={"PageSize": PAGE}):
                    for raw in page["Quotas"]:
                        match = _NAME.fullmatch(raw.get("QuotaName", ""))
                        if match is not None and isinstance(raw.get("Value"), int | float):
                            known[match[1]] = int(raw["Value"])
        except AwsError as exc:
            logger.info("the account's quotas are not known", extra={"event": "quotas-unknown", "reason": exc.message})
            return None
        return known
