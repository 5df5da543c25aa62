"""The names that a repository gives to files and refs: a credential can stand in these too.

The names of files are taken from the walk over the graph that names the places of objects,
so each is met with the commit that brought it. It is text of a line an object, and looked
at as it comes, many lines at once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import IO

from scanner.gitcommand import Repository
from scanner.model import Blob, Origin
from scanner.sources.walk import picked

FILE_NAME, REF_NAME = "file name", "ref name"
_ID = re.compile(rb"^\??[0-9a-f]{40,64} ?", re.MULTILINE)
Anchors = Callable[[bytes], Sequence[tuple[int, int]]]
"""Returns anchors of a text, what was met and where it ends; more than there are, never fewer."""


def ref_names(repository: Repository, anchors: Anchors | None = None) -> Iterator[Blob]:
    """Yield the names of refs; with `anchors` only those that hold one."""
    listed = repository.run("for-each-ref", "--format=%(objectname) %(refname)")
    for blob in _names(BytesIO(listed), anchors):
        yield blob._replace(origin=Origin(REF_NAME, blob.origin.path))


def file_names(repository: Repository, walked: IO[bytes], anchors: Anchors | None = None) -> Iterator[Blob]:
    """Yield the names of files in what the walk printed, each once, with the commit that brought it.

    With `anchors` only those that hold one.
    """
    blobs = list(_names(walked, anchors))
    for blob, origin in zip(blobs, described(repository, [blob.origin for blob in blobs]), strict=True):
        yield blob._replace(origin=origin)


def _names(text: IO[bytes], anchors: Anchors | None) -> Iterator[Blob]:
    """Yield what stands behind the ids in lines of `id name`, each once."""
    seen: set[bytes] = set()
    for line, commit in picked(text, lambda block, lines: range(len(lines)) if anchors is None else _holding(block, anchors)):
        name = line.partition(b" ")[2]
        if name and name not in seen:
            seen.add(name)
            yield Blob(name, Origin(FILE_NAME, os.fsdecode(name), commit=commit or None))


def _holding(block: bytes, anchors: Anchors) -> Iterator[int]:
    """Yield the numbers of lines whose name holds an anchor, rising."""
    names = _ID.sub(b"", block)
    number, place, last = 0, 0, -1
    for end in sorted({end for _, end in anchors(names)}):
        number += names.count(b"\n", place, max(place, end - 1))
        place = max(place, end - 1)
        if number > last:
            yield number
            last = number


def described(repository: Repository, origins: Sequence[Origin]) -> list[Origin]:
    """Return origins with author and date of their commits, whichever encoding these were written in."""
    commits = {origin.commit for origin in origins if origin.commit}
    said: dict[str | None, tuple[str, str]] = {}
    if commits:
        text = repository.run(
            "log", "--no-walk=unsorted", "--ignore-missing", "--stdin", "--encoding=UTF-8", "--format=%H%x00%an <%ae>%x00%aI",
            stdin="".join(f"{id}\n" for id in commits).encode(),
        )  # fmt: skip
        for line in text.decode("utf-8", "replace").split("\n"):
            id, _, rest = line.partition("\0")
            author, _, date = rest.rpartition("\0")
            said[id] = author, date
    return [
        origin._replace(author=said[origin.commit][0], date=said[origin.commit][1]) if origin.commit in said else origin
        for origin in origins
    ]
