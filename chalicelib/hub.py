"""Asks the Hugging Face Hub what a model is. Implements ports.Hub; built by bootstrap.

Over the HTTP interface that huggingface_hub uses, with the urllib3 that botocore brings: the library itself is larger
than all else in Lambda. Source: huggingface_hub 2.4, hf_api.model_info and utils/_http.hf_raise_for_status.
"""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import urllib3

from chalicelib.errors import HubRefused, HubUnavailable
from chalicelib.reports import HubModel
from chalicelib.state import HubFile, HubRepo

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 20.0
DESCRIPTION_MAX_BYTES = 16 << 20
FILES_MAX = 10_000
RETRY_AFTER_S = 30.0
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HOW_TO_SEE_IT = (
    "Check the spelling; for a private or gated model set HF_TOKEN, with a token of an account that may read it."
)


class HuggingFaceHub:
    """The Hub, or a mirror of it. Nothing is sent before the first question."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """Ask *url*; *token* opens what is not open to all."""
        self._url = url
        self._headers = {"User-Agent": "tarmac", **({"Authorization": f"Bearer {token}"} if token else {})}
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
            retries=urllib3.Retry(total=4, connect=1, read=1, redirect=4, status=0, respect_retry_after_header=False),
        )

    def look_up(self, model: HubModel) -> HubRepo:
        """See ports.Hub."""
        at = f"/revision/{quote(model.revision, safe='')}" if model.revision else ""
        content = self._get(f"/api/models/{quote(model.id)}{at}?blobs=true", model, max_bytes=DESCRIPTION_MAX_BYTES)
        try:
            raw = json.loads(content)
            return _repo(model, raw)
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise HubUnavailable(
                f"{self._url} answers what is no description of a model", retry_after_s=RETRY_AFTER_S
            ) from exc

    def read(self, repo: HubRepo, path: str, *, max_bytes: int) -> bytes:
        """See ports.Hub."""
        where = f"/{quote(repo.id)}/resolve/{repo.commit}/{quote(path)}"
        return self._get(where, HubModel(repo.id, repo.commit), max_bytes=max_bytes)

    def _get(self, path: str, model: HubModel, *, max_bytes: int) -> bytes:
        try:
            answer = self._pool.request("GET", self._url + path, headers=self._headers, preload_content=False)
            try:
                content: bytes = answer.read(max_bytes, decode_content=True)
                if answer.status == HTTPStatus.OK and len(content) < max_bytes and answer.length_remaining:
                    raise HubUnavailable(f"{self._url} broke off in the middle", retry_after_s=RETRY_AFTER_S)
            finally:
                answer.close()
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise HubUnavailable(
                f"the Hugging Face Hub cannot be reached at {self._url}: {_reason(exc)}", retry_after_s=RETRY_AFTER_S
            ) from exc
        if answer.status != HTTPStatus.OK:
            raise _refusal(answer.status, answer.headers, model, self._url)
        return content


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None) or error
    return str(inner).rpartition(": ")[2] or type(inner).__name__


def _refusal(status: int, headers: Mapping[str, str], model: HubModel, url: str) -> HubRefused | HubUnavailable:
    """Tell a model that is not there from a Hub that is not."""
    code, named = headers.get("X-Error-Code", ""), f"the Hub's model {model.id}"
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        waits = headers.get("Retry-After", "")
        wait_s = float(waits) if waits.isdigit() else RETRY_AFTER_S
        said = headers.get("X-Error-Message") or f"{url} answers {status} about {named}"
        return HubUnavailable(said[:400], retry_after_s=min(wait_s, 900.0))
    if code == "GatedRepo":
        fix = f"Accept its terms on {url}/{model.id}, and set HF_TOKEN with a token of that account."
        return HubRefused(f"{named} is gated, and no token that has been let in came with the question", fix=fix)
    if code == "RevisionNotFound":
        return HubRefused(f"{named} has no revision {model.revision!r}", fix="Name a branch, a tag or a commit of it.")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
        return HubRefused(f"{named} does not exist, or is not open to all", fix=_HOW_TO_SEE_IT)
    return HubRefused(f"{url} answers {status} about {named}", fix=_HOW_TO_SEE_IT)


def _repo(model: HubModel, raw: Mapping[str, Any]) -> HubRepo:
    if not _COMMIT.fullmatch(raw["sha"]):
        raise ValueError("the commit is no hash")
    counts = (raw.get("safetensors") or {}).get("parameters") or {}
    return HubRepo(
        # As the Hub writes it: it knows old names, and every spelling's case.
        id=str(raw.get("id") or model.id),
        commit=raw["sha"],
        files=tuple(_file(each) for each in (raw.get("siblings") or ())[:FILES_MAX]),
        parameters={str(dtype): int(count) for dtype, count in counts.items()},
        pipeline_tag=_text(raw.get("pipeline_tag")),
        library=_text(raw.get("library_name")),
        is_open=not raw.get("private") and not raw.get("gated"),
    )


def _file(raw: Mapping[str, Any]) -> HubFile:
    size = raw.get("size")
    return HubFile(str(raw["rfilename"]), int(size) if isinstance(size, int) and size >= 0 else None)


def _text(raw: Any) -> str | None:
    return raw if isinstance(raw, str) and raw else None
