"""What a blob holds beside its own bytes: text in encodings, members of archives.

The first chunk of a blob is its text. The engine reads it once, and the same pass that
names the rules' anchors names the places where something may be encoded (`triggers`).
Only there is anything decoded; what comes out is a chunk that the engine reads again,
and so on inwards, to a stated depth and cost (`limits`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from operator import add, itemgetter
from typing import TYPE_CHECKING, NamedTuple

from scanner.decode import text
from scanner.decode.kinds import HEADS, kind_of
from scanner.decode.limits import Budget, budget_for
from scanner.model import DEFAULT_LIMITS, Chunk, Limits, Skipped

if TYPE_CHECKING:
    import regex

    from scanner.decode import encodings

Anchors = list[tuple[int, int]]
Look = Callable[[bytes], Anchors]

FIRST = 1 << 20
KINDS = ("base64", "hex", "percent", "entities", "escapes", "quoted-printable", "joined", "manifest", "zip")
"""The engine reports a trigger of the kind `KINDS[n]` as the index `FIRST + n`, above the index of every rule."""

_OPAQUE = ("base64", "hex")
_LITTLE = 4096
"""Any encoded text is looked for in what was hidden altogether; other encodings leave base64 legible, as the engine saw it."""

_CHUNK = 3
"""Places in an archive that take as long to look at as a chunk does by itself."""

_DULL = 50_000

_ZIP_END = b"PK\x05\x06"
_ZIP_TAIL = 65_557  # the record at the end of a zip archive, and the longest comment behind it

_HEADS = (*HEADS, *text.MARKS)


def needs_whole(data: bytes) -> bool:
    """Whether a blob must be given to `chunks` as a whole, to judge by its first 4096 bytes.

    So it is for archives, compressed files, UTF-16, UTF-32 and whatever else is binary.
    """
    return b"\0" in data[: text.SAMPLE] or data.startswith(_HEADS)


def holds_members(data: bytes) -> bool:
    """Whether bytes are an archive, or end in one. The end of a zip archive numbers its disk, which is the first, by zeros."""
    tail = max(0, len(data) - _ZIP_TAIL)
    return kind_of(data) is not None or (data.find(b"\0", tail) >= 0 and data.find(_ZIP_END, tail) >= 0)


def chunks(
    data: bytes, name: str, look: Look, limits: Limits = DEFAULT_LIMITS, anchors: Anchors | None = None
) -> Iterator[tuple[Chunk, Anchors] | Skipped]:
    """Yield what is to be scanned of a blob, each chunk with the anchors of the rules in it, beginning with its text.

    `look` is `Engine.anchors`. `name` names the blob where a limit, a damaged archive or an
    unknown format keeps a part of it from being scanned. `anchors` are those of the blob's text,
    where they are known already; the list is changed. Whoever believes nothing at the anchors
    that it was given, whatever stands around, clears their list: an archive that holds nothing is unpacked once.
    """
    whole = needs_whole(data)
    plain = text.text_of(data) if whole else data
    anchors = look(plain) if anchors is None else anchors
    if not anchors and not whole:
        yield Chunk(plain, plain), anchors
        return
    triggers = _split(anchors)
    chunk = Chunk(plain, plain)
    yield chunk, anchors
    if triggers or (whole and plain is data and kind_of(data)):
        yield from _Blob(name, look, budget_for(len(data), limits), {}).inside(_Layer(chunk), triggers)


class _Layer(NamedTuple):
    """A chunk, and through how many encodings and archives it was reached."""

    chunk: Chunk
    encodings: int = 0
    archives: int = 0


def _split(anchors: Anchors) -> Anchors:
    """Take the triggers out of what the engine found, and return them."""
    anchors.sort()
    if not anchors or anchors[-1][0] < FIRST:
        return []
    first = next(place for place, anchor in enumerate(anchors) if anchor[0] >= FIRST)
    triggers = anchors[first:]
    del anchors[first:]
    return triggers


class _Blob(NamedTuple):
    """The walk through the layers of one blob."""

    name: str
    look: Look
    budget: Budget
    known: dict[tuple[int, tuple[str, ...]], tuple[str, ...]]

    @property
    def dull(self) -> set[bytes]:
        """The digests of archives and of members in which nothing was to be seen: a history holds them over and over."""
        return _dull(self.look)

    def inside(self, layer: _Layer, triggers: Anchors) -> Iterator[tuple[Chunk, Anchors] | Skipped]:
        """Yield every chunk that a layer holds, at any depth."""
        for found in self._layers(layer, triggers):
            if isinstance(found, Skipped):
                self.budget.remarks += 1
                yield found
                continue
            if self._known(found.chunk):
                continue
            anchors = self.look(found.chunk.data)
            if found.archives and anchors and not self.budget.look(len(anchors) + _CHUNK):
                self.budget.remarks += 1
                yield self._skipped(found.chunk.way, "holds more that looks like credentials than the limit")
                continue
            inner = _split(anchors)
            if found.chunk.decoded:
                # What is encoded in the surroundings was seen when the chunk around was looked at.
                low, high = found.chunk.decoded
                if (low, high) != (0, len(found.chunk.data)):
                    inner = [anchor for anchor in inner if low < anchor[1] <= high]
                if found.chunk.way[-1] in _OPAQUE or high - low <= _LITTLE:
                    inner += _any_text(found.chunk)
            yield found.chunk, anchors
            self.budget.remarks += bool(anchors)
            yield from self.inside(found, inner)

    def _known(self, chunk: Chunk) -> bool:
        """Whether the same came out of the same encodings in another order, as it does where several stand side by side."""
        return self.known.setdefault((hash(chunk.data), tuple(sorted(chunk.way))), chunk.way) != chunk.way

    def _layers(self, layer: _Layer, triggers: Anchors) -> Iterator[_Layer | Skipped]:
        data = layer.chunk.data
        kind = kind_of(data)
        if kind:
            yield from self._archive(layer, data, kind, 0)
            return
        if not triggers:
            return
        triggers.sort()
        by_kind = {
            KINDS[index - FIRST]: list(dict.fromkeys(map(itemgetter(1), some)))
            for index, some in groupby(triggers, key=itemgetter(0))
        }
        if by_kind.pop("zip", None) and layer.archives == 0:
            yield from self._embedded_zip(layer)
        if by_kind:
            yield from self._encodings(layer, by_kind)

    def _encodings(self, layer: _Layer, ends: dict[str, list[int]]) -> Iterator[_Layer | Skipped]:
        from scanner.decode import encodings

        for found in encodings.decoded(layer.chunk.data, ends, self.budget.value):
            way = (*layer.chunk.way, found.kind)
            if layer.encodings == self.budget.limits.encodings:
                yield self._skipped(way, f"is more than {layer.encodings} encodings deep")
                return
            if not self.budget.rewrite(len(found.data)):
                yield self._skipped(way, "decodes to more than the limit")
                return
            if isinstance(found, encodings.Packed):
                packed = layer._replace(chunk=layer.chunk._replace(way=way), encodings=layer.encodings + 1)
                yield from self._archive(packed, found.data, found.archive, found.start)
            else:
                yield _Layer(_inside(layer.chunk, way, found), layer.encodings + 1, layer.archives)
        if self.budget.values < 0:
            yield Skipped(self.name, "holds more encoded values than the limit")

    def _archive(self, layer: _Layer, data: bytes, kind: str, start: int) -> Iterator[_Layer | Skipped]:
        """Yield the members of an archive; every place in them is the place where the archive begins."""
        chunk = layer.chunk
        if layer.archives == self.budget.limits.archives:
            yield self._skipped((*chunk.way, kind), f"is more than {layer.archives} archives deep")
            return
        from scanner.decode import archives

        whole = archives.digest(kind, data)
        if whole in self.dull:
            return
        place, members, remarks = _through(chunk, start), 0, self.budget.remarks
        for found in archives.contents(data, kind, self.budget, self.dull):
            way = (*chunk.way, *found.way)
            if isinstance(found, archives.Member):
                members += 1
                before = self.budget.remarks
                inner = partial(add, self.budget.piece())
                member = Chunk(text.text_of(found.data), chunk.text, way, lambda _: place, inner=inner, depth=len(way))
                yield _Layer(member, layer.encodings, layer.archives + 1)
                self._forget(found.packed, before)
                continue
            self.budget.remarks += 1
            if members or not layer.encodings:
                # Encoded bytes that only begin like an archive are a constant in a program.
                yield self._skipped(way, found.reason)
        self._forget(whole, remarks)

    def _forget(self, digest: bytes, remarks: int) -> None:
        """Remember what was unpacked as dull if it gave rise to no remark since."""
        if digest and self.budget.remarks == remarks and len(self.dull) < _DULL:
            self.dull.add(digest)

    def _embedded_zip(self, layer: _Layer) -> Iterator[_Layer | Skipped]:
        """Yield the members of a zip archive that something stands before, as in an executable jar."""
        data = layer.chunk.data
        end = data.rfind(_ZIP_END, max(0, len(data) - _ZIP_TAIL))
        # Text that only quotes the magics is no archive: the directory must stand right before its end record.
        directory = end - int.from_bytes(data[end + 12 : end + 16], "little")
        if end >= 0 and directory >= 0 and data.startswith(b"PK\x01\x02", directory):
            yield from self._archive(layer, data, "zip", data.find(b"PK\x03\x04"))

    def _skipped(self, way: tuple[str, ...], reason: str) -> Skipped:
        return Skipped(f"{self.name}, in {' > '.join(way)}", reason)


@functools.lru_cache(maxsize=1)
def _dull(look: Look) -> set[bytes]:
    return set()


def _any_text(chunk: Chunk) -> Anchors:
    """Return triggers for any encoded text in what was itself encoded."""
    low, high = chunk.decoded or (0, len(chunk.data))
    return [(number, match.end()) for number, pattern in _inner_patterns() for match in pattern.finditer(chunk.data, low, high)]


@functools.cache
def _inner_patterns() -> list[tuple[int, regex.Pattern[bytes]]]:
    """Return the patterns that only what was decoded is searched for, each with the index of its kind."""
    import regex

    from scanner.decode.triggers import INNER

    return [(FIRST + KINDS.index(trigger.kind), regex.compile(trigger.pattern.encode("latin-1"))) for trigger in INNER]


def _through(chunk: Chunk, offset: int) -> int:
    return chunk.offset_of(offset) if chunk.offset_of else offset


def _inside(around: Chunk, way: tuple[str, ...], found: encodings.Text) -> Chunk:
    """Return what was decoded as a chunk that knows its place in the text around, in the member and in the blob."""
    outer, inner = (_chain(known, found.offset_of) for known in (around.offset_of, around.inner))
    return Chunk(found.data, around.text, way, outer, found.lines, inner, around.depth)


def _chain(outer: Callable[[int], int] | None, inner: Callable[[int], int]) -> Callable[[int], int]:
    return inner if outer is None else lambda offset: outer(inner(offset))
