"""A Hugging Face Hub on loopback, in the Hub's wire format, for its real clients. Called by the tests of hub models.

Source: what huggingface_hub 2.4 asks for and reads: /api/models/ID[/revision/REV], /api/models/ID/tree/REV, and
/ID/resolve/REV/PATH with ETag, X-Repo-Commit and, for large files, a redirect with X-Linked-ETag and X-Linked-Size.
"""

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_of_the_tests"
_API = re.compile(r"/api/models/(?P<id>[^/]+/[^/]+)(/(?P<kind>revision|tree)/(?P<revision>[^/]+))?")
_FILE = re.compile(r"/(?P<id>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


@dataclass
class Repo:
    """One model repository: its branches, and the files of every commit."""

    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    """Of the API's answer: pipeline_tag, library_name, safetensors."""
    is_gated: bool = False
    is_private: bool = False

    def commit(self, files: Mapping[str, bytes], *, branch: str = "main") -> str:
        """Make a commit of these files, and return its hash."""
        digest = hashlib.sha1(f"{sorted(files)}{len(self.commits)}".encode())
        for path in sorted(files):
            digest.update(files[path])
        self.commits[digest.hexdigest()] = dict(files)
        self.branches[branch] = digest.hexdigest()
        return digest.hexdigest()

    def resolve(self, revision: str) -> str | None:
        """The commit of a branch, or of itself."""
        return revision if revision in self.commits else self.branches.get(revision)


class HubServer:
    """The server, from entering to leaving the context."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.asked: list[str] = []
        """`METHOD path` of every request."""
        self.fails_with: int | None = None
        """A status that every request gets instead of an answer."""
        hub = self

        class Handler(_Handler):
            server_hub = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "HubServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def add(self, repo_id: str, files: Mapping[str, bytes], **facts: Any) -> Repo:
        """Add a repository with one commit on main."""
        repo = self.repos.setdefault(repo_id, Repo())
        repo.facts |= facts
        repo.commit(files)
        return repo

    def downloads(self) -> list[str]:
        """The files whose bytes were fetched."""
        return [line for line in self.asked if line.startswith("GET") and ("/resolve/" in line or "/cdn/" in line)]


class _Handler(BaseHTTPRequestHandler):
    server_hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name for it
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub = self.server_hub
        hub.asked.append(f"{self.command} {self.path}")
        path = urlsplit(self.path).path
        if hub.fails_with is not None:
            self._send(hub.fails_with, b"{}", {"Retry-After": "7"})
        elif path.startswith("/cdn/"):
            self._send_object(path.removeprefix("/cdn/"))
        elif match := _API.fullmatch(path):
            self._send_api(match)
        elif match := _FILE.fullmatch(path):
            self._send_file(match)
        else:
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"})

    def _repo(self, match: re.Match[str]) -> tuple[Repo, str, str] | None:
        repo = self.server_hub.repos.get(unquote(match["id"]))
        is_known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if repo is None or (repo.is_private and not is_known):
            # To the nameless the Hub does not say which of the two it is.
            self._send(404 if is_known else 401, b"{}", {"X-Error-Code": "RepoNotFound"})
            return None
        revision = unquote(match["revision"] or "main")
        commit = repo.resolve(revision)
        if commit is None:
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            return None
        return repo, commit, unquote(match["id"])

    def _send_api(self, match: re.Match[str]) -> None:
        if (found := self._repo(match)) is None:
            return
        repo, commit, repo_id = found
        files = repo.commits[commit]
        raw: Any
        if match["kind"] == "tree":
            raw = [_tree_row(path, body) for path, body in sorted(files.items())]
        else:
            has_sizes = "blobs=" in self.path
            raw = {
                "id": repo_id,
                "modelId": repo_id,
                "sha": commit,
                "private": repo.is_private,
                "gated": "manual" if repo.is_gated else False,
                "siblings": [
                    {"rfilename": path, **({"size": len(body)} if has_sizes else {})}
                    for path, body in sorted(files.items())
                ],
                **repo.facts,
            }
        self._send(200, json.dumps(raw).encode(), {"Content-Type": "application/json"})

    def _send_file(self, match: re.Match[str]) -> None:
        if (found := self._repo(match)) is None:
            return
        repo, commit, _ = found
        if repo.is_gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._send(401, b"{}", {"X-Error-Code": "GatedRepo"})
            return
        path = unquote(match["path"])
        body = repo.commits[commit].get(path)
        if body is None:
            self._send(404, b"{}", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        elif path.endswith(".safetensors"):
            digest = hashlib.sha256(body).hexdigest()
            headers = {"X-Linked-ETag": f'"{digest}"', "X-Linked-Size": str(len(body)), "X-Repo-Commit": commit}
            # Another host, as the Hub's CDN is one: its clients do not take their token there.
            cdn = self.server_hub.url.replace("127.0.0.1", "localhost")
            self._send(302, b"", {**headers, "Location": f"{cdn}/cdn/{digest}"})
        else:
            self._send(200, body, {"ETag": f'"{_blob_id(body)}"', "X-Repo-Commit": commit})

    def _send_object(self, digest: str) -> None:
        bodies = (
            body
            for repo in self.server_hub.repos.values()
            for files in repo.commits.values()
            for body in files.values()
        )
        body = next(body for body in bodies if hashlib.sha256(body).hexdigest() == digest)
        self._send(200, body, {"ETag": f'"{digest}"'})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _blob_id(body: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


def _tree_row(path: str, body: bytes) -> dict[str, Any]:
    row = {"type": "file", "oid": _blob_id(body), "size": len(body), "path": path}
    if path.endswith(".safetensors"):
        row["lfs"] = {"oid": hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 130}
    return row
