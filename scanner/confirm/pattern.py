"""The plain confirmation: the rule's own pattern, searched for around each anchor.

The search visits every start position (`overlapped`) and the overlaps are thinned out
afterwards, left to right. So the result depends on the text alone and not on where a
window begins, and the same matches come out whichever engine named the anchors.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import regex

from scanner.boundary import behind_escapes
from scanner.confirm.text import entropy
from scanner.model import Match, Rule
from scanner.trace import dropped

TIMEOUT = 2.0
"""Seconds that one search of one window may take; then the chunk is reported as skipped."""


LOW_ENTROPY = "its entropy is below what the rule asks for: it repeats too few characters for a random value"


@functools.cache
def compiled(pattern: str) -> regex.Pattern[bytes]:
    """Return the compiled pattern on bytes, behind an escape too; `regex` keeps none of ours alive by itself."""
    return regex.compile(behind_escapes(pattern).encode("latin-1"))


def windows(ends: Sequence[int], before: int, after: int, size: int) -> Iterator[tuple[int, int]]:
    """Join the surroundings of rising offsets into disjoint spans.

    >>> list(windows([10, 15, 90], 8, 8, 94))
    [(2, 23), (82, 94)]
    """
    start, stop = -1, -1
    for end in ends:
        low, high = max(0, end - before), min(size, end + after)
        if start < 0:
            start, stop = low, high
        elif low <= stop:
            stop = max(stop, high)
        else:
            yield start, stop
            start, stop = low, high
    if start >= 0:
        yield start, stop


def search(pattern: str, data: bytes, ends: Sequence[int], width: int) -> Iterator[regex.Match[bytes]]:
    """Yield the leftmost non-overlapping matches of `pattern` that hold one of the anchor ends.

    `width` bounds the pattern with its lookaround. Raises `TimeoutError` after `TIMEOUT` seconds.
    """
    position = 0
    done = -1
    for start, stop in windows(ends, width, 2 * width, len(data)):
        # A list, because the time limit would else count what is done with each match too.
        for match in list(compiled(pattern).finditer(data, start, stop, overlapped=True, timeout=TIMEOUT)):
            low, high = match.span()
            while position < len(ends) and ends[position] <= low:
                position += 1
            if low >= done and position < len(ends) and ends[position] <= high:
                done = high
                yield match


def confirm(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield each match of the rule's pattern whose secret has the entropy that the rule asks for."""
    for match in search(rule.pattern, data, ends, rule.reach):
        group = "secret" if "secret" in match.re.groupindex else 0
        secret = match.group(group)
        start, end = match.span(group)
        if rule.entropy and entropy(secret) < rule.entropy:
            dropped(rule, start, end, LOW_ENTROPY)
            continue
        yield Match(rule, start, end, secret, ("has the documented form",), rule.confidence, rule.severity)
