"""The object store, read the plain way."""

from __future__ import annotations

import shutil
from pathlib import Path

from scanner import gitcommand
from scanner.model import Report
from scanner.pipeline import scan, sight
from scanner.rules import load_builtin
from scanner.sources.fasthistory import FastHistory
from scanner.sources.history import History
from tests.conftest import Repo, Secrets, rule_ids

PAIR = ["aws-access-key-id", "aws-secret-access-key"]


def history(repo: Repo) -> Report:
    repository = gitcommand.find(str(repo.path))
    assert repository
    return scan([History(repository)])


def fast(repo: Repo) -> Report:
    repository = gitcommand.find(str(repo.path))
    assert repository
    rules = load_builtin()
    return scan([FastHistory(repository, sight(rules))], rules)


def test_a_deleted_secret_is_found_with_the_oldest_commit(repo: Repo, secrets: Secrets) -> None:
    text = secrets.aws_file()
    repo.commit("a.txt", "x")
    first = repo.commit("deep/k.txt", text)
    repo.commit("deep/k.txt", text + "# later\n")
    repo.git("rm", "-q", "deep/k.txt")
    repo.git("commit", "-q", "-m", "remove")
    report = history(repo)
    assert rule_ids(report) == PAIR
    where = report.findings[0].locations
    assert {place.origin.path for place in where} == {"deep/k.txt"}
    assert first in {place.origin.commit for place in where}
    assert {place.origin.author for place in where} == {"Ann Author <ann@example.org>"}
    assert report.coverage.commits == 4


def test_stash_reflog_and_unreachable_objects(repo: Repo, secrets: Secrets) -> None:
    repo.commit("a.txt", "x")
    repo.write("a.txt", secrets.aws_file())
    repo.git("stash", "-q")
    gone = repo.commit("b.txt", secrets.pem())
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.git("hash-object", "-w", "--stdin", stdin=secrets.pem("sec1").encode())
    report = history(repo)
    assert rule_ids(report) == [*PAIR, "private-key", "private-key"]
    via = sorted(
        (where.origin.via, where.origin.commit)
        for row in report.findings
        for where in row.locations
        if row.rule.id == "private-key"
    )
    assert via == [("history", gone), ("history, unreachable", None)]


def test_messages_of_commits_and_tags_and_notes(repo: Repo, secrets: Secrets) -> None:
    ids = [secrets.aws_id() for _ in range(4)]
    repo.commit("a.txt", "x", message=f"deploy with {ids[0]}")
    repo.git("tag", "-a", "v1", "-m", f"tagged with {ids[1]}")
    repo.git("notes", "add", "-m", f"noted {ids[2]}")
    repo.git("-c", f"user.name={ids[3]}", "commit", "-q", "--allow-empty", "-m", "by someone")
    report = history(repo)
    assert rule_ids(report) == ["aws-access-key-id"] * 4


def test_everything_is_found_when_packed_too(repo: Repo, secrets: Secrets) -> None:
    for number in range(5):
        repo.commit("k.txt", "filler\n" * 100 + secrets.aws_file() * number)
    loose = history(repo)
    repo.git("gc", "-q", "--aggressive", "--prune=now")
    packed = history(repo)
    assert {finding.fingerprint for finding in packed.findings} == {finding.fingerprint for finding in loose.findings}
    assert [finding.locations for finding in packed.findings] == [finding.locations for finding in loose.findings]


