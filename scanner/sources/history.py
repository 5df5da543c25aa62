"""The whole object store of a repository, read the plain way through git.

Every blob, commit and tag that is in the store is read, reachable or not: all refs, the
stash, the reflog, what a rebase left behind. Where an object belongs is asked only for
the objects that hold a finding.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from scanner.gitcommand import Repository, reason
from scanner.model import Coverage, Item, Origin, Skipped
from scanner.sources.objects import Wanted, read_many

VIA = {"blob": "history", "commit": "commit message", "tag": "tag message"}


class History(NamedTuple):
    repository: Repository

    def items(self) -> Iterator[Item]:
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
            elif kind in VIA:
                wanted.append(Wanted(id, Origin(VIA[kind])))
        del listing
        if not any(want.origin.via == "commit message" for want in wanted):
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
        refs = self.repository.run("for-each-ref", "--format=%(refname)").count(b"\n")
        yield Coverage(blobs=blobs, commits=commits, refs=refs)
        yield from beyond_shallow(self.repository)
        yield from self._missing()

    def _missing(self) -> Iterator[Item]:
        """Count the objects that a partial clone has left with its remote."""
        if not self.repository.is_partial():
            return
        arguments = ("rev-list", "--objects", "--no-object-names", "--all", "--reflog", "--missing=print")
        missing = 0
        with self.repository.open(*arguments) as process:
            assert process.stdout
            for line in process.stdout:
                missing += line.startswith(b"?")
        if missing:
            yield missing_objects(self.repository, missing)

    def attribute(self, ids: Collection[str], walked: Iterable[bytes] | None = None) -> Mapping[str, Origin]:
        """Name the first path and the oldest commit of each object, in one pass over the graph.

        `walked` is what that pass printed, where it was made already. An object that no ref
        leads to is looked for from the reflog and is else `unreachable`.
        """
        wanted = set(ids)
        places: dict[str, Origin] = {}
        if walked is not None:
            _place(walked, wanted, places)
        for start in ("--reflog",) if walked is not None else ("--all", "--reflog"):
            if wanted - places.keys():
                self._walk(start, wanted, places)
        for id in wanted - places.keys():
            places[id] = Origin("history, unreachable")
        described = self._describe({place.commit for place in places.values() if place.commit})
        return {id: place._replace(**described.get(place.commit or "", {})) for id, place in places.items()}

    def _walk(self, start: str, wanted: set[str], places: dict[str, Origin]) -> None:
        arguments = ["rev-list", "--objects", "--in-commit-order", "--reverse", "--missing=allow-any", start]
        with self.repository.open(*arguments) as process:
            assert process.stdout
            _place(process.stdout, wanted, places)

    def _describe(self, commits: Collection[str]) -> dict[str, dict[str, str]]:
        """Return author and date of commits, whichever encoding they were written in."""
        described = {}
        if commits:
            text = self.repository.run(
                "log", "--no-walk=unsorted", "--stdin", "--encoding=UTF-8", "--format=%H%x00%an <%ae>%x00%aI",
                stdin="".join(f"{id}\n" for id in commits).encode(),
            )  # fmt: skip
            for line in text.decode("utf-8", "replace").split("\n"):
                id, _, said = line.partition("\0")
                author, _, date = said.rpartition("\0")
                if id:
                    described[id] = {"author": author, "date": date}
        return described


def beyond_shallow(repository: Repository) -> Iterator[Skipped]:
    """Yield that a shallow clone ends somewhere, if it is one."""
    if repository.is_shallow():
        reason = "the clone is shallow: commits before its boundary were not scanned; 'git fetch --unshallow' gets them"
        yield Skipped(repository.name, reason)


def missing_objects(repository: Repository, count: int) -> Skipped:
    """Return what says that a partial clone has left objects with its remote."""
    objects = "1 object is" if count == 1 else f"{count:,} objects are"
    return Skipped(repository.name, f"{objects} missing from this partial clone and not scanned; nothing is fetched")


def _place(walked: Iterable[bytes], wanted: set[str], places: dict[str, Origin]) -> None:
    """Name the places of wanted objects from the lines of a walk: commits, and behind each its new trees and blobs."""
    commit = ""
    for line in walked:
        id, space, path = line.rstrip(b"\n").partition(b" ")
        name = id.decode()
        if not space:  # a commit has no name behind it; trees and blobs have, be it empty
            commit = name
        if name in wanted and name not in places:
            if not space:
                places[name] = Origin("commit message", None, commit=name)
            else:
                places[name] = Origin("history", os.fsdecode(path), commit=commit or None)
