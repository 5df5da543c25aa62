"""How the versions of files are stored in a pack, as changes against each other, and what each change brings.

An object is stored whole or as a delta: copies of ranges of another object, its base, and
inserted bytes. A credential in a delta object touches inserted bytes, or a joint where two
copies meet, or was copied in one piece from the base, which then holds it too. So whoever
has scanned the base needs to look at the inserts and joints alone. Format:
https://git-scm.com/docs/gitformat-pack ("Deltified representation").
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from struct import error as StructError
from types import FunctionType

from scanner.sources.packs import Corrupt
from scanner.sources.pieces import PIECE

_compiled: Callable[[bytes, bytes], list[bytes]] | None = None
try:
    from dulwich.pack import apply_delta

    if not isinstance(apply_delta, FunctionType):  # where dulwich has no wheel it is slower than what is here
        _compiled = apply_delta
except ImportError:  # pragma: no cover - on a platform without a wheel of dulwich
    pass

_MAX_SHIFT = 60  # no length needs more bits
_DAMAGED = "its delta is damaged"
TOO_LARGE = "it is too large to be held whole"
UNFOLDED = 1 << 30
UNFOLDS = "it unfolds from a delta to more than 1 GiB, which git would have to hold in memory"

_SHORT, _LONG, _FAR = Struct("<HB"), Struct("<HH"), Struct("<I")  # the commonest copy instructions
_FEW = 8192  # bytes that are copied sooner than a view of them is made

_TURNS = 25
"""Bytes of an object that the engine looks at, and compiled code puts together, in the time
in which a byte of instructions is read here (measured on rails/rails and git/git, where
20 to 100 make little difference)."""

_STEP = 256  # bytes that are compared first, to find out how far two texts are the same


def changed(base: bytes, delta: bytes, margin: int) -> tuple[bytes, list[int]]:
    """Return what `apply` returns, but sooner: where the delta has many instructions the windows are one wide one.

    It goes from the first byte that differs from the base to the last, `margin` more on both sides.
    """
    if _compiled is None or len(delta) * _TURNS < len(base):
        return apply(base, delta, margin)
    data = rebuilt(base, delta)
    if data == base:
        return data, []
    most = min(len(base), len(data))
    start = _same(base, data, most)
    end = len(data) - _same_end(base, data, most - start)
    return data, [start - margin, end + margin, len(data) - len(base)]


def rebuilt(base: bytes, delta: bytes) -> bytes:
    """Return the object that a delta makes of its base. Raises `Corrupt`."""
    if _compiled is None:
        return apply(base, delta, 0)[0]
    _fitting(base, delta)
    try:
        return b"".join(_compiled(base, delta))
    except Exception:  # whatever it is, the plain way says what is wrong
        return apply(base, delta, 0)[0]


def _same(one: bytes, other: bytes, most: int) -> int:
    """Return how many bytes two texts have in common at their beginning: at most `most`, and a step fewer at worst."""
    return _reach(lambda first, last: one[first:last] == other[first:last], most)


def _same_end(one: bytes, other: bytes, most: int) -> int:
    """Return the same for their ends."""
    length, size = len(one), len(other)
    return _reach(lambda first, last: one[length - last : length - first] == other[size - last : size - first], most)


def _reach(same: Callable[[int, int], bool], most: int) -> int:
    """Return how far from 0 something is the `same` in every range that is asked for: first wider ones, then narrower ones."""
    reach, step = 0, _STEP
    while reach + step <= most and same(reach, reach + step):
        reach += step
        step *= 2
    while step > _STEP:
        step //= 2
        if reach + step <= most and same(reach, reach + step):
            reach += step
    return reach


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

    The windows are rising offsets, flat, three each: where it begins and ends, and how much further than in the base
    stands what is between it and the next. There is one around every insert and every joint of two copies,
    `margin` wider on both sides, so also beyond the object's ends. These ends are joints
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
                        cuts += (edge - margin, target - follows, target - margin)
                    edge = target + wide
                follows = start + count
                target += count
                if target > size:
                    break
                add(base[start:follows] if count < _FEW else view[start:follows])
            else:
                at += 1
                if target > edge:
                    cuts += (edge - margin, target - follows, target - margin)
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
            cuts += (edge - margin, target - follows, target - margin)
        edge = target + wide
    return data, [*cuts[2:], edge - margin, target - follows] if cuts else []


def _fitting(base: bytes, delta: bytes) -> tuple[int, int, int]:
    length, size, at = sizes(delta)
    if size >= PIECE:
        raise Corrupt(UNFOLDS if size > UNFOLDED else TOO_LARGE)
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
