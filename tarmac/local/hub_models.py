"""Has a model of the Hugging Face Hub fetched by a process of its own. Called by servers.py before a start.

The engine's own process may not leave the machine (guard.py), and need not: this child has no credential of AWS's.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tarmac.local.processes import CHILD_PATH
from tarmac.local.unpacking import BadArchiveError, UnpackingStopped

DEFAULT_URL = "https://huggingface.co"
_FETCH_PATH = Path(__file__).with_name("hub_fetch.py")
_POLL_S = 0.05


@dataclass(frozen=True)
class HubModels:
    """Where models of the Hub come from on this machine.

    Attributes:
        cache: A folder of its own: what was fetched once starts again without the Hub.
        url: The Hub; None for the one that a model's own environment names.
    """

    cache: Path
    url: str | None = None

    def fetch(
        self, environment: Mapping[str, str], into: Path, *, is_stopped: Callable[[], bool], say: Callable[[str], None]
    ) -> None:
        """Fetch the model that a container's *environment* names (HF_MODEL_ID, HF_MODEL_REVISION) into *into*.

        Raises:
            BadArchiveError: It cannot be had; the message says why.
            UnpackingStopped: *is_stopped* said so.
        """
        model, revision = environment["HF_MODEL_ID"], environment.get("HF_MODEL_REVISION") or "main"
        url = self.url or environment.get("HF_ENDPOINT") or DEFAULT_URL
        quiet = {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        told = {**environment, "HF_ENDPOINT": url, **quiet}
        self.cache.mkdir(parents=True, exist_ok=True)
        leash_fd, leash = os.pipe()
        try:
            child = subprocess.Popen(
                [
                    *(sys.executable, str(CHILD_PATH), str(leash_fd), "open", str(_FETCH_PATH)),
                    *(model, revision, str(self.cache), str(into)),
                ],
                env=told,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                pass_fds=(leash_fd,),
                start_new_session=True,
            )
            said, complaint = _await_end(child, is_stopped)
        finally:
            os.close(leash_fd)
            os.close(leash)
        if child.returncode != 0:
            reason = complaint.strip().rpartition("\n")[2] or f"it exited with status {child.returncode}"
            raise BadArchiveError(f"the model {model} could not be fetched from {url}: {reason}")
        say(f"tarmac: {said.strip()}")


def _await_end(child: subprocess.Popen[str], is_stopped: Callable[[], bool]) -> tuple[str, str]:
    while True:
        try:
            return child.communicate(timeout=_POLL_S)
        except subprocess.TimeoutExpired:
            if is_stopped():
                child.kill()
                child.communicate()
                raise UnpackingStopped from None
