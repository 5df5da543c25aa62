"""Spellings of a text that break its words up: percent, entities, escapes, quoted-printable, joined literals.

All are read alike. Where a trigger fired, the escapes that follow each other closely
are taken as one region, and each is replaced by what it stands for.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import regex

from scanner.decode.edits import Edit, Rewritten, clusters, replaced

WINDOW = 16 * 1024
"""How far from a trigger an escape is still read, in bytes; a private key on one line is shorter."""

_GAP = 200
_THIN = 50
WIDEST = 80
"""Bytes of the longest escape."""
_BEHIND = 16  # what a pattern looks back
_AHEAD = 1  # and ahead
_PIECE = 1024 * 1024
_OVERLAP = 32 * 1024

Replace = Callable[["regex.Match[bytes]"], bytes]


class Escape(NamedTuple):
    """One encoding: its escapes and what each stands for; `whole` asks for the rest of the text, as a mail needs.

    `marked` says that an escape has its first character nowhere else, so that from any place the same ones are found.
    """

    pattern: regex.Pattern[bytes]
    replace: Replace
    whole: regex.Pattern[bytes] | None = None
    marked: bool = True


_DIGITS = "0123456789abcdefABCDEF"
_HEX = {(high + low).encode(): bytes([int(high + low, 16)]) for high in _DIGITS for low in _DIGITS}
_PERCENT = {b"%" + digits: byte for digits, byte in _HEX.items()} | {b"+": b" "}
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def _percent(match: regex.Match[bytes]) -> bytes:
    return _PERCENT[match[0]]


def _entity(match: regex.Match[bytes]) -> bytes:
    return _entity_of(match[0])


@lru_cache(4096)
def _entity_of(text: bytes) -> bytes:
    return html.unescape(text.decode("ascii")).encode("utf-8", "replace")


def _escape(match: regex.Match[bytes]) -> bytes:
    return _escape_of(match[0])


@lru_cache(4096)
def _escape_of(text: bytes) -> bytes:
    text = text[1:]
    kind = text[:1]
    if kind == b"x":
        return _HEX[text[1:]]
    if kind == b"u":
        return chr(int(text.strip(b"u{}"), 16)).encode("utf-8", "replace")
    if kind.isdigit():
        return bytes([int(text, 8) & 255])
    return _LETTERS.get(kind, kind)


def _quoted(match: regex.Match[bytes]) -> bytes:
    return b"" if match[0].endswith(b"\n") else _HEX[match[0][1:]]


def _nothing(match: regex.Match[bytes]) -> bytes:
    return b""


ESCAPES: dict[str, Escape] = {
    # In a form a space is a plus sign, and a plus sign %2B. Where text may be no form, only these are surely spaces.
    "percent": Escape(
        regex.compile(
            rb"%[0-9A-Fa-f]{2}|(?<=-----BEGIN|-----END|PRIVATE|RSA|EC|DSA|OPENSSH|ENCRYPTED)\+|(?<=%3[AaDd])\+|\+(?=%3[AaDd])"
        ),
        _percent,
    ),
    "entities": Escape(
        regex.compile(
            rb"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}"
            rb"|amp|quot|apos|lt|gt|sol|plus|equals|colon|nbsp|NewLine|Tab|lowbar|bsol|comma|period);"
        ),
        _entity,
    ),
    "escapes": Escape(
        regex.compile(rb"\\(?:u[0-9A-Fa-f]{4}|u\{[0-9A-Fa-f]{1,5}\}|x[0-9A-Fa-f]{2}|[0-3]?[0-7]{2}|[nrtbfv\"'/\\])"),
        _escape,
        marked=False,
    ),
    "quoted-printable": Escape(
        regex.compile(rb"=(?:[0-9A-Fa-f]{2}|[ \t]{0,64}\r?\n)"),
        _quoted,
        regex.compile(rb"(?i)transfer-encoding: *quoted-printable\Z"),
    ),
    # A literal cut in two: 'AB' + 'CD' (also . & and \ or _ at a line's end), or two that the language joins by itself.
    "joined": Escape(
        regex.compile(
            rb"(?<=[A-Za-z0-9/+=-])([\"'])[ \t]{0,8}[+.&\\]?[ \t]{0,8}_?(?:\r?\n[ \t]{0,64})?[+.&]?[ \t]{0,8}\1"
            rb"(?=[A-Za-z0-9/+=-])"
        ),
        _nothing,
        marked=False,
    ),
}  # fmt: skip


def regions(kind: str, data: bytes, ends: Sequence[int]) -> Iterator[Rewritten]:
    """Yield the regions of one encoding around the rising end offsets of its triggers, decoded."""
    escape = ESCAPES[kind]
    whole = escape.whole is not None and any(escape.whole.search(data, max(0, end - 80), end) for end in ends)
    ends = list(_thinned(ends))
    if whole:
        low = max(0, ends[0] - WINDOW)
        windows, gap = iter([(low, len(data))]), len(data)
    else:
        windows, gap = clusters(((max(0, end - WINDOW), min(len(data), end + WINDOW)) for end in ends), 0), _GAP
    position = 0
    for low, high in windows:
        for start, end in _stretches(escape, data, low, high, gap):
            while position < len(ends) and ends[position] < start - gap:
                position += 1
            if position < len(ends) and ends[position] <= end + gap:
                for first in range(start, end, _PIECE):
                    yield _region(escape, data, max(start, first - _OVERLAP), min(end, first + _PIECE), end)


def _stretches(escape: Escape, data: bytes, low: int, high: int, gap: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of escapes that are at most `gap` apart."""
    if not escape.marked:
        yield from clusters((match.span() for match in escape.pattern.finditer(data, low, high)), gap)
        return
    found = escape.pattern.search(data, low, high)
    while found:
        start, end = found.span()
        while True:  # of escapes that stand close, few need be visited
            far = min(high, end + gap)
            found = escape.pattern.search(data, min(end + gap // 2, far), high)
            if found is None or found.start() > far:
                for found in escape.pattern.finditer(data, end, min(high, end + gap // 2 + WIDEST)):
                    pass
                if found is None or found.start() > far:
                    break
            end = found.end()
        yield start, end
        found = escape.pattern.search(data, end, high)


def _thinned(ends: Sequence[int]) -> Iterator[int]:
    """Yield the ends that are not close behind another: they lead to the same region."""
    last = -_THIN
    for end in ends:
        if end - last >= _THIN:
            yield end
            last = end


def _region(escape: Escape, data: bytes, start: int, end: int, last: int) -> Rewritten:
    """Decode from `start` to `end`; `last` is the end of the region's last escape."""
    start = max(0, start - _BEHIND)
    size, text = end - start, data[start : end + _AHEAD]

    def inside(match: regex.Match[bytes]) -> bytes:
        return escape.replace(match) if match.end() <= size else match.group()

    def edits() -> Iterator[Edit]:
        for match in escape.pattern.finditer(text):
            if match.end() <= size:
                yield Edit(start + match.start(), start + match.end(), escape.replace(match))

    new = escape.pattern.sub(escape.replace if end == last else inside, text)
    return replaced(data, start, end, new[: len(new) - (len(text) - size)], edits)
