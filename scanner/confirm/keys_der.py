"""The outline of a private key in DER: enough to say what it is when no library will read it.

Libraries refuse small moduli, odd curves and retired algorithms, yet such a key is as
leaked as any other. The reader here knows four structures: PKCS#1 (RFC 8017 A.1.2), the
DSA key of OpenSSL, SEC 1 (RFC 5915) and PKCS#8, plain or encrypted (RFC 5958).
"""

from __future__ import annotations

from dataclasses import dataclass, field

SEQUENCE, INTEGER, BITS, OCTETS, NULL, OID = 0x30, 0x02, 0x03, 0x04, 0x05, 0x06
MAX_CHILDREN = 64

RSA_OID, PSS_OID = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10"
DSA_OID, EC_OID = "1.2.840.10040.4.1", "1.2.840.10045.2.1"

ALGORITHMS = {
    RSA_OID: "RSA", PSS_OID: "RSA", DSA_OID: "DSA", EC_OID: "EC",
    "1.2.840.113549.1.3.1": "DH", "1.2.840.10046.2.1": "DH",
    "1.3.101.110": "X25519", "1.3.101.111": "X448", "1.3.101.112": "Ed25519", "1.3.101.113": "Ed448",
    "1.2.643.2.2.19": "GOST R 34.10-2001", "1.2.643.7.1.1.1.1": "GOST R 34.10-2012", "1.2.643.7.1.1.1.2": "GOST R 34.10-2012",
    "2.16.840.1.101.3.4.3.17": "ML-DSA-44", "2.16.840.1.101.3.4.3.18": "ML-DSA-65", "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
    **{f"2.16.840.1.101.3.4.3.{number}": "SLH-DSA" for number in range(20, 32)},
    "2.16.840.1.101.3.4.4.1": "ML-KEM-512", "2.16.840.1.101.3.4.4.2": "ML-KEM-768", "2.16.840.1.101.3.4.4.3": "ML-KEM-1024",
}  # fmt: skip
CURVES = {
    "1.2.840.10045.3.1.7": ("P-256", 256), "1.3.132.0.34": ("P-384", 384), "1.3.132.0.35": ("P-521", 521),
    "1.3.132.0.10": ("secp256k1", 256), "1.3.132.0.33": ("P-224", 224), "1.2.840.10045.3.1.1": ("P-192", 192),
    "1.3.132.0.6": ("secp112r1", 112), "1.3.132.0.28": ("secp128r1", 128), "1.3.132.0.8": ("secp160r1", 160),
    "1.3.132.0.9": ("secp160k1", 160), "1.3.132.0.31": ("secp192k1", 192), "1.3.132.0.32": ("secp224k1", 224),
    "1.3.36.3.3.2.8.1.1.7": ("brainpoolP256r1", 256), "1.3.36.3.3.2.8.1.1.11": ("brainpoolP384r1", 384),
    "1.3.36.3.3.2.8.1.1.13": ("brainpoolP512r1", 512), "1.3.132.0.26": ("sect233k1", 233), "1.3.132.0.36": ("sect409k1", 409),
    "1.2.156.10197.1.301": ("SM2", 256),
}  # fmt: skip
_FIXED_BITS = {"X25519": 256, "Ed25519": 256, "X448": 448, "Ed448": 448}
_RAW_BYTES = {"X25519": 32, "Ed25519": 32, "X448": 56, "Ed448": 57}  # RFC 8410 7
_PBE = {
    "1.2.840.113549.1.5.1": "MD2 and DES", "1.2.840.113549.1.5.3": "MD5 and DES", "1.2.840.113549.1.5.4": "MD2 and RC2",
    "1.2.840.113549.1.5.6": "MD5 and RC2", "1.2.840.113549.1.5.10": "SHA-1 and DES", "1.2.840.113549.1.5.11": "SHA-1 and RC2",
    "1.2.840.113549.1.12.1.1": "SHA-1 and RC4-128", "1.2.840.113549.1.12.1.2": "SHA-1 and RC4-40",
    "1.2.840.113549.1.12.1.3": "SHA-1 and 3DES", "1.2.840.113549.1.12.1.4": "SHA-1 and 2-key 3DES",
    "1.2.840.113549.1.12.1.5": "SHA-1 and RC2-128", "1.2.840.113549.1.12.1.6": "SHA-1 and RC2-40",
}  # fmt: skip
_PBES2 = "1.2.840.113549.1.5.13"
_KDFS = {"1.2.840.113549.1.5.12": "PBKDF2", "1.3.6.1.4.1.11591.4.11": "scrypt"}
_CIPHERS = {
    "1.2.840.113549.3.7": "3DES-CBC", "1.3.14.3.2.7": "DES-CBC", "1.2.840.113549.3.2": "RC2-CBC",
    "2.16.840.1.101.3.4.1.2": "AES-128-CBC", "2.16.840.1.101.3.4.1.22": "AES-192-CBC", "2.16.840.1.101.3.4.1.42": "AES-256-CBC",
    "2.16.840.1.101.3.4.1.6": "AES-128-GCM", "2.16.840.1.101.3.4.1.46": "AES-256-GCM",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outline:
    """What the structure says. `size` is the length in bytes that the first header declares.

    `whole` is False when the structure begins as a key does and then breaks or stops.
    `numbers` are the integers of an RSA or DSA key in the order of the file, version left out,
    or the private number of an elliptic one.
    """

    form: str
    kind: str
    size: int
    bits: int = 0
    whole: bool = True
    protection: str = ""
    numbers: tuple[int, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Node:
    tag: int
    value: bytes = field(repr=False)


def header(data: bytes, at: int = 0) -> tuple[int, int, int]:
    """Return (tag, where the value starts, where it stops) of the element at an offset.

    The value may stop behind the end of the data. Raises `ValueError` for what is no
    definite-length DER header.
    """
    if at + 2 > len(data):
        raise ValueError("no room for a header")
    size, start = data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or start + count > len(data):
            raise ValueError("no definite length")
        size, start = int.from_bytes(data[start : start + count], "big"), start + count
    return data[at], start, start + size


def children(data: bytes) -> list[Node]:
    """Return the elements that a constructed value consists of. Raises `ValueError` when they do not fill it."""
    found: list[Node] = []
    at = 0
    while at < len(data):
        tag, start, stop = header(data, at)
        if stop > len(data) or len(found) == MAX_CHILDREN:
            raise ValueError("an element does not fit")
        found.append(Node(tag, data[start:stop]))
        at = stop
    return found


def oid(node: Node) -> str:
    """Return the dotted form of an object identifier."""
    if node.tag != OID or not node.value or len(node.value) > 32:
        raise ValueError("no object identifier")
    parts, number = [], 0
    for byte in node.value:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            parts.append(number)
            number = 0
    if not parts:
        raise ValueError("no object identifier")
    first = min(parts[0] // 40, 2)
    return ".".join(map(str, (first, parts[0] - 40 * first, *parts[1:])))


def integer(node: Node) -> int:
    if node.tag != INTEGER or not node.value:
        raise ValueError("no integer")
    return int.from_bytes(node.value, "big", signed=True)


def write(tag: int, value: bytes) -> bytes:
    """Return an element in DER."""
    size = len(value)
    if size < 0x80:
        return bytes((tag, size)) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + value


def write_integer(number: int) -> bytes:
    return write(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def write_oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    value = b""
    for part in (40 * first + second, *rest):
        coded = bytes([part & 0x7F])
        while part := part >> 7:
            coded = bytes([0x80 | part & 0x7F]) + coded
        value += coded
    return write(OID, value)


def rsa_pkcs8(numbers: tuple[int, ...]) -> bytes:
    """Return the PKCS#8 form of an RSA key given as n, e, d, p, q, dp, dq, qinv."""
    inner = write(SEQUENCE, write_integer(0) + b"".join(map(write_integer, numbers[:8])))
    algorithm = write(SEQUENCE, write_oid(RSA_OID) + write(NULL, b""))
    return write(SEQUENCE, write_integer(0) + algorithm + write(OCTETS, inner))


def rsa_public(modulus: int, exponent: int) -> bytes:
    """Return the SubjectPublicKeyInfo of an RSA key (RFC 8017 A.1.1)."""
    inner = write(SEQUENCE, write_integer(modulus) + write_integer(exponent))
    return write(SEQUENCE, write(SEQUENCE, write_oid(RSA_OID) + write(NULL, b"")) + write(BITS, b"\0" + inner))


def outline(data: bytes) -> Outline | None:
    """Return what private key the bytes begin with, or None when they are something else."""
    try:
        tag, start, stop = header(data)
    except ValueError:
        return None
    if tag != SEQUENCE or stop - start < 16:
        return None
    if stop <= len(data):
        try:
            found = _whole(children(data[start:stop]), stop)
        except (ValueError, IndexError):  # an element breaks off, or is missing
            found = None
        if found:
            return found
    return _beginning(data, start, stop)


def _whole(nodes: list[Node], size: int) -> Outline | None:
    tags = [node.tag for node in nodes]
    if len(tags) >= 6 and set(tags[:6]) == {INTEGER}:
        return _integers(nodes, size)
    if tags[:2] == [INTEGER, OCTETS] and integer(nodes[0]) == 1:
        return _sec1(nodes, size, "")
    if tags[:3] == [INTEGER, SEQUENCE, OCTETS] and integer(nodes[0]) in (0, 1):
        return _pkcs8(nodes, size)
    if tags == [SEQUENCE, OCTETS] and len(nodes[1].value) >= 16:
        protection = _protection(nodes[0])
        return Outline("PKCS#8", "", size, protection=protection) if protection else None
    return None


def _integers(nodes: list[Node], size: int) -> Outline | None:
    """PKCS#1 has nine integers, of which the first is the version, and OpenSSL's DSA key has six."""
    count = sum(node.tag == INTEGER for node in nodes)
    if any(node.value[:1] > b"\x7f" for node in nodes[:count]):
        raise ValueError("a negative number")
    version, *numbers = (integer(node) for node in nodes[:count])
    if version not in (0, 1) or numbers[0].bit_length() < 128:
        return None
    if count == 9:
        return Outline("PKCS#1", "RSA", size, numbers[0].bit_length(), numbers=tuple(numbers))
    if count == 6 and len(nodes) == 6:
        return Outline("traditional", "DSA", size, numbers[0].bit_length(), numbers=tuple(numbers))
    return None


def _sec1(nodes: list[Node], size: int, curve: str) -> Outline | None:
    for node in nodes[2:]:
        if node.tag == 0xA0 and not curve:
            curve = _curve(children(node.value)[0])
    if not 10 <= len(nodes[1].value) <= 80 or any(node.tag not in (0xA0, 0xA1) for node in nodes[2:]):
        return None
    name, bits = CURVES.get(curve, (f"on curve {curve}" if curve else "on an unnamed curve", 8 * len(nodes[1].value)))
    return Outline("SEC1", f"EC {name}", size, bits, numbers=(int.from_bytes(nodes[1].value, "big"),))


def _curve(node: Node) -> str:
    return oid(node) if node.tag == OID else "with explicit parameters"


def _pkcs8(nodes: list[Node], size: int) -> Outline | None:
    algorithm = children(nodes[1].value)
    number = oid(algorithm[0])
    name = ALGORITHMS.get(number, f"algorithm {number}")
    if any(node.tag not in (0xA0, 0xA1, 0x81) for node in nodes[3:]):
        return None
    key = nodes[2].value
    if name in ("RSA", "EC"):
        _, start, stop = header(key)
        inside = children(key[start:stop])
        found = _integers(inside, size) if name == "RSA" else _sec1(inside, size, _curve(algorithm[1]))
        return found and Outline("PKCS#8", found.kind, size, found.bits, numbers=found.numbers)
    if name in _RAW_BYTES and len(key) != 2 + _RAW_BYTES[name]:
        raise ValueError("a key of another length")
    bits = _FIXED_BITS.get(name, 0)
    if name == "DSA" and len(algorithm) > 1:
        bits = integer(children(algorithm[1].value)[0]).bit_length()
    return Outline("PKCS#8", name, size, bits) if len(key) >= 16 else None


def _protection(node: Node) -> str:
    """Return the KDF and cipher of an encrypted PKCS#8 key in words, or '' when it is none."""
    algorithm = children(node.value)
    scheme = oid(algorithm[0])
    if scheme in _PBE:
        return f"PBE with {_PBE[scheme]}"
    if scheme != _PBES2 or len(algorithm) != 2:
        return ""
    kdf, cipher = children(algorithm[1].value)[:2]
    kdf_name = _KDFS.get(oid(children(kdf.value)[0]), "an unknown KDF")
    return f"{_CIPHERS.get(oid(children(cipher.value)[0]), 'an unknown cipher')}, key derived by {kdf_name}{_rounds(kdf)}"


def _rounds(kdf: Node) -> str:
    """Return ' with N rounds' for PBKDF2, where N is the second element of its parameters (RFC 8018 A.2)."""
    try:
        name, parameters = children(kdf.value)
        if _KDFS.get(oid(name)) == "PBKDF2":
            return f" with {integer(children(parameters.value)[1])} rounds"
    except (ValueError, IndexError):
        pass
    return ""


_BEGINNINGS = (
    (b"\x02\x01\x00\x02", "PKCS#1", "RSA"),
    (b"\x02\x01\x01\x04", "SEC1", "EC"),
    (b"\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01", "PKCS#8", "RSA"),
    (b"\x02\x01\x00\x30", "PKCS#8", ""),
    (b"\x02\x01\x01\x30", "PKCS#8", ""),
    (b"\x02\x01", "", ""),  # a version of one byte: no certificate, public key or signature begins so
)


def _beginning(data: bytes, start: int, stop: int) -> Outline | None:
    """Return the outline of a key that breaks off or is damaged behind its first bytes."""
    for first, form, kind in _BEGINNINGS:
        if data.startswith(first, start):
            return Outline(form, kind, stop, whole=False)
    scheme = data[start + 2 : start + 12]  # behind the header of the AlgorithmIdentifier
    if data[start : start + 1] == b"\x30" and scheme == b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05":
        return Outline("PKCS#8", "", stop, whole=False, protection="a password")
    return None
