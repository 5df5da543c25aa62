"""Expanding the placeholders of rule examples, so that no live-looking credential is ever committed.

`{{digits:12}}` becomes twelve digits, and so on for the kinds in `ALPHABETS`; `{{pem:KIND}}`
becomes a freshly derived elliptic-curve key, `{{ses:44}}` an SES SMTP password, and
`{{b64:TEXT}}` the base64 of a text whose own placeholders are filled first. The values come from a fixed seed and the text's
own content, so that an example always expands to the same text.
"""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Callable

ALPHABETS = {
    "digits": "0123456789",
    "hex": "0123456789abcdef",
    "base32": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
    "alnum": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    "lower": "abcdefghijklmnopqrstuvwxyz0123456789",
    "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    "urlsafe": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    "secret": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
}
_ENCODED = re.compile(r"\{\{b64:(?P<text>[^{}]*)\}\}")
_PLACEHOLDER = re.compile(r"\{\{(?P<kind>[a-z0-9]+):(?P<size>[a-z0-9]+)\}\}")


def expand(template: str, seed: int = 0) -> str:
    """Return the template with every placeholder filled in.

    Raises `ValueError` naming a placeholder of unknown kind.

    >>> expand("id-{{digits:4}}") == expand("id-{{digits:4}}")
    True
    """
    source = random.Random(f"{seed}:{template}")

    def fill(match: re.Match[str]) -> str:
        kind, size = match["kind"], match["size"]
        if kind == "ses":
            return base64.b64encode(b"\4" + source.randbytes(32)).decode()
        if kind == "pem" and size in _KEYS:
            return _KEYS[size](source)
        if kind not in ALPHABETS or not size.isdigit():
            raise ValueError(f"{match.group()} is not a known placeholder; use {', '.join(ALPHABETS)} with a length, or pem")
        return _mixed(ALPHABETS[kind], int(size), source)

    filled = _PLACEHOLDER.sub(fill, template)
    return _ENCODED.sub(lambda match: base64.b64encode(match["text"].encode()).decode(), filled)


def _mixed(alphabet: str, size: int, source: random.Random) -> str:
    """Return random characters with every class of the alphabet among them, as in nearly every real value."""
    classes = [kind for kind in (str.islower, str.isupper, str.isdigit) if any(map(kind, alphabet))]
    while True:
        text = "".join(source.choices(alphabet, k=size))
        if size < 3 * len(classes) or all(any(map(kind, text)) for kind in classes):
            return text


def _pem(form: str) -> Callable[[random.Random], str]:
    def make(source: random.Random) -> str:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.derive_private_key(source.getrandbits(255), ec.SECP256R1())
        formats = {
            "pkcs8": serialization.PrivateFormat.PKCS8,
            "sec1": serialization.PrivateFormat.TraditionalOpenSSL,
            "openssh": serialization.PrivateFormat.OpenSSH,
        }
        return key.private_bytes(serialization.Encoding.PEM, formats[form], serialization.NoEncryption()).decode()

    return make


_KEYS = {form: _pem(form) for form in ("pkcs8", "sec1", "openssh")}
