"""What the account may run: asked once an hour, and unknown where nothing or only a part of it is told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from chalicelib.aws.quotas import KEPT_S, ServiceQuotas
from chalicelib.bootstrap import build
from chalicelib.names import ModelName
from chalicelib.reports import Report
from tests.fakes import ManualClock, fake_world, good_archive, settings


def quota(name: str, value: float) -> dict[str, Any]:
    return {"ServiceCode": "sagemaker", "QuotaName": name, "Value": value}


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "ListServiceQuotas")


class FakeClient:
    """Service Quotas with these pages; an exception among them is raised when its turn comes."""

    def __init__(self, *pages: Sequence[dict[str, Any]] | Exception) -> None:
        self.pages = pages
        self.calls = 0

    def get_paginator(self, operation: str) -> "FakeClient":
        assert operation == "list_service_quotas"
        return self

    def paginate(self, *, ServiceCode: str, PaginationConfig: dict[str, int]) -> Iterator[dict[str, Any]]:  # noqa: N803
        assert (ServiceCode, PaginationConfig) == ("sagemaker", {"PageSize": 100})
        self.calls += 1
        for page in self.pages:
            if isinstance(page, Exception):
                raise page
            yield {"Quotas": page}


GPU, CPU = quota("ml.g5.xlarge for endpoint usage", 0.0), quota("ml.m5.large for endpoint usage", 4.0)
OTHER = quota("ml.g5.xlarge for training job usage", 7.0)


def asked(client: FakeClient, clock: ManualClock | None = None) -> ServiceQuotas:
    return ServiceQuotas(lambda: client, clock or ManualClock())


def test_only_quotas_for_endpoints_count_and_all_pages_are_read() -> None:
    quotas = asked(FakeClient([GPU, OTHER], [CPU]))

    assert quotas.endpoint_instances() == {"ml.g5.xlarge": 0, "ml.m5.large": 4}


def test_the_answer_is_kept_for_an_hour() -> None:
    client, clock = FakeClient([CPU]), ManualClock()
    quotas = asked(client, clock)

    quotas.endpoint_instances()
    clock.advance(KEPT_S - 1)
    quotas.endpoint_instances()
    assert client.calls == 1

    clock.advance(1)
    quotas.endpoint_instances()
    assert client.calls == 2


@pytest.mark.parametrize(
    "error",
    [
        refusal("AccessDeniedException"),
        refusal("TooManyRequestsException"),
        refusal("NoSuchResourceException"),
        refusal("InternalFailure"),
        EndpointConnectionError(endpoint_url="https://servicequotas.invalid"),
        NoCredentialsError(),
    ],
)
def test_a_refusal_means_unknown_and_is_not_asked_again_at_once(error: Exception) -> None:
    client = FakeClient([CPU], error)
    quotas = asked(client)

    assert quotas.endpoint_instances() is None
    assert quotas.endpoint_instances() is None
    assert client.calls == 1


@dataclass
class Known:
    """An account that may run so many; counts how often it is asked."""

    instances: dict[str, int]
    calls: int = 0

    def endpoint_instances(self) -> dict[str, int]:
        self.calls += 1
        return self.instances


def looked(quotas: Known, toml: bytes = b'instance_type = "ml.m5.large"\n', *, times: int = 1) -> Report:
    """Drop a model with such a deploy.toml into an account with such quotas, and look so often."""
    world = replace(fake_world(), quotas=quotas)
    world.bucket.put("models/cat/deploy.toml", toml)
    world.bucket.put("models/cat/model.tar.gz", good_archive())
    app = build(settings(), world)
    for _ in range(times):
        app.looker.look(ModelName("cat"))
    report = app.looker.desired(ModelName("cat")).report
    assert report is not None
    return report


def test_a_drop_for_a_type_without_quota_is_refused_with_what_to_ask_for() -> None:
    report = looked(Known({"ml.m5.large": 0}))

    assert [check.id for check in report.errors] == ["quota-zero"]
    assert "Service Quotas" in (report.errors[0].fix or "")


def test_quotas_are_asked_only_when_a_release_is_planned() -> None:
    quotas = Known({"ml.m5.large": 4})

    assert looked(quotas, times=3).is_accepted
    assert quotas.calls == 1


def test_a_world_that_knows_no_quotas_refuses_nothing() -> None:
    assert looked(Known({})).is_accepted
