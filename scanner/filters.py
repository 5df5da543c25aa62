"""Why a match is no finding. Plain functions: match, its chunk and the team's policy → reason to drop it, or None."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from scanner.model import NO_POLICY, Chunk, Match, Policy, Rule

if TYPE_CHECKING:
    import regex

_ALLOW = re.compile(rb"keyleash:allow(?![a-z-])(?P<ids>(?:[ \t]+[a-z0-9]+(?:-[a-z0-9]+)+,?)*)")
_DUMMY = re.compile(
    rb"(?i)(?:(?:my|your|the|some|a|test|dummy|fake|sample|user|secret|super|new|old)?[-_ ]?)*"
    rb"(?:pass(?:word|wd|phrase|code)?|secret|token|pwd|changeme|foobar|hunter2|xyzzy|qwerty|letmein|123456)[-_0-9!.]{0,4}\Z"
)
_FILLER = (
    rb"([B-Za-z0-9*.#])\1{7}|[xX]{5}|0123456|1234567|2345678|3456789|9876543|(?i:abcdefg|qwerty|your[-_]|example|sample"
    rb"|123e4567-e89b-12d3|01arz3ndektsv4rr|placeholder|change_?me|replace|insert|dummy|redacted|foobar|deadbeef|cafebabe|c0ffee)"
    rb"|your|YOUR|fake|FAKE"
)
"""What no random token of a provider holds, but one made up by hand. A long run of A is base64 of zeros."""
_RUN = re.compile(rb"([B-Za-z0-9*.#])\1{15}")
"""A run that no password holds, chosen or drawn: the rest of one that was crossed out."""
_PUBLISHED = frozenset(
    (
        "2cafc0970149a84f",
        "f2d6ca16515033e5",
        "dddb5c32e423345c",
        "5d6eeff564caad6d",
        "0dec272a05c648a7",
        "eeff4d1bcd7b6841",
        "fdd667f89512e7bd",
        "798e681cf01faf94",
        "3adbf1272918d5aa",
    )
)
"""The beginnings of the SHA-256 of what everyone has: test keys in documentation (https://docs.stripe.com/keys), the keys that
ethers and MetaMask bring with them (https://docs.ethers.org), the hash in each new Laravel application, and the examples of
YouTrack (https://www.jetbrains.com/help/youtrack/devportal/) and NetBox (https://netboxlabs.com/docs/netbox/)."""
_REPEATS = re.compile(rb"(?:(.{2,16}?)\1{2,}|(.{16,80})\2)\Z", re.DOTALL)
_REPEATED = 200
"""Bytes at the end of a secret that hold the longest of these, twice."""
_RUNS = re.compile(rb"[A-Za-z0-9]+")
_NAMING = ("zip", "tar", "7z")
"""Steps of a way behind which the name of a member stands."""

_LINE = 2000
"""Bytes on either side of a match in which its line, and the one before, may hold a comment."""

COMMENTS: dict[str, tuple[bytes, bytes]] = {
    "gitleaks": (rb"gitleaks:allow", rb""),
    "detect-secrets": (rb"pragma: ?(?:allow|white)list[ -]secret", rb"pragma: ?allowlist[ -]nextline[ -]secret"),
    "trufflehog": (rb"trufflehog:ignore", rb""),
    "nosec": (rb"(?:#|//)[ \t]*(?:nosec|noqa:[ \t]*S10[567])\b", rb""),
}
"""By the name a configuration switches it on with: what another tool's comment says on the line, and on the line before.

Sources: the user documentation of gitleaks ("gitleaks:allow"), detect-secrets ("Inline Allowlisting"), trufflehog
("trufflehog:ignore"), bandit ("Exclusions") and ruff (S105 to S107, hard-coded passwords).
"""

SECONDS = 0.5
"""What one search for a team's own pattern may take; a longer one makes the text a skipped input."""


def placeholder(match: Match, chunk: Chunk, policy: Policy) -> str | None:
    """Documentation marks its values: EXAMPLE at the end, a word that says so, or a few characters again and again."""
    return _placeholder(match.secret, match.rule.guessable)


def name_in_code(match: Match, chunk: Chunk, policy: Policy) -> str | None:
    """What has a token's prefix may go on as a name does, as `test_sk_LogisticRegressionWithL2Penalty`."""
    if match.rule.guessable or match.rule.generic or match.rule.confirm != "pattern":
        return None
    return _name_in_code(match.secret)


@functools.lru_cache(4096)
def _name_in_code(secret: bytes) -> str | None:
    run = max(_RUNS.findall(secret), key=len, default=b"")
    if len(run) < 16 or run.islower() or run.isupper():  # what is of one case is not told from words so surely
        return None
    from scanner.confirm.generic_features import share_of_words

    return "reads as a name in code: it is made of words" if share_of_words(run) > 0.55 else None


@functools.lru_cache(4096)
def _placeholder(secret: bytes, guessable: bool) -> str | None:
    if secret.endswith((b"EXAMPLE", b"EXAMPLEKEY")):
        return "is a documentation example"
    if (len(secret) >= 12 and len(set(secret)) <= 4) or (guessable and _RUN.search(secret)):
        return "repeats a few characters, as a placeholder does"
    if guessable:
        return "is a word that stands for a password" if _DUMMY.match(secret) else None
    if secret.isascii() and re.search(_FILLER, secret):
        return "holds a filler or a run of characters, as a placeholder does"
    repeated = _REPEATS.search(secret[-_REPEATED:])
    if repeated and len(repeated.group()) >= 12:
        return "repeats a few characters, as a placeholder does"
    if _counts(secret):
        return "counts up or down, as a placeholder does"
    return "is published in its provider's documentation" if _published(secret) else None


def _counts(secret: bytes) -> bool:
    """Whether a secret in hexadecimal digits is bytes that rise or fall by the same step, as 000102… and 102030….

    >>> _counts(b"000102030405060708090a0b0c0d0e0f"), _counts(b"5d41402abc4b2a76b9719d911017c592")
    (True, False)
    """
    try:
        data = bytes.fromhex(secret.removeprefix(b"0x").decode("ascii"))
    except ValueError:
        return False
    return len(data) > 7 and len({(after - before) % 256 for before, after in pairwise(data)}) == 1


def _published(secret: bytes) -> bool:
    import hashlib  # 3 ms that a clean commit need not spend

    return hashlib.sha256(secret).hexdigest()[:16] in _PUBLISHED


def allowed(match: Match, chunk: Chunk, policy: Policy) -> str | None:
    """A comment `keyleash:allow`, alone or with rule ids, on the line of the match or the one before.

    What was decoded has two such lines: in what came out, and where the encoded text stands.

    >>> _ALLOW.search(b"x = 1  # keyleash:allow aws-session-token, expired in 2019")["ids"]
    b' aws-session-token,'
    """
    for before, line in _surroundings(match, chunk):
        for comment in _ALLOW.finditer(before + b"\n" + line):
            ids = comment["ids"].replace(b",", b" ").split()
            if not ids or match.rule.id.encode() in ids:
                return "is allowed by a comment"
        for name in policy.comments:
            here, above = COMMENTS[name]
            if re.search(here, line) or (above and re.search(above, before)):
                return f"is allowed by a comment of {name}"
    return None


def left_out(match: Match, chunk: Chunk, policy: Policy) -> str | None:
    """What the configuration says is no secret. Raises `TimeoutError` for a pattern that takes too long."""
    if policy.stopwords:
        secret = match.secret.lower()
        if any(word.lower().encode() in secret for word in policy.stopwords):
            return "holds a stopword of the configuration"
    if any(compiled(pattern).search(match.secret, timeout=SECONDS) for pattern in policy.secrets):
        return "is left out by a pattern of the configuration"
    if policy.lines:
        lines = [line for _, line in _surroundings(match, chunk, whole=True)]
        if any(compiled(pattern).search(line, timeout=SECONDS) for pattern in policy.lines for line in lines):
            return "stands on a line that the configuration leaves out"
    return None


def fits(rule: Rule, path: str | None, way: Sequence[str] = ()) -> bool:
    """Whether a file may hold the rule's credential, to judge by its path or by its name in the archive that holds it.

    A rule without `paths` fits everywhere; one with paths nowhere where the path is unknown.
    """
    if not rule.paths:
        return True
    member = None
    steps = iter(way)
    for step in steps:
        if step in _NAMING:
            member = next(steps, None)
    name = member or path
    return name is not None and _matcher(rule.paths)(name)


@functools.lru_cache(64)
def _matcher(paths: tuple[str, ...]) -> Callable[[str], bool]:
    from pathspec import GitIgnoreSpec  # only once something was found

    return GitIgnoreSpec.from_lines(paths).match_file


@functools.cache
def compiled(pattern: str) -> regex.Pattern[bytes]:
    """Return a team's pattern, compiled to search bytes in UTF-8."""
    import regex

    return regex.compile(pattern.encode())


def _surroundings(match: Match, chunk: Chunk, whole: bool = False) -> list[tuple[bytes, bytes]]:
    """Return the line before a match and its line, less the match unless `whole`, in the chunk and in the text around it."""
    found = [_lines(chunk.data, match.start, match.end, whole)]
    if chunk.offset_of:
        start, end = chunk.offset_of(match.start), chunk.offset_of(match.end)
        found.append(_lines(chunk.text, start, max(start, end), whole))
    return found


def _lines(data: bytes, start: int, end: int, whole: bool) -> tuple[bytes, bytes]:
    low = max(0, start - _LINE)
    first = data.rfind(b"\n", low, start)
    line = max(first + 1, low)
    before = data[max(data.rfind(b"\n", low, first) + 1, low) : first] if first > 0 else b""
    stop = data.find(b"\n", end, end + _LINE)
    stop = stop if stop >= 0 else min(len(data), end + _LINE)
    return before, data[line:stop] if whole else data[line:start] + b"\n" + data[end:stop]


FILTERS: tuple[Callable[[Match, Chunk, Policy], str | None], ...] = (placeholder, name_in_code, allowed, left_out)


def reason_to_drop(match: Match, chunk: Chunk, policy: Policy = NO_POLICY) -> str | None:
    """Return the first filter's reason, or None for a match that stands."""
    for check in FILTERS:
        found = check(match, chunk, policy)
        if found:
            return found
    return None
