"""A scan with a store says what a scan without one says, and reads only what is new."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from scanner.model import Report, RuleSet
from scanner.pipeline import scan, sight
from scanner.rules import load_builtin, select
from scanner.sources import fasthistory
from scanner.sources.fasthistory import FastHistory
from scanner.store import Store as Kept
from scanner.store import remembered
from scanner.store.remembered import Remembered
from tests.conftest import ROOT, keyleash
from tests.sources.packing import Secrets, Store, findings

RULES = load_builtin()


def incremental(
    kept: Kept, store: Store, rules: RuleSet = RULES, jobs: int = 1, name: str | None = None, shared: bool = False
) -> Report:
    memory = Remembered(kept, name or str(store.path), rules, shared=shared)
    return scan([FastHistory(store.repository, sight(rules), jobs, memory=memory)], rules, key=kept.key)


def plain(kept: Kept, store: Store, rules: RuleSet = RULES) -> Report:
    return scan([FastHistory(store.repository, sight(rules))], rules, key=kept.key)


def expect_same(kept: Kept, store: Store, rules: RuleSet = RULES) -> Report:
    """Scan with the store and without it, hold the reports against each other, and return the former."""
    report, whole = incremental(kept, store, rules), plain(kept, store, rules)
    assert findings(report) == findings(whole)
    assert set(report.skipped) == set(whole.skipped)
    assert {found.redacted for found in report.findings} == {found.redacted for found in whole.findings}
    return report


def made(path: Path, seed: int = 1, commits: int = 6) -> Store:
    store, secrets = Store(path, ticks=True), Secrets(seed)
    for number in range(commits):
        text = secrets.words(20) + f"aws_access_key_id = {secrets.aws_id()}\nkey = {secrets.aws_secret()}\n".encode()
        store.commit({f"file{number % 3}.ini": text}, f"change {number} {secrets.aws_id() if number == 2 else ''}")
    return store


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(str(tmp_path / "store"))


@pytest.mark.parametrize("form", ["loose", "packed"])
def test_nothing_is_read_twice(tmp_path: Path, kept: Kept, form: str) -> None:
    store = made(tmp_path / "a")
    if form == "packed":
        store.repack()
    first = expect_same(kept, store)
    assert first.coverage.blobs == 6
    assert len(first.findings) == 13
    second = expect_same(kept, store)
    assert (second.coverage.blobs, second.coverage.bytes, second.coverage.commits) == (0, 0, 0)
    assert second.coverage.known >= 12
    store.commit({"new": Secrets(77).aws_id().encode()})
    third = expect_same(kept, store)
    assert (third.coverage.blobs, third.coverage.commits) == (1, 1)
    assert len(third.findings) == 14


def test_a_repack_changes_nothing(tmp_path: Path, kept: Kept) -> None:
    store = made(tmp_path / "a")
    store.git("repack", "-dq")
    store.commit({"b": b"nothing"})
    expect_same(kept, store)
    for options in (["--depth=250", "--window=250"], ["--depth=0"], ["-n"]):
        store.repack(*options)
        report = expect_same(kept, store)
        assert report.coverage.blobs == report.coverage.commits == 0
        assert report.coverage.known >= 14


def test_other_rules_look_again(tmp_path: Path, kept: Kept) -> None:
    store = made(tmp_path / "a")
    expect_same(kept, store)
    fewer = select(RULES, ["aws-access-key-id"], [])
    assert expect_same(kept, store, fewer).coverage.blobs == 6
    assert expect_same(kept, store, fewer).coverage.blobs == 0
    assert expect_same(kept, store).coverage.blobs == 0  # what the first rules saw is not forgotten so soon
    for rule in RULES.rules[:4]:
        incremental(kept, store, select(RULES, [], [rule.id]))
    assert kept.rows("SELECT count(*) FROM ruleset") == [(4,)]
    assert expect_same(kept, store).coverage.blobs == 6


def test_what_is_skipped_is_tried_again(tmp_path: Path, kept: Kept) -> None:
    store = made(tmp_path / "a", commits=2)
    secret = Secrets(5).aws_id().encode()
    blob = store.blob(secret)
    store.repack()
    file = store.objects / blob[:2] / blob[2:]
    sound = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(sound[:-5])
    for _ in range(3):
        report = expect_same(kept, store)
        assert [one.what for one in report.skipped] == [f"object {blob}"]
    file.write_bytes(sound)
    report = expect_same(kept, store)
    assert not report.skipped
    assert len(report.findings) == 5
    file.unlink()
    assert len(expect_same(kept, store).findings) == 4


def test_what_a_limit_cut_off_is_tried_again_though_its_pack_is_known(tmp_path: Path, kept: Kept) -> None:
    store = made(tmp_path / "a", commits=2)
    store.commit({"a.zip": b"PK\3\4" + bytes(40)})
    store.repack()
    for _ in range(3):
        report = expect_same(kept, store)
        assert "a.zip" in report.skipped[0].what
    assert report.coverage.blobs == 1


def test_places_follow_the_refs(tmp_path: Path, kept: Kept) -> None:
    """Amended, dropped, merged, tagged: places are those that a scan without memory names."""
    store, secrets = made(tmp_path / "a", commits=2), Secrets(9)
    expect_same(kept, store)
    store.git("checkout", "-q", "-b", "side")
    store.commit({"side.txt": secrets.aws_id().encode()})
    expect_same(kept, store)
    store.git("commit", "-q", "--amend", "-m", "other words")
    expect_same(kept, store)
    store.git("checkout", "-q", "main")
    store.git("branch", "-q", "-D", "side")
    expect_same(kept, store)  # the reflog has it
    store.git("reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all")
    assert "history, unreachable" in {w.origin.via for f in expect_same(kept, store).findings for w in f.locations}
    store.git("repack", "-adfkq")
    expect_same(kept, store)
    store.git("gc", "-q", "--prune=now")
    assert len(expect_same(kept, store).findings) == 4
    store.git("tag", "-m", f"a tag with {secrets.aws_id()}", "v1")
    assert len(expect_same(kept, store).findings) == 5


STEPS = [
    "commit",
    "commit",
    "name",
    "name",
    "branch",
    "switch",
    "merge",
    "amend",
    "reset",
    "repack",
    "gc",
    "tag",
    "drop",
    "stash",
    "same",
]


@settings(
    max_examples=3, phases=[Phase.generate], deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(steps=st.lists(st.sampled_from(STEPS), min_size=7, max_size=10), seed=st.integers(0, 1000))
def test_any_history_of_a_repository_is_followed(steps: list[str], seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder, Kept(str(Path(folder) / "kept")) as kept:
        store, source, secrets = made(Path(folder) / "a", seed, 2), random.Random(seed), Secrets(seed)
        for number, step in enumerate(steps):
            _do(step, store, source, f"{secrets.aws_id()}\n{number}\n".encode())
            expect_same(kept, store)


def _do(step: str, store: Store, source: random.Random, text: bytes) -> None:
    branches = store.git("for-each-ref", "--format=%(refname:short)", "refs/heads").decode().split()
    if step == "commit":
        store.commit({f"file{source.randrange(4)}": text})
    elif step == "name":
        name = text.split()[0].decode()
        store.commit({f"{name}.txt": b"nothing"})
        store.git("update-ref", f"refs/notes/{name[:-1]}7", "HEAD")
    elif step == "branch":
        store.git("checkout", "-q", "-b", f"branch{len(text)}{source.randrange(10**6)}")
        store.commit({"branch": text})
    elif step == "switch":
        store.git("checkout", "-q", "-f", source.choice(branches))
    elif step == "merge":
        store.git("merge", "-q", "-X", "ours", "-m", "both", source.choice(branches), check=False)
        store.git("merge", "--abort", check=False)
    elif step == "amend":
        store.git("commit", "-q", "--amend", "--allow-empty", "-m", text.decode())
    elif step == "reset":
        store.git("reset", "-q", "--hard", "HEAD~1", check=False)
    elif step == "repack":
        store.git(*source.choice([("repack", "-dq"), ("repack", "-adfkq"), ("repack", "-adq"), ("prune-packed", "-q")]))
    elif step == "gc":
        store.git("reflog", "expire", "--expire=now", "--all")
        store.git("gc", "-q", "--prune=now")
    elif step == "tag":
        store.git("tag", "-f", "-m", text.decode(), f"tag{source.randrange(3)}")
    elif step == "drop":
        current = store.git("symbolic-ref", "--short", "HEAD").decode().strip()
        for name in branches:
            if name not in ("main", current):
                store.git("branch", "-q", "-D", name)
    elif step == "stash":
        (store.path / "file0").write_bytes(text)
        store.git("add", "file0")
        store.git("stash", "-q", check=False)


def test_forks_cost_nothing_twice(tmp_path: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "_FEW", 1)  # both ways of comparing
    store = made(tmp_path / "a", commits=80)
    store.git("repack", "-adfq", "--window=1")
    first = incremental(kept, store, shared=True)
    fork = Store(tmp_path / "fork", clone=str(store.path))
    fork.commit({"own": Secrets(99).aws_id().encode()})
    fork.repack()
    report = incremental(kept, fork, shared=True)
    assert (report.coverage.blobs, report.coverage.commits) == (1, 1)
    assert findings(report) == findings(plain(kept, fork))
    assert len(report.findings) == len(first.findings) + 1
    assert incremental(kept, fork, name="unshared").coverage.blobs == 81
    assert incremental(kept, fork, shared=True).coverage.blobs == 0


def test_a_fork_has_only_the_findings_of_the_objects_that_it_has(tmp_path: Path, kept: Kept) -> None:
    store = made(tmp_path / "a", commits=80)
    store.repack()
    Store(tmp_path / "fork", clone=str(store.path)).git("rev-parse", "HEAD")
    more = store.commit({"later": Secrets(98).aws_id().encode()})
    store.repack()
    incremental(kept, store, shared=True)
    fork = Store(tmp_path / "fork")
    report = incremental(kept, fork, shared=True)
    assert report.coverage.blobs == 0
    assert findings(report) == findings(plain(kept, fork))
    assert more not in {where.origin.commit for found in report.findings for where in found.locations}


def test_missing_objects_of_a_partial_clone_are_remembered(tmp_path: Path, kept: Kept) -> None:
    store = made(tmp_path / "a")
    store.git("config", "uploadpack.allowFilter", "true")
    clone = Store(tmp_path / "b", "--filter=blob:none", "--no-checkout", clone=f"file://{store.path}")
    for _ in range(2):
        report = expect_same(kept, clone)
        assert "6 objects are missing" in report.skipped[0].reason
    store.commit({"c": b"one more"})
    clone.git("fetch", "-q")
    assert "7 objects are missing" in expect_same(kept, clone).skipped[0].reason
    clone.git("cat-file", "-p", "HEAD:file0.ini")  # git fetches it
    assert "6 objects are missing" in expect_same(kept, clone).skipped[0].reason


def test_objects_of_other_sizes_and_sha256_are_known(tmp_path: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanner.sources.packscan.PIECE", 3000)
    monkeypatch.setattr("scanner.sources.deltas.PIECE", 3000)
    store = Store(tmp_path / "a", "--object-format=sha256")
    store.commit({"large": Secrets(4).words(400) + Secrets(4).aws_id().encode(), "small": Secrets(5).aws_id().encode()})
    store.repack()
    assert expect_same(kept, store).coverage.blobs == 2
    assert expect_same(kept, store).coverage.blobs == 0


_KILLED = """
import sys, time
from scanner import cli
from scanner.sources import fasthistory
fasthistory.SHARE_BYTES, fasthistory.LOOSE_SHARE = 1, 3
spread = fasthistory.spread
def slowly(*arguments):
    for result in spread(*arguments):
        time.sleep(0.005)
        yield result
