"""From what a job says to what is scanned: looks up in the clone what the job names.

The commits of a range are known only if the clone holds all of them, and enough of what
they are compared with. A shallow clone is told by its boundary: where a commit of the
boundary lies between the two sides, some of the range may be missing, or some of it not
be the job's own.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from scanner.ci.deepen import deepen
from scanner.ci.job import ALL, CHANGE, NOTHING, Job
from scanner.errors import GitError, UsageError
from scanner.gitcommand import Repository

_NESTED_TAGS = 10


class Plan(NamedTuple):
    """What is scanned: everything, or the commits that `new` has and none of `known`; `tags` are ids of tag objects.

    Without `full` and `known` there is nothing to scan, and `why` says so.
    """

    full: bool
    why: str
    new: str = ""
    known: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class _View(NamedTuple):
    """What the clone has of a job. `lack` says what is missing, if anything is."""

    new: str
    known: tuple[str, ...]
    tags: tuple[str, ...]
    lack: str


def plan(job: Job, repository: Repository, *, mode: str = "auto", fetch: bool = False) -> Plan:
    """Return what to scan for a job. With `fetch`, what the clone lacks may be fetched from `origin`.

    Raises `UsageError` when the job names no range and one is demanded, and `GitError`, with
    the lines that would help, when the clone does not hold what the job is about.
    """
    if mode == "full" or (mode == "auto" and job.kind == ALL):
        return _whole(job, repository, fetch, f"all of the repository, for {_named(job)}")
    if job.kind == ALL:
        raise UsageError(
            f"{job.service}: {_named(job)} does not say what was there before it; "
            "leave out --mode range, or name a known commit with --base"
        )
    if job.kind == NOTHING:
        return Plan(False, f"nothing to scan: {_named(job)} brings no commit")
    view = _view(job, repository)
    if view.lack and fetch:
        view = _fetched(job, repository, view)
    if not view.lack:
        return _range(job._replace(certain=job.certain or mode == "range"), repository, view, fetch)
    if view.new and not view.known and job.kind != CHANGE and not repository.is_shallow():
        return _whole(
            job, repository, fetch, f"all of the repository, for {_named(job)}: nothing known is left to compare with"
        )
    raise _too_little(job, repository, view.lack)


def against(repository: Repository, base: str) -> Job:
    """Return the job of comparing HEAD with a revision, or with the branch of `origin` that is called so."""
    remote = f"refs/remotes/origin/{base}"
    known = (remote,) if not _commit(repository, base) and _commit(repository, remote) else (base,)
    return Job("this service", f"a build against {base}", CHANGE, "HEAD", known, certain=False)


def _range(job: Job, repository: Repository, view: _View, fetch: bool) -> Plan:
    commits = int(repository.run("rev-list", "--count", view.new, *(f"^{id}" for id in view.known)))
    short = ", ".join(id[:12] for id in view.known)
    if commits or (job.kind == CHANGE and job.certain):
        number = "1 commit" if commits == 1 else f"{commits:,} commits"
        return Plan(False, f"{number} of {_named(job)}: {view.new[:12]} without {short}", view.new, view.known, view.tags)
    if not job.certain:
        return _whole(job, repository, fetch, f"all of the repository, for {_named(job)}: {view.new[:12]} is what {short} has")
    if view.tags:
        return Plan(False, f"the tag of {_named(job)}; its commits are known", view.new, (), view.tags)
    return Plan(False, f"nothing to scan: {_named(job)} brings no commit that {short} has not")


def _whole(job: Job, repository: Repository, fetch: bool, why: str) -> Plan:
    if repository.is_shallow():
        if fetch:
            deepen(repository, (), lambda: not repository.is_shallow())
        if repository.is_shallow():
            raise _too_little(job, repository, "the whole history is to be scanned")
    return Plan(True, why)


def _fetched(job: Job, repository: Repository, view: _View) -> _View:
    """Fetch what is missing, and more of the history until nothing is lacking or nothing is left to get."""
    wanted = [revision for revision in (job.new, *job.known, job.tag) if len(revision) in (40, 64)]

    def enough() -> bool:
        nonlocal view
        view = _view(job, repository)
        return not view.lack

    reason = deepen(repository, (*wanted, *job.refs), enough)
    return view._replace(lack=f"{view.lack} ({reason})") if view.lack and reason else view


def _view(job: Job, repository: Repository) -> _View:
    new = _commit(repository, job.new)
    if not new:
        return _View("", (), (), f"the commit {job.new} is not in it")
    found = [_made_of(repository, job.merge, new), *(_commit(repository, revision) for revision in job.known)]
    known = tuple(dict.fromkeys(id for id in found if id))
    if job.kind == CHANGE:  # a base that has the change already says nothing: the change was merged since
        known = tuple(id for id in known if not _contains(repository, id, new)) or known
    tags, missing = _tags(repository, job.tag, new)
    if not known:
        return _View(new, (), tags, f"{' and '.join(job.known) or 'what the branch held before'}: not in it")
    if _cut(repository, new, known):
        return _View(new, known, tags, "its history ends before what is known already")
    return _View(new, known, tags, missing)


def _commit(repository: Repository, revision: str) -> str:
    """Return the id of a commit that the clone has, or nothing."""
    result = repository.attempt("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return result.stdout.decode().strip() if result.returncode == 0 else ""


def _made_of(repository: Repository, merge: str, new: str) -> str:
    """Return the base of a merge that the service made with `new`: fresher than what an event says of the base."""
    id = _commit(repository, merge) if merge else ""
    parents = repository.run("rev-list", "--parents", "--max-count=1", id).decode().split()[1:] if id else []
    return _commit(repository, parents[0]) if len(parents) == 2 and parents[1] == new else ""


def _contains(repository: Repository, id: str, other: str) -> bool:
    return repository.attempt("merge-base", "--is-ancestor", other, id).returncode == 0


def _cut(repository: Repository, new: str, known: tuple[str, ...]) -> bool:
    """Whether the boundary of a shallow clone lies between what is new and what is known."""
    path = os.fsdecode(repository.run("rev-parse", "--git-path", "shallow").rstrip(b"\n"))
    try:
        with open(os.path.join(repository.work_tree or repository.git_dir, path), "rb") as file:
            boundary = set(file.read().split())
    except FileNotFoundError:
        return False
    ours = repository.run("rev-list", new, *(f"^{id}" for id in known)).split()
    theirs = repository.run("rev-list", *known, f"^{new}").split()
    return not boundary.isdisjoint(ours) or not boundary.isdisjoint(theirs)


def _tags(repository: Repository, tag: str, new: str) -> tuple[tuple[str, ...], str]:
    """Return the tag objects behind a tag, outermost first (a lightweight one has none), and what is missing."""
    found: list[str] = []
    while tag and len(found) < _NESTED_TAGS:
        result = repository.attempt("rev-parse", "--verify", "--quiet", "--end-of-options", f"{tag}^{{object}}")
        id = result.stdout.decode().strip()
        if result.returncode or repository.attempt("cat-file", "-e", id).returncode:
            return tuple(found), f"the tag {tag} is not in it" if tag != new else ""
        if repository.run("cat-file", "-t", id).strip() != b"tag":
            break
        found.append(id)
        tag = repository.run("cat-file", "tag", id).split(b"\n", 1)[0].removeprefix(b"object ").decode("ascii", "replace")
    return tuple(found), ""


def _named(job: Job) -> str:
    return f"{job.event} on {job.service}"


def _too_little(job: Job, repository: Repository, lack: str) -> GitError:
    shallow = "is too shallow" if repository.is_shallow() else "has too little"
    said = f"{repository.name}: this clone {shallow} for {_named(job)}: {lack}. Nothing was scanned."
    if not job.remedy:
        return GitError(f"{said} Fetch it first, or allow that with --deepen")
    place, *lines = job.remedy
    return GitError("\n".join([f"{said} Add these two lines {place}, or allow fetching with --deepen:", *lines]))
