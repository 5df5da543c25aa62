"""The documents say what is true: commands, options, hooks, exit codes, rules."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from scanner.cli import parser
from scanner.rules import load_builtin
from tests.conftest import ROOT, Repo, keyleash

README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    (choices,) = [action.choices for action in parser()._actions if action.dest == "command"]
    assert choices
    return list(choices)


def test_the_readme_names_every_hook() -> None:
    for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text()):
        assert f"id: {hook['id']}" in README


@pytest.mark.parametrize("command", commands())
def test_the_readme_names_every_command(command: str) -> None:
    assert f"keyleash {command}" in README


def test_the_options_in_the_readme_exist() -> None:
    helps = "".join(keyleash(command, "--help").stdout for command in commands())
    code = "\n".join(re.findall(r"```(?:sh|yaml)\n(.*?)```", README, re.S)) + " ".join(
        re.findall(r"`(keyleash [^`]*)`", README)
    )
    options = {option for line in code.splitlines() if "keyleash" in line for option in re.findall(r"(?<=\s)--[a-z-]+", line)}
    assert options
    assert {option for option in options if option not in helps} <= {"--all-files", "--depth"}


def test_the_exit_codes_are_those_of_the_help() -> None:
    for code in ("0", "1", "2", "3", "130"):
        assert re.search(rf"^\| {code} \|", README, re.M), code


def test_the_release_in_the_readme_is_this_one() -> None:
    version = keyleash("--version").stdout.split()[1]
    assert f"rev: v{version}" in README
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_rules_are_described_where_they_are(repo: Repo) -> None:
    text = (ROOT / "rules" / "README.md").read_text()
    for field in ("id", "name", "pattern", "anchors", "confirm", "confidence", "severity", "why", "fix", "references",
                  "examples", "negatives", "guessable", "entropy"):  # fmt: skip
        assert f"`{field}`" in text
    for rule in load_builtin().rules:
        assert rule.examples
        assert rule.negatives


def test_no_path_of_a_machine_and_no_live_looking_secret_is_committed() -> None:
    result = keyleash("scan", "--no-history", ROOT)
    assert result.returncode == 0, result.stdout
    listing = subprocess.run(
        ["git", "grep", "-nIE", r"/(root|home/[a-z]+)/[a-z.]"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert listing.stdout == ""
