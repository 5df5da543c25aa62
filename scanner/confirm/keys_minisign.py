"""minisign and signify secret keys: 158 or 104 bytes with a fixed beginning, in base64.

Sources: https://jedisct1.github.io/minisign/#secret-key-format and signify(1) of OpenBSD.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence

from scanner.confirm.pattern import search
from scanner.model import Match, Rule
from scanner.trace import dropped

_BEFORE = r"(?:(?<![A-Za-z0-9/])|(?<=\\[nrt]))"
_PATTERN = _BEFORE + r"(?P<secret>RW(?:RTY0Iy|QAAEIy)[A-Za-z0-9+/]{203}=|RWRCSwAAA[A-Za-z0-9+/]{130}=)(?![A-Za-z0-9+/=])"


def confirm(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield the secret keys; an unencrypted one has to agree with the checksum it carries."""
    for found in search(_PATTERN, data, ends, rule.width):
        raw = base64.b64decode(found["secret"])
        if len(set(raw)) < 30:
            dropped(rule, *found.span("secret"), "repeats a few bytes, as no key does")
            continue
        described = _minisign(raw) if len(raw) == 158 else _signify(raw)
        if described is None:
            dropped(rule, *found.span("secret"), "cannot be read as a secret key")
            continue
        program, protection, sound, number = described
        evidence = [f"{program} secret key, {protection or 'not encrypted'}", f"key number {number}"]
        evidence += ["its checksum holds"] if sound else ["its checksum fails: damaged"] if not protection else []
        confidence = rule.confidence if sound or protection else "medium"
        severity = "medium" if protection else rule.severity
        start, end = found.span("secret")
        yield Match(rule, start, end, raw, tuple(evidence), confidence, severity, f"{program} secret key {number}")


def _minisign(raw: bytes) -> tuple[str, str, bool, str] | None:
    """Return (program, protection, whether the checksum holds, key number) of a minisign key."""
    sealed = raw[54:]
    number, secret, check = sealed[:8], sealed[8:72], sealed[72:]
    if raw[2:4] == b"Sc":
        return "minisign", "encrypted, key derived by scrypt", False, "hidden"
    sound = hashlib.blake2b(raw[:2] + number + secret, digest_size=32).digest() == check
    return "minisign", "", sound, number[::-1].hex().upper()


def _signify(raw: bytes) -> tuple[str, str, bool, str] | None:
    rounds = int.from_bytes(raw[4:8], "big")
    check, number, secret = raw[24:32], raw[32:40], raw[40:104]
    if rounds > 10_000:
        return None
    protection = f"encrypted, key derived by bcrypt with {rounds} rounds" if rounds else ""
    return "signify", protection, hashlib.sha512(secret).digest()[:8] == check, number.hex()
