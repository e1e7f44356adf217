"""The queues of asynchronous endpoints: each request is journalled, sent to the model server, and answered in S3.

Filled by async_door.py. As on AWS nobody has to ask for an answer; a request outlives a restart, and a `kill -9` at
worst has it asked twice.
"""

import base64
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from tarmac.local.connections import AnswerLost, Reply, ReplyTooLarge, ReplyTooSlow, ServerGone
from tarmac.local.journal import Journal
from tarmac.local.runtime_refusals import Refusal, lost, model_error, too_slow
from tarmac.local.sagemaker import EndpointMissing, SageMakerEngine
from tarmac.local.sagemaker_records import EndpointRecord

ANSWER_MAX_BYTES = 1 << 30
"""Source: SageMaker's developer guide, asynchronous inference: payloads up to 1 GB."""
_KIND = "async-request"
_NAMESPACE = "AWS/SageMaker"
_RETRY_S = 0.1
"""How soon a server that is being started again is tried again."""
_ANSWERING = frozenset({"InService", "Updating"})
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AsyncRequest:
    """One accepted request. *key* orders the queue; either *input_uri* or *inline* (base64) is what is asked."""

    key: str
    inference_id: str
    endpoint_name: str
    endpoint_created_at_s: float
    """Which endpoint of that name: a later one does not answer for it."""
    variant_name: str
    headers: dict[str, str]
    output_uri: str
    failure_uri: str | None
    accepted_at_s: float
    ttl_s: float
    timeout_s: float
    input_uri: str | None = None
    inline: str | None = None

    @property
    def fleet(self) -> tuple[str, float]:
        """The endpoint that it waits for."""
        return self.endpoint_name, self.endpoint_created_at_s


class _Failed(Exception):
    """The request ends without an answer; the message goes to the failure path."""


