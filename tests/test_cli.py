"""The command line as its user meets it: exit codes, one clear line for each mistake, quiet endings."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scanner import cli
from scanner.commands.scan import pair_outputs
from scanner.errors import UsageError
from scanner.examples import expand
from tests.conftest import ROOT, Repo, Secrets, keyleash
from tests.test_rules import GOOD


def test_a_clean_repository_exits_with_0_and_says_what_it_covered(repo: Repo) -> None:
    repo.commit("a.txt", "nothing here\n")
    result = keyleash("scan", repo.path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.fullmatch(r"No credential found in 1 file, 2 blobs, 1 commit, 1 ref, \d+ bytes with \d+ rules\.\n", result.stdout)
    assert result.stderr == ""


def test_a_finding_exits_with_1_and_says_where_what_and_what_to_do(repo: Repo, secrets: Secrets) -> None:
    repo.commit("keys/TEAM_key.txt", secrets.aws_file())
    result = keyleash("scan", repo.path)
    assert result.returncode == 1
    assert "keys/TEAM_key.txt:3:25: AWS secret access key" in result.stdout
    assert "Ann Author <ann@example.org>  2026-01-02T03:04:05+00:00" in result.stdout
    assert "aws iam update-access-key" in result.stdout


def test_exit_zero_is_for_findings_only(repo: Repo, secrets: Secrets) -> None:
    repo.stage("k.txt", secrets.aws_file())
    assert keyleash("scan", "--exit-zero", "--no-history", repo.path).returncode == 0
    repo.write("fine.txt", "x")
    assert keyleash("scan", "--exit-zero", repo.path).returncode == 2  # no commit yet: the history was not scanned


MISTAKES: dict[str, tuple[list[str], str]] = {
    "a path that does not exist": (["scan", "nowhere"], "nowhere: there is no such file or folder"),
    "not a repository": (["scan", "--staged", "plain"], "plain: is not a git repository, and --staged needs one"),
    "an unknown rule": (["scan", "--rule", "aws-secret-acces-key", "."], "(did you mean 'aws-secret-access-key'?)"),
    "an unknown excluded rule": (["scan", "--exclude-rule", "nope", "."], "no rule is called 'nope'"),
    "no rule left": (["scan", "--rule", "private-key", "--exclude-rule", "private-key", "."], "no rule is left"),
    "an output in no folder": (["scan", "-f", "json", "-o", "no/where.json", "."], "the folder"),
    "an output that is a folder": (["scan", "-f", "json", "-o", "plain", "."], "is a folder; name a file in it"),
    "an output without its format": (
        ["scan", "-f", "json", "-o", "a", "-o", "b", "."],
        "--output b: name its --format before it",
    ),
    "two formats in one place": (["scan", "-f", "json", "-f", "text", "."], "two formats cannot share standard output"),
    "an empty range": (["scan", "--range", "HEAD..HEAD"], "the range is empty: there was no commit to scan"),
    "a revision that does not exist": (["scan", "--range", "nope..HEAD"], "no commit is called 'nope'"),
    "a revision that is an option": (["scan", "--range=--output=x..HEAD"], "no commit is called '--output=x'"),
    "no range": (["scan", "--range", "HEAD"], "write it as A..B"),
    "a missing configuration": (
        ["scan", "--config", "none.yaml", "."],
        "none.yaml: cannot read the configuration: No such file",
    ),
    "a configuration that is no YAML": (["scan", "--config", "broken.yaml", "."], "broken.yaml:3: not valid YAML"),
    "an unknown section": (
        ["scan", "--config", "section.yaml", "."],
        "section.yaml:1: field 'rule' is not known (did you mean 'rules'?)",
    ),
    "an unknown key": (
        ["scan", "--config", "key.yaml", "."],
        "key.yaml:2: field 'rules.disabled' is not known (did you mean 'disable'?)",
    ),
    "a wrong value": (["scan", "--config", "value.yaml", "."], "value.yaml:2: field 'paths.exclude' must be a list of texts"),
    "a rule that does not exist": (
        ["scan", "--config", "rule.yaml", "."],
        "rule.yaml:2: field 'rules.disable': no rule is called 'aws'",
    ),
    "a key that stands twice": (
        ["scan", "--config", "twice.yaml", "."],
        "twice.yaml:3: not valid YAML: the key 'paths' stands twice",
    ),
    "a bare repository, staged": (["scan", "--staged", "bare"], "bare: is a bare repository; nothing can be staged there"),
    "a bare repository, files only": (["scan", "--no-history", "bare"], "bare: is a bare repository; it has no files"),
    "a repository with no commit": (["scan", "empty"], "the repository has no commit yet: there is no history to scan"),
    "an empty folder": (["scan", "plain"], "there was nothing to scan"),
    "two sources": (["scan", "--staged", "--stdin"], "--staged and --stdin exclude each other"),
    "a name without its input": (["scan", "--path", "x"], "it goes with --stdin"),
    "an unknown option": (["scan", "--verbos"], "unrecognized arguments: --verbos; see 'keyleash --help'"),
    "an unknown command": (["scna"], "invalid choice: 'scna'"),
    "no command": ([], "the following arguments are required: COMMAND"),
    "a rule file that does not exist": (["rules", "check", "none.yaml"], "none.yaml: cannot read the rules"),
    "an unknown rule to show": (["rules", "show", "private-keys"], "(did you mean 'private-key'?)"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repo = Repo(tmp_path_factory.mktemp("mistakes") / "repo")
    repo.commit("a.txt", "x\n")
    (repo.path / "broken.yaml").write_text("rules:\n  disable: [a\nb: ]: c\n")
    (repo.path / "section.yaml").write_text("rule: {}\n")
    (repo.path / "key.yaml").write_text("rules:\n  disabled: [private-key]\n")
    (repo.path / "value.yaml").write_text("paths:\n  exclude: vendor/\n")
    (repo.path / "rule.yaml").write_text("rules:\n  disable: [aws]\n")
    (repo.path / "twice.yaml").write_text("paths:\n  exclude: []\npaths: {}\n")
    outside = repo.path.parent
    (outside / "plain").mkdir()
    (repo.path / "plain").symlink_to(outside / "plain")
    repo.git("clone", "-q", "--bare", ".", "../bare")
    (repo.path / "bare").symlink_to(outside / "bare")
    Repo(outside / "empty")
    (repo.path / "empty").symlink_to(outside / "empty")
    return repo.path


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_one_clear_line_and_exit_2(name: str, place: Path) -> None:
    arguments, said = MISTAKES[name]
    result = keyleash(*arguments, cwd=place)
    printed = (result.stderr + result.stdout).splitlines()
    assert result.returncode == 2, printed
    assert len([line for line in printed if said in line]) == 1, printed
    assert "Traceback" not in result.stderr


def test_a_bare_repository_is_scanned_whole(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    repo.commit("k.txt", secrets.aws_file())
    repo.git("clone", "-q", "--mirror", ".", str(tmp_path / "mirror.git"))
    assert keyleash("scan", tmp_path / "mirror.git").returncode == 1


def test_a_shallow_clone_is_scanned_and_said_to_be_partial(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    repo.commit("a.txt", "one\n")
    repo.commit("a.txt", "two\n")
    repo.git("clone", "-q", "--depth=1", f"file://{repo.path}", str(tmp_path / "shallow"))
    result = keyleash("scan", tmp_path / "shallow")
    assert result.returncode == 2
    assert "the clone is shallow: commits before its boundary were not scanned" in result.stdout
    assert "not everything was scanned" in result.stdout


def test_a_corrupt_object_is_skipped_and_the_rest_is_scanned(repo: Repo, secrets: Secrets) -> None:
    repo.commit("bad.txt", "to be destroyed\n" * 50)
    repo.commit("k.txt", secrets.aws_file())
    id = repo.git("rev-parse", "HEAD:bad.txt")
    file = repo.path / ".git" / "objects" / id[:2] / id[2:]
    file.chmod(0o600)
    content = file.read_bytes()
    file.write_bytes(content[:25] + b"\0\0\0\0" + content[29:])
    result = keyleash("scan", "-f", "json", repo.path)
    report = json.loads(result.stdout)
    assert result.returncode == 1
    assert [row["what"] for row in report["skipped"]] == [f"object {id}"]
    assert "damaged" in report["skipped"][0]["reason"]
    assert {finding["rule"] for finding in report["findings"]} == {"aws-access-key-id", "aws-secret-access-key"}


def test_an_unreadable_file_is_skipped_and_the_rest_is_scanned(
    tmp_path: Path, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root can read everything, so the refusal is played by the call that reads."""
    from scanner.pipeline import scan
    from scanner.sources import tree

    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.txt").write_text(secrets.aws_file())
    real = os.open

    def refuse(path: str, *arguments: int) -> int:
        if str(path).endswith("a.txt"):
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments)

    monkeypatch.setattr("os.open", refuse)
    report = scan([tree.Folder(str(tmp_path))])
    assert [(os.path.basename(row.what), row.reason) for row in report.skipped] == [
        ("a.txt", "cannot be read: Permission denied")
    ]
    assert len(report.findings) == 2


