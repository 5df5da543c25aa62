"""Which repositories an audit looks at: those of an organisation, a group, a folder, a list.

What a host says of its repositories is data: a page that fails, a name that is gone and a
limit that is reached are waited out or reported, and never make an audit look complete
that is not.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from scanner import gitcommand
from scanner.clones import CloneError, Credentials, transport_of
from scanner.errors import GitError, ScanError, UsageError
from scanner.model import Skipped

GITHUB, GITLAB = "https://github.com", "https://gitlab.com"
_DEPTH = 3
"""How deep a folder of clones is searched."""

Say = Callable[[str], None]


class Remote(NamedTuple):
    """A repository to audit.

    `name` is its URL, or its folder for one that is `local` and needs no clone. `size` is
    what its host says of its bytes, 0 where it says nothing. `facts` go into the store.
    `optional` is a wiki: most that a host names were never begun. `fork_of` is the URL of the
    repository that it and its kin are forks of, where that is known.
    """

    name: str
    local: bool = False
    size: int = 0
    facts: Mapping[str, Any] = {}
    optional: bool = False
    fork_of: str = ""


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
    if kind in ("github", "gitlab") and colon and rest:
        from scanner.sources.hosts import HOSTS

        yield from HOSTS[kind](rest, choice, say)
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
    if parts.scheme in ("http", "https") and (parts.query or parts.fragment):
        raise UsageError(f"{url.partition('?')[0].partition('#')[0]}: was given with more behind it; git needs the URL alone")
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


def _fits(name: str, short: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(short, pattern)
