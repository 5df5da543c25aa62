"""How long one megabyte of text may keep a processor that was made to do so: for each decoder and reader the worst known.

    python -m tests.bench.hostile [KIND ...] [--limit SECONDS] [--size BYTES]

Prints the processor time of each kind of text, and its ratio to that of plain prose of the
same size; ends with 1 when a kind takes longer than the limit. A kind is named by its beginning.
"""

from __future__ import annotations

import argparse
import base64
import bz2
import gzip
import io
import lzma
import random
import resource
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator

from scanner.engine import HyperscanEngine
from scanner.model import Blob, Origin, Skipped
from scanner.pipeline import matches
from scanner.rules import load_builtin

MB = 1 << 20
BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
DASHES = b"-----"
BEGIN, END = (DASHES + word + b" RSA PRIVATE KEY" + DASHES for word in (b"BEGIN", b"END"))
BEGIN_PGP = DASHES + b"BEGIN PGP PRIVATE KEY BLOCK" + DASHES
END_PGP = DASHES + b"END PGP PRIVATE KEY BLOCK" + DASHES
CHANCE = random.Random(20)
PW = b"x7Kv" + b"!2q9"
CONSOLE = b"signin." + b"aws.amazon"
ID = b"AKIA" + b"Q3EGRWK7TUZ5Y2MN"[::-1]

Make = Callable[[], bytes]


def b64(count: int) -> bytes:
    return bytes(CHANCE.choices(BASE64, k=count))


