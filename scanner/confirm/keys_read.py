"""From bytes to a key: what it is, how strong, whether a passphrase guards it, and its public half.

RSA keys are read here number by number, because the library refuses small ones and
proves the primes of large ones for minutes; what it would have checked cheaply
(n = pq, ed ≡ 1) is checked here too. The other algorithms are read by `cryptography`,
which is imported only when a key was found; what it refuses is described by its outline.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from scanner.confirm.keys_der import Outline, outline, rsa_pkcs8, rsa_public
from scanner.confirm.text import entropy

MAX_SIZE = 64 * 1024
"""The longest private key in bytes that is believed: post-quantum ones have 5 kB, a 16,384-bit RSA key 9 kB."""

_MAX_RSA = 16_384
"""Bits of the longest RSA key whose numbers are held against each other."""

_QUICK = 10_000
"""Cubic bits of an exponentiation that take as long as reading a byte of text."""

_KNOWN_WELL = frozenset(("EC P-256", "EC P-384", "EC P-521", "EC secp256k1", "Ed25519", "Ed448", "X25519", "X448"))
"""Kinds of which the library reads every sound key: one that it refuses is damaged."""


@dataclass(frozen=True, slots=True)
class Key:
    """A private key. `secret` is its canonical form: for a plain key that was read, its PKCS#8 in DER.

    `public` is the SubjectPublicKeyInfo and `ssh` the public key as SSH sends it (RFC 4253
    6.6), each empty when not known. `protection` says what guards the key, '' for nothing.
    `remark` says why `confidence` is not high.
    """

    kind: str
    bits: int
    secret: bytes = field(repr=False)
    public: bytes = field(default=b"", repr=False)
    ssh: bytes = field(default=b"", repr=False)
    protection: str = ""
    confidence: str = "high"
    remark: str = ""


def from_der(data: bytes) -> Key | None:
    """Return the private key that the bytes begin with, plain or encrypted, or None."""
    found = outline(data)
    if found is None or found.size > MAX_SIZE:
        return None
    if not found.whole:
        return _broken(found, data)
    data = data[: found.size]
    if found.protection:
        return Key(found.kind, 0, data, protection=f"encrypted with {found.protection}")
    if found.kind == "RSA" and len(found.numbers) >= 8:
        return rsa(*found.numbers[:5])
    if found.kind == "DH":  # the library searches its primes for a second
        return Key(found.kind, found.bits, data)
    key = loading(lambda: _load_der(data))
    return key or _refused(found, data)


def _refused(found: Outline, data: bytes) -> Key:
    """Return a whole key that the library refuses: of an odd kind, damaged, or written by an old OpenSSL.

    That one left the leading zeros of an elliptic private number out, which RFC 5915 3 forbids.
    """
    key = Key(found.kind, found.bits, data)
    if found.kind not in _KNOWN_WELL:
        return key
    again = elliptic(found.kind.removeprefix("EC "), found.numbers[0]) if found.numbers else None
    point = again.public[-(2 * ((again.bits + 7) // 8)) :] if again else b""
    return again if again and point in data else doubted(again or key)


def _load_der(data: bytes) -> Any:
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    return load_der_private_key(data, None)


def _broken(found: Outline, data: bytes) -> Key | None:
    """Return a key of lower confidence for a structure that breaks off, if enough of it is there."""
    share = min(1.0, len(data) / found.size)
    if share < 0.25 or len(data) < (64 if share < 1 else 40):
        return None
    damaged = len(data) >= found.size
    remark = "damaged: its structure does not parse to the end" if damaged else f"cut off: {share:.0%} of it is here"
    protection = "encrypted with a password" if found.protection else ""
    confidence = "medium" if share >= 0.5 else "low"
    return Key(found.kind, 0, data[: found.size], protection=protection, confidence=confidence, remark=remark)


def rsa(n: int, e: int, d: int, p: int = 0, q: int = 0) -> Key | None:
    """Return an RSA key from its numbers, whose primes may be missing."""
    if n.bit_length() < 128 or min(e, d) < 3:
        return None
    ssh = b"".join(map(wire_string, (b"ssh-rsa", wire_integer(e), wire_integer(n))))
    key = Key("RSA", n.bit_length(), b"", rsa_public(n, e), ssh)
    if min(p, q) < 3 or n.bit_length() > _MAX_RSA:
        return replace(key, secret=n.to_bytes(n.bit_length() // 8 + 1, "big") + d.to_bytes(d.bit_length() // 8 + 1, "big"))
    numbers, sound = (n, e, d, p, q, 0, 0, 0), False
    if p * q == n and (e * d - 1) % (p - 1) == 0 and (e * d - 1) % (q - 1) == 0:
        try:
            numbers, sound = (n, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)), True
        except ValueError:
            pass
    key = replace(key, secret=rsa_pkcs8(numbers))
    return key if sound else doubted(key)


def recovered(n: int, e: int, d: int, covers: Callable[[int], bool]) -> Key | None:
    """Return an RSA key that was written without its primes, which are found where that is quick.

    `covers` is asked whether a cost may be had, in bytes of text that take as long to read.
    """
    bits = n.bit_length()
    if min(n, e, d) < 3 or bits > 4096 or e.bit_length() > 64 or d.bit_length() > bits or n % 2 == 0:
        return rsa(n, e, d)
    if not covers(bits**3 // _QUICK):
        return rsa(n, e, d)
    if pow(2, e * d - 1, n) != 1:
        key = rsa(n, e, d)
        return key and doubted(key)
    return rsa(n, e, d, *_primes(n, e, d))


def doubted(key: Key) -> Key:
    """Return a key whose numbers contradict each other."""
    return replace(key, confidence="medium", remark="its numbers do not fit together: damaged, or made up")


def _primes(n: int, e: int, d: int) -> tuple[int, int]:
    """Return the primes of a modulus, the larger first, or zeros when they cannot be had."""
    from cryptography.hazmat.primitives.asymmetric.rsa import rsa_recover_prime_factors

    try:
        first, second = rsa_recover_prime_factors(n, e, d)
    except ValueError:
        return 0, 0
    return max(first, second), min(first, second)


def wire_string(value: bytes) -> bytes:
    """Return a string as SSH sends it (RFC 4251 5)."""
    return len(value).to_bytes(4, "big") + value


def wire_integer(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True) if number else b""


def loading(load: Callable[[], Any]) -> Key | None:
    """Return the key that `cryptography` loads, or None for one that it refuses."""
    try:
        with quietly():
            return _described(load())
    except refusals():
        return None


@contextmanager
def quietly() -> Iterator[None]:
    """Keep `cryptography` from saying that an algorithm is old or a certificate odd: that concerns its user, who is not us."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def refusals() -> tuple[type[Exception], ...]:
    """Return what `cryptography` raises for a key that it does not read: some damage even ends in an internal error."""
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm

    return ValueError, TypeError, OverflowError, NotImplementedError, UnsupportedAlgorithm, InternalError


