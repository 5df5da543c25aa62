"""Looking at the objects of packs and at loose objects, each byte once.

An object that is stored whole is looked at whole; one that is stored as a delta only
where it differs from its base, unless its base held an anchor: then it is looked at whole
too. That loses nothing (see `deltas`), and what is looked at follows the size of the
packs, not the size of all versions. The windows of many objects go to the engine in one
buffer, so that the cost of a call is paid once for many.
"""

from __future__ import annotations

import os
import stat
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from scanner.model import Blob, Origin
from scanner.sources.deltas import TOO_LARGE, changed, rebuilt
from scanner.sources.forest import Forest
from scanner.sources.packs import BLOB, COMMIT, TAG, Corrupt, Pack, PackName, inflate
from scanner.sources.pieces import PIECE

BATCH_BYTES = 512 * 1024
"""Bytes of windows that go to the engine in one buffer."""

WAIT_BYTES = 8 * 1024 * 1024
"""Bytes of objects that wait for the engine's answer, and the one that goes beyond."""

HELD_BYTES = 64 * 1024 * 1024
"""Bytes of objects that wait for their deltas, and the last of them; what is let go is rebuilt when it is needed."""

MANY_ANCHORS = 10_000
"""Anchors of one object that are kept for what rests on it; of one with more, that is looked at whole."""

HEAD = 4096
Anchors = list[tuple[int, int]]
_NONE: Anchors = []
VIA = {COMMIT: "commit message", BLOB: "history", TAG: "tag message"}
KINDS = {b"commit": COMMIT, b"blob": BLOB, b"tag": TAG}
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Look(Protocol):
    """What a source that looks for itself has to know of the stages behind it.

    `margin` is the longest anchor in bytes, lookaround included. `edges` says that an
    anchor may depend on where the text begins or ends in a way that a line feed does not stand for.
    """

    @property
    def margin(self) -> int: ...

    @property
    def edges(self) -> bool: ...

    def anchors(self, data: bytes) -> Anchors:
        """Return anchors as pairs of a number of what was met and an end offset; more than there are, never fewer."""

    def needs_whole(self, head: bytes) -> bool:
        """Whether a blob that begins with these (at most `HEAD`) bytes has to be decoded before it is looked at."""

    def judge(self, blob: Blob, anchors: Anchors | None = None) -> list[Any]:
        """Return what is to be handed on of a blob that holds an anchor, or that had to be decoded.

        `anchors` are those of the blob, where they are known already.
        """


@dataclass(slots=True)
class Done:
    """What came of a task: what `Look.judge` returned, counts, and the ids that could not be read here, by reason.

    The first id of each is the one that failed, the others rest on it.
    """

    found: list[Any] = field(default_factory=list, repr=False)
    blobs: int = 0
    commits: int = 0
    bytes: int = 0
    failed: list[tuple[str, list[str]]] = field(default_factory=list)


