"""A server that answers as the AWS Pricing API does: GetProducts over HTTP, page by page, from products given to it.

What it takes and gives is held against botocore's own service model, so that it cannot drift from the real one.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

_MODEL = botocore.session.get_session().get_service_model("pricing")
_OPERATION = _MODEL.operation_model("GetProducts")


def product(
    name: str,
    per_hour: str,
    *,
    region: str = "us-east-1",
    currency: str = "USD",
    component: str = "Hosting",
    **facts: str,
) -> dict[str, Any]:
    """One product of the price list, as it writes them."""
    sku = f"SKU{abs(hash((name, per_hour, region, component))) % 10**10}"
    attributes = {
        "servicecode": "AmazonSageMaker",
        "component": component,
        "instanceName": name,
        "instanceType": f"{name}-{component}",
        "regionCode": region,
        "locationType": "AWS Region",
        "usagetype": f"USE1-Host:{name}",
        "vCpu": "2",
        "memory": "8 GiB",
        "gpu": "N/A",
        "operation": "RunInstance",
        **facts,
    }
    return _priced(sku, "ML Instance", attributes, "Hrs", currency, per_hour)


def serverless(
    memory_gb: int, per_second: str, *, region: str = "us-east-1", kind: str = "ServerlessInf"
) -> dict[str, Any]:
    """The product of one memory size of serverless inference."""
    attributes = {
        "servicecode": "AmazonSageMaker",
        "regionCode": region,
        "usagetype": f"USE1-{kind}:Mem-{memory_gb}GB",
        "operation": "Invoke-Endpoint",
    }
    return _priced(f"SKU{kind}{memory_gb}", "ML Serverless", attributes, "Second", "USD", per_second)


def _priced(sku: str, family: str, attributes: dict[str, str], unit: str, currency: str, amount: str) -> dict[str, Any]:
    dimension = {
        "unit": unit,
        "beginRange": "0",
        "endRange": "Inf",
        "description": f"${amount} per {attributes['usagetype']}",
        "rateCode": f"{sku}.JRTCKXETXF.6YS6EN2CT7",
        "appliesTo": [],
        "pricePerUnit": {currency: amount},
    }
    term = {
        "sku": sku,
        "offerTermCode": "JRTCKXETXF",
        "effectiveDate": "2026-11-01T00:00:00Z",
        "termAttributes": {},
        "priceDimensions": {dimension["rateCode"]: dimension},
    }
    return {
        "product": {"sku": sku, "productFamily": family, "attributes": attributes},
        "serviceCode": "AmazonSageMaker",
        "terms": {"OnDemand": {f"{sku}.JRTCKXETXF": term}},
        "version": "20261101000000",
        "publicationDate": "2026-11-01T00:00:00Z",
    }


@dataclass
class PriceList:
    """What the server answers with.

    Attributes:
        products: Dictionaries, or strings that are sent as they are.
        page: How many products a page has, at most.
        refusals: Errors for the next requests, in order: (status, code, message); None lets one through.
        calls: The parameters of every request.
    """

    products: list[Any] = field(default_factory=list)
    page: int = 100
    refusals: list[tuple[int, str, str] | None] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def answer(self, params: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer one GetProducts."""
        self.calls.append(params)
        refusal = self.refusals.pop(0) if self.refusals else None
        if refusal is not None:
            status, code, message = refusal
            return status, {"__type": code, "Message": message}
        report = ParamValidator().validate(params, _OPERATION.input_shape)
        assert not report.has_errors(), report.generate_report()
        wanted = {each["Field"]: each["Value"] for each in params["Filters"]}
        assert all(each["Type"] == "TERM_MATCH" for each in params["Filters"])
        found = [each for each in self.products if _matches(each, wanted)]
        first = int(params.get("NextToken", "0"))
        size = min(self.page, params.get("MaxResults", 100))
        raw = [each if isinstance(each, str) else json.dumps(each) for each in found[first : first + size]]
        answer: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": raw}
        if first + size < len(found):
            answer["NextToken"] = str(first + size)
        report = ParamValidator().validate(answer, _OPERATION.output_shape)
        assert not report.has_errors(), report.generate_report()
        return 200, answer


def _matches(each: Any, wanted: dict[str, str]) -> bool:
    if isinstance(each, str):
        return wanted.get("component") == "Hosting"
    facts = {**each["product"]["attributes"], "productFamily": each["product"]["productFamily"]}
    return all(facts.get(name) == value for name, value in wanted.items())


@contextmanager
def price_list(
    *products: Any, page: int = 100, refusals: Sequence[tuple[int, str, str] | None] = ()
) -> Iterator[PriceList]:
    """Serve a price list on a free loopback port while the block runs."""
    offered = PriceList(list(products), page, list(refusals))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["X-Amz-Target"] == f"{_MODEL.metadata['targetPrefix']}.GetProducts"
            assert self.headers["Content-Type"] == f"application/x-amz-json-{_MODEL.metadata['jsonVersion']}"
            assert "/pricing/aws4_request" in self.headers["Authorization"]
            status, answer = offered.answer(json.loads(body))
            raw = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Tests print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    offered.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield offered
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
