"""What stands beside a key in the same text and says whose it is: its certificate or public key."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING

import regex

from scanner.confirm.keys_read import Key, quietly, refusals
from scanner.confirm.keys_text import bodies

if TYPE_CHECKING:
    from cryptography import x509

MAX_WITNESSES = 100
"""Certificates and public keys read of one text, and keys whose public half is looked for.

They add evidence to a finding and decide none.
"""

_DER = (b"\x30\x82", b"\x30\x81", b"\x30\x59", b"\x30\x2a")
_BLOCK = regex.compile(
    rb"-----BEGIN (?P<label>(?:TRUSTED |X509 )?CERTIFICATE|(?:RSA )?PUBLIC KEY)-----"
    rb"(?P<body>[^-]{64,16000})-----END (?P=label)-----"
)


class Witnesses:
    """The certificates and public keys of a chunk, read when first asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._known: dict[bytes, str] | None = None
        self._asked = 0

    def of(self, key: Key) -> str | None:
        """Return what is said of a key by its certificate or public key in the same text, or None."""
        if self._known is None:
            self._known = dict(self._read())
        if key.public in self._known:
            return self._known[key.public]
        self._asked += 1
        if key.ssh and self._asked <= MAX_WITNESSES and base64.b64encode(key.ssh) in self._data:
            return "its public key is in the same file"
        return None

    def _read(self) -> Iterator[tuple[bytes, str]]:
        for label, der in blocks(self._data):
            said = _certificate(der) if b"CERTIFICATE" in label else (der, "its public key is in the same file")
            if said:
                yield said


def blocks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the label and the DER bytes of the certificates and public keys in a text, at most `MAX_WITNESSES`.

    A file that is a certificate in DER, or a public key, is one of these too.
    """
    if data.startswith(_DER):
        yield b"CERTIFICATE", data
        yield b"PUBLIC KEY", data
    if b"CERTIFICATE-----" not in data and b"PUBLIC KEY-----" not in data:
        return
    for count, block in enumerate(_BLOCK.finditer(data)):
        if count == MAX_WITNESSES:
            return
        for body in bodies(data, block.start(), block.start("body"), block.end("body")):
            yield block["label"], body.decode()[0]


def common_name(certificate: x509.Certificate) -> str:
    """Return the name of a certificate's subject, short and printable."""
    from cryptography.x509 import NameOID

    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return "".join(char for char in str(names[0].value)[:64] if char.isprintable()) if names else "unnamed"


def _certificate(der: bytes) -> tuple[bytes, str] | None:
    """Return the SubjectPublicKeyInfo of a certificate and words that name its subject."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization as form

    try:
        with quietly():
            certificate = x509.load_der_x509_certificate(der)
            info = certificate.public_key().public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)
            name = common_name(certificate)
    except refusals():
        return None
    return info, f"its certificate (CN={name}) is in the same file"
