"""The patterns that say where decoding may be worth its time.

Almost every blob has nothing to decode, and decoding everything that could be base64
costs more than the whole scan. So the engine looks for these patterns in the same pass
as for the rules' anchors, and only around their ends is anything decoded. Each is the
encoded form of a word that stands in or beside a credential, or a place that is encoded
by convention; each holds a literal, without which the engine would slow down on every
byte. A trigger may over-report: what it leads to is decoded and scanned like any text.
"""

from __future__ import annotations

import functools
from typing import NamedTuple


class Trigger(NamedTuple):
    """What to decode around a match: `kind` is one of the encodings', 'manifest' or 'zip'."""

    kind: str
    pattern: str


_WORDS = (
    b"AKIA", b"ASIA", b"PRIVATE KEY", b"aws_", b"AWS_", b"secret", b"Secret", b"SECRET",
    b"password", b"Password", b"PASSWORD", b"ghp_", b"github_pat_", b"glpat-", b"xoxb-", b"xoxp-", b"sk_live_", b"AIza",
)  # fmt: skip
_NESTED = (b"AKIA", b"ASIA", b"PRIVATE KEY", b"aws_", b"AWS_", b"secret", b"SECRET")
_MAGICS = ("504b0304", "1f8b0800", "1f8b0808", "425a68393141", "fd377a585a00")
_KNOWN = "(?:AKIA|ASIA|gh[opsu]_|github_pat_|glpat-|xox[abeprs]-|[rs]k_live_|npm_|pypi-|AIza)"
_NAME = "(?:secret|passwo?r?d|token|api_?key|access_?key|private_?key)"
_STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_URLSAFE = _STANDARD[:62] + "-_"
# Four base64 characters that encode three bytes below 128 of which the first is printable, a tab or a line end:
# the high bit of a byte is bit 5 of the first, 3 of the second and 1 of the third character.
_GROUP = "[CDI-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]"
# The same for UTF-16: eight characters are three characters below 128, each with its NUL.
_GROUP_16 = "[CDI-Za-f][AQgw][AB][A-Za-z0-9+/]A[A-H][AEIMQUYcgkosw048]A"
_NO_BASE64 = "[^A-Za-z0-9+/_-]"
_ARCHIVE = "(?:UEsDB|H4sIA|H4sIC|Qlpo[1-9]|/Td6WF)"


def _known_part(form: str) -> bytes:
    """Return the characters of a base64 form that the word decides wholly."""
    inner = form[form.index("]") + 1 :] if form.startswith("[") else form
    return inner.partition("[")[0].encode()


