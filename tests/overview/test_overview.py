"""Lists, exports and summaries of what a store knows; decisions that outlive further scans."""

from __future__ import annotations

import csv
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from scanner.errors import UsageError
from scanner.model import Skipped
from scanner.overview import from_store, since
from scanner.overview import markdown as summary
from scanner.overview.choice import Choice, chosen, moment
from scanner.overview.exports import cell, document
from scanner.overview.figures import by_year, exposure, longest, shared
from scanner.overview.reports import from_reports
from scanner.store import Store
from scanner.store.triage import decide
from tests.conftest import Repo, Secrets, keyleash
from tests.overview.made import HOSTILE, RULES, finding, keep, store_at
from tests.sinks.test_formats import oasis_schema

KNOWN = {rule.id: rule for rule in RULES.rules}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def kept(tmp_path: Path) -> str:
    both = finding("both", severity="critical", date="2020-01-01T00:00:00Z")
    return store_at(tmp_path / "kept", {
        "https://git.example.org/team/site.git": [both, finding("one", rule=1)],
        "https://git.example.org/team/api.git": [
            both, finding("odd", date="99999-01-01T00:00:00Z"), finding("none", date=None)
        ],
    })  # fmt: skip


def test_findings_are_chosen_by_repository_rule_severity_state_and_age(kept: str) -> None:
    overview = from_store(kept, KNOWN)

    def number(**wanted: object) -> int:
        return len(chosen(overview, Choice(**wanted)).findings)  # type: ignore[arg-type]

    assert number() == 4
    assert number(repositories=["team/site"]) == 2
    assert number(repositories=["*api*"]) == 3
    assert number(repositories=["sit"]) == 0
    assert number(rules=[RULES.rules[1].id]) == 1
    assert number(severities=["critical"]) == 1
    assert number(states=["open"]) == 4
    assert number(states=["revoked"]) == 0
    assert number(older=moment("2021-01-01")) == 1
    assert number(newer=moment("2021-01-01")) == 3  # those without a date are as old as the scan that found them
    (only,) = chosen(overview, Choice(["team/site"], severities=["critical"])).findings
    assert [one.repository for one in only.occurrences] == ["https://git.example.org/team/site.git"]


