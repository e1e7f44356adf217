"""Commands about archives: check, pack, push."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.text import Text

from chalicelib.names import (
    ModelName,
    archive_key,
    code_digest,
    code_path_of,
    code_prefix,
    name_problem,
    release_id,
    suggest_name,
    toml_key,
)
from chalicelib.reports import Report
from tarmac.cli.engine import CommandFailed, Engine, aws_refusals
from tarmac.cli.hub_models import inspect_toml, lone_toml, toml_for, upload_toml
from tarmac.cli.options import engine_option, json_option, wait_options
from tarmac.cli.paths import is_directory, reading
from tarmac.cli.reports import checks_table, ranking_table
from tarmac.cli.screen import err, is_json, out, price, print_json, size, state_text
from tarmac.cli.waiting import follow, is_settled_at, refusal

_REGION = "us-east-1"
_FAILED, _AGAIN = "the upload failed", "mend that, and run the same command again: what has arrived is not sent twice"
archive_argument = click.argument("path", type=click.Path(path_type=Path))
toml_option = click.option(
    "--toml", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A deploy.toml to go with it."
)


def inspect_file(path: Path, toml: Path | None, *, name: str = "model", region: str = _REGION) -> Report:
    """Judge an archive as the door would, without sending it anywhere; *region* is whose prices and images count.

    Raises:
        CommandFailed: There is no such file.
    """
    if is_directory(path):
        raise CommandFailed(f"{path} is a directory, not a file", code="not_a_file")
    with reading(path), path.open("rb") as stream:
        return _inspect(stream, path, path.stat().st_size, toml, name=name, region=region)


def _inspect(
    stream: BinaryIO,
    path: Path,
    size_bytes: int,
    toml: Path | None,
    *,
    name: str,
    region: str = _REGION,
    has_own_holes: bool = False,
) -> Report:
    from chalicelib.door import DoorRules, inspect
    from chalicelib.door.streams import Limits
    from chalicelib.state import Drop

    now = datetime.now(UTC)
    drop = Drop(ModelName(name), path.name, "local", size_bytes, now, toml_etag="local" if toml else None)
    raw_toml = toml.read_bytes() if toml else None
    # The rules of a laptop: an archive that suits AWS suits them too, but for the shortest TTL.
    rules = DoorRules(region=region, instance_type="ml.m5.large", idle_after_s=900.0, idle_floor_s=1.0)
    if has_own_holes:
        # `pack_stored` left the weights out, and compressed nothing: what unpacks to more than it packs is no bomb.
        rules = replace(rules, limits=Limits(ratio_free_bytes=Limits.unpacked_max_bytes))
    return inspect(drop, stream, raw_toml, rules=rules, now=now)


@click.command()
@archive_argument
@toml_option
@click.option("--region", default=_REGION, show_default=True, help="Whose prices and images count.")
@json_option
def check(path: Path, toml: Path | None, region: str) -> None:
    """Judge an archive, a directory to be packed, or a deploy.toml that names a model of the Hub. Needs no engine."""
    is_folder = is_directory(path)
    with reading(path):
        alone = lone_toml(path)
        raw_toml = alone.read_bytes() if alone is not None else None
    if raw_toml is not None:
        report = inspect_toml(raw_toml, name="model", region=region)
    elif is_folder:
        report = inspect_directory(path, toml, region=region)
    else:
        report = inspect_file(path, toml, region=region)
    if is_json():
        click.echo(report.to_json())
    else:
        show_report(path, report)
    if not report.is_accepted:
        raise click.exceptions.Exit(1)


def show_report(path: Path, report: Report) -> None:
    """Print a verdict, its checks, and the plan with its reasons."""
    import json

    raw = json.loads(report.to_json())
    screen = out()
    verdict = Text("accepted", style="bold green") if report.is_accepted else Text("refused", style="bold red")
    screen.print(Text.assemble(f"{path} ({size(report.size_bytes)}): ", verdict))
    if report.checks:
        screen.print(checks_table(raw["checks"]))
    if report.plan is not None:
        chosen = report.plan
        cost = f"{price(chosen.price_per_hour_usd)} an hour"
        where = chosen.instance_type or f"serverless with {chosen.memory_mb} MB"
        screen.print(f"plan: {chosen.task or chosen.container} on {where}, {cost}")
        for sentence in chosen.why:
            screen.print(f"  {sentence}")
        if chosen.ranking:
            screen.print("", ranking_table(raw["plan"]["ranking"]))


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: DIRECTORY.tar.gz")
@json_option
def pack(directory: Path, output: Path | None) -> None:
    """Make a model.tar.gz of a directory, laid out as SageMaker wants it."""
    archive = output or directory.absolute().with_name(f"{directory.absolute().name}.tar.gz")
    pack_directory(directory, archive)
    if is_json():
        print_json({"archive": str(archive), "size_bytes": archive.stat().st_size})
    else:
        out().print(f"{archive} ({size(archive.stat().st_size)})", soft_wrap=True)


def pack_directory(directory: Path, archive: Path) -> None:
    """Pack, with what goes wrong as a command's error.

    Raises:
        CommandFailed: *directory* is none, or holds what no archive can carry.
    """
    from tarmac.packer import pack as pack_files

    if not is_directory(directory):
        raise CommandFailed(f"{directory} is a file", fix="name the directory that holds config.json")
    with reading(directory, into=archive):
        pack_files(directory, archive)


def _valid_name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if problem := name_problem(value):
        raise CommandFailed(problem, fix=f"call it {suggest_name(value)}", code="invalid_model_name")
    return value


@click.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--name", required=True, callback=_valid_name, help="The model's name: a-z, 0-9 and single dashes.")
@click.option("--hub", metavar="OWNER/NAME[@REV]", help="In place of PATH: a model of the Hugging Face Hub.")
@toml_option
@click.option("--check/--no-check", "is_checked", default=True, help="Refuse here what Tarmac would refuse.")
@wait_options
@engine_option
@json_option
def push(
    *,
    path: Path | None,
    name: str,
    hub: str | None,
    toml: Path | None,
    is_checked: bool,
    wait: bool,
    timeout_s: float,
    engine: Engine,
) -> None:
    """Upload an archive, or a directory that is packed first, or the name of a model of the Hub."""
    if (path is None) == (hub is None):
        raise click.UsageError("push needs a PATH, or --hub OWNER/NAME and no PATH")
    raw_toml = toml_for(hub, toml) if hub is not None else None
    if path is not None:
        is_directory(path)
        with reading(path):
            raw_toml = alone.read_bytes() if (alone := lone_toml(path)) is not None else None
    if is_checked:
        _refuse_what_tarmac_would(path, raw_toml, toml, name=name, region=engine.address.region)
    if raw_toml is not None:
        release = aws_refusals(lambda: upload_toml(engine, raw_toml, name), what=_FAILED, fix=_AGAIN)
        size_bytes = len(raw_toml)
    elif (archive := path) is not None:
        release, size_bytes = aws_refusals(lambda: upload(engine, archive, name, toml), what=_FAILED, fix=_AGAIN)
    view: dict[str, Any] = {"model": name, "release": release, "size_bytes": size_bytes}
    if wait:
        settled = follow(engine, name, is_settled_at(release), timeout_s=timeout_s)
        view["state"] = settled["state"] if settled else None
    if is_json():
        print_json(view)
    else:
        state = Text("  ").append(state_text(view["state"])) if "state" in view else Text()
        out().print(Text.assemble((name, "bold"), f"  {size(size_bytes)}, release {release}", state))


def _refuse_what_tarmac_would(
    path: Path | None, raw_toml: bytes | None, toml: Path | None, *, name: str, region: str
) -> None:
    if raw_toml is not None:
        path, report = path or Path("deploy.toml"), inspect_toml(raw_toml, name=name, region=region)
    else:
        assert path is not None  # noqa: S101  # one of the two is there
        inspect = inspect_directory if path.is_dir() else inspect_file
        report = inspect(path, toml, name=name, region=region)
    if not report.is_accepted:
        if not is_json():
            show_report(path, report)
        import json

        raise refusal(name, json.loads(report.to_json()))


def upload(engine: Engine, path: Path, name: str, toml: Path | None) -> tuple[str, int]:
    """Upload the wishes, then the archive; give back the release that they make, and the archive's size in bytes.

    A directory is packed on its way: nothing of it is written anywhere else. What breaks off is gone on with the next
    time.
    """
    from tarmac.packer import pack as pack_files
    from tarmac.packer import unpacked_bytes
    from tarmac.pushing import Push, part_bytes_for

    s3, bucket, prefix = engine.aws("s3"), engine.address.bucket, engine.address.drops_prefix
    if toml is not None:
        _put_if_changed(s3, bucket, toml_key(name, prefix=prefix), toml.read_bytes())
    with reading(path):
        total_bytes = unpacked_bytes(path) if path.is_dir() else path.stat().st_size
        with _progress(path.name, None if path.is_dir() else total_bytes) as advance:
            key = archive_key(name, prefix=prefix)
            push = Push(s3, bucket, key, part_bytes=part_bytes_for(total_bytes), on_sent=advance)
            try:
                if path.is_dir():
                    pack_files(path, cast("BinaryIO", push))
                else:
                    with path.open("rb") as source:
                        shutil.copyfileobj(source, push, 1 << 20)
                sent = push.finish()
            finally:
                push.give_up()
    code = code_digest(_code_etags(s3, bucket, name, prefix))
    return release_id(sent.etag, _etag(s3, bucket, toml_key(name, prefix=prefix)), code), sent.size_bytes


def _code_etags(s3: Any, bucket: str, name: str, prefix: str) -> dict[str, str]:
    listed = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=code_prefix(name, prefix=prefix))
    found = [(raw["Key"], raw["ETag"].strip('"')) for page in listed for raw in page.get("Contents", ())]
    rows = [(code_path_of(key, prefix=prefix), etag) for key, etag in found]
    return {path: etag for path, etag in rows if path is not None}


def inspect_directory(directory: Path, toml: Path | None, *, name: str = "model", region: str = _REGION) -> Report:
    """Judge what a directory will be packed to, without packing it: the door reads it through a pipe.

    The report's size is that of the files, and it has no SHA-256: there is no archive yet.

    Raises:
        CommandFailed: It cannot be packed.
    """
    from tarmac.packer import pack_stored, unpacked_bytes

    reader, writer = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError), os.fdopen(writer, "wb") as output:
            pack_stored(directory, output)

    with ThreadPoolExecutor(1) as pool:
        packed = pool.submit(write)
        with os.fdopen(reader, "rb") as stream:
            archive = Path("model.tar.gz")
            report = _inspect(stream, archive, 0, toml, name=name, region=region, has_own_holes=True)
        with reading(directory):
            packed.result()
            size_bytes = unpacked_bytes(directory)
    return replace(report, size_bytes=size_bytes, sha256=None)


def _put_if_changed(s3: Any, bucket: str, key: str, content: bytes) -> None:
    """Write a small object unless the same is there: each write is an event, and an event may make a release."""
    if _etag(s3, bucket, key) != hashlib.md5(content, usedforsecurity=False).hexdigest():
        s3.put_object(Bucket=bucket, Key=key, Body=content)


def _etag(s3: Any, bucket: str, key: str) -> str | None:
    from botocore.exceptions import ClientError

    try:
        return str(s3.head_object(Bucket=bucket, Key=key)["ETag"]).strip('"')
    except ClientError as exc:
        if exc.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise


@contextmanager
def _progress(name: str, total_bytes: int | None) -> Iterator[Callable[[int], None]]:
    console = err()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal or is_json(),
    )
    with bar:
        task = bar.add_task(name, total=total_bytes)
        yield lambda size_bytes: bar.update(task, advance=size_bytes)
