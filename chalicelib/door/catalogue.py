"""The dated table of instance types: what each has, and its price an hour in every region known. Called by `ranking`.

The table is data (catalogue.json), read once and only when a plan is made. `tarmac catalog refresh` writes it anew.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = 1
PATH = Path(__file__).with_name("catalogue.json")
HOME_REGION = "us-east-1"
"""Whose prices stand in where a region's own is not known."""


class MalformedCatalogue(ValueError):
    """The table is not one that this version reads; the message says why."""


@dataclass(frozen=True)
class Gpu:
    """One kind of GPU.

    Attributes:
        memory_mib: Usable on one device, as the driver reports it (less than the number it is sold by).
        capability: CUDA compute capability: 7.5 is Turing, 8.0 and 8.6 Ampere, 8.9 Ada, 9.0 Hopper,
            10 and 12 Blackwell.
    """

    name: str
    memory_mib: int
    capability: float


@dataclass(frozen=True)
class Price:
    """What something costs, and where that was read. *per_hour* is in *currency*, of one instance."""

    per_hour: float
    currency: str
    region: str
    on: str

    def words(self, region: str, *, times: float = 1) -> str:
        """Render for people, saying where the price is from when it is not *region*'s own."""
        sign = "$" if self.currency == "USD" else f"{self.currency} "
        said = f"{sign}{self.per_hour * times:.4g} an hour"
        if self.region == region:
            return f"{said} in {region}, {self.on}"
        return f"{said}, the price of {self.region} on {self.on}; not known for {region}"


@dataclass(frozen=True)
class Region:
    """One region's column: its currency, the day its prices were read, and serverless inference per GB and second."""

    name: str
    currency: str
    on: str
    serverless_per_gb_s: float | None


@dataclass(frozen=True)
class Instance:
    """One instance type.

    Attributes:
        memory_gib: Of the host.
        gpu: None where it has none, or where *gpu_count* says that it has some of a kind not known here.
        prices: Per hour, by region; only those known.
    """

    type: str
    vcpus: int
    memory_gib: float
    gpu: Gpu | None = None
    gpu_count: int = 0
    prices: Mapping[str, float] | None = None

    @property
    def family(self) -> str:
        """`g5` of `ml.g5.xlarge`."""
        return self.type.split(".")[1]

    @property
    def is_steady(self) -> bool:
        """Whether it keeps its speed: a burstable type's CPU credits run out."""
        return not self.family.startswith("t")


@dataclass(frozen=True)
class Catalogue:
    """The whole table."""

    regions: Mapping[str, Region]
    instances: Mapping[str, Instance]
    sources: tuple[str, ...] = ()

    def price(self, instance: Instance, region: str) -> Price | None:
        """Give the price of an instance: the region's own, else the home region's, else any that is known in USD."""
        known = instance.prices or {}
        others = [name for name in sorted(known) if self.regions[name].currency == "USD"]
        for name in (region, HOME_REGION, *others):
            if name in known:
                column = self.regions[name]
                return Price(known[name], column.currency, name, column.on)
        return None

    def serverless_price(self, memory_mb: int, region: str) -> Price | None:
        """Give what one request at a time costs that computes for a whole hour with so much memory."""
        columns = (self.regions.get(name) for name in (region, HOME_REGION, *sorted(self.regions)))
        for column in columns:
            if column is not None and column.serverless_per_gb_s is not None:
                per_hour = round(column.serverless_per_gb_s * memory_mb / 1024 * 3600, 6)
                return Price(per_hour, column.currency, column.name, column.on)
        return None


def parse(text: str) -> Catalogue:
    """Read the table.

    Raises:
        MalformedCatalogue: It is damaged, or of another format.
    """
    try:
        raw = _of_this_format(json.loads(text))
        gpus = {name: Gpu(name, *facts) for name, facts in raw["gpus"].items()}
        regions = {name: Region(name, *facts) for name, facts in raw["regions"].items()}
        rows = [_instance(row, gpus, tuple(regions)) for row in raw["instances"]]
        return Catalogue(regions, {row.type: row for row in rows}, tuple(raw["sources"]))
    except MalformedCatalogue:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise MalformedCatalogue(f"the table is damaged: {exc!r}") from exc


def _of_this_format(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    if raw["format"] != FORMAT:
        raise MalformedCatalogue(f"the table is of format {raw['format']}, and this version reads {FORMAT}")
    return raw


def _instance(row: list[Any], gpus: Mapping[str, Gpu], regions: tuple[str, ...]) -> Instance:
    name, vcpus, memory_gib, gpu, gpu_count, prices = row
    known = {region: price for region, price in zip(regions, prices, strict=True) if price is not None}
    return Instance(name, vcpus, memory_gib, gpus.get(gpu), gpu_count, known)


@functools.cache
def catalogue() -> Catalogue:
    """Read the table that came with this version, once a process."""
    return parse(PATH.read_text(encoding="utf-8"))
