"""What is staged, and what a range brought, in the situations that git puts a repository in."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner import gitcommand
from scanner.model import Report
from scanner.pipeline import scan
from scanner.sources.staged import Range, Staged
from tests.conftest import Repo, Secrets, rule_ids

PAIR = ["aws-access-key-id", "aws-secret-access-key"]


def staged(repo: Repo) -> Report:
    repository = gitcommand.find(str(repo.path))
    assert repository
    return scan([Staged(repository)])


def ranged(repo: Repo, old: str, new: str = "HEAD") -> Report:
    repository = gitcommand.find(str(repo.path))
    assert repository
    return scan([Range(repository, repository.resolve(old), repository.resolve(new))])


def test_the_first_commit_of_a_repository(repo: Repo, secrets: Secrets) -> None:
    repo.stage("k.txt", secrets.aws_file())
    assert rule_ids(staged(repo)) == PAIR


def test_only_what_is_staged_counts(repo: Repo, secrets: Secrets) -> None:
    repo.stage("k.txt", "clean\n")
    repo.write("k.txt", secrets.aws_file())
    assert rule_ids(staged(repo)) == []
    repo.git("add", "k.txt")
    repo.write("k.txt", "clean again\n")
    assert rule_ids(staged(repo)) == PAIR


def test_an_old_secret_in_a_touched_file_does_not_block(repo: Repo, secrets: Secrets) -> None:
    old = secrets.aws_file()
    repo.commit("k.txt", old)
    repo.stage("k.txt", "# a comment\n" + old)
    assert rule_ids(staged(repo)) == []


def test_a_rotated_secret_does(repo: Repo, secrets: Secrets) -> None:
    key_id = secrets.aws_id()
    first, second = (f"aws_access_key_id = {key_id}\naws_secret_access_key = {secrets.aws_secret()}\n" for _ in "ab")
    repo.commit("k.txt", first)
    repo.stage("k.txt", second)
    assert rule_ids(staged(repo)) == ["aws-secret-access-key"]


def test_a_renamed_and_changed_file(repo: Repo, secrets: Secrets) -> None:
    old = secrets.aws_file() + "filler\n" * 40
    repo.commit("k.txt", old)
    repo.git("mv", "k.txt", "moved.txt")
    assert rule_ids(staged(repo)) == []
    repo.stage("moved.txt", old + secrets.pem())
    assert rule_ids(staged(repo)) == ["private-key"]


def test_deletions_and_mode_changes_pass(repo: Repo, secrets: Secrets) -> None:
    repo.commit("k.txt", secrets.aws_file())
    repo.commit("run.sh", secrets.aws_file())
    repo.git("rm", "-q", "k.txt")
    repo.git("update-index", "--chmod=+x", "run.sh")
    report = staged(repo)
    assert report.clean


def test_the_target_of_a_symbolic_link(repo: Repo, secrets: Secrets) -> None:
    (repo.path / "link").symlink_to(f"/login?{secrets.aws_id()}")
    repo.git("add", "link")
    assert rule_ids(staged(repo)) == ["aws-access-key-id"]


def test_any_bytes_in_a_name(repo: Repo, secrets: Secrets) -> None:
    name = b"od\xe4 d\n\t\"'\\.txt"
    (Path(str(repo.path)) / name.decode("utf-8", "surrogateescape")).write_text(secrets.aws_file())
    repo.git("add", "-A")
    report = staged(repo)
    assert rule_ids(report) == PAIR
    assert {where.origin.path for finding in report.findings for where in finding.locations} == {
        name.decode("utf-8", "surrogateescape")
    }


def test_intent_to_add_has_no_content_yet(repo: Repo, secrets: Secrets) -> None:
    repo.commit("a.txt", "x")
    repo.write("k.txt", secrets.aws_file())
    repo.git("add", "--intent-to-add", "k.txt")
    assert staged(repo).clean


def test_a_submodule_is_not_a_blob(repo: Repo, tmp_path: Path) -> None:
    other = Repo(tmp_path / "other")
    other.commit("a.txt", "x")
    repo.git("submodule", "--quiet", "add", str(other.path), "sub")
    assert staged(repo).clean


def test_a_secret_typed_into_a_merge(repo: Repo, secrets: Secrets) -> None:
    before = secrets.aws_file()
    repo.commit("a.txt", "one\n")
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("side.txt", before)
    repo.git("checkout", "-q", "main")
    repo.commit("main.txt", "main\n")
    repo.git("merge", "-q", "--no-commit", "--no-ff", "side")
    assert rule_ids(staged(repo)) == []  # what either parent has is no news
    repo.stage("a.txt", "one\n" + secrets.pem())
    assert rule_ids(staged(repo)) == ["private-key"]
    repo.git("commit", "-q", "-m", "an evil merge")
    assert rule_ids(ranged(repo, "HEAD^2~1")) == [*PAIR, "private-key"]
    assert rule_ids(ranged(repo, "HEAD~1")) == [*PAIR, "private-key"]


def test_a_linked_worktree(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    repo.commit("a.txt", "x")
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = Repo.__new__(Repo)
    linked.path = tmp_path / "linked"
    linked.stage("k.txt", secrets.aws_file())
    assert rule_ids(staged(linked)) == PAIR


def test_a_range_names_commit_author_and_date(repo: Repo, secrets: Secrets) -> None:
    repo.commit("a.txt", "x")
    bad = repo.commit("k.txt", secrets.aws_file())
    repo.commit("k.txt", "gone\n")
    report = ranged(repo, "HEAD~2")
    assert rule_ids(report) == PAIR
    origin = report.findings[0].locations[0].origin
    assert (origin.commit, origin.author, origin.date) == (bad, "Ann Author <ann@example.org>", "2026-01-02T03:04:05+00:00")


def test_a_range_leaves_out_what_its_parent_had(repo: Repo, secrets: Secrets) -> None:
    old = secrets.aws_file()
    repo.commit("k.txt", old)
    repo.commit("k.txt", old + "# more\n")
    assert ranged(repo, "HEAD~1").clean


def test_a_range_reads_commit_messages(repo: Repo, secrets: Secrets) -> None:
    repo.commit("a.txt", "x")
    repo.commit("a.txt", "y", message=f"use {secrets.aws_id()} for now")
    report = ranged(repo, "HEAD~1")
    assert rule_ids(report) == ["aws-access-key-id"]
    assert report.findings[0].locations[0].origin.via == "commit message"


@pytest.mark.parametrize("name", ["sha1", "sha256"])
def test_both_kinds_of_object_ids(tmp_path: Path, secrets: Secrets, name: str) -> None:
    repo = Repo(tmp_path / name, f"--object-format={name}")
    repo.stage("k.txt", secrets.aws_file())
    assert rule_ids(staged(repo)) == PAIR
    repo.git("commit", "-q", "-m", "x")
    repo.commit("j.txt", secrets.pem())
    assert rule_ids(ranged(repo, "HEAD~1")) == ["private-key"]


def test_a_range_can_leave_out_the_commits_of_several(repo: Repo, secrets: Secrets) -> None:
    repo.commit("a.txt", "x")
    repo.git("checkout", "-q", "-b", "feature")
    before = repo.commit("feature.txt", "first\n")
    repo.git("checkout", "-q", "main")
    repo.commit("main.txt", secrets.pem())
    repo.git("checkout", "-q", "feature")
    repo.git("merge", "-q", "--no-edit", "main")
    own = repo.commit("k.txt", secrets.aws_file())
    repository = gitcommand.find(str(repo.path))
    assert repository
    assert rule_ids(ranged(repo, before)) == [*PAIR, "private-key"]
    report = scan([Range(repository, before, own, ("main",))])
    assert rule_ids(report) == PAIR
    assert report.coverage.commits == 2
