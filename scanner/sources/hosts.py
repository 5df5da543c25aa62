"""The repositories of an organisation, as GitHub and GitLab tell of them, page by page.

A limit is waited out and says so; a page that fails is reported, so that no listing looks
complete that is not.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from scanner.errors import UsageError
from scanner.model import Skipped
from scanner.sources.organisation import GITHUB, GITLAB, Choice, Found, Remote, Say, credentials_for

_ATTEMPTS = 5
_BIG_FORK = 4 * 1024 * 1024
"""Bytes of a fork from which on it is worth a request to learn what it is a fork of."""

Get = Callable[..., Any]
"""Returns what a page of an API holds: `get(path, **parameters)`."""


def _github(rest: str, choice: Choice, say: Say) -> Iterator[Found]:
    try:
        import github
    except ImportError:
        raise UsageError("github: needs PyGithub; install it with  pip install 'keyleash[audit]'") from None
    base, name = _split(rest, GITHUB)
    credentials = credentials_for(base)
    hub = github.Github(
        base_url="https://api.github.com" if base == GITHUB else f"{base}/api/v3",
        auth=github.Auth.Token(credentials.token) if credentials else None,
        per_page=100, retry=None, timeout=30, seconds_between_requests=None, seconds_between_writes=None,
    )  # fmt: skip

    def get(path: str, **parameters: Any) -> Any:
        """Return a page as it is: the objects that PyGithub makes of one ask for each repository once more."""
        return _asked(
            lambda: hub.requester.requestJsonAndCheck("GET", path, parameters=parameters)[1],
            lambda problem: _github_wait(problem, github), say, base,
        )  # fmt: skip

    try:
        yield from _github_repositories(get, name, credentials is not None, choice)
    except github.GithubException as problem:
        if problem.status == 404:
            raise UsageError(f"github:{rest}: there is none, or it is private and the token may not see it") from None
        yield Skipped(f"github:{rest}", f"its repositories could not be listed: {_github_says(problem)}")
    except OSError as problem:  # requests' exceptions are such
        yield Skipped(f"github:{rest}", f"its repositories could not be listed: {type(problem).__name__}")


def _github_repositories(get: Get, name: str, mine: bool, choice: Choice) -> Iterator[Found]:
    """Yield the repositories of an organisation or a user, or one; `mine` says that there is a token."""
    import github

    name = quote(name)

    def pages(path: str, **parameters: Any) -> Iterator[Mapping[str, Any]]:
        number = 1
        while page := get(path, per_page=100, page=number, **parameters):
            yield from page
            number += 1

    def source(row: Mapping[str, Any]) -> str:
        """Return the URL of what a repository is a fork of. Of small ones nobody asks: it stands in no listing."""
        try:
            page = row if "source" in row or int(row.get("size") or 0) * 1024 < _BIG_FORK else get(f"/repos/{row['full_name']}")
        except (github.GithubException, OSError):
            return ""
        return str((page.get("source") or {}).get("clone_url") or "")

    if "/" in name:
        yield from _of_github(get(f"/repos/{name}"), choice, source)
        return
    try:
        get(f"/orgs/{name}")
        listing, gists = pages(f"/orgs/{name}/repos", type="all"), ""
    except github.UnknownObjectException:
        user = get(f"/users/{name}")
        if mine and get("/user").get("login") == user.get("login"):  # only then are private ones told of
            listing, gists = pages("/user/repos", affiliation="owner"), "/gists"
        else:
            listing, gists = pages(f"/users/{name}/repos", type="owner"), f"/users/{name}/gists"
    for row in listing:
        yield from _of_github(row, choice, source)
    for row in pages(gists) if gists and choice.gists else ():
        facts = {"kind": "gist", "url": row.get("html_url"), "visibility": "public" if row.get("public") else "private"}
        if row.get("git_pull_url") and choice.takes(f"{name}/{row.get('id')}", facts):
            yield Remote(str(row["git_pull_url"]), facts=facts)


def _of_github(row: Mapping[str, Any], choice: Choice, source: Callable[[Mapping[str, Any]], str]) -> Iterator[Remote]:
    """Yield a repository, as GitHub describes it (https://docs.github.com/rest/repos/repos), and its wiki."""
    visibility = row.get("visibility") or ("private" if row.get("private") else "public")
    facts = {
        "url": row.get("html_url"), "archived": bool(row.get("archived")), "fork": bool(row.get("fork")),
        "visibility": visibility, "pushed": row.get("pushed_at"), "default_branch": row.get("default_branch"),
    }  # fmt: skip
    name, url = str(row.get("full_name") or ""), row.get("clone_url")
    if not url or not choice.takes(name, facts):
        return
    size, fork_of = int(row.get("size") or 0) * 1024, source(row) if facts["fork"] else ""
    yield Remote(str(url), size=size, facts=facts, fork_of=fork_of)
    if choice.wikis and row.get("has_wiki"):
        wiki = {**facts, "kind": "wiki", "url": f"{row.get('html_url')}/wiki"}
        yield Remote(str(url).removesuffix(".git") + ".wiki.git", facts=wiki, optional=True)


def _github_wait(problem: Exception, github: Any) -> float | None:
    """Return the seconds to wait before asking again, or None when that is of no use.

    Source: https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api, "Exceeding the rate limit".
    """
    if not isinstance(problem, github.GithubException):
        return 1.0 if isinstance(problem, OSError) else None
    headers = {name.lower(): value for name, value in (problem.headers or {}).items()}
    if problem.status in (403, 429):
        if headers.get("retry-after", "").isdecimal():
            return float(headers["retry-after"])
        if headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdecimal():
            return max(1.0, float(headers["x-ratelimit-reset"]) - time.time() + 1)
        return 60.0 if problem.status == 429 or "rate limit" in str(problem.data).lower() else None
    return 1.0 if problem.status >= 500 else None


def _github_says(problem: Any) -> str:
    message = problem.data.get("message") if isinstance(problem.data, dict) else None
    return f"the host answered {problem.status}" + (f", {message}" if message else "")


def _gitlab(rest: str, choice: Choice, say: Say) -> Iterator[Found]:
    try:
        import gitlab
    except ImportError:
        raise UsageError("gitlab: needs python-gitlab; install it with  pip install 'keyleash[audit]'") from None
    base, name = _split(rest, GITLAB)
    credentials = credentials_for(base)
    lab = gitlab.Gitlab(base, private_token=credentials.token if credentials else None, timeout=30)

    def wait(problem: Exception) -> float | None:
        code = getattr(problem, "response_code", None)
        if isinstance(problem, OSError) or (code is not None and code >= 500):
            return 1.0
        return 60.0 if code == 429 else None

    def ask(question: Callable[[], Any]) -> Any:
        return _asked(question, wait, say, base)

    try:
        group = ask(lambda: lab.groups.get(name, with_projects=False, obey_rate_limit=False))
        number = 1
        while page := ask(
            lambda: group.projects.list(include_subgroups=True, page=number, per_page=100, get_all=False, obey_rate_limit=False)  # noqa: B023
        ):
            for project in page:
                yield from _of_gitlab(project.attributes, choice)
            number += 1
    except gitlab.GitlabError as problem:
        if problem.response_code == 404:
            raise UsageError(f"gitlab:{rest}: there is no such group, or the token may not see it") from None
        yield Skipped(f"gitlab:{rest}", f"its projects could not be listed: the host answered {problem.response_code}")
    except OSError as problem:
        yield Skipped(f"gitlab:{rest}", f"its projects could not be listed: {type(problem).__name__}")


def _of_gitlab(row: Mapping[str, Any], choice: Choice) -> Iterator[Remote]:
    """Yield a project, as GitLab describes it (https://docs.gitlab.com/api/groups/, "List projects"), and its wiki."""
    facts = {
        "url": row.get("web_url"), "archived": bool(row.get("archived")), "fork": "forked_from_project" in row,
        "visibility": row.get("visibility", "public"), "pushed": row.get("last_activity_at"),
        "default_branch": row.get("default_branch"),
    }  # fmt: skip
    url, source = row.get("http_url_to_repo"), row.get("forked_from_project") or {}
    if url and choice.takes(str(row.get("path_with_namespace") or ""), facts):
        yield Remote(str(url), facts=facts, fork_of=str(source.get("http_url_to_repo") or ""))
        if choice.wikis and row.get("wiki_enabled"):
            yield Remote(str(url).removesuffix(".git") + ".wiki.git", facts={**facts, "kind": "wiki"}, optional=True)


HOSTS: Mapping[str, Callable[[str, Choice, Say], Iterator[Found]]] = {"github": _github, "gitlab": _gitlab}


def _asked(question: Callable[[], Any], wait: Callable[[Exception], float | None], say: Say, host: str) -> Any:
    """Return the answer, after as many waits as it takes for a limit, and a few for a fault."""
    faults = 0
    while True:
        try:
            return question()
        except Exception as problem:
            seconds = wait(problem)
            if seconds is None:
                raise
            if seconds <= 1.0:
                faults += 1
                seconds = 2.0 ** (faults - 1)
            if faults >= _ATTEMPTS:
                raise
            if seconds > 1:
                until = datetime.fromtimestamp(time.time() + seconds, UTC)
                say(f"{host} asks to wait {seconds:.0f} seconds, until {until:%H:%M:%S} UTC")
            time.sleep(seconds)


def _split(rest: str, default: str) -> tuple[str, str]:
    """Return scheme and host of a server, and the name on it."""
    base, name = _base(rest, default)
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", name) or {".", ".."} & set(name.split("/")):
        raise UsageError(f"{name or rest}: is no name of an organisation, a user, a group or a repository")
    return base, name


def _base(rest: str, default: str) -> tuple[str, str]:
    if "://" not in rest:
        return default, rest.strip("/")
    parts = urlsplit(rest)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
        raise UsageError(f"{rest}: a server of an organisation is named by https")
    if parts.username or parts.password:
        raise UsageError(f"{parts.scheme}://{parts.hostname}: was given with a password in it; set a token in the environment")
    return f"{parts.scheme}://{parts.netloc}", parts.path.strip("/")
