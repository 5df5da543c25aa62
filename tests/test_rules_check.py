"""`keyleash rules check` on a team's own rules, and the page that `keyleash rules docs` makes of the built-in ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scanner import cache
from scanner.commands.rules_check import costs, overlaps
from scanner.commands.rules_docs import page
from scanner.model import RuleSet
from scanner.rules import load, ruleset_of
from tests.conftest import ROOT, keyleash
from tests.test_rules import GOOD


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    file = tmp_path_factory.mktemp("own") / "own.yaml"
    file.write_text(GOOD)
    return load([str(file)])


def test_the_page_of_all_rules_is_up_to_date(rules: RuleSet) -> None:
    assert (ROOT / "docs" / "rules.md").read_text() == page(rules) + "\n", "run: keyleash rules docs > docs/rules.md"


def test_the_page_says_all_of_every_rule(rules: RuleSet) -> None:
    text = page(rules)
    for rule in rules.rules:
        part = text.partition(f"\n### {rule.id}\n")[2].partition("\n### ")[0]
        assert f"severity {rule.severity}".lower() in part.lower()
        assert (rule.pattern or rule.anchors[0]) in part
        assert rule.examples[0].rstrip() in part
        assert all(f"<{address}>" in part for address in rule.references)


def test_a_fence_is_longer_than_those_in_an_example(own: RuleSet) -> None:
    (rule,) = own.rules
    text = page(ruleset_of([rule._replace(examples=("````\nkey\n````",), why="It is <b>, *not* `<c>`.")]))
    assert "\n`````\n````\nkey\n````\n`````\n" in text
    assert r"It is \<b\>, \*not\* `<c>`." in text


def test_an_example_that_a_built_in_rule_finds_is_named(rules: RuleSet, own: RuleSet) -> None:
    (mail,) = (rule for rule in rules.rules if rule.id == "sendgrid-api-key")
    (rule,) = own.rules
    twin = rule._replace(id="acme-mail", pattern=mail.pattern, anchors=mail.anchors, width=mail.width, reach=mail.reach,
                         confirm=mail.confirm, examples=(rule.examples[0], mail.examples[0]))  # fmt: skip
    assert list(overlaps(ruleset_of([twin]), rules)) == [
        "own.yaml: rule 'acme-mail': example 2 is also found by the built-in rule 'sendgrid-api-key' (confidence high)"
    ]
    assert list(overlaps(ruleset_of([twin._replace(id="sendgrid-api-key")]), rules)) == []  # it takes that one's place


def test_what_a_rule_costs_is_measured_and_nothing_of_it_kept(rules: RuleSet, own: RuleSet) -> None:
    before = set(os.listdir(cache.folder()))
    alone, together, *_ = costs(own, rules)  # on a busy machine some advice may follow
    assert alone.startswith("own.yaml: rule 'acme-badge': ")
    assert alone.endswith(" 0 anchors a MB")
    assert together.startswith("With these rules the engine takes ")
    assert set(os.listdir(cache.folder())) == before


def test_a_costly_rule_is_told_how_to_mend(rules: RuleSet, own: RuleSet) -> None:
    (rule,) = own.rules
    pattern = "[a-z0-9_ ]{20}(?P<secret>[a-z0-9 ]{12})"
    costly = rule._replace(pattern=pattern, anchors=(pattern,), width=32, reach=32)
    *_, advice = costs(ruleset_of([costly]), rules)
    assert advice.startswith("That is much: ")


def test_the_command_says_all_of_it_and_a_wrong_rule_ends_it(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(GOOD)
    result = keyleash("rules", "check", file)
    assert result.returncode == 0
    assert (
        result.stdout.splitlines()[0]
        == "1 rule is right: every example is found and every negative is not, on hyperscan and regex."
    )
    assert "With these rules the engine takes" in result.stdout
    file.write_text(GOOD.replace("negatives: ['ACME-12']", "negatives: ['ACME-839502716402']"))
    result = keyleash("rules", "check", file)
    assert result.returncode == 2
    assert "negative 1 is found by the hyperscan engine" in result.stdout
    assert "engine takes" not in result.stdout
