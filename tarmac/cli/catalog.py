"""`tarmac catalog`: the table of instance types and prices that plans are made from; and `catalog refresh`."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from chalicelib.door.catalogue import HOME_REGION, PATH, Instance, MalformedCatalogue, catalogue
from tarmac.cli.engine import CommandFailed
from tarmac.cli.options import json_option
from tarmac.cli.screen import err, is_json, out, print_json, table

_API_REGION, _API_REGION_CHINA = "us-east-1", "cn-northwest-1"
"""Where the Pricing API answers. Source: botocore's endpoints."""


@click.group(invoke_without_command=True)
@click.option("--region", default=HOME_REGION, show_default=True, help="Whose prices.")
@click.option(
    "--memory", "memory_gib", type=float, default=0, help="Only with at least so many GiB, of the host or its GPUs."
)
@click.option("--gpu/--no-gpu", default=None, help="Only with, or without, GPUs.")
@click.option("--priced", is_flag=True, help="Only with a known price.")
@json_option
@click.pass_context
def catalog(context: click.Context, region: str, memory_gib: float, gpu: bool | None, priced: bool) -> None:
    """List the instance types that Tarmac plans with, and what they cost an hour."""
    if context.invoked_subcommand is not None:
        return
    known = catalogue()
    rows = [each for each in known.instances.values() if _is_wanted(each, memory_gib, gpu)]
    shown = sorted(
        ((each, known.price(each, region)) for each in rows),
        key=lambda pair: (pair[1] is None, pair[1].per_hour if pair[1] else 0.0, pair[0].type),
    )
    if priced:
        shown = [pair for pair in shown if pair[1] is not None]
    if is_json():
        instances = [
            {**_facts(each), "price_per_hour": price and price.per_hour, "price": price and asdict(price)}
            for each, price in shown
        ]
        print_json({"region": region, "instances": instances, "sources": list(known.sources)})
        return
    lines = [
        (
            each.type,
            str(each.vcpus),
            f"{each.memory_gib:g} GiB",
            _gpus(each),
            price.words(region) if price else "not known",
        )
        for each, price in shown
    ]
    out().print(table(("TYPE", "VCPUS", "MEMORY", "GPUS", "PRICE"), lines))


def _is_wanted(each: Instance, memory_gib: float, gpu: bool | None) -> bool:
    gpu_gib = each.gpu_count * each.gpu.memory_mib / 1024 if each.gpu is not None else 0.0
    return max(each.memory_gib, gpu_gib) >= memory_gib and (gpu is None or bool(each.gpu_count) == gpu)


def _facts(each: Instance) -> dict[str, Any]:
    return {
        "type": each.type,
        "vcpus": each.vcpus,
        "memory_gib": each.memory_gib,
        "gpu": each.gpu.name if each.gpu is not None else None,
        "gpu_count": each.gpu_count,
        "gpu_memory_mib": each.gpu.memory_mib if each.gpu is not None else None,
    }


def _gpus(each: Instance) -> str:
    if not each.gpu_count:
        return "-"
    if each.gpu is None:
        return f"{each.gpu_count} of unknown memory"
    return f"{each.gpu_count} x {each.gpu.name}, {each.gpu.memory_mib / 1024:.0f} GiB each"


