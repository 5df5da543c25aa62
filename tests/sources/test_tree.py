"""Folders and work trees: what is read, what is not, and that nothing leads out."""

from __future__ import annotations

import os
from pathlib import Path

from scanner import gitcommand
from scanner.model import Blob, Coverage, Origin, Report
from scanner.pipeline import scan
from scanner.sources.pieces import pieces
from scanner.sources.tree import Folder, WorkTree
from tests.conftest import Repo, Secrets, rule_ids

PAIR = ["aws-access-key-id", "aws-secret-access-key"]


def tree(repo: Repo) -> Report:
    repository = gitcommand.find(str(repo.path))
    assert repository
    return scan([WorkTree(repository)])


def test_tracked_and_untracked_files_but_no_ignored_ones(repo: Repo, secrets: Secrets) -> None:
    repo.commit("tracked.txt", secrets.aws_file())
    repo.write("untracked.txt", secrets.aws_file())
    repo.write("ignored.txt", secrets.aws_file())
    repo.write(".gitignore", "ignored.txt\n")
    report = tree(repo)
    assert {where.origin.path for finding in report.findings for where in finding.locations} == {"tracked.txt", "untracked.txt"}
    assert report.coverage.files == 3


def test_a_folder_is_read_whole_without_its_git_directories(tmp_path: Path, secrets: Secrets) -> None:
    inner = Repo(tmp_path / "a" / "repo")
    inner.write("k.txt", secrets.aws_file())
    inner.write(".git/k.txt", secrets.pem())
    report = scan([Folder(str(tmp_path))])
    assert rule_ids(report) == PAIR
    assert report.coverage.notes == (f"{tmp_path}/a/repo is a repository: its history is scanned when it is named itself",)


def test_no_link_leads_out(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "k.txt").write_text(secrets.aws_file())
    repo.commit("dir/k.txt", "clean")
    (repo.path / "dir" / "k.txt").unlink()
    (repo.path / "dir").rmdir()
    (repo.path / "dir").symlink_to(outside)  # git still tracks dir/k.txt
    (repo.path / "link.txt").symlink_to(outside / "k.txt")
    report = tree(repo)
    assert rule_ids(report) == []
    assert [(row.what, row.reason) for row in report.skipped] == [
        ("dir/k.txt", "its folder is a symbolic link that leads elsewhere")
    ]
    assert rule_ids(scan([Folder(str(repo.path))])) == []


def test_a_file_named_by_the_user_is_read_through_a_link(tmp_path: Path, secrets: Secrets) -> None:
    (tmp_path / "real.txt").write_text(secrets.aws_file())
    (tmp_path / "link.txt").symlink_to("real.txt")
    assert rule_ids(scan([Folder(str(tmp_path / "link.txt"))])) == PAIR


def test_special_files_do_not_stop_a_scan(tmp_path: Path, secrets: Secrets) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "k.txt").write_text(secrets.aws_file())
    assert rule_ids(scan([Folder(str(tmp_path))])) == PAIR


def test_a_configuration_cannot_point_the_work_tree_elsewhere(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "k.txt").write_text(secrets.aws_file())
    repo.git("config", "core.worktree", str(outside))
    repo.write("mine.txt", "clean")
    report = tree(repo)
    assert rule_ids(report) == []
    assert report.coverage.files == 1


def test_no_program_of_a_hostile_configuration_runs(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    program = tmp_path / "evil.sh"
    program.write_text(f"#!/bin/sh\ntouch {proof}\n")
    program.chmod(0o755)
    repo.commit("a.txt", "x\n")
    for name in ("core.fsmonitor", "core.pager", "diff.external", "core.sshCommand", "gpg.program", "diff.evil.textconv",
                 "filter.evil.clean", "filter.evil.smudge", "credential.helper"):  # fmt: skip
        repo.git("config", name, str(program))
    repo.git("config", "log.showSignature", "true")
    repo.write(".gitattributes", "*.txt diff=evil filter=evil\n")
    repo.write("b.txt", secrets.aws_file())
    from scanner.sources.history import History
    from scanner.sources.staged import Range, Staged

    proof.unlink(missing_ok=True)
    repository = gitcommand.find(str(repo.path))
    assert repository
    scan([WorkTree(repository), History(repository), Staged(repository), Range(repository, "HEAD", "HEAD")])
    assert not proof.exists()


def test_no_object_is_fetched(repo: Repo, tmp_path: Path) -> None:
    """A partial clone would run the remote's helper to get a missing blob: here one that leaves a trace."""
    from scanner.sources.history import History

    proof = tmp_path / "ran"
    repo.commit("a.txt", "x\n")
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repo.path}", str(tmp_path / "partial"))
    partial = Repo.__new__(Repo)
    partial.path = tmp_path / "partial"
    partial.git("config", "remote.origin.url", f"ext::sh -c touch% {proof}")
    partial.git("config", "protocol.ext.allow", "always")
    repository = gitcommand.find(str(partial.path))
    assert repository
    repository.attempt("cat-file", "-p", "HEAD:a.txt")
    scan([History(repository)])
    assert not proof.exists()


def test_a_large_file_is_scanned_in_pieces_with_right_lines(tmp_path: Path, secrets: Secrets) -> None:
    """With small pieces in place of large ones, a credential at every offset around a cut."""
    text = secrets.aws_file()
    for shift in range(0, 300, 7):
        content = ("ü" * 10 + "\n") * 30 + "y" * shift + "\n" + text + "z\n" * 200
        data = content.encode()
        position = 0

        def read(count: int, data: bytes = data) -> bytes:
            nonlocal position
            position += count
            return data[position - count : position]

        class Pieces:
            def items(self) -> object:
                yield from pieces(read, Blob(b"", Origin("test", "big")), piece=500, overlap=250)
                yield Coverage(blobs=1)

            def attribute(self, ids: object) -> dict[str, Origin]:
                return {}

        report = scan([Pieces()])  # type: ignore[list-item]
        places = {finding.rule.id: [(where.line, where.column) for where in finding.locations] for finding in report.findings}
        assert places == {"aws-access-key-id": [(33, 21)], "aws-secret-access-key": [(34, 25)]}, shift


def test_utf16_from_a_windows_shell(tmp_path: Path, secrets: Secrets) -> None:
    for codec in ("utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"):
        (tmp_path / f"{codec}.txt").write_bytes(("intro ü\n" + secrets.aws_file()).encode(codec))
    report = scan([Folder(str(tmp_path))])
    assert len(report.findings) == 8
    assert {(where.line, where.column) for finding in report.findings for where in finding.locations} == {(3, 21), (4, 25)}
