"""How likely a value is a credential: a small ensemble of decision trees over named features.

The trees stand in `scanner/data/generic_model.json`, trained by `tests/bench/train_generic.py`; `docs/generic.md`
says on what, and how the thresholds were set. A node is `[feature, threshold, left, right]`: left
when the feature is at most the threshold; a leaf is a number. The sum of the leaves is in logits.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import math
import os
import re
from typing import Any, NamedTuple

from scanner.confirm.generic_features import DATA, Features, features, only_words
from scanner.confirm.generic_forms import Candidate


class Model(NamedTuple):
    """What the file holds: trees, and the scores from which a value is reported, and stops a commit."""

    base: float
    trees: list[Any]
    report: float
    stop: float


@functools.cache
def model() -> Model:
    """Return the built-in model."""
    with open(os.path.join(DATA, "generic_model.json"), encoding="ascii") as file:
        content = json.load(file)
    return Model(content["base"], content["trees"], content["report"], content["stop"])


def score(found: Candidate) -> float:
    """Return how likely the candidate is a credential, from 0 to 1; 0 for what plainly is none."""
    return _score(found._replace(start=0, end=0))


@functools.lru_cache(maxsize=16384)
def _score(found: Candidate) -> float:
    """The same lines come again and again: in the versions of a file, and in files that were copied."""
    return 0.0 if hopeless(found) else of_features(features(found))


def of_features(numbers: Features) -> float:
    """Return the score of a candidate's features."""
    total = model().base
    for node in model().trees:
        while node.__class__ is list:
            node = node[2] if numbers[node[0]] <= node[1] else node[3]
        total += node
    return 1 / (1 + math.exp(-total))


_VARIABLE = re.compile(
    rb"[$%@][A-Za-z{(\[]|\$?\{[\w.:-]+\}\Z|<[\w .:-]+>\Z|\[[A-Za-z_ -]+\]\Z|%[sdvqn]\Z"
    rb"|\\\(|__\w+__\Z|!(?:Ref|Sub|vault|secret)\b"
)
_TEMPLATE = re.compile(rb"\{\{|<%|#\{|\$\{|\$\(|\(\(|%\(\w{1,40}\)s|\}\}")
_NO_SECRET = re.compile(
    rb"(?i:(?:[0-9a-f]{16,}\s+)+[0-9a-f]{16,})\Z|.*(?:\.{3}|\xe2\x80\xa6)\Z"
    rb"|(?i:utf-?8|sha-?\d{1,3}|aes-?\d{3}|[hrep]s\d{3}\Z|(?:ssh|rsa|dsa|ecdsa)-\w+(?:-\w+)?\Z)|(?i:[a-z][a-z0-9+.-]{1,12}://(?![^\s/@]*:[^\s/@]+@)|www\.|mailto:)"
    rb"|[^@\s]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\Z|.*%(?:[sdvqx]\b|[a-z]\Z)|[A-Za-z]+[_-]\Z"
    rb"|\"?[0-9]{4}-[0-9]{2}-[0-9]{2}|-?0x[0-9a-f]{1,12}(?:\Z| /)"
    rb"|(?:npm:)?[v^~>=<]{0,2}[0-9]+(?:\.[0-9]+)+(?: \([0-9A-Z]+\)| \|\|.*)?\Z"
    rb"|[0-9]{1,2}[/.][0-9]{1,2}[/.][0-9]{2,4}|[0-9]+(?:ms|s|m|h|d|px|em|%|kb|mb)\Z"
    rb"|(?:\.{1,2}|~|[A-Za-z]:|(?=/[a-z]))[/\\][a-z0-9_./\\-]*\Z|[a-z_.-][a-z0-9_.-]*(?:/[a-z0-9_.-]+)+\Z"
    rb"|[\w./-]+\.(?:pem|key|crt|json|ya?ml|txt|js|ts|py|go|rb|java|html?|php|xml|conf|cfg|properties|env|pub|cert|p12|jks"
    rb"|png|jpe?g|gif|svg|ico|mp[34]|pdf|zip|gz|tar|css|woff2?|ttf|exe|dll|so|jar|md|rst|sh|sql|csv|log)\Z"
    rb"|[\w.-]+(?:/[\w.-]+)?(?:/[0-9a-f]{2}){2,}/"
)
"""Lists of hashes, what is cut off, names of algorithms, addresses, formats, dates, pointers, versions, durations, paths."""
_UUID = re.compile(rb"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z")
_ISSUED = re.compile(
    rb"(?i)(?:secret|token|passw(?:or)?d|pwd|(?:api|access|auth|private|secret|service|shared|license)[_.-]?key)(?:[_.-]?value)?\W*\Z"
)
"""A UUID given to such a name is what a service issued; given to any other it is an identifier."""
_TOLD = re.compile(
    rb"(?:[A-Za-z]|[\x80-\xff])*[\x80-\xff](?:[A-Za-z]|[\x80-\xff])*\Z|(?:[\w .,:!?-]|\\[u ])*\\u(?!00[2-7])[0-9A-Fa-f]{4}"
)
"""A word with letters beyond ASCII and no digit, or such letters as escapes: a label in another language."""
_TRANSLATED = re.compile(
    rb"(?i)(?:wachtwoord|paswoord|adgangskode|kennwort|passwort|heslo|senha|salasana|contrasena|jelszo|haslo|parola|sifre)\Z"
)
_BEGINS = re.compile(rb"[A-Z][a-z]+\Z")
_GOES_ON = re.compile(rb" {1,2}(?:[a-z]|[\x80-\xff]){2}")
"""The first word of a text, and that it goes on."""
_PRINTABLE = re.compile(rb"20|3D|0A|09")
_PRINTED = re.compile(rb"=(?:20|3D|0A|09)")
"""What stands behind `=` in quoted-printable text, and that there is more of it; the text itself is decoded and looked at."""
_PUBLIC = re.compile(rb"(?i)pub(?:lic)?[_. -]?(?:key|token|cert)")
_PAGE = re.compile(
    rb"(?i)(?:next|page|continuation|sync|cursor|resume|asset)[_-]?(?:page[_-]?)?token|resourcekey|(?:secret|key)_?names?\W*\Z|-(?:std)?in\Z|-file\Z"
)
_ALONE = re.compile(rb"(?i)\W*(?:key|keys|id|token)\W*\Z")
_NAMING = re.compile(rb"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\Z|1[0-9]{9}(?:[0-9]{3})?\Z|(?:[A-Z]?[a-z]+ )+[A-Z]?[a-z]+\Z")
_COUNTED = re.compile(rb"(?i)(?:token|key)s?\W*\Z|expir|_time")
"""A constant, a time or a few words: given to a bare `key` or `token`, these name something."""
_KNOWN = re.compile(
    rb"(?i)(?:guest|changeit|change_?me|minioadmin|rabbitmq|postgres|vagrant|foobared|foo_?bar|s?ecret123|letmein|passw0rd|test1234)\Z"
)
"""What programs come with, and manuals show: nobody's password, and known to everyone."""
_HASHED = re.compile(
    rb"(?i)hashed|gpg|pgp|finger_?print|thumb_?print|checksum|digest|sha_?[0-9]|md5|etag|revision|commit|repository|sourcecontrol"
    rb"|\.(?:php|py|[jt]sx?|java|rb|go|cs|md|html?|s?css|txt|json|ya?ml|xml|erb|vue)\W*\Z"
)
_DIGEST = re.compile(
    rb"(?i)(?:[0-9a-f]{8}|[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})\Z"
)
"""What MD5, SHA-1 and SHA-2 give, and ids of keys: given to a name that says so (`hashed_secret`, `Password.php`) no secret."""
_ELEMENTS = ("element", "entry")
_TAGS = (b"key", b"/key", b"/name", b"/string", b"/value")
"""Elements whose text is the name of the next one's, and ends of elements: `<key>Name</key> <string>…`."""
_CODE = re.compile(
    rb"(?:self|this|cls|super|os|process|env|config|options?|params?|args|props"
    rb"|req|request|ctx)(?:\.|\[|->|::)"
)
_DUMMY = re.compile(
    rb"(?i).{0,4}\Z|(?:my|your|the|test)?[-_]?(?:pass(?:word|wd)?|secret|token|admin|user|root|example|changeme)[0-9!]{0,4}\Z"
)


