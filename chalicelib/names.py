"""Every name Tarmac gives or reads: models, releases, SageMaker resources, S3 keys. Pure; called by every room."""

import hashlib
import re
from collections.abc import Mapping
from typing import NewType

ModelName = NewType("ModelName", str)
"""What a person calls a model. May be *raw* (as found in a key) until `name_problem` has passed it."""

ReleaseId = NewType("ReleaseId", str)
"""12 hex digits that stand for one archive together with one deploy.toml."""

MODEL_NAME_MAX_LENGTH = 40
APP_NAME_MAX_LENGTH = 12
_MODEL_NAME = re.compile(r"[a-z0-9](-?[a-z0-9])*")
_KEY_SAFE_RAW_NAME_MAX_LENGTH = 213
"""200 and a hash of 13: a name that was cut is not cut again, so what was found by it is found again."""

VARIANT_NAME = "AllTraffic"
"""The one production variant of every endpoint of ours."""

DROPS_PREFIX = "models/"
"""Where people drop, unless the stage says otherwise: Settings.drops_prefix."""
RELEASES_PREFIX = "releases/"
USAGE_PREFIX = "usage/"
ASLEEP_PREFIX = "asleep/"
REQUESTS_PREFIX = "requests/"
TRAINING_PREFIX = "training/"

_ARCHIVE_SUFFIX = "/model.tar.gz"
_FLAT_SUFFIX = ".tar.gz"
_TOML_SUFFIX = "/deploy.toml"
_CODE_FOLDER = "/code/"


def name_problem(raw_name: str) -> str | None:
    """Say what is wrong with a model name, or None when it is a good one."""
    if not raw_name:
        return "the model name is empty"
    if len(raw_name) > MODEL_NAME_MAX_LENGTH:
        return f"the model name is {len(raw_name)} characters long; {MODEL_NAME_MAX_LENGTH} is the most"
    if not _MODEL_NAME.fullmatch(raw_name):
        return f"the model name {raw_name!r} has characters that a SageMaker name cannot have"
    return None


def suggest_name(raw_name: str) -> str:
    """Make the nearest good model name, for an error's fix."""
    slug = re.sub(r"[^a-z0-9]+", "-", raw_name.lower()).strip("-")
    return slug[:MODEL_NAME_MAX_LENGTH].strip("-") or "my-model"


def code_digest(etags: Mapping[str, str]) -> str | None:
    """Sum up a dropped code/ folder, from its files' ETags by path; None when there is none."""
    if not etags:
        return None
    return hashlib.sha256("".join(f"{path}\n{etags[path]}\n" for path in sorted(etags)).encode()).hexdigest()


def release_id(archive_etag: str, toml_etag: str | None, code: str | None = None) -> ReleaseId:
    """Name the release that this archive, this deploy.toml and this code/ (or their absence) make.

    Args:
        archive_etag: The ETag S3 gave the archive, quotes removed.
        toml_etag: The same for deploy.toml; None when there is none.
        code: What `code_digest` gives.
    """
    parts = [archive_etag, toml_etag or "", *([code] if code else [])]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return ReleaseId(digest[:12])


# SageMaker: 63 characters at most; CreateEndpoint compares without case, InvokeEndpoint with it, so lower only.
# Source: botocore's service model, sagemaker/2017-07-24.


def endpoint_name(app: str, model: str) -> str:
    """Name the endpoint of *model*: stable through every release, sleep and wake."""
    return f"{app}-{model}"


def release_name(app: str, model: str, release: str) -> str:
    """Name the SageMaker model and endpoint configuration of one release."""
    return f"{app}-{model}-{release[:8]}"


def model_of_endpoint(app: str, name: str) -> ModelName | None:
    """Read the model's name back from an endpoint's; None when the name is not one that this app gives."""
    raw = name.removeprefix(f"{app}-")
    if raw == name or name_problem(raw):
        return None
    return ModelName(raw)


def is_release_name(app: str, model: str, name: str) -> bool:
    """Tell whether *name* is that of a SageMaker model or configuration of one of *model*'s releases."""
    return re.fullmatch(rf"{re.escape(app)}-{re.escape(model)}-[0-9a-f]{{8}}", name) is not None


# S3 keys.

_DROPS_PREFIX = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*/)+")
_DROPS_PREFIX_MAX_LENGTH = 64
_OWN_PREFIXES = (RELEASES_PREFIX, USAGE_PREFIX, ASLEEP_PREFIX, REQUESTS_PREFIX, TRAINING_PREFIX)


def drops_prefix_problem(prefix: str) -> str | None:
    """Say what is wrong with a prefix for drops, or None when it is a good one. infra/resources.yaml says the same."""
    if not _DROPS_PREFIX.fullmatch(prefix) or len(prefix) > _DROPS_PREFIX_MAX_LENGTH:
        return f"{prefix!r} is not a folder such as models/ or team/models/, {_DROPS_PREFIX_MAX_LENGTH} at most"
    # What Tarmac writes would be watched as if people had dropped it.
    taken = next((own for own in _OWN_PREFIXES if prefix.startswith(own)), None)
    return None if taken is None else f"{prefix!r} overlaps {taken}, where Tarmac keeps things of its own"


