"""The data plane: one straight corridor from an HTTP request to InvokeEndpoint. Called by the invocation routes.

When warm it makes one AWS call. The use is written down, and the mark looked for, at most every touch interval: the
proxy's half of the sleep protocol (docs/decisions/0005-sleep-protocol.md).
"""

import math
import statistics
import threading
from dataclasses import dataclass, field

from chalicelib.errors import (
    BadRequest,
    BodyTooLarge,
    InvalidCall,
    ModelAsleep,
    ModelFailed,
    ModelNotFound,
    ModelRefused,
    ModelStarting,
    NotFound,
    NotReadyError,
    TarmacError,
    Unavailable,
)
from chalicelib.idleness import MARK_SETTLED_S, idle_after_s, touch_interval_s
from chalicelib.looker import Looker
from chalicelib.names import DROPS_PREFIX, ModelName, archive_key, endpoint_name, name_problem
from chalicelib.ports import Clock, Endpoints, Looks, Marks, Releases, Runtime
from chalicelib.reports import refusal_sentence
from chalicelib.requests import Requests
from chalicelib.state import ANSWERING, Accepted, Answer, Desired, Endpoint, EndpointStatus
from chalicelib.telemetry import count

MAX_BODY_BYTES = 6 * 1024 * 1024
"""InvokeEndpoint's limit. Source: botocore's service model, sagemaker-runtime/2017-05-13, BodyBlob."""
MAX_HEADER_LENGTH = 1024
"""Of Content-Type and Accept, for InvokeEndpoint. Source: the same model, Header."""
REFUSAL_LASTS_S = 0.25
"""For how long callers who come together are told the same 'not yet' without asking AWS for each."""


