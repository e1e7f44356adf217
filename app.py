"""The doors: HTTP routes, the queue, the schedule. Each body only translates; what happens is in chalicelib/."""

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from chalice.app import CaseInsensitiveMapping, Chalice, Rate, Request, Response, SQSEvent

from chalicelib.batches import look_at_each
from chalicelib.responses import (
    View,
    answering_errors,
    cors_headers,
    render_accepted,
    render_answer,
    render_json,
    render_preflight,
    wished_release,
)
from chalicelib.settings import read_cors_origin, read_settings
from chalicelib.state import Accepted
from chalicelib.telemetry import logger
from chalicelib.tokens import require_token

# The stack puts the real queue in its place; chalice package takes only a plain string (docs/decisions/0001-queue.md).
QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:placeholder"

app = Chalice(app_name="tarmac", configure_logs=False)
app.api.binary_types = ["*/*"]


@functools.cache
def application() -> Any:  # bootstrap.Application, imported when first used: with it come the adapters
    """Build the application once per process, when the first event arrives."""
    from chalicelib.bootstrap import build

    return build(read_settings())


@app.middleware("http")
def accept_anything(event: Request, get_response: Callable[[Request], Response]) -> Response:
    """Treat a request without Accept as accepting all, as HTTP says; Chalice would answer 400 to it."""
    if "accept" not in event.headers:
        event.headers = CaseInsensitiveMapping({**dict(event.headers), "accept": "*/*"})
    return get_response(event)


@app.middleware("http")
def let_one_origin_read(event: Request, get_response: Callable[[Request], Response]) -> Response:
    """Tell browsers, with every answer, which other origin's pages may read it; none unless one is named."""
    response = get_response(event)
    response.headers.update(cors_headers(read_cors_origin()))
    return response


@app.middleware("all")
def name_the_request(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Put the request's id on every log line written while it is served."""
    context = event.lambda_context if isinstance(event, Request) else event.context
    logger.thread_safe_append_keys(request_id=getattr(context, "aws_request_id", None))
    try:
        return get_response(event)
    finally:
        logger.thread_safe_clear_keys()


def current_request() -> Request:
    """The request being served; there is one in every view."""
    if app.current_request is None:
        raise RuntimeError("no request is being served")
    return app.current_request


def guarded(view: View) -> View:
    """Ask for the bearer token first, and let every error leave as JSON."""

    @functools.wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Response:
        authorization = current_request().headers.get("authorization")
        require_token(authorization, token_sha256=application().settings.token_sha256)
        return view(*args, **{name: unquote(value) for name, value in kwargs.items()})

    return answering_errors(checked)  # type: ignore[return-value]  # same arguments, same answer


@app.route("/health", content_types=["*/*"])
@answering_errors
def health() -> Response:
    """Tell that the application is there; needs no token."""
    return render_json({"ok": True})


@app.route("/models", content_types=["*/*"])
@guarded
def list_models() -> Response:
    """Show every model."""
    return render_json({"models": application().views.models()})


@app.route("/models/{name}", content_types=["*/*"])
@guarded
def show_model(name: str) -> Response:
    """Show one model, with its report and plan."""
    return render_json(application().views.model(name))


@app.route("/models/{name}", methods=["DELETE"], content_types=["*/*"])
@guarded
def remove_model(name: str) -> Response:
    """Delete the drop and all that came from it."""
    application().commands.remove(name)
    return render_json({"model": name, "state": "deleting"}, status=202)


@app.route("/models/{name}/wake", methods=["POST"], content_types=["*/*"])
@guarded
def wake_model(name: str) -> Response:
    """Wake a model by hand."""
    application().commands.wake(name)
    return render_json({"model": name, "state": "waking"}, status=202)


@app.route("/models/{name}/sleep", methods=["POST"], content_types=["*/*"])
@guarded
def sleep_model(name: str) -> Response:
    """Put a model to sleep by hand."""
    application().commands.sleep(name)
    return render_json({"model": name, "state": "falling-asleep"}, status=202)


@app.route("/models/{name}/rollback", methods=["POST"], content_types=["*/*"])
@guarded
def roll_back_model(name: str) -> Response:
    """Go back to an earlier release: the one named in the body, or the one before."""
    release = application().commands.roll_back(name, wished_release(current_request().raw_body))
    return render_json({"model": name, "release": release, "state": "updating"}, status=202)


@app.route("/models/{name}", methods=["POST"], content_types=["*/*"])
@app.route("/models/{name}/invocations", methods=["POST"], content_types=["*/*"])
@guarded
def invoke_model(name: str) -> Response:
    """Ask a model: body and content type go through as they are. An asynchronous one says where its answer will be."""
    request = current_request()
    answer = application().proxy.invoke(
        name,
        request.raw_body or b"",
        content_type=request.headers.get("content-type") or "application/json",
        accept=request.headers.get("accept") or "*/*",
    )
    return render_accepted(answer) if isinstance(answer, Accepted) else render_answer(answer, model=name)


@app.route("/requests/{request_id}", content_types=["*/*"])
@guarded
def show_request(request_id: str) -> Response:
    """Give the answer to a request that an asynchronous model took, or say that it is not there yet."""
    found = application().requests.outcome(request_id)
    if isinstance(found, Accepted):
        return render_accepted(found)
    return render_answer(found, model=request_id.partition(".")[0])


@answering_errors
def preflight(**_path_parameters: str) -> Response:
    """Answer a browser's question before its request; it comes without the token."""
    path = str(current_request().context["resourcePath"])
    return render_preflight(read_cors_origin(), path=path, methods=app.routes[path])


# Below the last route: each gets one. API Gateway's own preflights cannot tell one stage's origin from another's.
for route in tuple(app.routes):
    app.route(route, methods=["OPTIONS"], content_types=["*/*"])(preflight)


@app.on_sqs_message(queue_arn=QUEUE_ARN, batch_size=10, name="look")
def look(event: SQSEvent) -> dict[str, Any]:
    """Look at each model that the messages speak of."""
    at = application()
    return look_at_each(
        event.to_dict()["Records"], at.looker.look, app=at.settings.app, drops_prefix=at.settings.drops_prefix
    )


@app.schedule(Rate(5, unit=Rate.MINUTES), name="sweep")
def sweep(event: Any) -> dict[str, Any]:  # noqa: ARG001  # the schedule says nothing but 'now'
    """Look at all models, and put idle ones to sleep."""
    swept = application().sweeper.sweep()
    return {
        "looked": list(swept.looked),
        "slept": list(swept.slept),
        "kept": dict(swept.kept),
        "failed": dict(swept.failed),
    }
