"""Console credentials: the mail in which a team gets its user name and password.

Such a text has no form of its own. It is believed when a password with its label stands
near an AWS console address or account number.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence

import regex

from scanner.confirm.pattern import TIMEOUT, windows
from scanner.model import Match, Rule
from scanner.trace import dropped

NEAR = 1500
"""Bytes between the console address and the password, at most."""

# The word in the languages in which such mails are written. In UTF-8 only ASCII letters are alike in both cases.
_WORDS = (
    "(?:initial|einmal|start|erst)?passwort|pass(?:word|code|phrase|wd)?|pwd|pw|kennwort|mot de passe|contrase(?:ñ|n)a|senha"
    "|wachtwoord|l(?:ö|o)senord|adgangskode|salasana|has(?:ł|l)o|heslo|parol(?:a|ă|e)?|(?:ş|Ş|s)ifre|(?:П|п)ароль|密碼|密码|口令|パスワード|비밀번호|암호"
    "|mật khẩu|kata sandi|รหัสผ่าน|סיסמה|كلمة المرور"
)
_BEGIN = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"
_KIND = r"(?:[ \t]*(?:\(|（)[^)\n]{0,30}(?:\)|）)|[ \t](?:provvisoria|temporanea|temporaire|provisoire|temporal|inicial))?"
_IS = r"(?:[ \t]?(?::|：)|=+>?|->|→|[ \t]\||\t| is:? | ist:? | lautet:? | est:? | es:? | - | – |是|為|为|[ \t](?=«))"
_OPENING = r"(?:[ \t\"'*`_|]|\u00a0|\u3000|«|「){0,6}"
# IAM takes printable ASCII alone (source: the account password policy below), so other letters end a password.
_VALUE = r"(?P<secret>(?:(?!\\{1,8}[nrt\x22])[!#-&(-;=?-_a-{}~]){6,128})"
_PASSWORD = regex.compile(f"(?i){_BEGIN}(?:{_WORDS}){_KIND}[\"'*`_]{{0,3}}[ \t]*{_IS}{_OPENING}{_VALUE}".encode())
_PASSWORD_NEXT_LINE = regex.compile(
    f"(?im)^[ \t>*-]{{0,4}}(?:console |temporary |initial |your )?(?:{_WORDS})[ \t:]*\r?\n[ \t>]*{_VALUE}[ \t]*\r?$".encode()
)
# In a sentence without a sign between the word and the value, the value must tell by itself that it is none of the words.
_IN_PROSE = regex.compile(
    f"(?i)(?<![a-z])(?:user|login|account|credentials?)(?![a-z])[^\\n]{{0,80}} (?:password|pw) {_VALUE}".encode()
)
# Two columns without a sign; and a name and its password with a slash or a colon between them.
_ALIGNED = regex.compile(f"(?im)^[ \\t>*-]{{0,4}}(?:{_WORDS})(?:[ ]{{2,16}}|\\t{{1,4}}){_VALUE}[ \\t]*\r?$".encode())
_TOGETHER = regex.compile(
    f"(?i)(?:\\b(?:with|as|user(?:[ _-]?name)?|login|credentials?|creds?)|amazon\\.com|/console/?)[ \\t:=>-]{{1,4}}"
    f"[\\w.@+-]{{2,40}}(?:[ \\t][/|][ \\t]|:){_VALUE}(?=[ \\t\r\n,;)]|$)".encode()
)
_MUST_TELL = (_IN_PROSE, _ALIGNED, _TOGETHER)
_USER = regex.compile(
    rb"(?i)(?:user[ _-]?name|user|login|benutzer(?:name)?|iam user)[\"'*`_]{0,3}[ \t]*(?::|=|\||\t|,|;| is |\n)"
)
_CSV = regex.compile(
    rb"(?i)(?:^|\n)\xef?\xbb?\xbf?(?P<head>[^\n]{0,400}?\bpassword\b[^\n]{0,400}?(?:console|sign-?in|login)[^\n]{0,400})\r?\n(?P<row>[^\n]{1,2000})"
)
_DELIMITERS = (b",", b";", b"\t")
_NO_VALUE = regex.compile(
    rb"(?i)\A(?:x+|[*._-]{3,}.*|<.*|[{].*[}]|.*[{]{2}.*|.*\$[({].*|%.*%|your.*|my.*|enter.*|change.*|password.*|passwd.*|secret|none|null|true|false"
    rb"|required|optional|example.*|redacted|hidden|reset|policy|https?://.*|[A-Za-z_][\w.]*\(.*)\Z"
)

_CHARACTERS = tuple(regex.compile(kind) for kind in (rb"[a-z]", rb"[A-Z]", rb"[0-9]", rb"[^A-Za-z0-9]"))
_WITHIN = regex.compile(rb"[a-z0-9!-/][A-Z]")


def confirm(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield labelled passwords near a console address or an account number."""
    seen: set[int] = set()
    for start, stop in windows(ends, NEAR, NEAR, len(data)):
        for found in _labelled(data, start, stop):
            first, last = found
            secret = data[first:last]
            if first in seen:
                continue
            if not _is_password(secret):
                dropped(rule, first, last, "is no password: too short, of one kind of characters, or a placeholder")
                continue
            seen.add(first)
            around = data[max(0, first - NEAR) : first]
            evidence = ["labelled as a password", "near an AWS console address or account number"]
            if _USER.search(around):
                evidence.append("with a user name beside it")
            yield Match(rule, first, last, secret, tuple(evidence), rule.confidence, rule.severity)