def test_a_broken_pipe_ends_quietly(repo: Repo, secrets: Secrets) -> None:
    for number in range(200):
        repo.write(f"k{number}.txt", secrets.aws_file())
    result = subprocess.run(
        f"'{sys.executable}' -m scanner scan --no-history -f json '{repo.path}' | head -c 10",
        shell=True, capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert result.stdout.startswith("{")
    assert result.stderr == ""


def test_ctrl_c_ends_quietly_with_130(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "scanner", "scan", "--stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdin
    process.stdin.write(b"x" * (1 << 20))  # more than the pipe holds: done when the scan has begun to read
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, b"", b"")


def test_a_bug_is_exit_3_and_shows_no_scanned_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "hidden" + "value"

    def explode(options: object) -> int:
        local = secret
        raise ValueError(f"cannot digest {local}")

    monkeypatch.setattr("scanner.commands.scan.run", explode)
    assert cli.main(["scan"]) == 3
    printed = capsys.readouterr().err
    assert "this is a bug in Keyleash" in printed
    assert "ValueError" in printed
    assert secret not in printed


def test_git_missing_is_said(monkeypatch: pytest.MonkeyPatch, repo: Repo, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    assert cli.main(["scan", str(repo.path)]) == 2
    assert capsys.readouterr().err == "keyleash: git is not installed, or not on PATH\n"


def test_several_formats_in_one_run(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    repo.stage("k.txt", secrets.aws_file())
    result = keyleash("scan", "--no-history", "-f", "text", "-f", "json", "-o", tmp_path / "a.json", "-f", "sarif",
                      "-o", tmp_path / "a.sarif", repo.path)  # fmt: skip
    assert result.returncode == 1
    assert "2 credentials found" in result.stdout
    assert json.loads((tmp_path / "a.json").read_text())["schema"] == "keyleash/1"
    assert json.loads((tmp_path / "a.sarif").read_text())["version"] == "2.1.0"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a.json", "a.sarif"]


def test_outputs_pair_with_the_format_before_them() -> None:
    assert pair_outputs([]) == [("text", None)]
    assert pair_outputs([("output", "a")]) == [("text", "a")]
    assert pair_outputs([("output", "a"), ("format", "json")]) == [("json", "a")]
    with pytest.raises(UsageError, match="same --output file"):
        pair_outputs([("format", "json"), ("output", "a"), ("format", "sarif"), ("output", "./a")])


def test_quiet_says_nothing_when_clean(repo: Repo, secrets: Secrets) -> None:
    repo.commit("a.txt", "x\n")
    assert keyleash("scan", "--quiet", repo.path).stdout == ""
    repo.write("k.txt", secrets.aws_file())
    assert "credentials found" in keyleash("scan", "--quiet", repo.path).stdout


def test_standard_input_under_a_name(secrets: Secrets) -> None:
    result = keyleash("scan", "--stdin", "--path", "plan.json", stdin=secrets.aws_file().encode())
    assert result.returncode == 1
    assert "plan.json:3:25" in result.stdout


def test_rules_are_chosen_and_excluded(repo: Repo, secrets: Secrets) -> None:
    repo.stage("k.txt", secrets.aws_file() + secrets.pem())

    def found(*options: str) -> set[str]:
        report = json.loads(keyleash("scan", "--no-history", "-f", "json", *options, repo.path).stdout)
        return {finding["rule"] for finding in report["findings"]}

    assert found() == {"aws-access-key-id", "aws-secret-access-key", "private-key"}
    assert found("--rule", "private-key") == {"private-key"}
    assert found("--exclude-rule", "private-key") == {"aws-access-key-id", "aws-secret-access-key"}


def test_the_configuration_switches_rules_and_excludes_paths(repo: Repo, secrets: Secrets) -> None:
    repo.write(".keyleash.yaml", "rules:\n  disable: [private-key]\npaths:\n  exclude: ['vendor/', '*.sample']\n")
    repo.commit("vendor/k.txt", secrets.aws_file())
    repo.commit("deep/k.sample", secrets.aws_file())
    repo.commit("key.pem", secrets.pem())
    repo.commit("k.txt", secrets.aws_file())
    report = json.loads(keyleash("scan", "-f", "json", repo.path).stdout)
    assert {where["path"] for finding in report["findings"] for where in finding["locations"]} == {"k.txt"}
    assert report["coverage"]["notes"] == [
        "8 places of credentials are left out by the configuration",
        ".keyleash.yaml leaves out: the rules private-key",
    ]


def test_own_rules_are_read_from_the_configuration(repo: Repo) -> None:
    repo.write("own.yaml", GOOD)
    repo.write(".keyleash.yaml", "rules:\n  files: [own.yaml]\n")
    repo.write("a.txt", expand("badge ACME-{{digits:12}}"))
    report = json.loads(keyleash("scan", "--no-history", "-f", "json", repo.path).stdout)
    assert [finding["rule"] for finding in report["findings"]] == ["acme-badge"]
    assert keyleash("rules", "check", repo.path / "own.yaml").returncode == 0


def test_rules_check_names_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(GOOD.replace("'ACME-12'", "'ACME-{{digits:12}}'"))
    result = keyleash("rules", "check", tmp_path / "own.yaml")
    assert result.returncode == 2
    assert "own.yaml: rule 'acme-badge': negative 1 is found by the hyperscan engine" in result.stdout


@pytest.mark.parametrize("command", [[], ["scan"], ["hook"], ["rules"]])
def test_every_command_has_help(command: list[str]) -> None:
    result = keyleash(*command, "--help")
    assert result.returncode == 0
    assert result.stdout.startswith("usage: keyleash")


def test_version_and_rules(rules: object) -> None:
    assert keyleash("version").stdout.startswith("keyleash ")
    assert "aws-secret-access-key" in keyleash("rules", "list").stdout
    assert "What to do:" in keyleash("rules", "show", "private-key").stdout
