"""The page on moving over, done: what it says is run, on real files of the other scanners."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from scanner import baseline, config
from scanner.baseline import file as files
from scanner.baseline.imports import Foreign, read
from scanner.cli import parser
from scanner.errors import BaselineError
from scanner.examples import expand
from scanner.filters import COMMENTS
from tests.conftest import ROOT, Repo, Secrets, keyleash

PAGE = (ROOT / "docs" / "migrate.md").read_text()
SECTIONS = dict(re.findall(r"(?ms)^## From (\S+)\n(.*?)(?=^## |\Z)", PAGE))


def block(section: str, language: str, holding: str) -> str:
    """The code block of a section of the page that holds a text."""
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], re.S)
    return next(text for text in blocks if holding in text)


def badge(digits: str = "") -> str:
    return expand("ACME-" + digits + "{{digits:" + str(12 - len(digits)) + "}}")


def found(repo: Repo, *options: str) -> set[str]:
    """The paths that a scan reports."""
    report = json.loads(keyleash("scan", "--no-history", "-f", "json", *options, cwd=repo.path).stdout)
    return {where["path"] for finding in report["findings"] for where in finding["locations"]}


def entries(repo: Repo) -> dict[str, str]:
    """By fingerprint the reasons of what is accepted."""
    kept = files.parse((repo.path / baseline.NAME).read_bytes(), baseline.NAME)
    return {id: entry.reason for id, entry in kept.entries.items()}


def test_every_command_on_the_page_is_one() -> None:
    for command in re.findall(r"`?(keyleash (?:scan|hook|baseline|rules)[^`#\n|]*)", PAGE):
        words = [word for word in command.split()[1:] if word not in ("PATH", "A..B", "FILE")]
        words = [word for word in words if word not in ("--format", "sarif", "--output")]
        if words[-1:] == ["--range"]:
            words.append("A..B")
        if words == ["baseline", "import"]:
            words.append("FILE")
        parser().parse_args(words)
    assert {name for name in COMMENTS if f"comments: [{name}]" in PAGE} == {"gitleaks", "detect-secrets"}


# gitleaks


def by_gitleaks(settings: dict[str, Any], path: str, text: str) -> bool:
    """Whether this configuration of gitleaks would report a file, by its documentation (allow lists on path and secret)."""
    (rule,) = settings["rules"]
    match = re.search(rule["regex"], text)
    allowed = settings["allowlist"]
    if not match or "gitleaks:allow" in text or any(re.search(pattern, path) for pattern in allowed["paths"]):
        return False
    secret = match[rule["secretGroup"]]
    return not any(re.search(pattern, secret) for pattern in allowed["regexes"]) and not any(
        word in secret for word in allowed["stopwords"]
    )


def test_the_configuration_of_gitleaks_and_ours_report_the_same_files(repo: Repo) -> None:
    theirs = tomllib.loads(block("gitleaks", "toml", "useDefault"))
    repo.write(".keyleash.yaml", block("gitleaks", "yaml", "rules:"))
    contents = {
        "a.txt": badge("1"),
        "vendor/a.txt": badge("2"),
        "deep/vendor/b.txt": badge("3"),
        "b.sample": badge("4"),
        "b.samples": badge("5"),
        "zero.txt": badge("000"),
        "later.txt": badge("1000"),
        "stop.txt": badge("1777777"),
        "short.txt": "ACME-12",
        "comment.txt": badge("6") + "  # gitleaks:allow",
    }
    for path, text in contents.items():
        repo.write(path, f"badge {text}\n")
    expected = {path for path, text in contents.items() if by_gitleaks(theirs, path, text)}
    assert found(repo, "--rule", "acme-badge") == expected == {"a.txt", "b.samples", "later.txt"}


def gitleaks_row(path: str, line: int, rule: str, secret: str, commit: str = "") -> dict[str, object]:
    """An entry of a report, in the form that gitleaks' documentation shows."""
    return {
        "RuleID": rule, "Description": rule, "StartLine": line, "EndLine": line, "StartColumn": 1, "EndColumn": 40,
        "Match": f"key = {secret}", "Secret": secret, "File": path, "SymlinkFile": "", "Commit": commit, "Entropy": 3.5,
        "Author": "Ann", "Email": "ann@example.org", "Date": "2026-01-02T03:04:05Z", "Message": "a change", "Tags": [],
        "Fingerprint": f"{commit}:{path}:{rule}:{line}" if commit else f"{path}:{rule}:{line}",
    }  # fmt: skip


