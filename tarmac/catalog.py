"""Writes the table of instance types and prices anew from what the Pricing API says. Called by `tarmac catalog`."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from chalicelib.door.catalogue import FORMAT, parse
from chalicelib.door.instances import INSTANCE_TYPES, has_other_chip
from tarmac.offers import Offers

KEPT_SHARE_MIN = 0.5
"""An answer with less than this share of the prices that the table has for the region is taken for a broken one."""
SOURCE = "AWS Pricing API, AmazonSageMaker, component Hosting and product family ML Serverless"


class Refused(Exception):
    """The new prices are not taken over; the table stays as it is. The message says why."""


@dataclass(frozen=True)
class Change:
    """What one region's new column changes: prices that are new, other than before, the same, and gone."""

    region: str
    added: int
    changed: int
    same: int
    removed: int
    unread: int


def refresh(
    text: str, offers: Sequence[Offers], *, today: date, accepts_fewer: bool = False
) -> tuple[str, tuple[Change, ...]]:
    """Put the regions' new columns into the table.

    Args:
        text: The table as it is.
        offers: One a region. Regions without keep the column they have.
        today: Which day the prices were read.
        accepts_fewer: Take a column over that has lost more than half of its prices.

    Returns:
        The new table, the same for the same prices and day; and what has changed in it.

    Raises:
        Refused: A column has lost too much.
        MalformedCatalogue: *text* is no table.
    """
    parse(text)
    raw = json.loads(text)
    rows = {row[0]: row for row in raw["instances"]}
    prices = {name: dict(zip(raw["regions"], row[5], strict=True)) for name, row in rows.items()}
    changes = []
    for offer in offers:
        _add_types(offer, rows, prices)
        changes.append(_take(offer, prices, accepts_fewer=accepts_fewer))
        raw["regions"][offer.region] = [offer.currency, today.isoformat(), offer.serverless_per_gb_s]
    regions = sorted(raw["regions"])
    raw["regions"] = {name: raw["regions"][name] for name in regions}
    for name, row in rows.items():
        row[5] = [prices[name].get(region) for region in regions]
    raw["instances"] = list(rows.values())
    asked = sorted(offer.region for offer in offers)
    raw["sources"] = [*_other_sources(raw["sources"], asked), f"{', '.join(asked)}: {SOURCE}, {today.isoformat()}"]
    made = render(raw)
    parse(made)
    return made, tuple(changes)


def _other_sources(sources: Sequence[str], asked: Sequence[str]) -> list[str]:
    """The sources that still stand for a column, or for what is no column, without the regions that were asked."""
    kept = []
    for source in sources:
        about, colon, said = source.partition(":")
        still = [part.strip() for part in about.split(",") if part.strip() not in asked]
        if still:
            kept.append(f"{', '.join(still)}{colon}{said}")
    return kept


def _add_types(offer: Offers, rows: dict[str, list[Any]], prices: dict[str, dict[str, float | None]]) -> None:
    for name, found in offer.hosting.items():
        is_known = name in INSTANCE_TYPES and not has_other_chip(name)
        if name in rows or not is_known or found.vcpus is None or found.memory_gib is None:
            continue
        family = name.split(".")[1]
        gpu = next((row[3] for row in rows.values() if row[0].split(".")[1] == family), None)
        memory = int(found.memory_gib) if found.memory_gib == int(found.memory_gib) else found.memory_gib
        rows[name] = [name, found.vcpus, memory, gpu, found.gpu_count, []]
        prices[name] = {}


def _take(offer: Offers, prices: dict[str, dict[str, float | None]], *, accepts_fewer: bool) -> Change:
    before = {name: row[offer.region] for name, row in prices.items() if row.get(offer.region) is not None}
    after = {name: found.per_hour for name, found in offer.hosting.items() if name in prices}
    if not after:
        raise Refused(f"{offer.region}: not one type that Tarmac plans with has a price")
    if len(after) < KEPT_SHARE_MIN * len(before) and not accepts_fewer:
        raise Refused(f"{offer.region}: the answer has {len(after)} prices, and the table has {len(before)}")
    for name, row in prices.items():
        row[offer.region] = after.get(name)
    same = sum(before.get(name) == price for name, price in after.items())
    added = sum(name not in before for name in after)
    return Change(offer.region, added, len(after) - same - added, same, len(before.keys() - after.keys()), offer.unread)


def render(raw: dict[str, Any]) -> str:
    """Render the table: sorted, one row a line, so that a change of prices is a readable difference."""

    def order(row: list[Any]) -> tuple[str, int, float, str]:
        return row[0].split(".")[1], row[1], row[2], row[0]

    def lines(mapping: dict[str, Any]) -> str:
        return ",\n".join(f"{json.dumps(key)}: {json.dumps(mapping[key])}" for key in sorted(mapping))

    sources = ",\n".join(json.dumps(source) for source in raw["sources"])
    instances = ",\n".join(json.dumps(row) for row in sorted(raw["instances"], key=order))
    return (
        f'{{\n"format": {FORMAT},\n"sources": [\n{sources}\n],\n"gpus": {{\n{lines(raw["gpus"])}\n}},\n'
        f'"regions": {{\n{lines(raw["regions"])}\n}},\n"instances": [\n{instances}\n]\n}}\n'
    )


def write(path: Path, text: str) -> None:
    """Put the new table in the old one's place, in one step: whoever reads it sees one or the other."""
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}-", delete=False, encoding="utf-8"
    ) as new:
        new.write(text)
    try:
        Path(new.name).chmod(path.stat().st_mode if path.exists() else 0o644)
        Path(new.name).replace(path)
    except OSError:
        Path(new.name).unlink(missing_ok=True)
        raise