def test_a_missing_object_is_reported(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    repo.commit("a.txt", "x\n")
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("clone", "-q", "--bare", "--filter=blob:none", f"file://{repo.path}", str(tmp_path / "partial"))
    partial = Repo.__new__(Repo)
    partial.path = tmp_path / "partial"
    report = history(partial)
    assert [row.reason for row in report.skipped] == [
        "1 object is missing from this partial clone and not scanned; nothing is fetched"
    ]


def test_a_truncated_object_does_not_hide_those_behind_it(repo: Repo, secrets: Secrets) -> None:
    import random

    repo.commit("big.bin", random.Random(1).randbytes(3_000_000))
    repo.commit("k.txt", secrets.aws_file())
    id = repo.git("rev-parse", "HEAD:big.bin")
    file = repo.path / ".git" / "objects" / id[:2] / id[2:]
    shutil.copy(file, file.with_suffix(".x"))
    content = file.read_bytes()
    file.chmod(0o600)
    file.write_bytes(content[: len(content) // 2])
    file.with_suffix(".x").unlink()
    report = history(repo)
    assert rule_ids(report) == PAIR
    assert [row.what for row in report.skipped] == [f"object {id}"]


def test_an_id_and_its_secret_in_two_versions_of_a_file_are_joined(repo: Repo, secrets: Secrets) -> None:
    key_id, secret = secrets.aws_id(), secrets.aws_secret()
    repo.commit("deploy.sh", f"export AWS_ACCESS_KEY_ID={key_id}\n")
    repo.commit("deploy.sh", f"\nexport AWS_SECRET_ACCESS_KEY={secret}\n")
    found = {finding.rule.id: finding for finding in history(repo).findings}
    assert "its secret is in deploy.sh, line 2" in found["aws-access-key-id"].evidence
    pair = found["aws-secret-access-key"]
    assert f"the access key id AKIA…{key_id[-4:]} is in deploy.sh, line 1" in pair.evidence
    assert (pair.severity, pair.confidence) == ("critical", "high")


def test_an_id_and_its_secret_in_two_files_of_a_commit_are_joined(repo: Repo, secrets: Secrets) -> None:
    repo.stage("id.txt", secrets.aws_id())
    repo.commit("secret.txt", f"AWS_SECRET_ACCESS_KEY={secrets.aws_secret()}\n")
    assert [finding.severity for finding in history(repo).findings] == ["critical", "high"]


def test_two_secrets_for_one_id_are_not_guessed_at(repo: Repo, secrets: Secrets) -> None:
    repo.stage("id.txt", secrets.aws_id())
    for name in "ab":
        repo.stage(f"{name}.txt", f"AWS_SECRET_ACCESS_KEY={secrets.aws_secret()}\n")
    repo.git("commit", "-q", "-m", "three files")
    assert [finding.severity for finding in history(repo).findings] == ["high", "high", "medium"]


def test_a_path_with_a_line_feed_is_shown_whole(repo: Repo, secrets: Secrets) -> None:
    names = ["plain.txt", "odd\nname.txt", "deep\nfolder/k.txt", "\nfirst.txt", "tail\r.txt", "a\n\nb\n.txt"]
    for name in names:
        repo.stage(name, secrets.aws_file())
    repo.git("commit", "-q", "-m", "names")
    repo.git("rm", "-q", "-r", ".")
    repo.git("commit", "-q", "-m", "gone")
    for source in (history(repo), fast(repo)):
        paths = {where.origin.path for finding in source.findings for where in finding.locations}
        assert paths == set(names)


def test_what_a_borrowed_store_lacks_is_reported(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    """Only the own folder was asked whether the clone is partial, and not the one it borrows from."""
    repo.commit("a.txt", "x\n")
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("clone", "-q", "--bare", "--filter=blob:none", f"file://{repo.path}", str(tmp_path / "partial"))
    borrower = Repo(tmp_path / "borrower", "--bare")
    (borrower.path / "objects" / "info" / "alternates").write_text(f"{tmp_path / 'partial' / 'objects'}\n")
    borrower.git("update-ref", "refs/heads/main", repo.git("rev-parse", "HEAD"))
    for report in (history(borrower), fast(borrower)):
        assert [row.reason for row in report.skipped] == [
            "1 object is missing from this partial clone and not scanned; nothing is fetched"
        ]


def test_what_git_lfs_keeps_elsewhere_is_said(repo: Repo) -> None:
    repo.commit("a.txt", "x")
    for report in (history(repo), fast(repo)):
        assert report.coverage.notes == ()
    repo.commit(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    for report in (history(repo), fast(repo)):
        assert "LFS" in report.coverage.notes[0]
        assert not report.skipped
