"""`tarmac catalog refresh` against a server that answers as the Pricing API does, the command as a process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chalicelib.door.catalogue import PATH, Catalogue, parse
from tests.local.price_list import PriceList, price_list, product, serverless

M5 = product("ml.m5.large", "0.1200000000")
CPUS = [f"ml.{family}.{size}" for family in ("c5", "m5", "r5") for size in ("xlarge", "2xlarge", "4xlarge")]
GPUS = [f"ml.{family}.{size}" for family in ("g5", "g6", "g4dn") for size in ("xlarge", "2xlarge", "8xlarge")]
ENOUGH = [product(name, "0.5") for name in CPUS] + [product(name, "9.5") for name in GPUS]
THROTTLED = (400, "ThrottlingException", "Rate exceeded")
DENIED = (400, "AccessDeniedException", "User: x is not authorized to perform: pricing:GetProducts")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A copy of the table, to write over."""
    return Path(shutil.copy(PATH, tmp_path / "catalogue.json"))


class Ran:
    """What a command said."""

    def __init__(self, done: "subprocess.CompletedProcess[str]") -> None:
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = json.loads(self.err)["error"]
        return error


def refresh(url: str, table: Path, *arguments: str, signed_in: bool = True) -> Ran:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(table.parent),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_PRICING": url,
        "AWS_MAX_ATTEMPTS": "2",
        **({"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"} if signed_in else {}),
    }
    command = [sys.executable, "-m", "tarmac.cli.main", "catalog", "refresh", "--out", str(table), "--json", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return Ran(done)


def written(table: Path) -> Catalogue:
    return parse(table.read_text())


def refused(offered: PriceList, table: Path, *arguments: str, signed_in: bool = True) -> dict[str, Any]:
    before = table.read_bytes()
    ran = refresh(offered.url, table, *arguments, signed_in=signed_in)
    assert ran.code == 1, ran.out
    assert table.read_bytes() == before, "a refused answer must leave the table as it is"
    assert list(table.parent.glob(".catalogue*")) == []
    return ran.error


def test_new_prices_come_in_page_by_page_and_only_hosting_s(table: Path) -> None:
    other = product("ml.m5.large", "0.0960000000", component="Training")
    with price_list(M5, other, *ENOUGH, serverless(1, "0.00003"), page=4) as offered:
        ran = refresh(offered.url, table, "--region", "us-east-1", "--accept-fewer")

    assert ran.code == 0, ran.err
    assert len(offered.calls) == 6  # 19 products of hosting in pages of 4, and one of serverless
    new = written(table)
    price = new.price(new.instances["ml.m5.large"], "us-east-1")
    assert price is not None
    assert price.per_hour == 0.12
    assert new.regions["us-east-1"].serverless_per_gb_s == 0.00003


def test_only_the_regions_asked_for_change(table: Path) -> None:
    old = written(table)
    frankfurt = [product("ml.m5.large", "0.138", region="eu-central-1")]
    with price_list(*frankfurt) as offered:
        assert refresh(offered.url, table, "--region", "eu-central-1").code == 0

    new = written(table)
    assert list(new.regions) == ["eu-central-1", "us-east-1", "us-east-2", "us-west-2"]
    for name, instance in old.instances.items():
        kept = {
            region: price for region, price in (new.instances[name].prices or {}).items() if region != "eu-central-1"
        }
        assert kept == instance.prices
    assert new.instances["ml.m5.large"].prices is not None
    assert new.instances["ml.m5.large"].prices["eu-central-1"] == 0.138
    assert any(source.startswith("eu-central-1: AWS Pricing API") for source in new.sources)


def test_the_same_answer_writes_the_same_bytes(table: Path) -> None:
    with price_list(M5, *ENOUGH) as offered:
        assert refresh(offered.url, table, "--region", "us-west-1").code == 1
        offered.products = [product("ml.m5.large", "0.14", region="us-west-1")]
        assert refresh(offered.url, table, "--region", "us-west-1").code == 0
        first = table.read_bytes()
        assert refresh(offered.url, table, "--region", "us-west-1").code == 0

    assert table.read_bytes() == first


def test_a_type_that_is_new_comes_with_what_the_price_list_says_of_it(table: Path) -> None:
    raw = json.loads(table.read_text())
    raw["instances"] = [row for row in raw["instances"] if row[0] != "ml.m7i.large"]
    table.write_text(json.dumps(raw))
    new_type = product("ml.m7i.large", "0.121", region="eu-north-1", vCpu="2", memory="8 GiB")
    unknown = product("ml.z9.large", "0.1", region="eu-north-1")
    with price_list(new_type, unknown) as offered:
        assert refresh(offered.url, table, "--region", "eu-north-1").code == 0

    new = written(table)
    assert (new.instances["ml.m7i.large"].vcpus, new.instances["ml.m7i.large"].memory_gib) == (2, 8)
    assert "ml.z9.large" not in new.instances


def test_yuan_are_kept_as_yuan(table: Path) -> None:
    with price_list(product("ml.m5.large", "1.23", region="cn-north-1", currency="CNY")) as offered:
        assert refresh(offered.url, table, "--region", "cn-north-1").code == 0

    new = written(table)
    price = new.price(new.instances["ml.m5.large"], "cn-north-1")
    assert price is not None
    assert (price.per_hour, price.currency) == (1.23, "CNY")


def test_an_empty_answer_leaves_the_table_alone(table: Path) -> None:
    with price_list() as offered:
        error = refused(offered, table, "--region", "us-east-1")
        everywhere = refused(offered, table)

    assert error["code"] == everywhere["code"] == "no_prices"
    assert "the table stays as it is" in error["message"]


def test_an_answer_with_most_prices_gone_is_taken_for_a_broken_one(table: Path) -> None:
    with price_list(M5) as offered:
        error = refused(offered, table, "--region", "us-east-1")

    assert error["code"] == "prices_refused"
    assert "has 1 prices, and the table has" in error["message"]
    assert "--accept-fewer" in error["fix"]


def test_a_page_that_never_comes_leaves_the_table_alone(table: Path) -> None:
    with price_list(M5, *ENOUGH, page=5, refusals=[None, None, *[THROTTLED] * 9]) as offered:
        error = refused(offered, table, "--region", "us-east-1", "--accept-fewer")

    assert error["code"] == "throttled"
    assert len(offered.calls) > 3, "it tries again before it gives up"


def test_throttling_that_passes_is_waited_out(table: Path) -> None:
    with price_list(product("ml.m5.large", "0.138", region="eu-central-1"), refusals=[THROTTLED]) as offered:
        assert refresh(offered.url, table, "--region", "eu-central-1").code == 0


def test_without_credentials_it_says_how_to_sign_in(table: Path) -> None:
    with price_list(M5) as offered:
        error = refused(offered, table, "--region", "us-east-1", signed_in=False)

    assert error["code"] == "no_credentials"
    assert "aws configure" in error["fix"]
    assert offered.calls == []


def test_who_may_not_ask_is_told_what_to_allow(table: Path) -> None:
    with price_list(M5, refusals=[DENIED]) as offered:
        error = refused(offered, table, "--region", "us-east-1")

    assert "pricing:GetProducts" in error["fix"]


@pytest.mark.parametrize(
    "broken",
    ["not json", "[]", "{}", json.dumps({**M5, "terms": {}}), json.dumps({**M5, "terms": {"Reserved": {}}})],
)
def test_a_product_that_cannot_be_read_is_counted_and_not_guessed_at(table: Path, broken: str) -> None:
    with price_list(product("ml.m5.large", "0.138", region="eu-central-1"), broken) as offered:
        ran = refresh(offered.url, table, "--region", "eu-central-1")

    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["regions"][0]["unread"] == 1


def test_two_prices_for_one_type_are_refused(table: Path) -> None:
    with price_list(M5, product("ml.m5.large", "0.1300000000")) as offered:
        error = refused(offered, table, "--region", "us-east-1")

    assert "two prices for ml.m5.large" in error["message"]


def test_nobody_there_is_said(table: Path) -> None:
    with price_list(M5) as offered:
        pass

    error = refused(offered, table, "--region", "us-east-1")

    assert error["code"] == "aws_failed"


def test_the_table_is_listed_by_price_and_filtered() -> None:
    command = [sys.executable, "-m", "tarmac.cli.main", "catalog", "--json", "--gpu", "--memory", "150", "--priced"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    rows = json.loads(done.stdout)["instances"]
    prices = [row["price_per_hour"] for row in rows]
    assert prices == sorted(prices)
    assert all(row["gpu_count"] for row in rows)
    assert "ml.g5.48xlarge" in [row["type"] for row in rows]
