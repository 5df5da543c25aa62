"""Private keys: what a text claims is a key is read as one, and described by what it is.

One key has one canonical form whatever it is wrapped in, so that its copies are one
finding. Each way of writing a key is a module of its own (`keys_*`); here they are told
apart by how they begin, and what was read is put into words.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence

import regex

from scanner.confirm import keys_armour, keys_binary, keys_forms, keys_published
from scanner.confirm.keys_armour import Place, Work
from scanner.confirm.keys_read import Key
from scanner.confirm.keys_text import MARKER
from scanner.confirm.keys_witness import Witnesses
from scanner.confirm.pattern import windows
from scanner.model import Match, Rule
from scanner.trace import dropped

_MARGIN = 64
"""Bytes by which a beginning may stand out from its anchor: dashes and quotes, encoded."""

Reader = Callable[[bytes, "regex.Match[bytes]", Work], Place | None]

_READERS: dict[regex.Pattern[bytes], Reader] = {
    MARKER: keys_armour.armoured,
    keys_armour.BARE: keys_armour.bare,
    keys_forms.PUTTY: keys_forms.putty,
    keys_forms.XML: keys_forms.xml,
    keys_forms.JWK: keys_forms.jwk,
    keys_binary.DER: keys_binary.der,
}


def confirm(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield the private keys near the anchors, in rising order and apart from each other."""
    work, witnesses, done = Work(), Witnesses(data), 0
    for found, reader in _beginnings(data, ends, rule.width + _MARGIN):
        if found.start() < done:
            continue
        place = reader(data, found, work)
        if place and place.start >= done:
            done = place.end
            yield _match(rule, place, witnesses)
        elif place is None and found.groupdict().get("what") != b"END":
            dropped(rule, *found.span(), "cannot be read as a private key")


def _beginnings(data: bytes, ends: Sequence[int], reach: int) -> Iterator[tuple[regex.Match[bytes], Reader]]:
    for start, stop in windows(ends, reach, reach, len(data)):
        found = [(match, reader) for pattern, reader in _READERS.items() for match in pattern.finditer(data, start, stop)]
        found.sort(key=lambda pair: pair[0].start())
        yield from found


def _match(rule: Rule, place: Place, witnesses: Witnesses) -> Match:
    key = place.key
    published = keys_published.name_of(key)
    severity = "low" if published else "medium" if key.protection else rule.severity
    evidence = [describe(key), *_fingerprints(key)]
    if key.remark:
        evidence.append(key.remark)
    witness = witnesses.of(key)
    if witness:
        evidence.append(witness)
    if published:
        evidence.append(f"published test key: {published}")
    return Match(rule, place.start, place.end, key.secret, tuple(evidence), key.confidence, severity, _short(key))


def describe(key: Key) -> str:
    """Return what a key is, as in 'RSA private key, 2048 bits, not encrypted'."""
    parts = [f"{key.kind} private key".strip()]
    if key.bits:
        parts.append(f"{key.bits} bits")
    parts.append(key.protection or "not encrypted")
    return ", ".join(parts)


def _fingerprints(key: Key) -> Iterator[str]:
    """Yield the fingerprints under which SSH and EC2 list the key.

    EC2 shows the SHA-1 of the private key's PKCS#8 for an RSA pair it made, the MD5 of the
    public key for one that was imported, and SSH's own for Ed25519 (source:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-keys.html).
    """
    if key.ssh:
        yield f"SSH fingerprint {ssh_fingerprint(key)}"
    if key.kind == "RSA" and key.public:
        if not key.protection and key.confidence == "high":
            yield f"EC2 key pair fingerprint {_colons(hashlib.sha1(key.secret, usedforsecurity=False))} (made by EC2)"
        yield f"EC2 key pair fingerprint {_colons(hashlib.md5(key.public, usedforsecurity=False))} (imported into EC2)"
    elif key.kind == "Ed25519" and key.ssh:
        yield f"EC2 key pair fingerprint {ssh_fingerprint(key).removeprefix('SHA256:')}="


def ssh_fingerprint(key: Key) -> str:
    """Return the fingerprint that `ssh-keygen -l` prints."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.ssh).digest()).decode().rstrip("=")


def _colons(digest: hashlib._Hash) -> str:
    return digest.digest().hex(":")


def _short(key: Key) -> str:
    """Return a description that tells one key from another and holds nothing of it."""
    name = key.kind if key.kind.startswith(("EC ", "Ed", "X")) or not key.bits else f"{key.kind} {key.bits}"
    words = f"{name} private key".strip() + (" (encrypted)" if key.protection.startswith("encrypted") else "")
    if key.ssh:
        return f"{words} {ssh_fingerprint(key)[:19]}…"
    if key.public:
        return f"{words} public half {hashlib.sha256(key.public).hexdigest()[:12]}…"
    return words
