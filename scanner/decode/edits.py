"""Rewriting a stretch of text in place, with the way back.

An encoded value counts together with what stands beside it: a name in plain text before
a secret in base64. So what is decoded replaces its encoded form within the surrounding
text, and the result is one chunk. The map from it to the text it came from is built only
when a match asks for it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

CONTEXT = 400
"""Bytes of the surrounding text that are kept on both sides of what was decoded."""

_TOKEN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-"


class Edit(NamedTuple):
    """The bytes from `start` to `end` of a text read as `new`."""

    start: int
    end: int
    new: bytes


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A stretch of text with edits applied. `start` and `end` bound the lines that were edited, in `data`."""

    data: bytes = field(repr=False)
    start: int
    end: int
    offset_of: Callable[[int], int] = field(repr=False)


class Offsets:
    """Maps an offset in the rewritten stretch to one in the text it came from.

    Within an edit the offset grows in proportion, which is exact for every encoding whose
    characters all have one length, and else exact at the edit's ends.
    """

    __slots__ = ("_edits", "_from", "_low", "_to")

    def __init__(self, low: int, edits: Callable[[], Iterable[Edit]]) -> None:
        self._low = low
        self._edits = edits
        self._from: list[int] = []
        self._to: list[tuple[int, int, int]] = []

    def __call__(self, offset: int) -> int:
        if not self._from:
            self._build()
        place = bisect_right(self._from, offset) - 1
        start, width, size = self._to[place]
        past = offset - self._from[place]
        return start + (past * width // size if size else past)

    def _build(self) -> None:
        at, position = 0, self._low
        self._add(at, (position, 0, 0))
        for edit in self._edits():
            at += edit.start - position
            position = edit.end
            if edit.new:
                self._add(at, (edit.start, edit.end - edit.start, len(edit.new)))
            at += len(edit.new)
            self._add(at, (position, 0, 0))

    def _add(self, at: int, to: tuple[int, int, int]) -> None:
        self._from.append(at)
        self._to.append(to)


def rewrite(data: bytes, edits: Sequence[Edit]) -> Rewritten:
    """Apply rising, disjoint edits, and keep `CONTEXT` around the first and the last of them."""
    low, high = surroundings(data, edits[0].start, edits[-1].end)
    parts: list[bytes] = []
    position = low
    for edit in edits:
        parts += [data[position : edit.start], edit.new]
        position = edit.end
    tail = data[position:high]
    body = b"".join(parts)
    return Rewritten(body + tail, *_lines(body, tail, edits[0].start - low), Offsets(low, lambda: edits))


def surroundings(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the span widened by `CONTEXT` on both sides, cut where it cuts no token.

    >>> surroundings(b"ab cd ef", 3, 5)
    (0, 8)
    """
    low, high = max(0, start - CONTEXT), min(len(data), end + CONTEXT)
    if low:
        before = data[low:start]
        low = start - len(before.lstrip(_TOKEN))
    if high < len(data):
        high = end + len(data[end:high].rstrip(_TOKEN))
    return low, high


def replaced(data: bytes, start: int, end: int, new: bytes, edits: Callable[[], Iterable[Edit]]) -> Rewritten:
    """Put `new` in the place of what stands from `start` to `end`; `edits` say, when asked, what that means in detail."""
    low, high = surroundings(data, start, end)
    body = data[low:start] + new
    tail = data[end:high]
    return Rewritten(body + tail, *_lines(body, tail, start - low), Offsets(low, edits))


def clusters(spans: Iterable[tuple[int, int]], gap: int = CONTEXT) -> Iterator[tuple[int, int]]:
    """Join rising spans that are at most `gap` apart.

    >>> list(clusters([(0, 3), (5, 6), (20, 21)], 4))
    [(0, 6), (20, 21)]
    """
    current: tuple[int, int] | None = None
    for start, end in spans:
        if current is not None and start - current[1] <= gap:
            current = current[0], max(current[1], end)
        else:
            if current is not None:
                yield current
            current = start, end
    if current is not None:
        yield current


def _lines(body: bytes, tail: bytes, first: int) -> tuple[int, int]:
    """Return the bounds, in body and tail joined, of the lines from that of `first` to that of the body's end."""
    line_end = tail.find(b"\n")
    return body.rfind(b"\n", 0, first) + 1, len(body) + (len(tail) if line_end < 0 else line_end)
