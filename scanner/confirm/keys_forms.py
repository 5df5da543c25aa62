"""Private keys that are written as fields: PuTTY files, XML key values and JSON web keys.

Sources: appendix C of the PuTTY manual; W3C XML Signature 4.5.2 with the private fields
that .NET adds (RSA.ToXmlString); RFC 7517, 7518 and 8037 for JSON web keys.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import replace

import regex

from scanner.confirm import keys_read, keys_ssh
from scanner.confirm.keys_armour import Place, Work
from scanner.confirm.keys_read import Key
from scanner.confirm.keys_text import MAX_BODY, texts, written_until

PUTTY = regex.compile(rb"PuTTY-User-Key-File-(?P<version>[123])(?::|%3[Aa])")
XML = regex.compile(rb"(?:<|&lt;|\\u003[cC]|%3[Cc])(?P<name>[RD]SA(?:KeyValue|Parameters))(?:>|&gt;|\\u003[eE]|%3[Ee])")
JWK = regex.compile(rb"kty\\{0,3}[\"']?\s{0,8}:\s{0,8}\\{0,3}[\"'](?:RSA|EC|OKP)\\{0,3}[\"']")

_CLOSED = regex.compile(rb">|&gt;|\\u003[eE]|%3[Ee]")
_MAC = regex.compile(rb"Private-MAC(?::|%3[Aa])(?:\s|\+|%20){0,4}[0-9a-f]{40}(?:[0-9a-f]{24})?")
_FIRST = b"PuTTY-User-Key-File"
_PRIVATE_LINES = regex.compile(rb"Private-Lines:\s*[0-9]+")
_FILE = regex.compile(
    rb"(?s)File-[123]:\s*(?P<name>[a-z0-9@.-]{4,40}?)\s*Encryption:\s*(?P<cipher>[a-z0-9-]{4,20}?)\s*"
    rb"Comment:[ \t]?(?P<comment>.{0,1000}?)\s*Public-Lines:\s*[0-9]+\s*(?P<public>AAAA[A-Za-z0-9+/=\s]*?)\s*"
    rb"(?:Key-Derivation:\s*(?P<kdf>[A-Za-z0-9]{1,20}?)\s*(?:Argon2-[A-Z][a-z]+:\s*[0-9a-f]+\s*){0,6})?"
    rb"Private-Lines:\s*(?P<lines>[0-9]{1,3})\s*(?P<private>[A-Za-z0-9+/=\s]*?)\s*(?:Private-MAC:\s*(?P<mac>[0-9a-f]{40,64})|\Z)"
)
_FIELD = regex.compile(
    rb"<(?P<name>Modulus|Exponent|P|Q|DP|DQ|InverseQ|D|G|Y|X)>(?P<value>[A-Za-z0-9+/=\s]{0,6000})</(?P=name)>"
)
_MEMBER = regex.compile(
    rb"(?<![A-Za-z0-9_])(?P<name>kty|crv|n|e|d|p|q|x|y)[\"']?\s{0,20}:\s{0,20}[\"']"
    rb"(?P<value>[A-Za-z0-9_+/-]{1,6000}={0,2})[\"']"
)
_JWK_REACH = 16 * 1024
_DERIVED = 16 * 1024
"""Bytes of text that take as long to read as the public half of an elliptic key takes to compute."""
_CURVE_BYTES = {"P-256": 32, "P-384": 48, "P-521": 66, "secp256k1": 32}


def putty(data: bytes, begin: regex.Match[bytes], work: Work) -> Place | None:
    """Return the key of a PuTTY file; its MAC is checked when there is no passphrase."""
    start = begin.start()
    following = data.find(_FIRST, begin.end(), start + MAX_BODY)
    limit = following if following >= 0 else min(len(data), start + MAX_BODY)
    if limit - start < 150:
        return None
    end = _MAC.search(data, start, limit)
    stop = end.end() if end else _cut(data, start, limit)
    if stop - start < 150:
        return None
    work.spend(stop - start)
    for text in texts(data, start, start, stop):
        found = _FILE.search(text)
        key = _putty_key(found, int(begin["version"])) if found else None
        if key:
            return Place(start, stop, key)
    return None


def _cut(data: bytes, start: int, limit: int) -> int:
    """Return the end of the private lines of a file whose MAC is missing."""
    lines = _PRIVATE_LINES.search(data, start, limit)
    return written_until(data, lines.end(), limit) if lines else start


def _putty_key(found: regex.Match[bytes], version: int) -> Key | None:
    blob, section = _decoded(found["public"]), _decoded(found["private"])
    try:
        outside = keys_ssh.public(blob)
    except ValueError:
        return None
    if len(section) < 16:
        return None
    remark = "" if found["mac"] else "cut off: its MAC is missing"
    if found["cipher"] != b"none":
        kdf = (found["kdf"] or b"").decode() or "SHA-1"
        protection = f"encrypted with {found['cipher'].decode()}, key derived by {kdf}"
        confidence = "medium" if remark else "high"
        return replace(outside, secret=section, protection=protection, confidence=confidence, remark=remark)
    try:
        key = keys_ssh.putty(found["name"], blob, section)
    except ValueError:
        key = None
    if key is None or key.ssh != blob:
        remark = remark or "damaged: its private part does not parse"
        return replace(outside, secret=section, confidence="medium", remark=remark)
    fields = (found["name"], found["cipher"], found["comment"], blob, section)
    if found["mac"] and not hmac.compare_digest(keys_ssh.putty_mac(version, fields).encode(), found["mac"]):
        remark = "its MAC does not verify: comment or wrapping changed"
    return replace(key, remark=remark)


def xml(data: bytes, begin: regex.Match[bytes], work: Work) -> Place | None:
    """Return the key of an XML key value that has private fields."""
    start = begin.start()
    close = data.find(begin["name"], begin.end(), start + MAX_BODY)
    if close < 0:
        return None
    tail = _CLOSED.match(data, close + len(begin["name"]))
    stop = tail.end() if tail else close
    if stop - start < 100:
        return None
    work.spend(stop - start)
    for text in texts(data, start, start, stop, markup=False):
        fields = {found["name"].decode(): int.from_bytes(_decoded(found["value"]), "big") for found in _FIELD.finditer(text)}
        key = _xml_key(fields, work)
        if key:
            return Place(start, stop, key)
    return None


def _xml_key(fields: dict[str, int], work: Work) -> Key | None:
    if {"Modulus", "Exponent", "D"} <= fields.keys():
        primes = (fields.get("P", 0), fields.get("Q", 0))
        return _rsa(fields["Modulus"], fields["Exponent"], fields["D"], *primes, work)
    if {"P", "Q", "G", "Y", "X"} <= fields.keys():
        return keys_read.dsa(*(fields[name] for name in "PQGYX"))
    return None


def jwk(data: bytes, found: regex.Match[bytes], work: Work) -> Place | None:
    """Return the key of the JSON object that says "kty", if the object has the private member "d"."""
    start = data.rfind(b"{", max(0, found.start() - _JWK_REACH), found.start())
    stop = data.find(b"}", found.end(), found.end() + _JWK_REACH) + 1
    if start < 0 or stop <= 0 or data.rfind(b"}", start, found.start()) >= 0:
        return None
    work.spend(stop - start)
    text = data[start:stop].replace(b"\\", b"")
    key = _jwk_key({member["name"].decode(): member["value"] for member in _MEMBER.finditer(text)}, work)
    return Place(start, stop, key) if key else None


def _jwk_key(members: dict[str, bytes], work: Work) -> Key | None:
    kind, secret = members.get("kty"), members.get("d")
    if not secret or len(secret) < 20:
        return None
    if kind == b"RSA" and "n" in members and "e" in members:
        n, e, d, p, q = (_number(members.get(name, b"")) for name in "nedpq")
        return _rsa(n, e, d, p, q, work)
    curve = members.get("crv", b"").decode()
    if kind == b"OKP":
        key = keys_read.edwards(curve, _decoded(secret))
        return key and _agreeing(key, _decoded(members.get("x", b"")))
    if kind == b"EC" and curve in _CURVE_BYTES:
        work.spend(_DERIVED)
        key = keys_read.elliptic(curve, _number(secret))
        width = _CURVE_BYTES[curve]
        point = b"".join(_decoded(members.get(name, b"")).rjust(width, b"\0") for name in "xy")
        return key and _agreeing(key, point)
    return None


def _rsa(n: int, e: int, d: int, p: int, q: int, work: Work) -> Key | None:
    return keys_read.rsa(n, e, d, p, q) if p and q else keys_read.recovered(n, e, d, work.covers)


def _agreeing(key: Key, point: bytes) -> Key:
    """Return the key, doubted when the public half that the object states is another."""
    return key if not point.strip(b"\0") or key.public.endswith(point) else keys_read.doubted(key)


def _number(value: bytes) -> int:
    return int.from_bytes(_decoded(value), "big")


def _decoded(value: bytes) -> bytes:
    """Return the bytes of base64 or base64url with any blanks in it; nothing for what is neither."""
    text = b"".join(value.split()).rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return b""
