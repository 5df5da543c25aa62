"""Which object of a pack rests on which: the delta trees, in the order in which to go through them.

Read from the headers that stand before each object, without inflating any. A pack has a
million of them, so they are read as columns with numpy: each step of a header's format
(https://git-scm.com/docs/gitformat-pack, "pack-*.pack files have the following format")
is taken by all objects at once.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from scanner.sources.packs import BLOB, COMMIT, OFS_DELTA, REF_DELTA, TAG, TREE, Column, Corrupt, Pack

_CHUNK = 16 * 1024 * 1024
_HEADER = 80  # no header is longer
_LENGTH_STEPS = range(4, 60, 7)  # where the bits of a length go: four in the first byte, seven in each other
_OFFSET_STEPS = 8  # bytes behind the first of an offset: enough for 63 bits


@dataclass(slots=True)
class Forest:
    """The blobs, commits and tags of one pack in depth-first order, each behind its base.

    Of entry `i`: `number` in the index, `kind` of the object, `scan` whether to scan it or
    only to rebuild others from it, `parent` the entry of its base or -1, `after` the first
    entry that does not rest on it, `start` where its zlib stream begins, `end` where the
    stream ends at the latest, `size` how much it inflates to. Among the entries that rest on
    one base the largest family comes last, so that with the bases of n entries waiting at
    most log2(n) objects are held. `lost` are objects whose base is not in the pack.
    """

    number: array[int] = field(default_factory=lambda: array("I"))
    kind: bytearray = field(default_factory=bytearray)
    scan: bytearray = field(default_factory=bytearray)
    parent: array[int] = field(default_factory=lambda: array("i"))
    after: array[int] = field(default_factory=lambda: array("I"))
    start: array[int] = field(default_factory=lambda: array("Q"))
    end: array[int] = field(default_factory=lambda: array("Q"))
    size: array[int] = field(default_factory=lambda: array("Q"))
    lost: list[int] = field(default_factory=list)

    def weight(self, first: int, last: int) -> int:
        """Return the packed bytes of entries."""
        return sum(self.end[first:last]) - sum(self.start[first:last])

    def shares(self, least: int) -> Iterator[tuple[int, int]]:
        """Yield ranges of entries, whole families of at least `least` packed bytes together."""
        count = len(self.after)
        roots = np.flatnonzero(np.frombuffer(self.parent, np.int32) < 0) if count else np.zeros(0, np.int64)
        behind = np.append(roots[1:], count)  # where a family ends
        sizes = np.frombuffer(self.end, np.uint64) - np.frombuffer(self.start, np.uint64) if count else ()
        packed = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
        first = 0
        while first < count:
            last = np.searchsorted(packed[behind], packed[first] + least)
            end = int(behind[min(last, len(behind) - 1)])
            yield first, end
            first = end


def forest(pack: Pack, wanted: Callable[[bytes], bool] | None = None) -> Forest:
    """Return the delta trees of a pack, without those in which no object is `wanted` (by its id). Raises `Corrupt`."""
    headers = _Headers(pack)
    known, lost = headers.resolved()
    identify = pack.index.id
    numbers, lost_numbers = headers.number[known], headers.number[lost].tolist()
    if wanted is None:
        scan = np.ones(len(numbers), np.uint8)
    else:
        scan = np.fromiter((wanted(identify(number)) for number in numbers.tolist()), np.uint8, len(numbers))
        lost_numbers = [number for number in lost_numbers if wanted(identify(number))]
    renamed = np.full(len(headers.kind), -1, np.int32)
    renamed[known] = np.arange(len(known), dtype=np.int32)
    parent = headers.parent[known]
    parent = np.where(parent < 0, np.int32(-1), renamed[parent])
    order, parents, after = _arranged(parent, scan)
    entries = known[order]
    return Forest(
        array("I", headers.number[entries].astype(np.uint32).tobytes()),
        bytearray(headers.kind[entries].tobytes()),
        bytearray(scan[order].tobytes()),
        array("i", parents.astype(np.int32).tobytes()),
        array("I", after.astype(np.uint32).tobytes()),
        array("Q", headers.start[entries].astype(np.uint64).tobytes()),
        array("Q", headers.end[entries].astype(np.uint64).tobytes()),
        array("Q", headers.size[entries].tobytes()),
        lost_numbers,
    )


class _Headers:
    """What stands before the stream of each object of a pack, in the order of their places.

    `parent` is the place of the base in that order, -1 where there is none or none is known.
    """

    def __init__(self, pack: Pack) -> None:
        offsets = pack.index.offsets
        self.number = np.argsort(offsets).astype(np.uint32)
        places = offsets[self.number]
        if len(places) and (places[0] < 12 or places[-1] >= pack.end):
            raise Corrupt("the index of the pack names places outside of it")
        self._places = places.astype(np.int64)
        count = len(places)
        self.end = np.append(self._places[1:], pack.end)
        self.start = np.zeros(count, np.int64)
        self.size = np.zeros(count, np.uint64)
        self.kind = np.zeros(count, np.uint8)
        self.parent = np.full(count, -1, np.int32)
        first = 0
        while first < count:
            low = int(self._places[first])
            last = int(np.searchsorted(self._places, low + _CHUNK))
            self._read(pack, first, last, low)
            first = last

    def _read(self, pack: Pack, first: int, last: int, low: int) -> None:
        """Read the headers from entry `first` up to `last`, which begin within one chunk of the pack at `low`."""
        data = pack.read(low, int(self._places[last - 1]) - low + _HEADER)
        buffer = np.frombuffer(data + bytes(2 * _HEADER), np.uint8)  # behind the pack's end all is zero
        at = self._places[first:last] - low
        byte = buffer[at]
        at += 1
        kind = byte >> 4 & 7
        size = (byte & 15).astype(np.uint64)
        more = np.flatnonzero(byte > 127)
        for shift in _LENGTH_STEPS:
            byte = buffer[at[more]]
            size[more] |= (byte & 127).astype(np.uint64) << np.uint64(shift)
            at[more] += 1
            more = more[byte > 127]
        self._offset_bases(buffer, at, np.flatnonzero(kind == OFS_DELTA), first)
        for entry in np.flatnonzero(kind == REF_DELTA).tolist():
            stop = int(at[entry]) + pack.name.hash_size
            self.parent[first + entry] = self._place_of(pack, data[int(at[entry]) : stop])
            at[entry] = stop
        self.kind[first:last], self.size[first:last], self.start[first:last] = kind, size, at + low

    def _offset_bases(self, buffer: Column, at: Column, deltas: Column, first: int) -> None:
        """Note the bases of `deltas`, which say how far in front of them these begin; move `at` behind that."""
        byte = buffer[at[deltas]]
        at[deltas] += 1
        back = (byte & 127).astype(np.int64)
        more = np.flatnonzero(byte > 127)
        for _ in range(_OFFSET_STEPS):
            byte = buffer[at[deltas[more]]]
            back[more] = back[more] + 1 << 7 | byte & 127
            at[deltas[more]] += 1
            more = more[byte > 127]
        base = self._places[first + deltas] - back
        place = np.searchsorted(self._places, base)
        good = (back > 0) & (self._places[np.minimum(place, len(self._places) - 1)] == base)
        self.parent[first + deltas] = np.where(good, place, -1)

    def _place_of(self, pack: Pack, id: bytes) -> int:
        number = pack.index.find(id) if len(id) == pack.name.hash_size else None
        return -1 if number is None else int(np.searchsorted(self._places, pack.index.offsets[number]))

    def resolved(self) -> tuple[Column, Column]:
        """Return the entries that are a blob, commit or tag by the kind of their root, and those whose root is not known.

        Of a delta the kind becomes that of its root. What rests on itself, by the ids it names, has no root.
        """
        root = np.where(self.parent < 0, np.arange(len(self.parent), dtype=np.int32), self.parent)
        for _ in range(len(self.parent).bit_length()):
            further = root[root]
            if np.array_equal(further, root):
                break
            root = further
        self.kind = self.kind[root]
        whole = np.isin(self.kind, (COMMIT, BLOB, TAG))
        return np.flatnonzero(whole), np.flatnonzero(~whole & (self.kind != TREE))


def _arranged(parent: Column, scan: Column) -> tuple[Column, Column, Column]:
    """Put entries into depth-first order; one that is not to be scanned stays only for what rests on it.

    Returns, for each spot in that order: the entry, the spot of its base or -1, and the first spot that does not rest on it.
    """
    count = len(parent)
    family = _families(parent, scan)
    kept = np.flatnonzero(family)
    # Brothers side by side, the largest family last; roots as they stand in the pack.
    base = parent[kept]
    kept = kept[np.lexsort((np.where(base < 0, kept, family[kept]), base))]
    base, sizes = parent[kept], family[kept].astype(np.int64)
    before = np.cumsum(sizes) - sizes
    eldest = np.flatnonzero(np.append(True, base[1:] != base[:-1])) if len(kept) else kept
    before -= np.repeat(before[eldest], np.diff(np.append(eldest, len(kept))))
    place = np.zeros(count + 1, np.int64)  # the last stands for the base of a root
    place[kept] = before + (base >= 0)
    ancestor = np.append(np.where(parent < 0, count, parent), count)
    while (ancestor != count).any():
        place += place[ancestor]
        ancestor = ancestor[ancestor]
    spots = place[kept]
    order = np.empty(len(kept), np.int64)
    order[spots] = kept
    parents = parent[order]
    return order, np.where(parents < 0, -1, place[parents]), np.arange(len(order)) + family[order]


def _families(parent: Column, scan: Column) -> Column:
    """Return how many entries to keep there are in each family, from the deepest generation up; 0 for one to leave out."""
    count = len(parent)
    depth = np.append((parent >= 0).astype(np.int32), 0)
    ancestor = np.append(np.where(parent < 0, count, parent), count)
    while (ancestor != count).any():
        depth += depth[ancestor]
        ancestor = ancestor[ancestor]
    depth = depth[:-1]
    by_depth = np.argsort(depth, kind="stable")
    bounds = np.searchsorted(depth[by_depth], np.arange(int(depth.max(initial=0)) + 2))
    family = np.zeros(count, np.int32)
    for generation in range(len(bounds) - 2, -1, -1):
        entries = by_depth[bounds[generation] : bounds[generation + 1]]
        family[entries] += (family[entries] > 0) | (scan[entries] > 0)
        if generation:
            np.add.at(family, parent[entries], family[entries])
    return family
