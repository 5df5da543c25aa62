"""A private key is told whose it is by the certificates and public keys of its repository."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from scanner import gitcommand
from scanner.model import RuleSet, Source
from scanner.pipeline import scan, sight
from scanner.sources import publickeys
from scanner.sources.fasthistory import FastHistory
from scanner.sources.history import History
from scanner.sources.staged import Range, Staged
from scanner.sources.tree import Folder, WorkTree
from tests.conftest import Repo

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def pem(key: Private) -> bytes:
    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())


def public(key: Private, encoding: form.Encoding = form.Encoding.OpenSSH) -> bytes:
    ssh = encoding is form.Encoding.OpenSSH
    return key.public_key().public_bytes(encoding, form.PublicFormat.OpenSSH if ssh else form.PublicFormat.SubjectPublicKeyInfo)


def certificate(key: Private, name: str, encoding: form.Encoding = form.Encoding.PEM) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 7, start, start + datetime.timedelta(90))
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()).public_bytes(encoding)


def evidence(source: Source) -> dict[str, list[str]]:
    """By path of the key: what is said of its owners."""
    report = scan([source])
    assert report.skipped == ()
    return {
        finding.locations[0].origin.path or "": [said for said in finding.evidence if said.startswith("belongs to")]
        for finding in report.findings
    }


@pytest.fixture(scope="module")
def keys() -> list[Private]:
    return [
        rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP384R1()),
    ]  # fmt: skip


def test_the_owner_is_named_by_every_source(repo: Repo, rules: RuleSet, keys: list[Private]) -> None:
    one, two, three, four = keys
    repo.commit("certs/server.crt", certificate(one, "shop.example.org"))
    repo.commit("certs/bin.der", certificate(two, "bin\x1b[2J.example.org", form.Encoding.DER))
    repo.commit("home/authorized_keys", b"# people\n" + public(three) + b" ann@example.org\n")
    repo.commit("pub.pem", public(two, form.Encoding.PEM))
    for name, key in {"a.txt": one, "b.txt": two, "c.txt": three, "d.txt": four}.items():
        repo.stage(name, pem(key))
    expected = {
        "a.txt": ["belongs to certs/server.crt, CN=shop.example.org"],
        "b.txt": ["belongs to certs/bin.der, CN=bin[2J.example.org", "belongs to the public key in pub.pem"],
        "c.txt": ["belongs to the public key in home/authorized_keys"],
        "d.txt": [],
    }
    repository = gitcommand.find(str(repo.path))
    assert repository
    assert evidence(Staged(repository)) == evidence(WorkTree(repository)) == expected
    in_folder = {Path(path).name: [said.replace(f"{repo.path}/", "") for said in owners]
                 for path, owners in evidence(Folder(str(repo.path))).items()}  # fmt: skip
    assert in_folder == expected
    repo.git("commit", "-q", "-m", "keys")
    assert evidence(Range(repository, repository.resolve("HEAD~1"), repository.resolve("HEAD"))) == expected
    assert evidence(History(repository)) == evidence(FastHistory(repository, sight(rules))) == expected
    repo.git("clone", "-q", "--bare", ".", "bare.git")
    bare = gitcommand.find(str(repo.path / "bare.git"))
    assert bare
    assert evidence(FastHistory(bare, sight(rules))) == expected


def test_nothing_is_read_unless_a_key_was_found(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise AssertionError("it was asked for public keys")

    monkeypatch.setattr(publickeys, "of_repository", fail)
    repo.commit("id.pub", public(ed25519.Ed25519PrivateKey.generate()))
    repository = gitcommand.find(str(repo.path))
    assert repository
    assert scan([WorkTree(repository)]).clean


def test_hostile_public_files_are_limited(repo: Repo, keys: list[Private]) -> None:
    repo.write("large.pub", public(keys[1]) + b"x" * publickeys.MAX_SIZE)
    repo.write("broken.crt", b"-----BEGIN CERTIFICATE-----\n" + b"MIIB" * 40 + b"\n-----END CERTIFICATE-----\n")
    repo.write("broken.pub", b"ssh-rsa AAAA" + b"B" * 61 + b"\n")
    repo.write("broken.der", b"\x30\x82" + bytes(500))
    repo.write("key.txt", pem(keys[1]))
    repo.git("add", "-A")
    repository = gitcommand.find(str(repo.path))
    assert repository
    assert evidence(Staged(repository)) == {"key.txt": []}
