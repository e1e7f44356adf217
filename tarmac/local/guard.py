"""Keeps this process on this machine: no credential of the person's, no address but loopback. Called first by `up`."""

import ipaddress
import os
import socket
import sys
from collections.abc import MutableMapping
from typing import Any

DUMMY_KEY = "tarmac"
DUMMY_SECRET = "tarmac-local"  # noqa: S105  # nothing checks it
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")

# AWS_IGNORE_CONFIGURED_ENDPOINT_URLS alone would send every SDK to the real AWS, with the real keys.
_REMOVED_PREFIXES = ("AWS_", "BOTO_", "MOTO_", "AMAZON_", "EC2_")


class RemoteConnectionRefused(Exception):
    """Something in this process wanted to leave the machine.

    Not an OSError on purpose: SDKs take those for a flaky network, and try again.
    """


def sanitise(
    environ: MutableMapping[str, str], *, endpoint_url: str | None = None, region: str = "us-east-1"
) -> MutableMapping[str, str]:
    """Take everything of AWS out of *environ*, in place, and put dummies in.

    Args:
        environ: Usually os.environ.
        endpoint_url: The embedded AWS; None where it is not known yet.
        region: Only ever echoed.

    Returns:
        *environ*.
    """
    for name in [name for name in environ if name.upper().startswith(_REMOVED_PREFIXES)]:
        del environ[name]
    environ.update(
        {
            "AWS_ACCESS_KEY_ID": DUMMY_KEY,
            "AWS_SECRET_ACCESS_KEY": DUMMY_SECRET,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    )
    if endpoint_url is not None:
        environ["AWS_ENDPOINT_URL"] = endpoint_url
    # Both spellings: where both are set, some libraries read only the lower one and some only the upper.
    kept = [host.strip() for host in (environ.get("no_proxy") or environ.get("NO_PROXY") or "").split(",")]
    hosts = kept if kept == ["*"] else dict.fromkeys([*filter(None, kept), *LOOPBACK_HOSTS])
    environ["NO_PROXY"] = environ["no_proxy"] = ",".join(hosts)
    return environ


def is_local_host(host: object) -> bool:
    """Tell whether a host, by name or number, is this machine."""
    if host is None:
        return True
    name = (host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)).lower().rstrip(".")
    if name in {"", "localhost"} or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def forbid_remote_sockets() -> None:
    """From now on no socket of this process reaches another machine, and no other machine's name is looked up.

    For the rest of the process's life: Python cannot take an audit hook back. Calling it again changes nothing.
    """
    if not _Guard.is_on:
        _Guard.is_on = True
        sys.addaudithook(_audit)


class _Guard:
    is_on = False


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if not event.startswith("socket."):
        return
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        connection, address = args[0], args[1]
        if address is None or getattr(connection, "family", None) not in {socket.AF_INET, socket.AF_INET6}:
            return
        host = address[0]
    elif event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}:
        host = args[0]
    else:
        return
    if not is_local_host(host):
        raise RemoteConnectionRefused(
            f"{host} is not this machine: in local mode Tarmac never leaves it, whatever AWS set-up surrounds it"
        )
