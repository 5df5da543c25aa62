"""Every form of private key in every wrapping: found once, where it stands, and described by what it is."""

from __future__ import annotations

import base64
import hashlib
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as form

from scanner.examples import expand
from scanner.model import Rule, Skipped
from tests.confirm import keys_made as made
from tests.confirm.keys_made import RULES, only, results, scan
from tests.conftest import Find


@pytest.mark.parametrize("wrapping", made.WRAPPINGS)
@pytest.mark.parametrize("name", made.ARMOURED)
def test_armoured_key_in_a_wrapping(name: str, wrapping: str) -> None:
    rule, text, canonical, said = made.ARMOURED[name]
    wrapped = made.WRAPPINGS[wrapping](text()).encode()
    match = only(wrapped)
    dashes = b"---- BEGIN" if "ssh2" in name else b"-----BEGIN"
    dashes = dashes.replace(b" ", b"%20") if dashes not in wrapped and b"%20" in wrapped else dashes
    dashes = dashes.replace(b" ", b"+") if dashes not in wrapped else dashes
    label_end = wrapped.rindex(b"KEY")
    end = wrapped.index(b"----", label_end)
    end += 4 if "ssh2" in name else 5
    assert match.rule.id == rule
    assert (match.start, match.end) == (wrapped.index(dashes), end)
    assert match.secret == (canonical() if canonical else only(text()).secret)
    assert said in match.evidence[0]
    assert match.confidence == "high"
    assert match.severity == ("medium" if "encrypted" in name and canonical is None else "high")


FIELD_WRAPPINGS = [
    "plain", "crlf", "with text around", "indented", "comment #", "comment //", "comment *", "diff, added",
    "concatenated with +", "adjacent strings",
    "escaped \\n", "escaped twice", "escaped \\r\\n", "percent", "YAML block", "JSON service account",
    "one line, blanks", "Dockerfile", "heredoc",
]  # fmt: skip


@pytest.mark.parametrize("wrapping", FIELD_WRAPPINGS)
@pytest.mark.parametrize("name", [name for name in made.FIELDS if name.startswith("putty")])
def test_putty_key_in_a_wrapping(name: str, wrapping: str) -> None:
    text, canonical, said = made.FIELDS[name]
    wrapped = made.WRAPPINGS[wrapping](text()).encode()
    match = only(wrapped)
    mac = text().rpartition(" ")[2].encode()
    assert match.rule.id == "private-key"
    assert (match.start, match.end) == (wrapped.index(b"PuTTY-User"), wrapped.index(mac) + len(mac))
    assert match.secret == (canonical() if canonical else only(text()).secret)
    assert said in match.evidence[0]
    assert not any("MAC" in words for words in match.evidence)
    assert (match.confidence, match.severity) == ("high", "high" if canonical else "medium")


@pytest.mark.parametrize("wrapping", ["plain", "indented", "comment #", "escaped \\n", "escaped twice", "template", "percent"])
@pytest.mark.parametrize("pretty", [False, True])
def test_xml_key_in_a_wrapping(pretty: bool, wrapping: str) -> None:
    text = made.xml_key().replace("><", ">\n  <") if pretty else made.xml_key()
    wrapped = made.WRAPPINGS[wrapping](text).encode()
    match = only(wrapped)
    assert match.secret == made.pkcs8(made.rsa_key())
    assert match.start == (wrapped.index(b"<RSAKey") if b"<RSAKey" in wrapped else wrapped.index(b"%3CRSAKey"))
    tail = b"RSAKeyValue>" if b"RSAKeyValue>" in wrapped else b"RSAKeyValue%3E"
    assert match.end == wrapped.rindex(tail) + len(tail)


def test_xml_key_with_entities() -> None:
    wrapped = "<value>" + made.xml_key().replace("<", "&lt;").replace(">", "&gt;") + "</value>"
    assert only(wrapped).secret == made.pkcs8(made.rsa_key())


