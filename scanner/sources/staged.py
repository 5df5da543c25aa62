"""What is about to be committed, and what a range of commits brought.

Both are lists of changes, and both are read the same way: the new version of a file
whole, because a credential is often two lines of which one was touched, and the versions
it replaces, because what these already have is no news.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from scanner.gitcommand import Repository, entries
from scanner.model import Coverage, Item, Origin, Skipped
from scanner.sources.objects import Wanted, read_many, read_one

_NO_OBJECT = frozenset("0")
_GITLINK = "160000"


class Change(NamedTuple):
    """A new version of a file, and the ids of the versions that it replaces (of each parent, if it had one).

    `id` is empty for a file in which a merge has left a conflict.
    """

    id: str
    path: str
    before: tuple[str, ...]


class Staged(NamedTuple):
    """The index against HEAD, or in a merge against every parent of it; of the files in `only`, if given."""

    repository: Repository
    only: frozenset[str] | None = None

    def items(self) -> Iterator[Item]:
        changes = self.changes()
        for change in changes:
            if not change.id:
                yield Skipped(change.path, "is unmerged, so nothing of it is staged; resolve it first")
        changes = [change for change in changes if change.id]
        yield Coverage(files=len(changes))
        wanted = [Wanted(change.id, Origin("staged", change.path)) for change in changes]
        yield from _blobs(self.repository, wanted, {(change.id, change.path): change.before for change in changes})

    def attribute(self, ids: Collection[str]) -> Mapping[str, Origin]:
        return {}

    def changes(self) -> list[Change]:
        """Return the files whose staged version differs from that of every parent."""
        found = {change.path: change for change in _raw(self._against("HEAD"))}
        if self.merging:
            with open(os.path.join(self.repository.git_dir, "MERGE_HEAD"), encoding="ascii") as file:
                parents = file.read().split()
            for parent in parents:
                changed = {change.path: change for change in _raw(self._against(parent))}
                found = {
                    path: change._replace(before=change.before + changed[path].before)
                    for path, change in found.items()
                    if path in changed
                }
        return [change for change in found.values() if self.only is None or change.path in self.only]

    @property
    def merging(self) -> bool:
        """Whether the next commit will be a merge."""
        return os.path.exists(os.path.join(self.repository.git_dir, "MERGE_HEAD"))

    def names(self) -> set[str]:
        """Return the paths of all that differs from HEAD in the index."""
        return {change.path for change in _raw(self._against("HEAD"))}

    def _against(self, parent: str) -> bytes:
        arguments = ("diff-index", "--cached", "--raw", "-z", "--no-abbrev", "-M", "--diff-filter=d")
        listing = self.repository.attempt(*arguments, parent)
        if listing.returncode == 0:
            return listing.stdout
        # Before the first commit there is no HEAD. Asked for only now: nearly every commit has one.
        return self.repository.run(*arguments, self._empty_tree() if self.repository.head() is None else parent)

    def _empty_tree(self) -> str:
        return self.repository.run("hash-object", "-t", "tree", "--stdin", stdin=b"").decode().strip()


class Range(NamedTuple):
    """The commits that `new` has, and neither `old` nor any of `others`: their changes against their parents, and messages."""

    repository: Repository
    old: str
    new: str
    others: tuple[str, ...] = ()

    def items(self) -> Iterator[Item]:
        """Yield each new version once, with the oldest commit that brought it."""
        log = self.repository.run(
            "log", "--reverse", "--topo-order", "-c", "--root", "--raw", "-z", "--no-abbrev", "-M", "--diff-filter=d",
            "--encoding=UTF-8",
            "--format=%x00%x00commit %H%x00%an <%ae>%x00%aI%x00", f"{self.old}..{self.new}",
            *(f"^{other}" for other in self.others),
        )  # fmt: skip
        wanted: list[Wanted] = []
        before: dict[tuple[str, str], tuple[str, ...]] = {}
        commits = 0
        for record in log.split(b"\0\0commit ")[1:]:
            id, author, date, listing = record.split(b"\0", 3)
            commits += 1
            origin = Origin(
                "commit range", None, None, id.decode(), author.decode("utf-8", "replace"), date.decode("ascii", "replace")
            )
            for change in _raw(listing.lstrip(b"\n\0")):
                if change.id and (change.id, change.path) not in before:
                    before[change.id, change.path] = change.before
                    wanted.append(Wanted(change.id, origin._replace(path=change.path)))
            wanted.append(Wanted(id.decode(), origin._replace(via="commit message")))
        yield Coverage(commits=commits, files=len(before))
        yield from _blobs(self.repository, wanted, before)
        if not commits:
            yield Skipped(f"{self.old}..{self.new}", "the range is empty: there was no commit to scan")

    def attribute(self, ids: Collection[str]) -> Mapping[str, Origin]:
        return {}


def _blobs(repository: Repository, wanted: list[Wanted], before: Mapping[tuple[str, str], tuple[str, ...]]) -> Iterator[Item]:
    for found in read_many(repository, wanted):
        if isinstance(found, Skipped):
            yield found
            continue
        kind, blob = found
        replaced = before.get((blob.id or "", blob.origin.path or ""), ())
        yield blob._replace(before=partial(_read_replaced, repository, replaced)) if replaced else blob
        yield Coverage(blobs=kind == "blob", bytes=len(blob.data))


def _read_replaced(repository: Repository, ids: tuple[str, ...]) -> Iterator[bytes]:
    for id in ids:
        data = read_one(repository, id)
        if data is not None:
            yield data


def _raw(listing: bytes) -> Iterator[Change]:
    """Read `--raw -z` output, of one parent (`:mode mode id id M path`) or combined (`::mode mode mode id id id MM path`).

    Source: the "raw output format" and "combined diff" sections of git-diff-tree(1).
    """
    fields = iter(entries(listing if listing.endswith(b"\0") else listing + b"\0"))
    for head in fields:
        if not head.startswith(b":"):
            continue
        parents = len(head) - len(head.lstrip(b":"))
        words = head[parents:].decode("ascii").split()
        modes, ids, status = words[: parents + 1], words[parents + 1 : -1], words[-1]
        path = next(fields)
        if parents == 1 and status[0] in "RC":
            path = next(fields)  # the first of the two is the old name
        if status[0] == "U":
            yield Change("", os.fsdecode(path), ())
            continue
        if modes[-1] == _GITLINK or set(ids[-1]) == _NO_OBJECT:
            continue  # a submodule's commit, or a path that is only intended to be added
        before = tuple(id for id, mode in zip(ids[:-1], modes[:-1], strict=True) if set(id) != _NO_OBJECT and mode != _GITLINK)
        yield Change(ids[-1], os.fsdecode(path), before)