def test_what_gitleaks_ignored_is_accepted_as_far_as_it_is_found(repo: Repo, secrets: Secrets) -> None:
    ids = [secrets.aws_id() for _ in range(6)]
    old = repo.commit("old.txt", f"first\nkey = {ids[0]}\n")
    repo.commit("old.txt", f"first\nkey = {ids[1]}\n")
    repo.commit("odd: name.txt", f"key = {ids[2]}\n")
    repo.commit("moved.txt", f"# shifted\n\nkey = {ids[3]}\n")
    repo.commit("two.txt", f"key = {ids[4]} {ids[5]}\n")
    report = [
        gitleaks_row("moved.txt", 1, "aws-access-token", ids[3], "f" * 40),  # the secret is known, whatever the place
        gitleaks_row("two.txt", 1, "aws-access-token", "REDACTED"),
        gitleaks_row("gone.txt", 1, "generic-api-key", "nothing of ours"),
    ]
    (repo.path / "gitleaks-report.json").write_text(json.dumps(report))
    (repo.path / ".gitleaksignore").write_text(
        f"# ours\n{old}:old.txt:aws-access-token:2\nodd: name.txt:aws-access-token:1\n\n"
        f"{'e' * 40}:old.txt:aws-access-token:2\n{old}:old.txt:aws-access-token:1\n"
    )
    command = re.search(r"^keyleash (baseline import .*)$", SECTIONS["gitleaks"], re.M)
    assert command
    result = keyleash(*command[1].split(), cwd=repo.path)
    assert result.returncode == 0, result.stderr
    said = [line for line in result.stdout.splitlines() if line.startswith("Not imported: ")]
    assert said == [
        f"Not imported: old.txt:2 (aws-access-token) in commit {'e' * 12}: "
        "this repository has no such commit, or no such file in it",
        f"Not imported: old.txt:1 (aws-access-token) in commit {old[:12]}: keyleash finds nothing there, "
        "so there is nothing to accept",
        "Not imported: two.txt:1 (aws-access-token): several credentials stand there "
        "(aws-access-key-id, aws-access-key-id); decide with 'keyleash baseline audit'",
        "Not imported: gone.txt:1 (generic-api-key): keyleash finds nothing there, so there is nothing to accept",
    ]
    assert f"{baseline.NAME}: 7 entries read, 4 of them not imported; 3 credentials newly accepted." in result.stdout
    assert not any(id in result.stdout for id in ids)
    reasons = ["imported from .gitleaksignore"] * 2 + ["imported from gitleaks-report.json"]
    assert sorted(entries(repo).values()) == reasons
    left = json.loads(keyleash("scan", "-f", "json", "--show-secrets", cwd=repo.path).stdout)
    assert sorted(finding["secret"] for finding in left["findings"]) == sorted([ids[1], ids[4], ids[5]])
    again = keyleash(*command[1].split(), "--reason", "again", cwd=repo.path)
    assert "0 credentials newly accepted" in again.stdout


# detect-secrets


def detect_secrets(repo: Repo) -> Any:
    """What the real scanner makes of a repository, its baseline; it asks no service whether a secret is valid."""
    command = [sys.executable, "-m", "detect_secrets", "scan", "--no-verify"]
    return json.loads(subprocess.run(command, cwd=repo.path, capture_output=True, text=True, check=True).stdout)


