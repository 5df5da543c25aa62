"""The patterns that say where decoding may be worth its time.

Almost every blob has nothing to decode, and decoding everything that could be base64
costs more than the whole scan. So the engine looks for these patterns in the same pass
as for the rules' anchors, and only around their ends is anything decoded. Each is the
encoded form of a word that stands in or beside a credential, or a place that is encoded
by convention; each holds a literal, without which the engine would slow down on every
byte, and what may begin in many ways is a pattern for each: the engine looks for a hundred literals
sooner than for a choice of them. A trigger may over-report: what it leads to is decoded and scanned like any text.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterable
from typing import NamedTuple


class Trigger(NamedTuple):
    """What to decode around a match: `kind` is one of `scanner.decode.KINDS`."""

    kind: str
    pattern: str


_WORDS = (
    b"AKIA", b"ASIA", b"PRIVATE KEY", b"PRIVATE%20KEY", b"aws_", b"AWS_", b"secret", b"Secret", b"SECRET",
    b"password", b"Password", b"PASSWORD", b"ghp_", b"github_pat_", b"glpat-", b"xoxb-", b"xoxp-", b"sk_live_", b"AIza",
)  # fmt: skip
_NESTED = (b"AKIA", b"ASIA", b"PRIVATE KEY", b"PRIVATE%20KEY", b"aws_", b"AWS_", b"secret", b"SECRET", b"assword")
_TELLING = (b"\\u00", b"\\x6", b"%5Cu00", b"%5Cx6", b";&#1", b";&#x", b"%3B%26%23", b"ncodedCommand")
"""What stands again and again in a text that is spelt in escapes or in entities, or before what is encoded."""

_DEEP = (b"AKIA", b"secret")
_TELLS = 6
"""So many given characters stand together by chance in one of 65,000 megabytes of base64."""

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
_ARCHIVES = ("UEsDB", "H4sIA", "H4sIC", "Qlpo", "/Td6WF")
_ARCHIVE = f"(?:{'|'.join(_ARCHIVES)})"
_ESCAPED_BYTES = ("001001010011????0???????", "01011100011110000011????0???????")
"""The bits of `%41` and of `\\x41` and the like."""


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
    return _aligned("".join(f"{byte:08b}" for byte in word))


def _surest(form: str) -> str:
    """Return the longest part of a form that is no class, if it says enough: engines compile a literal in a fifth of the time.

    >>> _surest("[FVl1]zZWNyZX[QRST]"), _surest("[Ql]FLSU[BEFG]")
    ('zZWNyZX', '[Ql]FLSU[BEFG]')
    """
    part = _known_part(form).decode()
    return part if len(part) >= _TELLS else form


def _aligned(bits: str) -> list[str]:
    """Return patterns for bits inside base64, of which a `?` may be either."""
    forms = []
    for shift in (0, 8, 16):
        known = "?" * shift + bits
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


def _in_base64(words: Iterable[bytes]) -> list[bytes]:
    """Return what surely stands in the base64 of a text that holds one of the words."""
    return [_known_part(form) for word in words for form in base64_forms(word)]


def _in_hex(words: Iterable[bytes]) -> list[bytes]:
    """Return what stands in the hexadecimal digits, small and capital, of a text that holds one of the words."""
    return list(dict.fromkeys(spelled.encode() for word in words for spelled in (word.hex(), word.hex().upper())))


def _tower_heads() -> list[str]:
    """Return what the base64 of the base64 of the base64 of any text can begin with: few things, and fewer with each storey.

    Any text that deep is seen by this, whatever it holds; the base64 of base64 is a text too.
    """
    first = (9, 10, 13, *range(32, 127))
    # Of the second byte the first half counts, and whether the rest makes a letter or another character.
    second = (9, 13, *range(32, 127, 16), *range(45, 127, 16))
    heads = {bytes((one, two, 32)) for one in first for two in second}
    for _ in range(3):
        heads = {base64.b64encode(head)[:3] for head in heads}
    return sorted(head.decode() for head in heads)


def _base64() -> list[str]:
    both = [spelled for word in _WORDS for spelled in (word, word.decode().encode("utf-16-le")[:-1])]
    words = (*_NESTED, *_TELLING)
    deep = [*_in_base64(_in_base64(_DEEP)), *_in_base64(_in_hex(_DEEP)), *_in_hex(_in_base64(_DEEP)), *_in_hex(_in_hex(_DEEP))]
    nested = [*_TELLING, *_in_base64(words), *_in_hex(words), *deep]
    return [
        *dict.fromkeys(_surest(form) for word in [*both, *nested] for form in base64_forms(word)),
        f"(?i:{_NAME})[^\\n]{{0,40}}{_NO_BASE64}(?:{_GROUP}){{6}}",
        f"(?i:base64|b64decode|atob|!!binary)(?s:.{{0,40}}){_NO_BASE64}(?:(?:{_GROUP}){{5}}|(?:{_GROUP_16}){{2}}|{_ARCHIVE})",
        *(f"(?m)(?:{_NO_BASE64}|^){head}[A-Za-z0-9+/_-](?:{_GROUP}){{5}}" for head in _tower_heads()),
        *(form for byte in _ESCAPED_BYTES for form in _aligned(byte * 3)),
        f"(?m)(?:{_NO_BASE64}|^)(?:{'|'.join(base64_forms(head.encode())[0] for head in _ARCHIVES)})[A-Za-z0-9+/_-]{{8}}",
        f"[Bb]asic (?:{_GROUP}){{3}}",
        f"(?i:-enc?[a-z]{{0,12}}) {{1,4}}['\"]?(?:{_GROUP_16}){{2}}",
        f"(?m)(?:{_NO_BASE64}|^){_ARCHIVE}[A-Za-z0-9+/_-]{{20}}",
    ]


def _hexadecimal() -> list[str]:
    words = (*_NESTED, *_TELLING)
    deep = [*_in_base64(_in_base64(_DEEP)), *_in_base64(_in_hex(_DEEP)), *_in_hex(_in_base64(_DEEP))]
    nested = [*_TELLING, *_in_base64(words), *_in_hex(words), *deep]
    return [
        *(form for word in _NESTED for form in _hex_forms(word)),
        *(f"(?i){word.decode().encode('utf-16-le')[:-1].hex()}" for word in _NESTED),
        # The second line of a dump by xxd or hexdump, and by od: in a dump the end of a line may cut any word.
        "(?i)00000010(?:: {1,2}|  )[0-9a-f]{2}(?: ?[0-9a-f]{2}){7}",
        "(?i)0000020 {1,2}[0-9a-f]{2}(?: [0-9a-f]{2}){7}",
        *(f"(?i){word.hex()}" for word in nested),
        *(f"(?i){magic}" for magic in _MAGICS),
        "(?i)(?:253[2-7](?:3[0-9]|[46][1-6])){4}",  # %41 and the like
        "(?:333[2-7]3[346]3[0-9]){4}",  # hexadecimal of hexadecimal of hexadecimal of any text
    ]


def _percent() -> list[str]:
    codes = ("2[3-6]", "3[0-9Bb]", "4[1-9A-Fa-f]", "5[0-9AaCc]", "6[1-9A-Fa-f]", "7[0-9AaCc]")
    character = f"%(?:25){{0,3}}(?:{'|'.join(codes)})"
    return [
        f"(?i){_NAME}[a-z0-9_.%+-]{{0,24}}%(?:25){{0,3}}(?:3d|3a|22|20|5d)",
        "(?i)(?:secret|aws)[^\\n]{0,80}[a-z0-9+/]%(?:25){0,3}2[bf]",
        "A[KS]IA[A-Z2-7]{16}[^\\n]{1,60}%(?:25){0,3}2[bBfF]",
        "(?i)PRIVATE(?:%(?:25){0,3}20|%2B|\\+)KEY",
        f"%[0-9A-Fa-f]{{2}}{_KNOWN}",
        *(f"%{'25' * again}{code}(?:{character}){{3}}" for again in range(4) for code in codes),
        "(?i)%(?:25){0,3}5c(?:u00|x)[2-7][0-9a-f]%",
        "(?i)%(?:25){0,3}26%(?:25){0,3}23x?[0-9a-f]{2,3}%(?:25){0,3}3b",
        "(?i)-enc?[a-z]{0,12}%20",
        "0000(?:10|20)%",  # the second line of a dump
    ]


def _entities() -> list[str]:
    code = "(?:#0{0,5}(?:34|39|43|47|58|61|62)|#[xX]0{0,4}(?:22|27|2[bBfF]|3[aAdDeE])|quot|apos|gt|sol|plus|equals|colon)"
    return [
        f"(?i:{_NAME})[a-zA-Z0-9_.-]{{0,24}}[=: ]{{0,3}}(?:&amp;|&){code};",
        "(?i:secret|aws)[^\\n]{0,80}[a-zA-Z0-9+/]&(?:amp;)?(?:#43|#47|#[xX]2[bBfF]|sol|plus);",
        "(?:&(?:amp;){0,3}#(?:[xX][2-7][0-9A-Fa-f]|[0-9]{2,3});){4}",
    ]


def _escapes() -> list[str]:
    code = "(?:u00(?:3d|3a|22|27|20)|x(?:3d|3a|22|27|20))"
    return [
        f"(?i){_NAME}[a-z0-9_.-]{{0,24}}[=: \"']{{0,4}}\\\\{{1,4}}{code}",
        "(?i)(?:secret|aws)[^\\n]{0,80}[a-z0-9+/]\\\\{1,4}(?:/|u002[bf]|x2[bf])[a-z0-9+/\\\\]{4}",
        f"\\\\(?:[nrt]|u00[2-7][0-9A-Fa-f]|x[2-7][0-9A-Fa-f]){_KNOWN}",
        "(?i)\\\\{1,4}[nr](?:https://)?[a-z0-9-]{1,63}\\.signin\\.aws",
        "(?:\\\\{1,8}u00[2-7][0-9A-Fa-f]){4}",
        "(?:\\\\{1,8}x[2-7][0-9A-Fa-f]){4}",
        "\\\\n(?:0{6}10|0{4}20)[: ]",  # the second line of a dump
        "(?i)content-transfer-encoding: {0,4}quoted-printable\\\\",
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
    cut = "[\"'][ \\t]{0,8}[+.&\\\\]?[ \\t]{0,8}_?(?:\\r?\\n[ \\t]{0,40})?[+.&]?[ \\t]{0,4}[\"']"
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

MARGIN = 188
"""The widest trigger in bytes, and that none minds a text's edges: a test holds both, so that no scan need work them out."""

INNER: tuple[Trigger, ...] = (
    Trigger("base64", f"(?<![A-Za-z0-9+/_-])(?:{_GROUP}){{6}}"),
    Trigger("hex", "(?<![0-9A-Fa-f])(?:[2-7][0-9A-Fa-f]|0[9AaDd]){20}"),
)
"""Any text in base64 or hexadecimal. Without a literal it is too slow for every blob, but what was decoded is little."""
