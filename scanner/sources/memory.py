"""What a history source asks of whoever remembers earlier scans, and what it tells it.

Objects of git never change: one that was looked at under the same rules need not be read
again, in whichever pack it is now. The one implementation is `scanner.store`; a source
knows no database.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from scanner.model import Origin

BY_REF, BY_REFLOG, NOWHERE = "ref", "reflog", "none"
"""What leads to an object: a ref or HEAD, the reflog alone, nothing."""


class Graph(NamedTuple):
    """What the commit graph rests on: `tips` are the sorted ids that refs and HEADs name, joined.

    `reflog` is a digest of what the reflogs are, `missing` the sorted ids of objects that
    a partial clone has left with its remote, joined, `head` the commit that HEAD names,
    `branches` those that branches name, as JSON.
    """

    tips: bytes
    reflog: bytes
    missing: bytes = b""
    head: str = ""
    branches: str = "{}"


class Placed(NamedTuple):
    """Where an object was found to stand in the graph, and what led there."""

    origin: Origin
    by: str


class Memory(Protocol):
    """One repository's memory under one set of rules. Ids are bytes; a method that writes is one transaction."""

    @property
    def reread(self) -> bool:
        """Whether objects with matches are to be read again, because more is wanted of them than is remembered."""

    @property
    def lent(self) -> bool:
        """Whether graph and places are those of another repository, whose objects this one may borrow."""

    def pack(self, checksum: bytes) -> int | None:
        """Return how many objects of a pack were looked at, or None when it is new or not all were."""

    def known(self, ids: Callable[[], Collection[bytes]]) -> set[bytes]:
        """Return those of the ids that were looked at before, here or in a repository that shares them."""

    def pending(self) -> Mapping[bytes, str]:
        """Return the objects of known packs that could not wholly be looked at, with the reasons."""

    def keep(self, ids: Iterable[bytes], results: Collection[Any]) -> list[Any]:
        """Remember that objects were looked at, and what was found in them.

        Returns the results of objects that a limit kept from being looked at wholly; these
        are not remembered, so that the next scan tries them again.
        """

    def hot(self) -> set[bytes]:
        """Return the objects of this repository that hold a match."""

    def recalled(self, gone: Collection[bytes]) -> Iterator[Any]:
        """Yield all remembered matches of this repository's objects, but for those that are gone."""

    def finish(self, packs: Mapping[bytes, int], pending: Mapping[bytes, str], gone: Collection[bytes]) -> None:
        """Remember that all objects of these packs (by checksum, with their numbers) are known or pending."""

    def names_at(self) -> bytes:
        """Return the mark of the graph at which the names of files were looked at, empty when they never were."""

    def keep_names(self, results: Collection[Any], mark: bytes, anew: bool) -> Iterator[Any]:
        """Remember what was found in names of files, in place of or beside what is known, and yield all that is known then."""

    def graph(self) -> Graph | None:
        """Return the graph as it was when places were last named."""

    def places(self, ids: Collection[str]) -> Mapping[str, Placed]:
        """Return the places of objects as they were named last."""

    def place(self, graph: Graph, places: Mapping[str, Placed], lasting: Collection[str]) -> None:
        """Remember the graph and places named in it. Of the older places only those of the `lasting` kinds still hold."""
