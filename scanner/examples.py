"""Expanding the placeholders of rule examples, so that no live-looking credential is ever committed.

`{{digits:12}}` becomes twelve digits, and so on for the kinds in `ALPHABETS`; `{{pem:KIND}}`
becomes a freshly derived key in one of the forms of `_KEYS`, `{{github:36}}` and the other kinds
in `_TOKENS` tokens whose checksum or structure is right, `{{b64:TEXT}}` the base64 of a text
whose own placeholders are filled first, and `{{json:TEXT}}` the base64 of that text in braces.
`{{path:NAME}}` at the head says which file it is.
The values come from a fixed seed and the text's own content, so that an example always expands
to the same text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

ALPHABETS = {
    "digits": "0123456789",
    "hex": "0123456789abcdef",
    "base32": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
    "alnum": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    "lower": "abcdefghijklmnopqrstuvwxyz0123456789",
    "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    "letters": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "az": "abcdefghijklmnopqrstuvwxyz",
    "hexupper": "0123456789ABCDEF",
    "base32lower": "abcdefghijklmnopqrstuvwxyz234567",
    "base58": "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
    "urlsafe": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    "secret": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
}
_ENCODED = re.compile(r"\{\{(?P<kind>b64|json):(?P<text>[^{}]*)\}\}")
_PLACEHOLDER = re.compile(r"\{\{(?P<kind>[a-z0-9]+):(?P<size>[a-z0-9]+)\}\}")


_PATH = re.compile(r"\{\{path:(?P<path>[^{}]+)\}\}\n?")


def placed(template: str) -> tuple[str | None, str]:
    """Return the path that an example begins with, if it does, and the rest of it, expanded.

    >>> placed("{{path:config/master.key}}\\nkey")
    ('config/master.key', 'key')
    """
    path = _PATH.match(template)
    return (path["path"], expand(template[path.end() :])) if path else (None, expand(template))


def expand(template: str, seed: int = 0) -> str:
    """Return the template with every placeholder filled in.

    Raises `ValueError` naming a placeholder of unknown kind.

    >>> expand("id-{{digits:4}}") == expand("id-{{digits:4}}")
    True
    """
    source = random.Random(f"{seed}:{template}")

    def fill(match: re.Match[str]) -> str:
        kind, size = match["kind"], match["size"]
        if kind in _TOKENS:
            return _TOKENS[kind](source, size)
        if kind == "pem" and size in _KEYS:
            return _KEYS[size](source)
        if kind not in ALPHABETS or not size.isdigit():
            known = ", ".join((*ALPHABETS, *_TOKENS))
            raise ValueError(f"{match.group()} is not a known placeholder; use {known} with a length, or pem")
        return _mixed(ALPHABETS[kind], int(size), source)

    filled = _PLACEHOLDER.sub(fill, template)
    return _ENCODED.sub(_encoded, filled)


def _encoded(match: re.Match[str]) -> str:
    if match["kind"] == "json":  # as in tokens, without padding
        return base64.b64encode(f"{{{match['text']}}}".encode()).decode().rstrip("=")
    return base64.b64encode(match["text"].encode()).decode()


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

        formats = {
            "pkcs8": serialization.PrivateFormat.PKCS8,
            "sec1": serialization.PrivateFormat.TraditionalOpenSSL,
            "openssh": serialization.PrivateFormat.OpenSSH,
        }
        return (
            _curve_key(source).private_bytes(serialization.Encoding.PEM, formats[form], serialization.NoEncryption()).decode()
        )

    return make


def _curve_key(source: random.Random) -> ec.EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.derive_private_key(source.getrandbits(255), ec.SECP256R1())


def _ed25519(source: random.Random) -> tuple[bytes, bytes]:
    """Return the private and the public half of a key, 32 bytes each."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    secret = source.randbytes(32)
    return secret, Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def _putty(source: random.Random) -> str:
    from scanner.confirm.keys_read import wire_string
    from scanner.confirm.keys_ssh import putty_mac

    secret, public = _ed25519(source)
    blob, section = wire_string(b"ssh-ed25519") + wire_string(public), wire_string(secret)
    mac = putty_mac(3, (b"ssh-ed25519", b"none", b"example", blob, section))
    coded, private = base64.b64encode(blob).decode(), base64.b64encode(section).decode()
    return (
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: example\n"
        f"Public-Lines: 2\n{coded[:64]}\n{coded[64:]}\nPrivate-Lines: 1\n{private}\nPrivate-MAC: {mac}\n"
    )


