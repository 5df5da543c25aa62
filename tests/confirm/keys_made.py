"""Keys for the tests, made at run time, and the wrappings that people put around them."""

from __future__ import annotations

import base64
import functools
import os
import random
import re
import tempfile
import urllib.parse
import warnings
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from scanner.confirm.keys_read import wire_string
from scanner.confirm.keys_ssh import putty_mac
from scanner.engine import ENGINES, Engine
from scanner.examples import expand
from scanner.model import Blob, Match, Origin, Skipped
from scanner.pipeline import matches
from scanner.rules import load

RULES = load([str(Path(__file__).parents[2] / "rules" / "private_keys.yaml")])

PEM, DER = form.Encoding.PEM, form.Encoding.DER
PKCS8, TRADITIONAL, OPENSSH = form.PrivateFormat.PKCS8, form.PrivateFormat.TraditionalOpenSSL, form.PrivateFormat.OpenSSH
PLAIN = form.NoEncryption()
SEALED = form.BestAvailableEncryption(b"a passphrase of the tests")


@functools.cache
def engine(name: str) -> Engine:
    """Return an engine for the rules of keys; what it caches is gone when it is ready."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {"KEYLEASH_CACHE": folder}):
        return ENGINES[name](RULES)


def results(data: bytes, name: str = "hyperscan") -> list[Match | Skipped]:
    found = matches(Blob(data, Origin("test", "file")), engine(name), RULES)
    return [result if isinstance(result, Skipped) else result[0] for result in found]


def scan(text: str | bytes, name: str = "hyperscan") -> list[Match]:
    """Return the matches of a text, none of which may have been skipped."""
    found = results(text.encode() if isinstance(text, str) else text, name)
    assert not any(isinstance(result, Skipped) for result in found)
    return [result for result in found if isinstance(result, Match)]


def only(text: str | bytes, name: str = "hyperscan") -> Match:
    """Return the one match of a text."""
    (match,) = scan(text, name)
    return match


@functools.cache
def rsa_key(bits: int = 1024) -> rsa.RSAPrivateKey:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rsa.generate_private_key(65537, bits)


@functools.cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@functools.cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


@functools.cache
def dsa_key() -> dsa.DSAPrivateKey:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dsa.generate_private_key(1024)


def pkcs8(key: object) -> bytes:
    """Return the canonical form of a plain key."""
    return key.private_bytes(DER, PKCS8, PLAIN)  # type: ignore[attr-defined, no-any-return]


def pem(key: object, shape: form.PrivateFormat, guard: form.KeySerializationEncryption = PLAIN) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return key.private_bytes(PEM, shape, guard).decode().strip()  # type: ignore[attr-defined, no-any-return]


def armour(label: str, data: bytes, headers: str = "", dashes: str = "-----") -> str:
    text = base64.b64encode(data).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    gap = " " if dashes == "----" else ""
    begin, end = (f"{dashes}{gap}{what} {label}{gap}{dashes}" for what in ("BEGIN", "END"))
    return "\n".join([begin, *headers.splitlines(), *lines, end])


@functools.cache
def openssh_sealed() -> str:
    return openssh_of(ed_key().public_key())


def openssh_of(public: ed25519.Ed25519PublicKey | dsa.DSAPublicKey) -> str:
    """Return an OpenSSH container with a passphrase, its encrypted part random: sealing a real one needs bcrypt."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        blob = base64.b64decode(public.public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH).split()[1])
    options = wire_string(wire_string(random.randbytes(16)) + (24).to_bytes(4, "big"))
    data = b"openssh-key-v1\0" + wire_string(b"aes256-ctr") + wire_string(b"bcrypt") + options + (1).to_bytes(4, "big")
    return armour("OPENSSH PRIVATE KEY", data + wire_string(blob) + wire_string(random.randbytes(144)))


