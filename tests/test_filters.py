"""What is dropped after it has matched, and what is not."""

from __future__ import annotations

import pytest

from scanner.filters import reason_to_drop
from scanner.model import Chunk, Match, RuleSet
from tests.conftest import Find, Secrets


def match_of(rules: RuleSet, rule: str, secret: bytes) -> Match:
    (found,) = [one for one in rules.rules if one.id == rule]
    return Match(found, 0, len(secret), secret, (), "high", "high")


@pytest.mark.parametrize(
    "word", ["password", "mypassword", "your_password", "Secret123", "changeme", "super-secret-token", "test_pass1"]
)
def test_a_word_that_stands_for_a_password_is_dropped(rules: RuleSet, word: str) -> None:
    match = match_of(rules, "netrc-password", word.encode())
    assert reason_to_drop(match, Chunk(match.secret, match.secret)) == "is a word that stands for a password"


@pytest.mark.parametrize("word", ["Kq7passwordX!", "tr0ub4dor&3", "correct-horse-battery"])
def test_a_password_with_a_word_in_it_stands(rules: RuleSet, word: str) -> None:
    match = match_of(rules, "netrc-password", word.encode())
    assert reason_to_drop(match, Chunk(match.secret, match.secret)) is None


ALLOWED = {
    "on the line": "key = '<ID>'  # keyleash:allow\n",
    "on the line before": "# keyleash:allow\nkey = '<ID>'\n",
    "with the rule": "key = '<ID>'  # keyleash:allow aws-access-key-id\n",
    "with a reason": "key = '<ID>'  # keyleash:allow aws-access-key-id, revoked in 2019\n",
    "with two rules": "key = '<ID>'  // keyleash:allow private-key, aws-access-key-id\n",
    "before, in XML": "<!-- keyleash:allow -->\n<key><ID></key>\n",
}
NOT_ALLOWED = {
    "another rule": "key = '<ID>'  # keyleash:allow private-key\n",
    "two lines before": "# keyleash:allow\n\nkey = '<ID>'\n",
    "the line behind": "key = '<ID>'\n# keyleash:allow\n",
    "another word": "key = '<ID>'  # keyleash: allow\n",
}


@pytest.mark.parametrize("form", ALLOWED)
def test_a_comment_allows_a_match(form: str, find: Find, secrets: Secrets) -> None:
    assert find(ALLOWED[form].replace("<ID>", secrets.aws_id())) == []


@pytest.mark.parametrize("form", NOT_ALLOWED)
def test_a_comment_allows_no_more_than_it_says(form: str, find: Find, secrets: Secrets) -> None:
    assert len(find(NOT_ALLOWED[form].replace("<ID>", secrets.aws_id()))) == 1