def base64_forms(word: bytes) -> list[str]:
    """Return patterns for a word inside base64, one for each of the three places it may have in a group.

    A character that the word decides in part becomes a class of those that fit.

    >>> base64_forms(b"AKIA")[0]
    'QUtJQ[QRSTUVWXYZabcdef]'
    """
    forms = []
    for shift in (0, 8, 16):
        known = "?" * shift + "".join(f"{byte:08b}" for byte in word)
        known = known.ljust(-(-len(known) // 6) * 6, "?")
        classes = [_class(known[place : place + 6]) for place in range(0, len(known), 6)]
        forms.append("".join(classes).strip("."))
    return forms


@functools.cache
def _class(bits: str) -> str:
    if bits.count("?") > 4:
        return "."
    fits = [n for n in range(64) if all(bit in ("?", said) for bit, said in zip(bits, f"{n:06b}", strict=True))]
    letters = "".join(dict.fromkeys(table[n] for n in fits for table in (_STANDARD, _URLSAFE)))
    if len(letters) == 1:
        return letters
    return "[" + letters.replace("-", "") + ("-" if "-" in letters else "") + "]"


def _hex_forms(word: bytes) -> list[str]:
    """Return the hexadecimal spellings of a word: plain, with separators, as in C, and as `xxd` groups it."""
    pairs = [f"{byte:02x}" for byte in word]
    grouped = ["".join(pair + (" " if n % 2 == odd else "") for n, pair in enumerate(pairs)).strip() for odd in (0, 1)]
    return [f"(?i){text}" for text in (*(separator.join(pairs) for separator in ("", " ", ":", ",0x", ", 0x")), *grouped)]


def _base64() -> list[str]:
    both = [spelled for word in _WORDS for spelled in (word, word.decode().encode("utf-16-le")[:-1])]
    nested = [_known_part(form) for word in _NESTED for form in base64_forms(word)] + [word.hex().encode() for word in _NESTED]
    return [
        *(form for word in [*both, *nested] for form in base64_forms(word)),
        f"(?i:{_NAME})[^\\n]{{0,40}}{_NO_BASE64}(?:{_GROUP}){{6}}",
        f"(?i:base64|b64decode|atob|!!binary)(?s:.{{0,40}}){_NO_BASE64}(?:(?:{_GROUP}){{5}}|(?:{_GROUP_16}){{2}}|{_ARCHIVE})",
        f"[Bb]asic (?:{_GROUP}){{3}}",
        f"(?i:-enc?[a-z]{{0,12}}) {{1,4}}['\"]?(?:{_GROUP_16}){{2}}",
        f"(?m)(?:{_NO_BASE64}|^){_ARCHIVE}[A-Za-z0-9+/_-]{{20}}",
    ]


def _hexadecimal() -> list[str]:
    encoded = [_known_part(form) for word in _NESTED for form in base64_forms(word)]
    return [
        *(form for word in (*_NESTED, b"assword") for form in _hex_forms(word)),
        # The second line of a dump by xxd or hexdump, and by od: in a dump the end of a line may cut any word.
        "(?i)00000010(?:: {1,2}|  )[0-9a-f]{2}(?: ?[0-9a-f]{2}){7}",
        "(?i)0000020 {1,2}[0-9a-f]{2}(?: [0-9a-f]{2}){7}",
        *(f"(?i){word.hex()}" for word in encoded),
        *(f"(?i){magic}" for magic in _MAGICS),
    ]


def _percent() -> list[str]:
    character = "%(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])"
    return [
        f"(?i){_NAME}[a-z0-9_.%+-]{{0,24}}%(?:25){{0,3}}(?:3d|3a|22|20|5d)",
        "(?i)(?:secret|aws)[^\\n]{0,80}[a-z0-9+/]%(?:25){0,3}2[bf]",
        "(?i)PRIVATE(?:%20|%2B|\\+)KEY",
        f"%[0-9A-Fa-f]{{2}}{_KNOWN}",
        f"(?:{character}){{4}}",
    ]


def _entities() -> list[str]:
    code = "(?:#0{0,5}(?:34|39|43|47|58|61|62)|#[xX]0{0,4}(?:22|27|2[bBfF]|3[aAdDeE])|quot|apos|gt|sol|plus|equals|colon)"
    return [
        f"(?i:{_NAME})[a-zA-Z0-9_.-]{{0,24}}[=: ]{{0,3}}(?:&amp;|&){code};",
        "(?i:secret|aws)[^\\n]{0,80}[a-zA-Z0-9+/]&(?:amp;)?(?:#43|#47|#[xX]2[bBfF]|sol|plus);",
        "(?:&#(?:[xX][2-7][0-9A-Fa-f]|[0-9]{2,3});){4}",
    ]


def _escapes() -> list[str]:
    code = "(?:u00(?:3d|3a|22|27|20)|x(?:3d|3a|22|27|20))"
    return [
        f"(?i){_NAME}[a-z0-9_.-]{{0,24}}[=: \"']{{0,4}}\\\\{{1,4}}{code}",
        "(?i)(?:secret|aws)[^\\n]{0,80}[a-z0-9+/]\\\\{1,4}(?:/|u002[bf]|x2[bf])[a-z0-9+/\\\\]{4}",
        f"\\\\(?:[nrt]|u00[2-7][0-9A-Fa-f]|x[2-7][0-9A-Fa-f]){_KNOWN}",
        "(?i)\\\\{1,4}[nr](?:https://)?[a-z0-9-]{1,63}\\.signin\\.aws",
        "(?:\\\\u00[2-7][0-9A-Fa-f]){4}",
        "(?:\\\\x[2-7][0-9A-Fa-f]){4}",
        "(?:\\\\1[0-7][0-7]|\\\\0[4-7][0-7]){4}",
    ]


def _quoted_printable() -> list[str]:
    return [
        f"(?i){_NAME}[a-z0-9_. -]{{0,24}}=3d",
        "(?i)(?:secret|aws)[^\\n]{0,120}[a-z0-9+/]=\\r?\\n[a-z0-9+/]",
        "(?i)content-transfer-encoding: {0,4}quoted-printable",
        "=3D[=\\r\\n3D]{0,8}-----END",
    ]


def _joined() -> list[str]:
    cut = "[\"'][ \\t]{0,8}[+.&\\\\]?[ \\t]{0,8}(?:\\r?\\n[ \\t]{0,40})?[+.&]?[ \\t]{0,4}[\"']"
    return [
        f"A[KS]IA[A-Z2-7]{{0,15}}{cut}[A-Z2-7]",
        f"(?i:secret|aws)[^\\n]{{0,80}}[A-Za-z0-9/+]{{4}}{cut}[A-Za-z0-9/+]{{4}}",
        f"(?i:secret|aws)[^\\n]{{0,24}}\\([ \\t]{{0,4}}\\r?\\n[ \\t]{{0,40}}[\"'][A-Za-z0-9/+]{{4,39}}{cut}[A-Za-z0-9/+]{{4}}",
    ]


TRIGGERS: tuple[Trigger, ...] = (
    *(Trigger("base64", pattern) for pattern in _base64()),
    *(Trigger("hex", form) for form in _hexadecimal()),
    *(Trigger("percent", pattern) for pattern in _percent()),
    *(Trigger("entities", pattern) for pattern in _entities()),
    *(Trigger("escapes", pattern) for pattern in _escapes()),
    *(Trigger("quoted-printable", pattern) for pattern in _quoted_printable()),
    *(Trigger("joined", pattern) for pattern in _joined()),
    Trigger("manifest", "kind[\"']?: {0,4}[\"']?Secret[\"'\\s,}]"),
    Trigger("zip", "PK\\x03\\x04"),
)  # fmt: skip

INNER: tuple[Trigger, ...] = (
    Trigger("base64", f"(?<![A-Za-z0-9+/_-])(?:{_GROUP}){{6}}"),
    Trigger("hex", "(?<![0-9A-Fa-f])(?:[2-7][0-9A-Fa-f]|0[9AaDd]){20}"),
)
"""Any text in base64 or hexadecimal. Without a literal it is too slow for every blob, but what was decoded is little."""
