"""Choosing where a model runs: Tarmac beside ezsmdeploy, on public models from 1 MB to 140 GB.

    python -m benchmarks.sizing             # the table, and build/benchmarks/sizing.svg
    python -m benchmarks.sizing --measure   # also starts real model servers, and holds their memory against the formula

Promised: never dearer when both choose something that holds the model; never without an answer; never an instance that
cannot hold the model. Prices are those of the table in us-east-1; where it has none for a type that the peer chooses,
the peer's own.
"""

import argparse
import math
import sys
from dataclasses import dataclass
from xml.sax.saxutils import escape

from rich.console import Console
from rich.table import Table

from benchmarks.figures import RESULTS, Figure, present
from benchmarks.peers.ezsmdeploy import COSTS, NothingFound, choose
from chalicelib.door.catalogue import Instance, catalogue
from chalicelib.door.containers import Container
from chalicelib.door.fits import fit
from chalicelib.door.images import Image
from chalicelib.door.kinds import Findings
from chalicelib.door.models import Stage
from chalicelib.door.placements import place
from chalicelib.door.sizing import Size, size_of_parameters
from chalicelib.door.wishes import Wishes
from tests.sizing_models import MODELS, PublicModel

REGION = "us-east-1"
SPLIT_FROM_BYTES = 20 << 30
"""From here on the door takes vLLM for generators, which spreads them over GPUs. Source: door/containers.py."""
_IMAGE = Image("1.dkr.ecr.us-east-1.amazonaws.com/image:1")
_HUGGINGFACE = Container("huggingface", "", _IMAGE, _IMAGE)
_VLLM = Container("vllm", "", None, _IMAGE)
_GIB = 2**30


@dataclass(frozen=True)
class Row:
    """What both say of one model; prices in USD an hour, None where there is no answer."""

    model: PublicModel
    ours: str | None
    our_price: float | None
    our_weights_fit: bool
    why: str
    peer: str | None
    peer_price: float | None
    peer_holds: bool

    @property
    def is_comparable(self) -> bool:
        """Whether both choose something that holds the model."""
        return self.our_price is not None and self.peer_price is not None and self.peer_holds


def size_of(model: PublicModel) -> Size:
    """Size a model as the door does."""
    if model.other_mb:
        size_bytes = int(model.other_mb * 1e6)
        return Size(size_bytes, size_bytes, None, {}, beside_bytes=size_bytes, host_bytes=size_bytes)
    # The tasks that transformers 5 dropped run on 4, which loads half precision as float32.
    on_4 = bool(model.config.get("is_encoder_decoder"))
    return size_of_parameters(model.parameters, model.config, loads_as_fp32=on_4)


def container_of(model: PublicModel) -> Container:
    """The container that the door would take."""
    return _VLLM if model.is_generator and model.stored_bytes > SPLIT_FROM_BYTES else _HUGGINGFACE


def weights_fit(instance: Instance, model: PublicModel) -> bool:
    """A test that knows nothing of the formula: the weights as they are stored, and half a GiB, are there at all."""
    if instance.gpu is not None:
        return model.stored_bytes + _GIB // 2 <= instance.gpu_count * instance.gpu.memory_mib * 2**20
    return model.stored_bytes + _GIB // 2 <= instance.memory_gib * _GIB


def compare(model: PublicModel) -> Row:
    """Ask both."""
    size, container, table = size_of(model), container_of(model), catalogue()
    findings = Findings()
    placement = place(size, container, Wishes(), Stage(REGION, "ml.m5.large", None), findings)
    ours = placement.instance_type if placement is not None else None
    try:
        peer = choose(model.packed_bytes)
    except NothingFound:
        peer = None
    holds, peer_price = False, None
    if peer is not None:
        instance = table.instances[peer]
        price = table.price(instance, REGION)
        peer_price = price.per_hour if price is not None else COSTS[peer]
        holds = fit(instance, size, _HUGGINGFACE).problem is None
    return Row(
        model=model,
        ours=ours,
        our_price=placement.price_per_hour_usd if placement is not None else None,
        our_weights_fit=ours is not None and weights_fit(table.instances[ours], model),
        why=placement.why[0] if placement is not None else findings.checks()[0].message,
        peer=peer,
        peer_price=peer_price,
        peer_holds=holds,
    )


def print_rows(rows: list[Row]) -> None:
    """Print a row a model."""
    table = Table(title="Where public models run, by Tarmac and by ezsmdeploy 2.2", title_justify="left")
    for column in ("model", "weights", "Tarmac", "$/h", "ezsmdeploy", "$/h", ""):
        table.add_column(column, justify="right" if column in ("weights", "$/h") else "left")
    for row in rows:
        verdict = _verdict(row)
        peer = row.peer or "error"
        prices = ["-" if price is None else f"{price:.3f}" for price in (row.our_price, row.peer_price)]
        table.add_row(
            row.model.name, _size(row.model.stored_bytes), row.ours or "error", prices[0], peer, prices[1], verdict
        )
    Console(width=max(130, Console().width), highlight=False).print(table)


