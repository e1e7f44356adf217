"""Messages of application/vnd.amazon.eventstream, as botocore reads them. Called by response_streams.py.

Each: total length, headers' length, CRC32 of those two; headers; payload; CRC32 of all before. Integers are big-endian.

Source: https://smithy.io/2.0/aws/amazon-eventstream.html
"""

import json
import struct
import zlib
from collections.abc import Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7
_PRELUDE_BYTES = 12
_CHECKSUM_BYTES = 4


def payload_part(content: bytes) -> bytes:
    """Frame one part of a model's answer."""
    return _message(
        {":message-type": "event", ":event-type": "PayloadPart", ":content-type": "application/octet-stream"}, content
    )


def exception(name: str, **members: str) -> bytes:
    """Frame an error that ends the stream: a shape of the operation's own, with its members."""
    return _message(
        {":message-type": "exception", ":exception-type": name, ":content-type": "application/json"},
        json.dumps(members).encode(),
    )


def _message(headers: Mapping[str, str], payload: bytes) -> bytes:
    encoded = b"".join(_header(name, value) for name, value in headers.items())
    length = _PRELUDE_BYTES + len(encoded) + len(payload) + _CHECKSUM_BYTES
    prelude = struct.pack("!II", length, len(encoded))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + encoded + payload
    return message + struct.pack("!I", zlib.crc32(message))


def _header(name: str, value: str) -> bytes:
    raw_name, raw_value = name.encode(), value.encode()
    return struct.pack("!B", len(raw_name)) + raw_name + struct.pack("!BH", _STRING, len(raw_value)) + raw_value
