"""Service Quotas of the embedded AWS on the wire, and the application's adapter on it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib.aws.quotas import ServiceQuotas
from chalicelib.bootstrap import SystemClock
from chalicelib.door.instances import INSTANCE_TYPES
from tarmac.local.embedded import EmbeddedAws

QUOTAS = {**dict.fromkeys(INSTANCE_TYPES, 2), "ml.g5.xlarge": 0}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Any]:
    """Of an account that may run two of everything but one."""
    aws = EmbeddedAws(tmp_path / "state", quotas=QUOTAS)
    aws.start()
    made = boto3.client(
        "service-quotas",
        endpoint_url=aws.url,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
    )
    yield made
    made.close()
    aws.stop()


def test_the_adapter_reads_every_page(client: Any) -> None:
    assert len(INSTANCE_TYPES) > 200, "so that there is more than one page"

    assert ServiceQuotas(lambda: client, SystemClock()).endpoint_instances() == QUOTAS


def test_pages_are_as_long_as_asked_and_the_last_has_no_token(client: Any) -> None:
    first = client.list_service_quotas(ServiceCode="sagemaker", MaxResults=3)
    pages = list(client.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker"))

    assert len(first["Quotas"]) == 3
    assert first["Quotas"][0]["QuotaName"].endswith(" for endpoint usage")
    assert "NextToken" not in pages[-1]
    assert sum(len(page["Quotas"]) for page in pages) == len(QUOTAS)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"ServiceCode": "sagemaker", "NextToken": "bm8gdG9rZW4="}, "InvalidPaginationTokenException"),
        ({"ServiceCode": "nobody"}, "NoSuchResourceException"),
    ],
)
def test_what_makes_no_sense_is_refused_as_aws_does(client: Any, asked: dict[str, str], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        client.list_service_quotas(**asked)

    assert caught.value.response["Error"]["Code"] == code
