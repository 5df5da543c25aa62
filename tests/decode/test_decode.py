"""Credentials inside encodings and archives are found at their place; what is not looked at is said."""

from __future__ import annotations

import base64
import bz2
import gzip
import html
import io
import json
import lzma
import quopri
import random
import sys
import tarfile
import time
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner import decode
from scanner.engine import HyperscanEngine, RegexEngine
from scanner.model import DEFAULT_LIMITS, Blob, Location, Origin, Report, RuleSet, Skipped
from scanner.pipeline import matches, scan
from scanner.rules import load_builtin
from scanner.sources.tree import Folder
from tests.conftest import Find, Repo, Secrets, keyleash

Encode = Callable[[bytes], bytes]
MB = 1 << 20


def manifest(text: bytes) -> bytes:
    return b"apiVersion: v1\nkind: Secret\ndata:\n  file: " + base64.b64encode(text) + b"\n"


def yaml_block(text: bytes) -> bytes:
    return b"content: !!binary |\n" + b"".join(b"  " + line + b"\n" for line in base64.encodebytes(text).splitlines())


def xxd(text: bytes) -> bytes:
    lines = []
    for offset in range(0, len(text), 16):
        row = text[offset : offset + 16]
        digits = " ".join(row[place : place + 2].hex() for place in range(0, len(row), 2))
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{offset:08x}: {digits:<39}  {shown}\n")
    return "".join(lines).encode()


def quoted_printable(text: bytes) -> bytes:
    return b"Subject: access\nContent-Transfer-Encoding: quoted-printable\n\n" + quopri.encodestring(text)


def json_in_json(text: bytes) -> bytes:
    return json.dumps({"body": json.dumps({"file": text.decode()})}).encode()


def powershell(text: bytes) -> bytes:
    return b"powershell.exe -EncodedCommand " + base64.b64encode(text.decode().encode("utf-16-le")) + b"\n"


def each(form: str) -> Encode:
    return lambda text: "".join(form.format(byte) for byte in text).encode()


ENCODINGS: dict[str, tuple[Encode, str]] = {
    "base64": (lambda text: b"data: " + base64.b64encode(text) + b"\n", "base64"),
    "base64 alone": (base64.b64encode, "base64"),
    "base64 url-safe": (base64.urlsafe_b64encode, "base64"),
    "base64 at 76": (base64.encodebytes, "base64"),
    "base64 in a YAML block": (yaml_block, "base64"),
    "kubernetes": (manifest, "base64"),
    "powershell": (powershell, "base64"),
    "hex": (lambda text: text.hex().encode(), "hex"),
    "xxd": (xxd, "hex"),
    "\\x": (each("\\x{:02x}"), "escapes"),
    "\\u": (each("\\u{:04x}"), "escapes"),
    "JSON in JSON": (json_in_json, "escapes"),
    "percent": (lambda text: urllib.parse.quote(text, safe="").encode(), "percent"),
    "percent, all": (each("%{:02X}"), "percent"),
    "entities": (each("&#{};"), "entities"),
    "hex entities": (each("&#x{:x};"), "entities"),
    "quoted-printable": (quoted_printable, "quoted-printable"),
}
UNICODE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
CREDENTIALS: dict[str, Callable[[Secrets], str]] = {
    "aws": Secrets.aws_file,
    "key": Secrets.pem,
    "mail": Secrets.mail,
}


def secrets_in(find: Find, data: bytes) -> set[tuple[str, bytes]]:
    return {(match.rule.id, match.secret) for match in find(data)}


def scanned(tmp_path: Path, data: bytes, name: str = "file") -> Report:
    (tmp_path / name).write_bytes(data)
    return scan([Folder(str(tmp_path / name))])


def places(report: Report) -> list[Location]:
    return [place for finding in report.findings for place in finding.locations]


def the_pair(report: Report) -> list[Location]:
    return [place for finding in report.findings if finding.rule.id == PAIR for place in finding.locations]


PAIR = "aws-secret-access-key"


@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encoded(find: Find, secrets: Secrets, encoding: str, credential: str) -> None:
    text = CREDENTIALS[credential](secrets).encode()
    expected = secrets_in(find, text)
    assert expected
    assert secrets_in(find, ENCODINGS[encoding][0](text)) >= expected


