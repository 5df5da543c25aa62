"""Which repositories an audit looks at: those of an organisation, a group, a folder, a list.

What a host says of its repositories is data: a page that fails, a name that is gone and a
limit that is reached are waited out or reported, and never make an audit look complete
that is not.
"""

from __future__ import annotations

import fnmatch
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from scanner import gitcommand
from scanner.clones import CloneError, Credentials, transport_of
from scanner.errors import GitError, ScanError, UsageError
from scanner.model import Skipped

GITHUB, GITLAB = "https://github.com", "https://gitlab.com"
_ATTEMPTS = 5
_DEPTH = 3
"""How deep a folder of clones is searched."""

Say = Callable[[str], None]


class Remote(NamedTuple):
    """A repository to audit.

    `name` is its URL, or its folder for one that is `local` and needs no clone. `size` is
    what its host says of its bytes, 0 where it says nothing. `facts` go into the store.
    `optional` is a wiki: most that a host names were never begun.
    """

    name: str
    local: bool = False
    size: int = 0
    facts: Mapping[str, Any] = {}
    optional: bool = False


class Choice(NamedTuple):
    """Which repositories of an organisation are wanted. `names` are patterns, of which one has to fit where there are any."""

    names: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    archived: bool = True
    forks: bool = True
    visibility: str = "all"
    pushed_since: str = ""
    wikis: bool = True
    gists: bool = True

    def takes(self, name: str, facts: Mapping[str, Any]) -> bool:
        short = name.rpartition("/")[2]
        return (
            (not self.names or any(_fits(name, short, pattern) for pattern in self.names))
            and not any(_fits(name, short, pattern) for pattern in self.exclude)
            and (self.archived or not facts.get("archived"))
            and (self.forks or not facts.get("fork"))
            and self.visibility in ("all", facts.get("visibility", "public"))
            and (not self.pushed_since or str(facts.get("pushed", "9999"))[:10] >= self.pushed_since)
        )


Found = Remote | Skipped


def remotes(target: str, choice: Choice, say: Say) -> Iterator[Found]:
    """Yield the repositories of one target, and what could not be listed. Raises `UsageError` for what is no target."""
    kind, colon, rest = target.partition(":")
    if kind in _HOSTS and colon and rest:
        yield from _HOSTS[kind](rest, choice, say)
    elif os.path.isdir(target):
        yield from _folder(target)
    elif os.path.isfile(target):
        yield from _file(target, choice, say)
    elif "://" in target or re.match(r"[\w.-]+@[\w.-]+:", target):
        yield Remote(checked_url(target))
    else:
        raise UsageError(f"{target}: is no folder, file or URL, and not github:NAME or gitlab:NAME")


def checked_url(url: str) -> str:
    """Return a URL that git may fetch from. Raises `UsageError`, also for one with a password: it would get into logs."""
    try:
        transport_of(url)
        parts = urlsplit(url)
        secret = parts.password or (parts.scheme in ("http", "https") and parts.username)
    except (CloneError, ValueError) as problem:
        raise UsageError(f"{url.partition('@')[2] or url}: {problem}") from None
    if secret:
        bare = f"{parts.scheme}://{parts.hostname}{parts.path}"
        raise UsageError(
            f"{bare}: was given with a user or a password in it; leave it out and set GITHUB_TOKEN or GITLAB_TOKEN"
        )
    return url


def credentials_for(url: str) -> Credentials | None:
    """Return the token of the environment that is meant for the host of a URL, if any.

    GITHUB_TOKEN or GH_TOKEN is for github.com alone and GITLAB_TOKEN for gitlab.com or the
    host of GITLAB_URL, GH_ENTERPRISE_TOKEN for the host of GH_HOST (as for GitHub's own `gh`).
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")):
        return None
    base = f"{parts.scheme}://{parts.netloc}"
    for place, user, names in _TOKENS:
        if base == place():
            token = next((os.environ[name] for name in names if os.environ.get(name)), "")
            if token:
                return Credentials(base, user, token)
    return None


def _server(name: str, default: str = "") -> str:
    """Return scheme and host of a server that the environment names, with or without its scheme."""
    value = os.environ.get(name, "") or default
    parts = urlsplit(value if "://" in value or not value else f"https://{value}")
    return f"{parts.scheme}://{parts.netloc}" if value else ""


_TOKENS: Sequence[tuple[Callable[[], str], str, tuple[str, ...]]] = (
    (lambda: GITHUB, "x-access-token", ("GITHUB_TOKEN", "GH_TOKEN")),
    (lambda: "https://gist.github.com", "x-access-token", ("GITHUB_TOKEN", "GH_TOKEN")),
    (lambda: _server("GH_HOST"), "x-access-token", ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")),
    (lambda: _server("GITLAB_URL", GITLAB), "oauth2", ("GITLAB_TOKEN",)),
)


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

    def ask(question: Callable[[], Any]) -> Any:
        return _asked(question, lambda problem: _github_wait(problem, github), say, base)

    try:
        yield from _github_repositories(hub, ask, name, choice)
    except github.GithubException as problem:
        if problem.status == 404:
            raise UsageError(f"github:{rest}: there is none, or it is private and the token may not see it") from None
        yield Skipped(f"github:{rest}", f"its repositories could not be listed: {_github_says(problem)}")
    except OSError as problem:  # requests' exceptions are such
        yield Skipped(f"github:{rest}", f"its repositories could not be listed: {type(problem).__name__}")


def _github_repositories(hub: Any, ask: Callable[[Callable[[], Any]], Any], name: str, choice: Choice) -> Iterator[Found]:
    import github

    if "/" in name:
        yield from _of_github(ask(lambda: hub.get_repo(name)).raw_data, choice)
        return
    try:
        owner = ask(lambda: hub.get_organization(name))
        listing = owner.get_repos(type="all")
        gists = None
    except github.UnknownObjectException:
        owner = ask(lambda: hub.get_user(name))
        listing = owner.get_repos(type="owner")
        gists = owner.get_gists() if choice.gists else None
    for row in _pages(listing, ask):
        yield from _of_github(row, choice)
    for row in _pages(gists, ask) if gists is not None else ():
        facts = {"kind": "gist", "url": row.get("html_url"), "visibility": "public" if row.get("public") else "private"}
        if row.get("git_pull_url") and choice.takes(f"{name}/{row.get('id')}", facts):
            yield Remote(str(row["git_pull_url"]), facts=facts)


def _pages(listing: Any, ask: Callable[[Callable[[], Any]], Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of all pages, each asked for by itself, so that a limit in between is waited out."""
    number = 0
    while page := ask(lambda: listing.get_page(number)):  # noqa: B023 - called at once
        for one in page:
            yield one.raw_data
        number += 1