def model_of_drop_key(key: str, *, prefix: str = DROPS_PREFIX) -> ModelName | None:
    """Read the raw model name from a watched key; None for a key that is no drop and no deploy.toml.

    `models/<name>/model.tar.gz`, `models/<name>.tar.gz`, `models/<name>/deploy.toml` and `models/<name>/code/` are
    watched, with *prefix* in the place of `models/`. What stands for <name> may be no good model name: it is the door
    that refuses it, so that the person is told.
    """
    rest = key.removeprefix(prefix)
    if rest == key:
        return None
    if code_path_of(key, prefix=prefix) is not None:
        return ModelName(rest.partition("/")[0])
    for suffix in (_ARCHIVE_SUFFIX, _TOML_SUFFIX):
        if rest.endswith(suffix) and len(rest) > len(suffix):
            return ModelName(rest.removesuffix(suffix))
    if rest.endswith(_FLAT_SUFFIX) and "/" not in rest and len(rest) > len(_FLAT_SUFFIX):
        return ModelName(rest.removesuffix(_FLAT_SUFFIX))
    return None


def archive_key(model: str, *, prefix: str = DROPS_PREFIX) -> str:
    """`models/<name>/model.tar.gz`."""
    return f"{prefix}{model}{_ARCHIVE_SUFFIX}"


def flat_archive_key(model: str, *, prefix: str = DROPS_PREFIX) -> str:
    """`models/<name>.tar.gz`."""
    return f"{prefix}{model}{_FLAT_SUFFIX}"


def toml_key(model: str, *, prefix: str = DROPS_PREFIX) -> str:
    """`models/<name>/deploy.toml`."""
    return f"{prefix}{model}{_TOML_SUFFIX}"


def code_prefix(model: str, *, prefix: str = DROPS_PREFIX) -> str:
    """`models/<name>/code/`."""
    return f"{prefix}{model}{_CODE_FOLDER}"


def code_path_of(key: str, *, prefix: str = DROPS_PREFIX) -> str | None:
    """Read the path in the archive, `code/...`, of a file dropped beside it; None for any other key."""
    name, folder, path = key.removeprefix(prefix).partition(_CODE_FOLDER)
    is_file = bool(path) and not path.endswith(("/", _ARCHIVE_SUFFIX[1:], _TOML_SUFFIX[1:]))
    if not key.startswith(prefix) or not folder or not name or "/" in name or not is_file:
        return None
    return f"{_CODE_FOLDER[1:]}{path}"


def releases_prefix(model: str) -> str:
    """`releases/<name>/`; a raw name too long for a key is cut, with a hash in place of the rest."""
    if len(model) > _KEY_SAFE_RAW_NAME_MAX_LENGTH:
        digest = hashlib.sha256(model.encode()).hexdigest()[:12]
        model = f"{model[: _KEY_SAFE_RAW_NAME_MAX_LENGTH - 13]}~{digest}"
    return f"{RELEASES_PREFIX}{model}/"


def pinned_archive_key(model: str, release: str) -> str:
    """Where the release's own copy of the archive is: SageMaker reads this one, never the drop."""
    return f"{releases_prefix(model)}{release}/model.tar.gz"


def hub_pin_key(model: str, release: str) -> str:
    """Where it is written which commit of the Hub a release without an archive is."""
    return f"{releases_prefix(model)}{release}/hub.json"


def scaled_key(model: str, release: str) -> str:
    """The object that tells that this release's endpoint may be registered with Application Auto Scaling."""
    return f"{releases_prefix(model)}{release}/scaled.json"


def report_key(model: str, release: str) -> str:
    """Where the door's report on the release is."""
    return f"{releases_prefix(model)}{release}/report.json"


def failure_key(model: str, release: str) -> str:
    """Where it is written down that SageMaker could not start the release, and why."""
    return f"{releases_prefix(model)}{release}/failed.json"


def rollback_key(model: str, release: str) -> str:
    """The object whose LastModified is when a person asked for this release again."""
    return f"{releases_prefix(model)}{release}/rollback.json"


def starts_key(model: str, release: str) -> str:
    """Where the seconds are written down that the release's own starts took."""
    return f"{releases_prefix(model)}{release}/starts.json"


_REQUEST_ID = re.compile(r"(?P<model>[a-z0-9-]+)\.(?P<token>[0-9a-f]{32})")


def request_id(model: str, token: str) -> str:
    """Name a parked request so that its name alone finds it; *token* is 32 hex digits that nobody can guess."""
    return f"{model}.{token}"


def parse_request_id(raw: str) -> tuple[ModelName, str] | None:
    """Read model and token back from a request's id; None when it is none."""
    match = _REQUEST_ID.fullmatch(raw)
    if match is None or name_problem(match["model"]):
        return None
    return ModelName(match["model"]), match["token"]


def request_input_key(model: str, token: str) -> str:
    """Where what was asked is."""
    return f"{REQUESTS_PREFIX}{model}/{token}/input"


def ticket_key(model: str, token: str) -> str:
    """Where it is written down that SageMaker took the request, and where it will answer."""
    return f"{REQUESTS_PREFIX}{model}/{token}/ticket.json"


def answers_prefix(model: str) -> str:
    """Where SageMaker writes the model's answers, without a slash at the end."""
    return f"{REQUESTS_PREFIX}{model}/answers"


def failures_prefix(model: str) -> str:
    """Where it writes why there is none."""
    return f"{REQUESTS_PREFIX}{model}/failures"


def usage_key(model: str) -> str:
    """The object whose LastModified is the model's last use."""
    return f"{USAGE_PREFIX}{model}"


def asleep_key(model: str) -> str:
    """The object whose LastModified is when the model was put to sleep."""
    return f"{ASLEEP_PREFIX}{model}"