def _verdict(row: Row) -> str:
    if row.peer is None:
        return "only Tarmac answers" if row.ours else "neither answers"
    if not row.peer_holds:
        return "ezsmdeploy's does not hold it"
    assert row.our_price is not None
    assert row.peer_price is not None
    return "the same" if row.our_price == row.peer_price else f"{row.peer_price / row.our_price:.1f}x cheaper"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"


def figures_of(rows: list[Row]) -> list[Figure]:
    """The promises, as figures beside the peer's."""
    both = [row for row in rows if row.is_comparable]
    peer = "ezsmdeploy 2.2"
    worst = max((row.our_price or 0.0) / (row.peer_price or 1.0) for row in both)
    answered = sum(row.our_weights_fit for row in rows)
    by_peer = sum(row.peer_holds for row in rows)
    least = len(rows) / max(1, by_peer)
    return [
        Figure(case=f"of {len(rows)} models, holds", ours=answered, peer=by_peer, peer_name=peer, unit="models",
               at_least=least),
        Figure(case=f"all {len(both)} that both hold", ours=sum(row.our_price or 0.0 for row in both),
               peer=sum(row.peer_price or 0.0 for row in both), peer_name=peer, unit="$/h", at_most=1.0),
        Figure(case="the dearest of them, beside the peer's", ours=worst, peer=1.0, peer_name=peer, unit="of its price",
               at_most=1.0),
    ]  # fmt: skip


def picture(rows: list[Row]) -> str:
    """Draw price over size, both logarithmic; a cross where the peer has no answer or one that does not hold."""
    width, height, left, bottom = 900, 480, 70, 60
    low_x, high_x = 6.0, math.log10(3e11)
    low_y, high_y = math.log10(0.05), math.log10(50)

    def at(size_bytes: float, price: float) -> tuple[float, float]:
        x = left + (math.log10(size_bytes) - low_x) / (high_x - low_x) * (width - left - 30)
        y = height - bottom - (math.log10(price) - low_y) / (high_y - low_y) * (height - bottom - 70)
        return x, y

    size = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12"'
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        '<text x="16" y="26" font-size="16" font-weight="bold" fill="#0f172a">Price of what holds a model</text>',
        '<circle cx="24" cy="44" r="5" fill="#2563eb"/><text x="36" y="48" fill="#334155">Tarmac</text>',
        '<circle cx="104" cy="44" r="5" fill="#94a3b8"/><text x="116" y="48" fill="#334155">ezsmdeploy 2.2</text>',
        '<text x="222" y="48" fill="#dc2626">x</text>',
        '<text x="236" y="48" fill="#334155">ezsmdeploy has no answer, or one that does not hold it</text>',
    ]
    for power in range(6, 12):
        x, y = at(10**power, 0.05)
        label = {6: "1 MB", 7: "10 MB", 8: "100 MB", 9: "1 GB", 10: "10 GB", 11: "100 GB"}[power]
        drawn.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="70" y2="{y:.0f}" stroke="#e2e8f0"/>')
        drawn.append(f'<text x="{x:.0f}" y="{height - 38}" text-anchor="middle" fill="#64748b">{label}</text>')
    for price in (0.05, 0.1, 0.5, 1, 5, 10, 50):
        x, y = at(1e6, price)
        drawn.append(f'<line x1="{left}" x2="{width - 30}" y1="{y:.0f}" y2="{y:.0f}" stroke="#e2e8f0"/>')
        drawn.append(f'<text x="{left - 8}" y="{y + 4:.0f}" text-anchor="end" fill="#64748b">${price:g}</text>')
    for row in rows:
        size_bytes = row.model.stored_bytes
        title = f"<title>{escape(row.model.name)}: {row.ours}, {row.peer or 'error'}</title>"
        if row.peer_price is not None and row.peer_holds:
            x, y = at(size_bytes, row.peer_price)
            drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="#94a3b8">{title}</circle>')
        else:
            x, _ = at(size_bytes, 1)
            drawn.append(f'<text x="{x:.1f}" y="86" text-anchor="middle" fill="#dc2626">x{title}</text>')
        if row.our_price is not None:
            x, y = at(size_bytes, row.our_price)
            drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="#2563eb">{title}</circle>')
    drawn.append(f'<text x="{width / 2:.0f}" y="{height - 14}" text-anchor="middle" fill="#334155">weights</text>')
    return "\n".join([*drawn, "</svg>", ""])


def is_kept(rows: list[Row]) -> bool:
    """Whether all three promises are kept."""
    return all(
        row.ours is not None
        and row.our_weights_fit
        and (not row.is_comparable or (row.our_price or 0.0) <= (row.peer_price or 0.0))
        for row in rows
    )


def main() -> int:
    """Print the table, draw the picture; 1 when a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--measure", action="store_true", help="also start real model servers and weigh them")
    arguments = parser.parse_args()
    rows = [compare(model) for model in MODELS]
    print_rows(rows)
    present("sizing", "Choosing an instance", figures_of(rows))
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "sizing-prices.svg").write_text(picture(rows), encoding="utf-8")
    print(f"drawn: {RESULTS / 'sizing-prices.svg'}")
    if arguments.measure:
        from benchmarks.weighing import weigh_all

        weigh_all()
    print("kept" if is_kept(rows) else "NOT kept")
    return 0 if is_kept(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
