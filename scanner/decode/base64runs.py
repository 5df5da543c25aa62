"""Base64, standard and URL-safe (RFC 4648), on one line or wrapped as in MIME, PEM, YAML or source code."""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Sequence

import regex

from scanner.decode.edits import Edit
from scanner.decode.kinds import kind_of
from scanner.decode.values import Value, is_text, value_of, worth

_STANDARD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_URLSAFE = _STANDARD[:62] + b"-_"
_FORWARD = {_STANDARD: regex.compile(rb"[A-Za-z0-9+/]*+"), _URLSAFE: regex.compile(rb"[A-Za-z0-9_-]*+")}
_HYPHENS = (b"-", b"_")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
# What may stand between two lines of one value: a line break, in a string also quotes and an operator, or an escaped one.
_BREAK = regex.compile(
    rb"[ \t]{0,8}\\?\r?\n[ \t#*>]{0,64}"
    rb"|[\"'][ \t]{0,8}[+.,\\]?[ \t]{0,8}\\?\r?\n[ \t]{0,64}[+.]?[ \t]{0,8}[\"']"
    rb"|(?:\\{1,2}r)?\\{1,2}n|(?:%0[Dd])?%0[Aa]"
)
_LINE_END = regex.compile(rb"={0,2}(?:[\"'\\,;)\]}<%]|[ \t]*(?:\r?\n|\Z))")
_CLOSING = b"\"' \t+.,\\\r"
"""What may stand behind a line of a value: what closes a string and joins it to the next."""
_MOST_CLOSING = 16
_LONGEST_LINE = 8192
_MIN_LINE = 16
_INDENT = 64
_MANIFEST_BEFORE, _MANIFEST_AFTER = 16 * 1024, 256 * 1024
_MANIFEST = regex.compile(rb"[\w.-]{1,253}[\"']?:[ \t]{0,8}[\"']?(?P<value>[A-Za-z0-9+/]{8,65536}+={0,2})(?=[\"'\s,}])")

Span = tuple[int, int]


def values(data: bytes, ends: Sequence[int], manifests: Sequence[int]) -> Iterator[Value]:
    """Yield the base64 values at the rising end offsets of triggers, and those of Kubernetes secrets near `manifests`.

    The values rise and are disjoint.
    """
    done = 0
    spots = sorted([(end - 1, False) for end in ends] + [(start, True) for start in _manifest_values(data, manifests)])
    for spot, short in spots:
        if spot < done:
            continue
        value = _value_at(data, spot, done, short)
        if isinstance(value, Value):
            done = value.end
            yield value
        else:
            done = value


def _manifest_values(data: bytes, manifests: Sequence[int]) -> Iterator[int]:
    """Yield where a manifest of `kind: Secret` has a value; each value in it is base64, however short.

    Source: https://kubernetes.io/docs/concepts/configuration/secret/#restriction-names-data
    """
    done = 0
    for end in manifests:
        low, high = max(done, end - _MANIFEST_BEFORE), min(len(data), end + _MANIFEST_AFTER)
        for match in _MANIFEST.finditer(data, low, high):
            yield match.start("value")
        done = max(done, high)


def _value_at(data: bytes, spot: int, floor: int, short: bool) -> Value | int:
    """Return the value at `spot`, or where the text ends that was tried: it holds none, whichever place in it is asked for."""
    tried = spot + 1
    for alphabet, (start, end) in _runs(data, spot, floor):
        lines = [(start, end)]
        if not short:
            lines = [*_lines_above(data, lines[0], floor, alphabet), *lines]
            lines += _lines_below(data, lines[-1], alphabet)
        value = _decode(data, lines, alphabet is _URLSAFE, short)
        if value is not None:
            return value
        tried = max(tried, lines[-1][1])
    return tried


def _runs(data: bytes, spot: int, floor: int) -> Iterator[tuple[bytes, Span]]:
    """Yield the run at `spot` in the URL-safe alphabet, if it has a character of this alone, and in the standard one."""
    start, end = run = _run(data, spot, floor, _STANDARD)
    if data[end : end + 1] in _HYPHENS or data[start - 1 : start] in _HYPHENS:
        start, end = _run(data, spot, floor, _URLSAFE)
        if b"-" in (text := data[start:end]) or b"_" in text:
            yield _URLSAFE, (start, end)
    yield _STANDARD, run


def _run(data: bytes, spot: int, floor: int, alphabet: bytes) -> Span:
    """Return the run of base64 characters that holds `spot`."""
    start, step = spot, 256
    while start > floor:
        piece = data[start - step if start - step > floor else floor : start]
        kept = len(piece) - len(piece.rstrip(alphabet))
        start -= kept
        if kept < len(piece):
            break
        step *= 4
    if data[start - 1 : start] == b"\\" and start < spot:
        start += 1  # the letter of an escape such as \n
    match = _FORWARD[alphabet].match(data, spot)
    return start, match.end() if match else spot


