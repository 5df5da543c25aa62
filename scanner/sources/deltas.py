"""How the versions of files are stored in a pack, as trees of changes, and what each change brings.

An object is stored whole or as a delta: copies of ranges of another object, its base, and
inserted bytes. A credential in a delta object touches inserted bytes, or a joint where two
copies meet, or was copied in one piece from the base, which then holds it too. So whoever
has scanned the base needs to look at the inserts and joints alone.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from struct import Struct
from struct import error as StructError

from scanner.sources.packs import BLOB, COMMIT, OFS_DELTA, REF_DELTA, TAG, TREE, Corrupt, Pack
from scanner.sources.pieces import PIECE

_ROOT = -1
_WHOLE = (COMMIT, BLOB, TAG)
_MAX_SHIFT = 60  # no length needs more bits
_DAMAGED = "its delta is damaged"
TOO_LARGE = "it is too large to be held whole"

_SHORT, _LONG, _FAR = Struct("<HB"), Struct("<HH"), Struct("<I")  # the commonest copy instructions
_FEW = 8192  # bytes that are copied sooner than a view of them is made
_CHUNK = 1024 * 1024
_HEADER = 80  # no header is longer
_LENGTH_BYTES = 8  # behind the first byte of a header: enough for 60 bits
_TREE, _UNKNOWN = -2, -3


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

    def shares(self, least: int) -> Iterator[tuple[int, int]]:
        """Yield ranges of entries, whole families of at least `least` packed bytes together."""
        first = entry = weight = 0
        while entry < len(self.after):
            after = self.after[entry]
            weight += sum(self.end[entry:after]) - sum(self.start[entry:after])
            entry = after
            if weight >= least:
                yield first, entry
                first, weight = entry, 0
        if first < entry:
            yield first, entry


def forest(pack: Pack, wanted: Callable[[bytes], bool] | None = None) -> Forest:
    """Return the delta trees of a pack, without those in which no object is `wanted` (by its id). Raises `Corrupt`."""
    headers = _Headers(pack)
    identify = pack.index.id
    if wanted is None:
        scan = bytearray(b"\1") * len(headers.number)
    else:
        scan = bytearray(wanted(identify(number)) for number in headers.number)
        headers.lost = [number for number in headers.lost if wanted(identify(number))]
    return _arranged(headers, scan)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An entry whose base is not known yet."""

    offset: int
    number: int
    start: int
    end: int
    size: int


