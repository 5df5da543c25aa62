"""The hook under the real pre-commit, in a team's repository, and what it imports."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, SLOW, Repo, Secrets, Team, imported_by_hook, keyleash


def test_the_three_files_of_a_team_are_refused(team: Team, secrets: Secrets) -> None:
    files = {"TEAM.txt": secrets.mail(), "TEAM_key.txt": secrets.aws_file(), "TEAM.pem": secrets.pem("sec1")}
    for name, content in files.items():
        team.stage(name, content)
    result = team.try_commit()
    assert result.returncode == 1
    said = result.stdout + result.stderr
    assert "keyleash stopped this commit: it holds 4 credentials." in said
    for place in ("TEAM.txt:5:11", "TEAM_key.txt:2:21", "TEAM_key.txt:3:25", "TEAM.pem:1:1"):
        assert place in said
    assert "Take it out of the commit:  git rm --cached TEAM.pem TEAM.txt TEAM_key.txt" in said
    assert "aws iam update-access-key" in said
    secret = re.search(r"secret_access_key = (\S+)", files["TEAM_key.txt"])
    assert secret
    assert secret[1] not in said
    assert team.git("log", "--oneline", check=False) == ""

    for name in files:
        team.git("rm", "-q", "--cached", name)
        (team.path / name).unlink()
    team.stage("README", "hello\n")
    clean = team.try_commit()
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert len(team.git("log", "--oneline").splitlines()) == 1


def test_each_file_alone_is_refused(team: Team, secrets: Secrets) -> None:
    for name, content in {"a.txt": secrets.mail(), "b.txt": secrets.aws_file(), "c.pem": secrets.pem("openssh")}.items():
        team.stage(name, content)
        assert team.try_commit().returncode == 1, name
        team.git("rm", "-q", "--cached", name)
        (team.path / name).unlink()
    team.stage("odd name's.txt", secrets.aws_file())
    assert team.try_commit().returncode == 1


def test_all_files_are_scanned_as_they_are(team: Team, secrets: Secrets) -> None:
    team.git("commit", "-q", "--no-verify", "-m", "begin")
    clean = team.pre_commit("run", "--all-files", "--verbose")
    assert clean.returncode == 0, clean.stdout
    assert "No credential found in 1 file" in clean.stdout
    team.commit("k.txt", secrets.aws_file())
    result = team.pre_commit("run", "--all-files")
    assert result.returncode == 1
    assert "k.txt:3:25" in result.stdout


def test_a_range_is_scanned(team: Team, secrets: Secrets) -> None:
    team.git("commit", "-q", "--no-verify", "-m", "begin")
    team.commit("k.txt", secrets.aws_file())
    team.commit("k.txt", "gone\n")
    result = team.pre_commit("run", "--from-ref", "HEAD~2", "--to-ref", "HEAD")
    assert result.returncode == 1
    assert "k.txt:3:25" in result.stdout


def test_an_allowed_line_passes(team: Team, secrets: Secrets) -> None:
    line = f'key = "{secrets.aws_id()}"'
    team.stage("k.py", f"{line}  # keyleash:allow private-key\n")
    assert team.try_commit().returncode == 1
    team.stage("k.py", f"{line}  # keyleash:allow aws-access-key-id, revoked in 2019\n")
    result = team.try_commit()
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_hook_of_git_itself(repo: Repo, secrets: Secrets) -> None:
    hook = repo.path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nPYTHONPATH='{ROOT}' exec '{sys.executable}' -m scanner hook\n")
    hook.chmod(0o755)
    repo.write("k.txt", secrets.aws_file())
    repo.git("add", "k.txt")
    refused = subprocess.run(["git", "commit", "-qm", "x"], cwd=repo.path, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "k.txt:3:25" in refused.stderr
    repo.git("reset", "-q", "--", "k.txt", check=False)
    repo.git("rm", "-q", "--cached", "--ignore-unmatch", "k.txt")
    repo.write("a.txt", "x")
    repo.git("add", "a.txt")
    repo.git("commit", "-q", "-m", "clean")
    # `git commit PATH` makes an index of its own, which git names in the environment.
    repo.write("a.txt", secrets.pem())
    partial = subprocess.run(["git", "commit", "-qm", "x", "a.txt"], cwd=repo.path, capture_output=True, text=True, check=False)
    assert partial.returncode == 1
    assert "a.txt:1:1" in partial.stderr


def test_deletions_alone_pass(repo: Repo, secrets: Secrets) -> None:
    repo.commit("k.txt", secrets.aws_file())
    repo.git("rm", "-q", "k.txt")
    assert keyleash("hook", cwd=repo.path).returncode == 0


def test_outside_a_repository_the_hook_says_so(tmp_path: Path) -> None:
    result = keyleash("hook", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("keyleash: the hook runs inside a git repository; here is none")


def test_what_is_slow_to_import_is_not_on_the_hooks_path(repo: Repo) -> None:
    assert keyleash("rules", "list").returncode == 0  # the rules are in the cache now, as after the first commit
    repo.stage("a.txt", "clean\n")
    modules = imported_by_hook(repo)
    assert "hyperscan" in modules
    assert not SLOW & modules