@pytest.mark.parametrize("name", [name for name in made.FIELDS if name.startswith("jwk")])
def test_json_web_key(name: str) -> None:
    text, canonical, said = made.FIELDS[name]
    assert canonical
    for wrapped in (
        text(),
        text().replace(",", ",\n    ").replace(":", ": "),
        '{"keys":[{"kty":"oct"},' + text() + "]}",
        text().replace('"', '\\"'),
        text().replace('"', "'"),
    ):
        match = only(wrapped)
        assert match.secret == canonical()
        assert match.evidence[0] == said
        assert wrapped[match.start] == "{"
        assert wrapped[match.end - 1] == "}"


def test_json_web_key_without_primes_is_the_same_key() -> None:
    numbers = made.rsa_key().private_numbers()
    match = only(made.jwk_rsa(primes=False))
    assert match.confidence == "high"
    assert match.secret == made.pkcs8(made.rsa_key()) or numbers.p < numbers.q


def test_two_keys_of_a_set_are_two_findings() -> None:
    found = scan('{"keys":[' + made.jwk_ec() + "," + made.jwk_okp() + "]}")
    assert [match.secret for match in found] == [made.pkcs8(made.ec_key()), made.pkcs8(made.ed_key())]


SINGLE = {
    "age-secret-key": "{{pem:age}}",
    "wireguard-private-key": "[Interface]\nPrivateKey = {{pem:wireguard}}\nListenPort = 51820\n",
    "minisign-secret-key": "untrusted comment: minisign secret key\n{{pem:minisign}}\n",
    "key-store": "{{pem:pkcs12}}",
}


@pytest.mark.parametrize("rule", SINGLE)
@pytest.mark.parametrize("wrapping", ["plain", "crlf", "indented", "comment #", "escaped \\n", "YAML block", "diff, added"])
def test_single_value_in_a_wrapping(rule: str, wrapping: str) -> None:
    text = expand(SINGLE[rule])
    value = max(text.split(), key=len)
    wrapped = made.WRAPPINGS[wrapping](text)
    match = only(wrapped)
    assert match.rule.id == rule
    assert wrapped.encode()[match.start : match.end].decode() == value
    assert match.confidence == "high"


def test_wireguard_key_needs_a_configuration_around_it() -> None:
    line = expand("PrivateKey = {{pem:wireguard}}\n")
    assert scan(line) == []
    assert only(line + "\n[Peer]\nAllowedIPs = 0.0.0.0/0\n").rule.id == "wireguard-private-key"
    assert scan(line + "\n" * 5000 + "[Peer]\n") == []


def test_wireguard_evidence_names_the_public_key() -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    match = only(expand(SINGLE["wireguard-private-key"]))
    public = X25519PrivateKey.from_private_bytes(match.secret).public_key().public_bytes_raw()
    assert f"its public key is {base64.b64encode(public).decode()}" in match.evidence


def test_one_wrong_letter_is_no_age_key() -> None:
    text = expand("{{pem:age}}")
    wrong = text[:-5] + ("Q" if text[-5] != "Q" else "P") + text[-4:]
    assert (len(scan(text)), len(scan(wrong))) == (1, 0)


def test_damaged_minisign_key_says_so() -> None:
    raw = bytearray(base64.b64decode(expand("{{pem:minisign}}")))
    raw[80] ^= 1
    match = only(base64.b64encode(raw))
    assert match.confidence == "medium"
    assert "its checksum fails: damaged" in match.evidence


def test_encrypted_minisign_key() -> None:
    raw = bytearray(base64.b64decode(expand("{{pem:minisign}}")))
    raw[2:4] = b"Sc"
    match = only(base64.b64encode(raw))
    assert (match.severity, match.confidence) == ("medium", "high")
    assert match.evidence[0] == "minisign secret key, encrypted, key derived by scrypt"


