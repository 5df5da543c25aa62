"""Mirror clones of repositories, kept in a cache folder so that the next audit fetches what is new only.

What is cloned is hostile: a mirror has no work tree, no hook and no template, its
submodules are not fetched, and git speaks one transport with the host that was named and
no other. A token reaches git through an environment variable that a credential helper for
that host alone reads: never a command line, a configuration or a log.

The mirror of a fork borrows the objects of the mirror that it is a fork of, by git's own
`alternates`, so that only what is its own is fetched. What lends stays as long as what borrows.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from scanner.errors import ScanError
from scanner.gitcommand import reason

TRANSPORTS = ("https", "http", "ssh", "git", "file")
ATTEMPTS = 3
"""How often a fetch is tried, with a pause that doubles."""

_PAUSE = 2.0
_SLOW = 60  # seconds in which nothing comes, after which a server is given up
_FETCH = ("fetch", "--quiet", "--prune", "--force", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
_MANY_PACKS = 50  # a mirror with more is repacked
_MANY_REFS = 500  # so many files of one ref each are made one file
_TOKEN = "KEYLEASH_GIT_TOKEN"  # noqa: S105 - the name of the variable
_HELPER = f"""!f() {{ test "$1" = get && echo "username=$KEYLEASH_GIT_USER" && echo "password=${_TOKEN}"; }}; f"""
_ALTERNATES = os.path.join("objects", "info", "alternates")
_GONE = re.compile(r"not found|does not exist|does not appear to be a git repository|\b404\b|\b410\b", re.IGNORECASE)


class CloneError(Exception):
    """A repository could not be fetched. The message says why, for people; `gone` that it is not there (any more)."""

    def __init__(self, message: str, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


class Credentials(NamedTuple):
    """A token for one host. `url` is its scheme and host; nothing else gets to see the token."""

    url: str
    user: str
    token: str

    def __repr__(self) -> str:
        return f"Credentials(url={self.url!r})"


class Cache:
    """A folder of mirrors. `size` is how many bytes they may take; the ones that were used longest ago make room."""

    def __init__(self, folder: str, size: int | None = None, *, timeout: float = 3600.0) -> None:
        self.folder = folder
        self.size = size
        self._sizes: dict[str, int] | None = None
        self.timeout = timeout
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        except OSError as problem:
            raise ScanError(f"{folder}: the folder for clones cannot be made: {problem.strerror}") from None

    def path(self, url: str) -> str:
        """Return where the mirror of a URL is, or would be."""
        return mirror_of(self.folder, url)

    def fetch(
        self, url: str, credentials: Credentials | None = None, say: Callable[[str], None] = lambda line: None,
        kin: Sequence[str] = (), branch: str = "",
    ) -> str:  # fmt: skip
        """Make or update the mirror of a URL and return its folder. Raises `CloneError`; `say` hears of what is tried again.

        A new one borrows from the first of the URLs in `kin` that has a mirror of its own. `branch` is the default
        one, of which the server is asked where nobody knows.
        """
        path = self.path(url)
        for attempt in range(ATTEMPTS):
            try:
                with self.held(url) as lock:
                    if not _usable(path):
                        shutil.rmtree(path, ignore_errors=True)
                        _run("init", "--quiet", "--bare", "--template=", path)
                        self._borrow(path, [one for one in kin if one != url])
                    self._git(path, url, credentials, lock, *_FETCH, "--", url, "+refs/*:refs/*")
                    self._point(path, url, credentials, lock, branch)
                    _tidy(path)
                    os.utime(path)
                return path
            except CloneError as problem:
                if problem.gone or attempt == ATTEMPTS - 1:
                    raise
                say(f"{url}: {problem}; trying again")
                time.sleep(_PAUSE * 2**attempt)
        raise AssertionError("unreachable")

    def _git(self, path: str, url: str, credentials: Credentials | None, lock: int, *arguments: str) -> bytes:
        """Return what git prints when it talks with the server. Raises `CloneError`."""
        process = subprocess.Popen(
            ["git", *_settings(url, credentials), *arguments], cwd=path, env=_env(path, url, credentials),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **_sharing(lock),
        )  # fmt: skip
        try:
            said: bytes
            said, complaint = process.communicate(timeout=self.timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            raise CloneError(f"the {arguments[0]} took longer than {self.timeout:.0f} seconds") from None
        if process.returncode:
            why = _without(reason(complaint), credentials)
            raise CloneError(f"git {arguments[0]} failed: {why}", gone=bool(_GONE.search(why)))
        return said

    def _point(self, path: str, url: str, credentials: Credentials | None, lock: int, branch: str) -> None:
        """Have the mirror's HEAD name the default branch, of which is asked what stands there today."""
        if not branch and not _resolves(path):
            told = self._git(path, url, credentials, lock, "ls-remote", "--symref", "--", url, "HEAD")
            first = told.split(b"\n")[0].split(b"\t")[0].decode("utf-8", "surrogateescape")
            branch = first.removeprefix("ref: refs/heads/") if first.startswith("ref: refs/heads/") else ""
        if branch and not _names(path, branch):
            with suppress(CloneError):  # a host may call a branch what git does not
                _run("-C", path, "symbolic-ref", "HEAD", f"refs/heads/{branch}")

    def _borrow(self, path: str, kin: Sequence[str]) -> None:
        """Have a new mirror borrow from the first that is there; nobody may fetch into that or remove it meanwhile."""
        for lender in map(self.path, kin):
            if not os.path.isdir(lender):
                continue
            with _locked(lender):
                if _is_mirror(lender) and not borrowed(lender):
                    os.makedirs(os.path.join(path, "objects", "info"), exist_ok=True)
                    with open(os.path.join(path, _ALTERNATES), "w", encoding="utf-8", newline="\n") as file:
                        file.write(f"../../{os.path.basename(lender)}/objects\n")
                    refs = os.path.join(lender, "packed-refs")
                    if os.path.isfile(refs):  # most are a fork's too; a fetch takes away the others and is soon done with these
                        shutil.copyfile(refs, os.path.join(path, "packed-refs"))
                    return

    @contextmanager
    def held(self, url: str) -> Iterator[int]:
        """Keep other processes from changing or evicting a mirror meanwhile; give the lock, an open file."""
        with _locked(self.path(url)) as lock:
            yield lock

    def evict(self, keep: Callable[[str], bool] = lambda path: False, used: str | None = None) -> list[str]:
        """Remove mirrors, the one used longest ago first, until the rest fits; return what was removed.

        Those that `keep` accepts, and those that another process holds, stay. `used` is the
        mirror that this process used last; others that change meanwhile are not measured anew.
        """
        if self.size is None:
            return []
        if self._sizes is None:
            mirrors = sorted((os.stat(path).st_mtime, path) for path in self._mirrors())
            self._sizes = {path: _size(path) for _, path in mirrors}
        if used:
            self._sizes.pop(used, None)
            self._sizes[used] = _size(used)
        total, tried, removed = sum(self._sizes.values()), set[str](), list[str]()
        lends = Counter(map(borrowed, self._mirrors())) if total > self.size else Counter()
        while total > self.size:
            path = next((one for one in self._sizes if one not in tried and not lends[one] and not keep(one)), None)
            if path is None:
                break
            tried.add(path)
            lender = borrowed(path)
            if _remove(path):
                total -= self._sizes.pop(path)
                lends[lender] -= 1
                removed.append(path)
        return removed

    def _mirrors(self) -> list[str]:
        with os.scandir(self.folder) as entries:
            return [entry.path for entry in entries if entry.name.endswith(".git") and entry.is_dir(follow_symlinks=False)]