class Batch:
    """Objects whose windows wait to be looked at together.

    `hand_on` is called with (key, kind, data, anchors) for each that holds an anchor, and with None
    for the anchors of one that has to be decoded first. `flagged` are the keys of those, with their anchors
    where these are kept. The anchors of an object are those of its base where it is the same, and those of its windows.
    """

    def __init__(self, look: Look, hand_on: Callable[[int, int, bytes, Anchors | None], None]) -> None:
        self._look = look
        self._hand_on = hand_on
        self.flagged: dict[int, Anchors | None] = {}
        self._clear()

    def add(self, key: int, kind: int, data: bytes, base: int, cuts: list[int] | None) -> None:
        """Take an object with its windows as `deltas.apply` returns them, or None for all of it."""
        if self._look.needs_whole(data[:HEAD]):
            self.flagged[key] = None
            self._hand_on(key, kind, data, None)
            return
        if cuts is None or self.flagged.get(base, _NONE) is None:
            cuts = None
            self._part(key, data, -1, len(data))
        else:
            for place in range(0, len(cuts), 3):
                self._part(key, data, cuts[place], cuts[place + 1])
        self._waiting.append((key, kind, data, base, cuts))
        self._held += len(data)
        if self._size > BATCH_BYTES or self._held > WAIT_BYTES:
            self.flush()

    def flush(self) -> None:
        """Look at what waits. Bases come before what rests on them, so their anchors are known in time."""
        hits = self._hits()
        for key, kind, data, base, cuts in self._waiting:
            known = _NONE if cuts is None else self.flagged.get(base, _NONE)
            if known is None or (self._look.edges and (known or key in hits or self._at_edges(data))):
                anchors = self._look.anchors(data)
            elif not known and key not in hits:
                continue
            elif cuts is None:
                anchors = self._sure(data, -1, len(data), hits[key][-1])
            else:
                anchors = self._joined(data, known, cuts, hits.get(key, {}))
            if anchors:
                self.flagged[key] = anchors if len(anchors) <= MANY_ANCHORS else None
                self._hand_on(key, kind, data, list(anchors))
        self._clear()

    def _hits(self) -> dict[int, dict[int, Anchors]]:
        """Return by key, and by where the window begins, what was met in it, and what met its ends or made by them."""
        hits: dict[int, dict[int, Anchors]] = {}
        starts = self._starts
        for met, end in self._look.anchors(b"\n".join(self._parts)) if starts else ():
            number = max(0, bisect_left(starts, end) - 1)
            key, low = self._windows[number]
            hits.setdefault(key, {}).setdefault(low, []).append((met, end - starts[number] + max(0, low)))
        return hits

    def _joined(self, data: bytes, known: Anchors, cuts: list[int], hits: dict[int, Anchors]) -> Anchors:
        """Return the anchors of an object: those of the base, moved, and in each window what stands there.

        An anchor that ends in a window, which is a margin wider than the change on both sides, may depend on the change.
        """
        ends = [end for _, end in known]

        def copied(first: int, last: int, shift: int) -> Anchors:
            of_base = known[bisect_right(ends, first - shift) : bisect_right(ends, last - shift)]
            return [(met, end + shift) for met, end in of_base] if shift else of_base

        margin, found, behind, shift = self._look.margin, Anchors(), -1, 0
        for place in range(0, len(cuts), 3):
            low, high, after = cuts[place : place + 3]
            found += copied(behind, low, shift)
            around = copied(low, low + margin, shift) + copied(high - margin, high, after)
            if around or low in hits:
                found += self._sure(data, low, high, around + hits.get(low, []))
            behind, shift = high, after
        return found + copied(behind, len(data), shift)

    def _sure(self, data: bytes, low: int, high: int, anchors: Anchors) -> Anchors:
        """Return the anchors that end in a window, of what may be some: what stands a margin from its ends is seen as it is."""
        first, last = low + self._look.margin, high - self._look.margin
        if first >= last:
            return self._within(data, low, high)
        return [
            *(self._within(data, low, first) if any(end <= first for _, end in anchors) else ()),
            *(anchor for anchor in anchors if first < anchor[1] <= last),
            *(self._within(data, last, high) if any(end > last for _, end in anchors) else ()),
        ]

    def _within(self, data: bytes, first: int, last: int) -> Anchors:
        low = max(0, first - self._look.margin)
        met = self._look.anchors(data[low : last + self._look.margin])
        return [(number, end + low) for number, end in met if first < end + low <= last]

    def _at_edges(self, data: bytes) -> bool:
        margin = self._look.margin
        return bool(self._look.anchors(data[:margin]) or self._look.anchors(data[-margin:]))

    def _part(self, key: int, data: bytes, low: int, high: int) -> None:
        part = data[low if low > 0 else 0 : high]
        self._starts.append(self._size)
        self._windows.append((key, low))
        self._parts.append(part)
        self._size += len(part) + 1

    def _clear(self) -> None:
        self._parts = [b""]  # a line feed stands before the first window, too
        self._starts: list[int] = []
        self._windows: list[tuple[int, int]] = []
        self._waiting: list[tuple[int, int, bytes, int, list[int] | None]] = []
        self._size, self._held = 1, 0