@catalog.command()
@click.option("--region", "regions", multiple=True, help="Only this one; may be given again. Default: every region.")
@click.option(
    "--out",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=PATH,
    help="The table. Default: Tarmac's own.",
)
@click.option("--profile", help="Whose credentials: a profile of the AWS CLI.")
@click.option("--accept-fewer", is_flag=True, help="Also take an answer that has lost more than half of the prices.")
@json_option
def refresh(regions: Sequence[str], path: Path, profile: str | None, accept_fewer: bool) -> None:
    """Ask the AWS Pricing API what every type costs now, and write the table anew.

    It asks one free API that needs pricing:GetProducts and nothing else. Deploy again, and new plans use it.
    """
    from tarmac.catalog import Refused, write
    from tarmac.catalog import refresh as put_in

    text = (path if path.exists() else PATH).read_text(encoding="utf-8")
    offers, missing = _ask(regions, profile)
    try:
        made, changes = put_in(text, offers, today=datetime.now(UTC).date(), accepts_fewer=accept_fewer)
    except Refused as exc:
        fix = "look at the region's prices; --accept-fewer takes them all the same"
        raise CommandFailed(f"{exc}; the table stays as it is", fix=fix, code="prices_refused") from exc
    except MalformedCatalogue as exc:
        raise CommandFailed(f"{path}: {exc}", fix="take the table that came with Tarmac", code="bad_table") from exc
    write(path, made)
    if is_json():
        print_json({"table": str(path), "regions": [asdict(change) for change in changes], "without_prices": missing})
        return
    headings = ("REGION", "NEW", "CHANGED", "SAME", "GONE", "NOT READ")
    rows = [
        (each.region, *(str(n) for n in (each.added, each.changed, each.same, each.removed, each.unread)))
        for each in changes
    ]
    out().print(table(headings, rows))
    if missing:
        err().print(f"no prices, and so left as they were: {', '.join(missing)}")
    out().print(f"written: {path}", soft_wrap=True)


def _ask(regions: Sequence[str], profile: str | None) -> tuple[list[Any], list[str]]:
    """Ask for each region; a region that was not named may have no prices, one that was may not."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    from tarmac.offers import NoOffers, read_offers

    offers, missing = [], []
    try:
        session = boto3.Session(profile_name=profile)
        wanted = list(dict.fromkeys(regions)) or session.get_available_regions("sagemaker")
        with _progress(len(wanted)) as advance:
            for region in wanted:
                where = _API_REGION_CHINA if region.startswith("cn-") else _API_REGION
                client = session.client("pricing", region_name=where, config=Config(retries=_retries()))
                try:
                    offers.append(read_offers(client, region))
                except NoOffers as exc:
                    if regions:
                        raise CommandFailed(f"{exc}; the table stays as it is", code="no_prices") from exc
                    missing.append(region)
                advance(region)
    except (BotoCoreError, ClientError) as exc:
        raise _refused(exc) from exc
    if not offers:
        raise CommandFailed("no region has a price in the answers; the table stays as it is", code="no_prices")
    return offers, missing


def _retries() -> dict[str, Any]:
    """More patience than boto3's three attempts, for there are pages by the dozen; AWS_MAX_ATTEMPTS still decides."""
    return {"mode": "standard", **({} if "AWS_MAX_ATTEMPTS" in os.environ else {"max_attempts": 6})}


def _refused(exc: Exception) -> CommandFailed:
    from botocore.exceptions import ClientError, CredentialRetrievalError, NoCredentialsError, ProfileNotFound

    if isinstance(exc, NoCredentialsError | CredentialRetrievalError | ProfileNotFound):
        fix = "sign in: aws configure, aws sso login, or --profile NAME"
        return CommandFailed(f"the Pricing API wants credentials: {exc}", fix=fix, code="no_credentials")
    if isinstance(exc, ClientError):
        raw = exc.response.get("Error", {})
        code, message = raw.get("Code", ""), raw.get("Message") or str(exc)
        if "Throttl" in code:
            return CommandFailed(
                f"the Pricing API is throttled: {message}", fix="try again in a minute", code="throttled"
            )
        allow = "allow pricing:GetProducts" if "AccessDenied" in code else None
        return CommandFailed(f"the Pricing API refused: {message} ({code})", fix=allow, code="aws_refused")
    return CommandFailed(f"the Pricing API could not be asked: {exc}; the table stays as it is", code="aws_failed")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar that counts regions while a person watches."""
    console = err()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal or is_json(),
    )
    with bar:
        task = bar.add_task("asking for prices", total=total)
        yield lambda region: bar.update(task, advance=1, description=region)
