"""What a team has accepted: what it survives, how it merges, what is wrong with one, and each command around it."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import jsonschema
import pytest

from scanner import baseline
from scanner.baseline import Entry
from scanner.baseline import file as files
from scanner.errors import BaselineError
from scanner.model import Coverage, Report
from tests.conftest import ROOT, SLOW, Repo, Secrets, imported_by_hook, keyleash

FILE = baseline.NAME
PAST, FUTURE = "2020-01-01", "2999-12-31"


def made(seed: object, number: int = 1) -> tuple[bytes, list[Entry]]:
    """A key and entries that are random, and the same in every run."""
    source = random.Random(str(seed))
    key = source.randbytes(32)
    return key, [
        Entry(source.randbytes(16).hex(), "aws-access-key-id", f"reason {n}", "ann@example.org") for n in range(number)
    ]


def scanned(repo: Repo, *options: str) -> tuple[int, dict[str, object]]:
    result = keyleash("scan", "-f", "json", *options, cwd=repo.path)
    assert result.returncode in (0, 1), result.stderr + result.stdout
    return result.returncode, json.loads(result.stdout)


def count(report: dict[str, object], what: str) -> int:
    rows = report[what]
    assert isinstance(rows, list)
    return len(rows)


# What it does


def test_what_is_accepted_is_so_staged_in_the_tree_and_in_history_wherever_it_goes(repo: Repo, secrets: Secrets) -> None:
    old = secrets.aws_file() + secrets.mail() + secrets.pem()
    repo.commit("a.txt", "start\n")
    repo.commit("old.txt", old)
    result = keyleash("baseline", "create", "--reason", "before we began", cwd=repo.path)
    assert result.returncode == 0, result.stderr
    assert "made, with 4 entries" in result.stdout
    repo.git("add", FILE)
    repo.git("commit", "-qm", "accept")
    for secret in re.findall(r"(?:secret_access_key = |Password: )(\S+)", old):
        assert secret not in (repo.path / FILE).read_text()

    repo.git("checkout", "-qb", "side", "HEAD~1")
    repo.commit("b.txt", "more\n")
    repo.git("checkout", "-q", "main")
    repo.git("mv", "old.txt", "renamed.txt")
    repo.stage("renamed.txt", "# shifted\n\n\n" + old)
    assert keyleash("hook", cwd=repo.path).returncode == 0
    repo.git("commit", "-qm", "moved")
    repo.git("rm", "-q", "renamed.txt")
    repo.git("commit", "-qm", "gone")
    repo.stage("copy.txt", "x" * 10 + "\n" + old)  # it comes back, and so is news
    hook = keyleash("hook", cwd=repo.path)
    assert (hook.returncode, "4 credentials are accepted by the baseline." in hook.stderr) == (0, True)
    repo.git("commit", "-qm", "back")
    repo.git("rebase", "-q", "side")
    for options in ((), ("--no-history",), ("--range", "HEAD~2..HEAD"), ("--staged",)):
        code, report = scanned(repo, *options)
        assert (code, count(report, "findings")) == (0, 0), options
    _, report = scanned(repo)
    assert count(report, "accepted") == 4
    jsonschema.validate(report, json.loads((ROOT / "scanner" / "data" / "keyleash-1.schema.json").read_text()))

    repo.stage("new.txt", secrets.aws_file())
    assert keyleash("hook", cwd=repo.path).returncode == 1
    code, report = scanned(repo, "--no-history")
    assert (code, count(report, "findings"), count(report, "accepted")) == (1, 2, 4)
    assert count(scanned(repo, "--no-history", "--no-baseline")[1], "findings") == 6
    assert "4 credentials are accepted by the baseline." in keyleash("scan", "--no-history", cwd=repo.path).stdout


def test_a_guessable_secret_is_hashed_slowly_and_under_the_key_of_the_file(repo: Repo, secrets: Secrets) -> None:
    repo.commit("mail.txt", secrets.mail())
    entries = []
    for _ in range(2):
        assert keyleash("baseline", "create", cwd=repo.path).returncode == 0
        kept = files.parse((repo.path / FILE).read_bytes(), FILE)
        (entry,) = kept.entries.values()
        entries.append(entry)
        (repo.path / FILE).unlink()
    assert entries[0].rule == "aws-console-password"
    assert entries[0].fingerprint != entries[1].fingerprint
    assert entries[0].owner == "ann@example.org"


def test_the_baseline_may_be_named_configured_or_that_of_another_commit(repo: Repo, secrets: Secrets) -> None:
    repo.commit("k.txt", secrets.aws_file())
    base = repo.git("rev-parse", "HEAD")
    assert keyleash("baseline", "create", cwd=repo.path).returncode == 0
    repo.git("add", FILE)
    repo.git("commit", "-qm", "a pull request accepts its own")
    assert scanned(repo)[0] == 0
    assert scanned(repo, "--baseline-ref", base)[0] == 1  # which had none
    assert scanned(repo, "--baseline-ref", "HEAD")[0] == 0
    (repo.path / FILE).rename(repo.path / "other.yaml")
    assert scanned(repo)[0] == 1
    assert scanned(repo, "--baseline", "other.yaml")[0] == 0
    repo.write(".keyleash.yaml", "baseline: other.yaml\n")
    assert scanned(repo)[0] == 0
    assert "exclude each other" in keyleash("scan", "--baseline", "x", "--no-baseline", cwd=repo.path).stderr


def test_a_job_counts_with_the_baseline_or_with_that_of_its_base(repo: Repo, secrets: Secrets) -> None:
    repo.commit("a.txt", "x\n")
    repo.git("checkout", "-qb", "side")
    repo.commit("k.txt", secrets.aws_file())
    assert keyleash("baseline", "create", "--no-history", cwd=repo.path).returncode == 0
    repo.git("add", FILE)
    repo.git("commit", "-qm", "accept")
    own = keyleash("ci", "--base", "main", cwd=repo.path)
    assert (own.returncode, "2 credentials are accepted by the baseline." in own.stdout) == (0, True), own.stdout + own.stderr
    assert keyleash("ci", "--base", "main", "--baseline-ref", "main", cwd=repo.path).returncode == 1
    assert keyleash("ci", "--base", "main", "--no-baseline", cwd=repo.path).returncode == 1


def test_what_is_stale_expired_or_unknown_is_told_and_pruned(repo: Repo, secrets: Secrets) -> None:
    repo.commit("k.txt", secrets.aws_file())
    assert keyleash("baseline", "create", "--expires", FUTURE, cwd=repo.path).returncode == 0
    kept = files.parse((repo.path / FILE).read_bytes(), FILE)
    one, other = kept.entries.values()
    strange, gone = made("strange")[1][0]._replace(rule="aws-acess-key-id", reason="misspelt"), made("gone")[1][0]
    files.write(str(repo.path / FILE), kept.key, [one._replace(expires=PAST), other, strange, gone])
    result = keyleash("scan", cwd=repo.path)
    assert result.returncode == 1
    notes = [line for line in result.stdout.splitlines() if line.startswith("Note: ")]
    assert len(notes) == 3
    assert f"({one.rule}: not stated) expired on {PAST} and accepts nothing any more; 'keyleash baseline audit'" in notes[0]
    assert "is for a rule that is not known (did you mean 'aws-access-key-id'?); 'keyleash baseline prune'" in notes[1]
    assert "1 entry accepts what is not found any more; 'keyleash baseline prune' removes them" in notes[2]
    repo.stage("k.txt", (repo.path / "k.txt").read_text() + "\n")
    assert keyleash("hook", cwd=repo.path).stderr == ""  # nothing new is staged, so nothing is asked of the baseline
    text = (repo.path / "k.txt").read_text()
    repo.git("rm", "-qf", "k.txt")
    repo.git("commit", "-qm", "gone")
    repo.stage("copy.txt", text)  # it comes back, and so is news
    hook = keyleash("hook", cwd=repo.path)
    assert (hook.returncode, hook.stderr.count("expired on"), "not known" in hook.stderr) == (1, 1, False)

    pruned = keyleash("baseline", "prune", "--no-history", cwd=repo.path)
    assert f"{FILE}: 2 entries, 2 removed." in pruned.stdout
    assert "The history was not looked at" in pruned.stdout
    assert f"{FILE}: 1 entry, 1 removed." in keyleash("baseline", "prune", cwd=repo.path).stdout
    assert list(files.parse((repo.path / FILE).read_bytes(), FILE).entries) == [other.fingerprint]


def test_one_finding_is_accepted_by_its_id(repo: Repo, secrets: Secrets) -> None:
    repo.commit("a.txt", "x\n")
    repo.stage("k.txt", f"key = {secrets.aws_id()}\nother = {secrets.aws_id()}\n")
    hook = keyleash("hook", cwd=repo.path)
    command = re.search(r"keyleash (baseline update \w+ --staged --reason )'the reason'", hook.stderr)
    assert command, hook.stderr
    result = keyleash(*command[1].split(), "test data", cwd=repo.path)
    assert result.returncode == 0, result.stderr
    assert "made, with 1 entry" in result.stdout
    assert "Reason: test data." in result.stdout
    again = keyleash("hook", cwd=repo.path)
    assert (again.returncode, "it holds 1 credential." in again.stderr) == (1, True)
    id = re.search(r"baseline update (\w+)", again.stderr)
    assert id
    assert keyleash("baseline", "update", "--staged", id[1], cwd=repo.path).returncode == 0
    assert keyleash("hook", cwd=repo.path).returncode == 0
    assert "nothing that is found has an id that begins so" in keyleash("baseline", "update", "abcdef12", cwd=repo.path).stderr
    assert "give more digits" in keyleash("baseline", "update", "a", cwd=repo.path).stderr


# The file


def test_the_file_is_sorted_and_read_back_as_it_was_written() -> None:
    key, entries = made("file", 40)
    entries[3] = entries[3]._replace(reason='a "quoted": {text} # with\ttabs, \\ and ümläut 🔑', expires=FUTURE, owner="")
    text = files.format(key, entries)
    lines = [line for line in text.splitlines() if re.match("  [0-9a-f]{4}-", line)]
    assert lines == sorted(lines)
    assert len(lines) == 40
    read = files.parse(text.encode(), FILE)
    entries[3] = entries[3]._replace(reason=entries[3].reason.replace("\t", " "))
    assert (read.key, sorted(read.entries.values())) == (key, sorted(entries))
    assert files.draft(text.encode(), FILE).entries == tuple((files.tag(key), entry) for entry in sorted(entries))
    assert files.parse(files.format(key, []).encode(), FILE).entries == {}


def text_of(seed: object = "text") -> str:
    return files.format(*made(seed, 2))


def entry_line(text: str) -> str:
    return next(line for line in text.splitlines() if "rule:" in line)


BROKEN: dict[str, tuple[object, str]] = {
    "no YAML": (
        lambda: text_of() + "  x: [\n",
        r":\d+: not valid YAML: .*; restore the file with git, or 'keyleash baseline update'",
    ),
    "a conflict": (
        lambda: text_of() + "<<<<<<< HEAD\n",
        r":\d+: a merge left its conflict here; 'keyleash baseline update' joins",
    ),
    "an entry twice": (
        lambda: text_of() + entry_line(text_of()) + "\n",
        r":\d+: not valid YAML: the key '.{5}' stands twice; .*'keyleash baseline update' repairs",
    ),
    "two keys": (lambda: text_of() + text_of("other").splitlines()[3] + "\n", "the key 'key' stands twice.*baseline update"),
    "entries of another key": (
        lambda: text_of() + entry_line(text_of("other")) + "\n",
        r": 1 entry was made with another key than this file's \(.{12}…\); .*'keyleash baseline update' removes",
    ),
    "a list": (lambda: "- a\n", ":1: a baseline is a mapping with version, key, accepted; 'keyleash baseline create'"),
    "no key": (lambda: "version: 1\naccepted: {}\n", "field 'key' must be 64 hexadecimal digits; restore it with git"),
    "another version": (lambda: text_of().replace("version: 1", "version: 2"), "field 'version' must be 1; a newer"),
    "an unknown field": (lambda: text_of() + "accept: {}\n", r"field 'accept' is not known \(did you mean 'accepted'\?\)"),
    "an unknown field of an entry": (
        lambda: text_of().replace("owner:", "ownr:"),
        r":\d+: the entry '.*': field 'ownr' is not known \(did you mean 'owner'\?\)",
    ),
    "no reason": (lambda: text_of().replace('"reason 0"', '""'), r":\d+: the entry '.*': field 'reason' must be a text"),
    "a day that is none": (
        lambda: text_of().replace("owner:", "expires: '2026-02-30', owner:"),
        r":\d+: the entry '.*': field 'expires' must be a day, as in 2027-01-31",
    ),
    "a rule that is none": (lambda: text_of().replace("aws-access-key-id", "AWS!"), "field 'rule' must be the id of a rule"),
    "an entry that is a word": (lambda: text_of() + "  abcdef: {}\n", "the entry 'abcdef' is no fingerprint"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_said_in_one_line_with_the_remedy(name: str) -> None:
    text, said = BROKEN[name]
    assert callable(text)
    with pytest.raises(BaselineError, match=said) as problem:
        files.parse(text().encode(), FILE)
    assert str(problem.value).startswith(FILE)
    assert "\n" not in str(problem.value)


def test_a_broken_baseline_stops_a_scan_and_a_hook_that_found_something(repo: Repo, secrets: Secrets) -> None:
    repo.commit("a.txt", "x\n")
    repo.write(FILE, text_of() + "<<<<<<< HEAD\n")
    scan = keyleash("scan", "--no-history", cwd=repo.path)
    assert (scan.returncode, scan.stdout) == (2, "")
    assert scan.stderr.startswith("keyleash: ")
    assert "a merge left its conflict here" in scan.stderr
    repo.stage("k.txt", secrets.aws_file())
    assert keyleash("hook", cwd=repo.path).returncode == 2
    (repo.path / FILE).unlink()
    (repo.path / FILE).symlink_to("/etc/hostname")
    assert "is a symbolic link" in keyleash("scan", "--no-history", cwd=repo.path).stderr
    missing = keyleash("scan", "--baseline", "none.yaml", cwd=repo.path)
    assert (missing.returncode, "none.yaml: cannot read the baseline: No such file" in missing.stderr) == (2, True)


MISTAKES = {
    "create over another": (["create"], "exists already; 'keyleash baseline update' adds to it"),
    "a day that is none": (
        ["update", "--expires", "soon"],
        "--expires soon: name a day, as in 2027-01-31, or a number",
    ),
    "an audit without a terminal": (["audit"], "an audit asks on a terminal, and here is none"),
    "an import of nothing": (["import", "none.json"], "none.json: cannot be read: No such file"),
    "an import of something else": (["import", "a.json"], "a.json: is neither a report of gitleaks"),
    "an import of a broken report": (
        ["import", "b.json"],
        "b.json: is no report of gitleaks and none of detect-secrets: line 1",
    ),
    "an import of another list": (
        ["import", "c.json"],
        "c.json: is no report of gitleaks and none of detect-secrets: a field",
    ),
    "an import of a text": (["import", "d.txt"], "d.txt:1: is no entry of .gitleaksignore"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_one_clear_line(name: str, repo: Repo) -> None:
    arguments, said = MISTAKES[name]
    repo.commit("a.txt", "x\n")
    repo.write(FILE, text_of())
    for file, content in {"a.json": "{}", "b.json": '["\n', "c.json": '[{"a": 1}]', "d.txt": "hello\n"}.items():
        repo.write(file, content)
    result = keyleash("baseline", *arguments, "--no-history", cwd=repo.path)
    assert result.returncode == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_without_a_repository_or_a_file_a_baseline_says_what_to_do(tmp_path: Path, repo: Repo) -> None:
    (tmp_path / "plain").mkdir()
    assert "belongs to a repository with files" in keyleash("baseline", "create", cwd=tmp_path / "plain").stderr
    assert "is not there yet; 'keyleash baseline create'" in keyleash("baseline", "update", cwd=repo.path).stderr


def test_a_note_is_told_for_few_entries_and_counted_for_many() -> None:
    key, entries = made("many", 9)
    kept = baseline.Baseline(key, {entry.fingerprint: entry._replace(expires=PAST) for entry in entries}, FILE)
    report = Report((), (), Coverage(), rules=None)  # type: ignore[arg-type]
    notes = kept.applied(report, "2026-01-01", known=["aws-access-key-id"]).coverage.notes
    assert len(notes) == baseline.MORE + 1
    assert notes[-1] == f"{FILE}: more entries have expired: 4"


PIECES = ["", "\n", " ", "x: ", "- ", "{", "[", '"', "<<<<<<< a\n", "\0", "\xff", "*a", "0"]
CHANGES = st.lists(st.tuples(st.floats(0, 1), st.sampled_from(PIECES), st.integers(0, 9)), max_size=4)


@hypothesis.settings(max_examples=80)
@hypothesis.given(st.sampled_from(range(3)), CHANGES)
def test_whatever_a_file_holds_is_read_or_refused(kind: int, changes: list[tuple[float, str, int]]) -> None:
    text = [text_of(), "", "a:\n- b: {c: d}\n"][kind]
    for place, fresh, gone in changes:
        at = int(place * len(text))
        text = text[:at] + fresh + text[at + gone :]
    for reader in (files.parse, files.draft):
        try:
            reader(text.encode("latin-1", "replace"), FILE)
        except BaselineError as problem:
            assert "\n" not in str(problem)


# Merging


def branch(repo: Repo, name: str, start: str, key: bytes, entries: list[Entry]) -> None:
    repo.git("checkout", "-q", "-B", name, start)
    files.write(str(repo.path / FILE), key, entries)
    repo.git("commit", "-qam", name)


@pytest.mark.parametrize("size", [0, 3, 40])
def test_two_branches_that_each_add_an_entry_merge_in_nine_of_ten_cases_and_update_repairs_one(size: int, repo: Repo) -> None:
    cases, conflicts = 40, 0
    for case in range(cases):
        key, entries = made((size, case), size + 2)
        base, ours, theirs = entries[:-2], entries[:-1], [*entries[:-2], entries[-1]]
        repo.git("checkout", "-q", "--orphan", f"case{case}")
        files.write(str(repo.path / FILE), key, base)
        repo.git("add", FILE)
        repo.git("commit", "-qm", "base")
        branch(repo, "theirs", f"case{case}", key, theirs)
        branch(repo, "ours", f"case{case}", key, ours)
        repo.git("merge", "-q", "theirs", check=False)
        if repo.git("status", "--porcelain"):
            conflicts += 1
            with pytest.raises(BaselineError, match="keyleash baseline update"):
                files.parse((repo.path / FILE).read_bytes(), FILE)
            result = keyleash("baseline", "update", cwd=repo.path)
            assert result.returncode == 0, result.stderr
            assert "Nothing new was accepted" in result.stdout
            repo.git("add", FILE)
            repo.git("commit", "-qm", "repaired")
        merged = (repo.path / FILE).read_text()
        assert merged == files.format(key, entries)
    assert conflicts <= cases / 10


def test_update_repairs_a_conflict_of_every_style_and_what_a_union_left(repo: Repo) -> None:
    key, (one, other) = made("conflict", 2)
    other = other._replace(fingerprint=one.fingerprint[:2] + other.fingerprint[2:])
    lines = {entry: entry_line(files.format(key, [entry])) for entry in (one, other)}
    later = lines[one].replace('reason: "reason 0"', f'expires: {FUTURE}, reason: "other words"')
    ancestor = f"  0000-{'0' * 32}: {{rule: a-b, reason: gone}}"
    empty = files.format(key, [])
    place = f"  # {one.fingerprint[0]}\n"
    for middle in (
        f"<<<<<<< HEAD\n{lines[one]}\n=======\n{lines[other]}\n>>>>>>> side\n",
        f"<<<<<<< HEAD\n{lines[one]}\n||||||| base\n{ancestor}\n=======\n{lines[other]}\n>>>>>>> side\n",
        f"{lines[other]}\n{lines[one]}\n{lines[one]}\n",
    ):
        repo.write(FILE, empty.replace(place, place + middle))
        repo.git("init", "-q")
        assert keyleash("baseline", "update", "--no-history", cwd=repo.path).returncode == 0
        assert (repo.path / FILE).read_text() == files.format(key, [one, other])
    repo.write(FILE, empty.replace(place, f"{place}<<<<<<< a\n{lines[one]}\n=======\n{later}\n>>>>>>> b\n"))
    assert keyleash("baseline", "update", cwd=repo.path).returncode == 0
    assert (repo.path / FILE).read_text() == files.format(key, [one._replace(expires=FUTURE)])  # the stricter of both
    repo.write(FILE, empty + "what is this\n<<<<<<< a\n")
    refused = keyleash("baseline", "update", cwd=repo.path)
    assert (refused.returncode, "is no entry of a baseline; correct the line" in refused.stderr) == (2, True)


def test_two_branches_that_each_begin_a_baseline_are_joined_under_one_key(repo: Repo, secrets: Secrets) -> None:
    repo.commit("a.txt", "x\n")
    for name in ("side", "main"):
        repo.git("checkout", "-q", *(["-b", "side"] if name == "side" else ["main"]))
        repo.commit(f"{name}.txt", secrets.aws_file() + secrets.mail())
        assert keyleash("baseline", "create", "--no-history", "--reason", f"of {name}", cwd=repo.path).returncode == 0
        repo.git("add", FILE)
        repo.git("commit", "-qm", "accept")
    repo.git("merge", "-q", "side", check=False)
    result = keyleash("baseline", "update", cwd=repo.path)
    assert result.returncode == 0, result.stderr + result.stdout
    assert "repaired; 6 entries." in result.stdout
    entries = files.parse((repo.path / FILE).read_bytes(), FILE).entries.values()
    assert sorted(entry.reason for entry in entries) == ["of main"] * 3 + ["of side"] * 3
    assert scanned(repo)[0] == 0


def test_entries_of_another_key_are_removed_and_named(repo: Repo) -> None:
    repo.commit("a.txt", "x\n")
    strange = entry_line(text_of("other"))
    repo.write(FILE, text_of() + strange + "\n")
    result = keyleash("baseline", "update", cwd=repo.path)
    assert result.returncode == 0
    assert f"Removed: {strange.strip()[:13]} (aws-access-key-id: reason" in result.stdout
    assert (repo.path / FILE).read_text() == text_of()


# Auditing on a terminal


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, cwd: Path, *arguments: str) -> None:
        ours, theirs = pty.openpty()
        self._handle = ours
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scanner", *arguments], cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.shown = ""
        self._rest = ""

    def until(self, text: str) -> str:
        """Return what is shown up to a text, which has to come."""
        fresh = self._rest
        end = time.monotonic() + 60
        while text not in fresh:
            assert time.monotonic() < end, f"no {text!r} in {self.shown!r}"
            if select.select([self._handle], [], [], 0.2)[0]:
                try:
                    fresh += os.read(self._handle, 4096).decode("utf-8", "replace")
                except OSError:  # the other end is closed
                    assert text in fresh, fresh
        start, found, self._rest = fresh.partition(text)
        self.shown += start + found
        return start + found

    def press(self, keys: str) -> None:
        os.write(self._handle, keys.encode())

    def end(self) -> int:
        self.shown += self._rest
        try:
            while part := os.read(self._handle, 4096):
                self.shown += part.decode("utf-8", "replace")
        except OSError:
            pass
        os.close(self._handle)
        return self.process.wait(timeout=60)


@pytest.fixture
def audited(repo: Repo, secrets: Secrets) -> Iterator[tuple[Repo, str]]:
    secret = secrets.aws_secret()
    repo.commit("a.txt", f"aws_secret_access_key = {secret}\n")
    repo.commit("b.txt", f"key = {secrets.aws_id()}\nother = {secrets.aws_id()}\n")
    yield repo, secret


def test_an_audit_asks_of_each_finding_and_shows_a_secret_on_a_key_alone(audited: tuple[Repo, str]) -> None:
    repo, secret = audited
    terminal = Terminal(repo.path, "baseline", "audit", "--no-history", "--owner", "bob")
    first = terminal.until("[q]uit? ")
    assert "1 of 3" in first
    assert "a.txt:1:25" in first
    assert secret not in first
    terminal.press("v")
    assert secret in terminal.until("any key hides it ")
    terminal.press("x")
    hidden = terminal.until("[q]uit? ")
    assert "\x1b[2K" in hidden
    assert secret not in hidden
    terminal.press("a")
    terminal.until("reason [not stated]: ")
    terminal.press("a made-up value\n")
    terminal.until("[q]uit? ")
    assert [entry.reason for entry in files.parse((repo.path / FILE).read_bytes(), FILE).entries.values()] == [
        "a made-up value"
    ]
    terminal.press("r")
    terminal.until("[q]uit? ")
    terminal.press("s")
    assert terminal.end() == 1
    assert "Real: revoke these first" in terminal.shown
    assert "1 entry." in terminal.shown
    assert terminal.shown.count(secret) == 1

    again = Terminal(repo.path, "baseline", "audit", "--no-history", "--all")
    assert "accepted a made-up value (bob)" in again.until("[q]uit? ")
    again.press("r")
    again.until("2 of 3")
    again.until("[q]uit? ")
    again.press("q")
    assert again.end() == 1
    assert files.parse((repo.path / FILE).read_bytes(), FILE).entries == {}


def test_an_audit_that_is_interrupted_keeps_what_was_said(audited: tuple[Repo, str]) -> None:
    repo, _ = audited
    terminal = Terminal(repo.path, "baseline", "audit", "--no-history")
    terminal.until("[q]uit? ")
    terminal.press("a")
    terminal.until("reason [not stated]: ")
    terminal.press("\n")
    terminal.until("[q]uit? ")
    terminal.process.send_signal(2)
    assert terminal.end() == 130
    assert len(files.parse((repo.path / FILE).read_bytes(), FILE).entries) == 1


def test_a_baseline_costs_the_hook_no_slow_import(repo: Repo) -> None:
    repo.write(FILE, files.format(*made("hook", 200)))
    repo.stage("a.txt", "clean\n")
    assert keyleash("hook", cwd=repo.path).returncode == 0
    modules = imported_by_hook(repo)
    assert "scanner.baseline" in modules
    assert not (SLOW | {"hashlib", "secrets", "tempfile"}) & modules
    assert "scanner.baseline.file" not in modules
