"""Tokens behind escapes: an exported conversation, an address within an address, the log of a build."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner.engine import ENGINES, open_engine
from scanner.examples import placed
from scanner.model import Blob, Origin, Rule, RuleSet
from scanner.pipeline import matches
from scanner.rules import load
from tests.conftest import Find
from tests.test_rules import GOOD

BEFORE = (
    b'{"text": "the key:\\n', b"a\\t", b"?next=a%3Ftoken%3D", b"https%3A%2F%2F", b"=\\u003d", b"\\x3d",
    b"\x1b[32m", b"\\033[1;33m", b"\x1b[38;5;123m", b"\x1b[m", b"\x1b[01;31m\x1b[K", b"a%253D", b"a=3D", b"x#012", b"x\\012",
)  # fmt: skip
BEGINNINGS = ("(?<![A-Za-z0-9_])", "(?<![A-Za-z0-9_-])")


def secrets(find: Find, rule: Rule, text: bytes) -> list[bytes]:
    return [match.secret for match in find(text) if match.rule.id == rule.id]


def of_their_own(rules: RuleSet) -> list[Rule]:
    """Rules whose pattern is all that they ask for, and begins where a token does."""
    return [rule for rule in rules.rules if rule.pattern.startswith(BEGINNINGS) and rule.anchors[0] in rule.pattern]


def test_there_are_many_rules_to_try(rules: RuleSet) -> None:
    assert len(of_their_own(rules)) > 150


@pytest.mark.parametrize("before", BEFORE)
def test_a_token_is_found_behind_an_escape(before: bytes, rules: RuleSet, find: Find) -> None:
    missed = []
    for rule in of_their_own(rules):
        secret, *_ = secrets(find, rule, placed(rule.examples[0])[1].encode())
        if secret not in secrets(find, rule, before + secret + b'" \n'):
            missed.append(rule.id)
    assert missed == []


def test_a_token_is_not_read_out_of_the_middle_of_a_word(rules: RuleSet, find: Find) -> None:
    rule = next(rule for rule in rules.rules if rule.id == "github-personal-access-token")
    secret, *_ = secrets(find, rule, placed(rule.examples[0])[1].encode())
    assert [secrets(find, rule, before + secret) for before in (b"x", b"%4", b"\\x4", b"n", b"32m")] == [[]] * 5


def test_a_token_behind_a_name_may_follow_an_escape_too(rules: RuleSet, find: Find) -> None:
    rule = next(rule for rule in rules.rules if rule.id == "deepseek-api-key")
    secret, *_ = secrets(find, rule, placed(rule.examples[0])[1].encode())
    assert secrets(find, rule, b'"text": "the deepseek key:\\n' + secret + b'"') == [secret]


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_anchors_of_ones_own_begin_behind_an_escape_on_each_engine(tmp_path: Path, name: str) -> None:
    """The engines took an anchor's lookbehind differently: only that of a pattern without anchors was left out for them."""
    file = tmp_path / "own.yaml"
    pattern = "(?<![A-Za-z])ACME-[0-9]{12}"
    file.write_text(GOOD.replace("pattern: 'ACME-(?P<secret>[0-9]{12})'", f"anchors: ['{pattern}']\n  pattern: '{pattern}'"))
    rules = load([str(file)])
    assert rules.rules[0].anchors == ("ACME-[0-9]{12}",)
    blob = Blob(b"the badge:\\nACME-" + b"482913750264", Origin("conversation.json"))
    assert len(list(matches(blob, open_engine(rules, name), rules))) == 1
