"""The schema of deploy.toml: each key with its type, its rule, its example and its words for docs/deploy-toml.md.

Called by `wishes`, which applies it, and by the documentation's generator.
"""

import difflib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.door.instances import INSTANCE_TYPES
from chalicelib.door.tasks import TASKS
from chalicelib.reports import HubModel
from chalicelib.settings import parse_duration_s

TRUST_LEVELS = ("strict", "scan", "trusted")
DEFAULT_TRUST = "scan"
MODES = ("realtime", "serverless", "async", "auto")
CONTAINERS = ("huggingface", "sklearn", "pytorch", "tensorflow", "xgboost", "vllm", "tei")
ENV_NAMES = {
    "HF_TASK": "the task, as `task` says it",
    "MMS_DEFAULT_RESPONSE_TIMEOUT": "seconds a worker may take to answer",
    "MMS_DEFAULT_WORKERS_PER_MODEL": "copies of the model",
    "MMS_MAX_REQUEST_SIZE": "bytes",
    "MMS_MAX_RESPONSE_SIZE": "bytes",
    "OMP_NUM_THREADS": "threads of one copy",
    "PYTHONUNBUFFERED": "1 writes logs at once",
    "SAGEMAKER_CONTAINER_LOG_LEVEL": "10 (debug) to 50 (critical)",
    "SAGEMAKER_MODEL_SERVER_TIMEOUT": "seconds a worker may take to answer",
    "SAGEMAKER_MODEL_SERVER_WORKERS": "copies of the model",
    "TOKENIZERS_PARALLELISM": "true or false",
    "TS_DEFAULT_RESPONSE_TIMEOUT": "seconds a worker may take to answer",
    "TS_DEFAULT_WORKERS_PER_MODEL": "copies of the model",
    "TS_MAX_REQUEST_SIZE": "bytes",
    "TS_MAX_RESPONSE_SIZE": "bytes",
}
ENV_VALUE_MAX_CHARACTERS = 1024
_IDLE_MAX_S = 365 * 86400.0
DEFAULT_INVOCATIONS_PER_INSTANCE = 600
"""Ten calls a second: AWS names no default and asks for a load test; a small classifier takes many times as much."""
_HUB_MODEL = re.compile(
    r"(?P<id>([A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95})(@(?P<revision>[\w][\w./-]{0,199}))?", re.ASCII
)
"""Source: the rules for repository names of huggingface_hub's validate_repo_id."""
_IMAGE_URI = re.compile(r"[\w.-]+(:\d+)?/[\w./-]+(:[\w.-]+)?(@sha256:[0-9a-f]{64})?", re.ASCII)


class BadValue(ValueError):
    """A value that the key does not allow; the message continues the sentence that begins with the key's name."""

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.fix = fix


class TooShort(BadValue):
    """An idle_after below the floor."""


class AboveCeiling(BadValue):
    """More trust than the stage gives to any drop."""


class NotAllowedEnv(BadValue):
    """A variable that is not on the allow-list."""


@dataclass(frozen=True)
class Rules:
    """What of the stage's own settings the values are held against. Seconds; URIs; one of TRUST_LEVELS."""

    idle_floor_s: float
    allowed_images: frozenset[str] = frozenset()
    trust_ceiling: str = TRUST_LEVELS[-1]

    @property
    def default_trust(self) -> str:
        """The level of a drop that asks for none: scan, or the stage's own where that is stricter."""
        return min(DEFAULT_TRUST, self.trust_ceiling, key=TRUST_LEVELS.index)


@dataclass(frozen=True)
class Key:
    """One key.

    Attributes:
        table: The table it stands in; "" for the top of the file.
        example: A right value, as TOML.
        about: One sentence for the documentation.
        parse: Turns a value of the right type into the one used. Raises BadValue.
    """

    table: str
    name: str
    types: tuple[type, ...]
    type_words: str
    example: str
    about: str
    parse: Callable[[Any, Rules], Any]

    @property
    def label(self) -> str:
        """How messages call it."""
        return f"[{self.table}] {self.name}" if self.table else self.name