def test_signify_key() -> None:
    secret = bytes(range(64))
    raw = b"EdBK" + bytes(4) + bytes(16) + hashlib.sha512(secret).digest()[:8] + bytes(range(100, 108)) + secret
    match = only(b"untrusted comment: signify secret key\n" + base64.b64encode(raw) + b"\n")
    assert "its checksum holds" in match.evidence
    assert match.evidence[0] == "signify secret key, not encrypted"


@pytest.mark.parametrize("shape", ["PKCS8", "TRADITIONAL"])
@pytest.mark.parametrize("kind", ["rsa_key", "ec_key", "dsa_key", "ed_key"])
def test_binary_key_anywhere_in_a_file(kind: str, shape: str) -> None:
    key = getattr(made, kind)()
    if kind == "ed_key" and shape == "TRADITIONAL":
        shape = "PKCS8"  # Ed25519 has no other form in DER
    der = key.private_bytes(made.DER, getattr(made, shape), made.PLAIN)
    for before, after in ((b"", b""), (b"\0\1\2ELF", b"\0" * 50), (b"x" * 5000, b"\n")):
        match = only(before + der + after)
        assert (match.start, match.end) == (len(before), len(before) + len(der))
        assert match.secret == made.pkcs8(key)


def test_encrypted_binary_key() -> None:
    der = made.ec_key().private_bytes(made.DER, made.PKCS8, made.SEALED)
    match = only(b"\0\0" + der)
    assert match.severity == "medium"
    assert "encrypted with AES-256-CBC, key derived by PBKDF2" in match.evidence[0]


@pytest.mark.parametrize("width", [0, 64, 76])
@pytest.mark.parametrize("kind", ["rsa_key", "ec_key", "ed_key"])
def test_base64_of_a_key_without_armour(kind: str, width: int) -> None:
    key = getattr(made, kind)()
    text = base64.b64encode(made.pkcs8(key)).decode()
    if width:
        text = "\n".join(text[at : at + width] for at in range(0, len(text), width))
    match = only(f'private = "{text}"\nnext = 1\n')
    assert match.secret == made.pkcs8(key)
    assert match.end - match.start == len(text)


def test_pkcs12_store_in_binary() -> None:
    from cryptography.hazmat.primitives.serialization import pkcs12

    key = made.ec_key()
    sealed = pkcs12.serialize_key_and_certificates(b"a name", key, None, None, made.SEALED)
    match = only(b"\0" + sealed)
    assert (match.rule.id, match.start, match.end) == ("key-store", 1, 1 + len(sealed))
    assert match.evidence == ("PKCS#12 store with 1 private key, encrypted with its password",)
    assert (match.confidence, match.severity) == ("high", "medium")
    assert only(base64.b64encode(sealed)).secret == match.secret


def test_store_of_certificates_alone_is_no_secret() -> None:
    import struct

    def jks(tag: int) -> bytes:
        certificate = struct.pack(">H", 5) + b"X.509" + struct.pack(">I", 300) + bytes(range(250)) + bytes(50)
        entry = struct.pack(">IH", tag, 5) + b"alias" + bytes(8)
        key = struct.pack(">I", 400) + b"\x30\x82" + bytes(398) + struct.pack(">I", 1)
        entry += key + certificate if tag == 1 else certificate
        return b"\xfe\xed\xfe\xed" + struct.pack(">II", 2, 1) + entry + b"D" * 20

    assert scan(jks(2)) == []
    match = only(jks(1))
    assert match.evidence == ("JKS store with 1 private key, encrypted with its password",)
    assert (match.start, match.end) == (0, len(jks(1)))
    assert only(base64.b64encode(jks(1))).secret == match.secret


def test_keepass_database_by_its_first_bytes() -> None:
    magic = bytes.fromhex("03d9a29a67fb4bb5")
    assert only(magic + bytes(range(200))).evidence == ("KeePass 2 database, encrypted with its password",)
    assert scan(magic) == []