@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize("codec", UNICODE)
def test_unicode(find: Find, secrets: Secrets, codec: str, credential: str) -> None:
    text = CREDENTIALS[credential](secrets)
    assert secrets_in(find, text.encode(codec)) == secrets_in(find, text.encode()) != set()


WITHIN = (
    "base64",
    "hex",
    "percent",
    "\\u",
    "\\x",
    "quoted-printable",
    "JSON in JSON",
    "entities",
    "hex entities",
    "percent, all",
)


@pytest.mark.parametrize("inner", WITHIN)
def test_two_encodings(find: Find, secrets: Secrets, inner: str) -> None:
    text = secrets.aws_file().encode()
    expected = secrets_in(find, text)
    assert expected
    missed = [outer for outer in ENCODINGS if not secrets_in(find, ENCODINGS[outer][0](ENCODINGS[inner][0](text))) >= expected]
    assert missed == []


@pytest.mark.parametrize(
    "stack", [("percent", "base64", "hex"), ("JSON in JSON", "base64", "kubernetes"), ("hex", "base64", "percent"),
              ("hex", "base64", "base64"), ("base64", "hex", "base64"), ("base64", "base64", "hex"), ("hex", "hex", "base64"),
              ("\\u", "hex", "base64"), ("entities", "base64", "hex"), ("percent, all", "percent, all", "base64"),
              ("powershell", "base64", "JSON in JSON"), ("base64", "percent", "\\u")],
    ids=" in ".join,
)  # fmt: skip
def test_three_encodings(find: Find, secrets: Secrets, stack: tuple[str, ...]) -> None:
    data = secrets.aws_file().encode()
    expected = secrets_in(find, data)
    for encoding in stack:
        data = ENCODINGS[encoding][0](data)
    assert secrets_in(find, data) >= expected != set()


def test_utf_16_in_hexadecimal(find: Find, secrets: Secrets) -> None:
    text = secrets.pem()
    assert secrets_in(find, text.encode("utf-16").hex().encode()) == secrets_in(find, text.encode()) != set()


@pytest.mark.parametrize("outer", ["percent", "base64 alone", "hex", "JSON in JSON"])
@pytest.mark.parametrize("inner", ["percent", "hex entities"])
def test_a_key_whose_label_is_encoded(find: Find, secrets: Secrets, inner: str, outer: str) -> None:
    text = secrets.pem().encode()
    assert secrets_in(find, ENCODINGS[outer][0](ENCODINGS[inner][0](text))) >= secrets_in(find, text) != set()


def test_entities_of_entities(find: Find, secrets: Secrets) -> None:
    data = html.escape(ENCODINGS["entities"][0](secrets.aws_file().encode()).decode()).encode()
    assert PAIR in {rule for rule, _ in secrets_in(find, data)}


@pytest.mark.parametrize("encoding", ["base64 alone", "base64 at 76", "hex"])
def test_towers_of_one_encoding(tmp_path: Path, secrets: Secrets, encoding: str) -> None:
    """Whatever stands at the bottom is found down to the limit; below it is reported as not scanned."""
    data = secrets.mail().encode()
    for _ in range(DEFAULT_LIMITS.encodings):
        data = ENCODINGS[encoding][0](data)
        report = scanned(tmp_path, data)
        assert [finding.rule.id for finding in report.findings] == ["aws-console-password"]
    report = scanned(tmp_path, ENCODINGS[encoding][0](data))
    assert not report.findings
    assert [skipped.reason for skipped in report.skipped] == [f"is more than {DEFAULT_LIMITS.encodings} encodings deep"]


def test_every_text_that_is_three_base64_deep_is_seen(rules: RuleSet) -> None:
    engine, shuffled = HyperscanEngine(rules), random.Random(12)
    for _ in range(300):
        data = bytes(shuffled.choices([9, 10, 13, *range(32, 127)], k=40))
        for _ in range(3):
            data = base64.b64encode(data)
        assert engine.anchors(b"x: " + data + b"\n")


