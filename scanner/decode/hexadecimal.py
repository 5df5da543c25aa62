"""Hexadecimal: a run of digits, bytes with separators, a C array, or the lines of a hex dump."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import regex

from scanner.decode.edits import Edit
from scanner.decode.values import Value, value_of, worth

_WINDOW = 4096
_AFTER = 16
_NEAR = 64 * 1024
_REACH = 1024 * 1024
_SEPARATED = regex.compile(rb"(?i)(?:0x)?[0-9a-f]{2}(?:[ \t\r\n,:;\"'+\\]{1,64}+(?:0x)?[0-9a-f]{2}(?![0-9a-f]))++")
_RUN = regex.compile(rb"[0-9A-Fa-f]{8,}+")
# A line of xxd, or of hexdump -C and od: an offset, groups of bytes, and the characters. What separates the characters
# from the bytes decides: two spaces for xxd, and a bar for hexdump, which has two spaces within the bytes as well.
_DUMP = regex.compile(
    rb"[ \t]{0,16}(?:0x)?[0-9A-Fa-f]{4,8}"
    rb"(?::[ \t]{1,3}(?P<bytes>(?:[0-9A-Fa-f]{2}){1,4}+(?:[ ](?:[0-9A-Fa-f]{2}){1,4}+){0,15}+)(?:[ \t]{2,}[^\n]{0,32})?"
    rb"|[ \t]{1,3}(?P<bytes>(?:[0-9A-Fa-f]{2}){1,4}+(?:[ \t]{1,2}(?:[0-9A-Fa-f]{2}){1,4}+){0,15}+)"
    rb"(?:[ \t]{2,}[|>][^\n]{0,32})?)[ \t]{0,2}\r?(?:\n|\Z)"
)
_NO_DIGIT = regex.compile(rb"(?i)0x|[^0-9a-f]")


def values(data: bytes, ends: Sequence[int]) -> Iterator[Value]:
    """Yield the values at the rising end offsets of triggers; they rise and are disjoint."""
    done = 0
    for end in ends:
        if end <= done:
            continue
        lines = _dump(data, end, done)
        decoded = b"".join(edit.new for edit in lines)
        if worth(decoded):
            value: Value | None = Value(decoded, tuple(lines))
        elif len(lines) > 1:  # a dump of something else: none of its lines is read again
            done = lines[-1].end
            continue
        else:
            value, done = _run(data, end, done)
        if value is not None:
            done = value.end
            yield value


def _dump(data: bytes, end: int, floor: int) -> list[Edit]:
    """Return the lines of a hex dump around an offset, none if there is no dump."""
    start = data.rfind(b"\n", max(floor, end - 128), end) + 1 or floor
    match = _DUMP.match(data, start)
    if match is None or match.end() < end:
        return []
    while start > floor:
        above = data.rfind(b"\n", max(floor, start - 129), start - 1) + 1 or floor
        match = _DUMP.match(data, above, start)
        if match is None or match.end() != start or start - above > 128:
            break
        start = above
    edits = []
    match = _DUMP.match(data, start)
    while match is not None:
        edits.append(Edit(match.start(), match.end(), bytes.fromhex(match.group("bytes").decode("ascii"))))
        match = _DUMP.match(data, match.end()) if match.end() < len(data) else None
    return edits


def _run(data: bytes, end: int, floor: int) -> tuple[Value | None, int]:
    """Return the digits around an offset, plain or separated, read from the first or from the second of them.

    And where the text ends that was tried: what holds nothing is not read again for each offset in it.
    """
    low, tried = max(floor, end - _WINDOW), end
    for pattern in (_RUN, _SEPARATED):
        for around in pattern.finditer(data, low, min(len(data), end + _AFTER)):
            first = around.start()
            if around.end() < end or first >= end:
                continue
            near = _end(pattern, data, first, end + _NEAR)
            if near < end:
                continue
            tried = max(tried, min(near, end + _WINDOW))
            for start in (first, first + 1) if pattern is _RUN else (first,):
                if _value(data, start, near):
                    return _value(data, start, _end(pattern, data, first, end + _REACH)), tried
    return None, tried


def _end(pattern: regex.Pattern[bytes], data: bytes, start: int, most: int) -> int:
    match = pattern.match(data, start, min(len(data), most))
    return match.end() if match else start


def _value(data: bytes, start: int, end: int) -> Value | None:
    digits = _NO_DIGIT.sub(b"", data[start:end])
    decoded = bytes.fromhex(digits[: len(digits) & ~1].decode("ascii"))
    return value_of(decoded, [(start, end, len(decoded))]) if worth(decoded) else None
