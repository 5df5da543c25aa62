"""Values that are encoded as a whole: base64 and hexadecimal.

A trigger's end lies in such a value or right behind it. The value is followed to both of
its ends, over the line breaks of a wrapped one, decoded, and kept when what comes out is
text, an archive, or holds the word that the trigger saw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import regex

from scanner.decode.edits import CONTEXT, Edit, Rewritten, rewrite
from scanner.decode.kinds import kind_of
from scanner.decode.text import codec_of, recoded

_PIECE = 1024 * 1024
_SAMPLE = 4096
_TEXT = bytes([*b"\t\n\r\f", *range(32, 127), *range(128, 256)])
_PLAIN = bytes([*b"\t\n\r\f", *range(32, 127)])
_WORD = regex.compile(
    rb"(?i)AKIA|ASIA|PRIVATE KEY|aws_|secret|password|gh[opsu]_|github_pat_|glpat-|xox[bp]-|sk_live_|AIza"
    rb"|A\0K\0I\0A|A\0S\0I\0A|a\0w\0s\0_|s\0e\0c\0r\0e\0t|p\0a\0s\0s\0w\0o\0r\0d"
)


class Value(NamedTuple):
    """An encoded value: its decoded bytes, and one edit for each of its lines."""

    decoded: bytes
    edits: tuple[Edit, ...]

    def __repr__(self) -> str:
        return f"Value({self.start}, {self.end})"

    @property
    def start(self) -> int:
        return self.edits[0].start

    @property
    def end(self) -> int:
        return self.edits[-1].end


def value_of(decoded: bytes, lines: Iterable[tuple[int, int, int]]) -> Value:
    """Return a value whose lines are spans with the count of decoded bytes that each ends at.

    UTF-16, as PowerShell encodes its commands, becomes UTF-8.
    """
    spans = list(lines)
    codec = codec_of(decoded)
    if codec:
        decoded = recoded(decoded, codec)
        return Value(decoded, (Edit(spans[0][0], spans[-1][1], decoded),))
    edits: list[Edit] = []
    before = 0
    for start, end, upto in spans:
        if edits and edits[-1].end < start:
            edits.append(Edit(edits[-1].end, start, b""))  # the line break and what surrounds it
        edits.append(Edit(start, end, decoded[before:upto]))
        before = upto
    return Value(decoded, tuple(edits))


def is_text(decoded: bytes) -> bool:
    """Whether the head of decoded bytes is text, in UTF-8 or UTF-16, as nothing decoded by mistake is."""
    sample = decoded[:_SAMPLE]
    if not sample.translate(None, _PLAIN):
        return True
    if codec_of(sample):
        return True
    strange = len(sample.translate(None, _TEXT))
    high = len(sample) - len(sample.translate(None, _HIGH))
    return strange * 50 <= len(sample) and high * 3 <= len(sample)


_HIGH = bytes(range(128, 256))


def worth(decoded: bytes) -> bool:
    """Whether decoded bytes are text, an archive, or hold a word of a credential."""
    return bool(decoded) and (is_text(decoded) or kind_of(decoded) is not None or _WORD.search(decoded) is not None)


def joined(data: bytes, values: Iterable[Value], covered: Callable[[], bool]) -> Iterator[Rewritten | Value]:
    """Yield neighbouring values together, each in its place, and archives by themselves; as many as are `covered`."""
    waiting: list[Edit] = []
    size = 0
    for value in values:
        if not covered():
            break
        if kind_of(value.decoded):
            if covered():  # to unpack one costs as much again
                yield value
            continue
        if waiting and (value.start - waiting[-1].end > CONTEXT or size > _PIECE):
            yield rewrite(data, waiting)
            waiting, size = [], 0
        waiting += value.edits
        size += len(value.decoded)
    if waiting:
        yield rewrite(data, waiting)
