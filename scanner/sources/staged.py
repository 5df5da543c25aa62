"""What is about to be committed, and what a range of commits brought.

Both are lists of changes, and both are read the same way: the new version of a file
whole, because a credential is often two lines of which one was touched, and the versions
it replaces, because what these already have is no news. No news either is what stands
elsewhere in the commit that all this is built on: it was copied or moved.
"""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import NamedTuple

from scanner.errors import GitError
from scanner.gitcommand import Repository, entries
from scanner.model import Blob, Coverage, Item, Origin, Skipped
from scanner.sources.objects import Wanted, read_many, read_one

OLDER_BYTES = 256 * 1024 * 1024
"""How much of the files of an older commit is searched for what was found; the small ones first."""

_NO_OBJECT = frozenset("0")
_GITLINK = "160000"
_BATCH = 2000  # commits
_READ = 1 << 20
_RECORD = b"\0\0commit "
# No --diff-filter, with which git leaves out a commit that has nothing to show, and so its message.
_LOG = ("log", "--reverse", "--topo-order", "-c", "--root", "--raw", "-z", "--no-abbrev", "-M", "--encoding=UTF-8",
        "--format=%x00%x00commit %H%x00%an <%ae>%x00%aI%x00", "--stdin")  # fmt: skip


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

    def public_files(self) -> Iterator[tuple[str, bytes]]:
        from scanner.sources.publickeys import of_repository

        return of_repository(self.repository)

    def changes(self) -> list[Change]:
        """Return the files whose staged version differs from that of every parent."""
        found = {change.path: change for change in _raw(self._against("HEAD"))}
        for parent in self._merged():
            changed = {change.path: change for change in _raw(self._against(parent))}
            found = {
                path: change._replace(before=change.before + changed[path].before)
                for path, change in found.items()
                if path in changed
            }
        return [change for change in found.values() if self.only is None or change.path in self.only]

    def older(self) -> Iterator[Blob]:
        """Yield the files of the parents of the commit to be."""
        return tree_blobs(self.repository, [*self._merged(), "HEAD"])

    def _merged(self) -> list[str]:
        """Return the commits that are being merged."""
        if not self.merging:
            return []
        handle = os.open(self._merge_head, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise GitError(f"{self._merge_head}: is no file, so the parents of the merge are not known")
            return os.read(handle, 1 << 20).decode("ascii", "replace").split()
        finally:
            os.close(handle)

    @property
    def _merge_head(self) -> str:
        return os.path.join(self.repository.git_dir, "MERGE_HEAD")

    @property
    def merging(self) -> bool:
        """Whether the next commit will be a merge."""
        return os.path.exists(self._merge_head)

    def names(self) -> set[str]:
        """Return the paths of all that differs from HEAD in the index."""
        return {change.path for change in _raw(self._against("HEAD"))}

    def is_empty(self) -> bool:
        """Whether nothing at all is staged, no deletion either."""
        same = self.repository.attempt("diff-index", "--cached", "--quiet", "HEAD").returncode
        return same == 0 or (same > 1 and not self.repository.run("ls-files", "-z"))

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
        empty = True
        for item in commits(self.repository, [self.new, *(f"^{other}" for other in (self.old, *self.others))]):
            empty = empty and not (isinstance(item, Coverage) and item.commits)
            yield item
        if empty:
            yield Skipped(f"{self.old}..{self.new}", "the range is empty: there was no commit to scan")

    def older(self) -> Iterator[Blob]:
        """Yield the files of the older ends."""
        return tree_blobs(self.repository, [self.old, *self.others])

    def attribute(self, ids: Collection[str]) -> Mapping[str, Origin]:
        return {}

    def public_files(self) -> Iterator[tuple[str, bytes]]:
        from scanner.sources.publickeys import of_repository

        return of_repository(self.repository)


def commits(repository: Repository, revisions: Iterable[str]) -> Iterator[Item]:
    """Yield what commits brought against their parents, and their messages; each new version of a path once.

    `revisions` are ids of commits, those with `^` before them for what is known already.
    """
    seen: set[tuple[str, str]] = set()
    for records in _batches(_log(repository, revisions)):
        wanted: list[Wanted] = []
        before: dict[tuple[str, str], tuple[str, ...]] = {}
        for record in records:
            id, author, date, listing = record.split(b"\0", 3)
            origin = Origin(
                "commit range", None, None, id.decode(), author.decode("utf-8", "replace"), date.decode("ascii", "replace")
            )
            for change in _raw(listing.lstrip(b"\n\0")):
                if change.id and (change.id, change.path) not in seen:
                    seen.add((change.id, change.path))
                    before[change.id, change.path] = change.before
                    wanted.append(Wanted(change.id, origin._replace(path=change.path)))
            wanted.append(Wanted(id.decode(), origin._replace(via="commit message")))
        yield Coverage(commits=len(records), files=len(before))
        yield from _blobs(repository, wanted, before)


def _log(repository: Repository, revisions: Iterable[str]) -> Iterator[bytes]:
    """Yield git's record of each commit, the oldest first."""
    with repository.open(*_LOG, stdin=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        with process.stdin as pipe:
            pipe.write("".join(f"{revision}\n" for revision in revisions).encode())
        rest = b""
        while data := process.stdout.read(_READ):
            *whole, rest = (rest + data).split(_RECORD)
            yield from filter(None, whole)
        if rest:
            yield rest
        if process.wait():
            raise GitError(f"{repository.name}: git cannot list the commits; 'git fsck' may say why")


def _batches(records: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Yield records in lists of a bounded size: a first push brings a whole history."""
    while batch := list(islice(records, _BATCH)):
        yield batch


def tree_blobs(repository: Repository, revisions: Iterable[str]) -> Iterator[Blob]:
    """Yield the files of commits, each version once, the small ones first, up to `OLDER_BYTES` in all.

    A commit that cannot be listed, as before the first one, has none.
    """
    left = OLDER_BYTES
    wanted: dict[str, Wanted] = {}
    for size, id, path in sorted(one for revision in revisions for one in _listed(repository, revision)):
        left -= 0 if id in wanted else size
        if left < 0:
            break
        wanted.setdefault(id, Wanted(id, Origin("older", path)))
    for found in read_many(repository, wanted.values()):
        if not isinstance(found, Skipped):
            yield found[1]


def _listed(repository: Repository, revision: str) -> Iterator[tuple[int, str, str]]:
    """Yield size, id and path of each file of a commit."""
    listing = repository.attempt("ls-tree", "-r", "-l", "-z", "--full-tree", revision)
    for entry in entries(listing.stdout):
        said, _, path = entry.partition(b"\t")
        _, kind, id, size = said.decode("ascii").split()
        if kind == "blob" and size.isdecimal():
            yield int(size), id, os.fsdecode(path)


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
