"""The commands' way to a running Tarmac: where it is, its HTTP API, the AWS beside it. Used by every online command."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from chalicelib.errors import TarmacError
from chalicelib.names import DROPS_PREFIX
from tarmac.local.clients import LOCAL_REGION, LOCAL_SWEEP_FUNCTION, local_client
from tarmac.local.guard import LOOPBACK_HOSTS
from tarmac.local.state_dir import StateDir

if TYPE_CHECKING:
    import httpx

LOCAL_APP = "tarmac"


class CommandFailed(TarmacError):
    """A command was refused or failed; carries the API's own code where it was the API that refused."""

    def __init__(
        self,
        message: str,
        *,
        fix: str | None = None,
        code: str = "failed",
        status: int = 0,
        wait_s: float | None = None,
    ) -> None:
        super().__init__(message, fix=fix, retry_after_s=wait_s)
        self.code = code
        self.status = status


@dataclass(frozen=True)
class Address:
    """Where a Tarmac is and what opens it.

    Attributes:
        url: Of its HTTP API; empty where a stage has none (in the embedded AWS).
        token: The bearer token; empty when it is not known.
        aws_endpoint_url: The embedded AWS; empty where *clients* knows the way.
        state: The engine's state directory, where that is how it was found.
        stage: The deployed stage's name; None for an engine on this machine.
        app: What its SageMaker resources' names begin with.
        drops_prefix: Where in the bucket people drop.
        sweep_function: The sweep's Lambda function.
        clients: Makes boto3 clients of the stage's account.
    """

    url: str
    token: str
    aws_endpoint_url: str
    bucket: str
    region: str
    state: Path | None
    stage: str | None = None
    app: str = LOCAL_APP
    drops_prefix: str = DROPS_PREFIX
    sweep_function: str = LOCAL_SWEEP_FUNCTION
    clients: Callable[[str], Any] | None = None


def find_address(state: Path, *, environ: Mapping[str, str] = os.environ) -> Address:
    """Find the engine: by TARMAC_URL where that is set, else by what `tarmac up` wrote into the state directory.

    Raises:
        CommandFailed: No engine is known, its token is not, or an address is not on this machine.
    """
    state_dir = StateDir(state)
    if url := environ.get("TARMAC_URL"):
        token = environ.get("TARMAC_TOKEN") or state_dir.read_token()
        if not token:
            raise CommandFailed("TARMAC_URL is set, TARMAC_TOKEN is not", fix='run: eval "$(tarmac env)"')
        return Address(
            url=url.rstrip("/"),
            token=token,
            aws_endpoint_url=_loopback("AWS_ENDPOINT_URL", environ.get("AWS_ENDPOINT_URL") or "http://127.0.0.1:4566"),
            bucket=environ.get("TARMAC_BUCKET") or "tarmac-local",
            region=environ.get("AWS_REGION") or LOCAL_REGION,
            state=None,
        )
    record, token = state_dir.read_engine(), state_dir.read_token()
    if record is None or token is None:
        raise CommandFailed(
            f"no engine runs on {state_dir.path}",
            fix="start one in another terminal: tarmac up (or name its directory with --state)",
            code="engine_not_running",
        )
    return Address(
        url=record.url,
        token=token,
        aws_endpoint_url=_loopback("engine.json", record.aws_endpoint_url),
        bucket=record.bucket,
        region=record.region,
        state=state_dir.path,
    )


