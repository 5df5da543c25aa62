"""OpenPGP private keys in ASCII armour: the packets are read, nothing is decrypted.

Sources: RFC 4880 and RFC 9580, sections 4 (packets), 5.5 (keys) and 3.7 (S2K); GnuPG's
DETAILS file for its extension that leaves the secret part out.
"""

from __future__ import annotations

import binascii
import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from scanner.confirm.keys_armour import Work
from scanner.confirm.keys_text import MARKER, bodies, body_stop, label_of, mark_before, written_until
from scanner.confirm.pattern import windows
from scanner.confirm.text import entropy
from scanner.model import Match, Rule
from scanner.trace import dropped

_MARGIN = 64
_LEAST = 300
_RANDOM = 6.5
"""Bytes, and bits a byte, below which a block that cannot be read is no key: 300 random bytes have 7.1."""
_ALGORITHMS = {
    1: "RSA", 2: "RSA", 3: "RSA", 16: "ElGamal", 17: "DSA", 18: "ECDH", 19: "ECDSA", 20: "ElGamal", 22: "EdDSA",
    25: "X25519", 26: "X448", 27: "Ed25519", 28: "Ed448",
}  # fmt: skip
_CIPHERS = {1: "IDEA", 2: "3DES", 3: "CAST5", 4: "Blowfish", 7: "AES-128", 8: "AES-192", 9: "AES-256", 10: "Twofish"}
_S2K = {0: "a simple hash", 1: "a salted hash", 3: "an iterated and salted hash", 4: "Argon2"}
_SECRET_KEY, _SECRET_SUBKEY = 5, 7
_MPIS = {1: 2, 2: 2, 3: 2, 16: 3, 17: 4, 20: 3}
_RAW = {25: 32, 26: 56, 27: 32, 28: 57}


@dataclass(frozen=True, slots=True)
class Packet:
    tag: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PgpKey:
    """One secret key packet. `stub` says that the secret part is elsewhere, as on a smart card."""

    kind: str
    bits: int
    fingerprint: str
    protection: str
    stub: bool