def _labelled(data: bytes, start: int, stop: int) -> Iterator[tuple[int, int]]:
    tables = list(_CSV.finditer(data, start, stop, timeout=TIMEOUT))
    for pattern in (_PASSWORD, _PASSWORD_NEXT_LINE, *_MUST_TELL):
        for found in list(pattern.finditer(data, start, stop, timeout=TIMEOUT)):
            first, last = found.span("secret")
            if last == stop < len(data):
                continue  # cut by the window
            while last > first and data[last - 1 : last] in b".,;)":
                last -= 1
            if any(table.start("head") <= first < table.end("head") for table in tables):
                continue  # the title of a column
            if pattern not in _MUST_TELL or _is_random(data[first:last]):
                yield first, last
    for table in tables:
        yield from _cell(table)


def _cell(table: regex.Match[bytes]) -> Iterator[tuple[int, int]]:
    """Yield the span of the password in the first row of a table, whichever character separates its columns."""
    for delimiter in _DELIMITERS:
        titles = [title.lower() for title, _ in _cells(table["head"], delimiter)]
        cells = _cells(table["row"], delimiter)
        if b"password" in titles and titles.index(b"password") < len(cells):
            text, at = cells[titles.index(b"password")]
            first = table.start("row") + at
            yield first, first + len(text)
            return


def _cells(row: bytes, delimiter: bytes) -> list[tuple[bytes, int]]:
    """Return the cells of a row, without quotes and the spaces around them, each with its offset."""
    cells, at = [], 0
    for cell in next(csv.reader([row.decode("latin-1")], delimiter=delimiter.decode()), []):
        text = cell.strip().encode("latin-1")
        at = max(row.find(text, at), at)
        cells.append((text, at))
        at += len(text)
    return cells


def _is_random(text: bytes) -> bool:
    """Whether a value looks like no word: capital and small letters, and digits or signs among them."""
    return len(text) >= 8 and all(kind.search(text) for kind in (*_CHARACTERS[:3], _WITHIN))


def _is_password(text: bytes) -> bool:
    """Whether a value could be a console password: 6 characters, two kinds of them, and no placeholder.

    IAM's default policy asks for 8 characters of three kinds; an administrator may lower it
    (source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_account-policy.html).
    """
    kinds = sum(bool(kind.search(text)) for kind in _CHARACTERS)
    return len(text) >= 6 and kinds >= 2 and len(set(text)) > 4 and not _NO_VALUE.match(text)