@pytest.mark.parametrize(
    "template", ["aws_secret_access_key: {}\n", 'aws_secret_access_key = "{}"\n', "AWS_SECRET_ACCESS_KEY={}\n"]
)
def test_a_secret_in_base64_with_its_name_beside_it_in_plain_text(find: Find, secrets: Secrets, template: str) -> None:
    secret = secrets.aws_secret().encode()
    found = find(template.format(base64.b64encode(secret).decode()))
    assert secret in {match.secret for match in found}


def test_kubernetes_values_are_decoded_one_by_one(find: Find, secrets: Secrets) -> None:
    values = [secrets.aws_id().encode(), secrets.aws_secret().encode()]
    names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    lines = [f"  {name}: {base64.b64encode(value).decode()}" for name, value in zip(names, values, strict=True)]
    found = find("\n".join(["kind: Secret", "data:", *lines, ""]))
    assert {secret for match in found for secret in values if secret in match.secret} == set(values)


@pytest.mark.parametrize("operator", [" + ", " . ", " ", " +\n    ", "\n    + ", " \\\n    "])
@pytest.mark.parametrize("quote", ["'", '"'])
def test_joined_literals(find: Find, secrets: Secrets, quote: str, operator: str) -> None:
    key_id, secret = secrets.aws_id(), secrets.aws_secret()

    def cut(text: str) -> str:
        return quote + (quote + operator + quote).join([text[:13], text[13:]]) + quote

    found = find(f"aws_access_key_id = {cut(key_id)}\naws_secret_access_key = {cut(secret)}\n")
    assert secret.encode() in {match.secret for match in found}


ALIGNED = {"base64", "hex", "\\x", "\\u", "percent, all"}


@pytest.mark.parametrize("encoding", sorted(ALIGNED))
def test_the_place_is_the_place_in_the_outer_text(tmp_path: Path, secrets: Secrets, encoding: str) -> None:
    text = secrets.aws_file().encode()
    encode, way = ENCODINGS[encoding]
    data = b"first line\n" + encode(text) + b"\nlast line\n"
    (plain,) = the_pair(scanned(tmp_path, text))
    report = scanned(tmp_path, data)
    assert not report.skipped
    (place,) = the_pair(report)
    width = {"base64": 4 / 3, "hex": 2, "\\x": 4, "\\u": 6, "percent, all": 3}[encoding]
    start = sum(len(line) + 1 for line in text.splitlines()[: plain.line - 1]) + plain.column - 1
    assert (place.way, place.line) == ((way,), 2)
    assert abs(place.column - 1 - (6 if encoding == "base64" else 0) - start * width) <= 2