def _one_of(choices: frozenset[str] | tuple[str, ...]) -> Callable[[Any, Rules], str]:
    def parse(value: str, _: Rules) -> str:
        if value in choices:
            return value
        near = difflib.get_close_matches(value.lower(), sorted(choices), n=1, cutoff=0.5)
        fix = f'Did you mean "{near[0]}"?' if near else None
        listed = f"one of {', '.join(sorted(choices))}" if len(choices) <= 10 else "one that Tarmac knows"
        raise BadValue(f"is {_quoted(value)}, which is not {listed}", fix=fix)

    return parse


def _quoted(value: str) -> str:
    return repr(value if len(value) <= 80 else value[:79] + "…")


def _whole(low: int, high: int) -> Callable[[Any, Rules], int]:
    def parse(value: int, _: Rules) -> int:
        if not low <= value <= high:
            raise BadValue(f"is {value if abs(value) < 10**12 else 'far too large'}; it may be {low} to {high}")
        return value

    return parse


def _cost(value: float, _: Rules) -> float:
    # math.isfinite would raise for a whole number too large for a float.
    if not 0 < value < 1e6:
        raise BadValue("is not a number of dollars above 0")
    return float(value)


def _idle_after(value: str, rules: Rules) -> float | None:
    try:
        idle_after_s = parse_duration_s(value)
    except ValueError as exc:
        raise BadValue(f"is {_quoted(value)}, which is no duration", fix='Write "30m", "2h" or "never".') from exc
    if idle_after_s is None:
        return None
    if not math.isfinite(idle_after_s) or idle_after_s > _IDLE_MAX_S:
        raise BadValue(f"is {_quoted(value)}; 365d is the most", fix='Write "never" to keep the endpoint awake.')
    if idle_after_s < rules.idle_floor_s:
        floor = duration_words(rules.idle_floor_s)
        raise TooShort(
            f"is {_quoted(value)}; the shortest here is {floor}", fix=f'Write idle_after = "{floor}" or more.'
        )
    return idle_after_s


