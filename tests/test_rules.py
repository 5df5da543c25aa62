"""Rule files: what is refused and in which words, and what holds for all built-in rules."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scanner import cache
from scanner.decode.triggers import MARGIN, TRIGGERS
from scanner.edges import edge_bound
from scanner.engine import Engine
from scanner.errors import RuleError
from scanner.examples import expand
from scanner.model import LEVELS, Blob, Origin, RuleSet, Skipped
from scanner.pipeline import matches
from scanner.rules import load, load_builtin, pattern_width

GOOD = """
- id: acme-badge
  name: badge
  pattern: 'ACME-(?P<secret>[0-9]{12})'
  confidence: high
  severity: high
  why: It opens the door.
  fix: Lock it.
  references: [https://example.org/]
  examples: ['ACME-{{digits:12}}']
  negatives: ['ACME-12']
"""

WRONG = {
    "no list": ("id: x\n", "own.yaml: a rule file is a list of rules"),
    "no YAML": ("- id: [\n", "own.yaml:2: not valid YAML"),
    "an unknown field": (GOOD.replace("why:", "wy:"), "field 'wy': is not known (did you mean 'why'?)"),
    "no reason": (GOOD.replace("  why: It opens the door.\n", ""), "own.yaml:2: rule 'acme-badge': field 'why': is missing"),
    "no remedy": (GOOD.replace("  fix: Lock it.\n", ""), "field 'fix': is missing"),
    "no example": (GOOD.replace("examples: ['ACME-{{digits:12}}']", "examples: []"), "field 'examples': is missing"),
    "no negative": (GOOD.replace("negatives: ['ACME-12']", "negatives: []"), "field 'negatives': is missing"),
    "no reference": (GOOD.replace("references: [https://example.org/]", "references: []"), "field 'references': is missing"),
    "a reference that is no https": (GOOD.replace("https://", "http://"), "is not an https address"),
    "a wrong id": (GOOD.replace("id: acme-badge", "id: Acme_Badge"), "field 'id': must be two or more lower-case words"),
    "a wrong severity": (
        GOOD.replace("severity: high", "severity: huge"),
        "'huge' is not one of low, medium",
    ),
    "a wrong confidence": (
        GOOD.replace("confidence: high", "confidence: critical"),
        "'critical' is not one of low",
    ),
    "a broken pattern": (GOOD.replace("{12})", "{12}"), "field 'pattern': is not a pattern on bytes"),
    "an unbounded pattern": (GOOD.replace("{12})", "+)"), "field 'pattern': can match more than 1024 bytes"),
    "a confirmation that is none": (GOOD.replace("  why:", "  confirm: magic\n  why:"), "'magic' is not one of pattern"),
    "no pattern": (GOOD.replace("  pattern: 'ACME-(?P<secret>[0-9]{12})'\n", ""), "field 'pattern': is missing"),
    "rare names alone": (
        GOOD.replace("pattern: 'ACME-(?P<secret>[0-9]{12})'", "confirm: generic\n  rare: [heslo]"),
        "field 'rare': are names beside others: give 'names', too",
    ),
    "a named rule without its value": (
        GOOD.replace("pattern: 'ACME-(?P<secret>[0-9]{12})'", "beside: acme\n  named: key"),
        "field 'value': is missing: 'beside', 'named' and 'value' go together",
    ),
    "a named rule with a pattern": (
        GOOD.replace("  why:", "  beside: acme\n  why:"),
        "field 'pattern': stands beside 'beside'",
    ),
    "a named rule with a wide value": (
        GOOD.replace("pattern: 'ACME-(?P<secret>[0-9]{12})'", "beside: acme\n  named: key\n  value: '[a-z]+'"),
        "field 'value': can match more than 1024 bytes",
    ),
    "forms without their judgement": (
        GOOD.replace("  why:", "  forms: ['(?P<name>door) %word%']\n  why:"),
        "goes with 'confirm: generic'",
    ),
    "a form without its value": (
        GOOD.replace("  why:", "  forms: ['(?P<name>door)']\n  confirm: generic\n  why:"),
        "field 'forms': needs one mark of its value: %quoted%",
    ),
    "a form without its name": (
        GOOD.replace("  why:", "  forms: ['door %word%']\n  confirm: generic\n  why:"),
        "field 'forms': needs a group (?P<name>…)",
    ),
    "twice the same id": (GOOD + GOOD, "the rule 'acme-badge' is also in"),
    "paths that are none": (GOOD.replace("  why:", "  paths: ['!']\n  why:"), "field 'paths': is no list of"),
    "a list where a text is due": (GOOD.replace("fix: Lock it.", "fix: [Lock it.]"), "field 'fix': must be text"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_file_is_refused_by_file_rule_and_field(name: str, tmp_path: Path) -> None:
    text, said = WRONG[name]
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with pytest.raises(RuleError) as problem:
        load([str(file)])
    assert said in str(problem.value)
    assert "own.yaml" in str(problem.value).split(" ")[0]


def test_a_right_rule_file_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(GOOD)
    (rule,) = load([str(file)]).rules
    assert (rule.id, rule.width, rule.reach) == ("acme-badge", 17, 17)


def test_no_anchor_of_ours_slows_the_history_down(rules: RuleSet) -> None:
    """A wide anchor widens every window, and one bound to a text's edges has each text looked at twice more."""
    anchors = [anchor for rule in rules.rules for anchor in rule.anchors] + [trigger.pattern for trigger in TRIGGERS]
    assert [anchor for anchor in anchors if edge_bound(anchor)] == []
    assert max(map(pattern_width, anchors)) <= 256
    assert max(pattern_width(trigger.pattern) for trigger in TRIGGERS) == MARGIN


def test_changed_rules_are_read_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "own.yaml").write_text(GOOD)
    monkeypatch.setattr("scanner.rules.builtin_folder", lambda: str(folder))
    first = load_builtin()
    assert load_builtin() == first
    (folder / "own.yaml").write_text(GOOD.replace("name: badge", "name: door badge"))
    os.utime(folder / "own.yaml", ns=(1, 1))
    assert load_builtin().digest != first.digest


def test_a_damaged_cache_of_rules_is_rebuilt(rules: RuleSet) -> None:
    for name in os.listdir(cache.folder()):
        if name.startswith("rules-"):
            cache.write(name, b'{"state": 1')
    assert load_builtin() == rules


def test_no_example_is_found_by_a_surer_rule_than_its_own(rules: RuleSet, engine: Engine) -> None:
    """Whoever leaks a key reads of its provider, not of another one whose keys look alike."""
    wrong = []
    for rule in rules.rules:
        for template in rule.examples:
            blob = Blob(expand(template).encode(), Origin("example"))
            for found in matches(blob, engine, rules):
                assert not isinstance(found, Skipped)
                if LEVELS.index(found[0].confidence) > LEVELS.index(rule.confidence):
                    wrong.append((rule.id, found[0].rule.id, template))
    assert wrong == []
