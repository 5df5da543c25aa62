"""Running git on a repository that may be hostile.

A repository's own configuration can name programs: a file-system monitor, a pager, an
external diff, a signature checker, a remote helper that is started to fetch a missing
object. Every call here switches those off, fetches nothing and writes nothing. And git
may hang, on a named pipe in place of one of its files: no call waits for ever.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, NamedTuple

from scanner.errors import GitError, UsageError

_SAFE = tuple(
    part
    for setting in (
        "core.fsmonitor=false",
        "core.untrackedCache=false",
        "core.hooksPath=/dev/null",
        "core.pager=cat",
        "core.quotePath=false",
        "core.commitGraph=true",
        "diff.external=",
        "diff.renames=true",
        "log.showSignature=false",
        "log.follow=false",
        "gc.auto=0",
        "maintenance.auto=false",
        "submodule.recurse=false",
        "protocol.allow=never",
        "credential.helper=",
        "advice.graftFileDeprecated=false",
    )
    for part in ("-c", setting)
)
SPARING = tuple(
    part
    for setting in ("core.packedGitWindowSize=4m", "core.packedGitLimit=64m", "core.deltaBaseCacheLimit=32m")
    for part in ("-c", setting)
)
"""Options for a git that reads much: it maps whole packs, if it may; these bound what it holds, for a twentieth more time."""

# What the caller's environment may say about another repository, or have git print or run.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_CEILING_DIRECTORIES", "GIT_EXTERNAL_DIFF",
            "GIT_TRACE", "GIT_TRACE2", "GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_ICASE_PATHSPECS")  # fmt: skip


PATIENCE = 900.0
"""Seconds that one git command may take; in a hook, that a stream of objects may."""

HOOK_PATIENCE = 60.0
"""Seconds that one git command of a hook may take: somebody is waiting for it."""


class Repository(NamedTuple):
    """A git directory, and its work tree unless it is bare.

    `environment` is what git told a hook: the index of the commit being made, and where
    the objects of a push wait to be accepted. `hook` says that a hook is waiting.
    """

    git_dir: str
    work_tree: str | None
    environment: tuple[tuple[str, str], ...] = ()
    hook: bool = False

    def command(self, *arguments: str) -> list[str]:
        return ["git", *_SAFE, *arguments]

    def env(self) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        env.update(
            GIT_DIR=self.git_dir,
            GIT_OPTIONAL_LOCKS="0",
            GIT_NO_LAZY_FETCH="1",
            GIT_ALLOW_PROTOCOL="",
            GIT_TERMINAL_PROMPT="0",
            GIT_NO_REPLACE_OBJECTS="1",
            LC_ALL="C",
        )
        if self.work_tree:
            env["GIT_WORK_TREE"] = self.work_tree
        env.update(self.environment)
        return env

    def run(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        """Return what git prints. Raises `GitError` with git's reason when it fails."""
        result = self.attempt(*arguments, stdin=stdin)
        if result.returncode:
            raise GitError(f"{self.name}: git {arguments[0]} failed: {reason(result.stderr)}")
        return result.stdout

    def attempt(self, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run git and return the result, whatever its exit code."""
        limit = patience(HOOK_PATIENCE if self.hook else PATIENCE)
        return _run(self.command(*arguments), self.work_tree or self.git_dir, self.env(), stdin or b"", limit)

    @contextmanager
    def open(self, *arguments: str, stdin: int | IO[bytes] = subprocess.DEVNULL) -> Iterator[subprocess.Popen[bytes]]:
        """Start git with its output in a pipe; it is ended when the block is left, however that happens.

        In a hook it is ended after `PATIENCE`, too: a `GitError` at the end of the block.
        """
        process = subprocess.Popen(
            self.command(*arguments), cwd=self.work_tree or self.git_dir, env=self.env(),
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        limit = patience(PATIENCE)
        watch = _Watch(process, limit) if self.hook else None
        try:
            yield process
        finally:
            if watch:
                watch.cancel()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    try:
                        pipe.close()
                    except BrokenPipeError:
                        pass
            if process.poll() is None:
                process.kill()
            process.wait()
            if watch and watch.ended:
                raise GitError(_hung(arguments, limit))

    def resolve(self, revision: str) -> str:
        """Return the commit id that a revision names; a `UsageError` when there is none."""
        if not revision.startswith("-"):
            result = self.attempt("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
            if result.returncode == 0:
                return result.stdout.decode().strip()
        raise UsageError(f"{self.name}: no commit is called '{revision}'; 'git log --all' shows those there are")

    @property
    def name(self) -> str:
        """The place in words for people."""
        return self.work_tree or self.git_dir

    def head(self) -> str | None:
        """Return the commit that HEAD names, or None before the first one."""
        result = self.attempt("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return result.stdout.decode().strip() or None

    def is_shallow(self) -> bool:
        return self.attempt("rev-parse", "--is-shallow-repository").stdout.strip() == b"true"


class _Watch(threading.Timer):
    """Ends a process that is still there after a time."""

    def __init__(self, process: subprocess.Popen[bytes], limit: float) -> None:
        super().__init__(limit, self._end)
        self.daemon = True
        self.ended = False
        self._process = process
        self.start()

    def _end(self) -> None:
        self.ended = True
        self._process.kill()


def _run(
    command: list[str], cwd: str | None = None, env: dict[str, str] | None = None, stdin: bytes = b"", limit: float = PATIENCE
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, cwd=cwd, env=env, input=stdin, capture_output=True, check=False, timeout=limit)
    except FileNotFoundError:
        raise GitError("git is not installed, or not on PATH") from None
    except subprocess.TimeoutExpired:
        raise GitError(_hung(command[1 + len(_SAFE) :], limit)) from None


def patience(usual: float) -> float:
    """Return how many seconds git may take: `KEYLEASH_GIT_TIMEOUT`, or what is usual."""
    text = os.environ.get("KEYLEASH_GIT_TIMEOUT")
    if text is None:
        return usual
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 86_400:
        raise UsageError(f"KEYLEASH_GIT_TIMEOUT: '{text}' is not a number of seconds from 1 to 86400")
    return float(text)


def _hung(arguments: Sequence[str], limit: float) -> str:
    before = 0
    while arguments[before] == "-c":
        before += 2
    command = arguments[before]
    return (
        f"git {command} did not answer within {limit:.0f} seconds and was ended, so nothing is known to be clean; "
        f"try it by hand ('git status'), or give it longer: KEYLEASH_GIT_TIMEOUT=SECONDS"
    )


def reason(stderr: bytes) -> str:
    """Return git's complaint as one line."""
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    chosen = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1] if lines else "no reason given")
    return chosen.removeprefix("fatal: ").removeprefix("error: ")


