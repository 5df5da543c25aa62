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
from bisect import bisect_left
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
    for the anchors of one that has to be decoded first. `flagged` are the keys of those, with their anchors and
    length where these are kept. Of an object whose base is flagged, the anchors are those of its base
    where it is the same, and those of what lies between.
    """

    def __init__(self, look: Look, hand_on: Callable[[int, int, bytes, Anchors | None], None]) -> None:
        self._look = look
        self._hand_on = hand_on
        self.flagged: dict[int, tuple[Anchors, int] | None] = {}
        self._clear()

    def add(self, key: int, kind: int, data: bytes, base: int, cuts: list[int] | None) -> None:
        """Take an object with its windows (pairs of offsets, flat), or None for all of it."""
        if self._look.needs_whole(data[:HEAD]):
            self.flagged[key] = None
            self._hand_on(key, kind, data, None)
            return
        self._waiting.append((key, kind, data, base, cuts))
        if cuts is None:
            self._part(key, data)
        elif base not in self.flagged:
            for place in range(0, len(cuts), 2):
                low = cuts[place]
                self._part(key, data[low if low > 0 else 0 : cuts[place + 1]])
        self._held += len(data)
        if self._size > BATCH_BYTES or self._held > WAIT_BYTES:
            self.flush()

    def flush(self) -> None:
        """Look at what waits. Bases come before what rests on them, so flags are known in time."""
        hits = set()
        if self._parts:
            starts, owners = self._starts, self._owners
            for end in {end for _, end in self._look.anchors(b"\n".join(self._parts))}:
                hits.add(owners[max(0, bisect_left(starts, end) - 1)])
        for key, kind, data, base, cuts in self._waiting:
            if base in self.flagged:
                anchors = self._inherited(self.flagged[base], data, cuts)
            elif key in hits or (self._look.edges and self._at_edges(data)):
                anchors = self._look.anchors(data)
            else:
                continue
            if anchors:
                self.flagged[key] = (anchors, len(data)) if len(anchors) <= MANY_ANCHORS else None
                self._hand_on(key, kind, data, list(anchors))
        self._clear()

    def _inherited(self, known: tuple[Anchors, int] | None, data: bytes, cuts: list[int] | None) -> Anchors:
        """Return the anchors of an object whose base has some.

        An anchor that ends a margin before the first change, or more than a margin behind the last, is
        one of the base with all that it depends on. The others lie in what is looked at, which is two margins wider than
        the changes.
        """
        if known is None or cuts is None or self._look.edges:
            return self._look.anchors(data)
        anchors, length = known
        if not cuts:
            return anchors
        margin, shift = self._look.margin, len(data) - length
        first, last = cuts[0], cuts[-1]  # these are a margin wider than the changes
        low = max(0, first - margin)
        return [
            *(anchor for anchor in anchors if anchor[1] <= first),
            *((met, end + low) for met, end in self._look.anchors(data[low : last + margin]) if first < end + low <= last),
            *((met, end + shift) for met, end in anchors if end + shift > last),
        ]

    def _at_edges(self, data: bytes) -> bool:
        margin = self._look.margin
        return bool(self._look.anchors(data[:margin]) or self._look.anchors(data[-margin:]))

    def _part(self, key: int, data: bytes) -> None:
        self._starts.append(self._size)
        self._owners.append(key)
        self._parts.append(data)
        self._size += len(data) + 1

    def _clear(self) -> None:
        self._parts: list[bytes] = []
        self._starts: list[int] = []
        self._owners: list[int] = []
        self._waiting: list[tuple[int, int, bytes, int, list[int] | None]] = []
        self._size = self._held = 0


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
