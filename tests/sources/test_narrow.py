"""A narrowed history is what is asked for and no more, the fast way and the plain one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scanner.gitcommand import Repository, find
from scanner.model import Report
from scanner.pipeline import scan, sight
from scanner.rules import load_builtin
from scanner.sources.fasthistory import FastHistory
from scanner.sources.history import History
from scanner.sources.narrow import Narrow
from tests.conftest import Repo, Secrets, keyleash
from tests.sources.packing import findings

OLD, NEW = "2020-01-01T00:00:00Z", "2024-06-01T00:00:00Z"


@pytest.fixture
def store(repo: Repo, secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """An old secret and a new one on main, one on a branch of its own, and one that no ref leads to."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", OLD)
    repo.commit("old.env", secrets.aws_file())
    monkeypatch.setenv("GIT_COMMITTER_DATE", NEW)
    repo.commit("new.env", secrets.aws_file())
    repo.git("checkout", "-q", "-b", "other")
    repo.commit("branch.env", secrets.aws_file())
    repo.git("checkout", "-q", "main")
    repo.git("hash-object", "-w", "--stdin", stdin=secrets.aws_file().encode())
    return repo


def repository(repo: Repo) -> Repository:
    found = find(str(repo.path))
    assert found
    return found


def both(repo: Repo, narrow: Narrow | None = None) -> Report:
    rules = load_builtin()
    fast = scan([FastHistory(repository(repo), sight(rules), 1, narrow)], rules)
    plain = scan([History(repository(repo), narrow)], rules)
    assert findings(fast) == findings(plain)
    assert fast.coverage == plain.coverage
    return fast


def paths(report: Report) -> set[str | None]:
    return {where.origin.path for found in report.findings for where in found.locations}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("narrow", "expected"),
    [
        (Narrow(), {"old.env", "new.env", "branch.env"}),
        (Narrow(("main",)), {"old.env", "new.env"}),
        (Narrow(("heads/oth*",)), {"old.env", "new.env", "branch.env"}),
        (Narrow(("main",), "2023-01-01"), {"new.env"}),
        (Narrow((), "2023-01-01"), {"new.env", "branch.env"}),
        (Narrow((), "2024-12-31"), set()),
    ],
)
def test_it_is_what_was_asked_for(store: Repo, narrow: Narrow, expected: set[str], packed: bool) -> None:
    if packed:
        store.git("repack", "-adkq")
    report = both(store, narrow)
    assert paths(report) == expected
    assert any("of the history only" in note for note in report.coverage.notes)
    assert report.skipped == ()


def test_a_day_without_a_time_is_the_whole_day(store: Repo) -> None:
    (note,) = both(store, Narrow((), "2023-01-01")).coverage.notes
    zone = datetime(2023, 1, 1).astimezone()
    assert f"brought since {zone.astimezone(UTC):%Y-%m-%d %H:%M} UTC" in note


def test_a_file_that_an_old_commit_has_already_is_not_brought_again(
    repo: Repo, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = secrets.aws_file()
    monkeypatch.setenv("GIT_COMMITTER_DATE", OLD)
    repo.commit("a.env", text)
    monkeypatch.setenv("GIT_COMMITTER_DATE", NEW)
    repo.commit("b.env", text)
    assert both(repo, Narrow((), "2023-01-01")).findings == ()
    assert len(both(repo).findings) == 2


def test_an_annotated_tag_leads_to_its_commit(store: Repo) -> None:
    store.git("tag", "-a", "-m", "one", "v1", "other")
    assert len(both(store, Narrow(("tags/v*",), "2023-01-01")).findings) == len(both(store, Narrow((), "2023-01-01")).findings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--refs", "none"], "no commit is called 'none'"),
        (["--refs", "heads/none*"], "no ref matches it"),
        (["--refs", "main", "--staged"], "does not go with --staged"),
        (["--reachable-only", "--no-history"], "does not go with --no-history"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(store: Repo, options: list[str], message: str) -> None:
    result = keyleash("scan", *options, store.path)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_command_narrows(store: Repo) -> None:
    for file in store.path.glob("*.env"):
        file.unlink()
    result = keyleash("scan", "--refs", "main", "--since", "2023-01-01", store.path)
    assert "new.env" in result.stdout
    assert "old.env" not in result.stdout
    assert "branch.env" not in result.stdout
    assert "since 2023-01-01" in result.stdout
