"""A deploy.toml alone, as a drop: what `check` and `push` do for a model of the Hugging Face Hub."""

import json
from datetime import UTC, datetime
from pathlib import Path

from chalicelib.errors import HubUnavailable, InvalidSetting
from chalicelib.names import ModelName, release_id, toml_key
from chalicelib.reports import Report
from chalicelib.state import NO_ARCHIVE, Drop
from tarmac.cli.engine import CommandFailed, Engine


def lone_toml(path: Path) -> Path | None:
    """The deploy.toml that *path* is, or is a directory of with nothing else in it; None for anything else."""
    if path.is_file() and path.suffix == ".toml":
        return path
    if path.is_dir() and [each.name for each in path.iterdir()] == ["deploy.toml"]:
        return path / "deploy.toml"
    return None


def toml_for(hub_model: str, toml: Path | None) -> bytes:
    """Write the deploy.toml that names a model of the Hub, above what another one wishes for."""
    rest = toml.read_bytes() if toml is not None else b""
    return f"hub_model = {json.dumps(hub_model)}\n".encode() + rest


def inspect_toml(raw_toml: bytes, *, name: str, region: str) -> Report:
    """Judge a deploy.toml as the door would when it is dropped alone; asks the Hub.

    Raises:
        CommandFailed: The Hub cannot be asked.
    """
    from chalicelib.door import DoorRules, examine_alone
    from chalicelib.hub import HuggingFaceHub
    from chalicelib.settings import read_hub

    now = datetime.now(UTC)
    drop = Drop(ModelName(name), toml_key(name), NO_ARCHIVE, 0, now, toml_etag="local")
    rules = DoorRules(region=region, instance_type="ml.m5.large", idle_after_s=900.0, idle_floor_s=1.0)
    try:
        return examine_alone(drop, raw_toml, HuggingFaceHub(*read_hub()), rules=rules, now=now)
    except HubUnavailable as exc:
        fix = "check the connection; HF_ENDPOINT names another Hub"
        raise CommandFailed(exc.message, fix=fix, code=exc.code) from exc
    except InvalidSetting as exc:
        raise CommandFailed(exc.message, fix=exc.fix, code=exc.code) from exc


def upload_toml(engine: Engine, raw_toml: bytes, name: str) -> str:
    """Drop it, and give back the release that it makes."""
    key = toml_key(name, prefix=engine.address.drops_prefix)
    answer = engine.aws("s3").put_object(Bucket=engine.address.bucket, Key=key, Body=raw_toml)
    return release_id(NO_ARCHIVE, str(answer["ETag"]).strip('"'))