@dataclass
class _Admission:
    """What this process knows of one model. *ticket_until_s* on the monotonic clock; 0 when there is no ticket."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    ticket_until_s: float = 0.0
    is_async: bool = False
    """How the release is asked that the ticket was given for."""
    refusal: NotReadyError | None = None
    refusal_until_s: float = 0.0


class Proxy:
    """Admits requests and passes them on. One per process; safe from any thread."""

    def __init__(
        self,
        *,
        looker: Looker,
        releases: Releases,
        marks: Marks,
        endpoints: Endpoints,
        runtime: Runtime,
        looks: Looks,
        clock: Clock,
        app: str,
        expected_start_s: float,
        requests: Requests,
        drops_prefix: str = DROPS_PREFIX,
    ) -> None:
        self._requests = requests
        self._looker = looker
        self._releases = releases
        self._marks = marks
        self._endpoints = endpoints
        self._runtime = runtime
        self._looks = looks
        self._clock = clock
        self._app = app
        self._expected_start_s = expected_start_s
        self._drops_prefix = drops_prefix
        self._admissions: dict[str, _Admission] = {}
        self._admissions_lock = threading.Lock()

    def invoke(self, raw_name: str, body: bytes, *, content_type: str, accept: str) -> Answer | Accepted:
        """Ask a model; of an asynchronous one comes where the answer will be.

        Args:
            raw_name: As it stands in the path.
            body: As it came; at most MAX_BODY_BYTES.
            content_type: Of *body*.
            accept: What the caller wants back.

        Raises:
            ModelNotFound, ModelRefused, ModelFailed: There is nothing to ask, and waiting does not change that.
            ModelAsleep, ModelStarting: Not yet; carries retry_after_s, and the wake is on its way.
            ModelRejected, ModelBroke, ModelTimedOut, ModelBusy: As the model or SageMaker answered.
            BodyTooLarge: The body does not fit.
            BadRequest: A header that SageMaker cannot take.
        """
        if name_problem(raw_name) is not None:
            raise self.why_not(self._looker.desired(ModelName(raw_name)))
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge(
                f"the body has {len(body):,} bytes; SageMaker takes {MAX_BODY_BYTES:,}",
                fix="send less at a time: fewer inputs a request, or a smaller image",
            )
        for header, value in (("Content-Type", content_type), ("Accept", accept)):
            if len(value) > MAX_HEADER_LENGTH or not value.isascii():
                raise BadRequest(f"the {header} header is longer than {MAX_HEADER_LENGTH} characters or not ASCII")
        model = ModelName(raw_name)
        admission = self._admit(model)
        endpoint = endpoint_name(self._app, model)
        try:
            if admission.is_async:
                return self._requests.accept(model, endpoint, body, content_type=content_type, accept=accept)
            return self._runtime.invoke(endpoint, body, content_type=content_type, accept=accept)
        except InvalidCall as exc:
            self._refuse_while_it_changes(model, admission, exc)
            raise
        except NotFound:
            admission.ticket_until_s = 0.0
            desired = self._looker.desired(model)
            if desired.target is not None:
                self._marks.touch(model)
            raise self._refuse(model, admission, desired) from None
        except Unavailable as exc:
            raise ModelStarting(
                f"model {model!r} does not answer at this moment; its server may be starting again",
                retry_after_s=exc.retry_after_s or 2,
            ) from exc

    def _refuse_while_it_changes(self, model: ModelName, admission: _Admission, cause: InvalidCall) -> None:
        """Say so when the call was refused because the endpoint is still, or already, of the other kind."""
        endpoint = self._endpoints.find(endpoint_name(self._app, model))
        if endpoint is None or endpoint.is_async == admission.is_async:
            return
        admission.ticket_until_s = 0.0
        self._looks.ask(model)
        retry_after_s = math.ceil(MARK_SETTLED_S + self._expected_start_s)
        raise ModelStarting(
            f"model {model!r} changes between realtime and async; try again in {retry_after_s} s",
            retry_after_s=retry_after_s,
        ) from cause

    def _admit(self, model: ModelName) -> _Admission:
        """Let a request through on a valid ticket, or get one: touch, then look for the mark."""
        with self._admissions_lock:
            admission = self._admissions.setdefault(model, _Admission())
        if self._clock.monotonic_s() < admission.ticket_until_s:
            return admission
        with admission.lock:
            now_s = self._clock.monotonic_s()
            if now_s < admission.ticket_until_s:
                return admission
            if admission.refusal is not None and now_s < admission.refusal_until_s:
                raise type(admission.refusal)(
                    admission.refusal.message, fix=admission.refusal.fix, retry_after_s=admission.refusal.retry_after_s
                )
            desired = self._looker.desired(model)
            if desired.drop is None:
                with self._admissions_lock:
                    self._admissions.pop(model, None)
                raise self._nothing_called(model)
            if desired.target is None:
                raise self._refuse(model, admission, desired)
            self._marks.touch(model)
            if self._marks.asleep(model) is not None:
                raise self._refuse(model, admission, desired)
            # The clock was read before the touch: a ticket is never valid for longer than the interval after it.
            interval_s = touch_interval_s(idle_after_s(desired.target, self._looker.rules))
            admission.is_async = desired.target.plan is not None and desired.target.plan.is_async
            admission.ticket_until_s = now_s + interval_s
            return admission

    def _refuse(self, model: ModelName, admission: _Admission, desired: Desired) -> TarmacError:
        """Ask for a look, and tell the caller why not now and when to come again."""
        error = self.why_not(desired)
        if isinstance(error, NotReadyError):
            self._looks.ask(model)
            count("ColdAnswers", model=model)
            admission.refusal = error
            admission.refusal_until_s = self._clock.monotonic_s() + REFUSAL_LASTS_S
        return error

    def why_not(self, desired: Desired) -> TarmacError:
        """Say why a model does not answer at this moment."""
        model = desired.model
        if desired.drop is None:
            return self._nothing_called(model)
        if desired.target is None and desired.report is not None:
            return self._why_never(desired)
        endpoint = self._endpoints.find(endpoint_name(self._app, model))
        if endpoint is not None and not endpoint.is_owned:
            return ModelFailed(
                f"an endpoint named {endpoint.name!r} exists that is not Tarmac's",
                fix="drop the model under another name, or delete that endpoint",
            )
        if desired.target is None:
            return self._why_never(desired)
        if endpoint is not None and endpoint.status is EndpointStatus.FAILED:
            return _failed(model, endpoint.failure_reason or "SageMaker gave no reason")
        retry_after_s = self._retry_after_s(desired, endpoint)
        when = f"try again in {retry_after_s} s"
        if endpoint is not None and endpoint.status is EndpointStatus.CREATING:
            return ModelStarting(f"model {model!r} is starting; {when}", retry_after_s=retry_after_s)
        if desired.asleep is not None or (endpoint is None and desired.used is not None):
            return ModelAsleep(f"model {model!r} is asleep; waking it, {when}", retry_after_s=retry_after_s)
        return ModelStarting(f"model {model!r} is being deployed; {when}", retry_after_s=retry_after_s)

    def _why_never(self, desired: Desired) -> TarmacError:
        """Tell a refused drop, a failed release and one that was not looked at yet from each other."""
        model, report = desired.model, desired.report
        if report is None:
            wait_s = self._expected_start_s
            return ModelStarting(
                f"model {model!r} is being checked; try again in {math.ceil(wait_s)} s", retry_after_s=math.ceil(wait_s)
            )
        if not report.is_accepted:
            return ModelRefused(
                f"model {model!r} was refused: {refusal_sentence(report.checks)}",
                fix=next((check.fix for check in report.errors if check.fix), None),
            )
        return _failed(model, desired.failure.reason if desired.failure else "it does not start")

    def _retry_after_s(self, desired: Desired, endpoint: Endpoint | None) -> int:
        """Estimate the seconds until the model answers, from its own earlier starts; whole, and at least 1."""
        assert desired.target is not None, "asked only when something can start"  # noqa: S101  # for the type checker
        if endpoint is not None and endpoint.status in ANSWERING and desired.asleep is not None:
            # It runs, and answers again when a look may remove the mark.
            age_s = (self._clock.now() - desired.asleep.at).total_seconds()
            return max(1, math.ceil(MARK_SETTLED_S - age_s))
        starts = self._releases.read_starts(desired.model, desired.target.release)
        start_s = statistics.median(starts) if starts else self._expected_start_s
        elapsed_s = 0.0
        if endpoint is not None and endpoint.status is EndpointStatus.CREATING:
            elapsed_s = (self._clock.now() - endpoint.created_at).total_seconds()
        # Overdue starts are asked about again after a quarter of the usual time, not at once.
        left_s = start_s - elapsed_s if elapsed_s < start_s else start_s / 4
        return max(1, math.ceil(left_s))

    def _nothing_called(self, raw_name: str) -> ModelNotFound:
        return ModelNotFound(
            f"there is no model {raw_name!r}",
            fix=f"list what there is with GET /models, or drop {archive_key('<name>', prefix=self._drops_prefix)}",
        )


def _failed(model: str, reason: str) -> ModelFailed:
    return ModelFailed(
        f"model {model!r} does not start: {reason}",
        fix=f"read its log (tarmac logs {model}), drop a mended archive, or try again with tarmac wake {model}",
    )
