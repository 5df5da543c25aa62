"""A GitHub and a GitLab on loopback: the pages that an audit asks for, and git over smart HTTP by git's own `git http-backend`.

Shapes are those of https://docs.github.com/rest/repos/repos, "List organization repositories",
https://docs.github.com/rest/gists/gists, "List gists for a user", and https://docs.gitlab.com/api/groups/,
"List projects", shortened.
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
    user: str = ""  # a GitHub user whose repositories these are, in place of an organisation
    gists: dict[str, bool] = field(default_factory=dict)  # whether they are public
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

    def project(self, name: str) -> dict[str, Any]:
        """The same as a GitLab tells it; a name may be that of a subgroup's project."""
        facts, url, path = self.rows[name], f"{self.address}/{self.org}/{name}", f"{self.org}/{name}"
        forked = facts.get("source")
        return {
            "id": sorted(self.rows).index(name), "path_with_namespace": path, "web_url": url, "http_url_to_repo": url + ".git",
            "archived": facts.get("archived", False), "visibility": "private" if facts.get("private") else "public",
            "last_activity_at": "2026-01-01T00:00:00.000Z", "default_branch": "main", "empty_repo": False,
            "wiki_enabled": facts.get("has_wiki", False),
            **({"forked_from_project": {"http_url_to_repo": f"{self.address}/{self.org}/{forked}.git"}} if forked else {}),
        }  # fmt: skip

    def gist(self, name: str) -> dict[str, Any]:
        url = f"{self.address}/gist/{name}"
        return {"id": name, "html_url": url, "git_pull_url": url + ".git", "public": self.gists[name]}

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
        elif parts.path.startswith("/api/v4/"):
            self._lab(parts.path.removeprefix("/api/v4/").split("/"), parse_qs(parts.query))
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
        said = self.headers.get("Authorization") or f"token {self.headers.get('PRIVATE-TOKEN')}"
        if said.startswith("Basic "):
            said = "token " + base64.b64decode(said[6:]).decode().partition(":")[2]
        return said in (f"token {TOKEN}", f"Bearer {TOKEN}")

    def _api(self, way: list[str], query: dict[str, list[str]]) -> None:
        hub = self.served_hub
        if hub.limits:
            hub.limits -= 1
            reset = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(time.time()) + 1)}
            return self._json({"message": "API rate limit exceeded"}, 403, **reset)
        names, page = self._visible(), int(query.get("page", ["1"])[0])
        if hub.user:
            return self._user(way, names if page == 1 else [], page)
        if way == ["orgs", hub.org]:
            return self._json({"login": hub.org, "url": f"{hub.address}/api/v3/orgs/{hub.org}"})
        if way == ["orgs", hub.org, "repos"]:
            some = names[hub.page * (page - 1) : hub.page * page]
            return self._json([hub.row(name) for name in some])
        if way[:2] == ["repos", hub.org] and len(way) == 3 and way[2] in names:
            return self._json(hub.page_of(way[2]))
        return self._json({"message": "Not Found"}, 404)

    def _visible(self) -> list[str]:
        return [name for name, facts in self.served_hub.rows.items() if self._trusted() or not facts.get("private")]

    def _user(self, way: list[str], names: list[str], page: int) -> None:
        """Answer as GitHub does for a user; of what is private it tells in the pages of whoever asks alone."""
        hub, mine = self.served_hub, way[0] in ("user", "gists")
        if mine and not self._trusted():
            return self._json({"message": "Requires authentication"}, 401)
        repositories = [hub.row(name) for name in names if mine or not hub.rows[name].get("private")]
        gists = [hub.gist(name) for name in hub.gists if page == 1 and (mine or hub.gists[name])]
        user = {"login": hub.user}
        answers = {"users": user, "users/repos": repositories, "users/gists": gists,
                   "user": user, "user/repos": repositories, "gists": gists}  # fmt: skip
        if way[0] == "users" and way[1:2] == [hub.user]:
            way = ["users", *way[2:]]
        known = "/".join(way) in answers
        return self._json(answers["/".join(way)] if known else {"message": "Not Found"}, 200 if known else 404)

    def _lab(self, way: list[str], query: dict[str, list[str]]) -> None:
        """Answer as GitLab does; a project of a subgroup is listed where subgroups are asked for."""
        hub = self.served_hub
        if hub.limits:
            hub.limits -= 1
            return self._json({"message": "try again"}, 502)
        if self.headers.get("PRIVATE-TOKEN") not in (None, TOKEN):
            return self._json({"message": "401 Unauthorized"}, 401)
        if way[0] != "groups" or way[1] not in (hub.org, "17"):
            return self._json({"message": "404 Group Not Found"}, 404)
        if len(way) == 2:
            return self._json({"id": 17, "path": hub.org, "full_path": hub.org})
        deep = query.get("include_subgroups") in (["True"], ["true"])
        names = [name for name in self._visible() if deep or "/" not in name]
        number = int(query["page"][0])
        return self._json([hub.project(name) for name in names[hub.page * (number - 1) : hub.page * number]])

    def _git(self, path: str, query: str) -> None:
        hub = self.served_hub
        place = path.partition(".git/")[0].lstrip("/")
        name = place.removeprefix(f"{hub.org}/")
        if name in hub.hang:
            hub.stop.wait(60)
        elif name in hub.moved:
            target = path.replace(f"/{name}.git", f"/{hub.moved[name]}.git")
            self._send(301, b"", {"Location": f"{hub.address}{target}?{query}"})
        elif hub.fail[name]:
            hub.fail[name] -= 1
            self._send(500, b"", {})
        elif name in hub.gone or not (hub.root / f"{place}.git").exists():
            self._send(404, b"", {})
        elif hub.rows.get(name.removesuffix(".wiki"), {}).get("private") and not self._trusted():
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
