"""WireGuard private keys: 32 bytes in base64 have no form of their own, so a configuration must surround them.

`wg genkey` clamps what it makes (RFC 7748 5), which one random value in 32 satisfies by
chance. Source of the format: https://man7.org/linux/man-pages/man8/wg.8.html.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence

import regex

from scanner.confirm.keys_published import name_of
from scanner.confirm.keys_read import Key
from scanner.confirm.pattern import search
from scanner.model import Match, Rule
from scanner.trace import dropped

NEAR = 4096
"""How far from the key its configuration is looked for, in bytes."""

_PATTERN = (
    r"(?i)(?:(?<![a-z0-9])|(?<=\\[nrt]))(?:wg_?)?private[_-]?key\\{0,3}[\"']?\s{0,8}[:= ]\s{0,8}\\{0,3}[\"']?"
    r"(?-i:(?P<secret>[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=))(?![A-Za-z0-9+/=])"
)
_CONFIGURATION = regex.compile(
    rb"(?i)\[(?:Interface|Peer|WireGuard(?:Peer)?)\]|AllowedIPs|allowed[_-]ips|wireguard|wg-?quick|\bwg[0-9]\b|PresharedKey"
)


def confirm(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield the private keys of WireGuard configurations, each with its public key."""
    for found in search(_PATTERN, data, ends, rule.width):
        start, end = found.span("secret")
        named = _CONFIGURATION.search(data, max(0, start - NEAR), end + NEAR)
        raw = _key(found["secret"])
        if named is None or raw is None:
            dropped(rule, start, end, "is no key of 32 random bytes" if named else "no configuration of WireGuard is around it")
            continue
        clamped = raw[0] & 7 == 0 and raw[31] & 0xC0 == 0x40
        public = _public(raw)
        published = name_of(Key("X25519", 256, b"", public))
        shown = base64.b64encode(public).decode()
        evidence = [f"in a configuration: '{_shown(named.group())}' is near", f"its public key is {shown}"]
        evidence += ["clamped as 'wg genkey' does"] if clamped else ["not clamped: 'wg genkey' did not make it"]
        evidence += [f"published test key: {published}"] if published else []
        yield Match(
            rule, start, end, raw, tuple(evidence), rule.confidence if clamped else "medium",
            "low" if published else rule.severity, f"WireGuard private key of {shown[:8]}…",
        )  # fmt: skip


def _key(text: bytes) -> bytes | None:
    """Return the 32 bytes of a key, or None for a placeholder."""
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return raw if len(raw) == 32 and len(set(raw)) >= 16 and len(set(text)) >= 16 else None


def _public(raw: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()


def _shown(text: bytes) -> str:
    return text.decode("ascii", "replace")
