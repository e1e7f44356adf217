"""The one AWS port: routes of our own first, moto for the rest, and an answer that an SDK understands in every case.

Started by `embedded`.
"""

import io
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from tarmac.local.loopback_http import Environ, LoopbackServer, PortInUse, StartResponse
from tarmac.local.refusals import operation_of, refuse
from tarmac.local.request_bodies import BodyTruncated

__all__ = ["PortInUse", "Route", "Server"]

Route = Callable[[Environ, StartResponse], Iterable[bytes] | None]
"""A WSGI application that may say "not mine" by returning None: it has then neither read the body nor answered."""

_log = logging.getLogger(__name__)
_BODY_MAX_BYTES = 64 * 1024 * 1024


class _Moto(DomainDispatcherApplication):
    """moto's own dispatcher, silent, and with errors that come out instead of turning into a page."""

    def __init__(self) -> None:
        super().__init__(_create_app)

    def get_backend_for_host(self, host: str | None) -> Any:
        """Find moto's service for a host name. Raises NotImplementedError where stock moto prints and then breaks."""
        if host is None:
            return None
        if host == "moto_api" or host in backends.list_of_moto_modules():
            return host
        for backend, pattern in self.backend_url_patterns:
            if pattern.match(f"http://{host}"):
                return backend
        raise NotImplementedError(f"the service at {host}")


def _create_app(service: Any) -> Any:
    app = create_backend_app(service)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    return app


class Server:
    """The AWS port, from `start` to `stop`."""

    def __init__(self, routes: Sequence[Route], *, port: int = 0) -> None:
        """Bind to 127.0.0.1; *port* 0 takes a free one. Raises PortInUse."""
        self._routes = tuple(routes)
        self._moto = _Moto()
        self._http = LoopbackServer(port, self)

    @property
    def port(self) -> int:
        """The port, also when a free one was asked for."""
        return self._http.port

    @property
    def url(self) -> str:
        """Where SDKs must be pointed."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to answer."""
        self._http.start()

    def stop(self) -> None:
        """Close the port and wait for the threads."""
        self._http.stop()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            for route in self._routes:
                answer = route(environ, start_response)
                if answer is not None:
                    return answer
            return self._ask_moto(environ, start_response)
        except ConnectionError:
            raise
        except NotImplementedError:
            return _not_implemented(environ, start_response)
        except Exception:  # noqa: BLE001  # an SDK must get an answer that it can read, whatever broke here
            _log.exception("%s failed", operation_of(environ))
            message = "the embedded AWS failed at this; its log says why"
            return refuse(environ, start_response, status=500, code="InternalFailure", message=message)

    def _ask_moto(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        _take_body(environ)
        captured: list[Any] = []

        def capture(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], Any]:
            captured[:] = [status, headers]
            return lambda _: None

        chunks = self._moto(environ, capture)
        try:
            answer = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        status, headers = captured
        # Where moto has no route it shows a page, or nothing at all: neither means anything to an SDK.
        if status[:3] in {"404", "405", "500"} and (not answer or answer[:9].lower() == b"<!doctype"):
            return _not_implemented(environ, start_response)
        start_response(status, [(name, value) for name, value in headers if name.lower() != "content-length"])
        return [answer]


def _take_body(environ: Environ) -> None:
    """Read the body whole: moto needs its length, which a chunked one does not tell."""
    body: bytes = environ["wsgi.input"].read(_BODY_MAX_BYTES + 1)
    if len(body) > _BODY_MAX_BYTES:
        raise BodyTruncated("the body is larger than any AWS call's")
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)


def _not_implemented(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    source = environ["wsgi.input"]
    operation = operation_of(environ, source.getvalue() if isinstance(source, io.BytesIO) else b"")
    message = f"the embedded AWS does not have the operation {operation}"
    is_xml = "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", "")
    return refuse(environ, start_response, status=501, code="NotImplemented", message=message, is_xml=is_xml)
