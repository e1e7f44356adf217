"""What SageMaker hosting costs in one region, asked of the AWS Pricing API. Called by `catalog`.

Source: botocore's service model, pricing/2017-10-15; the attributes of products as the Price List writes them: one
product a component (Hosting, Training, Notebook...), its price under terms, OnDemand, priceDimensions.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

SERVICE = "AmazonSageMaker"
PAGE = 100
"""GetProducts's limit. Source: the same service model."""
_CURRENCIES = ("USD", "CNY")
_SERVERLESS = re.compile(r"ServerlessInf:Mem-(\d+)GB$")
_NUMBER = re.compile(r"([\d,.]+)")
_TYPE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")


class NoOffers(Exception):
    """The region's answer cannot be used; the message says why."""


@dataclass(frozen=True)
class Hosting:
    """One instance type's price an hour, and what the price list says it has; None where it does not."""

    per_hour: float
    vcpus: int | None
    memory_gib: float | None
    gpu_count: int


@dataclass
class Offers:
    """One region's answer.

    Attributes:
        unread: Products that were in the answer and could not be used: no price, or not as expected.
    """

    region: str
    currency: str = "USD"
    hosting: dict[str, Hosting] = field(default_factory=dict)
    serverless_per_gb_s: float | None = None
    unread: int = 0


def read_offers(client: Any, region: str) -> Offers:
    """Ask for one region's prices, page by page.

    Raises:
        NoOffers: There is not one price for hosting in the answer.
        botocore.exceptions.BotoCoreError, ClientError: As the API refused.
    """
    offers = Offers(region)
    for product in _products(client, region, component="Hosting"):
        _take_hosting(product, offers)
    if not offers.hosting:
        raise NoOffers(f"the price list has no price for hosting in {region}")
    for product in _products(client, region, productFamily="ML Serverless"):
        _take_serverless(product, offers)
    return offers


def _products(client: Any, region: str, **fields: str) -> Iterator[Mapping[str, Any] | None]:
    wanted = {"regionCode": region, **fields}
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
    pages = client.get_paginator("get_products").paginate(
        ServiceCode=SERVICE, Filters=filters, FormatVersion="aws_v1", PaginationConfig={"PageSize": PAGE}
    )
    for page in pages:
        for raw in page["PriceList"]:
            try:
                product = json.loads(raw)
            except ValueError:
                product = None
            yield product if isinstance(product, dict) else None


def _take_hosting(product: Mapping[str, Any] | None, offers: Offers) -> None:
    attributes = _attributes(product)
    name, price = attributes.get("instanceName", ""), _price(product, "hrs")
    if attributes.get("component") != "Hosting" or not _TYPE.fullmatch(name) or price is None:
        offers.unread += 1
        return
    per_hour, offers.currency = price
    found = Hosting(
        per_hour=per_hour,
        vcpus=_whole(attributes.get("vCpu")),
        memory_gib=_number(attributes.get("memory")),
        gpu_count=_whole(attributes.get("gpu")) or 0,
    )
    known = offers.hosting.get(name)
    if known is not None and known.per_hour != found.per_hour:
        raise NoOffers(f"the price list has two prices for {name} in {offers.region}")
    offers.hosting[name] = found


def _take_serverless(product: Mapping[str, Any] | None, offers: Offers) -> None:
    match = _SERVERLESS.search(_attributes(product).get("usagetype", ""))
    price = _price(product, "second", "seconds")
    if match is None or price is None:
        return  # data processed, provisioned concurrency
    offers.serverless_per_gb_s = round(price[0] / int(match[1]), 10)


def _attributes(product: Mapping[str, Any] | None) -> Mapping[str, str]:
    inner = product.get("product") if product is not None else None
    attributes = inner.get("attributes") if isinstance(inner, dict) else None
    if not isinstance(attributes, dict):
        return {}
    return {key: value for key, value in attributes.items() if isinstance(value, str)}


def _price(product: Mapping[str, Any] | None, *units: str) -> tuple[float, str] | None:
    """Find the one on-demand price in such a unit, and its currency; None where there is none above nothing."""
    try:
        terms = (product or {})["terms"]["OnDemand"].values()
        dimensions = [each for term in terms for each in term["priceDimensions"].values()]
        for dimension in dimensions:
            for currency in _CURRENCIES:
                amount = dimension["pricePerUnit"].get(currency)
                if dimension["unit"].lower() in units and amount is not None and float(amount) > 0:
                    return round(float(amount), 10), currency
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return None


def _number(text: str | None) -> float | None:
    match = _NUMBER.match(text or "")
    try:
        return float(match[1].replace(",", "")) if match else None
    except ValueError:
        return None


def _whole(text: str | None) -> int | None:
    number = _number(text)
    return int(number) if number is not None and number == int(number) else None