def test_keys_in_several_wrappings_are_one_secret() -> None:
    key = made.rsa_key()
    texts = [made.pem(key, shape) for shape in (made.TRADITIONAL, made.PKCS8, made.OPENSSH)]
    texts += [made.putty(key, 3), made.xml_key(), made.jwk_rsa()]
    found = scan("\n\n".join(texts))
    assert len(found) == len(texts)
    assert {match.secret for match in found} == {made.pkcs8(key)}


def test_fingerprints_are_those_of_ssh_and_ec2() -> None:
    key = made.rsa_key()
    public = key.public_key()
    blob = base64.b64decode(public.public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH).split()[1])
    info = public.public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)
    match = only(made.pem(key, made.TRADITIONAL))
    ssh = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    assert f"SSH fingerprint SHA256:{ssh}" in match.evidence
    assert f"EC2 key pair fingerprint {hashlib.sha1(made.pkcs8(key)).digest().hex(':')} (made by EC2)" in match.evidence
    assert f"EC2 key pair fingerprint {hashlib.md5(info).digest().hex(':')} (imported into EC2)" in match.evidence
    assert match.redacted == f"RSA 1024 private key SHA256:{ssh[:12]}…"


@pytest.mark.parametrize("bits", [4096, 16384])
def test_long_keys(bits: int) -> None:
    text = made.pem(made.rsa_key(4096), made.PKCS8) if bits == 4096 else made.big_rsa(bits)
    for wrapping in ("plain", "percent", "concatenated with +", "escaped twice"):
        match = only(made.WRAPPINGS[wrapping](text))
        assert match.evidence[0] == f"RSA private key, {bits} bits, not encrypted"
        assert match.confidence == "high"


@pytest.mark.parametrize("bits", [256, 512])
def test_short_key_that_the_library_refuses(bits: int) -> None:
    assert only(made.big_rsa(bits)).evidence[0] == f"RSA private key, {bits} bits, not encrypted"


def test_curve_that_the_library_refuses() -> None:
    from scanner.confirm.keys_der import OCTETS, SEQUENCE, write, write_integer, write_oid

    inner = write(SEQUENCE, write_integer(1) + write(OCTETS, bytes(range(1, 15))) + write(0xA0, write_oid("1.3.132.0.6")))
    padded = inner[:2] + inner[2:]
    match = only(made.armour("EC PRIVATE KEY", padded) if len(padded) >= 30 else "")
    assert match.evidence[0] == "EC secp112r1 private key, 112 bits, not encrypted"
    assert match.confidence == "high"


def test_key_without_its_end_line() -> None:
    whole = made.pem(made.rsa_key(), made.PKCS8)
    text = whole.rpartition("\n")[0]
    match = only("x\n" + text + "\n\nprose follows here\n")
    assert match.secret == made.pkcs8(made.rsa_key())
    assert (match.start, match.end) == (2, 2 + len(text))
    assert "its END line is missing" in match.evidence
    for wrapping, wrap in made.WRAPPINGS.items():
        assert only(wrap(text)).secret == match.secret, wrapping


def test_key_that_is_cut_off() -> None:
    lines = made.pem(made.rsa_key(), made.PKCS8).split("\n")
    match = only("\n".join(lines[:10]) + "\n")
    assert match.confidence == "medium"
    assert any(words.startswith("cut off: ") for words in match.evidence)
    assert scan("\n".join(lines[:2])) == []
    assert only("\n".join(lines[:10] + lines[-1:])).confidence == "medium"


def test_damaged_key_says_so() -> None:
    lines = made.pem(made.rsa_key(), made.PKCS8).split("\n")
    lines[5] = lines[5][::-1]
    match = only("\n".join(lines))
    assert match.confidence in ("medium", "low")
    assert any("damaged" in words for words in match.evidence)


def test_random_body_is_reported_at_low_confidence() -> None:
    import random

    match = only(made.armour("RSA PRIVATE KEY", random.Random(1).randbytes(600)))
    assert match.confidence == "low"
    assert "does not parse: has only the length and look of a key" in match.evidence


