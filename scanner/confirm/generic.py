"""Credentials without a form of their own: a value given to a telling name, and judged.

The forms are in `generic_forms`, what is said of a value in `generic_features`, and the weighing in
`generic_model`. What scores below the model's `stop` is reported with low confidence, and a hook lets it pass.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from scanner.confirm import generic_model
from scanner.confirm.generic_forms import Candidate, candidates, starts
from scanner.model import Match, Rule
from scanner.trace import dropped

_STEPS = (95, 90, 80, 70, 60, 50, 40, 30, 25)
_SAID = {
    "url": "between the user name and the host of an address",
    "token": "in place of the user name in an address",
    "dsn": "between the user name and the host of a connection",
    "connection": "among the settings of a connection",
    "header": "in an Authorization header",
    "scheme": "behind the name of an HTTP authentication scheme",
    "flag": "an argument of that name",
    "from": "an argument of that name",
    "short": "an argument that takes a password",
    "user": "an argument that takes a user name and a password",
    "sql": "a statement gives it to a user",
    "call": "an argument behind a user name",
    "typed": "an argument that takes a password",
    "called": "an argument that takes a secret",
    "directive": "a directive that takes a password",
    "noted": "written beside the word that names it",
}


_BEHIND = 4200
"""Bytes behind an anchor that a form and what is read behind it can reach; a test holds it."""

_BEFORE = 256
"""Bytes before an anchor that are read: the left part of a name, and the line in front of it."""

_PIECE = 16 * 1024
_WEIGHED = 4000
"""Candidates that are weighed for a rule in one chunk, or one for each 256 bytes: it takes a fifth of a millisecond."""


def confirm(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield what is given to a name of the rule and scores high enough."""
    left = max(_WEIGHED, len(data) // 256)
    for low, high in _pieces(starts(ends, rule.width)):
        first = max(0, low - _BEFORE)
        for one in _judged(rule, data[first : high + _BEHIND], low - first, high - first):
            if isinstance(one, Match):
                yield one._replace(start=one.start + first, end=one.end + first)
            else:
                dropped(rule, one.start + first, one.end + first, one.reason)
            left -= isinstance(one, Match) or one.weighed
        if left < 0:
            raise TimeoutError("too many candidates")


def _pieces(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Cut long spans, so that a text of nothing but candidates is not judged as one."""
    for low, high in spans:
        for first in range(low, high, _PIECE):
            yield first, min(first + _PIECE, high)


class _Less(NamedTuple):
    """A value that is no credential, why, and whether it took weighing to tell."""

    start: int
    end: int
    reason: str
    weighed: bool


@functools.lru_cache(maxsize=2048)
def _judged(rule: Rule, text: bytes, low: int, high: int) -> tuple[Match | _Less, ...]:
    """Return what begins from `low` to `high`. In a history the same comes again with each version of a file."""
    limits = generic_model.model()
    found: list[Match | _Less] = []
    for one in candidates(rule, text, low, high):
        score = generic_model.score(one)
        if score >= limits.report:
            confidence = rule.confidence if score >= limits.stop else "low"
            evidence = (_SAID.get(one.form) or _named(one), _scored(score))
            found.append(Match(rule, one.start, one.end, one.value, evidence, confidence, rule.severity))
        else:
            less = f"scores {score * 100:.0f} of 100 as a credential, less than {limits.report * 100:.0f}"
            found.append(_Less(one.start, one.end, less, score > 0))
    return tuple(found)


def _named(found: Candidate) -> str:
    name = found.name.rpartition(b"/")[2].strip(b" .$@-\"'").decode("utf-8", "replace")
    return f"given to the name '{name[-40:]}'"


def _scored(score: float) -> str:
    """Say the score in steps, so that the many places of one secret do not each say a number of their own."""
    return f"judged a credential with a score of {next((step for step in _STEPS if score * 100 >= step), 0)} of 100 or more"
