"""Turns answers and errors into HTTP responses. Called by app.py's routes."""

import functools
import json
import math
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from chalice.app import Response

from chalicelib.errors import AwsError, BadRequest, MethodNotAllowed, TarmacError
from chalicelib.state import Accepted, Answer
from chalicelib.telemetry import count, logger

View = TypeVar("View", bound=Callable[..., Response])

JSON = "application/json"
# A model controls its own content type: nosniff keeps a browser from making a page of it.
SAFE_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

PREFLIGHT_LASTS_S = 600


def cors_headers(origin: str | None) -> dict[str, str]:
    """The headers that let pages of one origin read an answer; none where none is named.

    No Allow-Credentials: the token comes in a header that the page sets itself, never in a cookie.
    """
    if origin is None:
        return {}
    exposed = "Location, Retry-After, WWW-Authenticate, X-Tarmac-Model"
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin", "Access-Control-Expose-Headers": exposed}


def render_preflight(origin: str | None, *, path: str, methods: Iterable[str]) -> Response:
    """Answer a browser that asks, without the token, whether a page may call *path*.

    Args:
        origin: The one origin whose pages may; None for none.
        path: The route.
        methods: Those the route has.

    Raises:
        MethodNotAllowed: No origin is named, so OPTIONS is as unknown as any method that the route has not.
    """
    known = sorted(set(methods) - {"OPTIONS"})
    if origin is None:
        raise MethodNotAllowed(f"OPTIONS does not work on {path}", fix=f"it knows {', '.join(known)}")
    headers: dict[str, str | list[str]] = {
        "Content-Type": JSON,
        **SAFE_HEADERS,
        **cors_headers(origin),
        "Access-Control-Allow-Methods": ", ".join(known),
        "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type, Prefer",
        "Access-Control-Max-Age": str(PREFLIGHT_LASTS_S),
    }
    return Response(body=b"", status_code=HTTPStatus.NO_CONTENT, headers=headers)


def render_json(raw: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Render JSON-ready data."""
    # Bytes, because every content type counts as binary here; Chalice takes no str for those.
    body = json.dumps(raw, ensure_ascii=False).encode()
    sent: dict[str, str | list[str]] = {"Content-Type": JSON, **SAFE_HEADERS, **(headers or {})}
    return Response(body=body, status_code=status, headers=sent)


def render_accepted(accepted: Accepted) -> Response:
    """Render a request that is not answered yet: where to look for its answer, and when."""
    raw = {
        "request": accepted.request_id,
        "model": accepted.model,
        "state": "waiting",
        "accepted_at": accepted.accepted_at.isoformat(),
        "answer_path": f"/requests/{accepted.request_id}",
    }
    headers = {
        "Location": f"/requests/{accepted.request_id}",
        "Retry-After": str(max(1, math.ceil(accepted.retry_after_s))),
        "X-Tarmac-Model": accepted.model,
    }
    return render_json(raw, status=HTTPStatus.ACCEPTED, headers=headers)


def render_answer(answer: Answer, *, model: str) -> Response:
    """Render what a model answered: its status, its content type and its bytes, and no other header of its own."""
    content_type = answer.content_type.replace("\r", " ").replace("\n", " ")
    headers: dict[str, str | list[str]] = {"Content-Type": content_type, "X-Tarmac-Model": model, **SAFE_HEADERS}
    return Response(body=answer.body, status_code=answer.status, headers=headers)


def render_error(error: TarmacError) -> Response:
    """Render an error: what happened, what to do, and when to come again."""
    raw = {"code": error.code, "message": error.message}
    if error.fix is not None:
        raw["fix"] = error.fix
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="tarmac"'
    return render_json({"error": raw}, status=error.status, headers=headers)


def wished_release(raw_body: bytes | str | None) -> str | None:
    """Read the release that a rollback's body names; None for an empty body, or one that names none.

    Raises:
        BadRequest: The body is something else than {"release": "..."}.
    """
    try:
        raw = json.loads(raw_body or b"{}")
    except ValueError:
        raw = None
    release = raw.get("release") if isinstance(raw, dict) else raw
    if not isinstance(raw, dict) or not isinstance(release, str | None):
        raise BadRequest('the body is not {"release": "..."}', fix="send no body to go back by one release")
    return release


def answering_errors(view: View) -> View:
    """Wrap a view so that every error leaves as JSON.

    Chalice turns an exception into a bare 500 before any middleware sees it, so the views themselves are wrapped.
    """

    @functools.wraps(view)
    def wrapped(*args: Any, **kwargs: Any) -> Response:
        try:
            return view(*args, **kwargs)
        except TarmacError as exc:
            if isinstance(exc, AwsError) or (exc.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not exc.is_retryable):
                # What a model says may repeat what it was asked, and no payload is ever logged: its own log has it.
                reason = exc.message if isinstance(exc, AwsError) else exc.code
                logger.warning("request failed", extra={"event": "request-failed", "code": exc.code, "reason": reason})
            return render_error(_presentable(exc))
        except Exception:  # noqa: BLE001  # whatever happens, the caller gets JSON and the log gets the trace
            logger.exception("a defect of Tarmac's", extra={"event": "defect"})
            count("Defects")
            fix = "try again; if it happens again, report it with the request id"
            return render_error(TarmacError("Tarmac failed on this request; its log tells why", fix=fix))

    return wrapped  # type: ignore[return-value]  # the wrapper takes and returns what the view does


def _presentable(error: TarmacError) -> TarmacError:
    """AWS's own words may name accounts and roles: they are for the log, the caller gets the kind of fault."""
    if not isinstance(error, AwsError):
        return error
    message = "AWS did not do what this request needs; Tarmac's log has its words"
    said = type(error)(message, retry_after_s=error.retry_after_s)
    if said.is_retryable and said.retry_after_s is None:
        said.retry_after_s = 2
    return said