class AsyncRequests:
    """Every queue. One thread hands requests out, and each request in hand has a thread of its own."""

    def __init__(self, engine: SageMakerEngine, journal: Journal, *, interval_s: float) -> None:
        """Send to *engine*'s servers, and tell CloudWatch of the backlogs every *interval_s* seconds."""
        self._engine = engine
        self._journal = journal
        self._interval_s = interval_s
        self._changed = threading.Condition()
        self._waiting: dict[tuple[str, float], deque[AsyncRequest]] = {}
        self._in_hand: Counter[tuple[str, float]] = Counter()
        self._workers: set[threading.Thread] = set()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="async-requests", daemon=True)

    def start(self) -> None:
        """Take up again what was accepted before the last end."""
        with self._changed:
            for _, raw in self._journal.items(_KIND):
                request = AsyncRequest(**raw)
                self._waiting.setdefault(request.fleet, deque()).append(request)
        self._thread.start()

    def stop(self) -> None:
        """Hand out nothing more; what is in hand or waits stays in the journal, and is asked again after a start."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def join(self) -> None:
        """Wait for the requests in hand, whose servers have been ended."""
        for worker in list(self._workers):
            worker.join()

    def endpoint(self, name: str) -> EndpointRecord:
        """Find an endpoint that takes requests, whether its server answers at this moment or not.

        Raises:
            EndpointMissing: There is none, or it is not in service yet, or no more.
        """
        with self._engine.catalogue.lock:
            found = self._engine.catalogue.endpoints.get(name.lower())
            if found is None or found.name != name or found.status not in _ANSWERING:
                raise EndpointMissing(name)
            return found

    def accept(self, request: AsyncRequest) -> None:
        """Take a request: from here on it is not lost."""
        self._journal.put(_KIND, request.key, asdict(request))
        with self._changed:
            self._waiting.setdefault(request.fleet, deque()).append(request)
            self._changed.notify_all()
        # Before the caller hears of it: a sweep that looks at once must see that there is something to do.
        self._tell_backlog(request.fleet)

    def _run(self) -> None:
        told_at = float("-inf")
        while True:
            with self._changed:
                self._changed.wait(_RETRY_S if any(self._waiting.values()) else self._interval_s)
                if self._is_stopping:
                    return
            endpoints = self._endpoints()
            self._forget_orphans(endpoints)
            for fleet, endpoint in endpoints.items():
                if endpoint.status in _ANSWERING:
                    self._hand_out(fleet, endpoint.serving.async_concurrency)
            if time.monotonic() - told_at >= self._interval_s:
                told_at = time.monotonic()
                for fleet, endpoint in endpoints.items():
                    if endpoint.status in _ANSWERING:
                        self._tell_backlog(fleet)

    def _endpoints(self) -> dict[tuple[str, float], EndpointRecord]:
        with self._engine.catalogue.lock:
            found = list(self._engine.catalogue.endpoints.values())
        return {(each.name, each.created_at_s): each for each in found if each.serving.is_async}

    def _forget_orphans(self, endpoints: Mapping[tuple[str, float], EndpointRecord]) -> None:
        """With an endpoint goes its queue, on AWS as here."""
        with self._changed:
            gone = [self._waiting.pop(fleet) for fleet in list(self._waiting) if fleet not in endpoints]
        for request in (each for queue in gone for each in queue):
            self._journal.delete(_KIND, request.key)

    def _hand_out(self, fleet: tuple[str, float], most: int) -> None:
        with self._changed:
            queue = self._waiting.get(fleet)
            while queue and self._in_hand[fleet] < most and not self._is_stopping:
                self._in_hand[fleet] += 1
                worker = threading.Thread(target=self._work, args=(queue.popleft(),), name="async-request", daemon=True)
                self._workers.add(worker)
                worker.start()

    def _work(self, request: AsyncRequest) -> None:
        is_done = False
        try:
            is_done = self._settle(request)
        except Exception:  # noqa: BLE001  # a request that cannot be settled must not hold up those behind it
            _log.exception("the asynchronous request %s cannot be answered", request.inference_id)
            is_done = True
        finally:
            with self._changed:
                self._in_hand[request.fleet] -= 1
                if not is_done:
                    self._waiting.setdefault(request.fleet, deque()).appendleft(request)
                elif not self._is_stopping:
                    self._journal.delete(_KIND, request.key)
                self._workers.discard(threading.current_thread())
                if is_done:
                    # One that is to be tried again has to wait for its server anyhow.
                    self._changed.notify_all()
            if is_done and not self._is_stopping:
                self._tell_backlog(request.fleet)

    def _settle(self, request: AsyncRequest) -> bool:
        """Ask, and write what came of it; False when it must be asked again later."""
        began_s = time.time()
        try:
            reply = self._ask(request)
        except (EndpointMissing, ServerGone):
            return False
        except (Refusal, _Failed) as exc:
            if self._is_stopping:  # then it is we who have ended the server
                return False
            self._write(request.failure_uri, str(exc).encode(), "text/plain; charset=utf-8")
            self._tell(request.endpoint_name, "InvocationFailures", 1, VariantName=request.variant_name)
        else:
            self._write(request.output_uri, reply.body, reply.headers.get("content-type", "application/octet-stream"))
            took_ms = (time.time() - began_s) * 1000
            self._tell(request.endpoint_name, "TotalProcessingTime", took_ms, VariantName=request.variant_name)
        self._tell(request.endpoint_name, "InvocationsProcessed", 1, VariantName=request.variant_name)
        return True

    def _ask(self, request: AsyncRequest) -> Reply:
        waited_s = time.time() - request.accepted_at_s
        if waited_s > request.ttl_s:
            self._tell(request.endpoint_name, "ExpiredRequests", 1)
            raise _Failed(f"The request was not answered within {request.ttl_s:g} s, and has expired.")
        body, headers = self._read(request), request.headers
        with self._engine.target(request.endpoint_name) as target:
            self._tell(request.endpoint_name, "TimeInBacklog", waited_s * 1000, VariantName=request.variant_name)
            try:
                reply = target.connections.post(
                    "/invocations", body, headers, timeout_s=request.timeout_s, max_bytes=ANSWER_MAX_BYTES
                )
            except ReplyTooSlow as exc:
                raise too_slow(exc, target) from exc
            except AnswerLost as exc:
                raise lost(request.endpoint_name, exc, target) from exc
            except ReplyTooLarge as exc:
                raise model_error(0, f"{exc}.", target) from exc
            if not 200 <= reply.status < 300:
                raise model_error(reply.status, reply.body.decode("utf-8", "replace"), target)
            return reply

    def _read(self, request: AsyncRequest) -> bytes:
        if request.input_uri is None:
            return base64.b64decode(request.inline or "")
        address = urlsplit(request.input_uri, allow_fragments=False)
        try:
            return self._engine.outlets.path_of(address.netloc, address.path.lstrip("/")).read_bytes()
        except (KeyError, OSError) as exc:
            raise _Failed(f"The input at {request.input_uri} cannot be read: there is no such object.") from exc

    def _write(self, uri: str | None, content: bytes, content_type: str) -> None:
        if uri is None:
            return
        address = urlsplit(uri, allow_fragments=False)
        self._engine.outlets.store(address.netloc, address.path.lstrip("/"), content, content_type)

    def _tell_backlog(self, fleet: tuple[str, float]) -> None:
        with self._changed:
            queue = self._waiting.get(fleet) or ()
            size = len(queue) + self._in_hand[fleet]
            oldest_s = min((each.accepted_at_s for each in queue), default=time.time())
        name = fleet[0]
        self._tell(name, "ApproximateBacklogSize", size)
        self._tell(name, "ApproximateBacklogSizePerInstance", size)
        # There is always the one process, even while it is being started again.
        self._tell(name, "HasBacklogWithoutCapacity", 0)
        self._tell(name, "ApproximateAgeOfOldestRequest", time.time() - oldest_s)

    def _tell(self, name: str, metric: str, value: float, **dimensions: Any) -> None:
        try:
            self._engine.outlets.record(_NAMESPACE, metric, {"EndpointName": name, **dimensions}, value)
        except Exception:  # noqa: BLE001  # an answer is not withheld because it could not be counted
            _log.exception("CloudWatch did not take %s", metric)
