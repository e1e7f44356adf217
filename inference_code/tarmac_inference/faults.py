"""What can go wrong while a model answers, and whose fault it is. Raised by every part, rendered by the server.

Fault
├── CallerFault          400: the payload makes no sense; names the field
│   ├── UnsupportedMedia 415: no model of this kind reads that content type
│   └── NotAcceptable    406: no answer of this kind has any of the accepted content types
├── Overloaded           503: more is waiting than will be answered in time
└── ModelFault           500: the model itself failed
    └── TimedOut         504: the model did not answer in time
LoadError                the model cannot be loaded: the process ends
"""


class Fault(Exception):
    """Base: one sentence for the caller, and the HTTP status that says the same."""

    status = 500

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message if field is None else f"{field}: {message}")
        self.field = field


class CallerFault(Fault):
    """The caller can mend it; *field* says where in the payload."""

    status = 400


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


class LoadError(Exception):
    """The model cannot be loaded; the message is one sentence that says why."""