def times(piece: bytes) -> Make:
    """A text of one piece, over and over again."""
    return lambda: piece * (SIZE // len(piece) + 1)


def each(piece: Callable[[int], bytes], size: int) -> Make:
    """A text of pieces that all differ, each of about `size` bytes."""
    return lambda: b"".join(piece(number) for number in range(SIZE // size + 1))


def squeezed(make: Make, pack: Callable[[bytes], bytes] = gzip.compress) -> Make:
    """An archive of a text: what it holds is more than it is."""
    return lambda: pack(make()[: 16 * SIZE])


def zipped(members: Iterator[bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(members):
            archive.writestr(str(number), content)
    return file.getvalue()


def tarred(members: Iterator[bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for number, content in enumerate(members):
            entry = tarfile.TarInfo(str(number))
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def tower(storeys: int) -> bytes:
    text = b"aws_secret=" + b"x" * (SIZE // 5)
    for _ in range(storeys):
        text = base64.b64encode(text)
    return text


def number(bits: int) -> bytes:
    return base64.urlsafe_b64encode((CHANCE.getrandbits(bits) | 1 << bits - 1 | 1).to_bytes(bits // 8, "big")).rstrip(b"=")


def jwk(bits: int) -> bytes:
    return b'{"kty":"RSA","n":"%s","e":"AQAB","d":"%s"}\n' % (number(bits), number(bits))


def xml_key(bits: int) -> bytes:
    fields = b"".join(
        b"<%s>%s</%s>" % (name, base64.b64encode(CHANCE.randbytes(bits // 8)), name)
        for name in (b"Modulus", b"Exponent", b"P", b"Q", b"D")
    )
    return b"<RSAKeyValue>" + fields + b"</RSAKeyValue>\n"


def pkcs1(bits: int) -> bytes:
    """PKCS#1 of random numbers, in DER."""
    from scanner.confirm.keys_der import SEQUENCE, write, write_integer

    numbers = (0, CHANCE.getrandbits(bits) | 1, 65537, *(CHANCE.getrandbits(bits) | 1 for _ in range(6)))
    return write(SEQUENCE, b"".join(map(write_integer, numbers)))


def armoured(body: bytes) -> bytes:
    return BEGIN + b"\n" + base64.encodebytes(body) + END + b"\n"


def ed25519(count: int) -> bytes:
    head = bytes.fromhex("302e020100300506032b657004220420")
    return armoured(head + CHANCE.randbytes(32)).replace(b"RSA ", b"")


SIZE = MB
PROSE = b"It was the best of times, it was the worst of times.\n"
DECODERS: dict[str, Make] = {
    "percent": times(b"%41"),
    "percent of percent": times(b"%25252541"),
    "percent, random": each(lambda n: b"%%%02x" % CHANCE.randrange(256), 3),
    "percent behind a name": times(b"secret%3d"),
    "percent, slashes": times(b"aws a%2Fb%2Bc"),
    "u escapes": times(b"\\u0041"),
    "x escapes": times(b"\\x41"),
    "octal": times(b"\\101"),
    "escapes of escapes": times(b"\\\\\\\\u0041"),
    "escaped quotes": times(b'secret \\"\\"\\" '),
    "escaped equals": times(b"secret\\u003d"),
    "backslashes": times(b"secret\\\\\\\\"),
    "entities": times(b"&#65;"),
    "entities of entities": times(b"&amp;amp;#65;"),
    "named entities": times(b"secret&quot;"),
    "tiny base64": each(lambda n: base64.b64encode(b"secret%d" % n) + b"\n", 17),
    "tiny base64, quoted": times(b'"YXdzX3NlY3JldA==",'),
    "tiny base64, joined": times(b"c2VjcmV0"),
    "tiny base64, named": each(lambda n: b'token="' + base64.b64encode(b"text no %06d" % n) + b'"\n', 28),
    "tiny base64 of base64": each(lambda n: base64.b64encode(base64.b64encode(b"secret%d" % n)) + b"\n", 25),
    "base64 between words": times(base64.b64encode(b"aws_secret") + b"\nAKIA=\n"),
    "base64 towers": lambda: tower(6),
    "base64 of many towers": times(base64.b64encode(base64.b64encode(base64.b64encode(b"aws_secret=" + b"x" * 90))) + b"\n"),
    "base64 in lines": lambda: base64.encodebytes(b"secret password " * (SIZE // 16)),
    "base64 behind arrows": times(b"> > > > > c2VjcmV0\n"),
    "base64 in short lines": lambda: b"\n".join(
        base64.b64encode(b"secret password " * (SIZE // 24))[at : at + 16] for at in range(0, SIZE, 16)
    ),
    "base64 in uneven lines": each(lambda n: base64.b64encode(b"secret password " * (1 + n % 7)) + b"\n", 80),
    "base64 of UTF-16": times(base64.b64encode("secret=password ".encode("utf-16-le")) + b"\n"),
    "base64, random": lambda: b64(SIZE),
    "data addresses": times(b"base64,QUJDREVGR0hJSktMTU5P"),
    "basic": times(b"Basic QUJDREVGR0hJSktM "),
    "powershell": times(b"-enc JABhAGEAYQBhAGEA "),
    "archives in base64": times(b" UEsDBAAAAAAAAAAAAAAAAAAAAAAA\n"),
    "gzips in base64": lambda: (base64.b64encode(gzip.compress(b"secret=abc " * 9)) + b"\n") * (SIZE // 60),
    "hexadecimal": times(b"736563726574"),
    "hexadecimal, spaced": times(b"73 65 63 72 65 74 "),
    "hexadecimal, C": times(b"0x73,0x65,0x63,0x72,0x65,0x74,"),
    "hexadecimal, lines": times(b"61:77:73:5f:00:00:00:00:\n"),
    "hexadecimal, small": times(b"6177735f7365 "),
    "hexadecimal, random": lambda: CHANCE.randbytes(SIZE // 2).hex().encode(),
    "hexadecimal of hexadecimal": times(b"aws_secret=abc\n".hex().encode().hex().encode() + b"\n"),
    "dumps": times(b"00000000: 6177 735f 7365 6372 6574 0a0a 6177 735f  aws_secret..aws_\n"),
    "dumps of one line": times(b"00000010: 6177 735f 7365 6372 6574 0a0a 6177 735f\nx\n"),
    "quoted-printable": times(b"password=3D"),
    "quoted-printable, breaks": times(b"secret a=\r\nb"),
    "quoted-printable mails": times(b"Content-Transfer-Encoding: quoted-printable\n=3D\n"),
    "quoted-printable mail": lambda: b"Content-Transfer-Encoding: quoted-printable\n" + b"=3D=41 foo\n" * (SIZE // 11),
    "joined": times(b'"+"'),
    "joined secrets": times(b'secret="abcd"+"efgh"'),
    "joined ids": times(b'AKIA"+"B'),
    "joined with one name": lambda: b"secret=" + b'"abcd"+' * (SIZE // 7),
    "manifests": times(b"kind: Secret\ndata:\n  a: QUJDREVGR0g=\n"),
    "manifests alone": times(b"kind: Secret\n"),
    "a long manifest": lambda: b"kind: Secret\ndata:\n" + b"  a: QUJDREVGR0g=\n" * (SIZE // 18),
    "UTF-16": times(b"A\0"),
    "UTF-16 secrets": lambda: ("secret=" * (SIZE // 14)).encode("utf-16"),
    "zip magics": times(b"PK\x03\x04"),
    "random bytes": lambda: CHANCE.randbytes(SIZE),
}
ARCHIVES: dict[str, Make] = {
    "zip of many": lambda: zipped(b"aws_secret=%d" % n for n in range(9000)),
    "zip of many texts in base64": lambda: zipped(base64.b64encode(b"aws_secret=%d" % n) for n in range(8000)),
    "zip of zips": lambda: zipped(zipped(b"aws_secret=%d" % m for m in range(4)) for n in range(1200)),
    "tar of many": lambda: tarred(b"aws_secret=%d" % n for n in range(1000)),
    "tar of gzips": lambda: tarred(gzip.compress(b"secret=%d" % n) for n in range(1000)),
    "gzip of gzips": lambda: b"".join(gzip.compress(b"secret") for _ in range(SIZE // 26)),
    "gzip of zeros": lambda: gzip.compress(b"\0" * 30 * MB),
    "gzip of names": squeezed(lambda: b"secret=\n" * (2 * SIZE)),
    "gzip of percents": squeezed(lambda: b"%41" * (6 * SIZE)),
    "gzip of tiny base64": squeezed(lambda: b'"YXdzX3NlY3JldA==",' * SIZE),
    "gzip of keys": squeezed(lambda: (BEGIN + b"\nMIIabc\n") * (SIZE // 2)),
    "gzip of ids": squeezed(lambda: (ID + b"\n") * SIZE),
    "bzip2 of names": squeezed(lambda: b"password: " + PW + b"\n" * SIZE, bz2.compress),
    "xz of zeros": lambda: lzma.compress(b"\0" * 30 * MB),
    "zip with a long name": lambda: zipped(iter([b"x" * 100])).replace(b"0", b"0" * 9),
}
KEYS: dict[str, Make] = {
    "BEGIN": times(BEGIN),
    "BEGIN lines": times(BEGIN + b"\n"),
    "BEGIN and END": times(BEGIN + b"\n" + END + b"\n"),
    "BEGIN and a word": times(BEGIN + b"\nMIIabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\n"),
    "END": times(END),
    "BEGIN and no END": each(lambda n: BEGIN + b"\n" + b64(60_000), 60_000),
    "BEGIN behind numbers": times(b"1 2 3 4 5 6 7 8 9 " * 11 + BEGIN + b"\n1 2 3 4 abc " * 40 + END),
    "BEGIN in quotes": times(b'"' + BEGIN + b'\\n" + "' + b'abcd\\n" + "' * 400 + END + b'"\n'),
    "BEGIN in escapes": times(BEGIN + b"\\\\n\\u002b%2B&#43;" * 500 + END + b"\n"),
    "BEGIN in tags": times(BEGIN + b"<a <a>bc</a>" * 500 + END + b"\n"),
    "BEGIN in headers": times(BEGIN + b"\nA: b\n" * 500 + b"abcd" * 20 + END + b"\n"),
    "BEGIN in entities": times(BEGIN + b"&amp;#65;" * 900 + END),
    "bodies at random": each(lambda n: armoured(CHANCE.randbytes(1200)), 1700),
    "long bodies at random": each(lambda n: armoured(CHANCE.randbytes(45_000)), 61_000),
    "short bodies": each(lambda n: armoured(CHANCE.randbytes(40)), 120),
    "made up RSA": each(lambda n: armoured(pkcs1(2048)), 3200),
    "made up large RSA": each(lambda n: armoured(pkcs1(45_000)), 55_000),
    "Ed25519": each(ed25519, 120),
    "made up RSA in DER": each(lambda n: pkcs1(1024), 1100),
    "bare RSA": each(lambda n: base64.b64encode(pkcs1(2048)) + b"\n", 3000),
    "bare heads": times(b"MIIabcIBAKCabcdefghijklmnopqrstuvwxyzabcdefghijkl\n"),
    "DSA": times(b"\x30\x82\x01\x00\x02\x01\x00\x02\x81\x81\x00"),
    "DER heads": times(b"\x30\x82\x40\x00\x02\x01\x00\x02\x82\x10\x00\x00"),
    "SEC1 heads": times(b"\x30\x77\x02\x01\x01\x04\x20"),
    "encrypted heads": times(b"\x30\x82\x10\x00\x30\x40\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"),
    "PKCS#12 heads": times(b"\x30\x80\x02\x01\x03\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"),
    "JKS heads": times(b"\xfe\xed\xfe\xed\0\0\0\2\0\0\xff\xff\0\0\0\1"),
    "JKS in base64": times(b"/u3+7QAAAAIAAABQAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"),
    "KeePass heads": times(b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5"),
    "PuTTY heads": times(b"PuTTY-User-Key-File-2: "),
    "PuTTY comments": times(
        b"PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nComment: "
        + b"c" * 900
        + b"\nPublic-Lines: 6\nAAAA"
        + b"B" * 600
        + b"\nPrivate-Lines: 9\n"
        + b"A" * 600
        + b"\n"
    ),
    "XML heads": times(b"<RSAKeyValue>"),
    "XML keys": each(lambda n: xml_key(4096), 3500),
    "large XML keys": each(lambda n: xml_key(36_000), 32_000),
    "JWK heads": times(b'{"kty":"RSA",'),
    "JWKs": each(lambda n: jwk(2048), 740),
    "large JWKs": each(lambda n: jwk(4096), 1450),
    "JWKs of odd exponents": each(lambda n: jwk(4096).replace(b"AQAB", number(64)), 1450),
    "JWKs with a long d": each(
        lambda n: b'{"kty":"RSA","n":"%s","e":"AQAB","d":"%s"}' % (number(4096), number(36_000)[:5990]), 7000
    ),
    "EC JWKs": each(lambda n: b'{"kty":"EC","crv":"P-521","d":"%s"}\n' % number(520), 110),
    "PGP heads": times(BEGIN_PGP + b"\n"),
    "PGP blocks": each(
        lambda n: BEGIN_PGP + b"\n\n" + base64.encodebytes(b"\xc5" + CHANCE.randbytes(500)) + b"=abcd\n" + END_PGP + b"\n", 800
    ),
    "PGP packets": times(BEGIN_PGP + b"\n\n" + base64.encodebytes(b"\xc5\x00" * 20_000) + END_PGP + b"\n"),
    "age": each(lambda n: b"AGE-SECRET-KEY-1" + bytes(CHANCE.choices(b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", k=58)) + b"\n", 75),
    "WireGuard": each(lambda n: b"[Peer]\nPrivateKey = " + base64.b64encode(CHANCE.randbytes(32)) + b"\n", 65),
    "minisign": each(lambda n: b"RWRTY0Iy" + b64(203) + b"=\n", 213),
}
AWS: dict[str, Make] = {
    "ids": each(lambda n: b"AKIA" + bytes(CHANCE.choices(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16)) + b"\n", 21),
    "one id": times(ID + b"\n"),
    "ids on a line": times(ID + b","),
    "secrets": each(lambda n: b64(40) + b"\n", 41),
    "secrets behind a name": each(lambda n: b"aws_secret=" + b64(40) + b"\n", 52),
    "ids and secrets": each(lambda n: ID + b"," + b64(40) + b"\n", 62),
    "an id between secrets": each(lambda n: (ID if n % 70 == 0 else b64(40)) + b"\n", 41),
    "names": times(b"secret="),
    "names in lines": times(b"secret=\n"),
    "names of AWS": times(b"aws_key "),
    "secret then base64": times(b"secret=" + b64(40) + b"\n"),
    "session tokens": each(lambda n: b"IQoJb3JpZ2lu" + b64(300) + b"\n", 313),
    "a session token without end": lambda: b"IQoJb3JpZ2lu" + b64(SIZE),
    "session tokens in a row": times(b"IQoJb3JpZ2lu" + b64(60)),
    "Bedrock": each(lambda n: b"ABSKQmVkcm9ja0FQSUtleS" + b64(60) + b"\n", 83),
    "signed addresses": each(lambda n: b"https://b/?X-Amz-Signature=%064x\n" % n, 92),
    "signatures in a row": times(b"&X-Amz-Signature=" + b"0123456789abcdef" * 4),
    "SMTP": each(lambda n: b"smtp BA" + b64(42) + b"\n", 50),
    "console": times(CONSOLE + b" password: \n"),
    "console passwords": each(lambda n: CONSOLE + b"\nPassword: Ab1!%d\n" % n, 42),
    "console words": times(CONSOLE + b" user login account "),
    "console tables": times(CONSOLE + b",password,console login\na,b,c\n"),
    "Cognito": times(b"cognito client_secret="),
    "MWS": times(b"amzn.mws."),
    "CodeCommit": times(b"-at-123456789012:"),
    "eb create": times(b"eb create -db.pass "),
    "prose": times(PROSE),
}
GENERIC: dict[str, Make] = {
    "passwords": each(lambda n: b'password = "' + PW + b'%dK!v"\n' % (n * 7919), 24),
    "one password": times(b'password = "' + PW + b'"\n'),
    "passwords on a line": times(b'password="' + PW + b'",'),
    "password words": times(b"password secret token key "),
    "password signs": times(b"password="),
    "addresses": each(lambda n: b"http://u:" + PW + b"%d@h/ " % (n * 7919), 20),
    "connections": times(b"Server=a;Password=" + PW + b";"),
    "commands": times(b"mysql -u root -p" + PW + b" "),
    "bytes": times(b"key = {" + b"0x12,0x34,0x56,0x78,0x9a," * 2),
    "XML": times(b"<password>" + PW + b"</password>"),
    "headers": times(b"Authorization: Bearer " + PW + b"\n"),
    "SQL": times(b"identified by '" + PW + b"';"),
    "calls": times(b"login('user', '" + PW + b"')\n"),
    "quotes": times(b"password='''\"\"\"```"),
    "an open quote": lambda: b"password = '" + b"a1" * (SIZE // 2),
    "brackets": times(b"password(((((((("),
    "long names": times(b"password_password_password_password.password="),
    "blanks": times(b"password" + b" " * 60 + b"="),
}
GROUPS = {"decode": DECODERS, "archive": ARCHIVES, "key": KEYS, "aws": AWS, "generic": GENERIC}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument(
        "kinds", nargs="*", metavar="KIND", help="kinds to measure, by the beginning of 'group: name'; all by default"
    )
    arguments.add_argument("--limit", type=float, default=1.0, help="seconds of one processor that a kind may take (1.0)")
    arguments.add_argument("--over", type=float, default=0.0, help="print only what takes longer than this")
    given = arguments.parse_args()
    rules = load_builtin()
    engine = HyperscanEngine(rules)

    def seconds(data: bytes) -> tuple[float, int, set[str]]:
        begin, found, skipped = time.process_time(), 0, set()
        for result in matches(Blob(data, Origin("bench", "x")), engine, rules):
            found += not isinstance(result, Skipped)
            skipped |= {result.reason} if isinstance(result, Skipped) else set()
        return time.process_time() - begin, found, skipped

    plain = min(seconds(times(PROSE)()[:MB])[0] for _ in range(3))
    worst = 0.0
    for group, kinds in GROUPS.items():
        for name, make in kinds.items():
            title = f"{group}: {name}"
            if given.kinds and not any(title.startswith(kind) for kind in given.kinds):
                continue
            data = make()
            data = data if group == "archive" else data[:MB]
            taken, found, skipped = seconds(data)
            if given.limit / 3 < taken < 3 * given.limit:  # it may have been the machine
                taken, found, skipped = min((taken, found, skipped), seconds(data), key=lambda one: one[0])
            worst = max(worst, taken)
            if taken >= given.over:
                why = "; ".join(sorted(skipped))[:70]
                print(f"{title:40} {taken:5.2f} s {taken / plain:6.0f} x prose  {found:6} found  {why}", flush=True)
    print(f"worst {worst:.2f} s; memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
    return int(worst > given.limit)


if __name__ == "__main__":
    sys.exit(main())
