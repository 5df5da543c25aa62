"""What a push would bring to a remote: the commits, tags and files that it does not have.

What a remote has is known from the old ends of the refs that are pushed, and from the
refs that the last fetch or push left under its name. Nothing is asked over the network.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from scanner.errors import UsageError
from scanner.gitcommand import Repository, entries
from scanner.model import Blob, Coverage, Item, Origin, Skipped
from scanner.sources.objects import Wanted, read_many
from scanner.sources.staged import commits, tree_blobs

_NO_OBJECT = frozenset("0")
_TAGS_DEEP = 10
"""How many tags of tags are followed."""

_OLDER = 50
"""How many commits of the remote are searched for what was found."""


class Update(NamedTuple):
    """A ref that is pushed: the object it shall name, and the one it names there now; zeros for none."""

    new: str
    old: str


class Push(NamedTuple):
    """Several refs that go to `remote`, which is a name of the configuration or an address."""

    repository: Repository
    updates: tuple[Update, ...]
    remote: str

    def items(self) -> Iterator[Item]:
        """Yield what the remote does not have. Deletions bring nothing."""
        tips = [update.new for update in self.updates if not set(update.new) <= _NO_OBJECT]
        pushed = _peel(self.repository, tips)
        yield from self._objects(Wanted(id, Origin("tag message", None, commit=id)) for id in pushed.tags)
        yield from self._objects(Wanted(id, Origin("pushed file", None, commit=id)) for id in pushed.blobs)
        yield from self._objects(want for tree in pushed.trees for want in self._files(tree))
        for id in pushed.missing:
            yield Skipped(f"object {id}", "is pushed and missing from this clone, so it was not scanned")
        if pushed.commits:
            yield from commits(self.repository, self._revisions(pushed.commits))

    def older(self) -> Iterator[Blob]:
        """Yield the files of commits that the remote has: the ends of the refs, what is below the pushed ones, and more."""
        pushed = _peel(self.repository, [update.new for update in self.updates if not set(update.new) <= _NO_OBJECT])
        below = []
        if pushed.commits:
            revisions = "".join(f"{revision}\n" for revision in self._revisions(pushed.commits))
            listing = self.repository.run("rev-list", "--boundary", "--stdin", stdin=revisions.encode())
            below = [line[1:] for line in listing.decode().splitlines() if line.startswith("-")]
        known = dict.fromkeys([*self._ends(), *below, *self._fetched()])
        return tree_blobs(self.repository, list(known)[:_OLDER])

    def attribute(self, ids: Collection[str]) -> Mapping[str, Origin]:
        return {}

    def _objects(self, wanted: Iterable[Wanted]) -> Iterator[Item]:
        for found in read_many(self.repository, wanted):
            if isinstance(found, Skipped):
                yield found
                continue
            yield found[1]
            yield Coverage(blobs=found[0] == "blob", bytes=len(found[1].data))

    def _files(self, tree: str) -> Iterator[Wanted]:
        """Yield what a tree holds that a tag names without a commit."""
        for entry in entries(self.repository.run("ls-tree", "-r", "-z", "--full-tree", tree)):
            said, _, path = entry.partition(b"\t")
            _, kind, id = said.decode("ascii").split()
            if kind == "blob":
                yield Wanted(id, Origin("pushed file", os.fsdecode(path)))

    def _revisions(self, new: Iterable[str]) -> list[str]:
        return [*new, *(f"^{id}" for id in dict.fromkeys([*self._ends(), *self._fetched()]))]

    def _ends(self) -> list[str]:
        """Return the commits that the remote's refs name now, as far as this clone has them."""
        return _peel(self.repository, [update.old for update in self.updates if not set(update.old) <= _NO_OBJECT]).commits

    def _fetched(self) -> list[str]:
        """Return the commits that are known to be on the remote."""
        if not self.remote or self.remote.startswith("-"):
            return []
        refs = self.repository.run("for-each-ref", "--format=%(objectname)", f"refs/remotes/{self.remote}/")
        return _peel(self.repository, refs.decode().split()).commits


def read_updates(lines: bytes) -> tuple[Update, ...]:
    """Read what git writes to a pre-push hook: `local-ref local-id remote-ref remote-id`, a line each (source: githooks(5)).

    Raises `UsageError` for anything else.
    """
    updates = []
    for line in lines.decode("utf-8", "surrogateescape").splitlines():
        words = line.rsplit(" ", 3)
        if len(words) != 4 or not all(_is_id(words[place]) for place in (1, 3)):
            raise UsageError("standard input: a pre-push hook gets lines 'ref id ref id' from git; this is none")
        updates.append(Update(words[1], words[3]))
    return tuple(updates)


def _is_id(text: str) -> bool:
    return len(text) in (40, 64) and set(text) <= set("0123456789abcdef")


class _Peeled(NamedTuple):
    """Ids by kind; `tags` stand before what they name."""

    commits: list[str]
    tags: list[str]
    trees: list[str]
    blobs: list[str]
    missing: list[str]


def _peel(repository: Repository, ids: Iterable[str]) -> _Peeled:
    """Sort objects by kind, following tags to what they name."""
    peeled = _Peeled([], [], [], [], [])
    places = {"commit": peeled.commits, "tag": peeled.tags, "tree": peeled.trees, "blob": peeled.blobs}
    waiting = list(dict.fromkeys(ids))
    for _ in range(_TAGS_DEEP):
        if not waiting:
            break
        said = repository.run(
            "cat-file", "--batch-check=%(objecttype) %(objectname)", stdin="\n".join(waiting).encode() + b"\n"
        )
        found = []
        for asked, line in zip(waiting, said.decode().splitlines(), strict=False):
            kind, _, id = line.partition(" ")
            if kind in places:
                places[kind].append(id)
                found += [id] if kind == "tag" else []
            else:
                peeled.missing.append(asked)
        waiting = [target for id in found if (target := _target(repository, id))]
    return peeled


def _target(repository: Repository, tag: str) -> str | None:
    """Return the id that a tag names: its first line is `object ID`."""
    first = repository.run("cat-file", "tag", tag).partition(b"\n")[0].decode("ascii", "replace")
    return first.removeprefix("object ") if first.startswith("object ") else None


def here(repository: Repository, revision: str) -> str:
    """Return the id of the object that a ref names, or the one an id names; a `UsageError` when there is none."""
    if not revision.startswith("-"):
        result = repository.attempt("rev-parse", "--verify", "--quiet", "--end-of-options", revision)
        if result.returncode == 0:
            return os.fsdecode(result.stdout).strip()
    raise UsageError(f"{repository.name}: nothing here is called '{revision}'")
