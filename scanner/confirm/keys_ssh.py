"""SSH's own containers of private keys: OpenSSH, PuTTY and ssh.com.

Sources: PROTOCOL.key of OpenSSH; appendix C of the PuTTY manual,
https://the.earth.li/~sgtatham/putty/latest/htmldoc/AppendixC.html; for ssh.com, RFC 4716
has only the public half, and the private one is as PuTTY and Bouncy Castle read it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace

from scanner.confirm import keys_read
from scanner.confirm.keys_der import rsa_public
from scanner.confirm.keys_read import Key, wire_string

MAGIC = b"openssh-key-v1\0"
SSH2_MAGIC = b"\x3f\x6f\xf9\xeb"

_CURVES = {b"nistp256": "P-256", b"nistp384": "P-384", b"nistp521": "P-521"}
_BITS = {"P-256": 256, "P-384": 384, "P-521": 521}


class Wire:
    """Reads strings and numbers as RFC 4251 5 writes them; `ValueError` at the end of the data."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        if size < 0 or self._at + size > len(self._data):
            raise ValueError("cut off")
        self._at += size
        return self._data[self._at - size : self._at]

    def uint32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        return self.take(self.uint32())

    def integer(self) -> int:
        return int.from_bytes(self.string(), "big")

    def counted(self) -> int:
        """Return a number as ssh.com writes it: its length in bits, then its bytes."""
        return int.from_bytes(self.take((self.uint32() + 7) // 8), "big")

    @property
    def at(self) -> int:
        return self._at


def public(blob: bytes) -> Key:
    """Return what a public key says, as a `Key` without secret. Raises `ValueError` for what is none."""
    wire = Wire(blob)
    name = wire.string()
    if name == b"ssh-rsa":
        exponent, modulus = wire.integer(), wire.integer()
        return Key("RSA", modulus.bit_length(), b"", rsa_public(modulus, exponent), blob)
    if name == b"ssh-dss":
        return Key("DSA", wire.integer().bit_length(), b"", b"", blob)
    if name in (b"ssh-ed25519", b"ssh-ed448"):
        return Key(name[4:].decode().capitalize(), 8 * len(wire.string()) // 32 * 32, b"", b"", blob)
    if name.startswith(b"ecdsa-sha2-"):
        curve = _CURVES.get(wire.string(), "")
        return Key(f"EC {curve}".strip(), _BITS.get(curve, 0), b"", b"", blob)
    if name.startswith((b"sk-", b"webauthn-sk-")):
        kind = "Ed25519" if b"ed25519" in name else "EC P-256"
        return Key(kind, 256, b"", b"", blob, protection="usable only with its hardware security key")
    if not 4 <= len(name) <= 64 or not name.isascii():
        raise ValueError("no public key")
    return Key(name.decode(), 0, b"", b"", blob)


def openssh(data: bytes) -> Key | None:
    """Return the key in an OpenSSH container, or what is known of it when it is encrypted or cut off."""
    wire = Wire(data)
    wire.take(len(MAGIC))
    key = Key("OpenSSH", 0, data)
    try:
        cipher, kdf, options = wire.string(), wire.string(), wire.string()
        count = wire.uint32()
        key = replace(public(wire.string()), secret=data)
        for _ in range(count - 1 if count <= 16 else 0):
            wire.string()
        secret = wire.string()
    except ValueError:
        remark = "cut off or damaged"
        return replace(key, confidence="medium", remark=remark) if len(data) >= 100 else None
    key = replace(key, secret=data[: wire.at])
    if cipher != b"none":
        return replace(_with_public(key), protection=_passphrase(cipher, kdf, options))
    if secret[:4] != secret[4:8]:
        return replace(key, confidence="medium", remark="damaged: its check numbers differ")
    return _plain(key, secret) or key


def _passphrase(cipher: bytes, kdf: bytes, options: bytes) -> str:
    words = f"encrypted with {_word(cipher)}, key derived by {_word(kdf)}"
    try:
        wire = Wire(options)
        wire.string()
        return f"{words} with {wire.uint32()} rounds"
    except ValueError:
        return words


def _word(text: bytes) -> str:
    plain = "".join(chr(byte) for byte in text[:40] if 33 <= byte < 127)
    return plain or "an unknown method"


def _with_public(key: Key) -> Key:
    """Return the key with its SubjectPublicKeyInfo, where its public half is one that the library reads."""
    if key.public or not key.ssh:
        return key
    from cryptography.hazmat.primitives import serialization as form

    name = Wire(key.ssh).string()
    try:
        with keys_read.quietly():
            loaded = form.load_ssh_public_key(name + b" " + base64.b64encode(key.ssh))
        info = loaded.public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)
    except keys_read.refusals():
        return key
    return replace(key, public=info)


def _plain(outside: Key, section: bytes) -> Key | None:
    """Return the key of an unencrypted private section, or None when it is of a kind not read here."""
    wire = Wire(section)
    try:
        wire.take(8)
        found = _private(wire.string(), wire)
    except ValueError:
        return replace(outside, confidence="medium", remark="damaged: its private part does not parse")
    if found is None:
        return None
    return found if found.ssh == outside.ssh or found.confidence != "high" else keys_read.doubted(found)


def _private(name: bytes, wire: Wire) -> Key | None:
    """Read the private fields that follow an algorithm's name in an OpenSSH private section."""
    if name == b"ssh-rsa":
        n, e, d, _, p, q = (wire.integer() for _ in range(6))
        return keys_read.rsa(n, e, d, p, q)
    if name == b"ssh-dss":
        p, q, g, y, x = (wire.integer() for _ in range(5))
        return keys_read.dsa(p, q, g, y, x)
    if name == b"ssh-ed25519":
        wire.string()
        return keys_read.edwards("Ed25519", wire.string()[:32])
    if name.startswith(b"ecdsa-sha2-"):
        curve = _CURVES.get(wire.string(), "")
        wire.string()
        return keys_read.elliptic(curve, wire.integer())
    return None


def putty(name: bytes, blob: bytes, section: bytes) -> Key | None:
    """Return the key of an unencrypted PuTTY file, whose private part lacks what the public one has."""
    outside, wire, secret = Wire(blob), Wire(section), None
    if outside.string() != name:
        return None
    if name == b"ssh-rsa":
        e, n = outside.integer(), outside.integer()
        d, p, q = (wire.integer() for _ in range(3))
        secret = keys_read.rsa(n, e, d, p, q)
    elif name == b"ssh-dss":
        p, q, g, y = (outside.integer() for _ in range(4))
        secret = keys_read.dsa(p, q, g, y, wire.integer())
    elif name in (b"ssh-ed25519", b"ssh-ed448"):
        secret = keys_read.edwards(name[4:].decode().capitalize(), wire.string())
    elif name.startswith(b"ecdsa-sha2-"):
        secret = keys_read.elliptic(_CURVES.get(outside.string(), ""), wire.integer())
    return secret


def putty_mac(version: int, fields: tuple[bytes, ...]) -> str:
    """Return the Private-MAC of an unencrypted PuTTY file over its algorithm, encryption, comment and both parts."""
    message = b"".join(map(wire_string, fields))
    if version == 3:
        return hmac.new(b"", message, hashlib.sha256).hexdigest()
    key = hashlib.sha1(b"putty-private-key-file-mac-key", usedforsecurity=False).digest()
    return hmac.new(key, message, hashlib.sha1).hexdigest()


def ssh2(data: bytes) -> Key | None:
    """Return the key in a container of ssh.com, or what is known of it when it is encrypted."""
    wire = Wire(data)
    try:
        wire.take(4)
        size = wire.uint32()
        kind, cipher, section = wire.string(), wire.string(), wire.string()
    except ValueError:
        return Key("SSH2", 0, data, confidence="medium", remark="cut off or damaged") if len(data) >= 100 else None
    name = "RSA" if kind.startswith(b"if-modn") else "DSA" if kind.startswith(b"dl-modp") else "SSH2"
    key = Key(name, 0, data[:size] if 16 < size <= len(data) else data)
    if cipher != b"none":
        return replace(key, protection=f"encrypted with {_word(cipher)}, key derived by MD5")
    return _ssh2_plain(name, section) or replace(key, confidence="medium", remark="its private part does not parse")


def _ssh2_plain(name: str, section: bytes) -> Key | None:
    wire = Wire(section)
    try:
        inner = Wire(wire.string())
        if name == "RSA":
            e, d, n, _, p, q = (inner.counted() for _ in range(6))
            return keys_read.rsa(n, e, d, max(p, q), min(p, q))
        if name == "DSA" and inner.uint32() == 0:
            p, g, q, y, x = (inner.counted() for _ in range(5))
            return keys_read.dsa(p, q, g, y, x)
    except ValueError:
        pass
    return None