def test_elliptic_key_whose_public_point_is_on_no_curve() -> None:
    der = bytearray(made.pkcs8(made.ec_key()))
    der[-3] ^= 1
    match = only(made.armour("PRIVATE KEY", bytes(der)))
    assert match.confidence == "medium"
    assert "its numbers do not fit together: damaged, or made up" in match.evidence


def test_elliptic_key_without_its_leading_zero() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    from scanner.confirm.keys_der import BITS, OCTETS, SEQUENCE, write, write_integer, write_oid

    number = 0xA1 << 505 | 0x1234567
    key = ec.derive_private_key(number, ec.SECP521R1())
    size = (number.bit_length() + 7) // 8
    assert size < 66
    point = key.public_key().public_bytes(form.Encoding.X962, form.PublicFormat.UncompressedPoint)
    fields = [write_integer(1), write(OCTETS, number.to_bytes(size, "big")), write(0xA0, write_oid("1.3.132.0.35"))]
    der = write(SEQUENCE, b"".join(fields) + write(0xA1, write(BITS, b"\0" + point)))
    match = only(made.armour("EC PRIVATE KEY", der))
    assert (match.confidence, match.secret) == ("high", made.pkcs8(key))


def test_edwards_key_of_the_wrong_length() -> None:
    der = made.pkcs8(made.ed_key()).replace(b"\x03\x2b\x65\x70", b"\x03\x2b\x65\x6f")  # X448 has 56 bytes
    assert only(made.armour("PRIVATE KEY", der)).confidence == "medium"
    assert scan(der) == []


@pytest.mark.parametrize("elements", [0, 1])
def test_elliptic_key_whose_inner_sequence_is_short(elements: int) -> None:
    from scanner.confirm.keys_der import OCTETS, SEQUENCE, outline, write, write_integer, write_oid

    algorithm = write(SEQUENCE, write_oid("1.2.840.10045.2.1") + write_oid("1.2.840.10045.3.1.7"))
    inner = write(SEQUENCE, write_integer(1) * elements)
    found = outline(write(SEQUENCE, write_integer(0) + algorithm + write(OCTETS, inner)))
    assert found is not None
    assert not found.whole


def test_certificate_in_the_same_file() -> None:
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "www.example.org")])
    day = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(made.ec_key().public_key())
    builder = builder.serial_number(1).not_valid_before(day).not_valid_after(day + datetime.timedelta(9))
    certificate = builder.sign(made.ec_key(), hashes.SHA256())
    text = certificate.public_bytes(made.PEM).decode()
    said = "its certificate (CN=www.example.org) is in the same file"
    assert said in only(text + made.pem(made.ec_key(), made.PKCS8)).evidence
    members = f'"cert": "{text}", "key": "{made.pem(made.ec_key(), made.TRADITIONAL)}"'
    assert said in only("{" + members.replace("\n", "\\n") + "}").evidence
    assert said not in only(text + made.pem(made.ed_key(), made.PKCS8)).evidence
    assert scan(text) == []


def test_public_key_in_the_same_file() -> None:
    line = made.ed_key().public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH).decode()
    assert scan(line) == []
    assert "its public key is in the same file" in only(line + "\n" + made.pem(made.ed_key(), made.OPENSSH)).evidence


def test_keys_of_nebula_and_cosign() -> None:
    raw = made.ed_key().private_bytes_raw() + made.ed_key().public_key().public_bytes_raw()
    assert only(made.armour("NEBULA ED25519 PRIVATE KEY", raw)).secret == made.pkcs8(made.ed_key())
    sealed = b'{"kdf":{"name":"scrypt","params":{"N":32768}},"cipher":{"name":"nacl/secretbox"},"ciphertext":"c2VhbGVk"}'
    match = only(made.armour("ENCRYPTED SIGSTORE PRIVATE KEY", sealed))
    assert (match.evidence[0], match.severity) == ("Cosign private key, encrypted with a password", "medium")