def _lines_above(data: bytes, first: Span, floor: int, alphabet: bytes) -> list[Span]:
    """Return the lines before the first one, which all have the same length."""
    lines: list[Span] = []
    start, width = first[0], first[1] - first[0]
    while True:
        line_feed = data.rfind(b"\n", max(floor, start - _INDENT), start)
        if line_feed < 0 or data[line_feed + 1 : start].strip(b" \t#*>\"'+."):
            break
        reach = (width if lines else _LONGEST_LINE) + 2 * _INDENT
        low = max(floor, data.rfind(b"\n", max(floor, line_feed - reach), line_feed) + 1)
        run = _run_before(data, low, line_feed, alphabet)
        if b"+" in data[run[0] : run[0] + 1] and run[1] - run[0] != width:
            run = run[1] - len(data[slice(*run)].lstrip(b"+")), run[1]  # an operator, or of a diff
        if not max(_MIN_LINE, width) <= run[1] - run[0] <= _LONGEST_LINE or (lines and run[1] - run[0] != width):
            break
        lines.append(run)
        start, width = run[0], run[1] - run[0]
    return lines[::-1]


def _run_before(data: bytes, low: int, end: int, alphabet: bytes) -> Span:
    """Return the run of base64 characters with which a line ends, be it empty, whatever closes a string behind it.

    By methods of bytes: a pattern would try each of its many beginnings, and take minutes where none fits.
    """
    line = data[low:end]
    kept = len(line.rstrip(_CLOSING))
    if b"+" in alphabet:
        kept += len(line[kept:]) - len(line[kept:].lstrip(b"+"))
    if len(line) - kept > _MOST_CLOSING:
        return low, low
    return low + len(line[:kept].rstrip(alphabet)), low + kept


def _lines_below(data: bytes, last: Span, alphabet: bytes) -> list[Span]:
    """Return the lines that continue a value: all as long as the first of them, the last one shorter or equal."""
    lines: list[Span] = []
    end, width = last[1], 0
    while last[1] - last[0] >= _MIN_LINE or lines:
        match = _BREAK.match(data, end)
        following = _FORWARD[alphabet].match(data, match.end()) if match else None
        if match is None or following is None or following.end() == following.start():
            break
        size = following.end() - following.start()
        if (width and size > width) or not _LINE_END.match(data, following.end()):
            break
        lines.append(following.span())
        end = following.end()
        if (width and size < width) or size < _MIN_LINE:
            break
        if not width:
            lines += _alike(data, end, match[0], size, alphabet)
            end = lines[-1][1]
        width = size
    return lines


def _alike(data: bytes, end: int, between: bytes, width: int, alphabet: bytes) -> list[Span]:
    """Return the lines from `end` on that have one width and one break before each, all but the last of them, at once.

    None, where among them is a line of other characters.
    """
    step = len(between) + width
    count = (len(data) - end) // step
    for place, byte in enumerate(between):
        breaks = data[end + place : end + count * step : step]
        count = len(breaks) - len(breaks.lstrip(bytes([byte])))
    count -= 1  # the last of them may be shorter
    if count < 1 or data[end : end + count * step].translate(None, alphabet) != between.translate(None, alphabet) * count:
        return []
    first = end + len(between)
    return [(start, start + width) for start in range(first, first + count * step, step)]


def _decode(data: bytes, lines: list[Span], urlsafe: bool, short: bool) -> Value | None:
    text = b"".join([data[start:end] for start, end in lines])
    if urlsafe:
        text = text.translate(_TO_STANDARD)
    for phase in (0,) if short else (0, 1, 2, 3):
        decoded = _bytes(text[phase:])
        if is_text(decoded) and decoded if short else worth(decoded):
            last = lines[-1][1]
            if kind_of(decoded):  # it is unpacked, and not put in the place of its text
                return Value(decoded, (Edit(lines[0][0] + phase, last, decoded),))
            padding = 2 if data[last : last + 2] == b"==" else data[last : last + 1] == b"="
            return value_of(decoded, _counted(lines, phase, padding))
    return None


def _bytes(text: bytes) -> bytes:
    """Decode base64 without padding; a last character that is too many is left out."""
    size = len(text)
    if size % 4 == 1:
        size -= 1
    return binascii.a2b_base64(text[:size] + b"=" * (-size % 4))


def _counted(lines: list[Span], phase: int, padding: int) -> list[tuple[int, int, int]]:
    """Return the lines without what stands before the phase, each with the count of bytes decoded at its end."""
    count = -phase
    counted = []
    for start, end in lines:
        count += end - start
        upto = max(0, count * 3 // 4)
        counted.append((start, end, upto))
    if phase:
        counted[0] = counted[0][0] + phase, *counted[0][1:]
    if padding:
        counted.append((end, end + padding, upto))
    return counted
