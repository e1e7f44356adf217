"""Errors in the shape of the protocol that the caller speaks: five of them. Called by `server`."""

import json
import re
import uuid
from collections.abc import Iterable
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from tarmac.local.loopback_http import Environ, StartResponse

_CBOR_OPERATION = re.compile(r"/service/[^/]+/operation/([^/]+)")
_PHRASES = {400: "Bad Request", 413: "Content Too Large", 500: "Internal Server Error", 501: "Not Implemented"}


def operation_of(environ: Environ, body: bytes = b"") -> str:
    """What the caller wanted, as well as the request shows it: `sagemaker CreateHubContent`, or the method and path."""
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if target:
        return target.rpartition(".")[2]
    match = _CBOR_OPERATION.search(environ["PATH_INFO"])
    if match is not None:
        return str(match[1])
    for text in (environ["QUERY_STRING"], body.decode("latin-1") if len(body) < 1 << 20 else ""):
        action = parse_qs(text).get("Action")
        if action:
            return str(action[0])
    return f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"


def refuse(
    environ: Environ, start_response: StartResponse, *, status: int, code: str, message: str, is_xml: bool = False
) -> Iterable[bytes]:
    """Answer with an error that the caller's SDK understands.

    Args:
        environ: The request.
        start_response: Where the answer goes.
        status: 400 or 501 is not tried again by the SDKs; 500 is.
        code: For programs.
        message: For people.
        is_xml: Whether the service speaks rest-xml (S3), which the request alone does not show.
    """
    content_type = str(environ.get("CONTENT_TYPE", "")).lower()
    headers = [("x-amzn-RequestId", str(uuid.uuid4()))]
    if "cbor" in content_type or environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        headers += [("smithy-protocol", "rpc-v2-cbor"), ("Content-Type", "application/cbor")]
        body = _cbor_map({"__type": code, "message": message})
    elif is_xml:
        headers.append(("Content-Type", "application/xml"))
        body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>".encode()
    elif content_type.startswith("application/x-www-form-urlencoded") or "Action=" in environ["QUERY_STRING"]:
        headers.append(("Content-Type", "text/xml"))
        inner = f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message>"
        body = f"<ErrorResponse><Error>{inner}</Error><RequestId>{headers[0][1]}</RequestId></ErrorResponse>".encode()
    else:
        is_json_rpc = content_type.startswith("application/x-amz-json")
        headers += [("Content-Type", content_type if is_json_rpc else "application/json"), ("x-amzn-ErrorType", code)]
        body = json.dumps({"__type": code, "message": message}).encode()
    start_response(f"{status} {_PHRASES.get(status, 'Error')}", headers)
    return [body]


def _cbor_map(texts: dict[str, str]) -> bytes:
    """A map of fewer than 24 texts. Source: RFC 8949, section 3."""
    encoded = bytes([0xA0 | len(texts)])
    for text in (part for pair in texts.items() for part in pair):
        raw = text.encode()
        encoded += b"\x79" + len(raw).to_bytes(2, "big") + raw
    return encoded
