"""The file itself: who may read it, what it refuses, what it says of findings."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from scanner.errors import ScanError, UsageError
from scanner.model import Coverage, Finding, Location, Origin, Report, Skipped
from scanner.rules import load_builtin, select
from scanner.store import Store, StoreError
from scanner.store.results import (
    Brief,
    briefs,
    findings,
    record,
    record_failure,
    record_unchanged,
    repositories,
    skipped,
)
from scanner.store.schema import MIGRATIONS
from scanner.store.triage import decide, decisions

RULES = load_builtin()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "kept"))


def finding(
    print: str, rule: int = 0, path: str = "a.ini", severity: str = "high", date: str = "2024-05-06T07:08:09+02:00"
) -> Finding:
    origin = Origin("history", path, commit="c" * 40, author="Ann <ann@example.org>", date=date)
    places = (Location(1, 2, 1, 22, origin, "b" * 40, ("base64",)), Location(3, 4, 3, 9, Origin("file", "tree.txt")))
    return Finding(RULES.rules[rule], severity, "high", print, "Kx3a…9z", ("named 'key'",), places)


def report(*found: Finding, skipped: tuple[Skipped, ...] = ()) -> Report:
    return Report(found, skipped, Coverage(blobs=3, bytes=100, commits=2, refs=1), RULES)


def test_a_report_is_read_as_it_was_written(store: Store) -> None:
    record(store, "https://example.org/a.git", report(finding("aa"), finding("bb", 1)), {"archived": True})
    record(store, "https://example.org/b.git", report(finding("aa", severity="critical", date="2020-01-01T00:00:00Z"),
                                                      skipped=(Skipped("x\udcff", "why"),)))  # fmt: skip
    first, second = findings(store)
    assert (first.fingerprint, first.severity, first.state) == ("aa", "critical", "open")
    assert [one.repository for one in first.occurrences] == ["https://example.org/a.git", "https://example.org/b.git"]
    assert first.since == "2020-01-01T00:00:00Z"
    (place,) = first.occurrences[0].locations  # what stands in a work tree is not kept
    assert place == finding("aa").locations[0]
    assert second.rule == RULES.rules[1].id
    one, two = repositories(store)
    assert (one.state, one.facts, one.covered.blobs) == ("complete", {"archived": True}, 3)
    assert two.state == "incomplete"
    assert skipped(store, two.name) == [Skipped("x\udcff", "why")]


def test_a_later_report_replaces_the_former_and_keeps_decisions(store: Store) -> None:
    record(store, "a", report(finding("aa"), finding("bb", 1)))
    decide(store, "aa", "accepted", "it is a test", "ann")
    decide(store, "aa", "revoked", "no longer", "bob")
    record(store, "a", report(finding("bb", 1)))
    gone, stays = findings(store)
    assert gone.occurrences == ()
    assert [(one.state, one.who) for one in gone.decisions] == [("accepted", "ann"), ("revoked", "bob")]
    assert gone.state == "revoked"
    assert stays.occurrences
    record(store, "a", report(finding("aa"), finding("bb", 1)))
    assert [one.state for one in findings(store, ["aa"])] == ["revoked"]


def test_a_report_of_fewer_rules_leaves_the_others_alone(store: Store) -> None:
    record(store, "a", report(finding("aa"), finding("bb", 1)))
    record(store, "a", report()._replace(rules=select(RULES, [RULES.rules[0].id], [])))
    assert [bool(one.occurrences) for one in findings(store)] == [False, True]


def test_a_failure_leaves_what_was_found(store: Store) -> None:
    record(store, "a", report(finding("aa")))
    record_failure(store, "a", "gone", "the host says 404")
    (known,) = findings(store)
    assert known.occurrences
    (repository,) = repositories(store)
    assert (repository.state, repository.reason) == ("gone", "the host says 404")


def test_what_did_not_change_is_what_it_was_before_it_failed(store: Store) -> None:
    record(store, "whole", report(finding("aa")))
    record(store, "part", report(finding("aa", severity="low"), finding("bb", 1), skipped=(Skipped("x", "why"),)))
    for name in ("whole", "part"):
        record_failure(store, name, "failed", "it hung")
    assert [record_unchanged(store, name, {"archived": True}) for name in ("whole", "part")] == ["unchanged", "incomplete"]
    part, whole = repositories(store)
    assert (part.state, part.reason, whole.state, whole.facts) == ("incomplete", None, "complete", {"archived": True})
    decide(store, "bb", "revoked", "deleted", "ann")
    assert briefs(store, {"part"}) == [
        Brief("aa", "high", "2024-05-06T07:08:09+02:00", "open"),
        Brief("bb", "high", "2024-05-06T07:08:09+02:00", "revoked"),
    ]
    assert [one.fingerprint for one in briefs(store, {"whole"})] == ["aa"]


def test_decisions_are_about_findings_that_there_are(store: Store) -> None:
    with pytest.raises(UsageError, match="knows no finding 'zz'"):
        decide(store, "zz", "accepted", "", "")
    record(store, "a", report(finding("aa")))
    with pytest.raises(UsageError, match="no state"):
        decide(store, "aa", "maybe", "", "")
    assert list(decisions(store, "aa")) == []


@pytest.mark.parametrize("case", ["text", "foreign", "newer", "folder", "no-folder", "empty", "cut"])
def test_what_is_no_store_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    path = tmp_path / "kept"
    if case == "text":
        path.write_text("these are only words, and enough of them to fill what a header would be" * 9)
    elif case == "foreign":
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE a (b)")
    elif case == "newer":
        Store(str(path)).db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    elif case == "folder":
        path.mkdir()
    elif case == "no-folder":
        path = path / "kept"
    elif case == "cut":
        with Store(str(path)) as store:
            record(store, "a", report(finding("aa")))
        path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ScanError) as caught:
        Store("" if case == "empty" else str(path))
    assert "\n" not in str(caught.value)
    assert case == "empty" or str(path) in str(caught.value)


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.touch(0o644)
    path.chmod(0o644)
    with Store(str(path)) as store:
        record(store, "a", report())
        assert {file.stat().st_mode & 0o777 for file in tmp_path.glob("kept*")} == {0o600}


def test_keys_differ_and_stay(tmp_path: Path) -> None:
    keys = [Store(str(tmp_path / name)).key for name in ("a", "b", "a")]
    assert keys[0] == keys[2] != keys[1]
    assert len(keys[0]) == 32


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.writing():
        record(store, "a", report(finding("aa")))
        raise ZeroDivisionError
    assert list(findings(store)) == []
    assert list(repositories(store)) == []


def test_another_process_that_writes_is_waited_for_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanner.store._WAIT", 0.1)
    first, second = Store(str(tmp_path / "kept")), Store(str(tmp_path / "kept"))
    with first.writing(), pytest.raises(StoreError, match="another process"):
        record(second, "a", report())


def test_each_table_says_what_a_row_is(store: Store) -> None:
    for (sql,) in store.rows("SELECT sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"):
        assert "-- A row " in sql.splitlines()[0]


def test_a_store_of_an_older_version_becomes_one_of_today(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    old = sqlite3.connect(path)
    for statement in MIGRATIONS[0]:
        old.execute(statement)
    old.execute("INSERT INTO fact VALUES ('key', ?)", (b"k" * 32,))
    (application,) = Store(str(tmp_path / "new")).db.execute("PRAGMA application_id").fetchone()
    old.execute(f"PRAGMA application_id = {application}")
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    with Store(str(path)) as store:
        assert store.key == b"k" * 32
        assert store.rows("PRAGMA user_version") == [(len(MIGRATIONS),)]
        record(store, "a", report(finding("aa")))
        assert [one.fingerprint for one in findings(store)] == ["aa"]
