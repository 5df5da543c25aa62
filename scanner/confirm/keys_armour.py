"""Keys between BEGIN and END lines, however they are wrapped, and base64 of a key without such lines.

A BEGIN line is a claim, and the body has to bear it out: documentation and source are
full of the words, and only a body that parses, or has at least the outline and the
length of a key, is believed.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass, replace

import regex

from scanner.confirm import keys_read, keys_ssh
from scanner.confirm.keys_der import header
from scanner.confirm.keys_read import Key
from scanner.confirm.keys_text import MIN_BASE64, Body, bodies, body_stop, label_of, mark_before, written_until
from scanner.confirm.text import entropy

BARE = regex.compile(
    rb"MII[A-Za-z0-9+/]{3}IBA(?:DANBgkqhkiG9w0BAQEF|AK[BC])|MI[GH][A-Za-z0-9+/]AgEAM[A-Za-z0-9+/]{7}SM49|MI[GH][A-Za-z0-9+/]AgEBB"
    rb"|MHcCAQEEI|MC4CAQAwBQYDK2V|MEECAQAwEwYHKoZIzj0"
)
"""How the base64 of PKCS#8 (RSA, EC, Ed25519), PKCS#1 and SEC1 begins, by the fixed bytes of their headers."""

_LINE = regex.compile(rb"[A-Za-z0-9+/]{40}")
_ESCAPED = regex.compile(rb"\\+[nrt]\Z")
MAX_WORK = 16 * 1024 * 1024


class Work:
    """Counts what reading the candidates of a chunk costs, so that no text can make it last.

    The limit is some 4,000 candidates, or 16 MB of their text. Raises `TimeoutError` behind
    it: the chunk is then reported as not wholly scanned.
    """

    def __init__(self) -> None:
        self._left = self._spare = MAX_WORK

    def spend(self, size: int, least: int = 4096) -> None:
        self._left -= max(size, least)
        if self._left < 0:
            raise TimeoutError("too many candidates for a private key")

    def covers(self, size: int) -> bool:
        """Take what something costs that can be done without, and return whether it is to be done."""
        self._spare -= size
        return self._spare >= 0


@dataclass(frozen=True, slots=True)
class Place:
    """A key and its span in the chunk."""

    start: int
    end: int
    key: Key


def armoured(data: bytes, begin: regex.Match[bytes], work: Work) -> Place | None:
    """Return the key that a BEGIN line announces, or None when the body is not one."""
    if begin["what"] != b"BEGIN" or data.find(b"-----", begin.end(), begin.end() + MIN_BASE64) >= 0:
        return None
    label = label_of(begin)
    if label.startswith("PGP"):
        return None
    stop, end, complete = body_stop(data, begin.end())
    if not complete:
        stop = end = written_until(data, begin.end(), stop, mark_before(data, begin.start()))
    if stop - begin.end() < MIN_BASE64:
        return None
    work.spend(stop - begin.end())
    best: Key | None = None
    for body in bodies(data, begin.start(), begin.end(), stop):
        key = _read(label, body, complete)
        if key and (best is None or key.confidence == "high"):
            best = key
        if best and best.confidence == "high":
            break
    if best and not complete:
        best = replace(best, remark="; ".join(filter(None, (best.remark, "its END line is missing"))))
    return Place(begin.start(), end, best) if best else None


def _read(label: str, body: Body, complete: bool) -> Key | None:
    data, sound = body.decode()
    if body.cipher:
        return keys_read.legacy(label, body.cipher, data)
    if data.startswith(keys_ssh.MAGIC):
        return keys_ssh.openssh(data)
    if data.startswith(keys_ssh.SSH2_MAGIC):
        return keys_ssh.ssh2(data)
    if data.startswith(b"{") and b'"kdf"' in data and b'"ciphertext"' in data:
        return Key("Cosign", 0, data, protection="encrypted with a password")
    if label.startswith("NEBULA") and len(data) in (32, 64):
        return keys_read.edwards("Ed25519" if "ED25519" in label else "X25519", data[:32])
    key = keys_read.from_der(data)
    if key:
        kind = key.kind or _labelled(label)
        return replace(key, kind=kind)
    return _unread(label, data) if complete and sound else None


def _labelled(label: str) -> str:
    word = label.removesuffix("PRIVATE KEY").strip()
    return "" if word in ("ENCRYPTED", "ANY", "SSH2 ENCRYPTED") else word.replace("OPENSSH", "OpenSSH")


def _unread(label: str, data: bytes) -> Key | None:
    """Return a key of low confidence for a body as long and as random as one: its first bytes may be damaged.

    What is whole DER of another kind (a certificate, a public key) or text is none.
    """
    if len(data) < 256 or data[:1] == b"\x30" or entropy(data) < 7.0:
        return None
    return Key(_labelled(label), 0, data, confidence="low", remark="does not parse: has only the length and look of a key")


def bare(data: bytes, found: regex.Match[bytes], work: Work) -> Place | None:
    """Return the key in base64 that begins at an offset without a BEGIN line; only a whole one is believed."""
    start = found.start()
    if in_word(data, start) or not _LINE.match(data, start):
        return None
    _, first, last = header(binascii.a2b_base64(data[start : start + 12]))
    limit = min(len(data), start + 2 * (last - first) + 200)
    work.spend(8 * (limit - start))
    stop = written_until(data, start, limit)
    for body in bodies(data, start, start, stop):
        key = keys_read.from_der(body.decode()[0])
        if key and key.confidence == "high" and key.kind:
            return Place(start, stop, key)
    return None


def in_word(data: bytes, start: int) -> bool:
    """Whether base64 goes on before an offset; the letter of an escape (\\n) is none."""
    return data[start - 1 : start].isalnum() and start > 0 and not _ESCAPED.search(data[max(0, start - 4) : start])
