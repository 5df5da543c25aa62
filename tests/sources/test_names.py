"""Credentials in the names of files and refs, and what became of content: both ways of reading a history say the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from io import BytesIO
from typing import IO

import pytest

from scanner.model import Location, Report
from scanner.pipeline import sight
from scanner.rules import load_builtin
from scanner.sources import fasthistory, fate, walk
from scanner.sources.names import file_names
from tests.conftest import Repo, Secrets, keyleash
from tests.sources.test_narrow import both, paths, repository


def places(report: Report, rule: str) -> list[Location]:
    return [where for found in report.findings if found.rule.id == rule for where in found.locations]


def test_a_credential_in_the_name_of_a_file_that_was_deleted(repo: Repo, secrets: Secrets) -> None:
    name = f"keys/{secrets.aws_id()}/notes.txt"
    repo.commit("a.txt", "x")
    first = repo.commit(name, "nothing")
    repo.git("rm", "-q", "--", name)
    repo.git("commit", "-q", "-m", "gone")
    folder, where = places(both(repo), "aws-access-key-id")
    assert (folder.origin.via, folder.origin.path) == ("file name", name.rpartition("/")[0])
    assert (where.origin.via, where.origin.path, where.origin.commit) == ("file name", name, first)
    assert where.origin.author == "Ann Author <ann@example.org>"
    assert (where.line, where.column) == (1, 6)


def test_a_credential_in_the_name_of_a_ref(repo: Repo, secrets: Secrets) -> None:
    repo.commit("a.txt", "x")
    repo.git("tag", f"release-{secrets.aws_id()}")
    (where,) = places(both(repo), "aws-access-key-id")
    assert where.origin.via == "ref name"
    assert (where.origin.path or "").startswith("refs/tags/release-")
    result = keyleash("scan", repo.path)
    assert result.returncode == 1
    assert "refs/tags/release-" in result.stdout


@pytest.mark.parametrize("block", [1, 64, 1 << 20])
def test_names_are_met_wherever_a_block_ends(repo: Repo, secrets: Secrets, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at many lines at once is the same as looking at each."""
    monkeypatch.setattr(walk, "_BLOCK", block)
    commit, id = "1" * 40, "2" * 40
    wanted = [f"a/{secrets.aws_id()}", "b c/" + secrets.aws_id() + "/d e"]
    some = random.Random(5)

    def lines() -> Iterator[str]:
        for number in range(200):
            yield commit[:-3] + f"{number:03}"
            yield f"{id} "
            yield f"{id} file {number}"
            if some.random() < 0.1:
                yield f"{id} {some.choice(wanted)}"

    text = "".join(line + "\n" for line in lines()).encode()
    anchors = sight(load_builtin())().anchors
    repo.commit("a.txt", "x")
    every = [blob for blob in file_names(repository(repo), BytesIO(text)) if anchors(blob.data)]
    assert sorted(blob.data.decode() for blob in every) == sorted(wanted)
    assert list(file_names(repository(repo), BytesIO(text), anchors)) == every


def test_where_it_still_stands_and_which_commit_took_it_away(repo: Repo, secrets: Secrets) -> None:
    text = secrets.aws_file()
    repo.commit("a b/k.env", text)
    repo.git("branch", "release")
    repo.commit("copy.env", text)
    removed = repo.commit("a b/k.env", "nothing\n")
    repo.git("branch", "later")
    kept = both(repo)
    assert paths(kept) == {"a b/k.env"}
    assert {where.origin.present for where in places(kept, "aws-access-key-id")} == {("release",)}
    assert {where.origin.paths for where in places(kept, "aws-access-key-id")} == {("copy.env",)}
    repo.git("rm", "-q", "copy.env")
    repo.git("commit", "-q", "-m", "gone")
    repo.git("branch", "-D", "release")
    (where,) = places(both(repo), "aws-access-key-id")
    assert (where.origin.present, where.origin.paths, where.origin.removed) == ((), (), removed)
    assert f"taken away by {removed[:12]}" in keyleash("scan", repo.path).stdout


def test_deleted_in_a_folder_that_is_named_like_a_pattern(repo: Repo, secrets: Secrets) -> None:
    repo.commit("a.txt", "x")
    repo.commit("[ab]*/:(top)k.env", secrets.aws_file())
    repo.git("rm", "-rq", "--", ":(literal)[ab]*")
    repo.git("commit", "-q", "-m", "gone")
    (where,) = places(both(repo), "aws-access-key-id")
    assert where.origin.removed == repo.git("rev-parse", "HEAD")


@pytest.mark.parametrize(("few", "many"), [(0, 64), (100, 64), (100, 0)])
def test_versions_of_a_file_on_many_branches(
    repo: Repo, secrets: Secrets, few: int, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each version is on the branches that have it, and was taken away by the next, on a side branch that was merged too.

    It is the same whether changes are asked for by path, all at once, or beside the scan.
    """
    asked: list[IO[bytes] | None] = []
    plain = fate.Changes.of

    def of(changes: fate.Changes, head: str) -> IO[bytes] | None:
        asked.append(plain(changes, head))
        return asked[-1]

    monkeypatch.setattr(fate.Changes, "of", of)
    monkeypatch.setattr(fate, "FEW_PATHS", few)
    monkeypatch.setattr(fasthistory, "MANY_PLACES", many)
    texts = [secrets.aws_file() for _ in range(3)]
    commits = []
    for number, text in enumerate(texts):
        commits.append(repo.commit("k.env", text))
        repo.git("branch", f"b{number}")
    repo.git("switch", "-q", "-c", "side", "b0")
    repo.commit("side.env", secrets.aws_file())
    taken = repo.commit("side.env", "nothing\n")
    repo.git("switch", "-q", "main")
    repo.git("merge", "-q", "-s", "ours", "-m", "merged", "side")
    met = {(where.origin.path, where.origin.commit): where.origin for where in places(both(repo), "aws-access-key-id")}
    assert [met["k.env", commit].present for commit in commits] == [("b0", "side"), ("b1",), ("b2", "main")]
    assert [met["k.env", commit].removed for commit in commits] == [*commits[1:], None]
    assert [origin.removed for (path, _), origin in met.items() if path == "side.env"] == [taken]
    assert [listed is not None for listed in asked] == [many == 0]


def test_many_branches_are_asked_up_to_a_number(repo: Repo, secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fate, "MAX_TIPS", 3)
    repo.commit("k.env", secrets.aws_file())
    for number in range(5):
        repo.git("branch", f"b{number}")
    (where,) = places(both(repo), "aws-access-key-id")
    assert len(where.origin.present) == 3
    assert "main" in where.origin.present
    assert "today    still in" in keyleash("scan", repo.path).stdout
