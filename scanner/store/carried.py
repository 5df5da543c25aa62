"""A repository's memory where the store is not: in a process, or on a machine, that looks for others.

It takes along what the store knows of the repository and brings back what was learned.
Matches are stripped of their secrets before they leave that process.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from scanner.group import Prints, Recalled
from scanner.sources.memory import Graph, Placed
from scanner.store.remembered import common, sort_names, sort_out


class Snapshot(NamedTuple):
    """What a store knows of a repository under one set of rules. `key` keys the fingerprints.

    `seen` are rows of width, ids and hot ids, joined; `mine` the objects with a place;
    `recalled` all matches in hot objects. `lent` as in `sources.memory.Memory`.
    """

    key: bytes
    packs: Mapping[bytes, int]
    seen: tuple[tuple[int, bytes, bytes], ...]
    pending: Mapping[bytes, str]
    mine: frozenset[bytes]
    recalled: tuple[Recalled, ...]
    graph: Graph | None
    places: Mapping[str, Placed]
    names: tuple[Recalled, ...] = ()
    names_at: bytes = b""
    lent: bool = False

    def __repr__(self) -> str:
        return f"Snapshot(packs={len(self.packs)}, recalled={len(self.recalled)})"


class Finished(NamedTuple):
    packs: Mapping[bytes, int]
    pending: Mapping[bytes, str]
    gone: Collection[bytes]


class Placing(NamedTuple):
    graph: Graph
    places: Mapping[str, Placed]
    lasting: Collection[str]


class Named(NamedTuple):
    names: tuple[Recalled, ...]
    mark: bytes
    anew: bool


class Learned(NamedTuple):
    """What a scan of the repository brought: objects looked at with their matches, and the rest of what `Memory` is told."""

    kept: tuple[tuple[tuple[bytes, ...], tuple[Recalled, ...]], ...]
    adopted: frozenset[bytes]
    finished: Finished | None
    placing: tuple[Placing, ...]
    named: Named | None = None


class Carried:
    """Implements `sources.memory.Memory` on a snapshot."""

    reread = False

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._prints = Prints(snapshot.key)
        self._mine = set(snapshot.mine)
        self._recalled = list(snapshot.recalled)
        self._kept: list[tuple[tuple[bytes, ...], tuple[Recalled, ...]]] = []
        self._adopted: set[bytes] = set()
        self._finished: Finished | None = None
        self._placing: list[Placing] = []
        self._named: Named | None = None

    @property
    def lent(self) -> bool:
        return self._snapshot.lent

    def learned(self) -> Learned:
        return Learned(tuple(self._kept), frozenset(self._adopted), self._finished, tuple(self._placing), self._named)

    def pack(self, checksum: bytes) -> int | None:
        return self._snapshot.packs.get(checksum)

    def known(self, ids: Callable[[], Collection[bytes]]) -> set[bytes]:
        known: set[bytes] = set()
        if self._snapshot.seen:
            wanted = set(ids())
            for width, seen, hot in self._snapshot.seen:
                known |= common(wanted, seen, width)
                self._adopted |= common(wanted, hot, width) - self._mine
            self._mine |= self._adopted
        return known

    def pending(self) -> Mapping[bytes, str]:
        return self._snapshot.pending

    def keep(self, ids: Iterable[bytes], results: Collection[Any]) -> list[Any]:
        seen, recalled, rest = sort_out(ids, results, self._prints)
        self._kept.append((tuple(seen), tuple(recalled)))
        self._recalled += recalled
        self._mine |= {bytes.fromhex(one.location.blob or "") for one in recalled}
        return rest

    def hot(self) -> set[bytes]:
        return {bytes.fromhex(one.location.blob or "") for one in self._recalled} & self._mine

    def recalled(self, gone: Collection[bytes]) -> Iterator[Recalled]:
        there = self._mine - set(gone)
        for one in self._recalled:
            if bytes.fromhex(one.location.blob or "") in there:
                yield one

    def finish(self, packs: Mapping[bytes, int], pending: Mapping[bytes, str], gone: Collection[bytes]) -> None:
        self._finished = Finished(dict(packs), dict(pending), frozenset(gone))

    def names_at(self) -> bytes:
        return self._snapshot.names_at

    def keep_names(self, results: Collection[Any], mark: bytes, anew: bool) -> Iterator[Any]:
        names, rest = sort_names(results, self._prints)
        yield from rest
        known = {} if anew else {one.location.origin.path: one for one in self._snapshot.names}
        self._named = Named(tuple(names), mark, anew)
        yield from known.values()
        yield from (one for one in names if one.location.origin.path not in known)

    def graph(self) -> Graph | None:
        return self._snapshot.graph

    def places(self, ids: Collection[str]) -> Mapping[str, Placed]:
        return {id: place for id in ids if (place := self._snapshot.places.get(id))}

    def place(self, graph: Graph, places: Mapping[str, Placed], lasting: Collection[str]) -> None:
        self._placing.append(Placing(graph, dict(places), tuple(lasting)))
