"""AWS credentials that carry something to read: what they are for, whose they are, until when they hold."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote

import regex

from scanner.confirm.aws import is_canary
from scanner.confirm.pattern import LOW_ENTROPY, search
from scanner.confirm.text import entropy
from scanner.model import Match, Rule
from scanner.trace import dropped

URL_BYTES = 4096
"""How much of a URL is read on either side of its signature."""

_URL_CHARACTER = regex.compile(rb"[^\s\"'<>`\\^{|}]+")
_LONG_TERM = regex.compile(
    rb"(?P<name>BedrockAPIKey-[a-z0-9]+|[\w+=,.@-]{1,64})-at-(?P<account>\d{12}):(?P<secret>.{16,})", regex.S
)


def confirm_bedrock(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield Bedrock API keys that decode to what such a key is made of.

    A long-term one is `ABSK` and the base64 of `name-at-account:secret`; a short-term one is
    `bedrock-api-key-` and the base64 of a pre-signed URL, so it says who signed it and until when.
    """
    for match in search(rule.pattern, data, ends, rule.reach):
        start, end = _extend(data, *match.span("secret"))
        text = data[start:end]
        if text.startswith(b"ABSK"):
            said = _LONG_TERM.match(_decoded(text[4:]))
            if said:
                known = ("long-term Bedrock API key", f"of account {said['account'].decode()}")
                yield Match(rule, start, end, text, known, "high", rule.severity)
            else:
                dropped(rule, start, end, "does not decode to a name, an account and a secret")
        else:
            url = _decoded(text.removeprefix(b"bedrock-api-key-"))
            if url.startswith(b"bedrock.amazonaws.com"):
                yield Match(rule, start, end, text, ("short-term Bedrock API key", *_signed(url)), "high", "medium")
            else:
                dropped(rule, start, end, "does not decode to a signed URL of Bedrock")


def confirm_presigned(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield pre-signed URLs: an id, a signature, and a time until which whoever has them may do one thing."""
    done = 0
    for end in ends:
        if end <= done:
            continue
        low = max(done, end - URL_BYTES)
        for found in _URL_CHARACTER.finditer(data, low, min(len(data), end + URL_BYTES)):
            first, last = found.span()
            if first <= end <= last:
                url, done = found.group(), last
                signature = regex.search(rb"[?&;](?:X-Amz-)?Signature=(?P<secret>[0-9A-Za-z%+/=]{28,64})", url)
                if signature:
                    span = first + signature.start("secret"), first + signature.end("secret")
                    until = _until(_query(url))
                    said = ("pre-signed URL", *_signed(url))
                    confidence = "low" if until and until < datetime.now(UTC) else rule.confidence  # it opens nothing any more
                    if _real(signature["secret"]):
                        yield Match(rule, *span, signature["secret"], said, confidence, rule.severity)
                    else:
                        dropped(rule, *span, LOW_ENTROPY)
                break


def confirm_smtp(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield SES SMTP passwords: the base64 of a version byte, 4, and an HMAC-SHA256.

    Source: https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html
    """
    for match in search(rule.pattern, data, ends, rule.reach):
        secret = match.group("secret")
        raw = _decoded(secret)
        if len(raw) == 33 and raw[0] == 4 and entropy(secret) >= 4.3:
            evidence = ("decodes to version 4 and a signature, as SES SMTP passwords do", "named beside SES or SMTP")
            yield Match(rule, *match.span("secret"), secret, evidence, rule.confidence, rule.severity)
        else:
            dropped(rule, *match.span("secret"), "does not decode to version 4 and a signature")


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return b""


def _extend(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the span of the whole run of base64 that begins at `start`: longer than an anchor may be."""
    found = regex.compile(rb"[A-Za-z0-9+/=_-]+").match(data, end, end + URL_BYTES)
    return start, found.end() if found else end


def _signed(url: bytes) -> list[str]:
    """Return what a signed URL says of its signer and its time, in words."""
    query = _query(url)
    said = []
    key_id = unquote(query.get("x-amz-credential", query.get("awsaccesskeyid", ""))).partition("/")[0]
    if regex.fullmatch("A[A-Z0-9]{19}", key_id):
        bait = ", a canary token" if regex.fullmatch("[A-Z2-7]{20}", key_id) and is_canary(key_id.encode()) else ""
        said.append(f"signed with the access key id {key_id[:4]}…{key_id[-4:]}{bait}")
    until = _until(query)
    if until:
        said.append(f"valid until {until:%Y-%m-%d %H:%M} UTC")
    return said


def _query(url: bytes) -> dict[str, str]:
    text = url.replace(b"&amp;", b"&").partition(b"?")[2].decode("latin-1")
    return {name.lower(): values[0] for name, values in parse_qs(text).items()}


def _until(query: dict[str, str]) -> datetime | None:
    try:
        if "x-amz-date" in query:
            start = datetime.strptime(query["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return start + timedelta(seconds=int(query.get("x-amz-expires", "0")))
        return datetime.fromtimestamp(int(query["expires"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def _real(signature: bytes) -> bool:
    return entropy(signature) >= 3.2 and len(set(signature)) > 8
