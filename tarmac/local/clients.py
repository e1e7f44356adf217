"""boto3 clients that can only ever reach the embedded AWS. Made by up, the poller and the command line."""

import os
from typing import Any

LOCAL_REGION = "us-east-1"
LOCAL_SWEEP_FUNCTION = "tarmac-sweep"
"""The name under which the embedded Lambda knows the sweep."""
LOCAL_ACCESS_KEY = "tarmac"
LOCAL_SECRET_KEY = "tarmac-local"  # noqa: S105  # the embedded AWS checks no signature; any value opens it


def local_client(service: str, endpoint_url: str, *, region: str = LOCAL_REGION, read_timeout_s: float = 60) -> Any:
    """Make a client of its own session: explicit address, dummy keys, and deaf to the person's own AWS set-up.

    Profiles, config files, proxies and AWS_* variables of the environment are not read: a profile that is missing
    would stop the client from being made, and one that is there would lead it to the real AWS.

    Args:
        service: As boto3 names it, e.g. "s3".
        endpoint_url: The embedded AWS, on loopback.
        region: Only ever echoed; nothing is in a region here.
        read_timeout_s: Longest wait for an answer to begin.
    """
    import boto3
    import botocore.session
    from botocore.config import Config

    nowhere = (None, None, os.devnull, None)
    core = botocore.session.Session(
        session_vars={"profile": (None, None, None, None), "config_file": nowhere, "credentials_file": nowhere}
    )
    core.set_credentials(LOCAL_ACCESS_KEY, LOCAL_SECRET_KEY)
    session = boto3.session.Session(botocore_session=core, region_name=region)
    config = Config(
        proxies={},
        read_timeout=read_timeout_s,
        connect_timeout=5,
        retries={"total_max_attempts": 2},
        max_pool_connections=16,
        s3={"addressing_style": "path"},
        # The signature holds a SHA-256 of every body already, which the embedded AWS verifies.
        request_checksum_calculation="when_required",
    )
    return session.client(service, endpoint_url=endpoint_url, config=config)