def _jwk(source: random.Random) -> str:
    secret, public = (base64.urlsafe_b64encode(half).decode().rstrip("=") for half in _ed25519(source))
    return f'{{"kty":"OKP","crv":"Ed25519","x":"{public}","d":"{secret}"}}'


def _pgp(source: random.Random) -> str:
    """Return an unencrypted Ed25519 key of version 4 with its checksum (RFC 4880, RFC 9580)."""
    from scanner.confirm.keys_pgp import crc24

    secret, public = _ed25519(source)
    number = int.from_bytes(secret, "big")
    coded = number.bit_length().to_bytes(2, "big") + number.to_bytes((number.bit_length() + 7) // 8, "big")
    curve = bytes.fromhex("092b06010401da470f01")
    body = b"\4" + source.randbytes(4) + b"\x16" + curve + (263).to_bytes(2, "big") + b"\x40" + public
    body += b"\0" + coded + (sum(coded) & 0xFFFF).to_bytes(2, "big")
    packet = b"\xc5" + bytes([len(body)]) + body
    text = base64.b64encode(packet).decode()
    check = base64.b64encode(crc24(packet).to_bytes(3, "big")).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{lines}\n={check}\n-----END PGP PRIVATE KEY BLOCK-----"


def _age(source: random.Random) -> str:
    from scanner.confirm.keys_age import encode

    return encode("age-secret-key-", source.randbytes(32)).upper()


def _wireguard(source: random.Random) -> str:
    raw = bytearray(source.randbytes(32))
    raw[0], raw[31] = raw[0] & 0xF8, raw[31] & 0x7F | 0x40
    return base64.b64encode(raw).decode()


def _minisign(source: random.Random) -> str:
    secret, public = _ed25519(source)
    number = source.randbytes(8)
    check = hashlib.blake2b(b"Ed" + number + secret + public, digest_size=32).digest()
    return base64.b64encode(b"Ed\0\0B2" + bytes(48) + number + secret + public + check).decode()


def _pkcs12(source: random.Random) -> str:
    """Return, as base64, a store with one key that is not encrypted (RFC 7292 4.2.1)."""
    from cryptography.hazmat.primitives import serialization

    from scanner.confirm.keys_der import OCTETS, SEQUENCE, write, write_integer, write_oid

    key = _curve_key(source).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

    def content(data: bytes) -> bytes:
        return write(SEQUENCE, write_oid("1.2.840.113549.1.7.1") + write(0xA0, write(OCTETS, data)))

    bag = write(SEQUENCE, write_oid("1.2.840.113549.1.12.10.1.1") + write(0xA0, key))
    safe = write(SEQUENCE, content(write(SEQUENCE, bag)))
    return base64.b64encode(write(SEQUENCE, write_integer(3) + content(safe))).decode()


_KEYS: dict[str, Callable[[random.Random], str]] = {
    **{form: _pem(form) for form in ("pkcs8", "sec1", "openssh")},
    "putty": _putty, "jwk": _jwk, "pgp": _pgp, "age": _age, "wireguard": _wireguard, "minisign": _minisign, "pkcs12": _pkcs12,
}  # fmt: skip


def _ses(source: random.Random, size: str) -> str:
    return base64.b64encode(b"\4" + source.randbytes(32)).decode()


def _grafana(source: random.Random, size: str) -> str:
    from scanner.confirm.checksums import grafana_checksum

    body = f"glsa_{_mixed(ALPHABETS['alnum'], int(size), source)}"
    return f"{body}_{grafana_checksum(body.encode()).decode()}"


def _github(source: random.Random, size: str) -> str:
    """Return what stands behind the prefix of a token of GitHub or npm, with its checksum."""
    from scanner.confirm.checksums import BASE62, digits

    body = _mixed(ALPHABETS["alnum"], int(size) - 6, source)
    return body + digits(zlib.crc32(body.encode()), BASE62, 6).decode()


def _routable(source: random.Random, prefix: str) -> str:
    """Return a routable token of GitLab for organisation 1 and user 7, with its checksum."""
    from scanner.confirm.checksums import BASE36, digits

    routes = b"o:1\nu:7"
    payload = _urlsafe(source.randbytes(16) + routes + bytes([len(routes)]))
    text = f"{prefix}-{payload}.01.{digits(len(payload), BASE36, 2).decode()}"
    return text + digits(zlib.crc32(text.encode()), BASE36, 7).decode()


def _macaroon(source: random.Random, index: str) -> str:
    """Return a token of PyPI or TestPyPI: a macaroon with one caveat."""
    location = {"pypi": b"pypi.org", "testpypi": b"test.pypi.org"}[index]
    caveat = b'[3, "' + source.randbytes(16).hex().encode() + b'"]'
    fields = ((1, location), (2, source.randbytes(18).hex().encode()), (0, b""), (2, caveat), (0, b""), (0, b""))
    raw = b"\2" + b"".join(bytes([kind]) + (bytes([len(value)]) + value if kind else b"") for kind, value in fields)
    return "pypi-" + _urlsafe(raw + b"\6\x20" + source.randbytes(32))


def _onepassword(source: random.Random, prefix: str) -> str:
    fields = {
        "signInAddress": "acme.1password.com",
        "userAuth": {"method": "SRPg-4096"},
        "email": "a@1passwordserviceaccounts.com",
    }
    fields["secretKey"] = "A3-" + _mixed(ALPHABETS["upper"], 31, source)
    return f"{prefix}_" + base64.b64encode(json.dumps({**fields, "deviceUuid": source.randbytes(60).hex()}).encode()).decode()


def _tunnel(source: random.Random, size: str) -> str:
    """Return the token of a Cloudflare tunnel."""
    fields = {"a": source.randbytes(16).hex(), "t": source.randbytes(16).hex()}
    fields["s"] = base64.b64encode(source.randbytes(int(size))).decode()
    return base64.b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode()


def _discord(source: random.Random, size: str) -> str:
    """Return a bot's token, its id of so many digits in front."""
    number = str(source.randrange(10 ** (int(size) - 1), 10 ** int(size)))
    return f"{_urlsafe(number.encode())}.{_mixed(ALPHABETS['urlsafe'], 6, source)}.{_mixed(ALPHABETS['urlsafe'], 38, source)}"


def _supabase(source: random.Random, role: str) -> str:
    reference = _mixed("abcdefghijklmnopqrstuvwxyz", 20, source)
    claims = {"iss": "supabase", "ref": reference, "role": {"service": "service_role"}.get(role, role), "iat": 1700000000}
    return _jwt(claims, source)


def _kubernetes(source: random.Random, form: str) -> str:
    """Return the token of a service account, from a secret (`legacy`) or bound to a pod."""
    name = "system:serviceaccount:shop:builder"
    if form == "legacy":
        return _jwt({"iss": "kubernetes/serviceaccount", "kubernetes.io/serviceaccount/namespace": "shop", "sub": name}, source)
    cluster = "https://kubernetes.default.svc.cluster.local"
    return _jwt(
        {"aud": [cluster], "exp": 1900000000, "iss": cluster, "kubernetes.io": {"namespace": "shop"}, "sub": name}, source
    )


def _web_token(source: random.Random, kind: str) -> str:
    """Return a JSON Web Token: `live` for good, `expired`, or with an algorithm of this name."""
    claims: dict[str, object] = {"sub": f"team{source.randrange(10**6)}", "iat": 1700000000}
    if kind == "expired":
        claims["exp"] = 1700003600
    return _jwt(claims, source, "HS256" if kind in ("live", "expired") else kind)


def _jwt(claims: dict[str, object], source: random.Random, algorithm: str = "HS256") -> str:
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": algorithm, "typ": "JWT"}, claims)]
    return ".".join(map(_urlsafe, (*parts, source.randbytes(32))))


def _urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _packagist(source: random.Random, kind: str) -> str:
    """Return an authentication token of Private Packagist of a kind."""
    text = f"packagist_{kind}_" + "".join(source.choices(ALPHABETS["hex"], k=60))
    return f"{text}{zlib.crc32(text.encode()):08x}"


def _matrix(source: random.Random, kind: str) -> str:
    """Return a token of Synapse (`syt`, `syr`) or of its authentication service (`mat`, `mar`, `mct`, `mcr`, `mpt`)."""
    from scanner.confirm.checksums import matrix_checksum

    if kind.startswith("sy"):
        user = base64.b64encode(_mixed(ALPHABETS["lower"], 7, source).encode()).decode().rstrip("=")
        head = f"{kind}_{user}_{_mixed(ALPHABETS['letters'], 20, source)}"
    else:
        head = f"{kind}_{_mixed(ALPHABETS['alnum'], 30, source)}"
    return f"{head}_{matrix_checksum(head.encode()).decode()}"


def _base58(raw: bytes, alphabet: bytes) -> str:
    number, text = int.from_bytes(raw, "big"), bytearray()
    while number:
        number, rest = divmod(number, 58)
        text.append(alphabet[rest])
    return bytes(reversed(text)).decode()


def _wif(source: random.Random, form: str) -> str:
    """Return a key of Bitcoin in the wallet import format, `plain` or of a `compressed` public key, or for a `test` network."""
    from scanner.confirm.wallets import BASE58, base58_checksum

    raw = (b"\xef" if form == "test" else b"\x80") + source.randbytes(32) + (b"" if form == "plain" else b"\1")
    return _base58(raw + base58_checksum(raw), BASE58)


def _extended(source: random.Random, prefix: str) -> str:
    from scanner.confirm.wallets import BASE58, base58_checksum

    version = {"xprv": "0488ade4", "yprv": "049d7878", "zprv": "04b2430c", "tprv": "04358394"}[prefix]
    raw = bytes.fromhex(version) + source.randbytes(41) + b"\0" + source.randbytes(32)
    return _base58(raw + base58_checksum(raw), BASE58)


def _bech32(source: random.Random, prefix: str) -> str:
    from scanner.confirm.keys_age import encode

    return encode(prefix, source.randbytes(32))


def _stellar(source: random.Random, kind: str) -> str:
    from scanner.confirm.wallets import stellar_checksum

    raw = b"\x90" + source.randbytes(32)
    return base64.b32encode(raw + stellar_checksum(raw)).decode()


def _xrp(source: random.Random, curve: str) -> str:
    """Return a seed of the XRP Ledger for a key on the curve `secp256k1` or `ed25519`."""
    from scanner.confirm.wallets import XRP58, XRP_ED25519, XRP_SEED, base58_checksum

    raw = {"secp256k1": XRP_SEED, "ed25519": XRP_ED25519}[curve] + source.randbytes(16)
    return _base58(raw + base58_checksum(raw), XRP58)


def _solana(source: random.Random, form: str) -> str:
    """Return a key pair of Solana as a `list` of numbers or in `base58`."""
    from scanner.confirm.wallets import BASE58

    raw = b"".join(_ed25519(source))
    return json.dumps(list(raw), separators=(",", ":")) if form == "list" else _base58(raw, BASE58)


def _phrase(source: random.Random, count: str) -> str:
    """Return so many made-up words, as in a phrase of a wallet."""
    sounds = [first + second for first in "bdfgklmnprstv" for second in "aeiou"]
    return " ".join("".join(source.choices(sounds, k=source.choice((2, 3)))) for _ in range(int(count)))


_TOKENS: dict[str, Callable[[random.Random, str], str]] = {
    "ses": _ses, "grafana": _grafana, "github": _github, "routable": _routable, "macaroon": _macaroon,
    "onepassword": _onepassword, "tunnel": _tunnel, "discord": _discord, "supabase": _supabase, "kubernetes": _kubernetes,
    "jwt": _web_token, "matrix": _matrix, "packagist": _packagist, "wif": _wif, "extended": _extended, "bech32": _bech32,
    "stellar": _stellar, "xrp": _xrp, "solana": _solana, "phrase": _phrase,
}  # fmt: skip