def near_misses() -> dict[str, str]:
    public = made.rsa_key().public_key()
    spki = public.public_bytes(made.PEM, form.PublicFormat.SubjectPublicKeyInfo).decode()
    body = made.pem(made.rsa_key(), made.PKCS8).split("\n")
    putty = made.putty(made.rsa_key(), 3)
    begin, end = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
    return {
        "a mention": f"if not text.startswith('{begin}') or '{end}' not in text: raise ValueError(text)",
        "a mention in prose": f"The file begins with {begin} and ends with {end}, and base64 in lines of 64 stands between.",
        "empty": f"{begin}\n{end}\n",
        "dots": f"{begin}\n...\n{end}\n",
        "elided": "\n".join([*body[:6], "...", *body[-3:]]),
        "elided with a sign": "\n".join([*body[:6], "…", *body[-3:]]),
        "snipped": "\n".join([*body[:6], "[snip]", *body[-3:]]),
        "named placeholder": f"{begin}\n<paste the body of your private key here, without the first and the last line>\n{end}",
        "variable": f"{begin}\n${{PRIVATE_KEY_BODY_FROM_THE_VAULT_OF_THE_TEAM_THAT_OWNS_IT}}\n{end}",
        "crosses": f"{begin}\n{'x' * 64}\n{'x' * 64}\n{end}",
        "one letter": f"{begin}\n{('A' * 64 + chr(10)) * 12}{end}",
        "words": f"{begin}\n{base64.b64encode(b'this is no key but a fixture of a test, ' * 12).decode()}\n{end}",
        "words, encrypted": f"{begin}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{'0A' * 16}\n\n"
        f"{base64.b64encode(b'this is no key but a fixture of a test, ' * 12).decode()}\n{end}",
        "too short": f"{begin}\n{body[1][:40]}\n{end}",
        "public key": spki,
        "public key, wrong label": spki.replace("PUBLIC", "PRIVATE"),
        "first line only": "\n".join(body[:2]),
        "putty, public half": putty[: putty.index("Private-Lines")],
        "putty, words": "The first line of the file is PuTTY-User-Key-File-3: and then the algorithm.",
        "xml, public": made.xml_key().partition("<P>")[0] + "</RSAKeyValue>",
        "xml, empty": "<RSAKeyValue><Modulus>...</Modulus><Exponent>AQAB</Exponent><D>...</D></RSAKeyValue>",
        "jwk, public": made.jwk_ec().partition(',"d"')[0] + "}",
        "jwk, placeholder": '{"kty":"RSA","n":"...","e":"AQAB","d":"..."}',
        "pgp, empty": "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n-----END PGP PRIVATE KEY BLOCK-----",
        "pgp, public": expand("{{pem:pgp}}").replace("PRIVATE", "PUBLIC"),
        "age, recipient": "age1" + "q" * 58,
        "wireguard, zeros": "[Interface]\nPrivateKey = " + "A" * 43 + "=\n",
        "wireguard, public": "[Peer]\nPublicKey = " + expand("{{pem:wireguard}}"),
    }


@pytest.mark.parametrize("name", near_misses())
def test_near_miss_is_not_reported(name: str) -> None:
    assert scan(near_misses()[name]) == []


@pytest.mark.parametrize("name", made.ARMOURED)
def test_engines_agree(name: str) -> None:
    _, text, _, _ = made.ARMOURED[name]
    for wrapping in ("plain", "percent", "one line, nothing", "append calls"):
        wrapped = made.WRAPPINGS[wrapping](text()).encode()
        assert scan(wrapped) == scan(wrapped, "regex")


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_examples_of_the_rules(rule: Rule) -> None:
    for engine in ("hyperscan", "regex"):
        for text in rule.examples:
            assert [match.rule.id for match in scan(expand(text), engine)] == [rule.id]
        for text in rule.negatives:
            assert scan(expand(text), engine) == []