def duration_words(seconds: float) -> str:
    """Render seconds the way deploy.toml writes them: `90s`, `15m`, `2h`."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _container(value: str, rules: Rules) -> str:
    if value in CONTAINERS or value in rules.allowed_images:
        return value
    if _IMAGE_URI.fullmatch(value) and "." in value.partition("/")[0]:
        raise BadValue(
            f"is {_quoted(value)}, an image that is not on this stage's allow-list",
            fix="Use one of the named containers, or have whoever runs Tarmac allow the image.",
        )
    return _one_of(CONTAINERS)(value, rules)


def _trust(value: str, rules: Rules) -> str:
    level = _one_of(TRUST_LEVELS)(value, rules)
    if TRUST_LEVELS.index(level) > TRUST_LEVELS.index(rules.trust_ceiling):
        raise AboveCeiling(
            f"is {_quoted(level)}, and this stage gives no more than {_quoted(rules.trust_ceiling)}",
            fix=f'Write trust = "{rules.trust_ceiling}" or leave it out; the stage\'s parameter Trust allows more.',
        )
    return level


def _hub_model(value: str, _: Rules) -> HubModel:
    match = _HUB_MODEL.fullmatch(value)
    if match is None or ".." in value or "--" in match["id"] or match["id"].endswith((".git", ".", "-")):
        fix = 'Write "owner/name", or "owner/name@revision".'
        raise BadValue(f"is {_quoted(value)}, which is no model of the Hugging Face Hub", fix=fix)
    return HubModel(match["id"], match["revision"])


def _memory(value: int, _: Rules) -> int:
    if value not in range(1024, 6145, 1024):
        raise BadValue("is not one of 1024, 2048, 3072, 4096, 5120 and 6144")
    return value


KEYS = (
    Key("", "task", (str,), "a string", '"text-classification"',
        "What the model does, as a Hugging Face pipeline tag. Left out: told from `config.json`.", _one_of(TASKS)),
    Key("", "hub_model", (str,), "a string", '"distilbert/distilgpt2"',
        "A model of the Hugging Face Hub instead of an archive, at its default branch or, as `owner/name@revision`, at"
        " a branch, tag or commit. The release is pinned to the commit that it is now; the container fetches it itself,"
        " so it runs with a network.", _hub_model),
    Key("", "mode", (str,), "a string", '"realtime"',
        "`realtime`: instances, by the hour. `serverless`: billed by the second of computing, no GPU, no network"
        " isolation, 4 MB a request. `auto`: serverless where it holds the model, costs less for one that computes a"
        " tenth of the time, and nothing in the archive wants isolating. `async`: instances with a queue in front, for"
        " requests that take up to an hour; a call is answered 202 and where its answer will be. Left out: realtime.",
        _one_of(MODES)),
    Key("", "instance_type", (str,), "a string", '"ml.m5.large"',
        "A SageMaker instance type. Left out: the cheapest that holds the model.", _one_of(INSTANCE_TYPES)),
    Key("", "instance_count", (int,), "a whole number", "1",
        "How many instances, 1 to 100.", _whole(1, 100)),
    Key("", "max_hourly_cost", (int, float), "a number", "0.5",
        "The most that all instances together may cost, in USD an hour; what would cost more is refused.", _cost),
    Key("", "idle_after", (str,), "a string", '"30m"',
        "How long nobody may call before the endpoint is taken down: `90s`, `15m`, `1.5h`, `2d` or `never`."
        " Left out: the stage's own. Serverless endpoints stay: they cost nothing idle.", _idle_after),
    Key("", "container", (str,), "a string", '"huggingface"',
        f"One of {', '.join(CONTAINERS)}, or an image URI on the stage's allow-list."
        " Left out: told from the archive's files; see containers.md.", _container),
    Key("", "trust", (str,), "a string", '"scan"',
        "What may be in the archive. `strict`: safetensors, ONNX and text only, no code. `scan`: code and pickles too,"
        " in a container without network. `trusted`: the same, without warnings about them."
        " No more than the stage gives (its parameter Trust). Left out: `scan`, or `strict` where that is the most.",
        _trust),
    Key("serverless", "memory_mb", (int,), "a whole number", "4096",
        "1024, 2048, 3072, 4096, 5120 or 6144. Left out: what holds the model.", _memory),
    Key("serverless", "max_concurrency", (int,), "a whole number", "5",
        "Requests at once, 1 to 200; more are throttled. Left out: 5.", _whole(1, 200)),
    Key("autoscale", "min", (int,), "a whole number", "1",
        "The fewest instances while awake, 1 to 100. Left out: 1.", _whole(1, 100)),
    Key("autoscale", "max", (int,), "a whole number", "4",
        "The most instances, 1 to 100, not below min. Must be there where the table is: it bounds the cost.",
        _whole(1, 100)),
    Key("autoscale", "invocations_per_instance", (int,), "a whole number", "600",
        "Calls a minute that one instance should take, 1 to 1,000,000. Left out:"
        f" {DEFAULT_INVOCATIONS_PER_INSTANCE}.", _whole(1, 1_000_000)),
)  # fmt: skip
TABLES = ("serverless", "autoscale", "env")
KEYS_BY_TABLE = {table: {key.name: key for key in KEYS if key.table == table} for table in ("", *TABLES)}


def parse_env(name: str, value: Any) -> str:
    """Check one variable of [env].

    Raises:
        NotAllowedEnv: The name is not on the list.
        BadValue: The value is not a string that SageMaker takes.
    """
    if name not in ENV_NAMES:
        if name in KEYS_BY_TABLE[""]:
            raise NotAllowedEnv(
                "is a key of its own", fix=f"Move {name} to the top of the file, above the first [table]."
            )
        near = difflib.get_close_matches(name.upper(), ENV_NAMES, n=1, cutoff=0.7)
        raise NotAllowedEnv("may not be set", fix=f"Did you mean {near[0]}?" if near else None)
    if not isinstance(value, str):
        written = str(value).lower() if isinstance(value, bool | int | float) and abs(value) < 1e15 else "…"
        raise BadValue("must be a string, as every environment variable is", fix=f'Write {name} = "{written}".')
    if len(value) > ENV_VALUE_MAX_CHARACTERS or not value.isprintable():
        raise BadValue(f"must be printable and at most {ENV_VALUE_MAX_CHARACTERS:,} characters long")
    if name == "HF_TASK" and value not in TASKS:
        _one_of(TASKS)(value, Rules(idle_floor_s=0))
    return value