fasthistory.spread = slowly
sys.exit(cli.main(sys.argv[1:]))
"""


def _command(kept: Path, store: Store, *options: str) -> list[str]:
    return [sys.executable, "-c", _KILLED, "scan", "--jobs", "2", "--store", str(kept), *options, str(store.path)]


def test_killed_at_any_moment_and_resumed_it_finds_the_same(tmp_path: Path) -> None:
    store = made(tmp_path / "a", 3, 24)
    store.git("repack", "-q", "-d")
    secrets = Secrets(30)
    for number in range(20):
        store.commit({f"loose{number}": secrets.aws_id().encode() + secrets.words(10)})
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(_command(tmp_path / "whole", store, "-o", "/dev/null"), env=env, check=False).returncode == 1
    expected, partly, source = _rows(tmp_path / "whole"), 0, random.Random(1)
    assert len(expected["location"]) > 40
    for attempt in range(4):
        kept = tmp_path / f"kept{attempt}"
        for _ in range(5):
            process = subprocess.Popen(_command(kept, store, "-o", "/dev/null"), env=env)
            _wait(process, kept, source.randrange(len(expected["seen"])))
            time.sleep(source.uniform(0, 0.02))
            process.send_signal(signal.SIGKILL)
            process.wait()
            partly += 0 < _seen(kept) < len(expected["seen"])
        assert subprocess.run(_command(kept, store, "-o", "/dev/null"), env=env, check=False).returncode == 1
        assert _rows(kept) == expected
    assert partly >= 5


def _wait(process: subprocess.Popen[bytes], kept: Path, count: int) -> None:
    """Wait until so many objects were looked at, or the scan has ended."""
    while process.poll() is None and _seen(kept) <= count:
        time.sleep(0.005)


def _seen(kept: Path) -> int:
    try:
        db = sqlite3.connect(f"file:{kept}?mode=ro", uri=True)
        (size,) = db.execute("SELECT coalesce(sum(length(ids)), 0) FROM seen").fetchone()
        db.close()
        return int(size) // 20
    except sqlite3.Error:  # it is not there yet, or just being made
        return 0


def _rows(path: Path) -> dict[str, set[object]]:
    """What a store says, but for what differs from store to store: keys, times, the order in which things were met."""
    db = sqlite3.connect(path)
    fingerprints = db.execute("SELECT fingerprint, redacted FROM occurrence").fetchall()
    shown = dict(fingerprints)
    rows: dict[str, set[object]] = {
        "seen": {ids[at : at + 20] for (ids,) in db.execute("SELECT ids FROM seen") for at in range(0, len(ids), 20)},
        "pack": set(db.execute("SELECT checksum, objects FROM pack")),
        "place": set(db.execute("SELECT object, led, via, path, commit_id, author, date FROM place")),
        "graph": set(db.execute("SELECT tips, reflog, missing FROM graph")),
        "occurrence": set(db.execute("SELECT severity, confidence, redacted FROM occurrence")),
        "location": {
            (shown[fingerprint], *row)
            for fingerprint, *row in db.execute(
                "SELECT fingerprint, path, line, column, end_line, end_column, object, commit_id, author, date, via, way "
                "FROM location"
            )
        },
        "sighting": set(db.execute("SELECT object, rule, redacted, line, column, way, severity, confidence FROM sighting")),
    }
    db.close()
    return rows


def test_the_command_reports_what_it_knew(tmp_path: Path) -> None:
    store = made(tmp_path / "a")
    path = tmp_path / "kept"
    reports = []
    for _ in range(2):
        result = keyleash("scan", "--store", path, "-f", "json", store.path)
        assert result.returncode == 1, result.stderr
        reports.append(json.loads(result.stdout))
    assert reports[0]["findings"] == reports[1]["findings"]
    assert reports[1]["coverage"]["known"] > 12
    assert "known from earlier scans" in keyleash("scan", "--store", path, store.path).stdout
    other = json.loads(keyleash("scan", "-f", "json", store.path).stdout)
    assert len(other["findings"]) == len(reports[0]["findings"])
    assert {found["fingerprint"] for found in other["findings"]}.isdisjoint(
        found["fingerprint"] for found in reports[0]["findings"]
    )


def test_secrets_are_shown_when_asked_for_though_the_store_has_none(tmp_path: Path) -> None:
    store, secrets = Store(tmp_path / "a"), Secrets(8)
    key = secrets.aws_id()
    store.commit({"key": key.encode()})
    path = tmp_path / "kept"
    for _ in range(2):
        result = keyleash("scan", "--store", path, "--show-secrets", "-f", "json", store.path)
        assert {found.get("secret") for found in json.loads(result.stdout)["findings"]} == {key}
    for file in tmp_path.glob("kept*"):
        assert key.encode() not in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_baseline_counts_though_its_key_is_another(tmp_path: Path) -> None:
    store = made(tmp_path / "a", commits=2)
    result = keyleash("baseline", "create", cwd=store.path)
    assert result.returncode == 0, result.stderr
    store.commit({"new": Secrets(55).aws_id().encode()})
    for _ in range(2):
        report = json.loads(keyleash("scan", "--store", tmp_path / "kept", "-f", "json", store.path).stdout)
        assert [found["rule"] for found in report["findings"]] == ["aws-access-key-id"]
        assert len(report["findings"][0]["locations"]) == 2  # in the history, and as a file
    with Kept(str(tmp_path / "kept")) as kept:
        assert len(kept.rows("SELECT * FROM finding")) == 5


def test_a_clean_repository_stays_known_and_clean(tmp_path: Path) -> None:
    store = Store(tmp_path / "a")
    store.commit({"a": b"nothing"})
    for _ in range(2):
        result = keyleash("scan", "--store", tmp_path / "kept", store.path)
        assert result.returncode == 0, result.stdout


def test_many_tasks_become_few_rows(tmp_path: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fasthistory, "LOOSE_SHARE", 1)
    store = made(tmp_path / "a")
    expect_same(kept, store)
    assert kept.rows("SELECT count(*) FROM seen") == [(1,)]
    expect_same(kept, store)
