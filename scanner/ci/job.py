"""What a job says it is about, before anything is looked up in the clone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from scanner.errors import UsageError
from scanner.sinks.escape import visible

CHANGE = "change"
"""A pull or merge request, or a merge queue: its own commits, and there are some."""

PUSH = "push"
"""Commits that arrived on a branch or a tag: perhaps none that is new."""

ALL = "all"
"""No range is named: a schedule, a button, an event about something else."""

NOTHING = "nothing"
"""A branch or tag was deleted."""


class Job(NamedTuple):
    """What a CI job is about.

    `new` is the revision up to which is scanned; what `known` revisions have is not this
    job's. `merge` is a commit that the service made of the base (its first parent) and
    `new` (its second). `refs` can be fetched when `new` or `known` are missing; `remedy`
    says where in the service's own file which two lines give the job the whole history. `certain`
    says that the service tells what was there before: then no new commit means that none
    came, else that nobody knows.
    """

    service: str
    event: str
    kind: str
    new: str = "HEAD"
    known: tuple[str, ...] = ()
    merge: str = ""
    tag: str = ""
    refs: tuple[str, ...] = ()
    remedy: tuple[str, ...] = ()
    certain: bool = True


def is_none(commit: str) -> bool:
    """Whether a service says with this that there is no commit: empty, or all zeros."""
    return not commit.strip("0")


def need(environment: Mapping[str, str], name: str, service: str) -> str:
    """Return a variable; a `UsageError` names the one that is missing."""
    value = environment.get(name, "")
    if not value:
        raise UsageError(f"{service}: the variable {name} is not set; run keyleash in the job itself, with its environment")
    return value


def commit_id(value: str, where: str) -> str:
    """Return a commit id as it is, or raise a `UsageError` that names where it stood."""
    if not re.fullmatch(r"[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?", value):
        raise UsageError(f"{where}: '{visible(value[:80])}' is not the id of a commit")
    return value


def branch_name(value: str, where: str) -> str:
    """Return a branch without `refs/heads/`, or raise a `UsageError` for what git would not take for one."""
    name = value.removeprefix("refs/heads/")
    if not name or name.startswith("-") or ".." in name or re.search(r"[\x00-\x20\x7f~^:?*\[\\]|@\{", name):
        raise UsageError(f"{where}: '{visible(value[:80])}' is not the name of a branch")
    return name


def tracked(branch: str) -> tuple[str, ...]:
    """Return the remote-tracking name of a branch, or nothing for none."""
    return (f"refs/remotes/origin/{branch}",) if branch else ()
