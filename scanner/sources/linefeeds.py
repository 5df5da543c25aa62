"""Paths with a line feed, whole: `git rev-list --objects` prints a path only up to there."""

from __future__ import annotations

import os
from collections.abc import Mapping

from scanner.gitcommand import Repository, entries
from scanner.model import Origin


def uncut(repository: Repository, places: Mapping[str, Origin]) -> dict[str, Origin]:
    """Return those of the places of objects, by id, whose path was cut, with the whole one.

    One question to git tells which; only for these a commit is listed.
    """
    asked = [(id, place) for id, place in places.items() if place.path is not None and place.commit]
    if not asked:
        return {}
    names = "".join(f"{place.commit}:{place.path}\n" for _, place in asked)
    said = repository.attempt("cat-file", "--batch-check=%(objectname)", stdin=os.fsencode(names)).stdout.split(b"\n")
    found = {}
    for (id, place), line in zip(asked, said, strict=False):
        if line != id.encode() and (path := _whole(repository, id, place)):
            found[id] = place._replace(path=path)
    return found


def _whole(repository: Repository, id: str, place: Origin) -> str | None:
    listing = repository.attempt("ls-tree", "-r", "-t", "-z", "--full-tree", place.commit or "")
    start = os.fsencode(f"{place.path}\n")
    for entry in entries(listing.stdout):
        said, _, path = entry.partition(b"\t")
        if path.startswith(start) and said.split()[2] == id.encode():
            return os.fsdecode(path)
    return None