def _described(key: Any) -> Key:
    from cryptography.hazmat.primitives import serialization as form

    public = key.public_key()
    secret = key.private_bytes(form.Encoding.DER, form.PrivateFormat.PKCS8, form.NoEncryption())
    info = public.public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)
    found = outline(secret)
    kind, bits = (found.kind, found.bits) if found else (type(key).__name__, 0)
    return Key(kind, bits, secret, info, ssh_public(public))


def ssh_public(public: Any) -> bytes:
    """Return a public key as SSH sends it, or nothing for the algorithms that SSH does not know."""
    from binascii import a2b_base64

    from cryptography.hazmat.primitives import serialization as form

    try:
        line = public.public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)
    except refusals():
        return b""
    return a2b_base64(line.split()[1])


def elliptic(curve: str, number: int) -> Key | None:
    """Return the key of a named curve ('P-256') from its private number."""
    from cryptography.hazmat.primitives.asymmetric import ec

    known: dict[str, type[ec.EllipticCurve]] = {
        "P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1, "secp256k1": ec.SECP256K1,
    }  # fmt: skip
    if curve not in known or number < 1:
        return None
    return loading(lambda: ec.derive_private_key(number, known[curve]()))


def edwards(name: str, raw: bytes) -> Key | None:
    """Return an Ed25519, Ed448, X25519 or X448 key from its raw private bytes (RFC 8032, RFC 7748)."""
    from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, x448, x25519

    load: dict[str, Callable[[bytes], Any]] = {
        "Ed25519": ed25519.Ed25519PrivateKey.from_private_bytes, "X25519": x25519.X25519PrivateKey.from_private_bytes,
        "Ed448": ed448.Ed448PrivateKey.from_private_bytes, "X448": x448.X448PrivateKey.from_private_bytes,
    }  # fmt: skip
    return loading(lambda: load[name](raw)) if name in load else None


def dsa(p: int, q: int, g: int, y: int, x: int) -> Key | None:
    """Return a DSA key from its numbers (FIPS 186-4)."""
    from cryptography.hazmat.primitives.asymmetric import dsa as module

    public = module.DSAPublicNumbers(y, module.DSAParameterNumbers(p, q, g))
    return loading(lambda: module.DSAPrivateNumbers(x, public).private_key())


def legacy(label: str, cipher: str, data: bytes) -> Key | None:
    """Return a key that OpenSSL's traditional format encrypts (RFC 1421 headers).

    The cipher key is one round of MD5 over passphrase and IV (OpenSSL's EVP_BytesToKey).
    """
    if len(data) < 32 or entropy(data) < min(0.85 * math.log2(len(data)), 7.0):
        return None  # ciphertext looks random; a fixture's text does not
    block = 8 if "DES" in cipher or "BF" in cipher or "RC2" in cipher else 16
    kind = label.removesuffix(" PRIVATE KEY").removesuffix("PRIVATE KEY")
    key = Key(kind, 0, data, protection=f"encrypted with {cipher}, key derived by one round of MD5")
    if len(data) % block and cipher.endswith("CBC"):
        return replace(key, confidence="medium", remark="cut off or damaged: its length does not suit the cipher")
    return key
