"""Images and sounds as they come in a payload: bytes, or the same in base64. Called by `images` and `sounds`."""

import base64
import binascii
from typing import Any

from .faults import CallerFault
from .tasks import kind_of


def file_bytes(value: Any, *, kind: str, field: str) -> bytes:
    """Take a file's bytes.

    Args:
        value: Bytes; base64, also as a data: address; or an object with either under the name of its *kind*.
        kind: "image" or "audio".
        field: Where it stands in the payload.

    Raises:
        CallerFault: It is none of these, or the address of something elsewhere, which is never fetched.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict) and kind in value:
        value = value[kind]
    article = "an" if kind[0] in "aeiou" else "a"
    if not isinstance(value, str):
        raise CallerFault(f"it must be {article} {kind} file in base64, not {kind_of(value)}", field=field)
    if value.startswith(("http://", "https://")):
        raise CallerFault(f"an address is not fetched; send the {kind} itself, or its base64", field=field)
    encoded = value.partition(",")[2] if value.startswith("data:") else value
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise CallerFault("it is not base64", field=field) from None
