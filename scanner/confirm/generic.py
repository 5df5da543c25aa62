"""Credentials without a form of their own: a value given to a telling name, and judged.

The forms are in `generic_forms`, what is said of a value in `generic_features`, and the weighing in
`generic_model`. What scores below the model's `stop` is reported with low confidence, and a hook lets it pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scanner.confirm import generic_model
from scanner.confirm.generic_forms import Candidate, candidates, starts
from scanner.model import Match, Rule
from scanner.trace import dropped

_STEPS = (95, 90, 80, 70, 60, 50, 40, 30)
_SAID = {
    "url": "between the user name and the host of an address",
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
}


def confirm(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield what is given to a name of the rule and scores high enough."""
    limits = generic_model.model()
    for low, high in starts(ends, rule.width):
        for found in candidates(rule, data, low, high):
            score = generic_model.score(found)
            if score >= limits.report:
                confidence = rule.confidence if score >= limits.stop else "low"
                evidence = (_SAID.get(found.form) or _named(found), _scored(score))
                yield Match(rule, found.start, found.end, found.value, evidence, confidence, rule.severity)
            else:
                less = f"scores {score * 100:.0f} of 100 as a credential, less than {limits.report * 100:.0f}"
                dropped(rule, found.start, found.end, less)


def _named(found: Candidate) -> str:
    name = found.name.rpartition(b"/")[2].strip(b" .$@-\"'").decode("utf-8", "replace")
    return f"given to the name '{name[-40:]}'"


def _scored(score: float) -> str:
    """Say the score in steps, so that the many places of one secret do not each say a number of their own."""
    return f"judged a credential with a score of {next((step for step in _STEPS if score * 100 >= step), 0)} of 100 or more"
