"""One test for each bug that was found, named by what went wrong."""

from __future__ import annotations

import ast
import io
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

from scanner.examples import expand
from scanner.group import Groups, fingerprint, recallable
from scanner.model import Location, Match, Origin
from scanner.rules import load_builtin
from tests.conftest import ROOT, Find, Repo, Secrets, keyleash
from tests.test_rules import GOOD


def test_every_imported_library_is_a_declared_dependency() -> None:
    """pathspec was imported for excluded paths and came only with a developer's tools."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [entry for extra, entries in project["optional-dependencies"].items() if extra != "test" for entry in entries]
    libraries = {entry.split(">")[0].split(";")[0].strip().lower() for entry in project["dependencies"] + extras}
    imported_as = {"pyyaml": "yaml", "pygithub": "github", "python-gitlab": "gitlab"}
    declared = {imported_as.get(name, name) for name in libraries}
    used = set()
    for file in (ROOT / "scanner").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            used |= {name.split(".")[0] for name in names}
    assert used - set(sys.stdlib_module_names) - {"scanner", "__future__"} <= declared


def test_a_hook_with_a_subset_of_names_scans_only_these(repo: Repo, secrets: Secrets) -> None:
    repo.stage("named.txt", "clean\n")
    repo.stage("left-out.txt", secrets.aws_file())
    assert keyleash("hook", "named.txt", cwd=repo.path).returncode == 0
    assert keyleash("hook", "named.txt", "left-out.txt", cwd=repo.path).returncode == 1


def test_a_conflict_resolved_to_ours_does_not_bring_up_an_old_secret(repo: Repo, secrets: Secrets) -> None:
    old = secrets.aws_file()
    repo.commit("f.txt", old + "base\n")
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("f.txt", old + "side\n")
    repo.git("checkout", "-q", "main")
    repo.commit("f.txt", old + "main\n")
    repo.git("merge", "side", check=False)
    assert keyleash("scan", "--staged", cwd=repo.path).returncode == 2  # unmerged: nothing of it is staged
    repo.git("checkout", "--ours", "f.txt")
    repo.git("add", "f.txt")
    assert keyleash("hook", "f.txt", cwd=repo.path).returncode == 0


def test_a_submodule_among_the_names_does_not_change_what_is_scanned(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    other = Repo(tmp_path / "other")
    other.commit("a.txt", "x")
    repo.commit("old.txt", secrets.aws_file())
    repo.git("submodule", "--quiet", "add", str(other.path), "sub")
    repo.stage("old.txt", (repo.path / "old.txt").read_text() + "# more\n")
    assert keyleash("hook", "old.txt", "sub", ".gitmodules", cwd=repo.path).returncode == 0


def test_a_named_file_that_is_not_there_is_not_clean(repo: Repo) -> None:
    result = keyleash("hook", "nosuch.txt", cwd=repo.path)
    assert result.returncode == 2
    assert "nosuch.txt: there is no such file" in result.stderr


def test_an_excluded_path_is_not_reported_as_skipped(repo: Repo) -> None:
    repo.write("vendor/a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(100))
    repo.write("a.txt", "x\n")
    assert keyleash("scan", "--no-history", repo.path).returncode == 2
    repo.write(".keyleash.yaml", "paths:\n  exclude: [vendor/]\n")
    assert keyleash("scan", "--no-history", repo.path).returncode == 0


def test_the_configuration_of_the_repository_counts_below_its_top(repo: Repo, secrets: Secrets) -> None:
    repo.write(".keyleash.yaml", "rules:\n  disable: [private-key]\n")
    repo.commit("sub/key.pem", secrets.pem())
    assert keyleash("scan", "sub", cwd=repo.path).returncode == 0


def test_without_a_path_the_repository_around_is_scanned_whole(repo: Repo, secrets: Secrets) -> None:
    repo.commit("k.txt", secrets.aws_file())
    repo.git("rm", "-q", "k.txt")
    repo.commit("sub/a.txt", "x\n")
    result = keyleash("scan", cwd=repo.path / "sub")
    assert result.returncode == 1
    assert "k.txt:3:25" in result.stdout


def test_a_redacted_secret_drives_no_terminal(repo: Repo) -> None:
    repo.write(
        "own.yaml",
        GOOD.replace("(?P<secret>[0-9]{12})", "(?P<secret>.{24})").replace("ACME-{{digits:12}}", "ACME-{{digits:24}}"),
    )
    repo.write(".keyleash.yaml", "rules:\n  files: [own.yaml]\n")
    repo.write("a.txt", b"ACME-\x1b[2J" + expand("{{alnum:20}}").encode() + b"\n")
    for name in ("text", "json", "sarif", "github"):
        result = keyleash("scan", "--no-history", "-f", name, repo.path)
        assert result.returncode == 1
        assert "\x1b" not in result.stdout


def test_a_long_line_of_console_words_takes_no_quadratic_time(find: Find) -> None:
    start = time.process_time()
    find("awsapps.com/start password " * 8000)
    assert time.process_time() - start < 5


WRONG = {
    "a date that is none": ("paths:\n  exclude: [2026-13-45]\n", "not valid YAML"),
    "a pattern that is none": ("paths:\n  exclude: ['!']\n", "field 'paths.exclude'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_value_that_a_library_refuses_is_no_bug_of_ours(name: str, repo: Repo) -> None:
    text, said = WRONG[name]
    repo.write(".keyleash.yaml", text)
    result = keyleash("scan", "--no-history", repo.path)
    assert result.returncode == 2
    assert said in result.stderr


def test_an_empty_example_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(GOOD.replace("examples: ['ACME-{{digits:12}}']", "examples: ['']"))
    result = keyleash("rules", "check", tmp_path / "own.yaml")
    assert (result.returncode, "field 'examples': has an empty text" in result.stderr) == (2, True)
    (tmp_path / "none").mkdir()
    assert keyleash("rules", "check", tmp_path / "none").returncode == 2


def test_a_full_standard_output_is_no_bug_of_ours(repo: Repo, secrets: Secrets) -> None:
    import subprocess

    repo.write("k.txt", secrets.aws_file())
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "scanner", "scan", "--no-history", str(repo.path)], stdout=full, stderr=subprocess.PIPE,
            cwd=ROOT, text=True, check=False,
        )  # fmt: skip
    assert result.returncode == 2
    assert "standard output: cannot be written" in result.stderr


def test_empty_standard_input_is_not_clean() -> None:
    assert keyleash("scan", "--stdin", stdin=b"").returncode == 2


def test_a_dash_is_standard_output(repo: Repo) -> None:
    repo.write("a.txt", "x\n")
    result = keyleash("scan", "--no-history", "-f", "json", "-o", "-", repo.path, cwd=repo.path)
    assert result.stdout.startswith("{")
    assert not (repo.path / "-").exists()


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nothing")
    assert "is a symbolic link to nothing" in keyleash("scan", tmp_path / "link").stderr


def test_a_zip_in_a_folder_is_read_and_its_way_is_shown(tmp_path: Path, secrets: Secrets) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a\x1b.env", secrets.aws_file())
    (tmp_path / "a.zip").write_bytes(data.getvalue())
    result = keyleash("scan", tmp_path)
    assert "zip > a\\x1b.env" in result.stdout


def test_a_crafted_absolute_path_in_the_index_is_not_followed(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text(secrets.aws_file())
    outside = str(tmp_path / "outside.txt")
    name = "x" * len(outside)
    repo.stage(name, "clean\n")
    (repo.path / name).unlink()
    index = repo.path / ".git" / "index"
    content = index.read_bytes().replace(name.encode(), outside.encode())[:-20]
    import hashlib

    index.write_bytes(content + hashlib.sha1(content).digest())
    result = keyleash("scan", "--no-history", repo.path)
    assert "AWS" not in result.stdout
    assert result.returncode == 2


def test_a_device_that_is_named_is_not_clean(tmp_path: Path, secrets: Secrets) -> None:
    (tmp_path / "a.txt").write_text("x\n")
    result = keyleash("scan", "/dev/null", tmp_path / "a.txt")
    assert result.returncode == 2
    assert "is neither a file nor a folder" in result.stdout


def test_a_truncated_index_of_a_pack_loses_that_pack_alone(repo: Repo, secrets: Secrets) -> None:
    for number in range(20):
        repo.commit(f"{number}.txt", f"{number}\n")
    repo.git("gc", "-q")
    repo.write("k.txt", secrets.aws_file())
    (index,) = (repo.path / ".git" / "objects" / "pack").glob("*.idx")
    index.chmod(0o600)
    for size in (1001, 1100, 1500):
        index.write_bytes(index.read_bytes()[:size].ljust(size, b"\0"))
        result = keyleash("scan", repo.path)
        assert result.returncode == 1, result.stderr
        assert "Skipped" in result.stdout


def test_a_git_link_with_a_nul_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".git").write_bytes(b"gitdir: a\0b\n")
    assert keyleash("scan", tmp_path).returncode == 2


def test_a_configuration_shows_no_secret_and_leads_nowhere_out(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    secret = secrets.aws_secret().replace("/", "a").replace("+", "b")
    for text in (f"{secret}: 1\n", f"rules:\n  {secret}: []\n", f"? [{secret}]\n: 1\n"):
        repo.write(".keyleash.yaml", text)
        result = keyleash("scan", "--no-history", repo.path)
        assert result.returncode == 2
        assert secret not in result.stderr
    repo.write(".keyleash.yaml", "rules:\n  files: [../own.yaml]\n")
    (tmp_path / "own.yaml").write_text(GOOD)
    assert "leads out of the repository" in keyleash("scan", "--no-history", repo.path).stderr
    (repo.path / ".keyleash.yaml").unlink()
    (repo.path / ".keyleash.yaml").symlink_to("/dev/null")
    (repo.path / "own.yaml").symlink_to("/dev/zero")
    (repo.path / ".keyleash.yaml").unlink()
    repo.write(".keyleash.yaml", "rules:\n  files: [own.yaml]\n")
    assert keyleash("scan", "--no-history", repo.path).returncode == 2


def test_an_openssh_key_with_a_compressed_point_is_no_crash(find: Find) -> None:
    """cryptography raises NotImplementedError for it, found by fuzzing."""
    import base64
    from struct import pack

    def field(data: bytes) -> bytes:
        return pack(">I", len(data)) + data

    public = field(b"ecdsa-sha2-nistp256") + field(b"nistp256") + field(b"\x02" + bytes(range(32)))
    kdf = field(bytes(range(16))) + pack(">I", 16)
    data = b"openssh-key-v1\0" + field(b"aes256-ctr") + field(b"bcrypt") + field(kdf) + pack(">I", 1) + field(public)
    text = base64.encodebytes(data + field(bytes(range(160)))).decode()
    label = "OPENSSH PRIVATE KEY"
    (match,) = find(f"-----BEGIN {label}-----\n{text}-----END {label}-----\n")
    assert match.severity == "medium"


def test_a_template_in_a_netrc_file_is_no_password(find: Find, secrets: Secrets) -> None:
    """Only one that began the value was known as a template."""
    line = "machine git.acme.io login team7 {} {}\n"
    assert find(line.format("password", "pat_{{ token }}")) == []
    assert len(find(line.format("password", secrets.password()))) == 1


def test_what_is_recalled_and_met_again_is_one_finding() -> None:
    """Fingerprints are made at the end of a scan, many in threads: a credential had two groups before they were."""
    rules = {rule.id: rule for rule in load_builtin().rules}
    rule = rules["generic-password"]
    where = Location(1, 1, 1, 9, Origin("file", "a.txt"))
    met = [Match(rule, 0, 8, b"made up %d" % number, ("said",), "low", "high") for number in range(20)]
    groups = Groups()
    groups.recall(recallable(met[3]._replace(confidence="medium"), where._replace(line=7), fingerprint(met[3])))
    for match in met:
        groups.put(match, where)
    found, _ = groups.findings({})
    assert {one.fingerprint for one in found} == set(map(fingerprint, met))
    (both,) = [one for one in found if one.fingerprint == fingerprint(met[3])]
    assert ([place.line for place in both.locations], both.confidence, both.severity) == ([1, 7], "medium", "high")


def test_one_blank_before_a_password_is_enough_wherever_it_stands(find: Find) -> None:
    """Hyperscan met `\\n[ \\t]{1,16}password` with one blank only near the beginning of a text."""
    for before in range(64):
        found = find("x" * before + "\nline vty 0 4\n exec-timeout 5 0\n password " + "Kq7iHTe5BuTR" + "\n login local\n")
        assert [match.rule.id for match in found] == ["directive-password"], before
