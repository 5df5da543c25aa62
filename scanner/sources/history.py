"""The whole object store of a repository, read the plain way through git.

Every blob, commit and tag that is in the store is read, reachable or not: all refs, the
stash, the reflog, what a rebase left behind. Where an object belongs is asked only for
the objects that hold a finding.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import IO, NamedTuple

from scanner.gitcommand import Repository, reason
from scanner.model import Coverage, Item, Origin, Skipped
from scanner.sources.fate import Changes, told
from scanner.sources.linefeeds import uncut
from scanner.sources.names import described, file_names, ref_names
from scanner.sources.narrow import Narrow, said
from scanner.sources.objects import Wanted, read_many
from scanner.sources.objectstore import object_store
from scanner.sources.walk import ARGUMENTS, Walk, picked

VIA = {"blob": "history", "commit": "commit message", "tag": "tag message"}


class History(NamedTuple):
    """The object store of a repository, or what `narrow` leaves of it."""

    repository: Repository
    narrow: Narrow | None = None

    def items(self) -> Iterator[Item]:
        walk = Walk(self.repository, self.narrow)
        try:
            yield from self._objects(walk.ids() if self.narrow else None)
            yield from ref_names(self.repository)
            yield from file_names(self.repository, walk.text())
        finally:
            walk.end()
        yield from elsewhere(self.repository)
        yield from self._missing()

    def _objects(self, only: Collection[bytes] | None) -> Iterator[Item]:
        listing = self.repository.attempt(
            "cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objecttype) %(objectname)"
        )
        if listing.returncode:
            yield Skipped(self.repository.name, f"git cannot list all objects: {reason(listing.stderr)}")
        wanted = []
        for line in listing.stdout.splitlines():
            kind, _, id = line.decode().partition(" ")
            if id == "missing":  # git names the object first when it cannot read it
                yield Skipped(f"object {kind}", "git cannot read this object: it is corrupt")
            elif kind in VIA and (only is None or bytes.fromhex(id) in only):
                wanted.append(Wanted(id, Origin(VIA[kind])))
        del listing
        if only is None and not any(want.origin.via == "commit message" for want in wanted):
            yield Skipped(self.repository.name, "the repository has no commit yet: there is no history to scan")
        blobs = commits = 0
        last = ""
        for found in read_many(self.repository, wanted):
            if isinstance(found, Skipped):
                yield found
                continue
            kind, blob = found
            if blob.id != last:  # and not the next piece of the same
                last = blob.id or ""
                blobs += kind == "blob"
                commits += kind == "commit"
            yield blob
            yield Coverage(bytes=len(blob.data))
        notes = (said(self.repository, self.narrow, commits),) if self.narrow else ()
        yield Coverage(blobs=blobs, commits=commits, refs=count_refs(self.repository), notes=notes)

    def _missing(self) -> Iterator[Item]:
        """Count the objects that a partial clone has left with its remote."""
        if not object_store(self.repository).is_partial():
            return
        arguments = ("rev-list", "--objects", "--no-object-names", "--all", "--reflog", "--missing=print")
        missing = 0
        with self.repository.open(*arguments) as process:
            assert process.stdout
            for line in process.stdout:
                missing += line.startswith(b"?")
        if missing:
            yield missing_objects(self.repository, missing)

    def public_files(self) -> Iterator[tuple[str, bytes]]:
        from scanner.sources.publickeys import of_repository

        return of_repository(self.repository)

    def attribute(
        self, ids: Collection[str], walked: IO[bytes] | None = None, changes: Changes | None = None
    ) -> Mapping[str, Origin]:
        """Name the first path and the oldest commit of each object, in one pass over the graph, and what became of it.

        `walked` is what that pass printed, where it was made already, as are `changes`. An object that no ref
        leads to is looked for from the reflog and is else `unreachable`.
        """
        wanted = set(ids)
        places: dict[str, Origin] = {}
        if walked is None:
            walk = Walk(self.repository, self.narrow)
            try:
                place(walk.text(), wanted, places)
            finally:
                walk.end()
        else:
            place(walked, wanted, places)
        if wanted - places.keys() and self.narrow is None:
            self.place_rest(wanted, places)
        for id in wanted - places.keys():
            places[id] = Origin("history, unreachable")
        return told(self.repository, self.describe(places), changes=changes)

    def place_rest(self, wanted: Collection[str], places: dict[str, Origin]) -> None:
        """Name the places of wanted objects that only the reflog leads to."""
        with self.repository.open(*ARGUMENTS, "--missing=allow-any", "--reflog", "--not", "--all") as process:
            assert process.stdout
            place(process.stdout, wanted, places)

    def describe(self, places: Mapping[str, Origin]) -> dict[str, Origin]:
        """Return the places with author and date of their commits. A tag is no file of the commit listed before it."""
        tags = self._tags([id for id, place in places.items() if place.path is not None])
        places = {**places, **{id: Origin(VIA["tag"], commit=id) for id in tags}}
        places.update(uncut(self.repository, places))
        return dict(zip(places, described(self.repository, list(places.values())), strict=True))

    def _tags(self, ids: Sequence[str]) -> Sequence[str]:
        """Return those of the objects that are tags: a walk names them as it names files."""
        if not ids:
            return ()
        asked = "".join(f"{id}\n" for id in ids).encode()
        result = self.repository.attempt("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=asked)
        return [line[:-4].decode() for line in result.stdout.splitlines() if line.endswith(b" tag")]


def count_refs(repository: Repository) -> int:
    return repository.run("for-each-ref", "--format=%(refname)").count(b"\n")


def elsewhere(repository: Repository) -> Iterator[Skipped | Coverage]:
    """Yield that a shallow clone ends somewhere, and that the content of files is kept elsewhere, if it is so."""
    if repository.is_shallow():
        reason = "the clone is shallow: commits before its boundary were not scanned; 'git fetch --unshallow' gets them"
        yield Skipped(repository.name, reason)
    if b"filter=lfs" in repository.attempt("cat-file", "blob", "HEAD:.gitattributes").stdout:
        yield Coverage(notes=("git LFS keeps files elsewhere (.gitattributes of HEAD): the history has only pointers to them",))


def missing_objects(repository: Repository, count: int) -> Skipped:
    """Return what says that a partial clone has left objects with its remote."""
    objects = "1 object is" if count == 1 else f"{count:,} objects are"
    return Skipped(repository.name, f"{objects} missing from this partial clone and not scanned; nothing is fetched")


def place(walked: IO[bytes], wanted: Collection[str], places: dict[str, Origin]) -> None:
    """Name the places of wanted objects from what a walk printed: commits, and behind each its new trees and blobs."""
    left = {id.encode() for id in wanted}
    size = len(next(iter(left), b""))
    for line, commit in picked(walked, lambda _, lines: [n for n, one in enumerate(lines) if one[:size] in left]):
        id = line[:size].decode()
        if id not in places and len(line) == size:
            places[id] = Origin("commit message", None, commit=id)
        elif id not in places:
            places[id] = Origin("history", os.fsdecode(line[size + 1 :]), commit=commit or None)
