"""Naming, beside a private key, the certificate or public key in the same repository that it belongs to.

A finding tells its key's SSH fingerprint, which is one of the public half. So the files are
read for public keys, and compared by that: no secret is needed here.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import regex

from scanner.confirm.keys_witness import blocks, common_name
from scanner.model import Finding, Source

_SSH = "SSH fingerprint "
_SAME = "in the same file"
MAX_LINES = 2000
"""Keys that are read of one file of public keys."""

_OPENSSH = regex.compile(rb"(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp[0-9]{3}) (?P<key>AAAA[A-Za-z0-9+/]{20,4000}={0,2})")


@runtime_checkable
class Surroundings(Protocol):
    """A source that knows the public files around what it scans."""

    def public_files(self) -> Iterator[tuple[str, bytes]]:
        """Yield (path, content) of files that may hold certificates and public keys."""


def name_owners(findings: Sequence[Finding], sources: Iterable[Source]) -> list[Finding]:
    """Return the findings, each private key with the files that hold its public half; nothing is read without one."""
    keys = {finding.fingerprint: said for finding in findings if (said := _fingerprint_of(finding))}
    if not keys:
        return list(findings)
    owners: dict[str, dict[str, None]] = {}
    for source in sources:
        if isinstance(source, Surroundings):
            for path, data in source.public_files():
                for fingerprint, words in _halves(path, data):
                    owners.setdefault(fingerprint, {})[words] = None
    return [_owned(finding, owners.get(keys.get(finding.fingerprint, ""), {})) for finding in findings]


def _fingerprint_of(finding: Finding) -> str:
    """Return the SSH fingerprint of a finding that is a key and does not name its owner yet."""
    if any(said.endswith(_SAME) for said in finding.evidence):
        return ""
    return next((said.removeprefix(_SSH) for said in finding.evidence if said.startswith(_SSH)), "")


def _owned(finding: Finding, owners: Iterable[str]) -> Finding:
    said = tuple(sorted(owners))[:3]
    return finding._replace(evidence=(*finding.evidence, *said)) if said else finding


def _halves(path: str, data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the SSH fingerprint of each public key in a file, with words that name where it is."""
    shown = "".join(char if char.isprintable() else "?" for char in path)
    for count, line in enumerate(_OPENSSH.finditer(data)):
        if count == MAX_LINES:
            return
        try:
            yield _digest(base64.b64decode(line["key"], validate=True)), f"belongs to the public key in {shown}"
        except ValueError:
            continue
    for label, der in blocks(data):
        wire, name = _read(label, der)
        if wire:
            yield _digest(wire), f"belongs to {shown}, CN={name}" if name else f"belongs to the public key in {shown}"


def _read(label: bytes, der: bytes) -> tuple[bytes, str]:
    """Return the public key of a certificate or key in SSH's form, and the certificate's name; of what is neither, nothing."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization as form

    from scanner.confirm.keys_read import quietly, refusals

    problems: tuple[type[Exception], ...] = (*refusals(), AttributeError)
    try:
        with quietly():
            certificate = x509.load_der_x509_certificate(der) if b"CERTIFICATE" in label else None
            key = certificate.public_key() if certificate else form.load_der_public_key(der)
            line = key.public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)
    except problems:
        return b"", ""
    return base64.b64decode(line.split(b" ")[1]), common_name(certificate) if certificate else ""


def _digest(wire: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(wire).digest()).decode().rstrip("=")
