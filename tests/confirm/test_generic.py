"""Generic secrets: what teams leak is found, what looks alike is not."""

from __future__ import annotations

import base64
import math
import random
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from scanner.confirm import generic, generic_forms, generic_model
from scanner.confirm.generic_features import features
from scanner.confirm.generic_forms import Candidate
from scanner.engine import open_engine
from scanner.model import Blob, Origin, RuleSet
from scanner.pipeline import matches, scan
from scanner.rules import pattern_width
from scanner.sources.tree import Folder
from tests.conftest import Find, Repo, Secrets, keyleash, rule_ids


def value(kind: str, seed: int) -> str:
    """A credential as a person or a program makes it: %p, %h, %x, %t, %b, %n and %a in the texts below."""
    source = random.Random(seed)

    def of(alphabet: str, size: int) -> str:
        return "".join(source.choice(alphabet) for _ in range(size))

    lower, digits = "abcdefghijkmnopqrstuvwxyz", "23456789"
    if kind == "p":
        return of(lower.upper(), 1) + of(lower + digits, 4) + of(digits, 2) + of(lower + lower.upper() + digits, 6)
    if kind == "h":
        word = source.choice(["Falcon", "Thunder", "Orange", "Madrid", "Dragon", "Silver"])
        return word + of(digits, 3) + source.choice("!#@*") + of(lower, 2)
    if kind == "x":
        return of("0123456789abcdef", 40)
    if kind == "t":
        return of(lower + lower.upper() + digits, 40)
    if kind == "b":
        return base64.b64encode(source.randbytes(33)).decode()
    if kind == "n":
        return of("bcdfghjklmnpqrstvwxz", 10)
    return base64.b64encode(f"deploy:{value('p', seed)}".encode()).decode()


HERE = Path(__file__).resolve().parent
LEAKS = (HERE / "generic_leaks.txt").read_text(encoding="utf-8").splitlines()
NEAR = (HERE / "generic_near_misses.txt").read_text(encoding="utf-8").splitlines()


def filled(line: str, seed: int) -> Iterator[tuple[str, str]]:
    """Yield the text and the credential that was put in, for the mark of the line."""
    for kind in "phxtbna":
        if f"%{kind}" in line:
            made = value(kind, seed)
            yield line.replace(f"%{kind}", made).replace("\\n", "\n") + "\n", made


def found_in(text: str, find: Find) -> list[str]:
    return [match.secret.decode() for match in find(text)]


def test_what_teams_leak_is_found(find: Find) -> None:
    missed, tried = [], 0
    for number, line in enumerate(LEAKS):
        for text, made in filled(line, number):
            tried += 1
            if not any(made in secret or secret in made for secret in found_in(text, find)):
                missed.append(line)
    assert tried >= 420
    assert missed == []


def test_near_misses_are_not_found(find: Find) -> None:
    assert len(NEAR) >= 330
    wrong = [line for line in NEAR if found_in(line + "\n", find)]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("aws_access_key_id = {id}\naws_secret_access_key = {secret}\n", {"aws-access-key-id", "aws-secret-access-key"}),
        ("RAILS_MASTER_KEY={hex}\n", {"rails-master-key"}),
        ("postgres://team7:{word}@db.acme.io/shop  # password: {word}\n", {"url-credentials", "generic-password"}),
        ("Server=db.acme.io;User Id=shop;Password={word};", {"connection-string-password"}),
    ],
)
def test_the_more_specific_rule_wins_at_a_place(text: str, expected: set[str], find: Find, secrets: Secrets) -> None:
    filled_in = text.format(id=secrets.aws_id(), secret=secrets.aws_secret(), hex=value("x", 3)[:32], word=value("p", 4))
    found = find(filled_in)
    assert {match.rule.id for match in found} == expected
    spans = sorted((match.start, match.end) for match in found)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_what_a_specific_rule_may_keep_is_not_reported_by_a_generic_one(find: Find, secrets: Secrets) -> None:
    line = f"aws_secret_access_key = {secrets.aws_secret()}"
    assert {match.rule.id for match in find(f"{secrets.aws_id()}\n{line}\n")} == {"aws-access-key-id", "aws-secret-access-key"}
    assert [match.rule.id for match in find(f"{line}  # keyleash:allow aws-secret-access-key\n")] == []


def test_a_secret_joined_from_pieces_is_one_finding(tmp_path: Path, secrets: Secrets) -> None:
    """The joined text is a chunk of its own; what a generic rule sees of the pieces lies at the same place."""
    secret = secrets.aws_secret()
    (tmp_path / "a.py").write_text(f"key = '{secrets.aws_id()}'\nsecret = '{secret[:20]}' + '{secret[20:]}'\n")
    assert rule_ids(scan([Folder(str(tmp_path))])) == ["aws-access-key-id", "aws-secret-access-key"]


def test_a_hook_lets_a_guess_pass_and_says_so(repo: Repo) -> None:
    """A word with digits may be a password; it does not stop a commit, and a scan shows it."""
    repo.stage("settings.py", "password = 's3" + "cr3t'\n")
    shown = keyleash("scan", "--staged", cwd=repo.path)
    assert shown.returncode == 1
    assert "low confidence, generic-password" in shown.stdout
    passed = keyleash("hook", cwd=repo.path)
    assert passed.returncode == 0, passed.stderr
    assert "1 possible generic secret of low confidence was let pass" in passed.stderr
    repo.stage("settings.py", f"password = '{value('p', 5)}'\n")
    assert keyleash("hook", cwd=repo.path).returncode == 1


@pytest.mark.parametrize(
    "text", ["password = '" * 20_000, "a" * 200_000 + "password='Kq7", "token:" + "[" * 100_000, "key=\\" * 50_000]
)
def test_hostile_text_is_bounded(text: str, rules: RuleSet) -> None:
    begun = time.process_time()
    list(matches(Blob(text.encode(), Origin("test")), open_engine(rules), rules))
    assert time.process_time() - begun < 20


def test_no_value_is_shown_by_a_candidate() -> None:
    candidate = Candidate("assign", b"name", b"=", b"", b"", b"the value", b"before", b"after", 3, 9)
    assert repr(candidate) == "Candidate(form='assign', start=3, end=9)"


def test_the_model_names_only_features_that_there_are() -> None:
    numbers = features(Candidate("assign", b"password", b"=", b"", b'"', b"value", b"password = ", b'"', 0, 5))
    assert all(math.isfinite(number) for number in numbers.values())
    nodes = list(generic_model.model().trees)
    used = set()
    while nodes:
        node = nodes.pop()
        if isinstance(node, list):
            used.add(node[0])
            nodes += node[2:]
    assert used <= numbers.keys()
    assert 0 < generic_model.model().report < generic_model.model().stop < 1


def test_what_is_read_around_an_anchor_is_all_that_a_form_can_reach(rules: RuleSet) -> None:
    for rule in rules.rules:
        if rule.confirm == "generic":
            reading = generic_forms._reading(rule)
            for _, pattern in reading.forms:
                assert (
                    generic_forms._HEAD + pattern_width(pattern.pattern.decode("latin-1")) + generic_forms.AFTER
                    <= generic._BEHIND
                )
            assert 2 * generic_forms._HEAD + generic_forms.BEFORE <= generic._BEFORE