def _loopback(source: str, url: str) -> str:
    """Let only addresses of this machine pass: nothing but --stage leads a command to the real AWS."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if host not in LOOPBACK_HOSTS:
        raise CommandFailed(f"{source} names {url!r}, which is not this machine", fix='run: eval "$(tarmac env)"')
    return url


class Engine:
    """One running Tarmac, as the commands use it: on this machine, or a stage on AWS."""

    def __init__(self, address: Address) -> None:
        self.address = address

    @property
    def poll_every_s(self) -> float:
        """How often to ask what has become of a model; a stage is billed for each time."""
        return 0.2 if self.address.stage is None else 3.0

    @cached_property
    def _http(self) -> "httpx.Client":
        import httpx

        if not self.address.url:
            fix = "in the embedded AWS it is tarmac up that serves the application; leave --stage away there"
            raise CommandFailed(f"the stack of stage {self.address.stage} has no HTTP API", fix=fix)
        if not self.address.token:
            fix = f"export TARMAC_TOKEN=... ; a new one: tarmac deploy --stage {self.address.stage} --new-token"
            raise CommandFailed("TARMAC_TOKEN is not set, and the API asks for it", fix=fix, code="token_missing")
        return httpx.Client(
            base_url=self.address.url,
            headers={"Authorization": f"Bearer {self.address.token}"},
            timeout=httpx.Timeout(60, connect=5),
            # A proxy set for the person's browser must not get what stays on this machine, nor the token in it.
            trust_env=self.address.stage is not None,
        )

    def aws(self, service: str) -> Any:
        """Make a boto3 client: of the embedded AWS, or of the stage's account."""
        if self.address.clients is not None:
            return self.address.clients(service)
        # A sweep of many models, or the end of a large upload, answers late; asking twice would do it twice.
        return local_client(service, self.address.aws_endpoint_url, region=self.address.region, read_timeout_s=600)

    def call(self, method: str, path: str, *, body: bytes | None = None) -> dict[str, Any]:
        """Ask the API and read its JSON.

        Raises:
            CommandFailed: The engine does not answer, or refuses; with its own code, message and fix.
        """
        answer = self.send(method, path, body=body)
        if answer.status_code >= 400:
            raise self.failure_of(answer)
        try:
            raw = answer.json()
        except ValueError:
            raw = None
        if not isinstance(raw, dict):
            raise _not_tarmac(self.address.url)
        return raw

    def send(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> "httpx.Response":
        """Send one request and give back the answer as it is, whatever its status.

        Raises:
            CommandFailed: Nothing answers.
        """
        import httpx

        try:
            return self._http.request(method, path, content=body, headers=headers)
        except httpx.ConnectError as exc:
            raise self._no_answer() from exc
        except httpx.TimeoutException as exc:
            raise CommandFailed(f"{self.address.url} took too long to answer", code="timed_out") from exc
        except httpx.HTTPError as exc:
            raise CommandFailed(f"the connection to {self.address.url} broke: {exc}", code="connection_broken") from exc

    def failure_of(self, answer: "httpx.Response") -> CommandFailed:
        """Read a refusal of the API's."""
        failure = _failure_of(answer)
        if answer.status_code in (401, 403) and failure.code.startswith("token"):
            stage = self.address.stage
            failure.fix = (
                'the engine\'s own token is in its state directory; run: eval "$(tarmac env)"'
                if stage is None
                else f"TARMAC_TOKEN must open this stage; a new one: tarmac deploy --stage {stage} --new-token"
            )
        return failure

    def _no_answer(self) -> CommandFailed:
        if self.address.stage is None:
            fix, message = "start it in another terminal: tarmac up", "the engine does not answer at"
        else:
            fix, message = f"tarmac doctor --stage {self.address.stage}", "the stage's API does not answer at"
        return CommandFailed(f"{message} {self.address.url}", fix=fix, code="engine_not_running")

    def model(self, name: str) -> dict[str, Any]:
        """Read everything about one model."""
        return self.call("GET", model_path(name))

    def find_model(self, name: str) -> dict[str, Any] | None:
        """Read everything about one model; None when there is none of that name."""
        try:
            return self.model(name)
        except CommandFailed as exc:
            if exc.status == 404:
                return None
            raise

    def models(self) -> list[dict[str, Any]]:
        """Read one summary a model."""
        rows: list[dict[str, Any]] = self.call("GET", "/models")["models"]
        return rows


def model_path(name: str, *rest: str) -> str:
    """Make the API's path of a model, whatever characters the name has."""
    return "/".join(["/models", quote(name, safe=""), *rest])


def _failure_of(answer: "httpx.Response") -> CommandFailed:
    try:
        raw = answer.json()["error"]
        code, message, fix = raw["code"], raw["message"], raw.get("fix")
    except (ValueError, KeyError, TypeError):
        return _not_tarmac(str(answer.url))
    wait = answer.headers.get("retry-after", "")
    return CommandFailed(
        message, fix=fix, code=code, status=answer.status_code, wait_s=float(wait) if wait.isdigit() else None
    )


def _not_tarmac(url: str) -> CommandFailed:
    return CommandFailed(
        f"what answers at {url} is not Tarmac",
        fix="look who listens on that port, or start tarmac up with another --port",
        code="not_tarmac",
    )


def aws_refusals(call: Callable[[], Any], *, what: str, fix: str | None = None) -> Any:
    """Run calls to AWS, the embedded one or a stage's, with its errors as a command's; *fix* for when it refuses.

    Raises:
        CommandFailed: AWS refused or does not answer.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

    try:
        return call()
    except EndpointConnectionError as exc:
        host = urlsplit(str(exc.kwargs.get("endpoint_url"))).hostname
        message, fix = (
            ("the embedded AWS does not answer", "start it: tarmac up")
            if host in LOOPBACK_HOSTS
            else (f"AWS cannot be reached at {host}", "check the network, then run the same command again: it goes on")
        )
        raise CommandFailed(message, fix=fix, code="engine_not_running") from exc
    except ClientError as exc:
        message = f"{what}: {exc.response['Error'].get('Message', exc)}"
        raise CommandFailed(message, fix=fix, code="aws_refused") from exc
    except (BotoCoreError, Boto3Error) as exc:
        raise CommandFailed(f"{what}: {exc}", fix=fix, code="aws_failed") from exc
