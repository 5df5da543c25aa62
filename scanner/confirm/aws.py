"""AWS credentials: an access key id says where to look, the text around it says what is there.

An id has a form of its own. A secret access key has none: it is 40 characters of base64,
as is a slice of anything encoded. So it is believed by evidence: an access key id in the
same block, a name beside it, or both. Levels, lowest first: identifier, secret, pair.
"""

from __future__ import annotations

import base64
import functools
import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import regex

from scanner.confirm.pattern import LOW_ENTROPY, search, windows
from scanner.confirm.text import entropy
from scanner.model import Match, Rule
from scanner.trace import dropped

BLOCK_BYTES = 3000
BLOCK_LINES = 30
"""How far from an id a secret is still taken to belong to it: within both limits."""

_STEP = 1024
_ASKED = 24
"""How many of the nearest ids or secrets are asked whether they belong together."""

Span = tuple[int, int]

NAME_BYTES = 90
"""How far before a secret its name may begin. The rule's anchors allow no more."""

_ID = r"(?<![A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z2-7]{16}(?![A-Za-z0-9])"
LONE = "no secret beside it: it may be elsewhere in the history"
_MIN_ID_ENTROPY = 2.4  # of 16 random base32 characters: 3.6 on average, below 2.8 once in 3,000, below 2.4 once in 200,000
_RUN = regex.compile(rb"[A-Za-z0-9/+]{40,}+")  # each run as a whole: much faster in base64 than a try at every place
_RUN_CHARACTERS = frozenset(bytes([byte]) for byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/+")
_AWS_NEAR = regex.compile(rb"(?i)aws|amazon|(?<![a-z0-9])s3(?![0-9])")
_SECRET_NAME = regex.compile(rb"(?i)secret|(?:aws|amazon|s3)[\w\s.\-]{0,30}(?:key|sk|pass|pwd|cred)(?!\w*[\s_.-]*id\b)|\bsk\b")
_WORD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_WORD_RIGHT = regex.compile(rb"[A-Za-z0-9_\-]*")
_EXACT_NAME = regex.compile(
    rb"(?i)secret[\s_.-]*access[\s_.-]*key|(?:aws|amazon|s3a?|ses)[\w\s.\-:\[\]'\"]{0,24}secret|secret[\w\s.\-]{0,12}(?:aws|amazon|s3)"
)


def account_of(key_id: bytes) -> str | None:
    """Return the 12-digit AWS account that issued an access key id, or None for ids older than the scheme.

    The account number is bits 1 to 40 of the base32 part, as in ids issued since 2019
    (source: https://medium.com/@TalBeerySec/a-short-note-on-aws-key-id-f88cc4317489).

    >>> account_of(b"ASIA" + b"QNZGKIQY56JQ7WML")
    '029608264753'
    """
    bits = int.from_bytes(base64.b32decode(key_id[4:20])[:6], "big")
    if not bits >> 47:  # older ids begin with I or J, have a first bit of 0 and carry no account
        return None
    return f"{(bits & 0x7FFFFFFFFF80) >> 7:012d}"


# Accounts whose keys are bait: using one alarms whoever laid it. Sources, in order: the
# canarytokens.org keys described at https://github.com/0xCardinal/covert-canary-detection, and
# those shown at https://onappsec.com/tag/canary-token/.
CANARY_ACCOUNTS = frozenset({"992382622183", "595918472158"})


def is_canary(key_id: bytes) -> bool:
    """Whether an id is bait: its account is known for nothing else."""
    return account_of(key_id) in CANARY_ACCOUNTS


def _account(key_id: bytes) -> list[str]:
    account = account_of(key_id)
    if account is None:
        return []
    return [f"of account {account}" + (", whose keys are canary tokens" if account in CANARY_ACCOUNTS else "")]


def confirm_key_id(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield the access key ids, with their account, and whether their secret stands beside them."""
    near = _Near(data)
    for match in search(_ID, data, ends, rule.width):
        key_id = match.group()
        start, end = match.span()
        if not _real_id(key_id):
            dropped(rule, start, end, "is made up: a sequence, too few different characters, or a word that says so")
            continue
        paired = near.has_secret(start, end)
        evidence = ["has the form of an access key id", *_account(key_id)]
        evidence.append("its secret stands beside it" if paired else LONE)
        severity = "low" if is_canary(key_id) else "high" if paired else rule.severity
        yield Match(rule, start, end, key_id, tuple(evidence), "high", severity, _short(key_id))


def confirm_secret_key(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield 40-character secrets that a name, or an access key id in the same block, gives away."""
    near = _Near(data)
    for start, stop in windows(ends, BLOCK_BYTES, BLOCK_BYTES, len(data)):
        low, high = max(0, start - 41), min(len(data), stop + 41)
        for first, last in _forties(data, low, high):
            secret = data[first:last]
            if not plausible_secret(secret):
                dropped(rule, first, last, "does not look random: a digest, a path, or words")
                continue
            if data[first - 1 : first] == data[last : last + 1] == b".":
                continue  # the middle of a JSON web token
            name = _name_before(data, first)
            pair = near.id_of(first, last)
            if pair:
                evidence = [f"beside the access key id {_short(pair)}", *_account(pair)]
                confidence, severity = "high", "low" if is_canary(pair) else "critical"
            elif name and name[1]:
                evidence, confidence, severity = [], "medium" if name[1] == 2 else "low", rule.severity
            else:
                dropped(rule, first, last, "neither an access key id nor a name of AWS is beside it")
                continue
            if name:
                evidence.append(f"named '{name[0]}'")
            yield Match(rule, first, last, secret, tuple(evidence), confidence, severity)


def confirm_session_token(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield session tokens; they expire within 36 hours, so alone they weigh less than a key."""
    near = _Near(data)
    for match in search(rule.pattern, data, ends, rule.reach):
        start, end = match.span("secret")
        rest = _REST.match(data, end)  # a token is longer than an anchor may be
        end = rest.end() if rest else end
        token = data[start:end]
        if entropy(token[16:]) < 4.5:
            dropped(rule, start, end, LOW_ENTROPY)
            continue
        pair = near.id_of(start, end)
        evidence = ["begins as a session token does"] + ([f"beside the access key id {_short(pair)}"] if pair else [])
        yield Match(rule, start, end, token, tuple(evidence), rule.confidence, "high" if pair else rule.severity)


_REST = regex.compile(rb"[A-Za-z0-9+/=]{0,16384}")


@functools.lru_cache(maxsize=2048)
def plausible_secret(text: bytes) -> bool:
    """Whether 40 base64 characters look random: no digest, path, identifier or run of words.

    Of random ones, about 1 in 2,000 is refused.
    """
    kinds = bytes(_KIND[byte] for byte in text)
    changes = sum(a != b for a, b in pairwise(kinds))
    return (
        b"u" in kinds and b"l" in kinds and (b"d" in kinds or b"s" in kinds)
        and changes >= 14 and text.count(b"/") <= 5 and entropy(text) >= 4.1
    )  # fmt: skip


_KIND = bytearray(256)
for _byte in range(256):
    _KIND[_byte] = ord("u" if 65 <= _byte <= 90 else "l" if 97 <= _byte <= 122 else "d" if 48 <= _byte <= 57 else "s")


def _real_id(key_id: bytes) -> bool:
    body = key_id[4:]
    steps = sum(b - a == 1 for a, b in pairwise(body))
    marked = any(word in body for word in (b"EXAMPLE", b"XXXX", b"FAKE", b"DUMMY", b"SAMPLE"))
    return entropy(body) >= _MIN_ID_ENTROPY and steps < 6 and not marked


def _real_secret(text: bytes) -> bool:
    """Whether a secret could be an id's own: the one of AWS's documentation belongs to nobody's."""
    return plausible_secret(text) and not text.endswith((b"EXAMPLE", b"EXAMPLEKEY"))


def _short(key_id: bytes) -> str:
    text = key_id.decode()
    return f"{text[:4]}…{text[-4:]}"


def _forties(data: bytes, low: int, high: int) -> Iterator[tuple[int, int]]:
    """Yield the runs of exactly 40 base64 characters that lie wholly between two offsets, or stand behind a `\\n` there."""
    for found in _RUN.finditer(data, low, high):
        first, last = found.span()
        if last - first == 41 and data[first - 1 : first + 1] in _ESCAPED:
            first += 1
        elif first == low and data[first - 1 : first] in _RUN_CHARACTERS:
            continue
        if last - first == 40 and data[last : last + 1] != b"=" and not (last == high < len(data)):
            yield first, last


_ESCAPED = (rb"\n", rb"\r", rb"\t")


class _Near:
    """The ids and the secrets of a text, by the step of their beginning: each part of it is searched once."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._ids: dict[int, list[Span]] = {}
        self._secrets: dict[int, list[Span]] = {}

    def id_of(self, start: int, end: int) -> bytes | None:
        """Return the nearest real access key id of the block, or None."""
        for first, last in self._nearest(self._ids, self._ids_in, start, end):
            if _beside(self._data, first, last, start, end):
                return self._data[first:last]
        return None

    def has_secret(self, start: int, end: int) -> bool:
        """Whether one of the secrets nearest to an id stands in its block."""
        return any(
            _beside(self._data, start, end, first, last)
            for first, last in self._nearest(self._secrets, self._secrets_in, start, end)
        )

    def _nearest(
        self, known: dict[int, list[Span]], read: Callable[[int, int], list[Span]], start: int, end: int
    ) -> list[Span]:
        found = []
        for step in range(max(0, start - BLOCK_BYTES) // _STEP, (end + BLOCK_BYTES) // _STEP + 1):
            if step not in known:
                known[step] = read(step * _STEP, (step + 1) * _STEP)
            found += known[step]
        return heapq.nsmallest(_ASKED, found, key=lambda span: max(span[0] - end, start - span[1]))

    def _ids_in(self, low: int, high: int) -> list[Span]:
        found = _id_pattern().finditer(self._data, low, min(len(self._data), high + 24))
        return [match.span() for match in found if match.start() < high and _real_id(match.group())]

    def _secrets_in(self, low: int, high: int) -> list[Span]:
        found = _forties(self._data, max(0, low - 1), min(len(self._data), high + 42))
        return [span for span in found if low <= span[0] < high and _real_secret(self._data[span[0] : span[1]])]


def _beside(data: bytes, id_start: int, id_end: int, start: int, end: int) -> bool:
    """Whether an id and a secret stand in one block.

    Without a name on the secret, ten lines; with one, the whole block.
    """
    low, high = (id_end, start) if id_end <= start else (end, id_start)
    lines = data.count(b"\n", low, high)
    if high - low > BLOCK_BYTES or lines > BLOCK_LINES:
        return False
    return (lines <= 10 and high - low <= 1000) or _name_before(data, start) is not None


def _name_before(data: bytes, start: int) -> tuple[str, int] | None:
    """Return the name that stands before a secret and how much it says: 2 AWS, 1 AWS is near, 0 a secret of someone."""
    before = data[max(0, start - NAME_BYTES) : start]
    # What stands between the name and the secret must be punctuation, markup or a short word: not another value.
    before = before[max(before.rfind(b";"), before.rfind(b"\n\n")) + 1 :]
    last = None
    for last in _SECRET_NAME.finditer(before):
        pass
    if last is None or len(before) - last.start() > NAME_BYTES or any(_forties(before, last.end(), len(before))):
        return None
    # One word to the left alone: the words before may be the access key id or a password, and this is shown.
    left = before[: last.start()]
    rest = _WORD_RIGHT.match(before, last.end())
    name = left[len(left.rstrip(_WORD)) :] + last.group() + (rest.group() if rest else b"")
    said = _id_pattern().sub(lambda found: _short(found.group()).encode(), name).strip(b" -.").decode("utf-8", "replace")
    if _EXACT_NAME.search(before):
        return said, 2
    near = data[max(0, start - 400) : start + 400]
    return said, 1 if _AWS_NEAR.search(near) else 0


@functools.cache
def _id_pattern() -> regex.Pattern[bytes]:
    return regex.compile(_ID.encode())