class _Headers:
    """What stands before each stream of a blob, commit or tag, in an order in which a base precedes its deltas."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self.number: list[int] = []
        self.kind = bytearray()
        self.parent: list[int] = []
        self.start, self.end, self.size = array("Q"), array("Q"), array("Q")
        self.lost: list[int] = []
        self._known: dict[int, int] = {}
        self._waiting: dict[int, list[_Waiting]] = {}
        order = pack.index.order()
        bounds = array("Q", map(pack.index.offsets.__getitem__, order))
        bounds.append(pack.end)
        if order and (bounds[0] < 12 or bounds[-2] >= pack.end):
            raise Corrupt("the index of the pack names places outside of it")
        try:
            self._read(order, bounds)
        except IndexError:
            raise Corrupt("the pack ends within an entry") from None
        self._settle()
        del self._known, self._waiting

    def _read(self, order: Sequence[int], bounds: Sequence[int]) -> None:
        """Go through the pack once. The loop runs for every object there is, so it calls little."""
        known = self._known
        number_add, kind_add, parent_add = self.number.append, self.kind.append, self.parent.append
        start_add, end_add, size_add = self.start.append, self.end.append, self.size.append
        buffer, low, high = b"", 0, -1
        for number, offset, end in zip(order, bounds, islice(bounds, 1, None), strict=False):
            if offset > high:
                buffer, low = self._pack.read(offset, _CHUNK), offset
                high = offset + len(buffer) - _HEADER
            at = mark = offset - low
            byte = buffer[at]
            kind = byte >> 4 & 7
            if kind == TREE:
                known[offset] = _TREE
                continue
            while byte > 127 and at < mark + _LENGTH_BYTES:
                at += 1
                byte = buffer[at]
            at += 1
            length, parent = at, _ROOT
            if kind == OFS_DELTA:
                byte = buffer[at]
                back = byte & 127
                while byte > 127 and back < offset:
                    at += 1
                    byte = buffer[at]
                    back = back + 1 << 7 | byte & 127
                at += 1
                parent = known.get(offset - back, _UNKNOWN)
                if parent < 0:
                    if parent == _TREE:
                        known[offset] = _TREE
                    else:
                        self._wait(offset - back, _Waiting(offset, number, low + at, end, _length(buffer[mark:length])))
                    continue
                kind = self.kind[parent]
            elif kind not in _WHOLE:
                self._odd(kind, _Waiting(offset, number, low + at, end, _length(buffer[mark:length])))
                continue
            known[offset] = len(self.parent)
            number_add(number)
            kind_add(kind)
            parent_add(parent)
            start_add(low + at)
            end_add(end)
            size_add(_length(buffer[mark:length]))

    def _odd(self, kind: int, entry: _Waiting) -> None:
        """Take an entry that names its base by id, which may stand behind it, or that has no known type."""
        base = None
        if kind == REF_DELTA:
            size = self._pack.name.hash_size
            base = self._pack.index.find(self._pack.data[entry.start : entry.start + size])
            entry = replace(entry, start=entry.start + size)
        if base is None:
            self.lost.append(entry.number)
        else:
            self._wait(self._pack.index.offsets[base], entry)

    def _wait(self, base: int, entry: _Waiting) -> None:
        self._waiting.setdefault(base, []).append(entry)

    def _settle(self) -> None:
        """Place the entries that wait for their base; what waits for a base that never comes is lost."""
        for base in [base for base in self._waiting if base in self._known]:
            reached = [(base, self._known[base])]
            while reached:
                offset, parent = reached.pop()
                for entry in self._waiting.pop(offset, ()):
                    reached.append((entry.offset, _TREE if parent == _TREE else self._add(parent, entry)))
        for entries in self._waiting.values():
            self.lost.extend(entry.number for entry in entries)

    def _add(self, parent: int, entry: _Waiting) -> int:
        self.number.append(entry.number)
        self.kind.append(self.kind[parent])
        self.parent.append(parent)
        self.start.append(entry.start)
        self.end.append(entry.end)
        self.size.append(entry.size)
        return len(self.kind) - 1


def _length(header: bytes) -> int:
    """Return the length that an entry's header states: four bits of its first byte, seven of each other."""
    size = header[0] & 15
    for place in range(1, len(header)):
        size |= (header[place] & 127) << 7 * place - 3
    return size


def _arranged(headers: _Headers, scan: bytearray) -> Forest:
    """Put the entries in depth-first order; one that is not to be scanned stays only for what rests on it."""
    count, parent = len(scan), headers.parent
    family = [0] * count
    heir = [-1] * count  # the largest family that rests on an entry
    for entry in range(count - 1, -1, -1):
        if family[entry] or scan[entry]:
            family[entry] += 1
            base = parent[entry]
            if base >= 0:
                family[base] += family[entry]
                if heir[base] < 0 or family[entry] > family[heir[base]]:
                    heir[base] = entry
    place, free, total = [-1] * count, [0] * count, 0
    for entry in range(count):
        size = family[entry]
        if not size:
            continue
        base = parent[entry]
        if base < 0:
            spot, total = total, total + size
        elif heir[base] == entry:
            spot = place[base] + family[base] - size
        else:
            spot = free[base]
            free[base] += size
        place[entry] = spot
        free[entry] = spot + 1
    order = array("I", bytes(4 * total))
    for entry, spot in enumerate(place):
        if spot >= 0:
            order[spot] = entry
    return Forest(
        array("I", [headers.number[entry] for entry in order]),
        bytearray(headers.kind[entry] for entry in order),
        bytearray(scan[entry] for entry in order),
        array("i", [place[parent[entry]] if parent[entry] >= 0 else -1 for entry in order]),
        array("I", [spot + family[entry] for spot, entry in enumerate(order)]),
        array("Q", [headers.start[entry] for entry in order]),
        array("Q", [headers.end[entry] for entry in order]),
        array("Q", [headers.size[entry] for entry in order]),
        headers.lost,
    )


