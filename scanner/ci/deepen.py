"""Fetching what a shallow clone lacks, and only where the user allowed it.

This is the one place that lets git speak to a remote. It fetches objects and sets
remote-tracking refs, and checks nothing out; hooks, monitors and submodules stay off.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence

from scanner.errors import GitError
from scanner.gitcommand import Repository, reason

REMOTE = "origin"
DEPTHS = (100, 1000)
"""Commits from each tip that are fetched at first; most changes are near. Then comes the whole history."""

TIMEOUT = 600
"""Seconds for one fetch."""

_SETTINGS = ("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.askPass=", "gc.auto=0", "maintenance.auto=false",
             "submodule.recurse=false", "fetch.recurseSubmodules=false", "fetch.writeCommitGraph=false")  # fmt: skip
_PROTOCOLS = "https:http:ssh:file"
_OPTIONS = ("--quiet", "--no-tags", "--no-write-fetch-head", "--upload-pack=git-upload-pack")


def deepen(repository: Repository, wanted: Sequence[str], enough: Callable[[], bool]) -> str:
    """Fetch the wanted commits and refs with more and more of their history, until `enough` says so.

    Without `wanted`, the rest of the history of what is there. Returns why a fetch failed,
    or nothing; a commit that the remote has no longer is a failure that need not matter.
    """
    failures: dict[str, None] = {}
    depths = [f"--depth={number}" for number in DEPTHS] if wanted else []
    for depth in [*depths, "--unshallow"]:
        if depth == "--unshallow" and not repository.is_shallow():
            break
        for want in wanted or ("",):
            if depth == "--unshallow" and not repository.is_shallow():
                break  # the fetch before this one did it
            failures.update(dict.fromkeys(_fetch(repository, depth if repository.is_shallow() else "", want)))
        if enough():
            return ""
    return "; ".join(failures)


def _fetch(repository: Repository, depth: str, want: str) -> list[str]:
    """Run one fetch and return why it failed, if it did."""
    if want.startswith("refs/heads/"):
        want = f"+{want}:refs/remotes/{REMOTE}/{want.removeprefix('refs/heads/')}"
    elif want.startswith("refs/"):
        want = f"+{want}:{want}"
    settings = [part for setting in _SETTINGS for part in ("-c", setting)]
    command = ["git", *settings, "fetch", *_OPTIONS, *([depth] if depth else []), REMOTE]
    env = repository.env() | {"GIT_ALLOW_PROTOCOL": _PROTOCOLS}
    try:
        result = subprocess.run(
            [*command, *([want] if want else [])], cwd=repository.work_tree or repository.git_dir, env=env,
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=TIMEOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise GitError(f"{repository.name}: fetching more of the history took longer than {TIMEOUT} seconds") from None
    # The address of the remote may carry the job's token.
    return [re.sub(r"//[^/\s]*@", "//", reason(result.stderr))] if result.returncode else []