def test_place_does_not_matter() -> None:
    text = made.pem(made.ec_key(), made.PKCS8).encode()
    alone = only(text)
    for before in (b"", b"-----BEGIN RSA PRIVATE KEY-----\n" * 3, b"a" * 70_000 + b"\n", b"\n" * 63):
        moved = only(before + text)
        assert (moved.start - len(before), moved.end - len(before)) == (alone.start, alone.end)
        assert (moved.secret, moved.evidence, moved.redacted) == (alone.secret, alone.evidence, alone.redacted)


def test_nothing_secret_is_shown() -> None:
    for name, (_, text, _, _) in made.ARMOURED.items():
        match = only(text())
        body = "".join(line for line in text().split("\n") if "-" not in line and ":" not in line)
        shown = repr(match) + str(match.redacted) + " ".join(match.evidence)
        assert not any(body[at : at + 16] in shown for at in range(0, len(body) - 16, 4)), name


def test_the_library_is_imported_only_for_a_key() -> None:
    script = (
        "import sys; from pathlib import Path; from scanner.pipeline import matches; from scanner.rules import load\n"
        "from scanner.engine import RegexEngine; from scanner.model import Blob, Origin\n"
        f"rules = load([Path({str(Path(__file__).parents[2] / 'rules' / 'private_keys.yaml')!r})])\n"
        "text = b'-----BEGIN RSA PRIVATE KEY-----\\n...\\n-----END RSA PRIVATE KEY-----'\n"
        "assert not list(matches(Blob(text, Origin('test')), RegexEngine(rules), rules))\n"
        "print([name for name in sys.modules if name.startswith('cryptography')])"
    )
    top = Path(__file__).parents[2]
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=top)
    assert result.stdout.strip() == "[]"


