"""Taking the wrapping off an armoured body: what source code, JSON, URLs and mail do to a key.

A body between BEGIN and END is base64 in lines. People paste it into strings, comments,
configuration and addresses, and each of these adds characters of its own. What is
returned here is the base64 alone, with the headers that stood before it.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

import regex

from scanner.confirm.keys_der import SEQUENCE, header

MAX_BODY = 64 * 1024
"""Bytes of text in which a body must end. A 16,384-bit key takes 12.5 kB of base64, three times that when wrapped badly."""

MIN_BASE64 = 40
"""The shortest base64 that can hold a private key of any kind, in characters."""

MAX_PREFIX = 200

_DASHES = rb"(?:-{2,5}+|(?:-|%2[Dd]|\\u002[Dd]|&#45;|\xe2\x80[\x93\x94]){2,5})"
_GAP = rb"(?:[ +]|%20)"
_LABEL = rb"(?:[A-Z0-9]{1,12}" + _GAP + rb"){0,5}PRIVATE" + _GAP + rb"KEY(?:" + _GAP + rb"BLOCK)?"
MARKER = regex.compile(
    _DASHES + _GAP + rb"?(?P<what>BEGIN|END)" + _GAP + rb"(?P<label>" + _LABEL + rb")" + _GAP + rb"?" + _DASHES
)
_OTHER = regex.compile(rb"-----BEGIN |-----END ")

_MARK = regex.compile(rb"\s*(?:#+|//+|/?\*+|--+|;+|>+|[+-]|REM\b|rem\b|[^\s:\"'`]{1,100}:[0-9]{1,7}:)\s*")
_QUOTE = regex.compile(rb"\\*[\"'`]")
_OPENING = regex.compile(rb"[\"'`>]")
_BASE64 = regex.compile(rb"[A-Za-z0-9+/]")
_SOLID = regex.compile(rb"[A-Za-z0-9+/]{16}")
_COMMENT = regex.compile(rb"(?i)(?:Comment|Subject):\s?\\{0,3}\"[^\"\n]{0,200}\"")
_ESCAPE = regex.compile(rb"\\+(?:u00([0-9A-Fa-f]{2})|x([0-9A-Fa-f]{2})|(012|015)|([nrtfv])|(/)|\r?\n|par(?![a-z]))|`[nr]")
_PERCENT = regex.compile(rb"%(?:25)?(?:0[ADad]|2[0BbFf]|3[Dd])")
_CODED = regex.compile(rb"%2[BbFf]")
_TAG = regex.compile(rb"</?[A-Za-z][^<>\n]{0,80}>")
_PLACEHOLDER = regex.compile(
    rb"\.{3}|\xe2\x80\xa6|\*{3}|\$[({]|\{\{|<[^<>\n]{0,80}>|\[[^\]\n]{0,80}\]|[xX]{12}"
    rb"|(?i:(?<![a-z0-9+/])(?:redacted|snip)(?![a-z0-9+/=])|your[ _-])"
)
_DEK = regex.compile(
    rb"(?:Proc-Type:\s*4,\s*ENCRYPTED)?\s*DEK-Info:\s*(?P<cipher>[A-Za-z0-9-]{3,24}),\s*(?P<iv>[0-9A-Fa-f]{16,32})"
)
_HEADER = regex.compile(rb"(?m)^[ \t]*[A-Za-z][A-Za-z0-9-]{1,30}:(?:[ \t][^\n]*)?$")
_TOLERATED = b" \t\r\n\f\v\"'`,;\\*#>|"
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_RUN = regex.compile(
    rb"\\+(?:[nrt]|[ux](?:00)?0[aAdD])|`[nr]|%(?:25)?(?:0[ADad]|20)|&#[xX]?0*(?:1[03]|[aAdD]);"
    rb"|</?[A-Za-z][^<>\n]{0,80}>"
    rb"|(?P<run>(?:[A-Za-z0-9+/=]|%2[BbFf]|%3[Dd]|\\/|\\u002[bBfF]|\\u003[dD])+)"
)
_CODED_ONE = regex.compile(rb"%..|\\/|\\u....")
_MAX_GAP = 60
_LONGEST_LINE = 100
_UNEVEN = 12


@dataclass(frozen=True, slots=True)
class Body:
    """Base64 without its wrapping. `cipher` is that of a DEK-Info header (RFC 1421), else empty."""

    base64: bytes = field(repr=False)
    cipher: str = ""

    def decode(self) -> tuple[bytes, bool]:
        """Return the bytes, and whether the base64 was sound to its end."""
        text = self.base64.rstrip(b"=")
        sound = b"=" not in text and len(text) % 4 != 1
        text = text.replace(b"=", b"")
        if len(text) % 4 == 1:
            text = text[:-1]
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4)), sound


def label_of(marker: regex.Match[bytes]) -> str:
    """Return the label of a BEGIN or END line with plain spaces."""
    return marker["label"].replace(b"%20", b" ").replace(b"+", b" ").decode("ascii")


def body_stop(data: bytes, begin: int) -> tuple[int, int, bool]:
    """Return where the body behind a BEGIN line stops, where the whole block ends, and whether an END line says so."""
    limit = min(len(data), begin + MAX_BODY)
    # An END line may straddle the limit: it is looked for a little farther than a body may reach.
    following = MARKER.search(data, begin, min(len(data), limit + 256))
    if following and following["what"] == b"END" and not _OTHER.search(data, begin, following.start()):
        return following.start(), following.end(), True
    other = _OTHER.search(data, begin, following.start() if following else limit)
    stop = other.start() if other else following.start() if following else limit
    return stop, stop, False


def written_until(data: bytes, begin: int, stop: int, mark: bytes = b"") -> int:
    """Return the end of the base64 that begins near an offset, where no END line says so.

    The lines of a body are equally long but for the last; shorter words between them are
    the source around it. What begins as DER ends where it says; else a longer line, a wide
    gap or a blank line ends it. `mark` stands before each line and is none of it. Returns
    `begin` when there is no base64.
    """
    line, needed, last, tail = 0, 0, begin, 0
    for found in _RUN.finditer(data, begin, stop):
        if not found["run"]:
            continue
        start, end = found.span("run")
        if mark and data.startswith(b"\n" + mark, start - 1):
            start += len(mark)
        size = len(_CODED_ONE.sub(b".", data[start:end]))
        if start - last > (_MAX_GAP if line else 4 * _MAX_GAP) or (line and data.count(b"\n\n", last, start)):
            break
        if not line and size >= MIN_BASE64:
            line, needed = size, _length_of(data, start)
        if not line:
            continue
        if needed and (size >= needed or size > _LONGEST_LINE):
            return start + needed if size == end - start and size >= needed else end
        if size > line + _UNEVEN:
            break
        if size >= line - _UNEVEN:
            last, tail, needed = end, 0, needed - size if needed else 0
        elif not needed and not tail and size % 4 == 0:
            tail = end
    return tail or last


def mark_before(data: bytes, dashes: int) -> bytes:
    """Return the mark of a comment or a diff directly before a BEGIN line, if it could be taken for base64."""
    line_start = data.rfind(b"\n", max(0, dashes - 3), dashes) + 1
    mark = data[line_start:dashes]
    return mark if mark in (b"+", b"//", b"///") else b""


def _length_of(data: bytes, start: int) -> int:
    """Return how many characters of base64 the DER that begins at an offset takes, or 0 where none begins."""
    try:
        tag, _, stop = header(binascii.a2b_base64(data[start : start + 12]))
    except ValueError:
        return 0
    return (stop + 2) // 3 * 4 if tag == SEQUENCE else 0


def bodies(data: bytes, dashes: int, begin: int, stop: int) -> Iterator[Body]:
    """Yield the readings of a body, the likeliest first; none when it is a placeholder or no base64.

    `dashes` is where the BEGIN line's dashes start: what stands before them on their
    line is taken off the other lines too.
    """
    if stop - begin < MIN_BASE64:
        return
    for text in texts(data, dashes, begin, stop):
        yield from _body(text)


def texts(data: bytes, dashes: int, begin: int, stop: int, *, markup: bool = True) -> Iterator[bytes]:
    """Yield the readings of a span with lines, escapes and percent codes undone, the likeliest first.

    What was wrapped twice (source in JSON, JSON in an address) takes a second round, in
    which each reading of the first is read again. With `markup` the tags of HTML are taken
    out too.
    """
    line_start = data.rfind(b"\n", max(0, dashes - MAX_PREFIX), dashes) + 1
    prefix = data[line_start:dashes] if line_start or dashes <= MAX_PREFIX else b""
    text = data[begin:stop]
    first = list(_undone(text, prefix, markup))
    yield from first
    within = unquote_to_bytes(_ESCAPE.sub(_unescape, prefix)).rpartition(b"\n")[2]
    for reading in first:
        if reading != text:
            yield from _undone(reading, within, markup)


def _undone(text: bytes, prefix: bytes, markup: bool) -> Iterator[bytes]:
    """Yield a text with one layer of wrapping undone.

    A `+` in percent-encoded text is a blank to a form and a plus to a path, so that both are tried.
    """
    text = _ESCAPE.sub(_unescape, _unwrapped_lines(text, prefix))
    if b"&" in text:
        text = _without_entities(text)
    if markup and b"<" in text:
        text = _TAG.sub(b"\n", text)
    if _PERCENT.search(text):
        once = text.replace(b"%25", b"%")
        as_blank, as_plus = unquote_to_bytes(once.replace(b"+", b" ")), unquote_to_bytes(once)
        yield from (as_blank, as_plus) if _CODED.search(once) else (as_plus, as_blank)
    else:
        yield text


def _unwrapped_lines(text: bytes, before: bytes) -> bytes:
    """Return the body with quotes, concatenation and the prefix of its BEGIN line taken off every line."""
    prefix = _prefix_pattern(before)
    lines = _COMMENT.sub(b"", text).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    kept = []
    for number, line in enumerate(lines):
        if number and prefix:
            line = prefix.sub(b"", line, count=1)
        if b'"' in line or b"'" in line or b"`" in line:
            line = _inside_quotes(line, number == 0)
        kept.append(line)
    return b"\n".join(kept)


def _prefix_pattern(prefix: bytes) -> regex.Pattern[bytes] | None:
    """Return a pattern for what stands before a BEGIN line, or for the mark of a comment or diff that it begins with.

    Numbers and blanks may differ from line to line, as in the output of grep -n.
    """
    prefix = prefix.removeprefix(b"\xef\xbb\xbf")
    if not prefix.strip():
        return None
    mark = _MARK.match(prefix)
    whole = b"" if _QUOTE.search(prefix) else prefix
    wanted = [part for part in (whole, mark.group() if mark else b"", _OPENING.split(prefix)[-1]) if part.strip()]
    return regex.compile(rb"\A\s*(?:" + b"|".join(map(_loosely, wanted)) + rb")") if wanted else None


def _loosely(text: bytes) -> bytes:
    parts = []
    for part in regex.findall(rb"\s+|[0-9]+|[^\s0-9]+", text):
        parts.append(rb"\s*" if part.isspace() else rb"[0-9]+" if part.isdigit() else regex.escape(part, special_only=True))
    return b"".join(parts)


def _inside_quotes(line: bytes, opened: bool) -> bytes:
    """Return what stands inside the quotes of a line of source, or base64 outside when that is nothing."""
    if b"`" in line and regex.search(rb"`[nr]", line) and not regex.search(rb"[\"']", line):
        return line  # the escapes of PowerShell, not quotes
    parts = _QUOTE.split(line)
    inside, outside = (parts[0::2], parts[1::2]) if opened else (parts[1::2], parts[0::2])
    chosen = b"".join(inside)
    return chosen if _BASE64.search(chosen) or not _SOLID.search(b" ".join(outside)) else b" ".join(outside)


def _unescape(found: regex.Match[bytes]) -> bytes:
    code = found[1] or found[2]
    if code:
        return bytes([int(code, 16)])
    return b"/" if found[5] else b"\n"


def _without_entities(text: bytes) -> bytes:
    import html

    return html.unescape(html.unescape(text.decode("latin-1"))).encode("latin-1", "replace")


def _body(text: bytes) -> Iterator[Body]:
    cipher = ""
    dek = _DEK.search(text)
    if dek:
        cipher = dek["cipher"].decode("ascii").upper()
        digits = 16 if "DES" in cipher or "BF" in cipher or "RC2" in cipher else 32
        text = text[: dek.start()] + b"\n" + text[min(dek.end(), dek.start("iv") + digits) :]
    text = _HEADER.sub(b"", text)
    if _PLACEHOLDER.search(text):
        return
    if b":" in text:  # headers on one line with the body: the body is what follows the last word that is no base64
        words = text.split()
        odd = max((at for at, word in enumerate(words) if word.strip(_ALPHABET)), default=-1)
        text = b" ".join(words[odd + 1 :])
    plain = text.translate(None, _TOLERATED)
    base64 = plain.translate(None, bytes(set(range(256)) - set(_ALPHABET)))
    if len(base64) >= MIN_BASE64 and len(plain) - len(base64) <= len(base64) // 50:
        yield Body(base64, cipher)
