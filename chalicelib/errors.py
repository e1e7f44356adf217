"""Every error Tarmac raises on purpose. The doors turn them into HTTP answers and queue verdicts.

TarmacError
├── CallerError              4xx: the caller can mend it
│   ├── BadRequest           400
│   ├── InvalidModelName     400
│   ├── TokenMissing         401
│   ├── TokenWrong           403
│   ├── ModelNotFound        404
│   ├── ReleaseNotFound      404
│   ├── RequestNotFound      404
│   ├── RouteNotFound        404
│   ├── MethodNotAllowed     405
│   ├── ModelRefused         409
│   ├── BodyTooLarge         413
│   ├── AnswerTooLarge       413
│   └── ModelRejected        the model's own 4xx
├── NotReadyError            503 with Retry-After
│   ├── ModelAsleep
│   ├── ModelStarting
│   └── ModelBusy            429
├── ModelFaultError          the model's fault
│   ├── ModelFailed          424: it does not start
│   ├── ModelBroke           502: it answered 5xx
│   └── ModelTimedOut        504
├── AwsError                 AWS's fault or refusal; raised by adapters only, always `from exc`
│   ├── AlreadyExists
│   ├── NotFound
│   ├── InProgress           the resource is being changed: look again later
│   ├── Changed              a condition (If-Match) did not hold
│   ├── QuotaExceeded
│   ├── AccessDenied
│   ├── InvalidCall
│   ├── Throttled            retryable
│   └── Unavailable          retryable
├── HubError                 the Hugging Face Hub's; raised by its adapter only
│   ├── HubUnavailable       retryable
│   └── HubRefused           there is no such model, or not for us
└── ConfigurationError       raised at start
    └── InvalidSetting
"""


class TarmacError(Exception):
    """Base: a fact, and where there is one, what to do about it.

    Attributes:
        code: Stable, for programs.
        status: The HTTP status that says the same.
        is_retryable: Whether the same call may succeed later with nothing changed.
        fix: What the person can do; None where the message says it all.
        retry_after_s: Seconds to wait before trying again; None where waiting does not help.
    """

    code = "error"
    status = 500
    is_retryable = False

    def __init__(self, message: str, *, fix: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.retry_after_s = retry_after_s


class CallerError(TarmacError):
    """The caller can mend it."""

    code = "bad_request"
    status = 400


class BadRequest(CallerError):
    """The request makes no sense; the message says which part."""


class InvalidModelName(CallerError):
    """The name cannot be a model's."""

    code = "invalid_model_name"


class TokenMissing(CallerError):
    """No bearer token came with the request."""

    code = "token_missing"
    status = 401


class TokenWrong(CallerError):
    """The bearer token is not one that opens this API."""

    code = "token_wrong"
    status = 403


class ModelNotFound(CallerError):
    """Nothing is dropped under that name."""

    code = "model_not_found"
    status = 404


class ReleaseNotFound(CallerError):
    """The model has no such release, or none to go back to."""

    code = "release_not_found"
    status = 404


class RequestNotFound(CallerError):
    """No request has that id, or it was too long ago."""

    code = "request_not_found"
    status = 404


class RouteNotFound(CallerError):
    """The API has no such path."""

    code = "route_not_found"
    status = 404


class MethodNotAllowed(CallerError):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    status = 405


class ModelRefused(CallerError):
    """The archive was refused and no earlier release answers."""

    code = "model_refused"
    status = 409


class BodyTooLarge(CallerError):
    """The body does not fit through the pipe."""

    code = "body_too_large"
    status = 413


class AnswerTooLarge(CallerError):
    """The answer is there, and does not fit through the pipe."""

    code = "answer_too_large"
    status = 413


class ModelRejected(CallerError):
    """The model itself answered 4xx: its status comes back as it is."""

    code = "model_rejected"

    def __init__(self, message: str, *, status: int, fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.status = status


class NotReadyError(TarmacError):
    """Wait and try again; carries retry_after_s."""

    code = "not_ready"
    status = 503
    is_retryable = True


class ModelAsleep(NotReadyError):
    """It sleeps, and this request wakes it."""

    code = "model_asleep"


class ModelStarting(NotReadyError):
    """Its endpoint is on its way."""

    code = "model_starting"


class ModelBusy(NotReadyError):
    """SageMaker throttles the endpoint."""

    code = "model_busy"
    status = 429


class ModelFaultError(TarmacError):
    """The model's fault."""

    code = "model_fault"
    status = 502


class ModelFailed(ModelFaultError):
    """The release does not start; the message carries the container's own words."""

    code = "model_failed"
    status = 424


class ModelBroke(ModelFaultError):
    """The model answered 5xx."""

    code = "model_broke"
    status = 502


class ModelTimedOut(ModelFaultError):
    """The model did not answer in time."""

    code = "model_timed_out"
    status = 504


class AwsError(TarmacError):
    """AWS's fault or refusal. Raised by adapters only, always `from` the botocore error."""

    code = "aws_error"
    status = 502


class AlreadyExists(AwsError):
    """A resource of that name is there already."""

    code = "aws_already_exists"


class NotFound(AwsError):
    """No such resource."""

    code = "aws_not_found"


class InProgress(AwsError):
    """The resource is being changed; it can be touched again when that has ended."""

    code = "aws_in_progress"
    is_retryable = True


class Changed(AwsError):
    """A condition on the call did not hold: somebody else changed the object first."""

    code = "aws_changed"
    is_retryable = True


class QuotaExceeded(AwsError):
    """The account may have no more of these."""

    code = "aws_quota_exceeded"


class AccessDenied(AwsError):
    """The credentials may not do this."""

    code = "aws_access_denied"


class InvalidCall(AwsError):
    """AWS finds the call itself wrong."""

    code = "aws_invalid_call"


class Throttled(AwsError):
    """Too many calls."""

    code = "aws_throttled"
    status = 429
    is_retryable = True


class Unavailable(AwsError):
    """AWS did not answer, or answered that it cannot now."""

    code = "aws_unavailable"
    status = 503
    is_retryable = True


class HubError(TarmacError):
    """The Hugging Face Hub's fault or refusal."""

    code = "hub_error"
    status = 502


class HubUnavailable(HubError):
    """The Hub did not answer, or answered that it cannot now. That says nothing about the model."""

    code = "hub_unavailable"
    status = 503
    is_retryable = True


class HubRefused(HubError):
    """There is no such model or revision, or nobody here may read it."""

    code = "hub_refused"
    status = 424


class ConfigurationError(TarmacError):
    """The application was set up wrongly; raised at start."""

    code = "configuration"
    status = 500


class InvalidSetting(ConfigurationError):
    """An environment variable is missing or bad."""

    code = "invalid_setting"

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}", fix=f"set {name} in the function's environment")
        self.name = name