BEGIN = b"-----BEGIN RSA PRIVATE KEY-----"
HOSTILE = {
    "begin lines": (BEGIN + b"\n") * 100_000,
    "begin lines, no line ends": BEGIN * 100_000,
    "garbage after begin": BEGIN + b"\n" + b"\x00\xff%41&#10;\\n" * 90_000,
    "base64 after begin": BEGIN + b"\n" + b"Ab+/" * 260_000,
    "lines after begin": BEGIN + b"\n" + (b"Ab+/" * 16 + b"\n") * 16_000,
    "short bodies": (BEGIN + b"\n" + b"A" * 80 + b"\n") * 20_000,
    "quotes after begin": BEGIN + b"\n" + b"\"'`\\" * 260_000,
    "dashes": b"-" * 1_000_000 + BEGIN,
    "labels": b"-----BEGIN" + b" A" * 500_000,
    "headers": BEGIN + b"\n" + b"Proc-Type: 4,ENCRYPTED DEK-Info: " * 30_000,
    "markup": BEGIN + b"\n" + b"<a &#1" * 160_000,
    "bare heads": b"\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 30_000,
    "bare heads, whole lines": (b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 2 + b"\n") * 15_000,
    "json": b'{"kty":"RSA",' * 70_000,
    "json, one object": b"{" + b'"kty":"RSA","d":"' * 60_000 + b"}",
    "xml": b"<RSAKeyValue><D>" * 60_000,
    "putty": b"PuTTY-User-Key-File-3: " * 40_000,
    "putty, fields": b"PuTTY-User-Key-File-3: ssh-rsa Encryption: none Comment: " * 16_000,
    "der": b"\x30\x82\x04\x00\x02\x01\x00\x02\x82\x01\x01\x00" * 80_000,
    "pkcs12": b"\x30\x80\x02\x01\x03\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01" * 55_000,
    "jks": b"\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\xff\xff\x00\x00\x00\x02" * 60_000,
    "pgp": b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n" + b"xVgE" * 250_000,
    "wireguard": b"[Peer] private_key=" * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_costs_less_than_half_a_second_a_megabyte(name: str) -> None:
    def seconds() -> float:
        start = time.process_time()  # what other processes take of the machine is not counted
        results(HOSTILE[name])
        return time.process_time() - start

    assert min(seconds() for _ in range(2)) < max(1.0, len(HOSTILE[name]) / 2e6)  # a second for less than two megabytes


def test_key_behind_many_begin_lines_is_found() -> None:
    key = made.pem(made.ec_key(), made.PKCS8).encode()
    assert only((BEGIN + b"\n") * 100_000 + key).secret == made.pkcs8(made.ec_key())


def test_what_the_limit_leaves_out_is_visible() -> None:
    found = results((BEGIN + b"\n" + b"A" * 80 + b"\n") * 20_000)
    assert [type(result) for result in found] == [Skipped]


def test_table_of_published_keys_is_well_formed() -> None:
    from scanner.confirm.keys_published import PUBLISHED

    lines = [line for listed in PUBLISHED.values() for line in listed.split()]
    assert len(lines) == len(set(lines)) > 600
    assert all(len(line) == 32 and set(line) <= set("0123456789abcdef") for line in lines)
    assert {"hashicorp/vagrant keys", "golang/go src/crypto/tls", "paramiko/paramiko tests"} <= PUBLISHED.keys()


@pytest.mark.parametrize("shape", ["PKCS8", "OPENSSH"])
def test_published_key_is_of_low_severity(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from scanner.confirm import keys_published

    info = made.ed_key().public_key().public_bytes(made.DER, form.PublicFormat.SubjectPublicKeyInfo)
    table = {hashlib.sha256(info).hexdigest()[:32]: "somebody/something tests"}
    monkeypatch.setattr(keys_published, "_table", lambda: table)
    match = only(made.pem(made.ed_key(), getattr(made, shape)))
    assert match.severity == "low"
    assert "published test key: somebody/something tests" in match.evidence
    assert only(made.openssh_sealed()).severity == "low"
    assert only(made.pem(made.ec_key(), made.PKCS8)).severity == "high"


def test_an_openpgp_block_that_cannot_be_read_is_reported_with_little_confidence(find: Find) -> None:
    """The first packet's tag stands, the rest is noise: a key that was damaged, or made unreadable on purpose."""
    raw = b"\x95\x01\xd8" + random.Random(3).randbytes(900)
    text = base64.b64encode(raw).decode()
    body = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    label = "PGP PRIVATE KEY BLOCK"
    (match,) = find(f"-----BEGIN {label}-----\nVersion: 1\n\n{body}\n=aB3d\n-----END {label}-----\n")
    assert (match.rule.id, match.confidence) == ("pgp-private-key", "low")
    assert "its packets cannot be read: damaged" in match.evidence
    assert find(f"-----BEGIN {label}-----\n\n{'AAAA' * 200}\n-----END {label}-----\n") == []


def test_many_keys_without_primes_take_no_longer_than_their_text() -> None:
    # Regression: the primes of every key were looked for, 0.1 s each; a key whose numbers contradict each other was believed.
    chance = random.Random(5)

    def number(bits: int) -> str:
        return made.url64(chance.getrandbits(bits) | 1 | 1 << bits - 1)

    text = "".join(f'{{"kty":"RSA","n":"{number(4096)}","e":"AQAB","d":"{number(4096)}"}}\n' for _ in range(60))
    begin = time.process_time()
    found = [match for match in results(text.encode()) if not isinstance(match, Skipped)]
    assert time.process_time() - begin < 3
    assert len(found) == 60
    assert found[0].confidence == "medium" and "do not fit together" in found[0].evidence[-1]


def test_nobody_is_told_that_the_algorithm_of_a_key_is_old(recwarn: pytest.WarningsRecorder) -> None:
    dsa = made.dsa_key()
    for text in (made.pem(dsa, made.OPENSSH), made.openssh_of(dsa.public_key())):
        assert only(text.encode()).evidence[0].startswith("DSA private key, 1024 bits")
    assert not recwarn.list


def test_a_key_in_a_rich_text_file() -> None:
    text = "{\\rtf1 " + made.ARMOURED["pkcs8-ec"][1]().replace("\n", "\\par\n") + "}"
    assert only(text).confidence == "high"
