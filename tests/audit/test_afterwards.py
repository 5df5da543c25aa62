"""What a security lead does on a Monday: an audit of what is served, and then list, show, decide, export, report, remedy."""

from __future__ import annotations

import csv
import json
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audit.hub import Hub, serving
from tests.audit.made import bare, git
from tests.conftest import Secrets, keyleash

HOSTILE = "=1+cmd <script>alert(1)</script> \x1b[2J"


class Monday:
    """An organisation of two repositories, and a store where an audit puts it unless told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.hub, self.folder, secrets = Hub(folder / "hub"), folder, Secrets("monday")
        self.env = {"KEYLEASH_DATA": str(folder / "data")}
        self.pair = secrets.aws_file()
        first = [{"config.ini": self.pair.encode()}, {"config.ini": b"nothing"}]
        bare(self.hub.add("api"), [*first, {HOSTILE: secrets.aws_file().encode()}])
        bare(self.hub.add("site"), [{"deploy/id_rsa": secrets.pem().encode(), "config.ini": self.pair.encode()}], start=50_000)

    def audit(self) -> subprocess.CompletedProcess[str]:
        urls = [f"{self.hub.address}/acme/{name}.git" for name in self.hub.rows]
        return keyleash("audit", "--cache", self.folder / "clones", *urls, env=self.env)

    def run(self, *arguments: str | Path, code: int = 0) -> str:
        result = keyleash(*arguments, env=self.env)
        assert result.returncode == code, result.stderr
        return result.stderr if code else result.stdout

    def listed(self, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("findings", "list", "--format", "json", *arguments))["findings"]
        return found


@pytest.fixture(scope="module")
def monday(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monday]:
    made = Monday(tmp_path_factory.mktemp("monday"))
    with serving(made.hub):
        result = made.audit()
        assert result.returncode == 1, result.stderr
        yield made


def test_what_an_audit_found_is_listed_shown_and_exported(monday: Monday, tmp_path: Path) -> None:
    everything = monday.listed()
    kinds = {one["rule"] for one in everything}
    assert {"aws-secret-access-key", "private-key"} <= kinds
    text = monday.run("findings", "list", "--severity", "critical", "--severity", "high", "--state", "open")
    id = next(one["fingerprint"] for one in everything if len(one["occurrences"]) == 2)
    assert id[:12] in text
    shown = monday.run("findings", "show", id[:8])
    assert all(f"{monday.hub.address}/acme/{name}.git: 1 place" in shown for name in ("api", "site"))
    assert "taken away by" in shown  # in one, and
    assert "still in main" in shown
    assert {one["rule"] for one in monday.listed("--repository", "acme/api")} == kinds - {"private-key"}
    assert [one["rule"] for one in monday.listed("--newer-than", "2026-01-01")] == ["private-key"]
    rows = list(csv.DictReader(monday.run("findings", "list", "--format", "csv").splitlines()))
    assert len(rows) == sum(len(one["occurrences"]) for one in everything)
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    assert any("script" in row["place"] for row in rows)
    monday.run("findings", "list", "--format", "sarif", "--output", tmp_path / "sarif")
    logs = [json.loads(file.read_text()) for file in (tmp_path / "sarif").iterdir()]
    assert len(logs) == 2
    assert all(log["version"] == "2.1.0" and log["runs"][0]["results"] for log in logs)
    said = text + shown + str(rows) + str(logs)
    assert monday.pair.split()[-1] not in said
    assert "\x1b" not in text + shown


def test_a_report_of_an_audit_names_all_repositories(monday: Monday, tmp_path: Path) -> None:
    monday.run("report", "--output", tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "acme/api.git" in page
    assert "<script>alert" not in page
    assert "in 2 repositories" in monday.run("report", "--format", "markdown")


def test_a_remedy_reads_the_clone_of_the_audit(monday: Monday, tmp_path: Path) -> None:
    (one,) = [one for one in monday.listed("--rule", "aws-secret-access-key") if len(one["occurrences"]) == 2]
    said = monday.run(
        "remedy", one["fingerprint"], "--cache", monday.folder / "clones", "--replacements", tmp_path / "replacements.txt"
    )
    *_, key_id, secret = (word for line in monday.pair.splitlines() for word in line.split()[-1:])
    assert f"--access-key-id {key_id}" in said
    assert secret not in said
    assert stat.S_IMODE((tmp_path / "replacements.txt").stat().st_mode) == 0o600
    command = re.findall(r"git -C cleaned.git (filter-repo .*)", said)[0].split()
    git("clone", "-q", "--mirror", str(monday.hub.root / "acme" / "api.git"), str(tmp_path / "cleaned.git"))
    rewriting = [sys.executable, "-m", "git_filter_repo", *command[1:], "--force"]
    subprocess.run(rewriting, cwd=tmp_path / "cleaned.git", check=True, capture_output=True)
    cleaned = keyleash("scan", "--rule", "aws-secret-access-key", tmp_path / "cleaned.git")
    assert f"{secret[:4]}…" not in cleaned.stdout
    assert "1 credential" in cleaned.stdout
    monday.run("remedy", one["fingerprint"], "--cache", tmp_path, "--replacements", tmp_path / "x", code=2)


def test_decisions_outlive_the_next_audit(monday: Monday) -> None:
    (one,) = monday.listed("--rule", "private-key")
    said = monday.run("findings", "set", one["fingerprint"][:10], "--state", "revoked", "--reason", "replaced", "--who", "ann")
    assert "open -> revoked" in said
    again = monday.audit()
    assert "2 unchanged" in again.stdout
    assert "1 other decided upon" in again.stdout
    assert [other["fingerprint"] for other in monday.listed("--state", "revoked")] == [one["fingerprint"]]
    assert "replaced" in monday.run("findings", "show", one["fingerprint"])
