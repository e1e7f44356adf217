"""Who asks, and where: one AWS account in one region, with clients made when needed. Built by the command line."""

import os
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from tarmac.local.guard import LOOPBACK_HOSTS
from tarmac.stack.errors import WrongRegion
from tarmac.stack.explanations import NAME_A_REGION, explained

CONNECT_TIMEOUT_S = 10


class Clients(Protocol):
    """Hands out boto3 clients by service name; tests hand out others."""

    def __call__(self, service: str) -> Any:
        """The client of that service."""


@dataclass
class Account:
    """An account and region, as the credentials at hand see them."""

    clients: Clients
    region: str
    partition: str = "aws"
    is_embedded: bool = False
    """Whether the endpoint is on this machine: the embedded AWS, or something like it."""
    account_id: str = field(default="", init=False)
    arn: str = field(default="", init=False)

    def identify(self) -> "Account":
        """Ask AWS who we are: the first call, so that bad credentials are told before anything is done.

        Raises:
            NoAccess: There are no credentials, or they have expired or are wrong.
            WrongRegion: The region cannot be reached.
        """
        with explained():
            raw = self.clients("sts").get_caller_identity()
        self.account_id, self.arn = raw["Account"], raw["Arn"]
        return self


def open_account(*, profile: str | None = None, region: str | None = None) -> Account:
    """Open the account that the environment, or the named profile, gives access to.

    Raises:
        WrongRegion: No region is set, or botocore has never heard of it.
        NoAccess: There is no such profile, or its credentials do not work.
    """
    import boto3
    from botocore.config import Config

    with explained():
        # boto3 reads AWS_DEFAULT_REGION alone; every other SDK, and the AWS CLI's second version, AWS_REGION first.
        session = boto3.Session(profile_name=profile, region_name=region or os.environ.get("AWS_REGION") or None)
        if session.region_name is None:
            raise WrongRegion("no region is set", fix=NAME_A_REGION)
        known = session.get_available_regions("sagemaker", partition_name=_partition(session))
        if session.region_name not in known:
            raise WrongRegion(
                f"SageMaker does not run in {session.region_name!r}", fix=f"choose one of: {', '.join(known)}"
            )
    config = Config(connect_timeout=CONNECT_TIMEOUT_S, retries={"mode": "standard", "max_attempts": 5})
    made: dict[str, Any] = {}

    def clients(service: str) -> Any:
        if service not in made:
            made[service] = session.client(service, config=config)
        return made[service]

    with explained():
        is_embedded = urlsplit(clients("cloudformation").meta.endpoint_url).hostname in LOOPBACK_HOSTS
    return Account(clients, session.region_name, _partition(session), is_embedded).identify()


def _partition(session: Any) -> str:
    partition: str = session.get_partition_for_region(session.region_name)
    return partition
