"""One engine: the embedded AWS, the application on it, its HTTP port, queue and schedule. Started by the CLI."""

import hashlib
import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console as Screen

from chalicelib.names import DROPS_PREFIX
from chalicelib.settings import read_hub
from tarmac.local.app_log import AppLog
from tarmac.local.clients import LOCAL_ACCESS_KEY, LOCAL_REGION, LOCAL_SECRET_KEY, LOCAL_SWEEP_FUNCTION, local_client
from tarmac.local.console import Console
from tarmac.local.front import Front, bind_loopback
from tarmac.local.gateway import Gateway
from tarmac.local.poller import Poller
from tarmac.local.schedule import Schedule
from tarmac.local.state_dir import EngineRecord, StateDir

APP = "tarmac"


@dataclass(frozen=True)
class UpOptions:
    """What `tarmac up` was asked for. Port 0 takes any free one; *idle_after* as in TARMAC_IDLE_AFTER."""

    port: int
    aws_port: int
    state: Path
    idle_after: str
    sweep_every_s: float


class LocalEngine:
    """Runs in this process, from `start` to `stop`; a process can run one in its life, for it sets os.environ."""

    def __init__(self, options: UpOptions, screen: Screen) -> None:
        """Show what happens on *screen*."""
        self._options = options
        self._screen = screen
        self._stack = ExitStack()

    def start(self) -> EngineRecord:
        """Start everything, in an order in which nothing that fails leaves something running.

        Raises:
            StateInUse: Another engine has the state directory.
            PortInUse: Somebody listens on a port; the message names the option that changes it.
        """
        try:
            return self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> EngineRecord:
        state = StateDir(self._options.state)
        state.lock()
        self._stack.callback(state.unlock)
        listener = bind_loopback(self._options.port, option="--port")
        self._stack.callback(listener.close)
        bind_loopback(self._options.aws_port, option="--aws-port").close()

        from tarmac.local import guard

        guard.sanitise(os.environ)
        hub_url = self._open_hub_gate()
        guard.forbid_remote_sockets()
        token = state.ensure_token()
        console = Console(self._screen, app=APP)
        log = AppLog(state.log_path, on_record=console.on_record)
        log.open()
        self._stack.callback(log.close)

        from tarmac.local.embedded import EmbeddedAws
        from tarmac.local.lambdas import Functions
        from tarmac.local.stack import ensure_stack

        functions = Functions()
        self._stack.callback(functions.stop)
        aws = EmbeddedAws(state.path, port=self._options.aws_port, functions=functions, hub_url=hub_url)
        aws.start()
        self._stack.callback(aws.stop)
        stack = ensure_stack(aws.url)
        os.environ |= application_environment(aws.url, stack, token=token, idle_after=self._options.idle_after)

        import app  # reads its environment, so it comes after it is set

        gateway = Gateway(app.app)
        front = Front(gateway, listener, on_answer=console.on_answer)
        poller = Poller(local_client("sqs", aws.url), stack.queue_url, app.look, app=APP, on_message=console.on_message)
        schedule = Schedule(app.sweep, self._options.sweep_every_s)
        functions.register(LOCAL_SWEEP_FUNCTION, schedule.invoke)
        # Stopped in reverse: first nobody asks any more, then what is in hand ends, then AWS goes.
        for start, stop in (
            (poller.start, poller.stop),
            (schedule.start, schedule.stop),
            (console.start, console.stop),
        ):
            start()
            self._stack.callback(stop)
        front.start()
        self._stack.callback(front.stop)
        return self._announce(state, front.url, aws.url, stack.bucket)

    def _open_hub_gate(self) -> str:
        """Let the application ask the Hub through a child's port; gives the Hub's own URL, for processes of their own.

        Raises:
            InvalidSetting: HF_ENDPOINT is no URL.
        """
        from tarmac.local.guard import is_local_host
        from tarmac.local.hub_gate import HubGate

        hub_url, _ = read_hub(os.environ)
        if not is_local_host(urlsplit(hub_url).hostname):
            gate = HubGate(hub_url, dict(os.environ))
            self._stack.callback(gate.stop)
            os.environ["HF_ENDPOINT"] = gate.start()
        return hub_url

    def _announce(self, state: StateDir, url: str, aws_url: str, bucket: str) -> EngineRecord:
        record = EngineRecord(
            url=url,
            aws_endpoint_url=aws_url,
            bucket=bucket,
            region=LOCAL_REGION,
            token_file=str(state.token_path),
            state=str(state.path),
            pid=os.getpid(),
        )
        state.write_engine(record)
        self._stack.callback(state.remove_engine)
        return record

    def stop(self) -> None:
        """Stop everything, the last started first; each part gets a few seconds. No process and no port is left."""
        self._stack.close()


def application_environment(aws_url: str, stack: Any, *, token: str, idle_after: str) -> dict[str, str]:
    """Tell the application what its functions' environment tells it on AWS.

    Args:
        aws_url: The embedded AWS.
        stack: A LocalStack.
        token: The bearer token; only its digest is handed on.
        idle_after: TTL, as in TARMAC_IDLE_AFTER.
    """
    return {
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_REGION": LOCAL_REGION,
        "AWS_DEFAULT_REGION": LOCAL_REGION,
        "AWS_ACCESS_KEY_ID": LOCAL_ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": LOCAL_SECRET_KEY,
        "TARMAC_APP": APP,
        "TARMAC_BUCKET": stack.bucket,
        # What the rules of ensure_stack watch, whatever the shell that started this says.
        "TARMAC_DROPS_PREFIX": DROPS_PREFIX,
        "TARMAC_QUEUE_URL": stack.queue_url,
        "TARMAC_ROLE_ARN": stack.role_arn,
        "TARMAC_IDLE_AFTER": idle_after,
        # CloudWatch does not lag here, so a TTL of seconds is safe; and a start takes seconds, not minutes.
        "TARMAC_IDLE_FLOOR": "1s",
        "TARMAC_EXPECTED_START": "5s",
        "TARMAC_TOKEN_SHA256": hashlib.sha256(token.encode()).hexdigest(),
    }
