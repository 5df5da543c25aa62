"""What to do about a credential, and a history from which the real git-filter-repo takes it out."""

from __future__ import annotations

import base64
import io
import json
import shlex
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Repo, Secrets, keyleash


def known(store: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(keyleash("findings", "list", "--store", store, "--format", "json").stdout)[
        "findings"
    ]
    return found


def of_rule(store: Path, rule: str) -> str:
    (id,) = [one["fingerprint"] for one in known(store) if one["rule"] == rule]
    return str(id)


def remedy(store: Path, id: str, *more: str | Path) -> subprocess.CompletedProcess[str]:
    return keyleash("remedy", id, "--store", store, *more)


def cleaned(repo: Repo, said: str, tmp_path: Path) -> Path:
    """Carry out what the remedy says, line by line, with the git-filter-repo of this Python."""
    for line in said.splitlines():
        command = shlex.split(line, comments=True) if line.startswith("       git ") else []
        if command[:2] == ["git", "clone"] or "filter-repo" in command:
            if "filter-repo" in command:
                command = [sys.executable, "-m", "git_filter_repo", *command[4:]]
            where = tmp_path if command[0] == "git" else tmp_path / "cleaned.git"
            done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
    return tmp_path / "cleaned.git"


def all_objects(git_dir: Path) -> bytes:
    return subprocess.run(
        ["git", "cat-file", "--batch", "--batch-all-objects"], cwd=git_dir, capture_output=True, check=True
    ).stdout


def packed(name: str, text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return out.getvalue()


def test_a_secret_is_taken_out_of_a_history_wherever_it_stands(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    id, secret, other = secrets.aws_id(), secrets.aws_secret(), secrets.aws_file()
    text = f"[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
    repo.commit("plain.ini", text + "keep = this\n")
    repo.commit("encoded.txt", "data: " + base64.b64encode(text.encode()).decode() + "\n")
    repo.commit("wide.txt", text.encode("utf-16"))
    repo.commit("packed.zip", packed("a.ini", text))
    repo.commit("other.ini", other)
    repo.commit("plain.ini", "keep = this\n", message=f"it was aws_access_key_id = {id}, aws_secret_access_key = {secret}")
    repo.git("tag", "-a", "v1", "-m", f"aws_secret_access_key = {secret}")
    store, file = tmp_path / "kept", tmp_path / "replacements.txt"
    assert keyleash("scan", "--store", store, repo.path).returncode == 1
    (print,) = [
        one["fingerprint"]
        for one in known(store)
        if one["rule"] == "aws-secret-access-key" and len(one["occurrences"][0]["locations"]) > 3
    ]
    result = remedy(store, print[:10], "--replacements", file)
    assert result.returncode == 0, result.stderr
    assert secret not in result.stdout + result.stderr
    assert "Rotation comes first" in result.stdout
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(Path(f"{file}.blobs").stat().st_mode) == 0o600
    assert len(Path(f"{file}.blobs").read_text().split()) >= 2  # UTF-16 and the archive
    clean = cleaned(repo, result.stdout, tmp_path)
    report = json.loads(keyleash("scan", "--format", "json", clean).stdout)
    redacted = f"{secret[:4]}…{secret[-4:]}"
    assert redacted not in {one["redacted"] for one in report["findings"]}
    assert len([one for one in report["findings"] if one["rule"] == "aws-secret-access-key"]) == 1  # of other.ini
    objects = all_objects(clean)
    assert secret.encode() not in objects
    assert b"keep = this" in objects
    assert b"***REMOVED***" in objects


def test_a_private_key_of_many_lines_is_taken_out(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    pem = secrets.pem()
    repo.commit("key.pem", pem)
    repo.commit("in.yaml", "key: |\n" + "".join(f"  {line}\n" for line in pem.splitlines()) + "other: stays\n")
    repo.commit("dos.pem", pem.replace("\n", "\r\n"))
    repo.commit("one.json", json.dumps({"key": pem}))
    store, file = tmp_path / "kept", tmp_path / "replacements.txt"
    keyleash("scan", "--store", store, repo.path)
    result = remedy(store, of_rule(store, "private-key"), "--replacements", file)
    assert result.returncode == 0, result.stderr
    assert not Path(f"{file}.blobs").exists()
    clean = cleaned(repo, result.stdout, tmp_path)
    assert keyleash("scan", clean).returncode == 0
    assert b"other: stays" in all_objects(clean)


def test_the_commands_of_an_aws_key_name_it_whole_and_its_secret_never(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    id, secret = secrets.aws_id(), secrets.aws_secret()
    repo.commit("a.ini", f"aws_access_key_id = {id}\naws_secret_access_key = {secret}\n")
    store = tmp_path / "kept"
    keyleash("scan", "--store", store, repo.path)
    for rule in ("aws-secret-access-key", "aws-access-key-id"):
        said = remedy(store, of_rule(store, rule)).stdout
        assert f"--access-key-id {id} --status Inactive" in said
        assert f'aws iam delete-access-key --user-name "$OWNER" --access-key-id {id}' in said
        assert f"AttributeKey=AccessKeyId,AttributeValue={id}" in said
        assert said.index("Inactive") < said.index("delete-access-key") < said.index("Take it out of the history")
        assert secret not in said
    gone = repo.path.rename(tmp_path / "moved")  # what the store knows must do then
    said = remedy(store, of_rule(store, "aws-secret-access-key")).stdout
    assert id not in said
    assert f"starts_with(AccessKeyId, '{id[:4]}') && ends_with(AccessKeyId, '{id[-4:]}')" in said
    assert f"--access-key-id {id}" in remedy(store, of_rule(store, "aws-access-key-id"), "--repository", gone).stdout


def test_a_temporary_key_is_ended_by_its_role(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    repo.commit("a.ini", f"aws_access_key_id = {secrets.aws_id('ASIA')}\naws_secret_access_key = {secrets.aws_secret()}\n")
    store = tmp_path / "kept"
    keyleash("scan", "--store", store, repo.path)
    said = remedy(store, of_rule(store, "aws-secret-access-key")).stdout
    assert "AWSRevokeOlderSessions" in said
    assert "--status Inactive" not in said.split("What the rule says")[0]


def test_a_key_pair_is_replaced_by_its_fingerprint(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    repo.commit("team.pem", key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()))  # fmt: skip
    digest = hashes.Hash(hashes.SHA1())
    digest.update(
        key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    store = tmp_path / "kept"
    keyleash("scan", "--store", store, repo.path)
    said = remedy(store, of_rule(store, "private-key")).stdout
    assert f"Name=fingerprint,Values={digest.finalize().hex(':')}," in said
    assert "authorized_keys" in said
    assert "aws ec2 delete-key-pair" in said


def test_the_file_stands_outside_of_every_repository_and_replaces_none(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    repo.commit("a.ini", secrets.aws_file())
    store = tmp_path / "kept"
    keyleash("scan", "--store", store, repo.path)
    id = of_rule(store, "aws-secret-access-key")
    (tmp_path / "link").symlink_to(repo.path)
    other = Repo(tmp_path / "elsewhere")
    for folder in (repo.path, repo.path / ".git", tmp_path / "link", other.path):
        result = remedy(store, id, "--replacements", folder / "r.txt")
        assert (result.returncode, "outside of every repository" in result.stderr) == (2, True)
        assert not (folder / "r.txt").exists()
    (tmp_path / "there").write_text("mine")
    assert "exists already" in remedy(store, id, "--replacements", tmp_path / "there").stderr
    assert (tmp_path / "there").read_text() == "mine"
    assert "no object of" in remedy(store, id, "--replacements", tmp_path / "r", "--repository", other.path).stderr
    assert "is no git repository" in remedy(store, id, "--repository", tmp_path).stderr


def test_a_report_will_do_without_a_store(repo: Repo, secrets: Secrets, tmp_path: Path) -> None:
    repo.commit("a.ini", secrets.aws_file())
    keyleash("scan", "--format", "json", "--output", tmp_path / "r.json", repo.path)
    findings = json.loads((tmp_path / "r.json").read_text())["findings"]
    id = next(one["fingerprint"] for one in findings if one["rule"] == "aws-secret-access-key")
    arguments = ("remedy", id, "--report", tmp_path / "r.json", "--repository", repo.path)
    result = keyleash(*arguments, "--replacements", tmp_path / "replacements.txt")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "replacements.txt").read_text().startswith("regex:")
    neither = keyleash("remedy", id, env={"KEYLEASH_DATA": str(tmp_path)})
    assert (neither.returncode, "no audit has written a store yet" in neither.stderr) == (2, True)


@pytest.mark.parametrize("span", [b"a==>b", b"a\nb\r", bytes(range(256)), "pä$$w0rd".encode()])
def test_an_expression_is_one_line_and_fits_nothing_else(span: bytes, tmp_path: Path) -> None:
    import git_filter_repo  # type: ignore[import-untyped]

    from scanner.remedy.rewrite import REPLACEMENT, _expression

    file = tmp_path / "r.txt"
    file.write_bytes(b"regex:" + _expression(span) + b"==>" + REPLACEMENT + b"\n")
    ((pattern, replacement),) = git_filter_repo.FilteringOptions.get_replace_text(str(file))["regexes"]
    assert pattern.fullmatch(span)
    assert not pattern.search(span[:-1])
    assert replacement == REPLACEMENT