@pytest.mark.parametrize("text", ["", "90", "90x", "-1d", "2024-13-01", "99999y", "٣d"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no age"):
        moment(text)


def test_a_date_that_no_calendar_has_is_none(kept: str) -> None:
    dates = [since(one) for one in from_store(kept, KNOWN).findings]
    assert sorted(str(date) for date in dates) == ["2020-01-01 00:00:00+00:00", "2022-03-04 05:06:07+00:00", "None", "None"]


def test_decisions_are_kept_with_their_history_and_survive_further_scans(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    repo.commit("a.ini", secrets.aws_file())
    store = str(tmp_path / "kept")
    keyleash("scan", "--store", store, repo.path)
    listed = json.loads(keyleash("findings", "list", "--store", store, "--format", "json").stdout)
    id = listed["findings"][0]["fingerprint"]
    arguments = ("findings", "set", "--store", store, id[:8], "--who", "ann")
    assert keyleash(*arguments, "--state", "accepted", "--reason", "a test").returncode == 0
    assert keyleash(*arguments, "--state", "revoked", "--reason", "deleted in IAM").returncode == 0
    repo.commit("b.ini", secrets.aws_file())
    keyleash("scan", "--store", store, repo.path)
    again = json.loads(keyleash("findings", "list", "--store", store, "--format", "json").stdout)
    states = {one["fingerprint"]: one["state"] for one in again["findings"]}
    assert len(states) == 4
    assert states.pop(id) == "revoked"
    assert set(states.values()) == {"open"}
    shown = keyleash("findings", "show", "--store", store, id[:8], cwd=tmp_path).stdout
    assert shown.index("accepted  ann: a test") < shown.index("revoked  ann: deleted in IAM")
    assert "a.ini:" in shown
    assert len(keyleash("findings", "list", "--store", store, "--state", "revoked").stdout.splitlines()) == 2


def test_a_misspelt_fingerprint_changes_nothing(kept: str) -> None:
    good = from_store(kept, KNOWN).findings[0].fingerprint
    result = keyleash("findings", "set", "--store", kept, good, "0" * 12, "--state", "revoked", "--reason", "x")
    assert result.returncode == 2
    assert "no finding has a fingerprint that begins so" in result.stderr
    assert all(one.state == "open" for one in from_store(kept, KNOWN).findings)
    for id in ("", good[:5], "%"):
        assert "give more digits" in keyleash("findings", "show", "--store", kept, id).stderr
    empty = keyleash("findings", "set", "--store", kept, good, "--state", "revoked", "--reason", " ")
    assert (empty.returncode, "say why" in empty.stderr) == (2, True)


def test_asking_about_findings_makes_no_store(tmp_path: Path) -> None:
    for arguments in (("findings", "list"), ("report",), ("remedy", "0123456789")):
        result = keyleash(*arguments, "--store", tmp_path / "none")
        assert result.returncode == 2
        assert "there is no such file" in result.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", " =1", "\x00=1", "＝1"])
def test_no_cell_begins_a_formula(text: str) -> None:
    assert cell(text)[0] not in "=+-@\t\r＝"
    assert cell(text).lstrip()[0] not in "=+-@"


def test_csv_of_a_hostile_repository_holds_text_alone(tmp_path: Path) -> None:
    bad = finding("bad", path='=HYPERLINK("http://example.org")', author="@x\r\n,=1", evidence=("-1", HOSTILE))
    file = store_at(tmp_path / "kept", {"+repository": [bad]})
    out = tmp_path / "out.csv"
    assert keyleash("findings", "list", "--store", file, "--format", "csv", "--output", out).returncode == 0
    with out.open(newline="") as stream:
        head, row = list(csv.reader(stream))
    assert len(head) == len(row) == 18
    assert not [one for one in row if one.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert not [one for one in row if not one.isprintable()]
    assert dict(zip(head, row, strict=True))["repository"] == "'+repository"


def test_sarif_is_written_a_repository(kept: str, tmp_path: Path) -> None:
    arguments = ("findings", "list", "--store", kept, "--format", "sarif")
    several = keyleash(*arguments)
    assert (several.returncode, "written a repository, and here are 2" in several.stderr) == (2, True)
    assert keyleash(*arguments, "--output", tmp_path / "logs").returncode == 0
    logs = sorted((tmp_path / "logs").iterdir())
    results = [json.loads(log.read_text())["runs"][0]["results"] for log in logs]
    assert [len(one) for one in results] == [3, 2]  # api, site
    one = json.loads(keyleash(*arguments, "--repository", "team/site").stdout)
    assert one["runs"][0]["results"] == results[1]
    jsonschema.Draft4Validator(oasis_schema()).validate(one)


def test_a_store_is_summed_up_in_markdown(kept: str, tmp_path: Path) -> None:
    with Store(kept) as store:
        keep(store, HOSTILE, finding("bad", path=HOSTILE, author=HOSTILE), skipped=(Skipped("x" + HOSTILE, "why"),))
    overview = from_store(kept, KNOWN)
    text = summary.text(overview)
    assert "5 credentials in 3 repositories" in text
    assert "**Not everything was looked at**" in text
    assert "1 input skipped" in text
    assert "1 credential is in more than one repository; the widest in 2." in text
    assert "<" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    for line in text.splitlines():
        assert not line.startswith("|") or line.count("|") in (4, 8), line


def test_the_figures_count_what_there_is(kept: str) -> None:
    with Store(kept) as store:
        decide(store, finding("both").fingerprint, "revoked", "gone", "ann")
    overview = from_store(kept, KNOWN)
    assert [(bar.label, bar.number) for bar in by_year(overview)] == [("2020", 1), ("2021", 0), ("2022", 1), ("no commit", 2)]
    picture = exposure(overview, datetime.now(UTC))
    assert picture
    assert picture.undated == 2
    assert picture.rows[0][1] == 1
    assert max(count for _, count in picture.rows) == 2
    assert [one.known.fingerprint for one in longest(overview, NOW)] == [finding("one").fingerprint]  # the other is revoked
    assert [one.fingerprint for one in shared(overview)] == [finding("both").fingerprint]


def test_reports_of_scans_do_without_a_store(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    repo.commit("a.ini", secrets.aws_file())
    other = Repo(tmp_path / "other")
    other.commit("b.ini", (repo.path / "a.ini").read_text())
    files = [str(tmp_path / "first.json"), str(tmp_path / "second.json")]
    for file, path in zip(files, (repo.path, other.path), strict=True):
        assert keyleash("scan", "--format", "json", "--output", file, path).returncode == 1
    overview = from_reports(files, KNOWN)
    assert [len(one.occurrences) for one in overview.findings] == [2, 2]
    assert [one.name for one in overview.repositories] == ["first", "second"]
    result = keyleash("report", *files, "--format", "markdown")
    assert result.returncode == 0
    assert "2 credentials in 2 repositories" in result.stdout


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"schema": "keyleash/1"}', "[" * 100_000, '{"schema": "keyleash/1", "findings": [{"severity": "x"}]}',
     '{"schema":"keyleash/1","findings":[1],"skipped":[],"coverage":{},"tool":{}}', "\xff\x00"],
)  # fmt: skip
def test_what_is_no_report_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_text(content)
    with pytest.raises(UsageError, match=r"bad\.json: is no"):
        from_reports([str(file)], KNOWN)


def test_a_report_takes_a_store_or_reports(kept: str, tmp_path: Path) -> None:
    both = keyleash("report", "--store", kept, "x.json")
    assert (both.returncode, "name either a store" in both.stderr) == (2, True)
    assert "there is no such rule" in keyleash("report", "--store", kept, "--rule", "nonsense").stderr
    assert "cannot be read" in keyleash("report", tmp_path / "none.json").stderr
    assert "make it first" in keyleash("report", "--store", kept, "--output", tmp_path / "no" / "x.html").stderr


def test_the_export_names_what_was_not_looked_at(tmp_path: Path) -> None:
    with Store(str(tmp_path / "kept")) as store:
        keep(store, "a", skipped=(Skipped("big.zip", "too deep"),))
    exported = document(from_store(str(tmp_path / "kept"), KNOWN))
    assert exported["repositories"][0]["state"] == "incomplete"
    assert exported["skipped"] == [{"repository": "a", "what": "big.zip", "reason": "too deep"}]
    assert "Not wholly scanned: a (incomplete)" in keyleash("findings", "list", "--store", tmp_path / "kept").stdout
    assert os.stat(tmp_path / "kept").st_mode & 0o077 == 0
