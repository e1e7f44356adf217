"""The first code in a model server's process: ties its life to the engine's, then runs serve.py. Started by servers.py.

Runs as a script, with nothing but the standard library, so that no module of ours is imported beside the model's own.

    python child.py LEASH_FD isolated|open SERVE_PY [ARGUMENT...]
"""

import ctypes
import fcntl
import ipaddress
import os
import runpy
import signal
import socket
import struct
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_CAPABILITIES_VERSION = 0x20080522
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_ADDRESS_EVENTS = frozenset({"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"})
_NAME_EVENTS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})


def die_with_parent(leash_fd: int) -> None:
    """End this process and its group when the engine is gone, whatever ended it.

    Args:
        leash_fd: The reading end of a pipe whose only writing end is the engine's: end of file says that it has died.
    """
    if sys.platform == "linux" and not _end_group_at_end_of_leash(leash_fd):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    threading.Thread(target=_await_end_of_leash, args=(leash_fd,), name="leash", daemon=True).start()


def _end_group_at_end_of_leash(leash_fd: int) -> bool:
    """Have the kernel itself end the whole group the moment the pipe breaks, with no turn at Python's lock.

    PR_SET_PDEATHSIG is for where this is refused: it takes this process alone, so that its children are nobody's, and
    comes when the *thread* that started the process ends, which is before the pipe breaks.
    """
    try:
        fcntl.fcntl(leash_fd, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(leash_fd, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(leash_fd, fcntl.F_SETFL, fcntl.fcntl(leash_fd, fcntl.F_GETFL) | os.O_ASYNC)
    except OSError:
        return False
    return True


def _await_end_of_leash(leash_fd: int) -> None:
    with suppress(OSError):
        while os.read(leash_fd, 1):
            pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


def leave_network() -> bool:
    """Move this process, and all that it will start, into a network of its own: nothing is in it but a loopback.

    The listening socket was made outside and stays there, so that requests come in. This machine's own loopback is
    outside, too. Linux lets an ordinary user do this together with a user namespace, unless it was told not to
    (containers, some distributions).

    Returns:
        False where that is not possible. The process must have one thread.
    """
    if sys.platform != "linux":
        return False
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return False
    with suppress(OSError):  # isolated it is by now; without these it only sees itself as nobody
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    with suppress(OSError), socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))
    # In a user namespace of its own a process may do much that an ordinary user may not: none of it is needed.
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.capset(struct.pack("Ii", _CAPABILITIES_VERSION, 0), bytes(24))
    return True


def refuse_outside() -> None:
    """Refuse every socket that is not loopback, as the network isolation of SageMaker's containers does.

    It holds for Python code in this process, and says why; what a native library opens on its own is not seen.
    """
    sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _NAME_EVENTS:
        host = arguments[0]
    elif event in _ADDRESS_EVENTS:
        address = arguments[1] if event != "socket.sendto" else arguments[-1]
        host = address[0] if isinstance(address, tuple) and address else None
    else:
        return
    if isinstance(host, str | bytes) and not _is_loopback(host):
        raise PermissionError(f"network isolation: this model may not reach {host!r}")


def _is_loopback(host: str | bytes) -> bool:
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if text == "localhost":
        return True
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False


def main() -> None:
    """Run serve.py as the main program, on the leash."""
    leash_fd, network, serve_path, *arguments = sys.argv[1:]
    is_alone = network == "isolated" and leave_network()
    die_with_parent(int(leash_fd))
    if network == "isolated":
        refuse_outside()
        if not is_alone:
            sys.stderr.write(
                "tarmac: no network namespace is to be had here: Python code alone is kept from the network\n"
            )
    sys.argv = [serve_path, *arguments]
    # The script's own folder stands first in sys.path; here that is ours, whose module names are common words.
    sys.path[0] = str(Path(serve_path).resolve().parent)
    runpy.run_path(serve_path, run_name="__main__")


if __name__ == "__main__":
    main()
