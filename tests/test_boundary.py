"""Tokens behind escapes: an exported conversation, an address within an address, the log of a build."""

from __future__ import annotations

import pytest

from scanner.engine import open_engine
from scanner.examples import placed
from scanner.model import Blob, Origin, Rule, Skipped
from scanner.pipeline import matches
from scanner.rules import load_builtin

BEFORE = (
    b'{"text": "the key:\\n', b"a\\t", b"?next=a%3Ftoken%3D", b"https%3A%2F%2F", b"=\\u003d", b"\\x3d",
    b"\x1b[32m", b"\\033[1;33m",
)  # fmt: skip
BEGINNINGS = ("(?<![A-Za-z0-9_])", "(?<![A-Za-z0-9_-])")
RULES = load_builtin()
ENGINE = open_engine(RULES)


def secrets(rule: Rule, text: bytes) -> list[bytes]:
    results = matches(Blob(text, Origin("conversation.json")), ENGINE, RULES)
    return [one[0].secret for one in results if not isinstance(one, Skipped) and one[0].rule.id == rule.id]


def of_their_own() -> list[Rule]:
    """Rules whose pattern is all that they ask for, and begins where a token does."""
    return [rule for rule in RULES.rules if rule.pattern.startswith(BEGINNINGS) and rule.anchors[0] in rule.pattern]


def test_most_rules_begin_where_a_token_does() -> None:
    assert len(of_their_own()) > 100


@pytest.mark.parametrize("before", BEFORE)
def test_a_token_is_found_behind_an_escape(before: bytes) -> None:
    missed = []
    for rule in of_their_own():
        (secret, *_) = secrets(rule, placed(rule.examples[0])[1].encode()) or [b""]
        if secret and secret not in secrets(rule, before + secret + b'" \n'):
            missed.append(rule.id)
    assert missed == []


def test_a_token_is_not_read_out_of_the_middle_of_a_word() -> None:
    rule = next(rule for rule in RULES.rules if rule.id == "github-personal-access-token")
    (secret, *_) = secrets(rule, placed(rule.examples[0])[1].encode())
    assert [secrets(rule, before + secret) for before in (b"x", b"%4", b"\\x4", b"n", b"32m")] == [[]] * 5