def hopeless(found: Candidate) -> bool:
    """Whether a value is a variable, a call, plain words, an address, too short …: what needs no weighing."""
    value = found.value
    if len(value.strip()) < 4 and not found.form.startswith("url"):
        return True
    if (
        _VARIABLE.match(value)
        or _TEMPLATE.search(value)
        or _NO_SECRET.match(value)
        or _KNOWN.match(value)
        or len(set(value)) < 3
    ):
        return True
    if found.form in ("header", "scheme") and found.name.lower() == b"basic" and _dummy_login(value):
        return True
    if _HASHED.search(found.name) and _DIGEST.match(value):
        return True
    if _identifier(found) or _label(found):
        return True
    if only_words(value) or b"{{" in found.wrap:
        return True
    if found.quote:
        return False
    after = found.after[:1]
    return bool(_CODE.match(value)) or (after in (b"(", b"[", b"{", b"<", b"$") and found.form not in _ELEMENTS)


def _identifier(found: Candidate) -> bool:
    """Whether a value names something that is no secret: a UUID of anything but a token, a public key, a page of results."""
    if _UUID.match(found.value):
        return not _ISSUED.search(found.name)
    if found.form == "element" and found.name.lower() in _TAGS:
        return True
    if _ALONE.match(found.name) and _NAMING.match(found.value):
        return True
    if found.value.isdigit() and len(found.value) < 11 and _COUNTED.search(found.name):
        return True
    return bool(_PUBLIC.search(found.name) or _PAGE.search(found.name))


def _label(found: Candidate) -> bool:
    """Whether a value is a text for people, in the language of one of them, or the beginning of such a text."""
    if _TRANSLATED.match(found.value) or (_TOLD.match(found.value) and not (found.quote and found.value[:1].islower())):
        return True
    if not found.quote and _BEGINS.match(found.value) and _GOES_ON.match(found.after):
        return True
    if found.sep == b"=" and _PRINTABLE.match(found.value) and _PRINTED.search(found.before + found.value + found.after):
        return True
    cut = not found.quote and found.after[:2] in (b"\\u", b"\\ ")
    return cut or (found.form == "assign" and b"\\ " in found.before and not any(48 <= byte <= 57 for byte in found.value))


def _dummy_login(value: bytes) -> bool:
    """Whether a basic header's value decodes to a word that stands for a password, or to nothing but a name."""
    try:
        name, colon, password = base64.b64decode(value + b"=" * (-len(value) % 4)).partition(b":")
    except binascii.Error:
        return False
    return bool(colon) and name.isascii() and bool(_DUMMY.match(password))
