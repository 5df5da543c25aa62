"""Why a match is no finding. Plain functions: match and its chunk → reason to drop it, or None."""

from __future__ import annotations

import re
from collections.abc import Callable

from scanner.model import Chunk, Match

_ALLOW = re.compile(rb"keyleash:allow(?P<ids>(?:[ \t]+[a-z0-9]+(?:-[a-z0-9]+)+,?)*)")
_DUMMY = re.compile(
    rb"(?i)(?:(?:my|your|the|some|a|test|dummy|fake|sample|user|secret|super|new|old)?[-_ ]?)*"
    rb"(?:pass(?:word|wd|phrase|code)?|secret|token|pwd|changeme|foobar|hunter2|xyzzy|qwerty|letmein|123456)[-_0-9!.]{0,4}\Z"
)
_LINE = 2000
"""Bytes on either side of a match in which its line, and the one before, may hold a comment."""


def placeholder(match: Match, chunk: Chunk) -> str | None:
    """Documentation marks its values: EXAMPLE at the end, or one character again and again."""
    secret = match.secret
    if secret.endswith((b"EXAMPLE", b"EXAMPLEKEY")):
        return "is a documentation example"
    if len(secret) >= 12 and len(set(secret)) <= 4:
        return "repeats a few characters, as a placeholder does"
    if match.rule.guessable and _DUMMY.match(secret):
        return "is a word that stands for a password"
    return None


def allowed(match: Match, chunk: Chunk) -> str | None:
    """A comment `keyleash:allow`, alone or with rule ids, on the line of the match or the one before.

    >>> _ALLOW.search(b"x = 1  # keyleash:allow aws-session-token, expired in 2019")["ids"]
    b' aws-session-token,'
    """
    data, start = chunk.data, match.start
    low = max(0, start - _LINE)
    line = data.rfind(b"\n", low, start)
    before = data.rfind(b"\n", low, line) + 1 if line > 0 else low
    end = data.find(b"\n", match.end, match.end + _LINE)
    around = data[max(before, low) : start] + data[match.end : end if end >= 0 else match.end + _LINE]
    for comment in _ALLOW.finditer(around):
        ids = comment["ids"].replace(b",", b" ").split()
        if not ids or match.rule.id.encode() in ids:
            return "is allowed by a comment"
    return None


FILTERS: tuple[Callable[[Match, Chunk], str | None], ...] = (placeholder, allowed)


def reason_to_drop(match: Match, chunk: Chunk) -> str | None:
    """Return the first filter's reason, or None for a match that stands."""
    for check in FILTERS:
        found = check(match, chunk)
        if found:
            return found
    return None