def test_a_baseline_of_detect_secrets_comes_along(repo: Repo, secrets: Secrets) -> None:
    repo.commit("keys.py", f'first = "{secrets.aws_id()}"\nsecond = "{secrets.aws_id()}"\nthird = "{secrets.aws_id()}"\n')
    repo.commit("key.pem", secrets.pem())
    repo.commit("hash.txt", f'checksum = "{hashlib.sha1(b"some file").hexdigest()}"\n')
    theirs = detect_secrets(repo)
    assert {path: len(rows) for path, rows in theirs["results"].items()} == {"keys.py": 3, "key.pem": 1, "hash.txt": 1}
    first, second, _ = theirs["results"]["keys.py"]
    first["is_secret"], second["is_secret"] = False, True
    (repo.path / ".secrets.baseline").write_text(json.dumps(theirs, indent=2))
    repo.commit("keys.py", "# shifted\n\n" + (repo.path / "keys.py").read_text())
    command = re.search(r"^keyleash (baseline import .*)$", SECTIONS["detect-secrets"], re.M)
    assert command
    result = keyleash(*command[1].split(), cwd=repo.path)
    assert result.returncode == 0, result.stderr
    assert "Not imported: keys.py:2 (AWS Access Key): was called a real secret there, so it is not accepted" in result.stdout
    assert "Not imported: hash.txt:1 (Hex High Entropy String): keyleash finds nothing there" in result.stdout
    assert "5 entries read, 2 of them not imported; 3 credentials newly accepted." in result.stdout
    assert sorted(entries(repo).values()) == [
        "audited as no secret, imported from .secrets.baseline",
        *["imported from .secrets.baseline"] * 2,
    ]
    report = json.loads(keyleash("scan", "-f", "json", cwd=repo.path).stdout)
    assert [finding["locations"][0]["line"] for finding in report["findings"]] == [4]


def test_the_pragmas_of_detect_secrets_count_here_as_there(repo: Repo, secrets: Secrets) -> None:
    repo.write("a.py", f'a = "{secrets.aws_id()}"  # pragma: allowlist secret\n')
    repo.write("b.py", f'# pragma: allowlist nextline secret\na = "{secrets.aws_id()}"\n')
    repo.write("c.py", f'a = "{secrets.aws_id()}"\n')
    repo.git("add", "-A")
    theirs = detect_secrets(repo)
    repo.write(".keyleash.yaml", "comments: [detect-secrets]\n")
    assert found(repo) == set(theirs["results"]) == {"c.py"}


# git-secrets


def test_the_patterns_of_git_secrets_become_rules_for_everyone(repo: Repo) -> None:
    said = re.search(r"print `(.*?)`, `(.*?)` and `(.*?)`", SECTIONS["git-secrets"])
    assert said
    repo.git("config", "--add", "secrets.patterns", said[1])  # what 'git secrets --add' does
    repo.git("config", "--add", "secrets.allowed", said[2])
    repo.write(".gitallowed", said[3] + "\n")
    shown = [
        subprocess.run(line.split(), cwd=repo.path, capture_output=True, text=True, check=True).stdout.strip()
        for line in block("git-secrets", "sh", "--get-all").splitlines()
    ]
    assert shown == [said[1], said[2], said[3]]
    text = block("git-secrets", "yaml", "rules:")
    rule = yaml.safe_load(text)["rules"]["own"][0]
    assert rule["pattern"] == shown[0]
    contents = {
        "a.txt": badge("1"),
        "zero.txt": "ACME-" + "0" * 12,
        "docs/a.txt": f"a sample badge: {badge('2')}",
        "docs/b.txt": f"a badge: {badge('3')}",
    }
    repo.write(".keyleash.yaml", text)
    for path, content in contents.items():
        repo.write(path, content + "\n")
    allowed = re.compile("|".join(shown[1:]))
    theirs = {
        path for path, content in contents.items() if re.search(shown[0], content) and not allowed.search(f"{path}:1:{content}")
    }
    assert found(repo, "--rule", "acme-badge") == theirs == {"a.txt", "docs/b.txt"}
    for line in block("git-secrets", "sh", "remove-section").splitlines():
        subprocess.run(line.split(), cwd=repo.path, check=True)
    assert repo.git("config", "--get-all", "secrets.patterns", check=False) == ""


# Reading


def test_the_examples_of_the_page_are_configurations(repo: Repo) -> None:
    for section in ("gitleaks", "git-secrets"):
        repo.write(".keyleash.yaml", block(section, "yaml", "rules:"))
        assert [rule.id for rule in config.load(None, str(repo.path)).own] == ["acme-badge"]


def test_windows_paths_and_strange_values_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(json.dumps([{"RuleID": "r", "File": "a\\b.txt", "StartLine": 3}]))
    assert read(str(file)) == [Foreign("r", "a/b.txt", 3, 3)]
    file.write_text("")
    assert read(str(file)) == []
    file.write_text("[" * 100_000)
    with pytest.raises(BaselineError, match="is no report of gitleaks"):
        read(str(file))
    assert "secret" not in repr(Foreign("r", "a", 1, 1, secret="sec" + "ret"))
