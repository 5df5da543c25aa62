"""`keyleash scan --explain`: every place that a rule looks at is told, with the reason of whoever decided."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from scanner import trace
from scanner.engine import Engine, open_engine
from scanner.examples import expand, placed
from scanner.explain import DROPPED, FOUND, NOTHING, Explanation, Verdict
from scanner.filters import fits
from scanner.group import location
from scanner.model import Blob, Origin, Rule, RuleSet, Skipped
from scanner.pipeline import matches
from scanner.rules import load_builtin, ruleset_of
from tests.conftest import ROOT, Repo, Secrets, keyleash


def explained(text: str | bytes, engine: Engine, rules: RuleSet) -> list[Verdict]:
    blob = Blob(text.encode() if isinstance(text, str) else text, Origin("test", "a.txt"))
    verdicts: list[Verdict] = []
    explanation = Explanation(verdicts.append)
    with trace.listening(explanation):
        found = [result for result in matches(blob, engine, rules) if not isinstance(result, Skipped)]
    explanation.finish()
    told = {(verdict.where, verdict.rule.id) for verdict in verdicts if verdict.outcome == FOUND}
    fitting = [(match, chunk) for match, chunk in found if fits(match.rule, "a.txt", chunk.way)]
    assert told == {(location(match, chunk, blob), match.rule.id) for match, chunk in fitting}
    return verdicts


def reasons(text: str | bytes, rule: str) -> list[tuple[str, str]]:
    rules = load_builtin()
    return [(one.outcome, one.reason) for one in explained(text, open_engine(rules), rules) if one.rule.id == rule]


def test_a_token_with_a_wrong_checksum_is_told_from_a_right_one() -> None:
    token = expand(next(rule for rule in load_builtin().rules if rule.id == "github-app-installation-token").examples[0])
    wrong = token[:-1] + ("b" if token[-1] == "a" else "a")
    (right,) = reasons(token, "github-app-installation-token")
    assert right[0] == FOUND
    assert "its checksum is right" in right[1]
    assert reasons(wrong, "github-app-installation-token") == [(DROPPED, "its checksum (CRC-32, base 62) is wrong")]


DROPS = {
    "a documentation example": ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY",
                                "aws-secret-access-key", "is a documentation example"),
    "an id that is made up": ("id = AKIA" + "IOSFODNN7EXAMPLE", "aws-access-key-id", "is made up"),
    "a digest": ("aws_secret = {{hex:40}}", "aws-secret-access-key", "does not look random"),
    "a secret of somebody else": ("x_secret = {{secret:40}}", "aws-secret-access-key", "neither an access key id nor a name"),
    "an allowed key": ("k = SG.{{urlsafe:22}}.{{urlsafe:43}}  # keyleash:allow", "sendgrid-api-key", "is allowed by a comment"),
    "a broken key": ("-----BEGIN PRIVATE KEY-----\nMIIEabcd\n-----END PRIVATE KEY-----", "private-key", "cannot be read"),
    "a word for a password": ("Password: changeme\nhttps://{{digits:12}}.signin.aws.amazon.com/console\n",
                              "aws-console-password", "is no password"),
    "a broken macaroon": ("t = pypi-AgEIcHlwaS5vcmc{{urlsafe:150}}", "pypi-api-token", "it is no macaroon"),
}  # fmt: skip


@pytest.mark.parametrize("name", DROPS)
def test_what_is_dropped_says_why(name: str) -> None:
    text, rule, reason = DROPS[name]
    said = reasons(expand(text, 7), rule)
    assert said
    assert {outcome for outcome, _ in said} == {DROPPED}
    assert any(reason in one for _, one in said), said


def test_no_example_and_no_negative_leaves_an_anchor_unexplained(rules: RuleSet) -> None:
    """Wherever the engine names a rule, the rule is told of; and what is found is what a scan finds (`explained`)."""
    engine = open_engine(rules)
    for rule in rules.rules:
        for template in (*rule.examples, *rule.negatives):
            text = placed(template)[1].encode()
            named = {rules.rules[index].id for index, _ in engine.anchors(text) if index < len(rules.rules)}
            assert named <= {verdict.rule.id for verdict in explained(text, engine, rules)}, (rule.id, template)


def wide(pattern: str, anchor: str) -> RuleSet:
    """Return a rule set of one rule, whose anchors say less than its pattern."""
    rule: Rule = (
        load_builtin()
        .rules[0]
        ._replace(id="acme-badge", confirm="pattern", pattern=pattern, anchors=(anchor,), width=8, reach=16, entropy=0)
    )
    return ruleset_of([rule])


def test_an_anchor_of_which_nothing_came_is_told_where_it_begins(engine: Engine) -> None:
    rules = wide("ACME-(?P<secret>[0-9]{8})", "ACME-")
    name = engine.name.partition(" ")[0]
    (verdict,) = explained("one\ntwo ACME-none", open_engine(rules, name), rules)
    assert (verdict.outcome, verdict.reason, verdict.redacted) == (NOTHING, "its pattern does not match at this anchor", "")
    assert (verdict.where.line, verdict.where.column) == (2, 5)


def test_a_text_full_of_anchors_is_told_in_few_lines() -> None:
    rules = wide("ACME-(?P<secret>[0-9]{8})", "ACME-")
    verdicts = explained(b"ACME-none\n" * 50_000, open_engine(rules), rules)
    assert len(verdicts) == 101
    assert verdicts[-1].reason == "nothing came of 49900 more anchors"
    low = ruleset_of([rules.rules[0]._replace(entropy=9.0)])
    verdicts = explained(b"ACME-12345678\n" * 5_000, open_engine(low), low)
    assert verdicts[-1].reason == "4000 more places were dropped"
    assert len(verdicts) == 1001


def test_nobody_is_told_when_it_is_over(rules: RuleSet) -> None:
    verdicts: list[Verdict] = []
    explanation = Explanation(verdicts.append)
    with pytest.raises(KeyError), trace.listening(explanation):
        raise KeyError
    list(matches(Blob(b"AKIA" + b"IOSFODNN7EXAMPLE", Origin("test")), open_engine(rules), rules))
    explanation.finish()
    assert verdicts == []


def test_the_command_explains_before_the_report_and_shows_no_secret(repo: Repo, secrets: Secrets) -> None:
    key, secret = secrets.aws_id(), secrets.aws_secret()
    repo.write("one.py", f"key = '{key}'\nsecret = '{secret}'\n")
    repo.write("two.py", "key = 'AKIA" + "IOSFODNN7EXAMPLE'\n")
    result = keyleash("scan", "--explain", "one.py", "two.py", cwd=repo.path)
    assert result.returncode == 1
    assert key not in result.stdout
    assert secret not in result.stdout
    told, _, report = result.stdout.partition("\n\n")
    assert f"one.py:1:8: aws-access-key-id AKIA…{key[-4:]}: found: confidence high, severity high: has the form" in told
    assert "two.py:1:8: aws-access-key-id AKIA…MPLE: dropped: is made up" in told
    assert " 2 places found, " in told
    assert report.startswith("one.py:")
    nothing = keyleash("scan", "--explain", "--stdin", stdin=b"nothing\n", cwd=repo.path)
    assert nothing.returncode == 0
    assert nothing.stdout.startswith("No rule has an anchor in it.\n")


def test_a_repository_is_explained_by_its_files(repo: Repo, secrets: Secrets) -> None:
    repo.commit("old.env", secrets.aws_file())
    repo.commit("old.env", "nothing\n")
    result = keyleash("scan", "--explain", cwd=repo.path)
    assert result.returncode == 0, result.stdout
    assert "old.env" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--staged"], "it does not go with --staged"),
        (["--since", "2024-01-01"], "it does not go with --since"),
        (["--format", "json"], "give --format json an --output FILE"),
    ],
)
def test_what_cannot_be_explained_is_refused(arguments: list[str], said: str, repo: Repo) -> None:
    result = keyleash("scan", "--explain", *arguments, cwd=repo.path)
    assert result.returncode == 2
    assert result.stderr.startswith("keyleash: --explain ")
    assert said in result.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_an_explanation_that_cannot_be_written_is_no_bug(repo: Repo) -> None:
    repo.write("two.py", "key = 'AKIA" + "IOSFODNN7EXAMPLE'\n")
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-u", "-m", "scanner", "scan", "--explain", "two.py"], cwd=repo.path, stdout=full,
            stderr=subprocess.PIPE, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert result.returncode == 2
    assert "standard output: cannot be written" in result.stderr
