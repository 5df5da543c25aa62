"""Console credentials: the mail in which a team gets its user name and password.

Such a text has no form of its own. It is believed when a password with its label stands
near an AWS console address or account number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import regex

from scanner.confirm.pattern import TIMEOUT, windows
from scanner.model import Match, Rule

NEAR = 1500
"""Bytes between the console address and the password, at most."""

_PASSWORD = regex.compile(
    rb"(?i)(?<![A-Za-z0-9])(?:pass(?:word|wort|code|phrase|wd)?|pwd|pw|kennwort|mot de passe|contrase(?:\xc3\xb1|n)a|senha)"
    rb"(?:[ \t]*\([^)\n]{0,30}\))?[\"'*`_]{0,3}[ \t]*(?::|=+>?|->|\xe2\x86\x92|[ \t]\||\t| is | ist | - )[ \t\"'*`_|]{0,6}"
    rb"(?P<secret>(?:(?!\\[nrt])[^\s\"'`|<>]){6,128})"
)
_PASSWORD_NEXT_LINE = regex.compile(
    rb"(?im)^[ \t>*-]{0,4}(?:console |temporary |initial |your )?pass(?:word|wort|wd)[ \t:]*"
    rb"\r?\n[ \t>]*(?P<secret>(?:(?!\\[nrt])[^\s\"'`|<>]){6,128})[ \t]*\r?$"
)
_USER = regex.compile(
    rb"(?i)(?:user[ _-]?name|user|login|benutzer(?:name)?|iam user)[\"'*`_]{0,3}[ \t]*(?::|=|\||\t|,| is |\n)"
)
_CSV = regex.compile(
    rb"(?i)(?:^|\n)\xef?\xbb?\xbf?(?P<head>[^\n]{0,400}?\bpassword\b[^\n]{0,400}?(?:console|sign-?in|login)[^\n]{0,400})\r?\n(?P<row>[^\n]{1,2000})"
)
_NO_VALUE = regex.compile(
    rb"(?i)\A(?:x+|[*._-]{3,}.*|<.*|.*[{]{2}.*|.*\$[({].*|%.*%|your.*|my.*|enter.*|change.*|password.*|passwd.*|secret|none|null|true|false"
    rb"|required|optional|example.*|redacted|hidden|reset|policy|https?://.*|[A-Za-z_][\w.]*\(.*)\Z"
)


def confirm(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield labelled passwords near a console address or an account number."""
    seen: set[int] = set()
    for start, stop in windows(ends, NEAR, NEAR, len(data)):
        for found in _labelled(data, start, stop):
            first, last = found
            secret = data[first:last]
            if first in seen or not _is_password(secret):
                continue
            seen.add(first)
            around = data[max(0, first - NEAR) : first]
            evidence = ["labelled as a password", "near an AWS console address or account number"]
            if _USER.search(around):
                evidence.append("with a user name beside it")
            yield Match(rule, first, last, secret, tuple(evidence), rule.confidence, rule.severity)


def _labelled(data: bytes, start: int, stop: int) -> Iterator[tuple[int, int]]:
    for pattern in (_PASSWORD, _PASSWORD_NEXT_LINE):
        for found in list(pattern.finditer(data, start, stop, timeout=TIMEOUT)):
            first, last = found.span("secret")
            if last == stop < len(data):
                continue  # cut by the window
            while last > first and data[last - 1 : last] in b".,;)":
                last -= 1
            yield first, last
    for found in list(_CSV.finditer(data, start, stop, timeout=TIMEOUT)):
        columns = [name.strip().lower() for name in found.group("head").split(b",")]
        cells = found.group("row").rstrip(b"\r").split(b",")
        if b"password" in columns and columns.index(b"password") < len(cells):
            place = columns.index(b"password")
            first = found.start("row") + sum(len(cell) + 1 for cell in cells[:place])
            yield first, first + len(cells[place])


def _is_password(text: bytes) -> bool:
    """Whether a value could be a console password: 6 characters, two kinds of them, and no placeholder.

    IAM's default policy asks for 8 characters of three kinds; an administrator may lower it
    (source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_account-policy.html).
    """
    kinds = sum(bool(regex.search(kind, text)) for kind in (rb"[a-z]", rb"[A-Z]", rb"[0-9]", rb"[^A-Za-z0-9]"))
    return len(text) >= 6 and kinds >= 2 and len(set(text)) > 4 and not _NO_VALUE.match(text)