class PackScan:
    """Goes through the entries of a forest."""

    def __init__(self, name: PackName, forest: Forest, look: Look) -> None:
        self._pack = Pack(name)
        self._view = memoryview(self._pack.data)
        self._forest = forest
        self._look = look
        self._held: dict[int, bytes] = {}
        self._held_bytes = 0

    def run(self, first: int, last: int) -> Done:
        """Scan entries, whole families of them."""
        forest, done = self._forest, Done()

        def hand_on(entry: int, kind: int, data: bytes, anchors: Anchors | None) -> None:
            done.found.extend(self._look.judge(self._blob(entry, kind, data), anchors))

        batch = Batch(self._look, hand_on)
        self._held.clear()
        self._held_bytes = 0
        parent, after = forest.parent, forest.after
        entry = first
        while entry < last:
            try:
                data, cuts = self._stream(entry), None
                if parent[entry] >= 0:
                    data, cuts = self._changed(entry, data)
            except Corrupt as problem:
                self._fail(entry, str(problem), done)
                entry = after[entry]
                continue
            if after[entry] > entry + 1:
                self._hold(entry, data)
            kind = forest.kind[entry]
            if forest.scan[entry]:
                done.blobs += kind == BLOB
                done.commits += kind == COMMIT
                done.bytes += len(data)
                batch.add(entry, kind, data, parent[entry], cuts)
            else:
                batch.flagged[entry] = None  # nothing is known of it here
            entry += 1
        batch.flush()
        self._pack.forget()
        return done

    def _changed(self, entry: int, delta: bytes) -> tuple[bytes, list[int]]:
        """Return an object that is stored as a delta, and its windows."""
        forest = self._forest
        base = forest.parent[entry]
        whole = self._held.pop(base, None)
        if whole is None:
            whole = self._base(base)
        else:
            self._held_bytes -= len(whole)
        if forest.after[base] != forest.after[entry]:  # something else rests on the base
            self._hold(base, whole)
        return changed(whole, delta, self._look.margin)

    def _base(self, entry: int) -> bytes:
        """Return an object that is held, or rebuild it from the nearest that is."""
        chain = []
        data = self._held.get(entry)
        while data is None:
            chain.append(entry)
            base = self._forest.parent[entry]
            if base < 0:
                data = self._stream(chain.pop())
            else:
                entry = base
                data = self._held.get(entry)
        while chain:
            data = rebuilt(data, self._stream(chain.pop()))
        return data

    def _hold(self, entry: int, data: bytes) -> None:
        self._held[entry] = data
        self._held_bytes += len(data)
        while self._held_bytes > HELD_BYTES and len(self._held) > 1:
            oldest = next(iter(self._held))
            self._held_bytes -= len(self._held.pop(oldest))

    def _stream(self, entry: int) -> bytes:
        forest = self._forest
        size = forest.size[entry]
        _check_size(size)
        return inflate(self._view[forest.start[entry] : forest.end[entry]], size)

    def _blob(self, entry: int, kind: int, data: bytes) -> Blob:
        return Blob(data, Origin(VIA[kind]), self._id(entry))

    def _id(self, entry: int) -> str:
        return self._pack.index.id(self._forest.number[entry]).hex()

    def _fail(self, entry: int, reason: str, done: Done) -> None:
        family = range(entry, self._forest.after[entry])
        done.failed.append((reason, [self._id(one) for one in family if self._forest.scan[one]]))


def scan_loose(paths: Sequence[str], look: Look) -> Done:
    """Scan loose objects, given by their files; the last two parts of a path are the id."""
    done = Done()

    def hand_on(number: int, kind: int, data: bytes, anchors: Anchors | None) -> None:
        done.found.extend(look.judge(Blob(data, Origin(VIA[kind]), loose_id(paths[number])), anchors))

    batch = Batch(look, hand_on)
    for number, path in enumerate(paths):
        try:
            kind, data = _read_loose(path)
        except Corrupt as problem:
            done.failed.append((str(problem), [loose_id(path)]))
            continue
        if kind is not None:
            done.blobs += kind == BLOB
            done.commits += kind == COMMIT
            done.bytes += len(data)
            batch.add(number, kind, data, -1, None)
    batch.flush()
    return done


def loose_id(path: str) -> str:
    folder, name = os.path.split(path)
    return folder[-2:] + name


def _read_loose(path: str) -> tuple[int | None, bytes]:
    """Return the kind and the content of a loose object, or None for a tree. Raises `Corrupt`."""
    try:
        handle = os.open(path, _OPEN)
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Corrupt("it is no regular file")
            stream = zlib.decompressobj()
            head = stream.decompress(file.read(HEAD), 64)
            title, nul, data = head.partition(b"\0")
            kind, _, size = title.partition(b" ")
            if kind == b"tree":
                return None, b""
            if not nul or kind not in KINDS or not size.isdigit():
                raise Corrupt("it has no header that is known")
            _check_size(int(size))
            rest = stream.unconsumed_tail + file.read()
            data += stream.decompress(rest, int(size) + 1)
    except OSError as problem:
        raise Corrupt(f"it cannot be read: {problem.strerror}") from None
    except zlib.error:
        raise Corrupt("its data is damaged") from None
    if len(data) != int(size) or not stream.eof:
        raise Corrupt("its data is damaged: it has not the length it should have")
    return KINDS[kind], data


def _check_size(size: int) -> None:
    if size >= PIECE:
        raise Corrupt(TOO_LARGE)
