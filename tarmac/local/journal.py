"""What the embedded AWS must remember across a `kill -9`: small JSON records in SQLite. Called by every backend."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """Records by (kind, key). Each call is one durable transaction; safe from any thread."""

    def __init__(self, path: Path) -> None:
        """Open or create the journal at *path*."""
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # WAL with synchronous=NORMAL survives a kill of the process; only a power cut may lose the last moments.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS record (kind TEXT, key TEXT, raw TEXT NOT NULL, PRIMARY KEY (kind, key))"
        )

    def put(self, kind: str, key: str, raw: dict[str, Any]) -> None:
        """Write a record, in place of any other under the same key. *raw* must survive JSON."""
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", (kind, key, json.dumps(raw)))

    def delete(self, kind: str, key: str) -> None:
        """Remove a record; done when there is none."""
        with self._lock:
            self._db.execute("DELETE FROM record WHERE kind = ? AND key = ?", (kind, key))

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """Read one record."""
        with self._lock:
            row = self._db.execute("SELECT raw FROM record WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        return None if row is None else json.loads(row[0])

    def items(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Read all records of a kind, in the order of their keys."""
        with self._lock:
            rows = self._db.execute("SELECT key, raw FROM record WHERE kind = ? ORDER BY key", (kind,)).fetchall()
        for key, raw in rows:
            yield key, json.loads(raw)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
