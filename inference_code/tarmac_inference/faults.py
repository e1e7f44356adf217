"""What can go wrong while a model answers, and whose fault it is. Raised by every part, rendered by the server.

Fault
├── CallerFault          400: the payload makes no sense; names the field
│   ├── BodyLate         408: the body did not come in time
│   ├── BodyTooLarge     413: the body is larger than there is room for
│   ├── UnsupportedMedia 415: no model of this kind reads that content type
│   └── NotAcceptable    406: no answer of this kind has any of the accepted content types
├── Overloaded           503: more is waiting than will be answered in time
└── ModelFault           500: the model itself failed
    ├── TimedOut         504: the model did not answer in time
    └── OutOfMemory      507: there is not enough memory for what was asked
LoadError                the model cannot be loaded: the process ends
Stuck                    the model does not come back: the process ends, to be started again
"""

from __future__ import annotations

from typing import Any


class Fault(Exception):
    """Base: one sentence for the caller, and the HTTP status that says the same.

    Attributes:
        field: Where in the payload; None where it is nowhere.
        facts: What the log may know of it beside: never anything of the payload.
    """

    status = 500

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message if field is None else f"{field}: {message}")
        self.field = field
        self.facts: dict[str, Any] = {}


class CallerFault(Fault):
    """The caller can mend it; *field* says where in the payload."""

    status = 400


class BodyLate(CallerFault):
    """The body did not come in the time that there is for it."""

    status = 408


class BodyTooLarge(CallerFault):
    """The body is larger than there is room for."""

    status = 413


class UnsupportedMedia(CallerFault):
    """The content type is not one that this model reads."""

    status = 415


class NotAcceptable(CallerFault):
    """The answer has none of the content types in Accept."""

    status = 406


class Overloaded(Fault):
    """Too many requests wait already; trying again later may help."""

    status = 503


class ModelFault(Fault):
    """The model failed on a payload that it should have answered."""


class TimedOut(ModelFault):
    """The model did not answer within the time allowed."""

    status = 504


class OutOfMemory(ModelFault):
    """Memory ended while the model answered. The status is the one that the container's own server gives it.

    Source: https://docs.aws.amazon.com/sagemaker/latest/dg/invoke-multi-model-endpoint.html
    """

    status = 507


class LoadError(Exception):
    """The model cannot be loaded; the message is one sentence that says why."""


class Stuck(Exception):
    """The model is in something that does not end; the message is one sentence that says since when."""
