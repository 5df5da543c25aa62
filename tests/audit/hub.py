"""A GitHub on loopback: the pages that PyGithub asks for, and git over smart HTTP by git's own `git http-backend`.

Shapes are those of https://docs.github.com/rest/repos/repos, "List organization repositories", shortened.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "ghp-" + "token-of-a-test"


@dataclass
class Hub:
    """What the server serves and how it misbehaves; repositories are bare ones in `root`/ORG/NAME.git."""

    root: Path
    org: str = "acme"
    page: int = 25
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    fail: Counter[str] = field(default_factory=Counter)  # how many times more a repository answers 500
    hang: set[str] = field(default_factory=set)
    moved: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    limits: int = 0  # how many more pages answer that the rate limit is reached
    asked: list[str] = field(default_factory=list)
    served: Counter[str] = field(default_factory=Counter)  # packs by repository
    stop: threading.Event = field(default_factory=threading.Event)
    address: str = ""

    def add(self, name: str, **facts: Any) -> Path:
        self.rows[name] = facts
        return self.root / self.org / f"{name}.git"

    def row(self, name: str) -> dict[str, Any]:
        facts = self.rows[name]
        url = f"{self.address}/{self.org}/{name}"
        return {
            "id": abs(hash(name)), "name": name, "full_name": f"{self.org}/{name}", "private": facts.get("private", False),
            "visibility": "private" if facts.get("private") else "public", "html_url": url, "clone_url": url + ".git",
            "fork": facts.get("fork", False), "archived": facts.get("archived", False), "size": facts.get("size", 1),
            "pushed_at": facts.get("pushed_at", "2026-01-01T00:00:00Z"), "has_wiki": facts.get("has_wiki", False),
            "default_branch": "main", "url": f"{self.address}/api/v3/repos/{self.org}/{name}",
        }  # fmt: skip

    def page_of(self, name: str) -> dict[str, Any]:
        """What its own page tells besides: what a fork is a fork of."""
        source = self.rows[name].get("source")
        return {**self.row(name), **({"source": self.row(source), "parent": self.row(source)} if source else {})}


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    class Handler(_Handler):
        served_hub = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.stop.set()
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served_hub: Hub

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub, parts = self.served_hub, urlsplit(self.path)
        hub.asked.append(self.path)
        if parts.path.startswith("/api/v3/"):
            self._api(parts.path.removeprefix("/api/v3/").split("/"), parse_qs(parts.query))
        else:
            self._git(parts.path, parts.query)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _json(self, value: Any, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})

    def _trusted(self) -> bool:
        said = self.headers.get("Authorization", "")
        if said.startswith("Basic "):
            said = "token " + base64.b64decode(said[6:]).decode().partition(":")[2]
        return said in (f"token {TOKEN}", f"Bearer {TOKEN}")

    def _api(self, way: list[str], query: dict[str, list[str]]) -> None:
        hub = self.served_hub
        if hub.limits:
            hub.limits -= 1
            reset = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(time.time()) + 1)}
            return self._json({"message": "API rate limit exceeded"}, 403, **reset)
        names = [name for name, facts in hub.rows.items() if self._trusted() or not facts.get("private")]
        if way == ["orgs", hub.org]:
            return self._json({"login": hub.org, "url": f"{hub.address}/api/v3/orgs/{hub.org}"})
        if way == ["orgs", hub.org, "repos"]:
            number = int(query.get("page", ["1"])[0])
            some = names[hub.page * (number - 1) : hub.page * number]
            return self._json([hub.row(name) for name in some])
        if way[:2] == ["repos", hub.org] and len(way) == 3 and way[2] in names:
            return self._json(hub.page_of(way[2]))
        return self._json({"message": "Not Found"}, 404)

    def _git(self, path: str, query: str) -> None:
        hub = self.served_hub
        name = path.split("/")[2].removesuffix(".git")
        if name in hub.hang:
            hub.stop.wait(60)
        elif name in hub.moved:
            target = path.replace(f"/{name}.git", f"/{hub.moved[name]}.git")
            self._send(301, b"", {"Location": f"{hub.address}{target}?{query}"})
        elif hub.fail[name]:
            hub.fail[name] -= 1
            self._send(500, b"", {})
        elif name in hub.gone or not (hub.root / hub.org / f"{name}.git").exists():
            self._send(404, b"", {})
        elif hub.rows.get(name, {}).get("private") and not self._trusted():
            self._send(401, b"", {"WWW-Authenticate": 'Basic realm="hub"'})
        else:
            self._backend(name, path, query)

    def _backend(self, name: str, path: str, query: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.served_hub.served[name] += path.endswith("git-upload-pack")
        env = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.served_hub.root), "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        }  # fmt: skip
        result = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
        head, _, content = result.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self._send(int(headers.pop("Status", "200").split()[0]), content, headers)