def ssh2(cipher: bytes = b"none") -> str:
    """Return an RSA key as ssh.com writes it."""
    numbers = rsa_key().private_numbers()
    public = numbers.public_numbers

    def counted(number: int) -> bytes:
        return number.bit_length().to_bytes(4, "big") + number.to_bytes((number.bit_length() + 7) // 8, "big")

    values = (public.e, numbers.d, public.n, numbers.iqmp, numbers.p, numbers.q)
    section = wire_string(b"".join(map(counted, values)))
    kind = b"if-modn{sign{rsa-pkcs1-sha1},encrypt{rsa-pkcs1v2-oaep}}"
    body = wire_string(kind) + wire_string(cipher) + wire_string(section)
    data = b"\x3f\x6f\xf9\xeb" + (len(body) + 8).to_bytes(4, "big") + body
    return armour("SSH2 ENCRYPTED PRIVATE KEY", data, 'Comment: "test key"\n', "----")


def _lines(data: bytes) -> str:
    text = base64.b64encode(data).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return f"{len(lines)}\n" + "\n".join(lines)


def putty(key: object, version: int, cipher: str = "none") -> str:
    """Return a PuTTY file of a key; for another cipher than none the private part is taken as it is."""
    public = key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)  # type: ignore[attr-defined]
    name, blob = public.split()[0], base64.b64decode(public.split()[1])
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        section = b"".join(
            wire_string(number.to_bytes(number.bit_length() // 8 + 1, "big"))
            for number in (numbers.d, numbers.p, numbers.q, numbers.iqmp)
        )
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        section = wire_string(key.private_numbers().private_value.to_bytes(33, "big"))
    else:
        section = wire_string(key.private_bytes_raw())  # type: ignore[attr-defined]
    mac = putty_mac(version, (name, cipher.encode(), b"made for a test", blob, section))
    kdf = "Key-Derivation: Argon2id\nArgon2-Memory: 8192\nArgon2-Passes: 13\nArgon2-Parallelism: 1\n"
    kdf += "Argon2-Salt: " + "5a" * 16 + "\n"
    return (
        f"PuTTY-User-Key-File-{version}: {name.decode()}\nEncryption: {cipher}\nComment: made for a test\n"
        f"Public-Lines: {_lines(blob)}\n{kdf if version == 3 and cipher != 'none' else ''}"
        f"Private-Lines: {_lines(section)}\nPrivate-MAC: {mac}"
    )


def xml_key() -> str:
    numbers = rsa_key().private_numbers()
    fields = {
        "Modulus": numbers.public_numbers.n, "Exponent": numbers.public_numbers.e, "P": numbers.p, "Q": numbers.q,
        "DP": numbers.dmp1, "DQ": numbers.dmq1, "InverseQ": numbers.iqmp, "D": numbers.d,
    }  # fmt: skip
    inside = "".join(f"<{name}>{number64(number)}</{name}>" for name, number in fields.items())
    return f"<RSAKeyValue>{inside}</RSAKeyValue>"


def number64(number: int) -> str:
    return base64.b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode()


def url64(data: bytes | int) -> str:
    if isinstance(data, int):
        data = data.to_bytes((data.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def jwk_rsa(primes: bool = True) -> str:
    numbers = rsa_key().private_numbers()
    fields = {"kty": "RSA", "kid": "k1", "use": "sig", "n": url64(numbers.public_numbers.n), "e": "AQAB", "d": url64(numbers.d)}
    if primes:
        fields |= {"p": url64(numbers.p), "q": url64(numbers.q), "dp": url64(numbers.dmp1), "qi": url64(numbers.iqmp)}
    return "{" + ",".join(f'"{name}":"{value}"' for name, value in fields.items()) + "}"


def jwk_ec() -> str:
    numbers = ec_key().private_numbers()
    x, y = (url64(number.to_bytes(32, "big")) for number in (numbers.public_numbers.x, numbers.public_numbers.y))
    return f'{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}","d":"{url64(numbers.private_value.to_bytes(32, "big"))}"}}'


def jwk_okp() -> str:
    public = ed_key().public_key().public_bytes_raw()
    return f'{{"kty":"OKP","crv":"Ed25519","d":"{url64(ed_key().private_bytes_raw())}","x":"{url64(public)}"}}'


def big_rsa(bits: int) -> str:
    """Return the PKCS#8 of an RSA key whose factors are no primes: its numbers fit together, and it is made at once."""
    from scanner.confirm.keys_der import rsa_pkcs8

    source, e = random.Random(bits), 65537
    while True:
        p, q = (source.getrandbits(bits // 2) | 3 << bits // 2 - 2 | 1 for _ in "pq")
        try:
            d, inverse = pow(e, -1, (p - 1) * (q - 1)), pow(q, -1, p)
        except ValueError:
            continue
        return armour("PRIVATE KEY", rsa_pkcs8((p * q, e, d, p, q, d % (p - 1), d % (q - 1), inverse)))


RSA_SAID, DSA_SAID = "RSA private key, 1024 bits, not encrypted", "DSA private key, 1024 bits, not encrypted"
EC_SAID, ED_SAID = "EC P-256 private key, 256 bits, not encrypted", "Ed25519 private key, 256 bits, not encrypted"
ED_SEALED = "Ed25519 private key, 256 bits, encrypted with aes256-ctr, key derived by bcrypt with 24 rounds"
SEALED_PKCS8 = functools.cache(lambda: pem(ec_key(), PKCS8, SEALED))
SEALED_LEGACY = functools.cache(lambda: pem(rsa_key(), TRADITIONAL, SEALED))

ARMOURED: dict[str, tuple[str, Callable[[], str], Callable[[], bytes] | None, str]] = {
    "pkcs1": ("private-key", lambda: pem(rsa_key(), TRADITIONAL), lambda: pkcs8(rsa_key()), RSA_SAID),
    "pkcs8-rsa": ("private-key", lambda: pem(rsa_key(), PKCS8), lambda: pkcs8(rsa_key()), RSA_SAID),
    "openssh-rsa": ("private-key", lambda: pem(rsa_key(), OPENSSH), lambda: pkcs8(rsa_key()), RSA_SAID),
    "ssh2": ("private-key", ssh2, lambda: pkcs8(rsa_key()), RSA_SAID),
    "sec1": ("private-key", lambda: pem(ec_key(), TRADITIONAL), lambda: pkcs8(ec_key()), EC_SAID),
    "pkcs8-ec": ("private-key", lambda: pem(ec_key(), PKCS8), lambda: pkcs8(ec_key()), EC_SAID),
    "openssh-ec": ("private-key", lambda: pem(ec_key(), OPENSSH), lambda: pkcs8(ec_key()), EC_SAID),
    "ed25519": ("private-key", lambda: pem(ed_key(), PKCS8), lambda: pkcs8(ed_key()), ED_SAID),
    "openssh-ed": ("private-key", lambda: pem(ed_key(), OPENSSH), lambda: pkcs8(ed_key()), ED_SAID),
    "dsa": ("private-key", lambda: pem(dsa_key(), TRADITIONAL), lambda: pkcs8(dsa_key()), DSA_SAID),
    "pkcs8-dsa": ("private-key", lambda: pem(dsa_key(), PKCS8), lambda: pkcs8(dsa_key()), DSA_SAID),
    "encrypted-pkcs8": ("private-key", SEALED_PKCS8, None, "encrypted with AES-256-CBC, key derived by PBKDF2"),
    "encrypted-legacy": ("private-key", SEALED_LEGACY, None, "encrypted with AES-256-CBC, key derived by one round of MD5"),
    "encrypted-openssh": ("private-key", openssh_sealed, None, ED_SEALED),
    "encrypted-ssh2": ("private-key", lambda: ssh2(b"3des-cbc"), None, "RSA private key, encrypted with 3des-cbc"),
    "pgp": ("pgp-private-key", lambda: expand("{{pem:pgp}}"), None, "OpenPGP EdDSA private key, 256 bits, not encrypted"),
}  # fmt: skip
"""Forms between BEGIN and END: rule, text, canonical secret where it is known, and what the evidence says."""

FIELDS: dict[str, tuple[Callable[[], str], Callable[[], bytes] | None, str]] = {
    "putty2-rsa": (lambda: putty(rsa_key(), 2), lambda: pkcs8(rsa_key()), RSA_SAID),
    "putty3-rsa": (lambda: putty(rsa_key(), 3), lambda: pkcs8(rsa_key()), RSA_SAID),
    "putty3-ed": (lambda: putty(ed_key(), 3), lambda: pkcs8(ed_key()), ED_SAID),
    "putty2-ec": (lambda: putty(ec_key(), 2), lambda: pkcs8(ec_key()), EC_SAID),
    "putty3-encrypted": (lambda: putty(rsa_key(), 3, "aes256-cbc"), None, "encrypted with aes256-cbc, key derived by Argon2id"),
    "putty2-encrypted": (lambda: putty(ed_key(), 2, "aes256-cbc"), None, "encrypted with aes256-cbc, key derived by SHA-1"),
    "xml": (xml_key, lambda: pkcs8(rsa_key()), RSA_SAID),
    "jwk-rsa": (jwk_rsa, lambda: pkcs8(rsa_key()), RSA_SAID),
    "jwk-ec": (jwk_ec, lambda: pkcs8(ec_key()), EC_SAID),
    "jwk-okp": (jwk_okp, lambda: pkcs8(ed_key()), ED_SAID),
}  # fmt: skip
"""Forms of named fields: text, canonical secret where it is known, and what the evidence says."""


def each_line(before: str, after: str = "") -> Callable[[str], str]:
    return lambda text: "\n".join(f"{before}{line}{after}" for line in text.split("\n"))


def joined(by: str) -> Callable[[str], str]:
    return lambda text: by.join(text.split("\n"))


def _numbered(text: str) -> str:
    return "\n".join(f"deploy/id.pem:{number}:{line}" for number, line in enumerate(text.split("\n"), 9))


def _form_encoded(text: str) -> str:
    return urllib.parse.quote_plus(text, safe="-:,")


def _json_escapes(text: str) -> str:
    return '{"k": "' + text.replace("/", "\\/").replace("+", "\\u002b").replace("=", "\\u003d").replace("\n", "\\n") + '"}'


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "crlf": joined("\r\n"),
    "cr": joined("\r"),
    "with text around": lambda text: f"a line before\n\n{text}\n\na line after, as in a mail\n",
    "byte order mark": lambda text: "\ufeff" + text,
    "indented": each_line("    "),
    "tabs": each_line("\t\t"),
    "trailing blanks": each_line("", "  "),
    "comment #": each_line("# "),
    "comment #, close": each_line("#"),
    "comment //": each_line("// "),
    "comment //, close": each_line("//"),
    "comment *": lambda text: "/*\n" + each_line(" * ")(text) + "\n */",
    "comment --": each_line("-- "),
    "comment ;": each_line("; "),
    "comment REM": each_line("REM "),
    "comment '": each_line("' "),
    "quoted mail": each_line("> "),
    "diff, added": each_line("+"),
    "diff, removed": each_line("-  "),
    "grep -n": _numbered,
    "concatenated with +": lambda text: "key = " + " +\n      ".join(f'"{line}\\n"' for line in text.split("\n")) + ";",
    "concatenated with .": lambda text: "$key = " + "\n . ".join(f"'{line}'" for line in text.split("\n")) + ";",
    "adjacent strings": lambda text: "KEY = (\n" + "\n".join(f'    "{line}\\n"' for line in text.split("\n")) + "\n)",
    "list of strings": lambda text: "[\n" + ",\n".join(f"  '{line}'" for line in text.split("\n")) + "\n].join()",
    "append calls": lambda text: "\n".join(f'  builder.append("{line}\\n");' for line in text.split("\n")),
    "assembled": lambda text: "\n".join(f'  key += "{line}\\r\\n";' for line in text.split("\n")),
    "strings on one line": lambda text: " ".join(f'"{line}\\n"' for line in text.split("\n")),
    "trailing backslashes": each_line("", "\\"),
    "trailing \\n\\": each_line("", "\\n\\"),
    "triple quotes": lambda text: f'key = """{text}\n"""',
    "template": lambda text: f"const key = `{text}`;",
    "escaped \\n": lambda text: 'KEY="' + joined("\\n")(text) + '\\n"',
    "escaped twice": lambda text: 'KEY="' + joined("\\\\n")(text) + '\\\\n"',
    "escaped \\r\\n": lambda text: "KEY='" + joined("\\r\\n")(text) + "\\r\\n'",
    "escaped \\r\\n twice": joined("\\\\r\\\\n"),
    "escaped as \\u000a": joined("\\u000a"),
    "escaped as \\x0a": joined("\\x0a"),
    "PowerShell": lambda text: '$key = "' + joined("`n")(text) + '"',
    "one line, blanks": joined(" "),
    "one line, nothing": joined(""),
    "percent": lambda text: "key=" + urllib.parse.quote(text, safe="-"),
    "percent, lower case": lambda text: re.sub("%..", lambda code: code.group().lower(), urllib.parse.quote(text, safe="-")),
    "percent, line ends only": lambda text: text.replace("\n", "%0A"),
    "percent, CRLF": lambda text: urllib.parse.quote(text.replace("\n", "\r\n"), safe="-"),
    "form": lambda text: "key=" + _form_encoded(text) + "&name=x",
    "JSON service account": lambda text: '{"type": "service_account", "private_key": "' + joined("\\n")(text) + '\\n"}',
    "JSON escapes": _json_escapes,
    "JSON in JSON": lambda text: '{"body": "{\\"key\\": \\"' + joined("\\\\n")(text) + '\\\\n\\"}"}',
    "YAML block": lambda text: "key: |\n" + each_line("  ")(text) + "\nother: 1\n",
    "YAML folded": lambda text: "key: >-\n" + each_line("  ")(text.replace("\n", "\n\n")) + "\nother: 1\n",
    "XML element": lambda text: f"<key>{text}</key>",
    "HTML &#10;": joined("&#10;"),
    "HTML &#xA;": joined("&#xA;"),
    "HTML &#13;&#10;": joined("&#13;&#10;"),
    "HTML <br>": joined("<br>"),
    "HTML <br />": joined("<br />\n"),
    "HTML paragraphs": lambda text: "".join(f"<p>{line}</p>" for line in text.split("\n")),
    "Dockerfile": lambda text: 'ENV KEY="' + joined("\\n\\\n")(text) + '"',
    "heredoc": lambda text: f"cat > id <<EOF\n{text}\nEOF\n",
    "CSV": lambda text: f'name,key\na,"{text}"\n',
}
