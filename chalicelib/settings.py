"""What the application is told by its environment. The only reader of os.environ; called by bootstrap."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.errors import InvalidSetting
from chalicelib.names import APP_NAME_MAX_LENGTH, DROPS_PREFIX, drops_prefix_problem

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_APP_NAME = re.compile(r"[a-z0-9]+")
"""No dash: else `tarmac` with a model `dev-cat` and `tarmac-dev` with a model `cat` would name the same endpoint."""

HUB_URL = "https://huggingface.co"
_HUB_URL = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(/[\w./-]*)?", re.ASCII)
_TRUST = re.compile("strict|scan|trusted")
_ORIGIN = re.compile(r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
_KEY_ARN = re.compile(r"arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+")


def read_cors_origin(environ: Mapping[str, str] = os.environ) -> str | None:
    """Read only TARMAC_CORS_ORIGIN: each answer carries it, also those that need no other setting.

    A bad one counts as none here; `read_settings` refuses it.
    """
    origin = environ.get("TARMAC_CORS_ORIGIN", "")
    return origin if _ORIGIN.fullmatch(origin) else None


def parse_duration_s(text: str) -> float | None:
    """Read `90s`, `15m`, `1.5h`, `2d` as seconds, and `never` as None.

    Raises:
        ValueError: The text is none of these, or is zero.
    """
    if text.strip() == "never":
        return None
    match = _DURATION.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is not a duration such as 90s, 15m, 1.5h, 2d or never")
    return float(match[1]) * _UNIT_S[match[2]]


@dataclass(frozen=True)
class Settings:
    """Everything that differs between one deployment of Tarmac and another. Durations in seconds."""

    bucket: str
    queue_url: str
    role_arn: str
    region: str
    app: str = "tarmac"
    idle_after_s: float | None = 900.0
    idle_floor_s: float = 900.0
    """The shortest TTL allowed here: CloudWatch lags by minutes on AWS, so 15 minutes there."""
    token_sha256: frozenset[str] = frozenset()
    """Hex digests of the bearer tokens that open the API. Empty: closed to everybody."""
    instance_type: str = "ml.m5.large"
    expected_start_s: float = 240.0
    """How long a start takes, as far as is known before this model's first one."""
    releases_kept: int = 3
    instance_types: frozenset[str] = frozenset()
    """The instance types that may be started; empty for any."""
    subnets: tuple[str, ...] = ()
    """Where the models' containers live; with *security_groups*. Empty: in SageMaker's own network."""
    security_groups: tuple[str, ...] = ()
    endpoints_max: int | None = None
    """How many endpoints may be there at a time; None for no limit of our own."""
    last_resort_group: str | None = None
    """EventBridge Scheduler's group of last resorts; None, or no role, for none. See docs/dead-mans-switch.md."""
    last_resort_role_arn: str | None = None
    last_resort_after_s: float = 43200.0
    """A running endpoint that no sweep has looked after for so long is deleted."""
    drops_prefix: str = DROPS_PREFIX
    """Where people drop, ending in `/`."""
    trust: str = "trusted"
    """The most that a deploy.toml may ask for: strict, scan or trusted."""
    cors_origin: str | None = None
    """The one web page origin that a browser may call the API from; None for none."""
    volume_kms_key_arn: str | None = None
    """The KMS key that encrypts the storage of the models' instances; None for SageMaker's own."""
    hub_url: str = HUB_URL
    """The Hugging Face Hub, or a mirror of it, without a slash at the end."""
    hub_token: str | None = field(default=None, repr=False)
    """What opens private and gated models of the Hub; None for those open to all."""


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from TARMAC_* variables and AWS_REGION.

    Raises:
        InvalidSetting: A variable is missing or has a bad value; the message names it.
    """

    def required(name: str) -> str:
        value = environ.get(name, "").strip()
        if not value:
            raise InvalidSetting(name, "is not set")
        return value

    def duration_s(name: str, default: str) -> float | None:
        try:
            return parse_duration_s(environ.get(name) or default)
        except ValueError as exc:
            raise InvalidSetting(name, str(exc)) from exc

    def finite_s(name: str, default: str) -> float:
        value = duration_s(name, default)
        if value is None:
            raise InvalidSetting(name, "cannot be never")
        return value

    app = environ.get("TARMAC_APP") or "tarmac"
    if not _APP_NAME.fullmatch(app) or len(app) > APP_NAME_MAX_LENGTH:
        raise InvalidSetting("TARMAC_APP", f"{app!r} is not a-z and 0-9 only, {APP_NAME_MAX_LENGTH} at most")
    hub_url, hub_token = read_hub(environ)
    return Settings(
        bucket=required("TARMAC_BUCKET"),
        queue_url=required("TARMAC_QUEUE_URL"),
        role_arn=required("TARMAC_ROLE_ARN"),
        region=environ.get("AWS_REGION") or required("AWS_DEFAULT_REGION"),
        app=app,
        idle_after_s=duration_s("TARMAC_IDLE_AFTER", "15m"),
        idle_floor_s=finite_s("TARMAC_IDLE_FLOOR", "15m"),
        token_sha256=frozenset(environ.get("TARMAC_TOKEN_SHA256", "").replace(",", " ").split()),
        instance_type=environ.get("TARMAC_INSTANCE_TYPE") or "ml.m5.large",
        expected_start_s=finite_s("TARMAC_EXPECTED_START", "4m"),
        releases_kept=_positive_int(environ, "TARMAC_RELEASES_KEPT", 3),
        instance_types=frozenset(_listed(environ, "TARMAC_INSTANCE_TYPES")),
        subnets=_listed(environ, "TARMAC_SUBNETS"),
        security_groups=_listed(environ, "TARMAC_SECURITY_GROUPS"),
        endpoints_max=_positive_int(environ, "TARMAC_MAX_ENDPOINTS", 1)
        if environ.get("TARMAC_MAX_ENDPOINTS")
        else None,
        last_resort_group=environ.get("TARMAC_LAST_RESORT_GROUP") or None,
        last_resort_role_arn=environ.get("TARMAC_LAST_RESORT_ROLE_ARN") or None,
        last_resort_after_s=finite_s("TARMAC_LAST_RESORT_AFTER", "12h"),
        drops_prefix=_drops_prefix(environ),
        trust=_matching(environ, "TARMAC_TRUST", _TRUST, "one of strict, scan, trusted") or "trusted",
        cors_origin=_matching(environ, "TARMAC_CORS_ORIGIN", _ORIGIN, "one origin such as https://app.example.com"),
        volume_kms_key_arn=_matching(environ, "TARMAC_VOLUME_KMS_KEY", _KEY_ARN, "the ARN of a KMS key"),
        hub_url=hub_url,
        hub_token=hub_token,
    )


def read_hub(environ: Mapping[str, str] = os.environ) -> tuple[str, str | None]:
    """Read where the Hugging Face Hub is, and the token for it, from the variables that its own clients read.

    Raises:
        InvalidSetting: HF_ENDPOINT is no URL.
    """
    url = _matching(environ, "HF_ENDPOINT", _HUB_URL, f"a URL such as {HUB_URL}") or HUB_URL
    return url.rstrip("/"), environ.get("HF_TOKEN") or None


def _drops_prefix(environ: Mapping[str, str]) -> str:
    prefix = environ.get("TARMAC_DROPS_PREFIX") or DROPS_PREFIX
    if (problem := drops_prefix_problem(prefix)) is not None:
        raise InvalidSetting("TARMAC_DROPS_PREFIX", problem)
    return prefix


def _matching(environ: Mapping[str, str], name: str, pattern: re.Pattern[str], wanted: str) -> str | None:
    value = environ.get(name) or None
    if value is not None and not pattern.fullmatch(value):
        raise InvalidSetting(name, f"{value!r} is not {wanted}")
    return value


def _listed(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(environ.get(name, "").replace(",", " ").split())


def _positive_int(environ: Mapping[str, str], name: str, default: int) -> int:
    raw = environ.get(name) or str(default)
    if not raw.isdigit() or int(raw) < 1:
        raise InvalidSetting(name, f"{raw!r} is not a whole number above 0")
    return int(raw)