def mirror_of(folder: str, url: str) -> str:
    """Return where in a folder of mirrors that of a URL is, or would be."""
    name = re.sub(r"[^A-Za-z0-9.]+", "-", urlsplit(url).path.removesuffix(".git")).strip("-.")[-60:]
    return os.path.join(folder, f"{name}-{hashlib.sha256(url.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}.git")


def borrowed(path: str) -> str | None:
    """Return the mirror that another one borrows from, there or not; None for one that has all of its objects itself."""
    try:
        with open(os.path.join(path, _ALTERNATES), encoding="utf-8") as file:
            line = file.readline().rstrip("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return os.path.dirname(os.path.normpath(os.path.join(path, "objects", line)))


def _is_mirror(path: str) -> bool:
    return os.path.isfile(os.path.join(path, "HEAD")) and os.path.isdir(os.path.join(path, "objects"))


def _names(path: str, branch: str) -> bool:
    try:
        with open(os.path.join(path, "HEAD"), encoding="utf-8", errors="surrogateescape") as file:
            return file.read() == f"ref: refs/heads/{branch}\n"
    except OSError:
        return False


def _resolves(path: str) -> bool:
    """Whether HEAD names a commit."""
    asked = ["git", "--git-dir", path, "rev-parse", "--verify", "--quiet", "HEAD"]
    return subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def _usable(path: str) -> bool:
    """Whether there is a mirror to fetch into. What a killed fetch left in it is taken away."""
    lender = borrowed(path)
    if not _is_mirror(path) or (lender and not _is_mirror(lender)):
        return False
    packs = os.path.join(path, "objects", "pack")
    for name in os.listdir(packs) if os.path.isdir(packs) else ():
        if name.startswith("tmp_"):
            os.unlink(os.path.join(packs, name))
    for folder, _, names in os.walk(path):
        for name in names:
            if name.endswith(".lock"):
                os.unlink(os.path.join(folder, name))
    return True


def _tidy(path: str) -> None:
    """Keep a mirror such that git is quick in it."""
    if sum(len(names) for _, _, names in os.walk(os.path.join(path, "refs"))) > _MANY_REFS:
        _run("-C", path, "pack-refs", "--all")
    packs = os.path.join(path, "objects", "pack")
    if os.path.isdir(packs) and sum(name.endswith(".pack") for name in os.listdir(packs)) > _MANY_PACKS:
        _run("-C", path, "repack", "-a", "-d", "-k", "-l", "--quiet")  # -k: what no ref leads to any more stays


def _run(*arguments: str) -> None:
    env = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
    for name in [name for name in env if name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")]:
        del env[name]
    result = subprocess.run(["git", *arguments], env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if result.returncode:
        raise CloneError(f"git {arguments[0]} failed: {reason(result.stderr)}")


def _settings(url: str, credentials: Credentials | None) -> list[str]:
    """Return git's options for a fetch: the transport of the URL alone, nothing that runs a program but git's own."""
    transport = transport_of(url)
    settings = [
        "core.hooksPath=" + os.devnull, "core.fsmonitor=false", "core.askPass=", "gc.auto=0", "maintenance.auto=false",
        "fetch.recurseSubmodules=false", "submodule.recurse=false", "fetch.unpackLimit=1", "transfer.unpackLimit=1",
        "fetch.writeCommitGraph=false", "fetch.bundleURI=", "transfer.bundleURI=false", "protocol.allow=never",
        f"protocol.{transport}.allow=always", "http.lowSpeedLimit=1", f"http.lowSpeedTime={_SLOW}",
    ]  # fmt: skip
    if credentials:
        settings += ["credential.helper=", f"credential.{credentials.url}.helper={_HELPER}"]
    return [part for setting in settings for part in ("-c", setting)]


def _env(path: str, url: str, credentials: Credentials | None) -> Mapping[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_TRACE", "GIT_CURL_VERBOSE"))}
    for name in ("GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"):
        env.pop(name, None)
    env.update(GIT_DIR=path, GIT_TERMINAL_PROMPT="0", GIT_ALLOW_PROTOCOL=transport_of(url), LC_ALL="C")
    env.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
    if credentials:
        env.update({_TOKEN: credentials.token, "KEYLEASH_GIT_USER": credentials.user})
    return env


def transport_of(url: str) -> str:
    """Return the transport that git would take for a URL. Raises `CloneError` for one that is not spoken here.

    >>> [transport_of(url) for url in ("https://github.com/a/b", "git@github.com:a/b.git")]
    ['https', 'ssh']
    """
    scheme, there, rest = url.partition("://")
    if not there and re.match(r"[\w.-]+@[\w.-]+:(?!:)", url):
        return "ssh"
    if not there or scheme not in TRANSPORTS:
        raise CloneError(f"is no URL that is fetched from; there are {', '.join(TRANSPORTS)} and git@HOST:PATH")
    if rest.startswith("-") or "::" in url.partition("/")[0]:
        raise CloneError("is no URL that git may be given")
    return scheme


def _sharing(lock: int) -> dict[str, Any]:
    """Let git hold the lock too: where this process is killed, nobody else begins before git has ended.

    Its processes are a group of their own, so that they can be ended together.
    """
    return {} if os.name == "nt" else {"pass_fds": (lock,), "start_new_session": True}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and what it started: one of these is waiting for the server."""
    if os.name == "nt":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _without(text: str, credentials: Credentials | None) -> str:
    return text.replace(credentials.token, "***") if credentials and credentials.token else text


@contextmanager
def _locked(path: str) -> Iterator[int]:
    with open(path + ".lock", "w") as file:
        _lock(file.fileno(), wait=True)
        yield file.fileno()


def _lock(handle: int, *, wait: bool) -> bool:
    """Lock an open file until it is closed; False when another holds it. Where there are no such locks nobody is kept out."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove(path: str) -> bool:
    with open(path + ".lock", "w") as file:
        if not _lock(file.fileno(), wait=False):
            return False
        shutil.rmtree(path, ignore_errors=True)
    return not os.path.exists(path)


def _size(path: str) -> int:
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                pass
    return total
