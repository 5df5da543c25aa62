"""Key stores in binary: PKCS#12, Java's JKS and JCEKS, KeePass; known by content and not by file name.

A store of certificates alone (a trust store) is no secret, so the entries are read as
far as they are not encrypted. Sources: RFC 7292; the layout in OpenJDK's JavaKeyStore.java
and JceKeyStore.java, documented by its comments; https://keepass.info/help/kb/kdbx.html.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import regex

from scanner.confirm import keys_armour
from scanner.confirm.keys_armour import Work
from scanner.confirm.keys_text import bodies, written_until
from scanner.confirm.pattern import windows
from scanner.model import Match, Rule
from scanner.trace import dropped

_MARGIN = 16
_BEGINNING = regex.compile(
    rb"\x30(?:\x80|\x81[\x00-\xff]|\x82[\x00-\xff]{2}|\x83[\x00-\xff]{3})\x02\x01\x03"
    rb"\x30(?:\x80|\x81[\x00-\xff]|\x82[\x00-\xff]{2}|\x83[\x00-\xff]{3})"
    rb"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07[\x01\x02]"
    rb"|(?:\xfe\xed\xfe\xed|\xce\xce\xce\xce)\x00\x00\x00[\x01\x02]\x00\x00[\x00-\xff]{2}\x00\x00\x00[\x01-\x03]"
    rb"|\x03\xd9\xa2\x9a[\x65-\x67]\xfb\x4b\xb5"
    rb"|(?P<text>"
    rb"MI[I-L][A-Za-z0-9+/]{3}IBAzC|MI[GH][A-Za-z0-9+/]AgEDM|MI[M-P][A-Za-z0-9+/]{4}CAQMw|/u3\+7QAAAA[EI]AA|zs7OzgAAAA[EI]AA|A9mimm[Xbf]7S7U)"
)
_LINE = regex.compile(rb"[A-Za-z0-9+/]{40}")
_BAG = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01"
_SEALED = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x06"
MAX_TEXT = 2 * 1024 * 1024
MAX_STORE = 16 * 1024 * 1024
_MAX_ENTRIES = 10_000

Store = tuple[int, str, str, str]
"""End offset, description, confidence, severity ('' for the rule's)."""


def confirm(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield the stores that hold a private key or a secret entry, or may hold one where nothing can be seen."""
    work, done, reach = Work(), 0, rule.width + _MARGIN
    for low, high in windows(ends, reach, reach, len(data)):
        for found in _BEGINNING.finditer(data, low, high):
            start = found.start()
            if start < done:
                continue
            if found["text"]:
                store, raw = _in_base64(data, start, work)
            else:
                store, raw = _read(data, start, work), b""
            if store:
                done, words, confidence, severity = store
                secret = hashlib.sha256(raw or data[start:done]).digest()
                yield Match(rule, start, done, secret, (words,), confidence, severity or rule.severity, words.split(",")[0])
            else:
                dropped(rule, *found.span(), "cannot be read as a store that holds a private key")


def _in_base64(data: bytes, start: int, work: Work) -> tuple[Store | None, bytes]:
    """Read a store that stands in the text as base64, and return its end there with its bytes."""
    if keys_armour.in_word(data, start) or not _LINE.match(data, start):
        return None, b""
    stop = written_until(data, start, min(len(data), start + MAX_TEXT))
    work.spend(8 * (stop - start))
    for body in bodies(data, start, start, stop):
        raw, _ = body.decode()
        store = _read(raw, 0, work)
        if store:
            return (stop, *store[1:]), raw[: store[0]]
    return None, b""


def _read(data: bytes, start: int, work: Work) -> Store | None:
    """Return what a store says of itself, or None for one without a key."""
    first = data[start : start + 1]
    if first == b"\x30":
        return _pkcs12(data, start, work)
    if first == b"\x03":
        return _keepass(data, start)
    return _java(data, start, work)


def _pkcs12(data: bytes, start: int, work: Work) -> Store | None:
    """Read a PKCS#12 file by the identifiers of its bags, which stand in the clear before each key (RFC 7292 4.2)."""
    size_of_size = data[start + 1] & 0x7F
    end = len(data)
    if size_of_size:
        end = start + 2 + size_of_size + int.from_bytes(data[start + 2 : start + 2 + size_of_size], "big")
    end = min(end, start + MAX_STORE)
    cut = ", cut off" if end > len(data) else ""
    end = min(end, len(data))
    work.spend(end - start)
    plain, shrouded = (data.count(_BAG + bytes([kind]), start, end) for kind in (1, 2))
    if plain:
        return end, f"PKCS#12 store with {_count(plain, 'private key')}, not encrypted{cut}", "high", ""
    if shrouded:
        words = f"PKCS#12 store with {_count(shrouded, 'private key')}, encrypted with its password{cut}"
        return end, words, "medium" if cut else "high", "medium"
    if data.count(_SEALED, start, end) > 1:
        return end, f"PKCS#12 store, all of its contents encrypted: it may hold a private key{cut}", "low", "medium"
    return None


def _java(data: bytes, start: int, work: Work) -> Store | None:
    """Walk the entries of a Java store: 1 is a private key, 2 a certificate, 3 a secret key (JCEKS)."""
    name = "JKS" if data[start] == 0xFE else "JCEKS"
    version = int.from_bytes(data[start + 4 : start + 8], "big")
    count = int.from_bytes(data[start + 8 : start + 12], "big")
    at, keys, secrets = start + 12, 0, 0
    for _ in range(min(count, _MAX_ENTRIES)):
        work.spend(64, 64)
        tag = int.from_bytes(data[at : at + 4], "big")
        at += 4
        at += 2 + int.from_bytes(data[at : at + 2], "big") + 8  # alias, date
        if tag == 1:
            at = _behind_key(data, at, version)
            keys += 1
        elif tag == 2:
            at = _behind_certificate(data, at, version)
        elif tag == 3:
            secrets += 1
            at = len(data)  # a serialised Java object has no length in front: what follows is not walked
            break
        else:
            return None
        if at > len(data):
            break
    if not keys and not secrets:
        return None
    cut = ", cut off" if at > len(data) else ""
    end = min(at + 20, len(data))  # a digest keyed with the password ends the file
    held = [_count(keys, "private key")] * bool(keys) + ["secret keys"] * bool(secrets)
    words = " and ".join(held)
    return end, f"{name} store with {words}, encrypted with its password{cut}", "medium" if cut else "high", "medium"


def _behind_key(data: bytes, at: int, version: int) -> int:
    at += 4 + int.from_bytes(data[at : at + 4], "big")
    chain = int.from_bytes(data[at : at + 4], "big")
    at += 4
    for _ in range(min(chain, 100)):
        at = _behind_certificate(data, at, version)
    return at


def _behind_certificate(data: bytes, at: int, version: int) -> int:
    if version == 2:
        at += 2 + int.from_bytes(data[at : at + 2], "big")
    return at + 4 + int.from_bytes(data[at : at + 4], "big")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _keepass(data: bytes, start: int) -> Store | None:
    kind = {0x65: "KeePass 1", 0x66: "KeePass 2 (beta)", 0x67: "KeePass 2"}[data[start + 4]]
    return (len(data), f"{kind} database, encrypted with its password", "high", "medium") if len(data) - start >= 124 else None