def confirm(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield the private key blocks that hold at least one secret key."""
    work, done, reach = Work(), 0, rule.width + _MARGIN
    for low, high in windows(ends, reach, reach, len(data)):
        for begin in MARKER.finditer(data, low, high):
            if begin["what"] != b"BEGIN" or not label_of(begin).startswith("PGP") or begin.start() < done:
                continue
            stop, end, complete = body_stop(data, begin.end())
            if not complete:
                stop = end = written_until(data, begin.end(), stop, mark_before(data, begin.start()))
            if stop - begin.end() < 100:
                dropped(rule, *begin.span(), "is too short for a key")
                continue
            work.spend(stop - begin.end())
            readings = bodies(data, begin.start(), begin.end(), stop)
            found = [match for body in readings if (match := _match(rule, begin.start(), end, body.base64, complete))]
            if found:
                done = end
                yield next((match for match in found if match.confidence == "high"), found[0])
            else:
                dropped(rule, *begin.span(), "cannot be read as a block that holds a secret key")


def _match(rule: Rule, start: int, end: int, base64: bytes, complete: bool) -> Match | None:
    raw, check = dearmour(base64)
    packets, whole = read_packets(raw)
    if packets and whole and packets[0].tag != _SECRET_KEY:
        return None  # another kind of block under this label
    keys = [key for packet in packets if packet.tag in (_SECRET_KEY, _SECRET_SUBKEY) for key in [_key(packet.body)] if key]
    if not keys:
        return _outline(rule, start, end, raw) if complete else None
    held = [key for key in keys if not key.stub]
    main = held[0] if held else keys[0]
    protection = next((key.protection for key in held if not key.protection), main.protection)
    evidence = [f"OpenPGP {main.kind} private key, {main.bits} bits, {protection or 'not encrypted'}"]
    evidence.append(f"OpenPGP fingerprint {keys[0].fingerprint}")
    if len(keys) > 1:
        evidence.append(f"with {len(keys) - 1} secret subkeys")
    if keys[0].stub:
        evidence.append("the primary key's secret part is left out" if held else "no secret part: it is on a card or left out")
    failed = bool(check) and crc24(raw) != int.from_bytes(check, "big")
    sound = whole and complete and not failed
    if not sound:
        evidence.append("its checksum fails: damaged" if failed else "cut off or damaged")
    elif check:
        evidence.append("its checksum holds")
    severity = "low" if not held else "medium" if protection else rule.severity
    confidence = "low" if not held else "high" if sound else "medium"
    redacted = f"OpenPGP {main.kind} {main.bits} private key {keys[0].fingerprint[-16:]}"
    return Match(rule, start, end, raw, tuple(evidence), confidence, severity, redacted)


def _outline(rule: Rule, start: int, end: int, raw: bytes) -> Match | None:
    """Return a match for a block whose packets cannot be read, when it begins, is long and is random as a key is."""
    if len(raw) < _LEAST or raw[0] & 0xC0 != 0x80 or entropy(raw) < _RANDOM:
        return None
    evidence = ("has the outline and the length of an OpenPGP private key", "its packets cannot be read: damaged")
    return Match(rule, start, end, raw, evidence, "low", rule.severity, f"OpenPGP private key block, {len(raw)} bytes, damaged")


def dearmour(base64: bytes) -> tuple[bytes, bytes]:
    """Return the packets of armoured text and the three bytes of its CRC-24, or none where it has no checksum."""
    text, _, check = base64.rstrip(b"=").rpartition(b"=")
    if len(check) != 4 or not text:
        text, check = base64, b""
    text = text.replace(b"=", b"")
    text = text[: len(text) - 1] if len(text) % 4 == 1 else text
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4)), binascii.a2b_base64(check)


def crc24(data: bytes) -> int:
    """Return the checksum of RFC 4880 6.1.

    >>> hex(crc24(b"123456789"))
    '0x21cf02'
    """
    table, crc = _crc_table(), 0xB704CE
    for byte in data:
        crc = (crc << 8 & 0xFFFFFF) ^ table[crc >> 16 ^ byte]
    return crc


@functools.cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte << 16
        for _ in range(8):
            crc = crc << 1 ^ (0x1864CFB if crc & 0x800000 else 0)
        table.append(crc & 0xFFFFFF)
    return tuple(table)


def read_packets(data: bytes) -> tuple[list[Packet], bool]:
    """Return the packets (RFC 4880 4.2), and whether they fill the data to its end."""
    packets: list[Packet] = []
    at = 0
    while at < len(data) and len(packets) < 1000:
        first = data[at]
        if not first & 0x80:
            return packets, False
        try:
            tag, start, size = _new_header(data, at) if first & 0x40 else _old_header(data, at)
        except IndexError:
            return packets, False
        packets.append(Packet(tag, data[start : start + size]))
        at = start + size
    return packets, at == len(data)


def _new_header(data: bytes, at: int) -> tuple[int, int, int]:
    tag, size = data[at] & 0x3F, data[at + 1]
    if size < 192:
        return tag, at + 2, size
    if size < 224:
        return tag, at + 3, (size - 192 << 8) + data[at + 2] + 192
    if size == 255:
        return tag, at + 6, int.from_bytes(data[at + 2 : at + 6], "big")
    return tag, at + 2, 1 << (size & 0x1F)  # a part of known length: keys are never sent in parts


def _old_header(data: bytes, at: int) -> tuple[int, int, int]:
    kind = data[at] & 3
    if kind == 3:
        return data[at] >> 2 & 15, at + 1, len(data) - at - 1
    width = 1 << kind
    return data[at] >> 2 & 15, at + 1 + width, int.from_bytes(data[at + 1 : at + 1 + width], "big")


def _key(body: bytes) -> PgpKey | None:
    """Return what a secret key packet says, or None for one that does not parse."""
    try:
        version, algorithm = body[0], body[7] if body[0] == 3 else body[5]
        if version not in (3, 4, 5, 6) or algorithm not in _ALGORITHMS:
            return None
        at = {3: 8, 4: 6, 5: 10, 6: 10}[version]
        bits, at = _public_part(body, at, algorithm)
        usage = body[at]
        protection, stub = _protection(body, at, usage, version)
    except IndexError:
        return None
    return PgpKey(_ALGORITHMS[algorithm], bits, _fingerprint(version, body[:at]), protection, stub)


def _public_part(body: bytes, at: int, algorithm: int) -> tuple[int, int]:
    """Return (bits, where the secret part begins). Raises `IndexError` when the packet ends before."""
    if algorithm in _RAW:
        return 256 if _RAW[algorithm] == 32 else 448, _within(body, at + _RAW[algorithm])
    count = _MPIS.get(algorithm, 1)
    if algorithm in (18, 19, 22):
        at = _within(body, at + 1 + body[at])  # the curve's identifier
    bits = 0
    for number in range(count):
        size = int.from_bytes(body[at : at + 2], "big")
        bits = bits or size
        if not size or number > 4:
            raise IndexError("an empty number")
        at = _within(body, at + 2 + (size + 7) // 8)
    if algorithm == 18:
        at = _within(body, at + 1 + body[at])  # KDF parameters
    if algorithm in (18, 19, 22):
        bits = (bits - 3) // 2 if bits % 256 == 3 or bits % 128 == 3 else 521 if bits == 1059 - 10 else 8 * ((bits - 1) // 8)
    return bits, at


def _within(body: bytes, at: int) -> int:
    if at >= len(body):
        raise IndexError("cut off")
    return at


def _protection(body: bytes, at: int, usage: int, version: int) -> tuple[str, bool]:
    """Return how the secret part is encrypted in words, and whether it is there at all."""
    if usage == 0:
        return "", False
    if usage not in (253, 254, 255):
        return f"encrypted with {_CIPHERS.get(usage, 'an unknown cipher')}, key derived by MD5", False
    at += 1 + (version >= 5)
    cipher = body[at]
    at += 1 + (usage == 253) + (version == 6)
    kind = body[at]
    if body[at + 2 : at + 5] == b"GNU" and kind == 101:
        return "", True
    derived = _S2K.get(kind, "an unknown S2K")
    return f"encrypted with {_CIPHERS.get(cipher, 'an unknown cipher')}, key derived by {derived}", False


def _fingerprint(version: int, public: bytes) -> str:
    """Return the fingerprint of a key of version 4 (SHA-1) or later (SHA-256); of version 3, its key id is not computed."""
    if version == 4:
        return hashlib.sha1(b"\x99" + len(public).to_bytes(2, "big") + public, usedforsecurity=False).hexdigest().upper()
    first = b"\x9a" if version == 5 else b"\x9b"
    return hashlib.sha256(first + len(public).to_bytes(4, "big") + public).hexdigest().upper()
