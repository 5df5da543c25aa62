"""age secret keys: bech32 text with a checksum, so that what verifies is a key.

Sources: https://c2sp.org/age#identities and BIP 173 for bech32. A plugin identity
(AGE-PLUGIN-…) is a reference to a key elsewhere, and no secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scanner.confirm.keys_armour import Work
from scanner.confirm.pattern import search
from scanner.model import Match, Rule
from scanner.trace import dropped

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_PATTERN = r"(?:(?<![A-Za-z0-9-])|(?<=\\[nrt]))AGE-SECRET-KEY-(?:PQ-)?1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}(?![A-Za-z0-9])"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def confirm(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield the age secret keys whose checksum holds, each with its public recipient."""
    work = Work()
    for found in search(_PATTERN, data, ends, rule.width):
        work.spend(0)
        text = found.group().decode("ascii")
        key = decode(text)
        if key is None or len(key) != 32 or len(set(key)) < 12:
            dropped(rule, *found.span(), "its checksum (bech32) is wrong" if key is None else "is no key of 32 random bytes")
            continue
        start, end = found.span()
        recipient = None if "-PQ-" in text else _recipient(key)
        evidence = ["the checksum of an age secret key holds"] + ([f"its recipient is {recipient}"] if recipient else [])
        redacted = f"age secret key of {recipient[:12]}…" if recipient else "age secret key (post-quantum)"
        yield Match(rule, start, end, found.group(), tuple(evidence), rule.confidence, rule.severity, redacted)


def encode(prefix: str, data: bytes) -> str:
    """Return bytes as lower-case bech32.

    >>> decode(encode("age-secret-key-", bytes(range(32))).upper()) == bytes(range(32))
    True
    """
    bits = int.from_bytes(data, "big") << (-8 * len(data) % 5)
    count = (8 * len(data) + 4) // 5
    values = [bits >> 5 * place & 31 for place in range(count - 1, -1, -1)]
    check = _checksum(_expanded(prefix) + values + [0] * 6) ^ 1
    values += [check >> 5 * place & 31 for place in range(5, -1, -1)]
    return prefix + "1" + "".join(_ALPHABET[value] for value in values)


def decode(text: str) -> bytes | None:
    """Return the bytes of bech32 text in one case, or None when its checksum fails."""
    prefix, _, coded = text.lower().rpartition("1")
    values = [_ALPHABET.find(char) for char in coded]
    if len(values) < 7 or min(values) < 0 or _checksum(_expanded(prefix) + values) != 1:
        return None
    bits = 0
    for value in values[:-6]:
        bits = bits << 5 | value
    spare = 5 * len(values[:-6]) % 8
    return None if bits & ((1 << spare) - 1) else (bits >> spare).to_bytes(5 * len(values[:-6]) // 8, "big")


def _expanded(prefix: str) -> list[int]:
    return [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]


def _checksum(values: list[int]) -> int:
    total = 1
    for value in values:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_GENERATOR):
            if top >> place & 1:
                total ^= generator
    return total


def _recipient(key: bytes) -> str:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return encode("age", X25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw())