def find(path: str) -> Repository | None:
    """Return the repository that holds a path: the nearest `.git` above it, or a bare one at the path itself.

    The search reads names only: what the repository's configuration says about its own
    place (`core.worktree`) is not followed. Raises `GitError` when git refuses it.
    """
    start = folder = os.path.realpath(path)
    while not os.path.exists(os.path.join(folder, ".git")):
        if folder == start and _is_git_dir(folder):
            repository = Repository(folder, None)
            break
        if folder == os.path.dirname(folder):
            return None
        folder = os.path.dirname(folder)
    else:
        repository = Repository(_git_dir(os.path.join(folder, ".git")), folder)
    check = repository.attempt("rev-parse", "--git-dir")
    if check.returncode:
        raise GitError(f"{repository.name}: git cannot read this repository: {reason(check.stderr)}")
    return repository


def of_hook() -> Repository:
    """Return the repository in which git runs this hook, with the index and objects that git named."""
    command = ["git", *_SAFE, "rev-parse", "--absolute-git-dir", "--show-toplevel"]
    result = _run(command, limit=patience(HOOK_PATIENCE))
    if result.returncode:
        raise UsageError("the hook runs inside a git repository; here is none (use 'keyleash scan PATH' for a folder)")
    git_dir, top = (os.fsdecode(line) for line in result.stdout.splitlines()[:2])
    kept = []
    for name in ("GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):  # relative to the folder git started us in
        if name in os.environ:
            kept.append((name, os.path.abspath(os.environ[name])))
    if "GIT_ALTERNATE_OBJECT_DIRECTORIES" in os.environ:
        kept.append(("GIT_ALTERNATE_OBJECT_DIRECTORIES", os.environ["GIT_ALTERNATE_OBJECT_DIRECTORIES"]))
    return Repository(git_dir, top, tuple(kept), hook=True)


def _git_dir(dot_git: str) -> str:
    if os.path.isdir(dot_git):
        return dot_git
    try:
        if not os.path.isfile(dot_git):
            raise GitError(f"{dot_git}: is neither a git directory nor a link to one")
        with open(dot_git, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read(65536)
    except OSError as problem:
        raise GitError(f"{dot_git}: cannot be read: {problem.strerror}") from None
    if not text.startswith("gitdir: ") or "\0" in text:
        raise GitError(f"{dot_git}: is neither a git directory nor a link to one")
    return os.path.realpath(os.path.join(os.path.dirname(dot_git), text.removeprefix("gitdir: ").rstrip("\n")))


def _is_git_dir(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, "HEAD")) and all(
        os.path.isdir(os.path.join(folder, name)) for name in ("objects", "refs")
    )


def entries(stream: bytes) -> Sequence[bytes]:
    """Split NUL-terminated output."""
    return stream.split(b"\0")[:-1] if stream else []
