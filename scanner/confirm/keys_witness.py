"""What stands beside a key in the same text and says whose it is: its certificate or public key."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Iterator

import regex

from scanner.confirm.keys_read import Key, refusals
from scanner.confirm.keys_text import bodies

MAX_WITNESSES = 100
"""Certificates and public keys read of one text. They add evidence to a finding and decide none."""

_BLOCK = regex.compile(
    rb"-----BEGIN (?P<label>(?:TRUSTED |X509 )?CERTIFICATE|(?:RSA )?PUBLIC KEY)-----"
    rb"(?P<body>[^-]{64,16000})-----END (?P=label)-----"
)


class Witnesses:
    """The certificates and public keys of a chunk, read when first asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._known: dict[bytes, str] | None = None

    def of(self, key: Key) -> str | None:
        """Return what is said of a key by its certificate or public key in the same text, or None."""
        if self._known is None:
            self._known = dict(self._read())
        if key.public in self._known:
            return self._known[key.public]
        if key.ssh and base64.b64encode(key.ssh) in self._data:
            return "its public key is in the same file"
        return None

    def _read(self) -> Iterator[tuple[bytes, str]]:
        if b"CERTIFICATE-----" not in self._data and b"PUBLIC KEY-----" not in self._data:
            return
        for count, block in enumerate(_BLOCK.finditer(self._data)):
            if count == MAX_WITNESSES:
                return
            for body in bodies(self._data, block.start(), block.start("body"), block.end("body")):
                der, _ = body.decode()
                said = _certificate(der) if b"CERTIFICATE" in block["label"] else (der, "its public key is in the same file")
                if said:
                    yield said


def _certificate(der: bytes) -> tuple[bytes, str] | None:
    """Return the SubjectPublicKeyInfo of a certificate and words that name its subject."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization as form

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an odd certificate
            certificate = x509.load_der_x509_certificate(der)
            info = certificate.public_key().public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)
            names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    except refusals():
        return None
    name = "".join(char for char in str(names[0].value)[:64] if char.isprintable()) if names else "unnamed"
    return info, f"its certificate (CN={name}) is in the same file"
