"""What a repository's graph gained since it was last looked at, and so where the objects of findings stand now.

Naming the place of an object takes a walk over the whole graph. Where refs only moved
forward, old places still hold and a walk over what is new names the others.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from io import BytesIO
from typing import IO, Any

from scanner.gitcommand import Repository
from scanner.model import Origin
from scanner.sources.fate import branches, told
from scanner.sources.history import History, place
from scanner.sources.memory import BY_REF, BY_REFLOG, NOWHERE, Graph, Memory, Placed
from scanner.sources.packs import opener
from scanner.sources.walk import ARGUMENTS


class Growth:
    """The graph now, held against the graph that a memory knows. Nothing is walked before it is needed."""

    def __init__(self, repository: Repository, memory: Memory) -> None:
        self._repository = repository
        self._memory = memory
        self._text: bytes | None = None
        self._holds: bool | None = None
        self._tips, self.refs = _tips(repository)
        self._size = len(next(iter(self._tips))) if self._tips else 20
        self._before = memory.graph()
        if memory.lent and not self._has_all():
            self._before = None
        named = json.dumps(branches(repository), sort_keys=True)
        self.graph = Graph(b"".join(sorted(self._tips)), _reflog(repository), b"", repository.head() or "", named)
        self._anew = memory.reread or (self._before is None or memory.names_at() != _mark(self._before.tips))

    @property
    def whole(self) -> bool:
        """Whether a walk over all will be asked for, so that it may begin."""
        return self._anew or not (self.holds or self._memory.lent)

    @property
    def holds(self) -> bool:
        """Whether everything that was reachable still is: refs moved forward, or not at all."""
        if self._holds is None:
            self._holds = self._before is not None and self._reached()
        return self._holds

    @property
    def _same(self) -> bool:
        return self._before is not None and self._before._replace(missing=b"") == self.graph._replace(missing=b"")

    def missing(self, held: Callable[[bytes], bool]) -> int:
        """Return how many objects a partial clone has left with its remote, when `holds`; `held` says which came since."""
        assert self._before is not None
        ids = {id for id in _split(self._before.missing, self._size) if not held(id)}
        lines = self._new().splitlines()
        ids |= {bytes.fromhex(line[1:].split()[0].decode()) for line in lines if line.startswith(b"?")}
        self.found_missing(ids)
        return len(ids)

    def found_missing(self, ids: Iterable[bytes]) -> None:
        self.graph = self.graph._replace(missing=b"".join(sorted(ids)))

    def unnamed(self, walked: Callable[[], IO[bytes]]) -> IO[bytes]:
        """Return the part of a walk in which the names of files were not looked at yet."""
        return walked() if self.whole else BytesIO(self._new())

    def named(self, found: Collection[Any]) -> Iterator[Any]:
        """Remember what was found in these names, and yield what is known of all names."""
        return self._memory.keep_names(found, _mark(self.graph.tips), self.whole)

    def attribute(self, ids: Collection[str], walked: Callable[[], IO[bytes]]) -> Mapping[str, Origin]:
        """Name the places of objects: remembered ones that still hold, then from what is new, then from a walk over all."""
        history = History(self._repository)
        remembered = self._memory.places(ids)
        lasting = self._lasting()
        placed = {id: one for id, one in remembered.items() if one.by in lasting}
        if self._memory.lent and not self.holds:
            placed = self._reachable(remembered)
        left = set(ids) - placed.keys()
        named: dict[str, Origin] = {}
        if left and self.holds:
            place(BytesIO(self._new()), left, named)
        elif left and not self.whole:
            place(BytesIO(self._new()), left - remembered.keys(), named)
        if left - named.keys() - (remembered.keys() if self.holds else set()):  # never asked for before
            place(walked(), left, named)
        by_ref = set(named)
        if left - by_ref:
            history.place_rest(left, named)
        placed |= {id: Placed(origin, BY_REF if id in by_ref else BY_REFLOG) for id, origin in history.describe(named).items()}
        placed |= {id: Placed(Origin("history, unreachable"), NOWHERE) for id in left - named.keys()}
        origins = {id: one.origin for id, one in placed.items()}
        if not self._same or left:
            origins = self._told(origins, remembered)
        new = ids if self._memory.lent else left
        self.remember(
            {id: one._replace(origin=origins[id]) for id, one in placed.items() if one.origin != origins[id] or id in new}
        )
        return origins

    def _reachable(self, places: Mapping[str, Placed]) -> dict[str, Placed]:
        """Return the places whose commits refs of this repository lead to."""
        commits = {one.origin.commit for one in places.values() if one.origin.commit}
        asked = "".join(f"{id}\n" for id in commits)
        result = self._repository.attempt("rev-list", "--stdin", "--not", "--all", stdin=asked.encode())
        away = set(result.stdout.decode().split()) if result.returncode == 0 else commits
        return {id: one for id, one in places.items() if one.origin.commit and one.origin.commit not in away}

    def _told(self, origins: Mapping[str, Origin], remembered: Mapping[str, Placed]) -> dict[str, Origin]:
        """Say what became of each, and look for what took it away only where that was not known."""
        old = self._before.head if self._before else ""
        if not old or not self._is_ancestor(old, self.graph.head):
            return told(self._repository, origins)
        kept = {id: one.origin for id, one in remembered.items() if one.origin[:4] == origins[id][:4]}
        return told(self._repository, origins, kept, old, json.loads(self._before.branches) if self._before else {})

    def _is_ancestor(self, old: str, new: str) -> bool:
        return bool(new) and self._repository.attempt("merge-base", "--is-ancestor", old, new).returncode == 0

    def remember(self, places: Mapping[str, Placed]) -> None:
        self._memory.place(self.graph, places, self._lasting())

    def _lasting(self) -> Collection[str]:
        """Return which kinds of places still hold."""
        if self._same:
            return BY_REF, BY_REFLOG, NOWHERE
        return (BY_REF,) if self.holds else ()

    def _has_all(self) -> bool:
        """Whether all that the graph before rested on is in this repository."""
        assert self._before is not None
        asked = "".join(f"{id.hex()}\n" for id in _split(self._before.tips, self._size))
        return self._repository.attempt("rev-list", "--no-walk", "--quiet", "--stdin", stdin=asked.encode()).returncode == 0

    def _reached(self) -> bool:
        """Whether each old tip is reachable from the new ones."""
        assert self._before is not None
        before = set(_split(self._before.tips, self._size))
        lost, new = before - self._tips, self._tips - before
        return not lost or self._within(lost, new) or self._within(lost, self._tips)

    def _within(self, lost: set[bytes], tips: set[bytes]) -> bool:
        asked = "".join([f"{id.hex()}\n" for id in lost] + [f"^{id.hex()}\n" for id in tips])
        result = self._repository.attempt("rev-list", "--objects", "--max-count=1", "--stdin", stdin=asked.encode())
        return result.returncode == 0 and not result.stdout

    def _new(self) -> bytes:
        """Return what a walk prints over what is reachable now and was not; `?` begins a line of what is missing."""
        if self._text is None:
            assert self._before is not None
            before = set(_split(self._before.tips, self._size))
            asked = [f"{id.hex()}\n" for id in self._tips - before] + [f"^{id.hex()}\n" for id in before]
            self._text = b""
            if self._tips - before:
                result = self._repository.attempt(*ARGUMENTS, "--missing=print", "--stdin", stdin="".join(asked).encode())
                self._text = result.stdout
        return self._text


def _mark(tips: bytes) -> bytes:
    return hashlib.sha256(tips).digest()


def _tips(repository: Repository) -> tuple[set[bytes], int]:
    """Return the ids that refs and the HEADs of all work trees name, and the number of refs."""
    lines = repository.run("for-each-ref", "--format=%(objectname)").split()
    common = os.fsdecode(repository.run("rev-parse", "--git-common-dir").rstrip(b"\n"))
    common = os.path.join(repository.work_tree or repository.git_dir, common)
    heads = [os.path.join(repository.git_dir, "HEAD"), os.path.join(common, "HEAD")]
    worktrees = os.path.join(common, "worktrees")
    if os.path.isdir(worktrees):
        heads += [os.path.join(worktrees, name, "HEAD") for name in sorted(os.listdir(worktrees))]
    ids = {bytes.fromhex(line.decode()) for line in set(lines)}
    return ids | {id for id in map(_detached, heads) if id}, len(lines)


def _detached(head: str) -> bytes | None:
    """Return the commit that a HEAD names by id; one that names a branch adds nothing to the refs."""
    try:
        with open(head, "rb", opener=opener) as file:
            return bytes.fromhex(file.read(200).decode())
    except (OSError, ValueError):
        return None


def _reflog(repository: Repository) -> bytes:
    """Return a digest that changes when a reflog is written or expires."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(os.path.join(repository.git_dir, "logs")):
        folders.sort()
        for name in sorted(files):
            status = os.lstat(os.path.join(folder, name))
            digest.update(f"{folder}/{name} {status.st_size} {status.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.digest()


def _split(ids: bytes, size: int) -> Iterator[bytes]:
    return (ids[at : at + size] for at in range(0, len(ids), size))
