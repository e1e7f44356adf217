"""The embedded AWS: one loopback port, a state directory, and everything that answers there. Started by `up`."""

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from tarmac.local.journal import Journal
from tarmac.local.lambdas import Functions
from tarmac.local.server import PortInUse, Route, Server

__all__ = ["EmbeddedAws", "PortInUse"]

_SERVE_PATH = Path(__file__).parents[2] / "inference_code" / "serve.py"


class EmbeddedAws:
    """AWS in this process, from `start` to `stop`. One at a time: moto's state is the process's."""

    _only_one = threading.Lock()

    def __init__(
        self,
        state: Path,
        *,
        port: int = 0,
        region: str = "us-east-1",
        account: str = "123456789012",
        functions: Functions | None = None,
        serve_path: Path = _SERVE_PATH,
        quotas: Mapping[str, int] | None = None,
        **engine_options: Any,
    ) -> None:
        """Keep everything under *state*; nothing happens before `start`.

        Args:
            state: A directory, made when it is missing.
            port: 0 takes a free one.
            region: The region in every ARN.
            account: The account in every ARN.
            functions: What Lambda's Invoke finds; stopped by its owner.
            serve_path: The script that serves a model.
            quotas: How many instances of each type the account may run for endpoints; None: nothing is known of any.
            engine_options: For SageMaker's engine, e.g. ping_timeout_s.
        """
        self._state = state
        self._port = port
        self._region = region
        self._account = account
        self._functions = functions
        self._serve_path = serve_path
        self._quotas = quotas or {}
        self._engine_options: Mapping[str, Any] = engine_options
        self._stack = ExitStack()
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Where SDKs must be pointed. Raises RuntimeError before the start."""
        if self._server is None:
            raise RuntimeError("the embedded AWS has not been started")
        return self._server.url

    def start(self) -> None:
        """Bring back what the state holds, and listen.

        Raises:
            PortInUse: Nothing is left running.
            RuntimeError: Another one runs in this process.
        """
        if not self._only_one.acquire(blocking=False):
            raise RuntimeError("another embedded AWS runs in this process")
        self._stack.callback(self._only_one.release)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop, in reverse: no port, thread or process is left. What the state holds stays."""
        self._server = None
        self._stack.close()

    def _start(self) -> None:
        # Here and not above: moto takes a third of a second, which `tarmac --help` need not wait for.
        from tarmac.local import logs, metrics, quotas, s3_backend, s3_events, sagemaker_responses
        from tarmac.local.async_requests import AsyncRequests
        from tarmac.local.deployments import Outlets
        from tarmac.local.objects import ObjectStore
        from tarmac.local.runtime import RuntimeRoute
        from tarmac.local.s3_door import S3Door
        from tarmac.local.sagemaker import METRIC_INTERVAL_S, SageMakerEngine
        from tarmac.local.swaps import forget_everything

        forget_everything(self._stack, account=self._account)
        self._state.mkdir(parents=True, exist_ok=True)
        journal = Journal(self._state / "journal.sqlite")
        self._stack.callback(journal.close)
        store = ObjectStore(self._state / "objects", journal)
        s3_events.install(self._stack)
        s3 = s3_backend.install(self._stack, store, journal, account=self._account)
        recorder = metrics.install(self._stack, account=self._account, region=self._region)
        writer = logs.install(self._stack, account=self._account, region=self._region)
        engine = SageMakerEngine(
            journal=journal,
            servers_dir=self._state / "servers",
            serve_path=self._serve_path,
            outlets=Outlets(
                path_of=store.path_of,
                record=recorder.record,
                append=writer.append,
                put_event=partial(s3_events.put_event, account=self._account, region=self._region),
                store=s3.put_bytes,
            ),
            region=self._region,
            **self._engine_options,
        )
        sagemaker_responses.install(self._stack, engine)
        quotas.install(self._stack, self._quotas)
        requests = AsyncRequests(
            engine, journal, interval_s=float(self._engine_options.get("metric_interval_s", METRIC_INTERVAL_S))
        )
        # S3 first: a bucket may be called `endpoints`.
        routes: list[Route] = [S3Door(s3), RuntimeRoute(engine, requests)]
        if self._functions is not None:
            routes.append(self._functions)
        server = Server(routes, port=self._port)
        self._stack.callback(server.stop)
        self._stack.callback(requests.join)
        engine.start()
        self._stack.callback(engine.stop)
        requests.start()
        self._stack.callback(requests.stop)
        server.start()
        self._server = server
