"""What became of the content that holds a finding: where it still stands, and which commit took it away.

Asked only for the objects that hold a finding, and only of what the branches have today
and of HEAD's history: an answer for every branch's past would cost as much as the scan.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import IO

from scanner.gitcommand import Repository
from scanner.model import Origin
from scanner.sources.walk import Beside

MAX_TIPS = 1000
"""Branches that are asked, the one that HEAD names first."""

FEW_PATHS = 16
"""With more paths than these git is asked for all changes: to compare each with many paths takes it longer."""

_BRANCHES = ("refs/heads", "refs/remotes")
_BRANCH = "%(objectname) %(refname:short)"
_CHANGES = ("--literal-pathspecs", "log", "--raw", "--no-abbrev", "--no-renames", "--full-history", "-z", "--format=%x00%H")
_READ = 65536


class Changes:
    """All changes of HEAD's history, listed beside a scan that found so much that they will be asked for."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._git = Beside(repository)
        self._head: str | None = None

    def start(self) -> None:
        """Begin, unless that was done; there may be no commit at HEAD."""
        if self._head is None:
            self._head = self._repository.head() or ""
            if self._head:
                self._git.start(*_CHANGES, self._head)

    def of(self, head: str) -> IO[bytes] | None:
        """Return what git printed of that commit's history, or None when that was not asked for, or went wrong."""
        if self._head != head:
            return None
        file, code = self._git.result()
        return None if code else file

    def end(self) -> None:
        self._git.end()


def told(
    repository: Repository,
    places: Mapping[str, Origin],
    before: Mapping[str, Origin] = MappingProxyType({}),
    since: str = "",
    asked: Mapping[str, str] = MappingProxyType({}),
    changes: Changes | None = None,
) -> dict[str, Origin]:
    """Return the places of blobs with `present`, `removed` and, at HEAD, all `paths`.

    `before` are such places as they were told when HEAD was `since`, from which it only went forward, and
    when `branches` was `asked`.
    """
    filed = {id: place for id, place in places.items() if place.path is not None}
    head = repository.head()
    if not filed or head is None:
        return dict(places)
    paths = _paths_at(repository, head, filed)
    present = _present(repository, filed, before, asked)
    gone = {id: place for id, place in filed.items() if id not in paths and place.commit}
    older = {id: place for id, place in gone.items() if id in before}
    removed = {id: commit for id in older if (commit := before[id].removed)}
    removed |= _removed(repository, f"{since}..{head}", older)
    removed |= _removed(repository, head, {id: place for id, place in gone.items() if id not in before}, changes)
    return {
        id: place._replace(present=present.get(id, ()), removed=removed.get(id), paths=paths.get(id, ()))
        if id in filed
        else place
        for id, place in places.items()
    }


def _paths_at(repository: Repository, commit: str, ids: Mapping[str, Origin]) -> dict[str, tuple[str, ...]]:
    """Return all paths that blobs have in a commit's tree."""
    found: dict[str, list[str]] = {}
    for entry in repository.run("ls-tree", "-r", "-z", commit).split(b"\0"):
        said, _, path = entry.partition(b"\t")
        id = said.rpartition(b" ")[2].decode()
        if id in ids:
            found.setdefault(id, []).append(os.fsdecode(path))
    return {id: tuple(sorted(paths)) for id, paths in found.items()}


def branches(repository: Repository) -> dict[str, str]:
    """Return the commits that branches name, of the branches that are asked."""
    listed = repository.run("for-each-ref", f"--count={MAX_TIPS}", f"--format={_BRANCH}", "--sort=-HEAD", *_BRANCHES)
    return {os.fsdecode(name): tip.decode() for tip, _, name in (line.partition(b" ") for line in listed.splitlines())}


def _present(
    repository: Repository, places: Mapping[str, Origin], before: Mapping[str, Origin], asked_then: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Return the branches that have a blob at its path today; those that did not move are asked only for what is new."""
    now = branches(repository)
    still = {name for name, tip in now.items() if asked_then.get(name) == tip}
    # git answers in lines, so a name with a line feed in it would put the answers out of step.
    paths = {id: os.fsencode(place.path) for id, place in places.items() if place.path and "\n" not in place.path}
    found = {id: [name for name in before[id].present if name in still] for id in paths if id in before}
    asked: list[tuple[dict[bytes, set[str]], bytes, list[str], str]] = []
    for ids, wanted in ((found.keys(), now.keys() - still), (paths.keys() - found.keys(), now.keys())):
        at: dict[bytes, set[str]] = {}  # many versions of a file are asked for at once
        for id in ids:
            at.setdefault(paths[id], set()).add(id)
        asked += [(at, path, names, tip) for tip, names in _by_tip(now, wanted).items() for path in at]
    lines = b"".join(tip.encode() + b":" + path + b"\n" for _, path, _, tip in asked)
    answers = repository.run("cat-file", "--batch-check=%(objectname)", stdin=lines).split(b"\n")[:-1]
    for (at, path, names, _), answer in zip(asked, answers, strict=True):
        id = answer.decode("ascii", "replace")
        if id in at[path]:
            found.setdefault(id, []).extend(names)
    return {id: tuple(sorted(names)) for id, names in found.items()}


def _by_tip(branches: Mapping[str, str], wanted: Collection[str]) -> dict[str, list[str]]:
    tips: dict[str, list[str]] = {}
    for name in wanted:
        tips.setdefault(branches[name], []).append(name)
    return tips


def _removed(repository: Repository, head: str, gone: Mapping[str, Origin], changes: Changes | None = None) -> dict[str, str]:
    """Return the newest commit of HEAD's history that replaced or deleted a blob at its path."""
    wanted = {(id.encode(), os.fsencode(place.path or "")): id for id, place in gone.items()}
    if not wanted:
        return {}
    listed = changes.of(head) if changes else None
    if listed:
        return _last_changes(listed, wanted)
    paths = {path for _, path in wanted}
    few = ["--", *map(os.fsdecode, sorted(paths))] if len(paths) <= FEW_PATHS else []
    with repository.open(*_CHANGES, head, *few) as process:
        assert process.stdout
        return _last_changes(process.stdout, wanted)


def _last_changes(stream: IO[bytes], wanted: Mapping[tuple[bytes, bytes], str]) -> dict[str, str]:
    removed: dict[str, str] = {}
    commit = b""
    words = _words(stream)
    for word in words:
        if not word.startswith(b":"):
            commit = word or commit
            continue
        old, new = word.split(b" ")[2:4]
        id = wanted.get((old, next(words, b"")))
        if id and old != new and id not in removed:
            removed[id] = commit.decode()
            if len(removed) == len(wanted):
                break
    return removed


def _words(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what stands between NUL bytes, without the line feed that git puts before the first change of a commit."""
    rest = b""
    while data := stream.read(_READ):
        *words, rest = (rest + data).split(b"\0")
        for word in words:
            yield word.removeprefix(b"\n") if word.startswith(b"\n:") else word