def zipped(text: bytes, name: str = "conf/a.env", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("README", "nothing")
        archive.writestr(name, text)
    return file.getvalue()


def tarred(text: bytes, name: str = "conf/a.env", form: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return file.getvalue()


def sevenzipped(members: Mapping[str, bytes], **options: Any) -> bytes:
    import py7zr

    file = io.BytesIO()
    with py7zr.SevenZipFile(file, "w", **options) as archive:
        for name, content in members.items():
            archive.writef(io.BytesIO(content), name)
    return file.getvalue()


LONG = "d/" * 90 + "é" + "n" * 120
ARCHIVES: dict[str, tuple[Encode, tuple[str, ...]]] = {
    "zip": (zipped, ("zip", "conf/a.env")),
    "stored zip": (lambda text: zipped(text, method=zipfile.ZIP_STORED), ("zip", "conf/a.env")),
    "bzip2 zip": (lambda text: zipped(text, method=zipfile.ZIP_BZIP2), ("zip", "conf/a.env")),
    "docx": (lambda text: zipped(b"<w:t>" + text + b"</w:t>", "word/document.xml"), ("zip", "word/document.xml")),
    "executable jar": (lambda text: b"#!/bin/sh\nexec java -jar $0\n" + zipped(text), ("zip", "conf/a.env")),
    "tar": (tarred, ("tar", "conf/a.env")),
    "ustar": (lambda text: tarred(text, form=tarfile.USTAR_FORMAT), ("tar", "conf/a.env")),
    "pax with a long name": (lambda text: tarred(text, LONG), ("tar", LONG)),
    "gnu tar with a long name": (lambda text: tarred(text, LONG, tarfile.GNU_FORMAT), ("tar", LONG)),
    "tar.gz": (lambda text: gzip.compress(tarred(text)), ("gzip", "tar", "conf/a.env")),
    "tar.bz2": (lambda text: bz2.compress(tarred(text)), ("bzip2", "tar", "conf/a.env")),
    "tar.xz": (lambda text: lzma.compress(tarred(text)), ("xz", "tar", "conf/a.env")),
    "gz": (gzip.compress, ("gzip",)),
    "two gz": (lambda text: gzip.compress(b"nothing\n") + gzip.compress(text), ("gzip",)),
    "bz2": (bz2.compress, ("bzip2",)),
    "xz": (lzma.compress, ("xz",)),
    "7z": (lambda text: sevenzipped({"README": b"nothing", "conf/a.env": text}), ("7z", "conf/a.env")),
    "zip in tar.gz": (lambda text: gzip.compress(tarred(zipped(text), "a.zip")), ("gzip", "tar", "a.zip", "zip", "conf/a.env")),
    "base64 of a zip": (lambda text: base64.encodebytes(zipped(text)), ("base64", "zip", "conf/a.env")),
    "base64 of a gz": (lambda text: b"user_data: " + base64.b64encode(gzip.compress(text)), ("base64", "gzip")),
    "base64 in a zip": (lambda text: zipped(base64.b64encode(text)), ("zip", "conf/a.env", "base64")),
    "utf-16 in a zip": (lambda text: zipped(text.decode().encode("utf-16")), ("zip", "conf/a.env")),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives(tmp_path: Path, secrets: Secrets, kind: str) -> None:
    pack, way = ARCHIVES[kind]
    report = scanned(tmp_path, pack(secrets.aws_file().encode()), "innocent.txt")
    assert not report.skipped
    assert {place.way for place in the_pair(report)} == {way}  # and not once more where an archive stores it as it is
    assert {place.line for place in places(report) if place.way} == ({3} if kind == "executable jar" else {1})


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "base64 of a zip"])
def test_archives_on_both_engines(find: Find, secrets: Secrets, kind: str) -> None:
    text = secrets.aws_file().encode()
    assert secrets_in(find, ARCHIVES[kind][0](text)) == secrets_in(find, text) != set()


def test_the_command_names_the_way_and_what_it_could_not_read(repo: Repo, secrets: Secrets) -> None:
    repo.commit("release.tar.gz", ARCHIVES["zip in tar.gz"][0](secrets.aws_file().encode()))
    result = keyleash("scan", "--format", "json", ".", cwd=repo.path)
    assert result.returncode == 1
    assert "a.zip" in result.stdout and "conf/a.env" in result.stdout
    repo.commit("release.tar.gz", gzip.compress(random.Random(1).randbytes(5000))[:-900])
    assert "ends early" in (damaged := keyleash("scan", ".", cwd=repo.path)).stdout + damaged.stderr
    assert damaged.returncode != 0


def image(size: int = 60_000) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + zlib.compress(random.Random(3).randbytes(size))


def lockfile() -> bytes:
    shuffled = random.Random(4)
    entry = '    "node_modules/p{}": {{"integrity": "sha512-{}", "dev": true}},\n'
    return "".join(entry.format(n, base64.b64encode(shuffled.randbytes(64)).decode()) for n in range(2000)).encode()


def source_map() -> bytes:
    letters = random.Random(5).choices("ACDEGIKMOQSUWYgikmoqsuwy,;", k=200_000)
    content = 'function password(a) {\n\treturn a + "\\n" + \'x\' + "y";\n}\n' * 500
    return json.dumps({"version": 3, "sources": ["a.ts"], "sourcesContent": [content], "mappings": "".join(letters)}).encode()


NEAR_MISSES: dict[str, bytes] = {
    "an image in CSS": b"a { background: url(data:image/png;base64," + base64.b64encode(image()) + b") }",
    "an image by itself": image(),
    "minified JS": b'var a="x"+b+"y",password="p",c=a["token"]||"\\u2028\\x41",d=/%[0-9]/;' * 3000,
    "a lockfile": lockfile(),
    "a source map": source_map(),
    "random bytes": random.Random(6).randbytes(MB // 2),
    "random hex": random.Random(7).randbytes(MB // 4).hex().encode(),
    "base64 of random bytes": base64.encodebytes(random.Random(8).randbytes(MB // 4)),
    "a constant that is gzip's magic": b'static char magic[] = "1f8b0800";\nMAGIC = b"H4sIAAAAAAAAAAAAAAAAAAAAAAAA"\n',
    "a constant that is zip's magic": b'if head == b"UEsDBAoAAAAAAAAAAAAAAAAAAAAAAAA": pass\n',
    "a text about zip": b"a local header begins with PK\x03\x04 and the end with PK\x05\x06\n" * 10,
    "a word in base64": b"c2VjcmV0\n" * 200,
}


@pytest.mark.parametrize("kind", NEAR_MISSES)
def test_nothing_is_found_and_nothing_skipped(find: Find, kind: str) -> None:
    assert find(NEAR_MISSES[kind]) == []


def bomb(size: int) -> bytes:
    machine = zlib.compressobj(9, wbits=31)
    zeros = b"\0" * MB
    return b"".join(machine.compress(zeros) for _ in range(size)) + machine.flush()


def encrypted() -> bytes:
    data = bytearray(zipped(b"hidden"))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + place] |= 1
            at = data.find(mark, at + 1)
    return bytes(data)


def many_members(count: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(count):
            archive.writestr(str(number), b"")
    return file.getvalue()


def nested(depth: int) -> bytes:
    data = b"text\n"
    for _ in range(depth):
        data = gzip.compress(data)
    return data


def header_sized(kind: bytes, digits: bytes) -> bytes:
    """Return a tar header of `kind` that says to have a content of `digits` octal bytes."""
    header = bytearray(tarred(b"x", form=tarfile.USTAR_FORMAT)[:512])
    header[124:136], header[156:157], header[148:156] = digits, kind, b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def lying_zip() -> bytes:
    data = bytearray(zipped(b"x" * 100_000))
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    return bytes(data)


LIMITS: Mapping[str, tuple[Callable[[], bytes], str]] = {
    "gzip bomb": (lambda: bomb(40), "expands to more than the limit"),
    "zip bomb": (lambda: zipped(b"\0" * (40 * MB)), "expands to more than the limit"),
    "nested bomb": (lambda: gzip.compress(bomb(40)), "expands to more than the limit"),
    "many members": (lambda: many_members(20_001), "has more than 20,000 members"),
    "too deep": (lambda: nested(5), "is more than 4 archives deep"),
    "encrypted zip": (encrypted, "is encrypted"),
    "truncated zip": (lambda: zipped(random.Random(9).randbytes(3000))[:2000], "is a zip archive that is damaged or cut off"),
    "truncated gz": (lambda: gzip.compress(random.Random(9).randbytes(3000))[:2000], "is a gzip file that ends early"),
    "truncated xz": (lambda: lzma.compress(random.Random(9).randbytes(3000))[:2000], "is a xz file that ends early"),
    "damaged bz2": (
        lambda: bz2.compress(b"ab" * 3000)[:14] + b"\xff" * 40,
        "is a bzip2 file that is damaged or needs too much memory",
    ),
    "truncated tar": (lambda: tarred(b"x" * 3000)[:2000], "is a tar archive that ends early"),
    "7z": (
        lambda: b"7z\xbc\xaf\x27\x1c" + b"\0" * 40,
        "is a 7z archive that is damaged or compressed by a method that is not read",
    ),
    "7z bomb": (lambda: sevenzipped({"a": b"\0" * 40 * MB}), "expands to more than the limit"),
    "7z with a password": (lambda: sevenzipped({"a": b"abc"}, password="x"), "is encrypted"),
    "7z that asks for memory": (
        lambda: sevenzipped({"a": b"abc"}, filters=[{"id": 33, "dict_size": 1 << 28}]),
        "is a 7z archive that needs too much memory",
    ),
    "zstd": (lambda: b"\x28\xb5\x2f\xfd" + b"\0" * 40, "is a zstd archive, a format that is not read"),
    "rar": (lambda: b"Rar!\x1a\x07\x01\0" + b"\0" * 40, "is a rar archive, a format that is not read"),
    "huge tar header": (lambda: header_sized(b"x", b"77777777777\0"), "is a tar archive that has a header that is too large"),
    "lying tar size": (lambda: header_sized(b"0", b"77777777777\0") + b"x" * 512, "is a tar archive that ends early"),
    "lying zip size": (lying_zip, "is damaged"),
}


@pytest.mark.parametrize("kind", LIMITS)
def test_what_is_not_looked_at_is_said(tmp_path: Path, kind: str) -> None:
    make, reason = LIMITS[kind]
    data = make()
    scanned(tmp_path, b"")  # the first scan of a process makes its engine
    begin = time.process_time()
    report = scanned(tmp_path, data, "a.bin")
    assert time.process_time() - begin < 5
    assert not report.clean
    assert reason in {skipped.reason for skipped in report.skipped}
    assert all(skipped.what.startswith(f"{tmp_path}/a.bin, in ") for skipped in report.skipped)


def test_what_stands_before_the_damage_is_scanned(tmp_path: Path, secrets: Secrets) -> None:
    text = secrets.aws_file().encode() + random.Random(2).randbytes(9000).hex().encode()
    report = scanned(tmp_path, gzip.compress(text)[:5000])
    assert the_pair(report) and report.skipped


HOSTILE: dict[str, bytes] = {
    "percent": b"%41", "A": b"A", "u": b"\\u0041", "entities": b"&#65;", "octal": b"\\101", "lines of secret=": b"secret=\n",
    "joined": b'"+"', "joined secrets": b'secret="abcd"+"efgh"', "base64 words": b"c2VjcmV0\n",
    "tiny base64": b'"YXdzX3NlY3JldA==",',
    "commands": b"-enc JABhAGEAYQBhAGEA ", "manifests": b"kind: Secret\ndata:\n  a: QUJDREVGR0g=\n", "zip magic": b"PK\x03\x04",
    "a dump of nothing": b"00000010: 0001 0203 0405 0607 0809 0a0b 0c0d 0e0f  ................\n",
    "hex words": b"73 65 63 72 65 74 ", "backslashes": b"secret\\\\\\\\", "data urls": b"base64,QUJDREVGR0hJSktMTU5P",
    "quoted lines": b"> > > > > c2VjcmV0\n", "joined ids": b'AKIA"+"B', "percent of percent": b"%25252541",
    "base64 of base64": base64.b64encode(base64.b64encode(b"aws_secret=abc\n" * 9)) + b"\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_takes_time_that_grows_with_its_size(rules: RuleSet, kind: str) -> None:
    engine = HyperscanEngine(rules)

    def seconds(size: int) -> float:
        data = (HOSTILE[kind] * (size // len(HOSTILE[kind]) + 1))[:size]
        times = []
        for _ in range(2):
            begin = time.process_time()
            list(matches(Blob(data, Origin("test")), engine, rules))
            times.append(time.process_time() - begin)
        return min(times)

    small, large = seconds(MB // 16), seconds(MB // 4)
    assert large < max(0.5, 9 * small)  # four times as much; quadratic work would be sixteen times


RULES = load_builtin()


@pytest.fixture(scope="module")
def engines() -> tuple[HyperscanEngine, RegexEngine]:
    return HyperscanEngine(RULES), RegexEngine(RULES)


def found(engine: HyperscanEngine | RegexEngine, data: bytes) -> tuple[set[tuple[str, bytes, tuple[str, ...]]], set[Skipped]]:
    results = list(matches(Blob(data, Origin("test", "file")), engine, RULES))
    skipped = {result for result in results if isinstance(result, Skipped)}
    return {(r[0].rule.id, r[0].secret, r[1].way) for r in results if not isinstance(r, Skipped)}, skipped


# Quoted-printable needs its mail, xxd and PowerShell what stands around them; they are tested one by one above.
STACKED = sorted(set(ENCODINGS) - {"quoted-printable", "xxd", "powershell"})
# Inside another encoding: those whose words shine through every other one.
INNER = ["", "base64", "base64 alone", "base64 url-safe", "base64 at 76", "percent"]
PLAIN = st.text("abcxyz \n=.,:", max_size=200)
BOUNDED = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@BOUNDED
@given(before=PLAIN, after=PLAIN, inner=st.sampled_from(INNER), outer=st.sampled_from(STACKED), seed=st.integers(0, 999))
def test_a_pair_in_a_random_stack_is_found(
    engines: tuple[HyperscanEngine, RegexEngine], before: str, after: str, inner: str, outer: str, seed: int
) -> None:
    secrets = Secrets(str(seed))
    data = f"{before}\n{secrets.aws_file()}\n{after}".encode()
    expected = {(rule, secret) for rule, secret, _ in found(engines[0], data)[0]}
    for encoding in filter(None, (inner, outer)):
        data = ENCODINGS[encoding][0](data)
    results, skipped = found(engines[0], data)
    assert {(rule, secret) for rule, secret, _ in results} >= expected != set()
    assert not skipped


@BOUNDED
@given(
    pieces=st.lists(st.binary(max_size=60) | st.sampled_from(sorted(HOSTILE.values())), max_size=30),
    encoding=st.sampled_from(["", *STACKED]),
)
def test_engines_agree_and_nothing_crashes(
    engines: tuple[HyperscanEngine, RegexEngine], pieces: list[bytes], encoding: str
) -> None:
    data = b"".join(pieces)
    if encoding and encoding != "JSON in JSON":
        data = ENCODINGS[encoding][0](data)
    assert found(engines[0], data) == found(engines[1], data)


@BOUNDED
@given(
    kind=st.sampled_from(sorted(ARCHIVES)),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    cut=st.floats(0, 1),
)
def test_a_mutated_archive_never_crashes(
    engines: tuple[HyperscanEngine, RegexEngine], kind: str, edits: list[tuple[float, int]], cut: float
) -> None:
    data = bytearray(ARCHIVES[kind][0](Secrets("archive").aws_file().encode()))
    for place, value in edits:
        data[int(place * len(data))] = value
    begin = time.process_time()
    found(engines[0], bytes(data[: int(cut * len(data)) + 1]))
    assert time.process_time() - begin < 1


def test_lines_of_the_other_alphabet_above_a_value(engines: tuple[HyperscanEngine, RegexEngine]) -> None:
    # Regression: `-` and `_` above a standard value were left out by the decoder, which then miscounted and raised.
    line = base64.b64encode(b"aws_secret_access_key ")[:24]
    for above in (b"_" + line[1:], b"-_" + line + b"-", line[:5] + b"-" + line[6:]):
        assert found(engines[0], above + b"\n" + line + b"\n" + line[:17] + b"\n")[0] == set()


@pytest.mark.parametrize(
    "text",
    [
        b"A" * 8000 + b"!\n" + base64.b64encode(b"aws_secret_access_key = ") + b"\n",
        b"7365 6372 6574 x" * 8000,
        b'EVGBAKIAB"+"' * 8000 + b"=",
    ],
    ids=["a long line above base64", "hexadecimal in fours", "padding behind a long line"],
)
def test_text_that_looks_encoded_and_is_not_is_tried_once(engines: tuple[HyperscanEngine, RegexEngine], text: bytes) -> None:
    # Regression: patterns were tried from each character of a line, and each place in digits by itself: minutes.
    begin = time.process_time()
    found(engines[0], text)
    assert time.process_time() - begin < 3


def test_a_zip_member_without_a_name(tmp_path: Path, secrets: Secrets) -> None:
    # Regression: zipfile.ZipInfo.is_dir raises IndexError on an empty name.
    data = bytearray(zipped(secrets.aws_file().encode(), "z"))
    for magic, lengths in ((b"PK\x03\x04", 26), (b"PK\x01\x02", 28)):  # the name becomes a byte of the extra field
        at = data.rfind(magic) + lengths
        data[at : at + 4] = b"\0\0\1\0"
    assert {place.way for place in the_pair(scanned(tmp_path, bytes(data)))} == {("zip", "")}


def test_html_with_named_entities(find: Find, secrets: Secrets) -> None:
    text = secrets.aws_file().replace("=", '= "').replace("\n", '"\n')
    assert secrets_in(find, html.escape(text).encode()) >= {s for s in secrets_in(find, text.encode()) if s[0] == PAIR}


def test_two_pairs_of_one_member(tmp_path: Path, secrets: Secrets) -> None:
    # Regression: all of a member stands at one place, so what was decoded in it counted as seen where it had another match.
    plain, hidden = secrets.aws_file(), secrets.aws_file()
    data = gzip.compress(plain.encode() + b"\n" * 40 + b"data: " + base64.b64encode(hidden.encode()) + b"\n")
    report = scanned(tmp_path, data)
    assert sum(finding.rule.id == PAIR for finding in report.findings) == 2


def test_what_is_decoded_in_another_order_is_looked_at_once(rules: RuleSet) -> None:
    # Regression: found by fuzzing; five encodings on one line were undone in every order, in thousands of chunks.
    kinds = ("hex entities", "percent, all", "\\u", "base64 alone", "hex")
    line = b" ".join(ENCODINGS[kind][0](b"secret key") for kind in kinds)
    chunks = list(decode.chunks(line * 20, "x", HyperscanEngine(rules).anchors))
    assert 5 < len(chunks) < 400


def test_an_archive_is_unpacked_once_if_it_holds_nothing(rules: RuleSet, secrets: Secrets) -> None:
    engine = HyperscanEngine(rules)
    noise = random.Random(12).randbytes(300).hex().encode()
    dull, telling = zipped(b"some words " + noise), zipped(secrets.aws_file().encode() + noise)

    def seen(data: bytes) -> int:
        found = [one for one in decode.chunks(data, "x", engine.anchors) if not isinstance(one, Skipped)]
        return sum(bool(chunk.way) for chunk, _ in found)

    assert (seen(dull), seen(dull), seen(base64.b64encode(dull))) == (2, 0, 0)
    assert (seen(telling), seen(telling), seen(base64.b64encode(telling))) == (1, 1, 1)  # the README in it is known
    assert secrets_of(engine, rules, telling) == secrets_of(engine, rules, telling) != set()
    mixed = io.BytesIO()
    with zipfile.ZipFile(mixed, "w", zipfile.ZIP_DEFLATED) as archive:  # a member that is known beside one that is not
        archive.writestr("known", b"some words " + noise)
        archive.writestr("new", secrets.aws_file())
    assert secrets_of(engine, rules, mixed.getvalue()) != set()


def secrets_of(engine: HyperscanEngine, rules: RuleSet, data: bytes) -> set[bytes]:
    found = matches(Blob(data, Origin("test")), engine, rules)
    return {one[0].secret for one in found if not isinstance(one, Skipped)}


def test_a_damaged_constant_does_not_hide_a_damaged_file(tmp_path: Path) -> None:
    data = zipped(random.Random(9).randbytes(3000))[:2000]
    engine = HyperscanEngine(load_builtin())
    assert not any(isinstance(one, Skipped) for one in decode.chunks(b"X = " + base64.b64encode(data), "x", engine.anchors))
    assert any(isinstance(one, Skipped) for one in decode.chunks(data, "x", engine.anchors))


EXCESS: dict[str, tuple[Callable[[], bytes], str]] = {
    "values": (lambda: b"c2VjcmV0\n" * 30_000, "holds more encoded values than the limit"),
    "words in an archive": (
        lambda: gzip.compress(b"secret=\n" * 40_000),
        "holds more that looks like credentials than the limit",
    ),
    "matches": (
        lambda: b"".join(
            b"amzn.mws.%08x-1a2b-3c4d-5e6f-%012x\n" % (n * 2654435761 % 2**32, n * 2654435761) for n in range(2100)
        ),
        "rule 'aws-mws-auth-token' matches 2,000 times; what follows is not listed",
    ),
}


@pytest.mark.parametrize("kind", EXCESS)
def test_what_is_too_much_is_said(tmp_path: Path, kind: str) -> None:
    make, reason = EXCESS[kind]
    assert reason in {one.reason for one in scanned(tmp_path, make()).skipped}


def test_7z_without_its_library_is_said_to_be_skipped(
    tmp_path: Path, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = sevenzipped({"a.env": secrets.aws_file().encode()})
    monkeypatch.setitem(sys.modules, "py7zr", None)
    assert {one.reason for one in scanned(tmp_path, data).skipped} == {"is a 7z archive; install keyleash[7z] to read it"}


def test_nothing_of_a_7z_is_written_to_disk(tmp_path: Path, secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "empty"
    place.mkdir()
    monkeypatch.chdir(place)
    data = sevenzipped({"deep/a.env": secrets.aws_file().encode(), "deep/empty": b""})
    assert the_pair(scanned(tmp_path, data))
    assert list(place.iterdir()) == []