def _of_github(row: Mapping[str, Any], choice: Choice) -> Iterator[Remote]:
    """Yield a repository, as GitHub describes it (https://docs.github.com/rest/repos/repos), and its wiki."""
    visibility = row.get("visibility") or ("private" if row.get("private") else "public")
    facts = {
        "url": row.get("html_url"), "archived": bool(row.get("archived")), "fork": bool(row.get("fork")),
        "visibility": visibility, "pushed": row.get("pushed_at"), "default_branch": row.get("default_branch"),
    }  # fmt: skip
    name, url = str(row.get("full_name") or ""), row.get("clone_url")
    if not url or not choice.takes(name, facts):
        return
    yield Remote(str(url), size=int(row.get("size") or 0) * 1024, facts=facts)
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
    url = row.get("http_url_to_repo")
    if url and choice.takes(str(row.get("path_with_namespace") or ""), facts):
        yield Remote(str(url), facts=facts)
        if choice.wikis and row.get("wiki_enabled"):
            yield Remote(str(url).removesuffix(".git") + ".wiki.git", facts={**facts, "kind": "wiki"}, optional=True)


_HOSTS: Mapping[str, Callable[[str, Choice, Say], Iterator[Found]]] = {"github": _github, "gitlab": _gitlab}


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


def _folder(top: str) -> Iterator[Found]:
    """Yield the repositories in a folder, or the one that it is."""
    stack, met = [(os.path.realpath(top), 0)], False
    while stack:
        folder, depth = stack.pop()
        if _is_repository(folder):
            met = True
            try:
                repository = gitcommand.find(folder)
            except GitError as problem:
                yield Skipped(folder, str(problem))
                continue
            if repository:
                yield Remote(folder, local=True)
            continue
        if depth < _DEPTH:
            try:
                with os.scandir(folder) as entries:
                    inside = sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
            except OSError as problem:
                yield Skipped(folder, f"cannot be read: {problem.strerror}")
                continue
            stack += [(path, depth + 1) for path in reversed(inside)]
    if not met:
        raise UsageError(f"{top}: holds no git repository, {_DEPTH} folders deep")


def _is_repository(folder: str) -> bool:
    if os.path.exists(os.path.join(folder, ".git")):
        return True
    return os.path.isfile(os.path.join(folder, "HEAD")) and os.path.isdir(os.path.join(folder, "objects"))


def _file(path: str, choice: Choice, say: Say) -> Iterator[Found]:
    """Yield the repositories that a file names, a target a line; `#` begins a remark."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.split("#", 1)[0].strip() for line in file]
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"{path}: cannot be read as a list of repositories") from None
    for number, line in enumerate(lines, 1):
        if line:
            if os.path.isfile(line):
                raise UsageError(f"{path}:{number}: is a file again; a list names repositories")
            try:
                yield from remotes(line, choice, say)
            except ScanError as problem:
                raise UsageError(f"{path}:{number}: {problem}") from None


def _split(rest: str, default: str) -> tuple[str, str]:
    """Return scheme and host of a server, and the name on it."""
    if "://" not in rest:
        return default, rest.strip("/")
    parts = urlsplit(rest)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
        raise UsageError(f"{rest}: a server of an organisation is named by https")
    if parts.username or parts.password:
        raise UsageError(f"{parts.scheme}://{parts.hostname}: was given with a password in it; set a token in the environment")
    return f"{parts.scheme}://{parts.netloc}", parts.path.strip("/")


def _fits(name: str, short: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(short, pattern)