def sizes(delta: bytes) -> tuple[int, int, int]:
    """Return the length of the base, the length of the result, and where the instructions begin. Raises `Corrupt`."""
    found = []
    at = 0
    for _ in range(2):
        value = shift = 0
        while True:
            if at >= len(delta) or shift > _MAX_SHIFT:
                raise Corrupt(_DAMAGED)
            byte = delta[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        found.append(value)
    return found[0], found[1], at


def apply(base: bytes, delta: bytes, margin: int) -> tuple[bytes, list[int]]:
    """Return the object that a delta makes of its base, and the windows in which it can hold what the base did not.

    The windows are rising pairs of offsets, flat: every insert and every joint of two copies,
    widened by `margin` on both sides, so also beyond the object's ends. These ends are joints
    where the base goes on. Raises `Corrupt`, also for an object of `PIECE` bytes or more.
    """
    length, size, at = _fitting(base, delta)
    parts: list[bytes | memoryview] = []
    add, view, short, long, far = parts.append, memoryview(base), _SHORT.unpack_from, _LONG.unpack_from, _FAR.unpack_from
    cuts: list[int] = []
    end, wide = len(delta), 2 * margin
    # `follows` is where the last copy ended in the base, -1 after an insert; `edge` is `margin` behind the last window.
    target, follows, edge = 0, 0, -1
    try:
        while at < end:  # this is where the time of a scan goes: 60 to 130 turns for each delta
            code = delta[at]
            if code > 127:
                if code == 0x93:  # two bytes of offset, one of length
                    start, count = short(delta, at + 1)
                    at += 4
                elif code == 0x97:  # three and one
                    (count,) = far(delta, at + 1)
                    start, count = count & 0xFFFFFF, count >> 24
                    at += 5
                elif code == 0xB3:  # two and two
                    start, count = long(delta, at + 1)
                    at += 5
                else:
                    start, count, at = _copy(delta, at)
                if follows >= 0 and start != follows:
                    if target > edge:
                        cuts += (edge - margin, target - margin)
                    edge = target + wide
                follows = start + count
                target += count
                if target > size:
                    break
                add(base[start:follows] if count < _FEW else view[start:follows])
            else:
                at += 1
                if target > edge:
                    cuts += (edge - margin, target - margin)
                add(delta[at : at + code])
                at += code or end
                target += code
                edge = target + wide
                follows = -1
    except (IndexError, StructError):
        raise Corrupt(_DAMAGED) from None
    data = b"".join(parts)
    if at != end or not len(data) == target == size:  # a copy from behind the base's end is short
        raise Corrupt(_DAMAGED)
    if follows >= 0 and follows != length:
        if target > edge:
            cuts += (edge - margin, target - margin)
        edge = target + wide
    if cuts:
        cuts.append(edge - margin)
    return data, cuts[1:]


def _fitting(base: bytes, delta: bytes) -> tuple[int, int, int]:
    length, size, at = sizes(delta)
    if size >= PIECE:
        raise Corrupt(TOO_LARGE)
    if length != len(base):
        raise Corrupt("its delta does not fit its base")
    return length, size, at


def _copy(delta: bytes, at: int) -> tuple[int, int, int]:
    """Read any copy instruction; return where it copies from, how much, and where the next instruction is."""
    code = delta[at]
    at += 1
    stop, bits = _COPIES[code]
    stop += at
    if bits:  # the bytes that are there are the lowest of the offset, then the lowest of the length
        value = int.from_bytes(delta[at:stop], "little")
        if stop > len(delta):
            raise IndexError
        return value & (1 << bits) - 1, value >> bits or 0x10000, stop
    value = 0
    for bit in range(7):
        if code >> bit & 1:
            value |= delta[at] << 8 * bit
            at += 1
    return value & 0xFFFFFFFF, value >> 32 or 0x10000, stop


def _copies(code: int) -> tuple[int, int]:
    """Return how many bytes follow a copy's code, and how many bits of them are its offset, if only high bytes are left out."""
    offset, length = code & 15, code >> 4 & 7
    regular = offset in (1, 3, 7, 15) and length in (0, 1, 3, 7)
    return (code & 127).bit_count(), 8 * offset.bit_count() if regular else 0


_COPIES = tuple(map(_copies, range(256)))
