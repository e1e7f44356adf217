"""What one engine keeps on disk beside its objects: the lock, the token, where it runs. Called by up and the CLI."""

import fcntl
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from chalicelib.errors import ConfigurationError


class StateInUse(ConfigurationError):
    """Another engine holds the lock of the state directory."""

    code = "state_in_use"


@dataclass(frozen=True)
class EngineRecord:
    """Where a running engine is: the content of engine.json, and of `tarmac up --json`'s one line."""

    url: str
    aws_endpoint_url: str
    bucket: str
    region: str
    token_file: str
    state: str
    pid: int


class StateDir:
    """One directory that one engine at a time may use."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock_file: IO[str] | None = None

    @property
    def token_path(self) -> Path:
        """Where the bearer token is, mode 0600."""
        return self.path / "token"

    @property
    def engine_path(self) -> Path:
        """Where the running engine says where it is."""
        return self.path / "engine.json"

    @property
    def log_path(self) -> Path:
        """Where the application's raw JSON log goes."""
        return self.path / "logs" / "app.jsonl"

    def lock(self) -> None:
        """Take the directory for this process, until `unlock` or its death.

        Raises:
            StateInUse: Another process has it.
            OSError: The directory cannot be made or written.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock_file = (self.path / "lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            lock_file.seek(0)
            holder = lock_file.read().strip() or "unknown"
            lock_file.close()
            raise StateInUse(
                f"another tarmac up (pid {holder}) is using {self.path}",
                fix="stop it, or start this one with another --state, --port and --aws-port",
            ) from exc
        lock_file.truncate(0)
        lock_file.write(str(os.getpid()))
        lock_file.flush()
        self._lock_file = lock_file

    def unlock(self) -> None:
        """Give the directory back; done when it is not held."""
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None

    def is_locked(self) -> bool:
        """Tell whether an engine, in this process or another, holds the directory now."""
        try:
            with (self.path / "lock").open("r", encoding="utf-8") as lock_file:
                fcntl.flock(lock_file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def ensure_token(self) -> str:
        """Read the token, making it on the first start: it stays the same for the life of the directory."""
        token = self.read_token()
        if token is None:
            token = secrets.token_urlsafe(32)
            # Born with its mode: a file made first and closed to others later can be read in between.
            descriptor = os.open(self.token_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(token + "\n")
        return token

    def read_token(self) -> str | None:
        """Read the token; None when no engine has been started here yet."""
        try:
            return self.token_path.read_text(encoding="ascii").strip() or None
        except FileNotFoundError:
            return None

    def write_engine(self, record: EngineRecord) -> None:
        """Say where the engine runs, all at once: readers never see half of it."""
        partial = self.engine_path.with_suffix(".new")
        partial.write_text(json.dumps(asdict(record)) + "\n", encoding="utf-8")
        partial.replace(self.engine_path)

    def read_engine(self) -> EngineRecord | None:
        """Read where an engine runs, or last ran when it was killed; None when there is no such record."""
        try:
            raw: dict[str, Any] = json.loads(self.engine_path.read_text(encoding="utf-8"))
            return EngineRecord(**raw)
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def remove_engine(self) -> None:
        """Take the record away: the engine stops."""
        self.engine_path.unlink(missing_ok=True)
