"""Several repositories in one scan: each under its own configuration, and shown under its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Repo, Secrets, keyleash


@pytest.fixture
def two(tmp_path: Path, secrets: Secrets) -> tuple[Repo, Repo]:
    """Two repositories: one key is in both, and another in the second alone."""
    first, second = Repo(tmp_path / "first"), Repo(tmp_path / "more" / "second")
    shared = secrets.aws_file()
    first.commit("keys/k.txt", shared)
    second.commit("k.txt", shared)
    second.commit("own.pem", secrets.pem())
    return first, second


def scanned(*arguments: str | Path, cwd: Path) -> tuple[int, dict[str, Any]]:
    result = keyleash("scan", "-f", "json", *arguments, cwd=cwd)
    assert result.stdout, result.stderr
    return result.returncode, json.loads(result.stdout)


def paths(report: dict[str, Any], rule: str) -> set[str]:
    return {where["path"] for finding in report["findings"] if finding["rule"] == rule for where in finding["locations"]}


def test_paths_stand_behind_the_name_of_their_repository(two: tuple[Repo, Repo], tmp_path: Path) -> None:
    code, report = scanned("first", "more/second/", cwd=tmp_path)
    assert code == 1
    assert paths(report, "aws-access-key-id") == {"first/keys/k.txt", "more/second/k.txt"}
    assert paths(report, "private-key") == {"more/second/own.pem"}
    assert [finding["rule"] for finding in report["findings"]].count("aws-access-key-id") == 1
    names = {where["repository"] for finding in report["findings"] for where in finding["locations"]}
    assert names == {"first", "more/second/"}
    assert report["coverage"]["commits"] == 3
    for name in ("text", "sarif", "github"):
        assert "more/second/own.pem" in keyleash("scan", "-f", name, "first", "more/second", cwd=tmp_path).stdout


def test_one_repository_is_shown_as_ever(two: tuple[Repo, Repo], tmp_path: Path) -> None:
    _, report = scanned("first", cwd=tmp_path)
    assert paths(report, "aws-access-key-id") == {"keys/k.txt"}
    assert all("repository" not in where for finding in report["findings"] for where in finding["locations"])


def test_each_has_its_own_configuration(two: tuple[Repo, Repo], tmp_path: Path) -> None:
    """That of the first counted for all."""
    first, second = two
    first.write(".keyleash.yaml", "rules:\n  disable: [private-key]\npaths:\n  exclude: [keys/]\n")
    code, report = scanned("first", "more/second", cwd=tmp_path)
    assert code == 1
    assert paths(report, "aws-access-key-id") == {"more/second/k.txt"}
    assert paths(report, "private-key") == {"more/second/own.pem"}
    second.write(".keyleash.yaml", "rules:\n  disable: [private-key]\npaths:\n  exclude: [k.txt]\n")
    code, report = scanned("first", "more/second", cwd=tmp_path)
    assert (code, report["findings"]) == (0, [])
    assert any(note.startswith("more/second: ") for note in report["coverage"]["notes"])


def test_a_message_and_what_is_skipped_name_their_repository(two: tuple[Repo, Repo], tmp_path: Path, secrets: Secrets) -> None:
    first, _ = two
    first.commit("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(100), message=f"with {secrets.aws_id()}")
    said = keyleash("scan", "first", "more/second", cwd=tmp_path).stdout
    assert "first: commit message of " in said
    assert "Skipped: first: a.7z" in said


def test_files_of_one_repository_are_scanned_together_as_named(two: tuple[Repo, Repo], tmp_path: Path) -> None:
    first, _ = two
    first.write("other.txt", "x\n")
    first.write(".keyleash.yaml", "paths:\n  exclude: [keys/k.txt]\n")
    code, report = scanned("keys/k.txt", "other.txt", cwd=first.path)
    assert (code, report["coverage"]["files"]) == (0, 2)
    code, report = scanned("first/other.txt", "more/second", cwd=tmp_path)
    assert paths(report, "private-key") == {"more/second/own.pem"}
    assert report["coverage"]["files"] == 3


def test_one_that_is_incomplete_makes_the_whole_so(two: tuple[Repo, Repo], tmp_path: Path) -> None:
    Repo(tmp_path / "empty")
    clean = Repo(tmp_path / "clean")
    clean.commit("a.txt", "x\n")
    result = keyleash("scan", "clean", "empty", cwd=tmp_path)
    assert (result.returncode, "has no commit yet" in result.stdout) == (2, True)
    assert keyleash("scan", "clean", "first", cwd=tmp_path).returncode == 1
